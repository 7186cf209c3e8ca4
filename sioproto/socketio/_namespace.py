"""One namespace: its sockets and its rooms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sioproto._errors import LocalProtocolError
from sioproto._json import JsonCodec
from sioproto.engineio._message import Message, binary_message, text_message
from sioproto.socketio._adapter import Adapter, Broadcast, LocalAdapter
from sioproto.socketio._broadcast import BroadcastOperator
from sioproto.socketio._packet import RESERVED_EVENTS, Packet, PacketType, encode_packet
from sioproto.socketio._socket import Socket


class Namespace:
    """A part of the server with sockets, rooms and acknowledgement ids of its own (SIO-NSP-14).

    Args:
        name: begins with a slash.
        json: encodes payloads.
    """

    def __init__(self, name: str, json: JsonCodec) -> None:
        self.name = name
        self._json = json
        self._sockets: dict[str, Socket] = {}
        self._last_ack_id = -1
        self.sockets: Mapping[str, Socket] = MappingProxyType(self._sockets)
        """The connected sockets by id, in order of connection. A live view."""
        self.adapter: Adapter = LocalAdapter(self._sockets, self.encode)

    def __repr__(self) -> str:
        return f"<Namespace {self.name}, {len(self._sockets)} sockets>"

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to every socket in the namespace (SIO-BC-01).

        Raises:
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        self.to().emit(name, *args)

    def to(self, *rooms: str) -> BroadcastOperator:
        """Everybody in these rooms."""
        return BroadcastOperator(self, rooms=rooms)

    def in_(self, *rooms: str) -> BroadcastOperator:
        """Another name for ``to``."""
        return self.to(*rooms)

    def except_(self, *rooms: str) -> BroadcastOperator:
        """Everybody who is in none of these rooms."""
        return BroadcastOperator(self, except_rooms=rooms)

    # What sockets and operators ask of it

    def broadcast(self, broadcast: Broadcast) -> None:
        """Deliver a broadcast."""
        self.adapter.broadcast(broadcast)

    def event(self, name: str | int | float, args: tuple[Any, ...]) -> Packet:
        """Make the packet of an event.

        Raises:
            LocalProtocolError: the name is reserved, or neither text nor a number.
        """
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            raise LocalProtocolError(f"an event name is text or a number, not {name!r}")
        if name in RESERVED_EVENTS:
            raise LocalProtocolError(f'"{name}" is a reserved event name')
        return Packet(PacketType.EVENT, self.name, [name, *args])

    def encode(self, packet: Packet) -> list[Message]:
        """Encode a packet into messages: its text, then its attachments."""
        text, attachments = encode_packet(packet, self._json)
        messages = [text_message(text)]
        if attachments:
            messages += map(binary_message, attachments)
        return messages

    def next_ack_id(self) -> int:
        """A new id; the first is 0. Shared by all sockets of the namespace (SIO-ACK-06)."""
        self._last_ack_id += 1
        return self._last_ack_id

    def add(self, socket: Socket) -> None:
        """A socket is connected."""
        self._sockets[socket.id] = socket

    def discard(self, socket: Socket) -> None:
        """A socket is connected no longer."""
        self._sockets.pop(socket.id, None)
