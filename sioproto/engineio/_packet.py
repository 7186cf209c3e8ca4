"""The packets of Engine.IO, as they travel in WebSocket messages and in payloads."""

from __future__ import annotations

import binascii
import enum
from dataclasses import dataclass

from sioproto._errors import DecodeError, LocalProtocolError


class PacketType(enum.IntEnum):
    """Types of packet (EIO-PKT-01)."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6


_TYPE_OF = {str(int(kind)): kind for kind in PacketType}
_TYPE_OF_BYTE = {bytes((kind,)): kind for kind in PacketType}


@dataclass(slots=True)
class Packet:
    """One packet. In revision 4, only messages may carry bytes (EIO-PKT-04)."""

    type: PacketType
    data: str | bytes = ""


def encode_packet(packet: Packet) -> str | bytes:
    """Encode a packet of revision 4 for a WebSocket message.

    Raises:
        LocalProtocolError: binary data in a packet that is no message.
    """
    if isinstance(packet.data, bytes):
        if packet.type is not PacketType.MESSAGE:
            raise LocalProtocolError(f"a {packet.type.name.lower()} packet cannot carry binary")
        return packet.data
    return f"{int(packet.type)}{packet.data}"


def decode_packet(frame: str | bytes) -> Packet:
    """Decode a packet of revision 4.

    Text may also hold the base64 form of a binary message, whatever the transport (EIO-PKT-08).

    Raises:
        DecodeError: an empty packet, an unknown type, or broken base64.
    """
    if isinstance(frame, bytes):
        return Packet(PacketType.MESSAGE, frame)
    kind = _TYPE_OF.get(frame[:1])
    if kind is not None:
        return Packet(kind, frame[1:])
    if frame[:1] == "b":
        return Packet(PacketType.MESSAGE, _decode_base64(frame[1:]))
    return _decode_text(frame)


def decode_packet_v3(frame: str | bytes) -> Packet | None:
    """Decode a packet of revision 3, whose type travels with binary too: as the first byte
    (EIO-PKT-05), or as a digit in front of the base64 (EIO-PKT-07).

    None if binary comes with no type or an unknown one, which is ignored.

    Raises:
        DecodeError: an empty text, an unknown type of text, or broken base64.
    """
    if isinstance(frame, bytes):
        kind = _TYPE_OF_BYTE.get(frame[:1])
        return None if kind is None else Packet(kind, frame[1:])
    if frame[:1] == "b":
        kind = _TYPE_OF.get(frame[1:2])
        return None if kind is None else Packet(kind, _decode_base64(frame[2:]))
    return _decode_text(frame)


def _decode_text(text: str) -> Packet:
    if not text:
        raise DecodeError("empty packet", rule="EIO-PKT-03")
    kind = _TYPE_OF.get(text[0])
    if kind is None:
        raise DecodeError(f"unknown packet type {text[0]!r}", rule="EIO-PKT-03")
    return Packet(kind, text[1:])


_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def _decode_base64(text: str) -> bytes:
    """Decode either alphabet, with or without padding (EIO-PKT-09). Nothing may be added."""
    padded = text.translate(_STANDARD_ALPHABET) + "=" * (-len(text) % 4)
    padding = len(padded) - len(padded.rstrip("="))
    if padding > 2:  # before Python 3.13, the library is not as strict as it says
        raise DecodeError("binary data is not base64", rule="EIO-PKT-06")
    try:
        return binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:  # binascii.Error, or characters beyond ASCII
        raise DecodeError("binary data is not base64", rule="EIO-PKT-06") from None
