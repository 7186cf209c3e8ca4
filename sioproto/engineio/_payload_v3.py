"""Polling payloads of revision 3: packets behind their lengths, in a text form and a binary form.

The text form counts UTF-16 code units, as JavaScript does (EIO-P3-02); the binary form counts bytes
(EIO-P3-09). Nothing else in this package knows of either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sioproto._errors import DecodeError
from sioproto.engineio._message import Message
from sioproto.engineio._packet import Packet, decode_packet_v3

_TEXT, _BINARY = 0, 1

# A length of more than ten digits is refused before it becomes a number.
_HEADER = re.compile(r"([0-9]{1,10}):")
_BINARY_HEADER = re.compile(rb"([\x00\x01])([\x00-\x09]{1,10})\xff")
_ASCII_OF_DIGIT = bytes(range(0x30, 0x3A)) + bytes(246)
_DIGIT_OF_ASCII = bytes(0x30) + bytes(range(10)) + bytes(198)
_BEYOND_BASIC_PLANE = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode_payload_v3(messages: Iterable[Message]) -> bytes:
    """Encode packets into a body of text, binary as base64 (EIO-P3-01, EIO-P3-03).

    The body that holds no packets is not empty, because an empty one is an error (EIO-P3-04).
    """
    texts = [message.text_v3 for message in messages] or [""]
    return "".join([f"{_utf16_length(text)}:{text}" for text in texts]).encode()


def _utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def encode_binary_payload_v3(messages: Iterable[Message]) -> bytes:
    """Encode packets into a body of bytes (EIO-P3-07)."""
    parts: list[bytes] = []
    for message in messages:
        frame = message.frame_v3.payload
        kind, data = (_TEXT, frame.encode()) if isinstance(frame, str) else (_BINARY, frame)
        digits = b"%d" % len(data)
        parts += (bytes((kind,)), digits.translate(_DIGIT_OF_ASCII), b"\xff", data)
    return b"".join(parts)


def decode_payload_v3(body: bytes) -> Iterator[Packet]:
    """Decode a body of text, packet by packet, so that what comes before a bad packet is not lost.

    Bytes that are not UTF-8 become U+FFFD (EIO-PKT-11). Elements of length 0 are skipped, and so
    are packets that revision 3 ignores.

    Raises:
        DecodeError: while iterating, at the first element that cannot be decoded. An empty body is
            one (EIO-P3-05).
    """
    text = body.decode(errors="replace")
    units = _BEYOND_BASIC_PLANE.sub(_split, text)  # one character for each code unit
    split = len(units) != len(text)
    position = 0
    while position < len(units) or not units:
        header = _HEADER.match(units, position)
        if header is None:
            raise DecodeError("a packet without its length", rule="EIO-P3-05")
        start = header.end()
        position = start + int(header[1])
        if position > len(units):
            raise DecodeError("a length beyond the end of the payload", rule="EIO-P3-05")
        if position == start:
            continue
        frame = units[start:position]
        if split:
            frame = _join(frame)
        if (packet := decode_packet_v3(frame)) is not None:
            yield packet


def _split(character: re.Match[str]) -> str:
    code = ord(character[0]) - 0x10000
    return chr(0xD800 + (code >> 10)) + chr(0xDC00 + (code & 0x3FF))


def _join(units: str) -> str:
    if units.isascii():
        return units
    try:
        return units.encode("utf-16-le", errors="surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise DecodeError("a length that ends inside a character", rule="EIO-P3-02") from None


def decode_binary_payload_v3(body: bytes) -> Iterator[Packet]:
    """Decode a body of bytes, packet by packet.

    An empty body holds no packets.

    Raises:
        DecodeError: while iterating, at the first element that cannot be decoded (EIO-P3-12).
    """
    position = 0
    while position < len(body):
        header = _BINARY_HEADER.match(body, position)
        if header is None:
            raise DecodeError("a packet without its length", rule="EIO-P3-12")
        start = header.end()
        position = start + int(header[2].translate(_ASCII_OF_DIGIT))
        if position > len(body):
            raise DecodeError("a length beyond the end of the payload", rule="EIO-P3-12")
        data = body[start:position]
        frame = data if header[1][0] == _BINARY else _decode_text(data)
        if (packet := decode_packet_v3(frame)) is not None:
            yield packet


def _decode_text(data: bytes) -> str:
    """Decode UTF-8, strictly but for surrogates, which become U+FFFD (EIO-P3-13)."""
    try:
        return _SURROGATE.sub("\ufffd", data.decode(errors="surrogatepass"))
    except UnicodeDecodeError:
        raise DecodeError("text in a binary payload is not UTF-8", rule="EIO-P3-13") from None
