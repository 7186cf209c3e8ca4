"""The codecs of this project, as the server calls them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.micro import work
from bench.micro.adapters import Operations
from sioproto.engineio._message import Message, messages_of
from sioproto.engineio._packet import decode_packet
from sioproto.engineio._payload import decode_payload, encode_payload
from sioproto.socketio import Packet, PacketType, TextParser

LABEL = "sioproto"
_parser = TextParser()


def operations_of(parser: TextParser, name: str) -> Operations:
    """See :class:`Operations`."""
    decoder = parser.decoder(max_attachments=10)

    def messages(args: list[Any]) -> list[Message]:
        return messages_of(parser.encode(Packet(PacketType.EVENT, "/", args)))

    def encode(args: list[Any]) -> list[str | bytes]:
        return [message.frame.payload for message in messages(args)]

    def decode(frames: Iterable[str | bytes]) -> Any:
        packet = None
        for frame in frames:
            # Which are the contents of messages is told as a session tells it.
            if isinstance(frame, str):
                packet = decoder.feed(frame[1:] if frame[:1] == "4" else decode_packet(frame).data)
            else:
                packet = decoder.feed(frame)
        assert packet is not None
        return packet.data

    def decode_all(body: bytes) -> list[Any]:
        packets = [decoder.feed(packet.data) for packet in decode_payload(body)]
        return [packet.data for packet in packets if packet is not None]

    value, wire = work.WORK[name], work.wire(name)
    if isinstance(wire, str):
        body = wire.encode()
        return Operations(
            lambda: encode_payload([message for args in value for message in messages(args)]),
            lambda: decode_all(body),
        )
    return Operations(lambda: encode(value), lambda: decode(wire))


def operations(name: str) -> Operations:
    """See :class:`Operations`."""
    return operations_of(_parser, name)
