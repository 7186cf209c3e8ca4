"""How packets are written in the two revisions of Engine.IO, and in scripts.

A packet is a ``str`` with its type character in front (``"4hello"``), or ``bytes`` for a binary
message, whatever it looks like on the wire.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Sequence
from typing import Protocol
from urllib.parse import urlencode

from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.wire import Unexpected

Packet = str | bytes
Header = tuple[str, str]

RECORD_SEPARATOR = "\x1e"
TEXT: Header = ("Content-Type", "text/plain;charset=UTF-8")
BINARY: Header = ("Content-Type", "application/octet-stream")
FORM: Header = ("Content-Type", "application/x-www-form-urlencoded")

_MESSAGE = 4
_BYTE_LIMIT = 255
_SCRIPT = re.compile(r"___eio\[([0-9]+)\]\((.*)\);?", re.DOTALL)


class Framing(Protocol):
    """What a peer has to know to read and write packets."""

    @property
    def revision(self) -> str:
        """The value of the parameter ``EIO``."""

    @property
    def parameters(self) -> Sequence[tuple[str, str]]:
        """What every query holds besides."""

    @property
    def ping(self) -> str:
        """What the client says to stay, unasked or in answer."""

    @property
    def neutral(self) -> str:
        """What the client may say at any time, and nothing comes of it."""

    @property
    def heard(self) -> str:
        """What the server says about the heartbeat."""

    @property
    def label(self) -> Header:
        """The content type of a POST."""

    def encode(self, packets: Iterable[Packet]) -> bytes:
        """Return the body of a POST with these packets."""

    def decode(self, response: Response) -> list[Packet]:
        """Return the packets of the answer to a poll; raises ``Unexpected``."""

    def to_frame(self, data: bytes) -> bytes:
        """Return the binary WebSocket message that is this binary message."""

    def from_frame(self, frame: bytes) -> Packet:
        """Return the packet of a binary WebSocket message; raises ``Unexpected``."""


def encode_payload(packets: Iterable[Packet]) -> bytes:
    """Return the body of a POST request with these packets, in revision 4."""
    parts = [
        packet if isinstance(packet, str) else "b" + base64.b64encode(packet).decode()
        for packet in packets
    ]
    return RECORD_SEPARATOR.join(parts).encode("utf-8", "surrogatepass")


def decode_payload(body: bytes) -> list[Packet]:
    """Return the packets of a polling response of revision 4; raises ``Unexpected``."""
    packets: list[Packet] = []
    try:
        for part in body.decode("utf-8").split(RECORD_SEPARATOR):
            binary = part.startswith("b")
            packets.append(base64.b64decode(part[1:], validate=True) if binary else part)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise Unexpected("packets in a polling response", f"{error}: {body[:200]!r}") from error
    return packets


class Revision4:
    """Payloads separated by U+001E, binary in base64; frames as they are; the server pings."""

    revision = "4"
    parameters: Sequence[tuple[str, str]] = ()
    ping = "3"
    neutral = "3"
    heard = "2"
    label = TEXT

    def encode(self, packets: Iterable[Packet]) -> bytes:
        return encode_payload(packets)

    def decode(self, response: Response) -> list[Packet]:
        return decode_payload(response.body)

    def to_frame(self, data: bytes) -> bytes:
        return data

    def from_frame(self, frame: bytes) -> Packet:
        return frame


def utf16_units(text: str) -> int:
    """Return the length of a text as JavaScript counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def encode_text_payload_3(packets: Iterable[Packet]) -> bytes:
    """Return a payload of text in revision 3, with binary in base64."""
    body = ""
    for packet in packets:
        text = packet if isinstance(packet, str) else "b4" + base64.b64encode(packet).decode()
        body += f"{utf16_units(text)}:{text}"
    return body.encode("utf-8", "surrogatepass")


def encode_binary_payload_3(packets: Iterable[Packet]) -> bytes:
    """Return a payload of bytes in revision 3."""
    body = b""
    for packet in packets:
        text = isinstance(packet, str)
        data = packet.encode() if isinstance(packet, str) else bytes([_MESSAGE]) + packet
        body += bytes([0 if text else 1, *map(int, str(len(data))), _BYTE_LIMIT]) + data
    return body


def decode_text_payload_3(text: str) -> list[Packet]:
    """Return the packets of a payload of text in revision 3; raises ``Unexpected``."""
    expected = "packets with their lengths in UTF-16 code units"
    units = text.encode("utf-16-le", "surrogatepass")
    packets: list[Packet] = []
    while units:
        head = re.match(r"[0-9]+:", units.decode("utf-16-le", "replace"))
        if head is None:
            raise Unexpected(expected, repr(text[:200]))
        start = 2 * head.end()
        end = start + 2 * int(head[0][:-1])
        if end > len(units):
            raise Unexpected(expected, f"a length beyond the end: {text[:200]!r}")
        try:
            packet = units[start:end].decode("utf-16-le")
            packets.append(_from_text_3(packet))
        except (UnicodeDecodeError, binascii.Error) as error:
            raise Unexpected(expected, f"{error}: {text[:200]!r}") from error
        units = units[end:]
    return packets


def _from_text_3(packet: str) -> Packet:
    if packet.startswith("b4"):
        return base64.b64decode(packet[2:], validate=True)
    return packet


def decode_binary_payload_3(body: bytes) -> list[Packet]:
    """Return the packets of a payload of bytes in revision 3; raises ``Unexpected``."""
    expected = "packets in bytes, each behind its kind, its length and 255"
    packets: list[Packet] = []
    rest = body
    while rest:
        head = re.match(rb"([\x00\x01])([\x00-\x09]+)\xff", rest)
        if head is None:
            raise Unexpected(expected, repr(body[:200]))
        length = int("".join(map(str, head[2])))
        packet, left = rest[head.end() : head.end() + length], rest[head.end() + length :]
        if len(packet) < length:
            raise Unexpected(expected, f"a length beyond the end: {body[:200]!r}")
        try:
            packets.append(_frame_3(packet) if head[1] == b"\x01" else packet.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Unexpected(expected, f"{error}: {body[:200]!r}") from error
        rest = left
    return packets


def _frame_3(frame: bytes) -> Packet:
    if frame[:1] != bytes([_MESSAGE]):
        raise Unexpected("binary that begins with the byte 4", repr(frame[:200]))
    return frame[1:]


class Revision3:
    """Payloads with lengths, or in bytes; a type byte before binary; the client pings."""

    revision = "3"
    parameters: Sequence[tuple[str, str]] = ()
    ping = "2"
    neutral = "6"
    heard = "3"
    label = TEXT

    def encode(self, packets: Iterable[Packet]) -> bytes:
        return encode_text_payload_3(packets)

    def decode(self, response: Response) -> list[Packet]:
        kind = (response.header("content-type") or "").partition(";")[0].strip().lower()
        if kind == BINARY[1]:
            return decode_binary_payload_3(response.body)
        return decode_text_payload_3(response.text)

    def to_frame(self, data: bytes) -> bytes:
        return bytes([_MESSAGE]) + data

    def from_frame(self, frame: bytes) -> Packet:
        return _frame_3(frame)


class Scripts:
    """JSONP: an answer is a script that calls a function, a POST is a form.

    ``inner`` is how the payload in them is written, ``number`` which function is called, and
    ``parameter`` how the client asks for it.
    """

    label = FORM

    def __init__(self, inner: Framing, number: str, parameter: str | None = None) -> None:
        self._inner = inner
        self._number = number
        self.parameters: Sequence[tuple[str, str]] = (
            ("j", number if parameter is None else parameter),
        )
        self.revision = inner.revision
        self.ping = inner.ping
        self.neutral = inner.neutral
        self.heard = inner.heard

    def encode(self, packets: Iterable[Packet]) -> bytes:
        return form(self._inner.encode(packets).decode("utf-8", "surrogatepass"))

    def decode(self, response: Response) -> list[Packet]:
        expected = f"a script that calls ___eio[{self._number}]"
        script = _SCRIPT.fullmatch(response.text)
        if script is None or script[1] != self._number:
            raise Unexpected(expected, repr(response.text[:200]))
        try:
            # A control character that JSON forbids may stand in a script all the same.
            payload = json.loads(script[2], strict=False)
        except ValueError as error:
            raise Unexpected(expected, f"{error}: {response.text[:200]!r}") from error
        if not isinstance(payload, str):
            raise Unexpected("a payload that is a text", repr(response.text[:200]))
        body = payload.encode("utf-8", "surrogatepass")
        return self._inner.decode(Response(response.status, (), body))

    def to_frame(self, data: bytes) -> bytes:
        return self._inner.to_frame(data)

    def from_frame(self, frame: bytes) -> Packet:
        return self._inner.from_frame(frame)


def form(payload: str) -> bytes:
    r"""Return the form that carries a payload, in which ``\n`` of two characters is doubled."""
    return urlencode({"d": payload.replace("\\n", "\\\\n").replace("\n", "\\n")}).encode()


REVISION_4: Framing = Revision4()
REVISION_3: Framing = Revision3()
