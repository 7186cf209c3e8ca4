"""The codecs of python-socketio and python-engineio."""

from __future__ import annotations

from typing import Any

import engineio.packet
import engineio.payload
import socketio.packet

from bench.micro import work
from bench.micro.adapters import Operations

LABEL = "python-socketio"
MESSAGE, EVENT = engineio.packet.MESSAGE, socketio.packet.EVENT


def _packets(args: list[Any]) -> list[engineio.packet.Packet]:
    encoded = socketio.packet.Packet(EVENT, data=args, namespace="/").encode()
    parts = encoded if isinstance(encoded, list) else [encoded]
    return [engineio.packet.Packet(MESSAGE, part) for part in parts]


def _encode(args: list[Any]) -> list[str | bytes]:
    return [packet.encode() for packet in _packets(args)]


def _decode(frames: list[str | bytes]) -> Any:
    first, *others = [engineio.packet.Packet(encoded_packet=frame).data for frame in frames]
    packet = socketio.packet.Packet(encoded_packet=first)
    for attachment in others:
        packet.add_attachment(attachment)
    return packet.data


def _encode_payload(events: list[Any]) -> Any:
    packets = [packet for args in events for packet in _packets(args)]
    return engineio.payload.Payload(packets=packets).encode()


def _decode_payload(text: str) -> list[Any]:
    packets = engineio.payload.Payload(encoded_payload=text).packets
    return [socketio.packet.Packet(encoded_packet=packet.data).data for packet in packets]


def operations(name: str) -> Operations:
    """See :class:`Operations`."""
    value, wire = work.WORK[name], work.wire(name, ascii=True)
    if isinstance(wire, str):
        return Operations(lambda: _encode_payload(value), lambda: _decode_payload(wire))
    return Operations(lambda: _encode(value), lambda: _decode(wire), escapes=True)
