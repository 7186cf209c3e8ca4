"""What rooms, broadcasts and the lives of sockets mean, written for clarity.

It is the model that programs of them are held to. It knows nothing of bytes, of time, or of any
library. Order matters: sockets and rooms are listed in the order in which they came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Whom = Literal["me", "others", "all"]
"""The socket itself, everybody in the namespace but the socket, or everybody."""

RESERVED = (
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
)
"""The names of events that nobody may emit."""


@dataclass
class RoomsModel:
    """One namespace: who is in it, and in which rooms."""

    rooms: dict[str, list[str]] = field(default_factory=dict)
    """The rooms of each connected socket. Everybody begins in the room of its own name."""
    changes: list[tuple[str, ...]] = field(default_factory=list)
    """What happened to rooms: ``("created", room)``, ``("joined", room, socket)``, ``("left", room,
    socket)``, ``("deleted", room)``."""
    members: dict[str, list[str]] = field(default_factory=dict)
    """The sockets in each room, in the order in which they joined. An empty room does not exist."""

    def connect(self, socket: str) -> None:
        """A socket is let in."""
        self.rooms[socket] = []
        self.join(socket, socket)

    def join(self, socket: str, room: str) -> None:
        """A socket joins a room. Nothing happens if it has gone, or is there already."""
        if socket not in self.rooms or room in self.rooms[socket]:
            return
        self.rooms[socket].append(room)
        if room not in self.members:
            self.members[room] = []
            self.changes.append(("created", room))
        self.members[room].append(socket)
        self.changes.append(("joined", room, socket))

    def leave(self, socket: str, room: str) -> None:
        """A socket leaves a room. Nothing happens if it is not there."""
        if socket not in self.rooms or room not in self.rooms[socket]:
            return
        self.rooms[socket].remove(room)
        self.members[room].remove(socket)
        self.changes.append(("left", room, socket))
        if not self.members[room]:
            del self.members[room]
            self.changes.append(("deleted", room))

    def disconnect(self, socket: str) -> list[str]:
        """A socket goes. Returns the rooms that it was in, which its last listeners still see."""
        rooms = list(self.rooms.get(socket, []))
        for room in rooms:
            self.leave(socket, room)
        self.rooms.pop(socket, None)
        return rooms

    def recipients(
        self, rooms: list[str], except_rooms: list[str], sender: str | None = None
    ) -> list[str]:
        """Who gets a broadcast, each once.

        Whoever is in any of the rooms, or everybody if there are none; but nobody who is in an
        excepted room, and never the sender.
        """
        if rooms:
            chosen = [socket for room in rooms for socket in self.members.get(room, [])]
        else:
            chosen = list(self.rooms)
        return [
            socket
            for socket in dict.fromkeys(chosen)
            if socket != sender and not set(self.rooms[socket]) & set(except_rooms)
        ]


@dataclass
class NamespaceModel:
    """One namespace: its rooms, what each of its clients receives, and what is told of each."""

    rooms: RoomsModel = field(default_factory=RoomsModel)
    heard: dict[str, list[list[Any]]] = field(default_factory=dict)
    """The events that each client receives, in order, each with its name and arguments."""
    told: dict[str, list[list[Any]]] = field(default_factory=dict)
    """What the application is told of each socket: ``["connection"]``, ``["disconnecting", rooms]``
    and ``["disconnect", rooms]``."""

    def connect(self, socket: str) -> None:
        """A socket is let in."""
        self.rooms.connect(socket)
        self.heard[socket] = []
        self.told[socket] = [["connection"]]

    def audience(self, socket: str, whom: Whom, to: list[str], without: list[str]) -> list[str]:
        """Whom a socket means, each once."""
        if whom == "me":
            return [socket]
        return self.rooms.recipients(to, without, socket if whom == "others" else None)

    def emit(self, audience: list[str], event: list[Any]) -> bool:
        """Emit an event, and tell whether that is allowed."""
        if event[0] in RESERVED:
            return False
        for socket in audience:
            self.heard[socket].append(event)
        return True

    def disconnect(self, socket: str) -> None:
        """A socket goes, for whatever reason: its rooms are full when that is told, then empty."""
        self.told[socket].append(["disconnecting", self.rooms.disconnect(socket)])
        self.told[socket].append(["disconnect", []])
