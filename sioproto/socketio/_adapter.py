"""How a broadcast reaches its recipients, and what a namespace asks of whoever brings it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, KeysView, Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from sioproto.engineio._message import Message
from sioproto.socketio._packet import Packet
from sioproto.socketio._rooms import RoomIndex, check_rooms

if TYPE_CHECKING:
    from sioproto.socketio._acks import BroadcastAnswers, ServerAnswers
    from sioproto.socketio._namespace import Namespace
    from sioproto.socketio._socket import Socket


@dataclass(frozen=True, slots=True)
class Target:
    """Who is meant: plain data, so that an adapter may send it elsewhere.

    Whoever is in any of ``rooms``, or everybody in the namespace if there are none, unless it is in
    any of ``except_rooms`` or is one of ``except_ids``.

    Raises:
        LocalProtocolError: a room is not named by a string.
    """

    rooms: tuple[str, ...] = ()
    except_rooms: tuple[str, ...] = ()
    except_ids: tuple[str, ...] = ()
    local: bool = False
    """Whether only sockets of this server are meant (SIO-BC-10)."""

    def __post_init__(self) -> None:
        check_rooms(self.rooms)
        check_rooms(self.except_rooms)


@dataclass(frozen=True, slots=True)
class Flags:
    """How an event is delivered."""

    volatile: bool = False
    """Whether it is dropped for recipients that could not be written to at once (SIO-EVT-17)."""
    compress: bool = True
    """Whether it may be compressed, where the connection can (SIO-EVT-16)."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One broadcast, as plain data too."""

    packet: Packet
    target: Target
    flags: Flags = Flags()


@dataclass(frozen=True, slots=True)
class KeptSocket:
    """What is kept of a socket that was cut off, for connection state recovery."""

    id: str
    pid: str
    rooms: tuple[str, ...]
    data: Any


Restored = tuple[KeptSocket, Callable[[], list[Message]]]
"""A socket that comes back, and a function that returns the messages it missed.

The function is called once, when the socket is let in. What is sent while it waits for that is
missed too.
"""


class Adapter(Protocol):
    """The rooms of one namespace, the way to their members, and to other servers of a cluster.

    :class:`LocalAdapter` knows one server. An adapter for several owns one: it does its own part
    by it, and sends the rest elsewhere, for all that says *who* and *what* is plain data. Its calls
    may come at any time, within a fact or a command or outside of both; it never waits.

    It is a thing with a deadline: see :class:`sioproto._deadlines.Timed`. After any of its
    methods has changed ``deadline``, it calls ``namespace.adapter_moved()``.
    """

    deadline: float
    """When ``handle_timeout`` is wanted, in seconds; ``inf`` if never."""
    wake_at: float
    """Written by the server alone; starts as ``inf``."""
    observer: RoomObserver | None
    """Who is told of changes of the rooms that have members here, if anybody cares."""
    recovers: bool
    """Whether it keeps sockets that are cut off. Otherwise none gets a private id (SIO-CSR-19)."""

    # One socket, of this server

    def join(self, id: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""

    def leave(self, id: str, room: str) -> None:
        """Take a socket out of a room."""

    def remove(self, id: str) -> KeysView[str]:
        """A socket is gone: take it out of its rooms, and return them."""

    def rooms_of(self, id: str) -> KeysView[str]:
        """A live view of a socket's rooms."""

    def emit(self, socket: Socket, packet: Packet, flags: Flags) -> None:
        """Send to one socket, which may be gone."""

    # Many sockets, wherever they are

    def broadcast(self, broadcast: Broadcast) -> None:
        """Deliver to every recipient, once."""

    def ask(self, broadcast: Broadcast, answers: BroadcastAnswers) -> None:
        """Deliver to every recipient, and see that their acknowledgements are brought together.

        The packet has its acknowledgement id. Say ``answers.ask_socket`` for each recipient that
        is here; ``hold``, ``expect``, ``answer`` for those elsewhere.
        """

    def fetch(self, target: Target) -> list[Socket]:
        """Those who are meant and are here."""

    def join_all(self, target: Target, rooms: tuple[str, ...]) -> None:
        """Put everybody who is meant into rooms."""

    def leave_all(self, target: Target, rooms: tuple[str, ...]) -> None:
        """Take everybody who is meant out of rooms."""

    def disconnect_all(self, target: Target, close: bool, now: float) -> None:
        """Disconnect everybody who is meant."""

    # Other servers

    def server_side_emit(self, args: list[Any], answers: ServerAnswers | None) -> None:
        """Tell the other servers. There, ``namespace.server_event`` is called (SIO-BC-19).

        Args:
            args: the name of the event and its arguments.
            answers: takes one answer of each, if answers are wanted: ``expect``, then ``answer``.
        """

    # Recovery

    def keep(self, kept: KeptSocket) -> None:
        """A socket was cut off: keep it, if it ``recovers``."""

    def restore(self, pid: object, offset: object, done: Callable[[Restored | None], None]) -> None:
        """A client says that it was cut off. Each private id is good for one return.

        Args:
            pid: what it says is its private id, of any type.
            offset: what it says is the last offset that it saw, of any type.
            done: is called once, at once or later, with what was kept; with None if nothing is.
        """

    # Its life

    def start(self) -> None:
        """A socket has joined."""

    def handle_timeout(self, now: float) -> None:
        """The deadline has come. It sets the next."""

    def close(self) -> None:
        """The namespace has gone, or the server shuts down."""


AdapterFactory = Callable[["Namespace"], Adapter]
"""Makes the adapter of a namespace."""


class RoomObserver(Protocol):
    """Who is told of every real change."""

    def room_created(self, room: str) -> None: ...
    def room_joined(self, room: str, id: str) -> None: ...
    def room_left(self, room: str, id: str) -> None: ...
    def room_deleted(self, room: str) -> None: ...


class LocalAdapter:
    """The adapter for a namespace whose sockets are all in this process.

    Args:
        namespace: whose adapter it is.
    """

    recovers = False

    def __init__(self, namespace: Namespace) -> None:
        self._sockets: Mapping[str, Socket] = namespace.sockets
        self._encode = namespace.encode
        self.observer: RoomObserver | None = None
        self.index = RoomIndex()
        self.deadline = self.wake_at = inf

    def join(self, id: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""
        observer = self.observer
        for room in rooms:
            joined = self.index.join(id, room)
            if joined and observer is not None:
                if len(self.index.members(room)) == 1:
                    observer.room_created(room)
                observer.room_joined(room, id)

    def leave(self, id: str, room: str) -> None:
        """Take a socket out of a room."""
        if self.index.leave(id, room):
            self._report_left(id, room)

    def remove(self, id: str) -> KeysView[str]:
        """A socket is gone: take it out of its rooms, and return them."""
        rooms = self.index.leave_all(id)
        if self.observer is not None:
            for room in rooms:
                self._report_left(id, room)
        return rooms

    def _report_left(self, id: str, room: str) -> None:
        if self.observer is not None:
            self.observer.room_left(room, id)
            if not self.index.members(room):
                self.observer.room_deleted(room)

    def rooms_of(self, id: str) -> KeysView[str]:
        """A live view of a socket's rooms."""
        return self.index.rooms_of(id)

    def _select(self, target: Target) -> Iterable[str]:
        index = self.index
        ids: Iterable[str] = self._sockets
        if len(target.rooms) == 1:
            ids = index.members(target.rooms[0])  # the usual case, read in place
        elif target.rooms:
            ids = index.union(target.rooms)
        if target.except_rooms or target.except_ids:
            excluded = index.union(target.except_rooms)
            excluded.update(dict.fromkeys(target.except_ids))
            ids = [id for id in ids if id not in excluded]
        return ids

    def emit(self, socket: Socket, packet: Packet, flags: Flags) -> None:
        """Send to one socket. Nothing happens if it is gone (SIO-EVT-15)."""
        messages = self._encode(packet, flags.compress)
        if socket.connected and (not flags.volatile or socket.writable):
            socket.deliver(messages, packet)

    def broadcast(self, broadcast: Broadcast) -> None:
        """Encode once, and append the same messages to every recipient's buffer (SIO-BC-09)."""
        self._deliver(broadcast)

    def ask(self, broadcast: Broadcast, answers: BroadcastAnswers) -> None:
        """Like ``broadcast``, and every recipient owes an acknowledgement."""
        for socket in self._deliver(broadcast):
            answers.ask_socket(socket)

    def _deliver(self, broadcast: Broadcast) -> list[Socket]:
        messages = self._encode(broadcast.packet, broadcast.flags.compress)
        return self.deliver(broadcast, messages)

    def deliver(self, broadcast: Broadcast, messages: list[Message]) -> list[Socket]:
        """Deliver what is encoded already. Returns those who got it."""
        sockets = [self._sockets[id] for id in self._select(broadcast.target)]
        if broadcast.flags.volatile:
            sockets = [socket for socket in sockets if socket.writable]
        for socket in sockets:
            socket.deliver(messages, broadcast.packet)
        return sockets

    def fetch(self, target: Target) -> list[Socket]:
        """Those who are meant."""
        return [self._sockets[id] for id in self._select(target)]

    def join_all(self, target: Target, rooms: tuple[str, ...]) -> None:
        """Put everybody who is meant into rooms."""
        for socket in self.fetch(target):
            socket.join(*rooms)

    def leave_all(self, target: Target, rooms: tuple[str, ...]) -> None:
        """Take everybody who is meant out of rooms."""
        for socket in self.fetch(target):
            for room in rooms:
                socket.leave(room)

    def disconnect_all(self, target: Target, close: bool, now: float) -> None:
        """Disconnect everybody who is meant."""
        for socket in self.fetch(target):
            socket.disconnect(close, now=now)

    def server_side_emit(self, args: list[Any], answers: ServerAnswers | None) -> None:
        """There are no other servers to tell."""

    def keep(self, kept: KeptSocket) -> None:
        """Nothing is kept."""

    def restore(self, pid: object, offset: object, done: Callable[[Restored | None], None]) -> None:
        """Nothing was kept."""
        done(None)

    def start(self) -> None:
        """Nothing to do."""

    def handle_timeout(self, now: float) -> None:
        """Nothing is ever due."""

    def close(self) -> None:
        """Nothing to give up."""
