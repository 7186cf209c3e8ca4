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
_decoder = _parser.decoder(max_attachments=10)


def _messages(args: list[Any]) -> list[Message]:
    return messages_of(_parser.encode(Packet(PacketType.EVENT, "/", args)))


def _encode(args: list[Any]) -> list[str | bytes]:
    return [message.frame.payload for message in _messages(args)]


def _decode(frames: Iterable[str | bytes]) -> Any:
    packet = None
    for frame in frames:
        if isinstance(frame, str) and frame[:1] == "4":  # as a session does it
            packet = _decoder.feed(frame[1:])
        else:
            packet = _decoder.feed(decode_packet(frame).data)
    assert packet is not None
    return packet.data


def _decode_payload(body: bytes) -> list[Any]:
    packets = [_decoder.feed(packet.data) for packet in decode_payload(body)]
    return [packet.data for packet in packets if packet is not None]


def operations(name: str) -> Operations:
    """See :class:`Operations`."""
    value, wire = work.WORK[name], work.wire(name)
    if isinstance(wire, str):
        body = wire.encode()
        return Operations(
            lambda: encode_payload([message for args in value for message in _messages(args)]),
            lambda: _decode_payload(body),
        )
    return Operations(lambda: _encode(value), lambda: _decode(wire))
