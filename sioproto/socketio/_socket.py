"""The socket that a server application holds: one client in one namespace."""

from __future__ import annotations

import enum
from collections.abc import Callable, KeysView
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sioproto._errors import ClosedError, LocalProtocolError
from sioproto.engineio._message import Message
from sioproto.socketio._acks import BroadcastAnswers, PendingAck, check_timeout
from sioproto.socketio._adapter import Flags, KeptSocket, Target
from sioproto.socketio._broadcast import BroadcastOperator
from sioproto.socketio._handshake import Handshake
from sioproto.socketio._packet import Packet, PacketType
from sioproto.socketio._rooms import check_rooms

if TYPE_CHECKING:
    from sioproto.socketio._connection import Connection
    from sioproto.socketio._namespace import Namespace

_WRITABLE = ("data",)


class SocketState(enum.Enum):
    """How far a socket has come."""

    CONNECTING = enum.auto()
    CONNECTED = enum.auto()
    DISCONNECTED = enum.auto()


class Socket:
    """One client in one namespace.

    Any further attribute may be attached to it; what exists already cannot be overwritten
    (SIO-HS-14). ``emit`` and the like only append to a buffer: nothing here waits.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_acks",
        "_connection",
        "_early",
        "_handshake",
        "_id",
        "_missed",
        "_namespace",
        "_pid",
        "_recovered",
        "_rooms",
        "_state",
        "data",
    )

    data: Any
    """Anything the application wants to keep here; a dictionary at first (SIO-HS-10)."""

    def __init__(
        self, id: str, namespace: Namespace, connection: Connection, handshake: Handshake
    ) -> None:
        self._id = id
        self._namespace = namespace
        self._connection = connection
        self._handshake = handshake
        self._state = SocketState.CONNECTING
        self._acks: dict[int, PendingAck | BroadcastAnswers] = {}
        self._early: list[Message] = []
        # Rooms live in the adapter while the socket is connected; before and after, here.
        self._rooms: dict[str, None] = {}
        self._recovered = False
        self._missed: Callable[[], list[Message]] = list
        self._pid: str | None = None
        self.data = {}

    def __repr__(self) -> str:
        return f"<Socket {self._id} {self._state.name.lower()} in {self._namespace.name}>"

    def __setattr__(self, name: str, value: Any) -> None:
        if name[0] != "_" and name not in _WRITABLE and hasattr(type(self), name):
            raise LocalProtocolError(f"socket.{name} cannot be overwritten")
        object.__setattr__(self, name, value)

    if TYPE_CHECKING:  # free attributes have any type

        def __getattr__(self, name: str) -> Any: ...

    # What it is

    @property
    def id(self) -> str:
        """The id that the client knows too: new for each namespace and connection (SIO-CONN-10)."""
        return self._id

    @property
    def namespace(self) -> Namespace:
        """The namespace that it is in."""
        return self._namespace

    @property
    def handshake(self) -> Handshake:
        """What is known of how it came here."""
        return self._handshake

    @property
    def connection(self) -> Connection:
        """What carries it, shared by all namespaces of the client."""
        return self._connection

    @property
    def sid(self) -> str:
        """The Engine.IO session that carries it:

        a secret, since it is enough to join the session.
        """
        return self._connection.sid

    @property
    def connected(self) -> bool:
        """Whether it is connected: not before it is accepted, and not once it is disconnecting."""
        return self._state is SocketState.CONNECTED

    @property
    def pid(self) -> str | None:
        """The private id that lets its client come back, if it may. A secret (SIO-CSR-02)."""
        return self._pid

    @property
    def recovered(self) -> bool:
        """Whether it is the continuation of a socket that was cut off (SIO-CSR-11)."""
        return self._recovered

    @property
    def rooms(self) -> KeysView[str]:
        """Its rooms, in order of joining: its own room from the start (SIO-ROOM-01).

        After the end, those of that moment, until ``Disconnected`` is drained.
        """
        if self._state is SocketState.CONNECTED:
            return self._namespace.adapter.rooms_of(self._id)
        return self._rooms.keys()

    # Rooms

    def join(self, *rooms: str) -> None:
        """Join rooms. Does nothing once disconnected (SIO-ROOM-08).

        What is joined before the socket is accepted takes effect when it is (SIO-MW-05).

        Raises:
            LocalProtocolError: a room is not named by a string.
        """
        check_rooms(rooms)
        if self._state is SocketState.CONNECTED:
            self._namespace.adapter.join(self._id, rooms)
        elif self._state is SocketState.CONNECTING:
            self._rooms.update(dict.fromkeys(rooms))

    def leave(self, room: str) -> None:
        """Leave a room, if it is in it.

        Raises:
            LocalProtocolError: the room is not named by a string.
        """
        check_rooms((room,))
        if self._state is SocketState.CONNECTED:
            self._namespace.adapter.leave(self._id, room)
        elif self._state is SocketState.CONNECTING:
            self._rooms.pop(room, None)

    # Sending

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to this client.

        Delivery is at most once: nothing happens if the socket is disconnected (SIO-EVT-15). What
        is emitted before it is accepted follows the acceptance.

        Raises:
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed in JSON
            and
                attachments.
        """
        self.emit_flagged(self._namespace.event(name, args), Flags())

    def emit_with_ack(self, name: str | int | float, *args: Any, timeout: float, now: float) -> int:
        """Emit an event that asks for an acknowledgement.

        Exactly one of ``AckReceived`` and ``AckFailed`` follows, with the id that is returned.

        Args:
            name: of the event.
            args: of the event.
            timeout: seconds to wait for the acknowledgement.
            now: seconds.

        Raises:
            ClosedError: the socket is not connected.
            LocalProtocolError: as for ``emit``, the timeout is no number of seconds, or
                ``max_pending_acks`` are pending.
        """
        check_timeout(timeout)
        if self._state is not SocketState.CONNECTED:
            raise ClosedError(f"socket {self._id} is not connected")
        server = self._connection.server
        if len(self._acks) >= server.config.max_pending_acks:
            raise LocalProtocolError("max_pending_acks acknowledgements are pending")
        packet = self._namespace.event(name, args)
        packet.id = self._namespace.next_ack_id()
        self._send(packet)
        ack = PendingAck(self, packet.id, now + timeout, server.put)
        if self.connected:
            self.expect_ack(ack)
            server.deadlines.moved(ack)
        else:  # whoever listens to what goes out has made it leave
            ack.lose(self, "disconnect")
        return packet.id

    @property
    def volatile(self) -> FlaggedSocket:
        """What is emitted by this is dropped unless it can be written at once (SIO-EVT-17)."""
        return FlaggedSocket(self, Flags(volatile=True))

    def compress(self, compress: bool) -> FlaggedSocket:
        """What is emitted by this may be compressed, or not, if the connection can (SIO-EVT-16)."""
        return FlaggedSocket(self, Flags(compress=compress))

    def emit_flagged(self, packet: Packet, flags: Flags) -> None:
        """Send the packet of an event, with these flags."""
        if self._state is not SocketState.CONNECTING:
            self._namespace.adapter.emit(self, packet, flags)
        elif flags.volatile:
            self._namespace.encode(packet)  # nothing can be written yet; but errors are told
        else:
            self.deliver(self._namespace.encode(packet, flags.compress), packet)

    @property
    def writable(self) -> bool:
        """Whether what is emitted now could be written at once."""
        return self._state is SocketState.CONNECTED and self._connection.writable

    def _send(self, packet: Packet) -> None:
        self.deliver(self._namespace.encode(packet), packet)

    def deliver(self, messages: list[Message], packet: Packet) -> None:
        """Send what is encoded already.

        Every outgoing event passes here, direct or broadcast, so that a runtime can listen to them.
        """
        if self._state is SocketState.CONNECTED:
            self._connection.send(messages)
        elif self._state is SocketState.CONNECTING:
            self._early += messages

    def acknowledge(self, id: int, args: tuple[Any, ...]) -> None:
        """Acknowledge an event. Still possible while the connection lives (SIO-ACK-12)."""
        packet = Packet(PacketType.ACK, self._namespace.name, list(args), id)
        self._connection.send(self._namespace.encode(packet))

    # Broadcasting: never to the socket itself, whatever rooms it is in or has left (SIO-BC-06)

    @property
    def broadcast(self) -> BroadcastOperator:
        """Everybody else in the namespace (SIO-BC-02)."""
        return BroadcastOperator(self._namespace, Target(except_ids=(self._id,)))

    def to(self, *rooms: str) -> BroadcastOperator:
        """Everybody else in these rooms."""
        return self.broadcast.to(*rooms)

    def in_(self, *rooms: str) -> BroadcastOperator:
        """Another name for ``to``."""
        return self.broadcast.to(*rooms)

    def except_(self, *rooms: str) -> BroadcastOperator:
        """Everybody else who is in none of these rooms."""
        return self.broadcast.except_(*rooms)

    # The end

    def disconnect(self, close: bool = False, *, now: float) -> None:
        """Make the client leave. Does nothing if it has left (SIO-DISC-04).

        Args:
            close: also make it leave its other namespaces, and close the connection (SIO-DISC-05).
            now: seconds.

        Raises:
            LocalProtocolError: the socket is not accepted yet; reject it instead.
        """
        if self._state is SocketState.CONNECTING:
            raise LocalProtocolError("not connected yet: reject the socket instead")
        if close:
            self._connection.disconnect_all(now)
        elif self._state is SocketState.CONNECTED:
            self._connection.disconnect(self)

    # What the connection asks of it

    def make_recoverable(self, pid: str) -> None:
        """Its client may come back."""
        self._pid = pid

    def resume(self, kept: KeptSocket, missed: Callable[[], list[Message]]) -> None:
        """It continues a socket that was cut off."""
        self._pid = kept.pid
        self.data = kept.data
        self._rooms = dict.fromkeys(kept.rooms)
        self._recovered = True
        self._missed = missed

    def take_missed(self) -> list[Message]:
        """What was sent since it was cut off."""
        missed, self._missed = self._missed, list
        return missed()

    def start(self) -> list[Message]:
        """It is accepted. Returns what was emitted before."""
        self._state = SocketState.CONNECTED
        early, self._early = self._early, []
        self._namespace.adapter.join(self._id, (*self._rooms, self._id))
        self._rooms = {}
        return early

    def stop(self) -> list[PendingAck | BroadcastAnswers]:
        """It is disconnected, or was never accepted. Returns the acknowledgements it still owes."""
        if self._state is SocketState.CONNECTED:
            self._rooms = dict.fromkeys(self._namespace.adapter.remove(self._id))
        else:
            self._rooms = {}
        self._state = SocketState.DISCONNECTED
        self._early = []
        return [ack for id in list(self._acks) if (ack := self.take_ack(id)) is not None]

    def forget_rooms(self) -> None:
        """The application has seen the end."""
        self._rooms = {}

    def expect_ack(self, ack: PendingAck | BroadcastAnswers) -> None:
        """The client was asked for an acknowledgement."""
        self._acks[ack.id] = ack

    def take_ack(self, id: int) -> PendingAck | BroadcastAnswers | None:
        """The acknowledgement that is expected under an id, which then no longer is."""
        ack = self._acks.pop(id, None)
        if isinstance(ack, PendingAck):
            self._connection.server.deadlines.forget(ack)
        return ack


class FlaggedSocket:
    """Emits to one socket with flags."""

    __slots__ = ("_flags", "_socket")

    def __init__(self, socket: Socket, flags: Flags) -> None:
        self._socket = socket
        self._flags = flags

    @property
    def volatile(self) -> FlaggedSocket:
        """See :attr:`Socket.volatile`."""
        return FlaggedSocket(self._socket, replace(self._flags, volatile=True))

    def compress(self, compress: bool) -> FlaggedSocket:
        """See :meth:`Socket.compress`."""
        return FlaggedSocket(self._socket, replace(self._flags, compress=compress))

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event. One that is volatile goes with all of its attachments or not at all.

        Raises:
            LocalProtocolError: as for ``Socket.emit``, also if it is dropped.
        """
        self._socket.emit_flagged(self._socket.namespace.event(name, args), self._flags)
