"""What packets say: from pasted lines to explanations, without any terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from json import JSONDecodeError
from typing import Any, Literal

from sioproto import DecodeError, RemoteProtocolError
from sioproto._cli._trace import Direction, Pasted, read_line
from sioproto.engineio import Packet, PacketType
from sioproto.engineio._client_handshake import parse_handshake
from sioproto.engineio._packet import decode_packet, decode_packet_v3
from sioproto.engineio._payload_v3 import decode_binary_payload_v3
from sioproto.socketio import Decoder, Parser, StrictJson
from sioproto.socketio import Packet as SocketPacket
from sioproto.socketio import PacketType as SocketType
from sioproto.socketio._packet import decode_header

Layer = Literal["auto", "engine", "socket"]

MOST_ATTACHMENTS = 1_000_000
"""To explain is not to accept: a packet may announce as many as it likes."""

# Text that is a Socket.IO packet without its Engine.IO packet around it: an event, an
# acknowledgement, or something in a namespace. Bare digits are taken for Engine.IO.
_BARE = re.compile(r"""2(/[^,]*,)?\d*\[|3(/[^,]*,)?\d+\[|[56]\d+-|[014]/|[04]\{""")
_OPEN = re.compile(r'0\{[^{]*"(?:upgrades|pingInterval)"')
_SEPARATOR = re.compile(r"\x1e|␞|\\x1e")
_LENGTH = re.compile(r"([0-9]{1,10}):")
_LOOKS_V3 = re.compile(r"[0-9]{1,10}:(?:[0-6]|b[0-6])")
_LOOKS_V3_BINARY = re.compile(rb"[\x00\x01][\x00-\x09]{1,10}\xff")
# A map of up to 15 fields, the first of which is one that packets have.
_LOOKS_MSGPACK = re.compile(rb"[\x82-\x8f](?:\xa3nsp|\xa4type|\xa4data)")
_SHAPE = re.compile(r"[0-6](?:(?<=[56])\d*-)?(?:/[^,]*(?:,|\Z))?(?P<id>\d*)")


@dataclass(slots=True)
class Problem:
    """What is wrong with a packet."""

    message: str
    rule: str | None = None
    column: int | None = None
    """Where in the line, from 1."""


@dataclass(slots=True)
class Item:
    """One packet, or what stands where one should be."""

    line: int
    text: str | bytes
    direction: Direction | None = None
    column: int = 1
    revision: int = 4
    engine: Packet | None = None
    socket: SocketPacket | None = None
    """With its attachments in place once ``missing`` is 0."""
    missing: int = 0
    """How many attachments have yet to come."""
    attachment_of: int | None = None
    """The line of the packet that announced this attachment."""
    notes: list[str] = field(default_factory=list)
    problem: Problem | None = None


@dataclass(slots=True)
class _Begun:
    """A packet whose attachments have yet to come."""

    decoder: Any
    item: Item | None = None
    total: int = 0


class Explainer:
    """Explains lines one after another. Attachments may follow in later lines.

    Args:
        revision: of Engine.IO; None to guess it line by line.
        layer: whether lines are packets of Engine.IO or bare ones of Socket.IO.
        parser: of Socket.IO packets, if it is not the usual one.
    """

    def __init__(
        self,
        *,
        revision: int | None = None,
        layer: Layer = "auto",
        parser: Parser | None = None,
    ) -> None:
        self._revision = revision
        self._layer = layer
        self._parser = parser
        self._json = StrictJson()
        # Each direction is a stream of its own.
        self._begun: dict[Direction | None, _Begun] = {}

    def line(self, number: int, line: str) -> list[Item]:
        """Explain one line of text. Nothing for a blank line and for a comment (``#``)."""
        if not line.strip() or line.lstrip().startswith("#"):
            return []
        pasted = read_line(line)
        if pasted.trouble is not None:
            problem = Problem(pasted.trouble, column=pasted.column)
            return [Item(number, line.strip(), pasted.direction, problem=problem)]
        return self.pasted(number, pasted)

    def pasted(self, number: int, pasted: Pasted) -> list[Item]:
        """Explain what a line holds."""
        items = []
        for item in self._split(number, pasted):
            item.direction = pasted.direction
            if item.problem is None:
                try:
                    self._explain(item)
                except RemoteProtocolError as error:
                    item.problem = _problem(item, error)
            if item.problem is not None and not pasted.exact:
                item.problem.column = None
            items.append(item)
        return items

    def end(self) -> list[Problem]:
        """What is wrong with the end: attachments that have not come."""
        problems = []
        for begun in self._begun.values():
            if begun.item is not None and begun.decoder.missing:
                came = begun.total - begun.decoder.missing
                problems.append(
                    Problem(
                        f"line {begun.item.line} announces {_count(begun.total, 'attachment')}, "
                        f"and {came or 'none'} came",
                        "SIO-BIN-09",
                    )
                )
        return problems

    # Payloads

    def _split(self, number: int, pasted: Pasted) -> Iterator[Item]:
        """The packets of a line, not explained yet."""
        data, column = pasted.data, pasted.column
        if isinstance(data, bytes):
            if self._revision != 4 and _LOOKS_V3_BINARY.match(data):
                yield from self._split_binary_v3(number, data)
            else:
                yield Item(number, data, column=column, revision=self._revision or 4)
            return
        guessed = self._revision is None and _LOOKS_V3.match(data)
        if self._layer != "socket" and (
            guessed or (self._revision == 3 and _LENGTH.match(data) is not None)
        ):
            yield from _split_v3(number, data, column)
            return
        start = 0
        for match in [*_SEPARATOR.finditer(data), None]:
            end = len(data) if match is None else match.start()
            yield Item(number, data[start:end], column=column + start, revision=self._revision or 4)
            start = end if match is None else match.end()

    def _split_binary_v3(self, number: int, data: bytes) -> Iterator[Item]:
        try:
            for packet in decode_binary_payload_v3(data):
                text = packet.data
                if isinstance(text, str):
                    text = f"{int(packet.type)}{text}"
                yield Item(number, text, revision=3, engine=packet)
        except DecodeError as error:
            yield Item(number, data, revision=3, problem=Problem(error.message, error.rule))

    # Packets

    def _explain(self, item: Item) -> None:
        text = item.text
        if self._is_bare(item):
            if self._layer == "auto" and isinstance(text, str):
                item.notes.append("a Socket.IO packet without the Engine.IO packet around it")
            self._explain_socket(item, text, 0)
            return
        packet = item.engine
        if packet is None:
            if item.revision == 3:
                packet = decode_packet_v3(text)
                if packet is None:
                    item.notes.append("ignored: binary of no known type")
                    return
            else:
                packet = decode_packet(text)
            item.engine = packet
        if packet.type is PacketType.MESSAGE:
            if self._layer == "engine":
                return
            if packet.data == "" and self._layer == "auto":
                item.notes.append("an empty message, which is no Socket.IO packet")
                return
            self._explain_socket(item, packet.data, 1)
        elif isinstance(packet.data, str):
            self._explain_engine(item, packet.type, packet.data)

    def _is_bare(self, item: Item) -> bool:
        if self._layer != "auto":
            return self._layer == "socket"
        text = item.text
        if item.engine is not None:
            return False
        if isinstance(text, bytes):
            return False
        return _BARE.match(text) is not None and _OPEN.match(text) is None

    def _explain_engine(self, item: Item, kind: PacketType, data: str) -> None:
        if kind is PacketType.OPEN:
            parse_handshake(data)
        elif kind in (PacketType.PING, PacketType.PONG):
            if data == "probe":
                what = "asks" if kind is PacketType.PING else "confirms"
                item.notes.append(f"{what} whether the new transport works")
            elif data:
                item.notes.append(f"carries {data[:40]!r}, which means nothing")
        elif kind is PacketType.UPGRADE:
            item.notes.append("from here on the session uses the new transport")
        elif kind is PacketType.NOOP:
            item.notes.append("says nothing: it only ends a poll")
        elif kind is PacketType.CLOSE:
            item.notes.append("the session ends")

    def _explain_socket(self, item: Item, message: str | bytes, offset: int) -> None:
        begun = self._begun.get(item.direction)
        if begun is None:
            begun = _Begun(
                Decoder(self._json, max_attachments=MOST_ATTACHMENTS)
                if self._parser is None
                else self._parser.decoder(max_attachments=MOST_ATTACHMENTS)
            )
            self._begun[item.direction] = begun
        announced = begun.item
        begun.item = None
        if self._parser is None and isinstance(message, str):
            try:
                item.socket, _ = decode_header(message, self._json, MOST_ATTACHMENTS)
            except DecodeError as error:
                item.problem = _problem(item, error, message, offset)
        try:
            packet = begun.decoder.feed(message)
        except DecodeError as error:
            if item.problem is None:
                item.problem = _problem(item, error, message, offset)
            if error.rule == "SIO-BIN-15" and item.socket is not None:
                # What was begun is lost; this packet is explained all the same.
                packet = begun.decoder.feed(message)
            else:
                packet = None
                if isinstance(message, bytes) and _LOOKS_MSGPACK.match(message):
                    item.notes.append("it looks like MessagePack: try --parser msgpack")
        if packet is not None:
            item.socket = packet
        if isinstance(message, bytes) and announced is not None and item.problem is None:
            item.attachment_of = announced.line
        item.missing = begun.decoder.missing
        if item.missing:
            begun.item = item if isinstance(message, str) else announced
            if isinstance(message, str):
                begun.total = item.missing


def _split_v3(number: int, text: str, column: int) -> Iterator[Item]:
    """The elements of a text payload of revision 3, whose lengths count UTF-16 code units."""
    start = 0
    while start < len(text):
        match = _LENGTH.match(text, start)
        if match is None:
            problem = Problem("a packet without its length", "EIO-P3-05", column + start)
            yield Item(number, text[start:], column=column + start, revision=3, problem=problem)
            return
        begin, units = match.end(), int(match[1])
        end = begin
        while units > 0 and end < len(text):
            units -= 2 if ord(text[end]) > 0xFFFF else 1
            end += 1
        if units:
            problem = (
                Problem("a length beyond the end of the payload", "EIO-P3-05", column + start)
                if units > 0
                else Problem("a length that ends inside a character", "EIO-P3-02", column + start)
            )
            yield Item(number, text[begin:end], column=column + begin, revision=3, problem=problem)
            return
        if end > begin:
            yield Item(number, text[begin:end], column=column + begin, revision=3)
        start = end


def _problem(
    item: Item, error: RemoteProtocolError, message: str | bytes = "", offset: int = 0
) -> Problem:
    """Say where in the line an error is."""
    where = item.column + offset
    if isinstance(item.text, bytes):
        return Problem(error.message, error.rule)
    if isinstance(message, bytes):
        return Problem(error.message, error.rule, item.column)
    if error.rule == "EIO-PKT-06" or error.rule == "EIO-CLI-09":
        where += 1
    elif (shape := _SHAPE.match(message)) is not None:
        if error.rule in ("SIO-DEC-05", "SIO-BIN-10", "SIO-BIN-12"):
            where += 1
        elif error.rule == "SIO-DEC-12":
            where += shape.start("id")
        elif error.rule not in ("SIO-BIN-15", "SIO-DEC-01", "EIO-PKT-03"):
            where += shape.end()
            cause = error.__context__
            if isinstance(cause, JSONDecodeError):
                where += cause.pos
                return Problem(f"invalid JSON: {cause.msg}", error.rule, where)
    return Problem(error.message, error.rule, where)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# In words


def engine_words(item: Item) -> str:
    """What an Engine.IO packet is."""
    packet = item.engine
    assert packet is not None
    older = " of revision 3" if item.revision == 3 else ""
    if isinstance(packet.data, bytes):
        how = ", in base64" if isinstance(item.text, str) and item.text[:1] == "b" else ""
        return f"binary message{older}, {_count(len(packet.data), 'byte')}{how}"
    return f"{packet.type.name.lower()} ({int(packet.type)}){older}"


def handshake_words(item: Item) -> list[str]:
    """What an open packet announces; nothing if it is none."""
    packet = item.engine
    if packet is None or packet.type is not PacketType.OPEN or item.problem is not None:
        return []
    hello = parse_handshake(packet.data)
    limit = "not told" if hello.max_payload is None else f"{hello.max_payload:,} bytes"
    pinger = "server" if item.revision == 4 else "client"
    return [
        f"session {hello.sid}",
        f"may upgrade to {', '.join(hello.upgrades) or 'nothing'}",
        f"the {pinger} pings every {hello.ping_interval:g} s, "
        f"an answer may take {hello.ping_timeout:g} s",
        f"most bytes in a payload: {limit}",
    ]


def socket_words(item: Item) -> str:
    """What a Socket.IO packet is."""
    packet = item.socket
    assert packet is not None
    kind = packet.type.name
    if isinstance(item.text, str) and _carries_binary(item):
        kind = f"BINARY_{kind}"
    namespace, _, query = packet.namespace.partition("?")
    words = f"{kind} in {namespace}"
    if query:
        words += f", query {query}"
    if packet.id is not None:
        if packet.type is SocketType.EVENT:
            words += f", asks for acknowledgement {packet.id}"
        elif packet.type is SocketType.ACK:
            words += f", acknowledges {packet.id}"
        else:
            words += f", id {packet.id}, which means nothing here"
    elif packet.type is SocketType.ACK:
        words += ", but of what? there is no id"
    return words


def _carries_binary(item: Item) -> bool:
    text = item.text
    if not isinstance(text, str):
        return False
    return (text[1:] if item.engine is not None else text)[:1] in ("5", "6")
