"""Polling payloads of revision 4: packets in their text form, joined by a separator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sioproto.engineio._message import Message
from sioproto.engineio._packet import Packet, PacketType, decode_packet

SEPARATOR = "\x1e"


def encode_payload(messages: Iterable[Message]) -> bytes:
    """Encode packets into one body (EIO-P4-01, EIO-P4-02)."""
    return SEPARATOR.join([message.text for message in messages]).encode()


def decode_payload(body: bytes) -> Iterator[Packet]:
    """Decode a body, packet by packet, so that what comes before a bad packet is not lost.

    Bytes that are not UTF-8 become U+FFFD (EIO-PKT-11).

    Raises:
        DecodeError: while iterating, at the first packet that cannot be decoded. An empty body and
            a stray separator make an empty packet, which is one (EIO-P4-03).
    """
    for text in body.decode(errors="replace").split(SEPARATOR):
        if text[:1] == "4":  # as most are: a call for each takes longer than this
            yield Packet(PacketType.MESSAGE, text[1:])
        else:
            yield decode_packet(text)
