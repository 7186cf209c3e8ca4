"""How a broadcast reaches its recipients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, KeysView, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sioproto.engineio._message import Message
from sioproto.socketio._packet import Packet
from sioproto.socketio._rooms import RoomIndex

if TYPE_CHECKING:
    from sioproto.socketio._socket import Socket


@dataclass(frozen=True, slots=True)
class Target:
    """Who is meant: plain data, so that an adapter may send it elsewhere.

    Whoever is in any of ``rooms``, or everybody in the namespace if there are none, unless it is in
    any of ``except_rooms`` or is one of ``except_ids``.
    """

    rooms: tuple[str, ...] = ()
    except_rooms: tuple[str, ...] = ()
    except_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One broadcast, as plain data too."""

    packet: Packet
    target: Target
    volatile: bool = False
    """Whether it is dropped for recipients that could not be written to at once (SIO-EVT-17)."""


class Adapter(Protocol):
    """The rooms of one namespace and the way to their members.

    Whatever an adapter is told of many sockets is plain data. One that spans several processes does
    its own part as :class:`LocalAdapter` does, and tells the others.
    """

    def join(self, id: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""

    def leave(self, id: str, room: str) -> None:
        """Take a socket out of a room."""

    def remove(self, id: str) -> KeysView[str]:
        """A socket is gone: take it out of its rooms, and return them."""

    def rooms_of(self, id: str) -> KeysView[str]:
        """A live view of a socket's rooms."""

    def emit(self, socket: Socket, packet: Packet) -> None:
        """Send to one socket, which may be gone."""

    def broadcast(self, broadcast: Broadcast) -> list[Socket]:
        """Deliver to every recipient, once. Returns those that are here and got it."""

    def fetch(self, target: Target) -> list[Socket]:
        """Those who are meant and are here."""

    def join_all(self, target: Target, rooms: tuple[str, ...]) -> None:
        """Put everybody who is meant into rooms."""

    def leave_all(self, target: Target, rooms: tuple[str, ...]) -> None:
        """Take everybody who is meant out of rooms."""

    def disconnect_all(self, target: Target, close: bool, now: float) -> None:
        """Disconnect everybody who is meant."""


class RoomObserver(Protocol):
    """Who is told of every real change."""

    def room_created(self, room: str) -> None: ...
    def room_joined(self, room: str, id: str) -> None: ...
    def room_left(self, room: str, id: str) -> None: ...
    def room_deleted(self, room: str) -> None: ...


class LocalAdapter:
    """The adapter for a namespace whose sockets are all in this process.

    Args:
        sockets: the connected sockets of the namespace, a live mapping.
        encode: turns a packet into messages that recipients can share.
        observer: is told of changes; None if nobody cares.
    """

    def __init__(
        self,
        sockets: Mapping[str, Socket],
        encode: Callable[[Packet], list[Message]],
        observer: RoomObserver | None = None,
    ) -> None:
        self._sockets = sockets
        self._encode = encode
        self._observer = observer
        self.index = RoomIndex()

    def join(self, id: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""
        observer = self._observer
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
        if self._observer is not None:
            for room in rooms:
                self._report_left(id, room)
        return rooms

    def _report_left(self, id: str, room: str) -> None:
        if self._observer is not None:
            self._observer.room_left(room, id)
            if not self.index.members(room):
                self._observer.room_deleted(room)

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

    def emit(self, socket: Socket, packet: Packet) -> None:
        """Send to one socket. Nothing happens if it is gone (SIO-EVT-15)."""
        messages = self._encode(packet)
        if socket.connected:
            socket.deliver(messages, packet)

    def broadcast(self, broadcast: Broadcast) -> list[Socket]:
        """Encode once, and append the same messages to every recipient's buffer (SIO-BC-09)."""
        return self.deliver(broadcast, self._encode(broadcast.packet))

    def deliver(self, broadcast: Broadcast, messages: list[Message]) -> list[Socket]:
        """Deliver what is encoded already."""
        sockets = [self._sockets[id] for id in self._select(broadcast.target)]
        if broadcast.volatile:
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
