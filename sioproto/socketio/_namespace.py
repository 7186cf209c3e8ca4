"""One namespace: its sockets and its rooms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sioproto._errors import LocalProtocolError
from sioproto.engineio._message import Message, messages_of
from sioproto.socketio._acks import (
    Answers,
    BroadcastAnswers,
    RelayedAnswers,
    Reply,
    ServerAnswers,
    check_timeout,
)
from sioproto.socketio._adapter import Broadcast, Target
from sioproto.socketio._broadcast import BroadcastOperator
from sioproto.socketio._outputs import (
    RoomCreated,
    RoomDeleted,
    RoomJoined,
    RoomLeft,
    ServerEventReceived,
)
from sioproto.socketio._packet import RESERVED_EVENTS, Packet, PacketType
from sioproto.socketio._socket import Socket

if TYPE_CHECKING:
    from sioproto.socketio._server import SocketServer

RESERVED_SERVER_EVENTS = ("connect", "connection", "new_namespace")
"""Names that no server-side event may have: they are events of the server itself (SIO-EVT-05)."""


def _server_event(name: str, args: tuple[Any, ...]) -> list[Any]:
    if not isinstance(name, str):
        raise LocalProtocolError(f"a server-side event is named by text, not by {name!r}")
    if name in RESERVED_SERVER_EVENTS:
        raise LocalProtocolError(f'"{name}" is a reserved event name between servers')
    return [name, *args]


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
        self.adapter = server.make_adapter(self)
        if server.config.room_events:
            self.watch_rooms()

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

    @property
    def local(self) -> BroadcastOperator:
        """Everybody who is connected to this server, and to no other of the cluster."""
        return self.to().local

    def compress(self, compress: bool) -> BroadcastOperator:
        """Everybody, and whether what is emitted may be compressed."""
        return self.to().compress(compress)

    # The other servers of a cluster

    def server_side_emit(self, name: str, *args: Any) -> None:
        """Emit an event to the other servers, not to their clients, nor to this one (SIO-BC-19).

        Raises:
            LocalProtocolError: the name is reserved, or not text.
        """
        self.adapter.server_side_emit(_server_event(name, args), None)

    def server_side_emit_with_ack(self, name: str, *args: Any, timeout: float, now: float) -> int:
        """Emit an event that asks each of the other servers for an answer.

        Exactly one ``ServersAnswered`` follows, with the id that is returned.

        Args:
            name: of the event.
            args: of the event.
            timeout: seconds to wait for the answers.
            now: seconds.

        Raises:
            LocalProtocolError: as for ``server_side_emit``, or the timeout is no number of seconds.
        """
        check_timeout(timeout)
        event = _server_event(name, args)
        answers = ServerAnswers(self, self.next_ack_id(), now + timeout, self._server.put)
        answers.hold()
        self.adapter.server_side_emit(event, answers)
        answers.release()
        self._limit(answers)
        return answers.id

    def server_event(self, args: list[Any], answer: Callable[[Any], None] | None = None) -> None:
        """Another server has emitted a server-side event: ``ServerEventReceived`` follows.

        For adapters. What is no name and its arguments is ignored: no peer may make a machine
        raise.

        Args:
            args: the name and the arguments.
            answer: takes one value, if an answer is wanted.
        """
        if not args or not isinstance(args[0], str):
            return
        reply = None
        if answer is not None:
            reply = Reply(0, lambda id, values: answer(values[0] if values else None))
        self._server.put(ServerEventReceived(self, args[0], args[1:], reply))

    def relay(
        self,
        broadcast: Broadcast,
        deliver: Callable[[Broadcast, BroadcastAnswers], None],
        answer: Callable[[Any], None],
        *,
        timeout: float,
        now: float,
    ) -> int:
        """Another server asks the sockets that are here for an acknowledgement.

        For adapters.

        Args:
            broadcast: what is asked. Its packet gets an id of this server's.
            deliver: ``ask`` of the local adapter.
            answer: takes the first argument of each acknowledgement.
            timeout: seconds to wait for them.
            now: seconds.

        Returns:
            How many sockets were asked.
        """
        id = broadcast.packet.id = self.next_ack_id()
        answers = RelayedAnswers(self, id, now + timeout, answer)
        answers.hold()
        deliver(broadcast, answers)
        asked = len(answers)
        answers.release()
        self._limit(answers)
        return asked

    def last_time(self) -> float:
        """Seconds, as the last fact told: for an adapter that is told no time itself."""
        return self._server.engine.last_time

    def adapter_moved(self) -> None:
        """The adapter's deadline has changed."""
        self._server.deadlines.moved(self.adapter)
        self._server.engine.notify()

    def watch_rooms(self) -> None:
        """Put out room events from now on."""
        self.adapter.observer = self

    # What sockets and operators ask of it

    def broadcast_with_ack(self, broadcast: Broadcast, deadline: float) -> int:
        """Deliver a broadcast that asks for acknowledgements. Returns their id."""
        id = broadcast.packet.id = self.next_ack_id()
        answers = BroadcastAnswers(self, id, deadline, self._server.put)
        answers.hold()
        self.adapter.ask(broadcast, answers)
        answers.release()
        self._limit(answers)
        return id

    def _limit(self, answers: Answers) -> None:
        """Let the time of what is awaited run: nothing else may have told the driver of it."""
        self._server.deadlines.moved(answers)
        self._server.engine.notify()

    def answers_settled(self, answers: Answers) -> None:
        """There is nothing left to wait for, so that nothing of it is kept until the time is up."""
        self._server.deadlines.forget(answers)

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

    def encode(self, packet: Packet, compress: bool = True) -> list[Message]:
        """Encode a packet into messages that recipients can share."""
        return messages_of(self._parser.encode(packet), compress)

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
