"""The packets of Engine.IO revision 4, as they travel in WebSocket messages and in payloads."""

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


@dataclass(slots=True)
class Packet:
    """One packet. Only messages may carry bytes (EIO-PKT-04)."""

    type: PacketType
    data: str | bytes = ""


def encode_packet(packet: Packet) -> str | bytes:
    """Encode a packet for a WebSocket message.

    Raises:
        LocalProtocolError: binary data in a packet that is no message.
    """
    if isinstance(packet.data, bytes):
        if packet.type is not PacketType.MESSAGE:
            raise LocalProtocolError(f"a {packet.type.name.lower()} packet cannot carry binary")
        return packet.data
    return f"{int(packet.type)}{packet.data}"


def decode_packet(frame: str | bytes) -> Packet:
    """Decode a packet.

    Text may also hold the base64 form of a binary message, whatever the transport (EIO-PKT-08).

    Raises:
        DecodeError: an empty packet, an unknown type, or broken base64.
    """
    if isinstance(frame, bytes):
        return Packet(PacketType.MESSAGE, frame)
    if not frame:
        raise DecodeError("empty packet", rule="EIO-PKT-03")
    kind = _TYPE_OF.get(frame[0])
    if kind is not None:
        return Packet(kind, frame[1:])
    if frame[0] == "b":
        return Packet(PacketType.MESSAGE, _decode_base64(frame[1:]))
    raise DecodeError(f"unknown packet type {frame[0]!r}", rule="EIO-PKT-03")


_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def _decode_base64(text: str) -> bytes:
    """Decode either alphabet, with or without padding (EIO-PKT-09). Nothing may be added."""
    padded = text.translate(_STANDARD_ALPHABET) + "=" * (-len(text) % 4)
    try:
        return binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:  # binascii.Error, or characters beyond ASCII
        raise DecodeError("binary data is not base64", rule="EIO-PKT-06") from None
