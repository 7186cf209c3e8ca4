"""The packets of Socket.IO revision 5, in the text encoding with attachments."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

from sioproto._errors import DecodeError, LimitError, LocalProtocolError
from sioproto._json import JsonCodec, Scanner


class PacketType(enum.IntEnum):
    """Types of packet (SIO-PKT-01)."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


_EVENT = PacketType.EVENT  # looked up in the class each time, it would be a tenth of all there is


RESERVED_EVENTS = (
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
)
"""Names that no event may have, in either direction (SIO-EVT-05, SIO-VAL-06)."""

_RESERVED = frozenset(RESERVED_EVENTS)

MAX_ID = 2**53 - 1
"""Largest acknowledgement id: beyond it the reference loses digits (SIO-DEC-12)."""


class Missing(enum.Enum):
    """The payload of a packet that has none, which is not the same as ``null``."""

    MISSING = enum.auto()


MISSING = Missing.MISSING

BINARY = (bytes, bytearray, memoryview)
"""What travels as an attachment."""


@dataclass(slots=True)
class Packet:
    """One packet.

    ``type`` is never a binary one here: that is decided by what the payload holds.
    """

    type: PacketType
    namespace: str = "/"
    data: Any = MISSING
    id: int | None = None


def encode_packet(packet: Packet, json: JsonCodec) -> tuple[str, list[bytes]]:
    """Encode a packet into its text and its attachments, which follow in this order.

    Only events and acknowledgements may hold binary (SIO-PKT-11). Byte strings, byte arrays and
    memory views are taken out where the encoder meets them, so nothing is searched twice and the
    caller's value stays as it is.

    Raises:
        LocalProtocolError: the payload cannot be expressed, or holds binary where none may be.
    """
    kind, namespace, data, id = packet.type, packet.namespace, packet.data, packet.id
    attachments: list[bytes] = []

    def take_out(value: Any) -> Any:
        if type(value) is not bytes:
            if not isinstance(value, BINARY):
                raise TypeError(f"{type(value).__name__} has no JSON form")
            value = bytes(value)
        number = len(attachments)
        attachments.append(value)
        return {"_placeholder": True, "num": number}

    payload = "" if data is MISSING else json.dumps(data, take_out)
    if not attachments:
        head = "01234"[kind]
    elif kind is _EVENT:
        head = f"5{len(attachments)}-"
    elif kind is PacketType.ACK:
        head = f"6{len(attachments)}-"
    else:
        raise LocalProtocolError(f"a {kind.name} packet cannot carry binary")
    if namespace != "/":
        head += namespace + ","
    if id is not None:
        head += str(id)
    return head + payload, attachments


_HEADER = re.compile(
    r"""
    (?: [0-4] | [56](?P<count>[0-9]+)- )
    (?: (?P<namespace> /[^,]* ) (?: , | \Z ) )?  # the comma may be missing if nothing follows
    (?P<id> [0-9]* )
    """,
    re.VERBOSE,
)


def decode_header(text: str, json: JsonCodec, max_attachments: int) -> tuple[Packet, int]:
    """Decode the text of a packet, and say how many attachments follow it.

    Placeholders are still in place. ``decode_usual`` is the short way for most packets.

    Raises:
        DecodeError: the text is no packet.
        LimitError: more than ``max_attachments``.
    """
    match = _HEADER.match(text)
    if match is None:
        if text[:1] in ("5", "6"):
            raise DecodeError("illegal attachments", rule="SIO-DEC-05")
        raise DecodeError(f"unknown packet type {text[:1]!r}", rule="SIO-DEC-01")
    digits, namespace, number = match.groups()
    count = 0 if digits is None else _count(digits, max_attachments)
    data: Any = MISSING
    end = match.end()
    id = _id(number) if number else None
    if end < len(text):
        if text[end] in " \t\r\n":  # legal in JSON, but nothing may stand between id and payload
            raise DecodeError("a blank before the payload", rule="SIO-DEC-16")
        data = json.loads(text[end:])
    packet = Packet(_MEANING[text[0]], namespace or "/", data, id)
    _check_payload(packet)
    return packet, count


def decode_usual(text: str, scan: Scanner, max_attachments: int) -> tuple[Packet, int] | None:
    """Decode what most packets are: an event or an acknowledgement in the main namespace with
    at most nine attachments. None if it is any other, or something is wrong with its text:
    ``decode_header`` decodes everything, and says what is wrong.

    The full way takes twice as long as the JSON in it, this a third.

    Raises:
        DecodeError: the payload is not that of such a packet.
    """
    kind, count, start, id = _EVENT, 0, 1, None
    if text[:2] != "2[":
        start = text.find("[", 1, 17)
        if start < 0:
            return None
        head = text[0] if text[0] < "5" else text[:3]
        usual = _USUAL.get(head)
        if usual is None:
            return None
        kind, count = usual
        if count > max_attachments:
            return None
        digits = text[len(head) : start]
        if digits:
            if not (digits.isascii() and digits.isdigit()):
                return None
            id = int(digits)
    try:
        data, end = scan(text, start)
    except (StopIteration, ValueError, RecursionError):
        return None
    if end != len(text):
        return None
    packet = Packet(kind, "/", data, id)
    _check_payload(packet)
    return packet, count


_USUAL = {
    "2": (PacketType.EVENT, 0),
    "3": (PacketType.ACK, 0),
    **{f"5{count}-": (PacketType.EVENT, count) for count in range(1, 10)},
    **{f"6{count}-": (PacketType.ACK, count) for count in range(1, 10)},
}

_MEANING = {
    **{str(int(kind)): kind for kind in PacketType},
    "5": PacketType.EVENT,
    "6": PacketType.ACK,
}


def _count(digits: str, max_attachments: int) -> int:
    digits = digits.lstrip("0")
    if not digits:
        raise DecodeError("a binary packet without attachments", rule="SIO-BIN-12")
    # Compared by length first: int() is quadratic in the number of digits.
    if len(digits) > 9 or int(digits) > max_attachments:
        raise LimitError("too many attachments", rule="SIO-BIN-10", limit="max_attachments")
    return int(digits)


def _id(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    if len(digits) > 16 or int(digits) > MAX_ID:
        raise DecodeError("acknowledgement id out of range", rule="SIO-DEC-12")
    return int(digits)


def check_packet(packet: Packet) -> None:
    """Check what came from elsewhere, for parsers whose syntax leaves room for nonsense.

    Raises:
        DecodeError: the type is none or a binary one, the namespace does not begin with a slash or
            holds a comma, the id is no whole number from 0 to 2^53 - 1, the payload does not fit
            the type, or the name of the event is reserved.
    """
    if not isinstance(packet.type, PacketType) or packet.type > PacketType.CONNECT_ERROR:
        raise DecodeError(f"{packet.type!r} is no type of a decoded packet", rule="SIO-PKT-01")
    namespace = packet.namespace
    if not isinstance(namespace, str) or namespace[:1] != "/" or "," in namespace:
        raise DecodeError("a namespace is text behind a slash", rule="SIO-PKT-14")
    if packet.id is not None and (type(packet.id) is not int or not 0 <= packet.id <= MAX_ID):
        raise DecodeError("acknowledgement id out of range", rule="SIO-DEC-12")
    _check_payload(packet)


def _check_payload(packet: Packet) -> None:
    """Check that the payload fits the type (SIO-VAL-01 and following)."""
    kind, data = packet.type, packet.data
    if kind is _EVENT:
        if not isinstance(data, list) or not data:
            raise DecodeError("an event needs a non-empty array", rule="SIO-VAL-03")
        name = data[0]
        if isinstance(name, str):
            if name in _RESERVED:
                raise DecodeError(f"event name {name!r} is reserved", rule="SIO-VAL-06")
        elif isinstance(name, bool) or not isinstance(name, int | float):
            raise DecodeError("an event name is text or a number", rule="SIO-VAL-11")
    elif kind is PacketType.ACK:
        if not isinstance(data, list):
            raise DecodeError("an acknowledgement needs an array", rule="SIO-VAL-07")
    elif kind is PacketType.CONNECT:
        if data is not MISSING and not isinstance(data, dict):
            raise DecodeError("a CONNECT payload is an object", rule="SIO-VAL-01")
    elif kind is PacketType.DISCONNECT:
        if data is not MISSING:
            raise DecodeError("DISCONNECT has no payload", rule="SIO-VAL-02")
    elif data is not MISSING and not isinstance(data, dict | str):
        raise DecodeError("a CONNECT_ERROR payload is an object", rule="SIO-VAL-08")
