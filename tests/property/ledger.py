"""What happened to each socket, as one letter an event, held against what may happen to it.

The whole life of a socket fits into one regular expression: it asks (``q``); its client goes
before it is answered (``a``), or it is refused (``r``), or it is connected (``c``); then come
events (``e``) and outcomes of acknowledgements (``k``); then it is disconnecting (``d``), what it
still owes fails, and it is disconnected (``D``). Nothing comes after the end (SIO-DISC-03).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sioproto._output import Event
from sioproto.engineio import SessionUpgraded
from sioproto.socketio import (
    AckFailed,
    AckReceived,
    BroadcastAcked,
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    Disconnecting,
    EventReceived,
    Namespace,
    NamespaceRemoved,
    NamespaceRequested,
    Socket,
)

LIFE = re.compile("q(a|r|c[ek]*dk*D)")
SO_FAR = re.compile("q(a|r|c[ek]*(dk*D?)?)?")
LETTERS: dict[type[Event], str] = {
    ConnectRequested: "q",
    ConnectAbandoned: "a",
    Connected: "c",
    EventReceived: "e",
    AckReceived: "k",
    AckFailed: "k",
    Disconnecting: "d",
    Disconnected: "D",
}


class Ledger:
    """Enters the events of a Socket.IO server, one after another."""

    def __init__(self) -> None:
        self.sockets: dict[int, Socket] = {}
        self.lives: dict[int, str] = {}
        self.asked: dict[tuple[object, int], int] = {}
        """How often each acknowledgement was settled: by socket or namespace, and id."""
        self.removed: list[Namespace] = []
        self._leaving: Socket | None = None

    def enter(self, events: Iterable[Event]) -> None:
        """Enter events, each after it was drained."""
        for event in events:
            self._enter(event)

    def _enter(self, event: Event) -> None:
        if isinstance(event, BroadcastAcked):
            self._settled(event.namespace, event.id)
            return
        if isinstance(event, NamespaceRemoved):
            self.removed.append(event.namespace)
            return
        if isinstance(event, NamespaceRequested | SessionUpgraded):
            return
        letter = LETTERS[type(event)]  # engine events, for example, must not come through
        socket: Socket = event.socket  # type: ignore[attr-defined]  # all of these have one
        assert not any(socket.namespace is namespace for namespace in self.removed), event
        if letter == "k":
            self._settled(socket, event.id)  # type: ignore[attr-defined]  # and these an id
        # One socket after the other: the end of one is not interrupted (SIO-DISC-06).
        assert self._leaving is None or (socket is self._leaving and letter in "kD"), event
        if letter == "d":
            self._leaving = socket
        elif letter == "D":
            self._leaving = None
            assert list(socket.rooms) == []
        self.write(socket, letter)

    def write(self, socket: Socket, letter: str) -> None:
        """Something happened to a socket."""
        self.sockets[id(socket)] = socket
        life = self.lives[id(socket)] = self.lives.get(id(socket), "") + letter
        assert SO_FAR.fullmatch(life), f"{socket!r}: {life}"

    def refused(self, socket: Socket) -> None:
        """The application has refused a socket."""
        self.write(socket, "r")

    def expect(self, asked: object, id: int) -> None:
        """An acknowledgement was asked for: of a socket, or of a broadcast in a namespace."""
        self.asked[asked, id] = 0

    def open_ack(self, number: int) -> int:
        """The id of an acknowledgement that is waited for, or any if there is none."""
        waiting = [id for (_, id), outcomes in self.asked.items() if not outcomes]
        return waiting[number % len(waiting)] if waiting else number

    def _settled(self, asked: object, id: int) -> None:
        self.asked[asked, id] += 1
        assert self.asked[asked, id] == 1, "an acknowledgement with two outcomes"

    def stage(self, socket: Socket) -> str:
        """The last letter of a socket that is not an event's."""
        return self.lives[id(socket)].rstrip("ek")[-1]

    def at(self, stage: str) -> list[Socket]:
        """The sockets at this stage, in order of appearance."""
        return [socket for socket in self.sockets.values() if self.stage(socket) == stage]

    def close(self) -> None:
        """Everything has ended."""
        assert self._leaving is None
        for key, life in self.lives.items():
            assert LIFE.fullmatch(life), f"{self.sockets[key]!r}: {life}"
        assert all(outcomes == 1 for outcomes in self.asked.values()), self.asked
