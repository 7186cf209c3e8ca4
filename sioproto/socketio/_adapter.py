"""How a broadcast reaches its recipients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, KeysView, Mapping
from typing import Protocol

from sioproto._output import output
from sioproto.engineio._message import Message
from sioproto.socketio._packet import Packet
from sioproto.socketio._rooms import RoomIndex


@output
class Broadcast:
    """One broadcast as plain data, so that an adapter may send it elsewhere.

    A recipient is whoever is in any of ``rooms``, or everybody in the namespace if there are none,
    unless it is in any of ``except_rooms`` or is one of ``except_ids``.
    """

    packet: Packet
    rooms: tuple[str, ...] = ()
    except_rooms: tuple[str, ...] = ()
    except_ids: tuple[str, ...] = ()


class Recipient(Protocol):
    """What an adapter asks of a socket."""

    def deliver(self, messages: list[Message], packet: Packet) -> None:
        """Send what is encoded already. ``packet`` is what it was encoded from, shared by all."""


class Adapter(Protocol):
    """The rooms of one namespace and the way to them."""

    def join(self, id: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""

    def leave(self, id: str, room: str) -> None:
        """Take a socket out of a room."""

    def remove(self, id: str) -> KeysView[str]:
        """A socket is gone: take it out of its rooms, and return them."""

    def rooms_of(self, id: str) -> KeysView[str]:
        """A live view of a socket's rooms."""

    def broadcast(self, broadcast: Broadcast) -> None:
        """Deliver to every recipient, once."""


class LocalAdapter:
    """The adapter for a namespace whose sockets are all in this process.

    Args:
        sockets: the connected sockets of the namespace, a live mapping.
        encode: turns a packet into messages that recipients can share.
    """

    def __init__(
        self, sockets: Mapping[str, Recipient], encode: Callable[[Packet], list[Message]]
    ) -> None:
        self._sockets = sockets
        self._encode = encode
        self.index = RoomIndex()

    def join(self, id: str, rooms: Iterable[str]) -> None:
        """Put a socket into rooms."""
        for room in rooms:
            self.index.join(id, room)

    def leave(self, id: str, room: str) -> None:
        """Take a socket out of a room."""
        self.index.leave(id, room)

    def remove(self, id: str) -> KeysView[str]:
        """A socket is gone: take it out of its rooms, and return them."""
        return self.index.leave_all(id)

    def rooms_of(self, id: str) -> KeysView[str]:
        """A live view of a socket's rooms."""
        return self.index.rooms_of(id)

    def broadcast(self, broadcast: Broadcast) -> None:
        """Encode once, and append the same messages to every recipient's buffer (SIO-BC-09)."""
        messages = self._encode(broadcast.packet)
        index = self.index
        sockets = self._sockets
        if broadcast.rooms:
            # Only one room, the usual case, is read in place.
            ids: Iterable[str] = (
                index.members(broadcast.rooms[0])
                if len(broadcast.rooms) == 1
                else index.union(broadcast.rooms)
            )
        else:
            ids = sockets
        if broadcast.except_rooms or broadcast.except_ids:
            excluded = index.union(broadcast.except_rooms)
            excluded.update(dict.fromkeys(broadcast.except_ids))
            ids = [id for id in ids if id not in excluded]
        for id in ids:
            sockets[id].deliver(messages, broadcast.packet)
