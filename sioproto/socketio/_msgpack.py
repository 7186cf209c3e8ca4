"""Packets in MessagePack, as the official parser of that name has them: one binary message each.

The codec itself is the library ``msgpack``, which is imported when a parser is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sioproto._errors import DecodeError, LocalProtocolError
from sioproto.socketio._packet import MISSING, Packet, PacketType, check_packet

OLDEST = (1, 2, 4)
"""Older releases of the library lose memory, or a lot of time, over malformed input."""


MANY = 2_000
"""So many items of an array are not worth a look before they are made room for.

The library does that when it reads how many there will be. Arrays inside one another that all
announce as many items as the message has bytes would take thousands of times its size.
"""


class MsgpackParser:
    """Packets in MessagePack, for clients that use ``socket.io-msgpack-parser``.

    What an application sends and receives may hold what JSON can express, and besides, anywhere,
    ``bytes``, NaN and infinities, integers of 64 bits, and aware ``datetime`` values to the
    millisecond (SIO-MSGP-06).

    Raises:
        ImportError: the library ``msgpack`` is missing or too old.
    """

    def __init__(self) -> None:
        try:
            import msgpack
        except ModuleNotFoundError as error:
            raise ImportError("MsgpackParser needs: pip install 'sioproto[msgpack]'") from error
        if msgpack.version < OLDEST:
            found, oldest = (".".join(map(str, version)) for version in (msgpack.version, OLDEST))
            raise ImportError(f"MsgpackParser needs msgpack {oldest} or newer, not {found}")
        ext_type = msgpack.ExtType

        def express(value: Any) -> Any:
            return ext_type(_OWN, _encode_date(value))

        self._express = express
        self._packb: Callable[..., bytes] = msgpack.packb
        self._unpackb: Callable[..., Any] = msgpack.unpackb

    def encode(self, packet: Packet) -> list[str | bytes]:
        """Encode a packet into one binary message (SIO-MSGP-01).

        Raises:
            LocalProtocolError: the payload cannot be expressed: a key that is no text, an integer
                beyond 64 bits, a lone surrogate, a time without zone, a cycle, too deep.
        """
        fields: dict[str, Any] = {"type": int(packet.type)}
        try:
            if packet.data is not MISSING:
                _check_keys(packet.data)
                fields["data"] = packet.data
            if packet.id is not None:
                fields["id"] = packet.id
            fields["nsp"] = packet.namespace
            return [self._packb(fields, default=self._express)]
        except (TypeError, ValueError, OverflowError, BufferError, RecursionError) as error:
            raise LocalProtocolError(f"not expressible in MessagePack: {error}") from error

    def decoder(self, *, max_attachments: int) -> MsgpackDecoder:
        """Make a decoder for a new connection. There are no attachments to limit."""
        return MsgpackDecoder(self._unpackb)


class MsgpackDecoder:
    """Decodes the messages of one connection, each of which is a whole packet."""

    missing = 0

    def __init__(self, unpackb: Callable[..., Any]) -> None:
        self._unpackb = unpackb

    def feed(self, message: str | bytes) -> Packet:
        """Decode a message.

        Raises:
            DecodeError: it is no packet.
        """
        if isinstance(message, str):
            raise DecodeError("text, where packets are binary", rule="SIO-MSGP-01")
        try:
            fields = self._unpack(message)
        except (ValueError, OverflowError, RecursionError) as error:
            what = str(error) or type(error).__name__
            raise DecodeError(f"invalid MessagePack: {what}", rule="SIO-MSGP-02") from None
        if type(fields) is not dict:
            raise DecodeError("a packet is a map", rule="SIO-MSGP-03")
        kind = fields.get("type")
        if type(kind) is not int or not 0 <= kind <= PacketType.CONNECT_ERROR:
            raise DecodeError("unknown packet type", rule="SIO-MSGP-03")
        # An undefined value is as good as none (SIO-MSGP-05), and so is nil in its place.
        data = fields.get("data")
        packet = Packet(
            PacketType(kind),
            fields.get("nsp"),  # type: ignore[arg-type] # checked below, as is the id
            MISSING if data is None else data,
            fields.get("id"),
        )
        check_packet(packet)
        return packet

    def reset(self) -> None:
        """Forget a packet begun: there is never one."""

    def _unpack(self, message: bytes) -> Any:
        if len(message) > MANY:
            try:
                return self._unpack_limited(message, MANY)
            except ValueError:  # malformed, or there is a longer array
                _check_counts(message)
        return self._unpack_limited(message, len(message))

    def _unpack_limited(self, message: bytes, max_array_len: int) -> Any:
        # The library derives its other limits from the size of the message.
        return self._unpackb(
            message,
            object_hook=_check_map,
            ext_hook=_Extensions(message).decode,
            max_array_len=max_array_len,
            timestamp=3,
        )


def _check_keys(value: Any) -> None:
    """Refuse maps whose keys are no text: the library would write them, but no JavaScript peer
    could keep them apart."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{key!r} is a key, but no text")
            _check_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_keys(item)


def _check_map(value: dict[Any, Any]) -> dict[Any, Any]:
    for key in value:
        if type(key) is not str:
            raise DecodeError("a key is text", rule="SIO-MSGP-04")
    return value


def _check_counts(message: bytes) -> None:
    """Check that what is left of a message can hold the values that it announces.

    Raises:
        DecodeError: it cannot.
    """
    position, end, missing = 0, len(message), 1
    while position < end and missing:
        lead = message[position]
        position += 1
        missing -= 1
        if 0x80 <= lead <= 0x9F:
            missing += (lead & 15) << (lead < 0x90)  # a map has twice as many
        elif 0xDC <= lead <= 0xDF:
            width = 2 << (lead & 1)
            count = int.from_bytes(message[position : position + width], "big")
            missing += count << (lead >= 0xDE)
        position += _following(message, lead, position)
        if missing > end - position:
            raise DecodeError("more values announced than there are", rule="SIO-MSGP-02")


# Extensions. The official parser's library has a code of its own for three things, and tells them
# apart by how the length is written.

_OWN = 0
_FIXEXT1, _FIXEXT8 = 0xD4, 0xD7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def _encode_date(value: Any) -> bytes:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} has no MessagePack form")
    if value.tzinfo is None:
        raise TypeError("a time without zone is none that a client could tell")
    return ((value - _EPOCH) // _MILLISECOND).to_bytes(8, "big", signed=True)


class _Extensions:
    """Decodes the extensions of one message."""

    __slots__ = ("_leads", "_message")

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._leads: Iterator[int] | None = None

    def decode(self, code: int, data: bytes) -> Any:
        """Decode an extension. They are met in the order of the message."""
        if code != _OWN:
            raise DecodeError(f"unknown extension {code}", rule="SIO-MSGP-05")
        if len(data) not in (1, 8):
            return data
        # The library does not tell how the length is written, and it rarely matters.
        if self._leads is None:
            self._leads = _ambiguous_leads(self._message)
        lead = next(self._leads)
        if lead == _FIXEXT1:
            return None
        if lead == _FIXEXT8:
            return _EPOCH + timedelta(milliseconds=int.from_bytes(data, "big", signed=True))
        return data


# So many bytes follow a lead byte and are no value of their own.
_FOLLOWING = {
    **{0xA0 + length: length for length in range(32)},  # short text
    0xCA: 4,
    0xCB: 8,  # floats
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,  # integers
    0xD4: 2,
    0xD5: 3,
    0xD6: 5,
    0xD7: 9,
    0xD8: 17,  # extensions of fixed length
    0xDC: 2,
    0xDD: 4,
    0xDE: 2,
    0xDF: 4,  # heads of arrays and maps
}
# So many bytes after the lead byte say how many follow, not counting the code of an extension.
_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4}


def _ambiguous_leads(message: bytes) -> Iterator[int]:
    """Yield the lead bytes of the own extensions with 1 or 8 bytes, in order."""
    position = 0
    while position < len(message):
        lead = message[position]
        position += 1
        following = _following(message, lead, position)
        code = position + _SIZED.get(lead, 0)
        if 0xC7 <= lead <= 0xC9 or 0xD4 <= lead <= 0xD8:
            length = position + following - code - 1
            if length in (1, 8) and message[code] == _OWN:
                yield lead
        position += following


def _following(message: bytes, lead: int, position: int) -> int:
    """How many bytes follow a lead byte that are no value of their own."""
    width = _SIZED.get(lead)
    if width is None:
        return _FOLLOWING.get(lead, 0)
    length = int.from_bytes(message[position : position + width], "big")
    return width + length + (0xC7 <= lead <= 0xC9)
