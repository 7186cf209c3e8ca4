"""One namespace: its sockets and its rooms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sioproto._errors import LocalProtocolError
from sioproto.engineio._message import Message, binary_message, text_message
from sioproto.socketio._acks import PendingBroadcastAck
from sioproto.socketio._adapter import Adapter, Broadcast, LocalAdapter, Target
from sioproto.socketio._broadcast import BroadcastOperator
from sioproto.socketio._outputs import RoomCreated, RoomDeleted, RoomJoined, RoomLeft
from sioproto.socketio._packet import RESERVED_EVENTS, Packet, PacketType
from sioproto.socketio._recovery import RecoveringAdapter
from sioproto.socketio._socket import Socket

if TYPE_CHECKING:
    from sioproto.socketio._server import SocketServer


class Namespace:
    """A part of the server with sockets, rooms and acknowledgement ids of its own (SIO-NSP-14).

    Args:
        name: begins with a slash.
        server: where it is.
    """

    def __init__(self, name: str, server: SocketServer[Any]) -> None:
        self.name = name
        self._server = server
        self._parser = server.parser
        self._sockets: dict[str, Socket] = {}
        self._last_ack_id = -1
        self.dynamic = False
        """Whether it was granted on request, rather than registered."""
        self.pending = 0
        """How many clients wait to be let in."""
        self.sockets: Mapping[str, Socket] = MappingProxyType(self._sockets)
        """The connected sockets by id, in order of connection. A live view."""
        observer = self if server.config.room_events else None
        recovery = server.config.recovery
        self.recovery: RecoveringAdapter | None = None
        """What keeps the sockets that were cut off, if any are kept."""
        self.adapter: Adapter
        if recovery is None:
            self.adapter = LocalAdapter(self._sockets, self.encode, observer)
        else:
            self.adapter = self.recovery = RecoveringAdapter(
                self._sockets, self.encode, observer, recovery
            )

    def __repr__(self) -> str:
        return f"<Namespace {self.name}, {len(self._sockets)} sockets>"

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to every socket in the namespace (SIO-BC-01).

        Raises:
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        self.to().emit(name, *args)

    def to(self, *rooms: str) -> BroadcastOperator:
        """Everybody in these rooms; without rooms, everybody."""
        return BroadcastOperator(self, Target(rooms))

    def in_(self, *rooms: str) -> BroadcastOperator:
        """Another name for ``to``."""
        return self.to(*rooms)

    def except_(self, *rooms: str) -> BroadcastOperator:
        """Everybody who is in none of these rooms."""
        return BroadcastOperator(self, Target(except_rooms=rooms))

    @property
    def volatile(self) -> BroadcastOperator:
        """Everybody who can be written to at once."""
        return self.to().volatile

    # What sockets and operators ask of it

    def broadcast_with_ack(
        self, packet: Packet, target: Target, volatile: bool, deadline: float
    ) -> int:
        """Deliver a broadcast that asks for acknowledgements. Returns their id."""
        id = packet.id = self.next_ack_id()
        ack = PendingBroadcastAck(self, id, deadline, self._server.put)
        sockets = self.adapter.broadcast(Broadcast(packet, target, volatile))
        for socket in sockets:
            socket.expect_ack(ack)
        self._server.deadlines.moved(ack)
        ack.expect(sockets)
        return id

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
        """Encode a packet into messages that recipients can share."""
        return [
            text_message(message) if isinstance(message, str) else binary_message(message)
            for message in self._parser.encode(packet)
        ]

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

    # What the adapter tells, if room events are wanted (SIO-ROOM-05)

    def room_created(self, room: str) -> None:
        """A room got its first member."""
        self._server.put(RoomCreated(self, room))

    def room_joined(self, room: str, id: str) -> None:
        """A socket joined a room."""
        self._server.put(RoomJoined(self, room, id))

    def room_left(self, room: str, id: str) -> None:
        """A socket left a room."""
        self._server.put(RoomLeft(self, room, id))

    def room_deleted(self, room: str) -> None:
        """A room lost its last member."""
        self._server.put(RoomDeleted(self, room))
