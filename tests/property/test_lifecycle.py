"""The life of a socket, whatever peers and an application do to each other, and inside of what.

Connection before any event, ``disconnecting`` before ``disconnect``, nothing after (SIO-DISC-03):
``ledger`` holds each socket's life against one regular expression. The application here does not
wait for its turn: it acts while the events are drained, and so inside the end of its sockets too.
"""

from __future__ import annotations

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sioproto import ClosedError
from sioproto._output import Event
from sioproto.socketio import (
    Connected,
    ConnectRequested,
    Disconnected,
    Disconnecting,
    EventReceived,
    NamespaceRequested,
    RecoveryConfig,
    Socket,
)
from tests.harness import PROGRAMS, STEPS, socket_driver
from tests.property.ledger import Ledger

NAMESPACES = ["", "/custom,", "/dynamic,"]
REACTIONS = [
    "nothing",
    "leave",
    "close",
    "others leave",
    "end the session",
    "emit",
    "ask",
    "ask all",
    "join",
    "reply",
]
MOMENTS = (Connected, EventReceived, Disconnecting, Disconnected)

index = st.integers(0, 5)
namespaces = st.sampled_from(NAMESPACES)


class Lives(RuleBasedStateMachine):
    """Clients in several namespaces, and an application that acts while it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.core, self.driver = socket_driver(
            "/custom",
            accept=False,
            dynamic_namespaces=True,
            remove_empty_namespaces=True,
            recovery=RecoveryConfig(),
        )
        self.driver.on_event = self.on_event
        self.ledger = Ledger()
        self.admission = "accept"
        self.reactions: dict[type[Event], str] = dict.fromkeys(MOMENTS, "nothing")
        self.waiting: list[Socket] = []
        self.requests: list[NamespaceRequested] = []
        self.last_name: dict[int, int] = {}
        self.sent = 0
        self.sids: dict[str, str] = {}

    # The application

    def on_event(self, event: Event) -> None:
        self.ledger.enter([event])
        if isinstance(event, NamespaceRequested):
            self.requests.append(event)
            if self.admission != "wait":
                self.answer_request()
        elif isinstance(event, ConnectRequested):
            self.waiting.append(event.socket)
            if self.admission != "wait":
                self.answer(self.admission)
        if isinstance(event, Disconnecting):
            assert event.socket.rooms, "left before the application was told (SIO-ROOM-06)"
            assert not event.socket.connected
        if isinstance(event, EventReceived):
            assert isinstance(event.name, int)
            # Events come in the order in which they were sent (SIO-EVT-02).
            assert self.last_name.get(id(event.socket), -1) < event.name
            self.last_name[id(event.socket)] = event.name
            if event.reply is not None and self.reactions[EventReceived] == "reply":
                event.reply()
        if type(event) in MOMENTS:
            self.react(event.socket, self.reactions[type(event)])  # type: ignore[attr-defined]  # all of these have one

    def react(self, socket: Socket, how: str) -> None:
        now = self.driver.now
        if how in ("leave", "close"):
            socket.disconnect(how == "close", now=now)
        elif how == "others leave":
            socket.namespace.except_(socket.id).disconnect_sockets(now=now)
        elif how == "end the session":
            self.core.engine.fail(socket.sid, OSError("we end it"))
        elif how == "emit":
            socket.emit("e", b"x")
            socket.broadcast.emit("e")
        elif how == "ask":
            with suppress(ClosedError):
                self.ledger.expect(socket, socket.emit_with_ack("q", timeout=5, now=now))
        elif how == "ask all":
            namespace = socket.namespace
            id = namespace.to().emit_with_ack("q", timeout=5, now=now)
            self.ledger.expect(namespace, id)
        elif how == "join":
            socket.join("room")

    def answer(self, how: str) -> None:
        """Answer whoever waits longest."""
        socket = self.waiting.pop(0)
        with suppress(ClosedError):  # it has gone
            if how == "refuse":
                self.core.reject(socket, "no")
                self.ledger.refused(socket)
            else:
                self.core.accept(socket)

    def answer_request(self) -> None:
        request = self.requests.pop(0).request
        with suppress(ClosedError):  # it has gone
            if self.admission == "refuse":
                self.core.deny(request)
            else:
                self.core.grant(request)

    @rule(admission=st.sampled_from(["accept", "wait", "refuse"]))
    def change_admission(self, admission: str) -> None:
        self.admission = admission

    @rule(moment=st.sampled_from(MOMENTS), reaction=st.sampled_from(REACTIONS))
    def change_reaction(self, moment: type[Event], reaction: str) -> None:
        self.reactions[moment] = reaction

    @precondition(lambda self: self.waiting)
    @rule(how=st.sampled_from(["accept", "refuse"]))
    def answer_late(self, how: str) -> None:
        self.answer(how)
        self.driver.drain()

    @precondition(lambda self: self.requests)
    @rule()
    def answer_request_late(self) -> None:
        self.answer_request()
        self.driver.drain()

    @precondition(lambda self: self.ledger.sockets)
    @rule(number=index, how=st.sampled_from(REACTIONS))
    def act(self, number: int, how: str) -> None:
        sockets = [*self.ledger.at("c"), *self.ledger.at("D")]
        if sockets:
            self.react(sockets[number % len(sockets)], how)
            self.driver.drain()

    # The clients

    @initialize(firsts=st.lists(namespaces, min_size=1, max_size=3))
    def begin(self, firsts: list[str]) -> None:
        for first in firsts:
            self.arrive(first)

    @precondition(lambda self: len(self.driver.in_flight) < 4)
    @rule(first=st.none() | namespaces)
    def arrive(self, first: str | None) -> None:
        w, sid = self.driver.open_websocket()
        self.sids[w] = sid
        if first is not None:
            self.driver.frame(w, f"40{first}")

    @precondition(lambda self: self.driver.in_flight)
    @rule(
        number=index,
        burst=st.lists(
            st.tuples(st.sampled_from(["event", "question", "answer", "join", "leave"]), index),
            min_size=1,
            max_size=6,
        ),
    )
    def receive(self, number: int, burst: list[tuple[str, int]]) -> None:
        """What a client may well send: to where it has joined, when it began this burst."""
        w = self.pick(number)
        joined = [s.namespace.name + "," for s in self.ledger.at("c") if s.sid == self.sids[w]]
        joined = [name.removeprefix("/,") for name in joined]
        frames = []
        for what, id in burst:
            if joined and what != "join":
                frames.append(self.packet(what, joined[id % len(joined)], id))
            else:
                away = [name for name in NAMESPACES if name not in joined] or NAMESPACES
                frames.append(self.packet("join", away[id % len(away)], id))
        self.driver.frame(w, *frames)

    @precondition(lambda self: self.driver.in_flight)
    @rule(
        number=index,
        burst=st.lists(
            st.tuples(
                st.sampled_from(["event", "question", "answer", "join", "leave", "nonsense"]),
                namespaces,
            ),
            min_size=1,
            max_size=4,
        ),
    )
    def receive_anything(self, number: int, burst: list[tuple[str, str]]) -> None:
        frames = [self.packet(what, namespace, 0) for what, namespace in burst]
        self.driver.frame(self.pick(number), *frames)

    def packet(self, what: str, namespace: str, id: int) -> str:
        self.sent += 1
        return {
            "join": f"40{namespace}",
            "leave": f"41{namespace}",
            "event": f"42{namespace}[{self.sent}]",
            "question": f"42{namespace}{id}[{self.sent}]",
            "answer": f"43{namespace}{self.ledger.open_ack(id)}[]",
            "nonsense": "4x",
        }[what]

    @precondition(lambda self: self.driver.in_flight)
    @rule(number=index)
    def lose(self, number: int) -> None:
        self.driver.closed(self.pick(number))

    @rule(seconds=st.sampled_from([1.0, 6.0, 50.0]))
    def sleep(self, seconds: float) -> None:
        self.driver.sleep(seconds)

    def pick(self, number: int) -> str:
        websockets = self.driver.open_websockets
        return websockets[number % len(websockets)]

    # What must hold

    @invariant()
    def who_is_connected(self) -> None:
        connected = self.ledger.at("c")
        assert all(socket.connected for socket in connected)
        here = [
            s for namespace in self.core.namespaces.values() for s in namespace.sockets.values()
        ]
        assert sorted(map(id, here)) == sorted(map(id, connected))

    def teardown(self) -> None:
        self.reactions = dict.fromkeys(MOMENTS, "nothing")
        self.core.shutdown(now=self.driver.now)
        self.driver.drain()
        for w in self.driver.open_websockets:
            self.driver.closed(w)
        self.ledger.close()


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=PROGRAMS, stateful_step_count=STEPS)
