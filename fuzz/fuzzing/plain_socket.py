"""Plain decoders of Socket.IO: a packet of text, the stream with attachments, MessagePack."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fuzzing.plain import DIGITS, Json, Refused

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = range(5)
RESERVED: Final = (
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
)
MAX_ID: Final = 9007199254740991


class Nothing:
    """There is no payload."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = Nothing()


@dataclass
class Packet:
    """A packet. Its type is never a binary one."""

    type: int
    namespace: str = "/"
    id: int | None = None
    data: Any = NOTHING


def header(text: str, max_attachments: int) -> tuple[Packet, int]:
    """The text of a packet, and how many attachments follow."""
    at = 1
    kind = text[:1]
    if not kind or kind not in "0123456":
        raise Refused("SIO-DEC-01")
    count = 0
    if kind in "56":
        digits = _digits(text, at)
        at += len(digits)
        if not digits or text[at : at + 1] != "-":
            raise Refused("SIO-DEC-05")
        at += 1
        significant = digits.lstrip("0")
        if not significant:
            raise Refused("SIO-BIN-12")
        if len(significant) > 6 or int(significant) > max_attachments:
            raise Refused("SIO-BIN-10", "max_attachments")
        count = int(significant)
    packet = Packet({"5": EVENT, "6": ACK}.get(kind) or int(kind))
    if text[at : at + 1] == "/":
        end = at
        while end < len(text) and text[end] != ",":
            end += 1
        packet.namespace = text[at:end]
        at = end + 1
    digits = _digits(text, at)
    at += len(digits)
    if digits:
        significant = digits.lstrip("0") or "0"
        if len(significant) > 16 or int(significant) > MAX_ID:
            raise Refused("SIO-DEC-12")
        packet.id = int(significant)
    if at < len(text):
        if text[at] in " \t\r\n":
            raise Refused("SIO-DEC-16")
        packet.data = Json(text[at:]).read()
    judge(packet)
    return packet, count


def _digits(text: str, at: int) -> str:
    end = at
    while end < len(text) and text[end] in DIGITS:
        end += 1
    return text[at:end]


def judge(packet: Packet) -> None:
    """Whether the payload fits the type."""
    data = packet.data
    if packet.type == CONNECT and data is not NOTHING and type(data) is not dict:
        raise Refused("SIO-VAL-01")
    if packet.type == DISCONNECT and data is not NOTHING:
        raise Refused("SIO-VAL-02")
    if packet.type == EVENT:
        if type(data) is not list or len(data) == 0:
            raise Refused("SIO-VAL-03")
        if type(data[0]) not in (str, int, float):
            raise Refused("SIO-VAL-11")
        if data[0] in RESERVED:
            raise Refused("SIO-VAL-06")
    if packet.type == ACK and type(data) is not list:
        raise Refused("SIO-VAL-07")
    if packet.type == CONNECT_ERROR and data is not NOTHING and type(data) not in (dict, str):
        raise Refused("SIO-VAL-08")


class Stream:
    """The messages of one connection."""

    def __init__(self, max_attachments: int) -> None:
        self._max_attachments = max_attachments
        self._begun: tuple[Packet, int] | None = None
        self._attachments: list[bytes] = []

    @property
    def missing(self) -> int:
        """How many attachments have yet to come."""
        return 0 if self._begun is None else self._begun[1] - len(self._attachments)

    def feed(self, message: str | bytes) -> Packet | None:
        """One message. None if attachments are missing."""
        if isinstance(message, str):
            if self._begun is not None:
                self._forget()
                raise Refused("SIO-BIN-15")
            packet, count = header(message, self._max_attachments)
            if count:
                self._begun = packet, count
                return None
            return packet
        if self._begun is None:
            raise Refused("SIO-BIN-16")
        self._attachments.append(message)
        if self.missing:
            return None
        (packet, _), attachments = self._begun, self._attachments
        self._forget()
        packet.data = fill_in(packet.data, attachments)
        return packet

    def _forget(self) -> None:
        self._begun = None
        self._attachments = []


def fill_in(value: Any, attachments: list[bytes]) -> Any:
    """Put attachments where their placeholders are, without recursion."""
    holder: list[Any] = [value]
    places: list[tuple[Any, Any]] = [(holder, 0)]
    while places:
        container, key = places.pop()
        item = container[key]
        if isinstance(item, list):
            container[key] = list(item)
            places += [(container[key], index) for index in reversed(range(len(item)))]
        elif isinstance(item, dict):
            if item.get("_placeholder", 0) is True:
                number = item.get("num")
                if type(number) is not int or number < 0 or number >= len(attachments):
                    raise Refused("SIO-BIN-13")
                container[key] = attachments[number]
            else:
                container[key] = dict(item)
                places += [(container[key], name) for name in reversed(list(item))]
    return holder[0]


# MessagePack

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MALFORMED: Final = "SIO-MSGP-02"


class TooDeep(Exception):
    """Too deep to be read here, which says nothing about others."""


class _Unpacker:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._depth = 0

    def whole(self) -> Any:
        value = self._value()
        if self._at != len(self._data):
            raise Refused(_MALFORMED)
        return value

    def _bytes(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise Refused(_MALFORMED)
        self._at += count
        return taken

    def _number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self._bytes(size), "big", signed=signed)

    def _value(self) -> Any:
        lead = self._number(1)
        if lead < 0x80:
            return lead
        if lead < 0x90:
            return self._map(lead - 0x80)
        if lead < 0xA0:
            return self._array(lead - 0x90)
        if lead < 0xC0:
            return self._text(lead - 0xA0)
        if lead >= 0xE0:
            return lead - 0x100
        if lead == 0xC1:
            raise Refused(_MALFORMED)
        if lead in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[lead]
        if 0xC4 <= lead <= 0xC6:
            return self._bytes(self._number(1 << (lead - 0xC4)))
        if 0xC7 <= lead <= 0xC9:
            return self._extension(lead, self._number(1 << (lead - 0xC7)))
        if lead == 0xCA:
            return struct.unpack(">f", self._bytes(4))[0]
        if lead == 0xCB:
            return struct.unpack(">d", self._bytes(8))[0]
        if 0xCC <= lead <= 0xCF:
            return self._number(1 << (lead - 0xCC))
        if 0xD0 <= lead <= 0xD3:
            return self._number(1 << (lead - 0xD0), signed=True)
        if 0xD4 <= lead <= 0xD8:
            return self._extension(lead, 1 << (lead - 0xD4))
        if 0xD9 <= lead <= 0xDB:
            return self._text(self._number(1 << (lead - 0xD9)))
        if lead <= 0xDD:
            return self._array(self._number(2 if lead == 0xDC else 4))
        return self._map(self._number(2 if lead == 0xDE else 4))

    def _text(self, size: int) -> str:
        try:
            return self._bytes(size).decode()
        except UnicodeDecodeError:
            raise Refused(_MALFORMED) from None

    def _enter(self, count: int) -> None:
        if count > len(self._data):
            raise Refused(_MALFORMED)
        self._depth += 1
        if self._depth > 100:
            raise TooDeep

    def _array(self, count: int) -> list[Any]:
        self._enter(count)
        items = [self._value() for _ in range(count)]
        self._depth -= 1
        return items

    def _map(self, count: int) -> dict[Any, Any]:
        self._enter(count)
        fields: dict[Any, Any] = {}
        for _ in range(count):
            key = self._value()
            if type(key) is not str:
                raise Refused("SIO-MSGP-04")
            fields[key] = self._value()
        self._depth -= 1
        return fields

    def _extension(self, lead: int, size: int) -> Any:
        code = self._number(1, signed=True)
        data = self._bytes(size)
        if code == -1:
            return _timestamp(data)
        if code != 0:
            raise Refused("SIO-MSGP-05")
        if lead == 0xD4:
            return None
        if lead == 0xD7:
            return _after(timedelta, milliseconds=int.from_bytes(data, "big", signed=True))
        return data


def _timestamp(data: bytes) -> datetime:
    if len(data) == 4:
        seconds, nanoseconds = int.from_bytes(data, "big"), 0
    elif len(data) == 8:
        both = int.from_bytes(data, "big")
        seconds, nanoseconds = both % 2**34, both >> 34
    elif len(data) == 12:
        nanoseconds = int.from_bytes(data[:4], "big")
        seconds = int.from_bytes(data[4:], "big", signed=True)
    else:
        raise Refused(_MALFORMED)
    if nanoseconds > 999_999_999:
        raise Refused(_MALFORMED)
    return _after(timedelta, seconds=seconds, microseconds=nanoseconds // 1000)


def _after(kind: type[timedelta], **time: int) -> datetime:
    try:
        return _EPOCH + kind(**time)
    except OverflowError:
        raise Refused(_MALFORMED) from None


def msgpack_packet(data: bytes) -> Packet:
    """A packet in MessagePack. May raise ``TooDeep``."""
    fields = _Unpacker(data).whole()
    if type(fields) is not dict:
        raise Refused("SIO-MSGP-03")
    kind = fields.get("type")
    if type(kind) is not int or not 0 <= kind <= 4:
        raise Refused("SIO-MSGP-03")
    payload = fields.get("data")
    namespace, id = fields.get("nsp"), fields.get("id")
    if type(namespace) is not str or not namespace.startswith("/") or "," in namespace:
        raise Refused("SIO-PKT-14")
    if id is not None and (type(id) is not int or not 0 <= id <= MAX_ID):
        raise Refused("SIO-DEC-12")
    packet = Packet(kind, namespace, id, NOTHING if payload is None else payload)
    judge(packet)
    return packet
