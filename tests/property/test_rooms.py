"""Rooms, broadcasts and disconnections, as the model of the conformance suite says."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sioproto.engineio import WsSend
from sioproto.socketio import (
    BroadcastOperator,
    Connected,
    Disconnected,
    Disconnecting,
    RoomCreated,
    RoomDeleted,
    RoomJoined,
    RoomLeft,
    Socket,
)
from sioproto_conformance.rooms_model import RoomsModel
from tests.harness import PROGRAMS, STEPS, socket_driver

CHANGES = {RoomCreated: "created", RoomJoined: "joined", RoomLeft: "left", RoomDeleted: "deleted"}

index = st.integers(0, 7)
plain_rooms = st.sampled_from(["a", "b", "c"])
# Now and then a room is named like a socket: its own, or somebody else's.
some_rooms = st.lists(plain_rooms | index, max_size=3)


class Rooms(RuleBasedStateMachine):
    """Programs of sockets, rooms and broadcasts."""

    def __init__(self) -> None:
        super().__init__()
        self.core, self.driver = socket_driver(room_events=True)
        self.accept = self.driver.on_event
        self.driver.on_event = self.on_event
        self.io = self.core.of("/")
        self.model = RoomsModel()
        self.sockets: dict[str, Socket] = {}
        self.everyone: list[Socket] = []
        self.w: dict[str, str] = {}
        self.changes: list[tuple[str, ...]] = []
        self.last_words: list[Socket] = []

    def on_event(self, event: Any) -> None:
        self.accept(event)
        kind = CHANGES.get(type(event))
        if kind is not None:
            id = [event.id] if isinstance(event, RoomJoined | RoomLeft) else []
            self.changes.append((kind, event.room, *id))
        elif isinstance(event, Connected):
            self.sockets[event.socket.id] = event.socket
            self.everyone.append(event.socket)
        elif isinstance(event, Disconnecting):
            rooms = list(event.socket.rooms)
            assert rooms == self.model.disconnect(event.socket.id)
            event.socket.join("too late")
            event.socket.to(*rooms).emit("last words")
        elif isinstance(event, Disconnected):
            assert list(event.socket.rooms) == []
            del self.sockets[event.socket.id]
            self.last_words.append(event.socket)

    def names(self, rooms: list[str | int]) -> list[str]:
        """Room names, where a number stands for the own room of a socket."""
        names = []
        for room in rooms:
            if isinstance(room, str):
                names.append(room)
            elif self.everyone:
                names.append(self.everyone[room % len(self.everyone)].id)
        return names

    def pick(self, number: int) -> Socket:
        """A socket that is connected."""
        return list(self.sockets.values())[number % len(self.sockets)]

    @precondition(lambda self: len(self.sockets) < 6)
    @rule()
    def connect(self) -> None:
        w, _ = self.driver.open_websocket()
        before = len(self.everyone)
        self.driver.frame(w, "40")
        (socket,) = self.everyone[before:]
        self.w[socket.id] = w
        self.model.connect(socket.id)

    @precondition(lambda self: self.everyone)
    @rule(number=index, rooms=some_rooms)
    def join(self, number: int, rooms: list[str | int]) -> None:
        socket = self.everyone[number % len(self.everyone)]
        names = self.names(rooms)
        socket.join(*names)
        for name in names:
            self.model.join(socket.id, name)

    @precondition(lambda self: self.everyone)
    @rule(number=index, room=plain_rooms | index)
    def leave(self, number: int, room: str | int) -> None:
        socket = self.everyone[number % len(self.everyone)]
        (name,) = self.names([room])
        socket.leave(name)
        self.model.leave(socket.id, name)

    @precondition(lambda self: self.sockets)
    @rule(number=index, how=st.sampled_from(["client", "server", "close", "lost"]))
    def disconnect(self, number: int, how: str) -> None:
        socket = self.pick(number)
        w = self.w[socket.id]
        if how == "client":
            self.driver.frame(w, "41")
        elif how == "lost":
            self.driver.closed(w)
        else:
            socket.disconnect(how == "close", now=0)
            self.driver.drain()
        assert self.last_words.pop() is socket

    @rule(
        number=st.none() | index,
        calls=st.lists(
            st.tuples(st.sampled_from(["to", "in_", "except_"]), some_rooms), max_size=4
        ),
    )
    def broadcast(self, number: int | None, calls: list[tuple[str, list[str | int]]]) -> None:
        sender: Socket | None = None
        if number is not None and self.everyone:
            sender = self.everyone[number % len(self.everyone)]
        operator: BroadcastOperator = self.io.to() if sender is None else sender.broadcast
        rooms: list[str] = []
        excepted: list[str] = []
        for call, some in calls:
            names = self.names(some)
            operator = getattr(operator, call)(*names)
            (excepted if call == "except_" else rooms).extend(names)
        self.driver.drain()
        operator.emit("told")
        expected = self.model.recipients(rooms, excepted, None if sender is None else sender.id)
        assert [socket.id for socket in operator.fetch_sockets()] == expected
        sent = [out.ws for out in self.driver.drain() if isinstance(out, WsSend)]
        assert sent == [self.w[id] for id in expected]

    @invariant()
    def same_view(self) -> None:
        self.driver.drain()
        assert self.changes == self.model.changes
        assert list(self.io.sockets) == list(self.model.rooms)
        for id, socket in self.sockets.items():
            assert list(socket.rooms) == self.model.rooms[id]
        for socket in self.everyone:
            if socket.id not in self.sockets:
                assert list(socket.rooms) == []


TestRooms = Rooms.TestCase
TestRooms.settings = settings(max_examples=PROGRAMS, stateful_step_count=STEPS, deadline=None)
