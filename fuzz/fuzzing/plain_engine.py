"""Plain decoders of Engine.IO: packets, payloads, WebTransport frames, queries."""

from __future__ import annotations

import base64
from typing import Any, Final

from fuzzing.plain import DIGITS, Refused

Packet = tuple[int, str | bytes]
"""Type and content."""

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def packet_v4(frame: str | bytes) -> Packet:
    """A packet of revision 4."""
    if isinstance(frame, bytes):
        return 4, frame
    if frame.startswith("b"):
        return 4, _base64(frame[1:])
    return _text(frame)


def packet_v3(frame: str | bytes) -> Packet | None:
    """A packet of revision 3; None if it is ignored."""
    if isinstance(frame, bytes):
        return (frame[0], frame[1:]) if frame and frame[0] <= 6 else None
    if frame.startswith("b"):
        if len(frame) == 1 or frame[1] not in "0123456":
            return None
        return int(frame[1]), _base64(frame[2:])
    return _text(frame)


def _text(frame: str) -> Packet:
    if not frame or frame[0] not in "0123456":
        raise Refused("EIO-PKT-03")
    return int(frame[0]), frame[1:]


def _base64(text: str) -> bytes:
    content = text.rstrip("=")
    padding = len(text) - len(content)
    standard = ""
    for character in content:
        if character == "-":
            standard += "+"
        elif character == "_":
            standard += "/"
        elif character in _ALPHABET or character in "+/":
            standard += character
        else:
            raise Refused("EIO-PKT-06")
    rest = len(standard) % 4
    most = {0: 0, 1: -1, 2: 2, 3: 1}[rest]
    if padding > most:
        raise Refused("EIO-PKT-06")
    return base64.b64decode(standard + "=" * (-rest % 4))


Payload = tuple[list[Packet], str | None]
"""The packets, and the rule that what follows them breaks, if it does."""


def payload_v4(body: bytes) -> Payload:
    """A polling payload of revision 4."""
    packets: list[Packet] = []
    try:
        for text in body.decode(errors="replace").split("\x1e"):
            packets.append(packet_v4(text))  # noqa: PERF401 # those before a refusal count
    except Refused as refused:
        return packets, refused.rule
    return packets, None


def payload_v3(body: bytes) -> Payload:
    """A polling payload of revision 3, as text: lengths count UTF-16 code units."""
    packets: list[Packet] = []
    encoded = body.decode(errors="replace").encode("utf-16-be")
    units = [encoded[at : at + 2] for at in range(0, len(encoded), 2)]
    at = 0
    try:
        if not units:
            raise Refused("EIO-P3-05")
        while at < len(units):
            digits = ""
            while at < len(units) and (unit := units[at].decode("utf-16-be", "replace")) in DIGITS:
                digits += unit
                at += 1
            if not 1 <= len(digits) <= 10 or at == len(units) or units[at] != b"\0:":
                raise Refused("EIO-P3-05")
            at += 1
            end = at + int(digits)
            if end > len(units):
                raise Refused("EIO-P3-05")
            content, at = b"".join(units[at:end]), end
            try:
                frame = content.decode("utf-16-be")
            except UnicodeDecodeError:
                raise Refused("EIO-P3-02") from None
            if frame and (packet := packet_v3(frame)) is not None:
                packets.append(packet)
    except Refused as refused:
        return packets, refused.rule
    return packets, None


def binary_payload_v3(body: bytes) -> Payload:
    """A polling payload of revision 3, as bytes: lengths count bytes."""
    packets: list[Packet] = []
    at = 0
    try:
        while at < len(body):
            kind = body[at]
            at += 1
            length, digits = 0, 0
            while at < len(body) and body[at] <= 9:
                length = 10 * length + body[at]
                digits += 1
                at += 1
            if kind > 1 or not 1 <= digits <= 10 or at == len(body) or body[at] != 255:
                raise Refused("EIO-P3-12")
            at += 1
            if at + length > len(body):
                raise Refused("EIO-P3-12")
            content = body[at : at + length]
            at += length
            packet = packet_v3(content if kind else _utf8(content))
            if packet is not None:
                packets.append(packet)
    except Refused as refused:
        return packets, refused.rule
    return packets, None


def _utf8(content: bytes) -> str:
    """UTF-8, where an encoded surrogate is one U+FFFD and everything else is strict."""
    text, at = "", 0
    while at < len(content):
        first = content[at]
        size = 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
        character = content[at : at + size]
        at += size
        if size == 3 and len(character) == 3 and first == 0xED and 0xA0 <= character[1] <= 0xBF:
            if not 0x80 <= character[2] <= 0xBF:
                raise Refused("EIO-P3-13")
            text += "\ufffd"
            continue
        try:
            text += character.decode()
        except UnicodeDecodeError:
            raise Refused("EIO-P3-13") from None
    return text


Frames = tuple[list[str | bytes], Refused | None, int]
"""The frames, what comes behind them if that is refused, and how many bytes wait for more."""


def frames(data: bytes, max_payload: int) -> Frames:
    """What a WebTransport stream holds."""
    found: list[str | bytes] = []
    at = 0
    while at < len(data):
        begin = at
        length = data[at] % 128
        extra = {126: 2, 127: 8}.get(length, 0)
        at += 1
        if extra:
            if len(data) - at < extra:
                return found, None, len(data) - begin
            length = 0
            for byte in data[at : at + extra]:
                length = length * 256 + byte
            at += extra
        if length == 0 or length >= 2**53:
            return found, Refused("EIO-WT-03"), 0
        if length > max_payload:
            return found, Refused("EIO-WT-03", "max_payload"), 0
        if len(data) - at < length:
            return found, None, len(data) - begin
        content = data[at : at + length]
        at += length
        found.append(content if data[begin] >= 128 else content.decode(errors="replace"))
    return found, None, 0


def query(target: str) -> dict[str, str]:
    """The fields of a query, the last of equal names."""
    fields: dict[str, str] = {}
    if "?" not in target:
        return fields
    text = target[target.index("?") + 1 :]
    if text.count("&") >= 100:
        raise Refused("EIO-QP-03")
    for field in text.split("&"):
        if field:
            name, _, value = field.partition("=")
            fields[_unquote(name)] = _unquote(value)
    return fields


def _unquote(text: str) -> str:
    out: list[str] = []
    escaped = bytearray()
    at = 0
    while at <= len(text):
        digits = text[at + 1 : at + 3]
        if text[at : at + 1] == "%" and len(digits) == 2 and all(d in _HEX for d in digits):
            escaped.append(int(digits, 16))
            at += 3
            continue
        if escaped:
            out.append(escaped.decode(errors="replace"))
            escaped.clear()
        out.append(text[at : at + 1].replace("+", " "))
        at += 1
    return "".join(out)


_HEX: Final = "0123456789abcdefABCDEF"


def handshake(value: Any) -> dict[str, Any]:
    """What a client takes out of the JSON of an open packet."""
    if not isinstance(value, dict):
        raise Refused("EIO-CLI-09")
    sid, upgrades, limit = value.get("sid"), value.get("upgrades"), value.get("maxPayload")
    if not isinstance(sid, str) or not 1 <= len(sid) <= 1000 or not sid.isprintable():
        raise Refused("EIO-CLI-09")
    if not isinstance(upgrades, list):
        raise Refused("EIO-CLI-09")
    times = []
    for name in ("pingInterval", "pingTimeout"):
        time = value.get(name)
        if (
            isinstance(time, bool)
            or not isinstance(time, int | float)
            or not 0 < time <= 24 * 60 * 60 * 1000
        ):
            raise Refused("EIO-CLI-09")
        times.append(time / 1000)
    return {
        "sid": sid,
        "upgrades": [name for name in upgrades if type(name) is str],
        "times": times,
        "max_payload": limit if type(limit) is int and limit > 0 else None,
    }
