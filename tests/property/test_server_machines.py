"""Whatever peers do, and in whatever order: no exception, and the books balance.

The driver of ``tests.harness`` holds every effect against the token contract. On top of that, after
each step: nothing is due that was not done, what sessions buffer is what was sent and not fetched,
and each acknowledgement asked for has exactly one outcome in the end. Some peers speak revision 3,
or JSONP, and any of them may send what belongs to the other.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from urllib.parse import urlencode

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sioproto import ClosedError, LocalProtocolError
from sioproto.engineio import SessionClosed, SessionOpened
from sioproto.engineio._session import MESSAGE_OVERHEAD
from sioproto.socketio import (
    AckFailed,
    AckReceived,
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    Disconnecting,
    EventReceived,
    Socket,
)
from tests.harness import PROGRAMS, request, socket_driver

packets = st.sampled_from(
    [
        "40",
        "40/custom,",
        "40/nowhere,",
        "41",
        "41/custom",
        '42["a",1]',
        '427["a"]',
        '42/custom,["b"]',
        '42["disconnect"]',
        '451-["c",{"_placeholder":true,"num":0}]',
        '452-["c"]',
        "430[]",
        "431[1]",
        '44{"message":"x"}',
        "4",
        "4abc",
        "1",
        "2",
        "2probe",
        "3",
        "5",
        "6",
        "7",
        "",
        "bAQID",
        "b!",
        "b4AQID",
        "40/custom?a=b,",
        '42/custom?a=b,["b"]',
    ]
)
frames = packets | st.binary(max_size=3)
index = st.integers(0, 5)
revisions = st.sampled_from([3, 4])


def joined(body: list[str]) -> bytes:
    """A payload of revision 4."""
    return "\x1e".join(body).encode()


def counted(body: list[str]) -> bytes:
    """A payload of revision 3."""
    return "".join(f"{len(packet)}:{packet}" for packet in body).encode()


def counted_in_bytes(body: list[str]) -> bytes:
    """A payload of revision 3 in its binary form."""
    lengths = (bytes(map(int, str(len(packet)))) for packet in body)
    return b"".join(
        b"\0%b\xff%b" % (length, packet.encode())
        for length, packet in zip(lengths, body, strict=True)
    )


def filled_in(body: list[str]) -> bytes:
    """A form, as JSONP posts it."""
    return urlencode({"d": counted(body)}).encode()


class Peers(RuleBasedStateMachine):
    """Several clients, none of them well behaved, and an application that reacts to them."""

    def __init__(self) -> None:
        super().__init__()
        self.core, self.driver = socket_driver(
            "/custom",
            accept=False,
            engine={"max_payload": 200, "max_buffer": 5_000, "allow_eio3": True, "jsonp": True},
        )
        self.sids: list[str] = []
        self.pending: list[Socket] = []
        self.sockets: list[Socket] = []
        self.asked: dict[tuple[int, int], int] = {}
        self.stage: dict[int, str] = {}
        self.seen = 0
        self.fall_silent = False

    @initialize(fall_silent=st.booleans())
    def choose_the_end(self, fall_silent: bool) -> None:
        self.fall_silent = fall_silent

    # Facts

    @rule(revision=revisions)
    def open_polling(self, revision: int) -> None:
        self.driver.revision = revision
        self.driver.open_polling()
        self.look()

    @rule(revision=revisions)
    def open_jsonp(self, revision: int) -> None:
        self.driver.http(request(f"EIO={revision}&transport=polling&j=0"))
        self.look()

    @rule(revision=revisions)
    def open_websocket(self, revision: int) -> None:
        self.driver.revision = revision
        self.driver.open_websocket()
        self.look()

    @precondition(lambda self: self.sids)
    @rule(number=index, revision=st.sampled_from(["4", "3", ""]))
    def poll(self, number: int, revision: str) -> None:
        sid = self.sids[number % len(self.sids)]
        self.driver.http(request(f"EIO={revision}&transport=polling&sid={sid}"))
        self.look()

    @precondition(lambda self: self.sids)
    @rule(number=index)
    def poll_rightly(self, number: int) -> None:
        self.driver.poll(self.sids[number % len(self.sids)])
        self.look()

    @precondition(lambda self: self.sids)
    @rule(number=index, label=st.sampled_from(["text/plain", "application/octet-stream"]))
    def start_post(self, number: int, label: str) -> None:
        sid = self.sids[number % len(self.sids)]
        self.driver.start(request(self.driver.query(sid), "POST", content_type=label))
        self.look()

    @precondition(lambda self: self.driver.unanswered)
    @rule(
        number=index,
        body=st.lists(packets, max_size=4),
        shape=st.sampled_from([joined, counted, counted_in_bytes, filled_in]),
        more=st.integers(0, 1),
    )
    def finish_post(
        self, number: int, body: list[str], shape: Callable[[list[str]], bytes], more: int
    ) -> None:
        exchange = self.driver.unanswered[number % len(self.driver.unanswered)]
        self.driver.body(exchange, shape(body) + b"x" * 300 * more)
        self.look()

    @precondition(lambda self: self.driver.unanswered)
    @rule(number=index)
    def abort(self, number: int) -> None:
        self.driver.abort(self.driver.unanswered[number % len(self.driver.unanswered)])
        self.look()

    @precondition(lambda self: self.sids)
    @rule(number=index)
    def upgrade(self, number: int) -> None:
        self.driver.upgrade(self.sids[number % len(self.sids)])
        self.look()

    @precondition(lambda self: self.sids)
    @rule(number=index)
    def upgrade_at_once(self, number: int) -> None:
        w = self.driver.upgrade(self.sids[number % len(self.sids)])
        if w in self.driver.in_flight:
            self.driver.frame(w, "2probe", "5")
        self.look()

    @precondition(lambda self: self.driver.open_websockets)
    @rule(number=index, burst=st.lists(frames, min_size=1, max_size=4))
    def receive(self, number: int, burst: list[str | bytes]) -> None:
        open_websockets = self.driver.open_websockets
        self.driver.frame(open_websockets[number % len(open_websockets)], *burst)
        self.look()

    @precondition(lambda self: any(self.driver.in_flight.values()))
    @rule(number=index)
    def sent(self, number: int) -> None:
        busy = [w for w, flying in self.driver.in_flight.items() if flying]
        self.driver.sent(busy[number % len(busy)])
        self.look()

    @precondition(lambda self: self.driver.open_websockets)
    @rule(number=index, failed=st.booleans())
    def lose(self, number: int, failed: bool) -> None:
        open_websockets = self.driver.open_websockets
        w = open_websockets[number % len(open_websockets)]
        self.driver.closed(w, OSError("lost") if failed else None)
        self.look()

    @rule(seconds=st.sampled_from([0.05, 1.0, 11.0, 26.0, 50.0]))
    def sleep(self, seconds: float) -> None:
        self.driver.sleep(seconds)
        self.look()

    @precondition(lambda self: self.sids)
    @rule(number=index, held=st.booleans())
    def hold(self, number: int, held: bool) -> None:
        sid = self.sids[number % len(self.sids)]
        if held:
            self.core.engine.hold(sid, now=self.driver.now)
        else:
            self.core.engine.resume(sid, now=self.driver.now)
        self.settle()

    @rule(automatic=st.booleans())
    def change_pace(self, automatic: bool) -> None:
        self.driver.auto_sent = automatic

    # Commands

    @precondition(lambda self: self.pending)
    @rule(number=index, welcome=st.booleans())
    def answer(self, number: int, welcome: bool) -> None:
        socket = self.pending.pop(number % len(self.pending))
        gone = self.stage[id(socket)] == "gone"
        try:
            if welcome:
                self.core.accept(socket)
            else:
                self.core.reject(socket, "no", {"a": 1})
                self.stage[id(socket)] = "refused"
        except ClosedError:
            assert gone
        else:
            assert not gone
        self.settle()

    @precondition(lambda self: self.sockets)
    @rule(number=index, size=st.sampled_from([1, 100, 3000]))
    def emit(self, number: int, size: int) -> None:
        socket = self.sockets[number % len(self.sockets)]
        socket.emit("e", "x" * size, b"y")
        socket.join("room")
        socket.to("room").emit("told")
        self.settle()

    @precondition(lambda self: self.sockets)
    @rule(number=index)
    def ask(self, number: int) -> None:
        socket = self.sockets[number % len(self.sockets)]
        connected = socket.connected
        try:
            ack = socket.emit_with_ack("q", timeout=5, now=self.driver.now)
        except ClosedError:
            assert not connected
        else:
            self.asked[id(socket), ack] = 0
        self.settle()

    @precondition(lambda self: self.sockets)
    @rule(number=index, close=st.booleans())
    def disconnect(self, number: int, close: bool) -> None:
        socket = self.sockets[number % len(self.sockets)]
        socket.disconnect(close, now=self.driver.now)
        self.settle()

    @rule()
    def misuse(self) -> None:
        for mistake in ("connect", "disconnecting"):
            try:
                self.core.of("/").emit(mistake)
            except LocalProtocolError:
                continue
            raise AssertionError("a reserved name was emitted")

    # The books

    def settle(self) -> None:
        """Drain what a command left."""
        self.driver.drain()
        self.look()

    def look(self) -> None:
        """Enter the events since the last look."""
        events = self.driver.events[self.seen :]
        self.seen = len(self.driver.events)
        for event in events:
            match event:
                case SessionOpened() | SessionClosed():
                    raise AssertionError("an engine event came through")
                case ConnectRequested(socket=socket):
                    self.stage[id(socket)] = "asked"
                    self.pending.append(socket)
                case ConnectAbandoned(socket=socket):
                    assert self.stage[id(socket)] == "asked"
                    self.stage[id(socket)] = "gone"
                case Connected(socket=socket):
                    assert self.stage[id(socket)] == "asked"
                    self.stage[id(socket)] = "connected"
                    self.sockets.append(socket)
                case EventReceived(socket=socket, name=name):
                    assert self.stage[id(socket)] == "connected"
                    assert name in ("a", "b", "c")
                case AckReceived(socket=socket, id=ack) | AckFailed(socket=socket, id=ack):
                    assert self.stage[id(socket)] in ("connected", "disconnecting")
                    self.asked[id(socket), ack] += 1
                case Disconnecting(socket=socket):
                    assert self.stage[id(socket)] == "connected"
                    self.stage[id(socket)] = "disconnecting"
                case Disconnected(socket=socket):
                    assert self.stage[id(socket)] == "disconnecting"
                    self.stage[id(socket)] = "disconnected"
                    assert list(socket.rooms) == []
        sessions = self.core.engine._sessions
        self.sids = list(sessions)
        self.driver._revisions = {sid: s.dialect.revision for sid, s in sessions.items()}

    @invariant()
    def books_balance(self) -> None:
        statistics = self.core.statistics()
        connected = [s for s in self.sockets if self.stage[id(s)] == "connected"]
        assert statistics.sockets == len(connected)
        assert all(socket.connected for socket in connected)
        assert all(socket.id in socket.rooms for socket in connected)
        assert statistics.connections == statistics.engine.sessions
        assert statistics.engine.exchanges == len(self.driver.unanswered)
        assert statistics.engine.websockets == len(self.driver.open_websockets)
        for session in self.core.engine._sessions.values():
            held = sum(message.size + MESSAGE_OVERHEAD for message in session.buffer)
            assert session.buffered == held <= 5_000
            assert session.deadline < inf, "liveness is never lost"
        deadline = self.core.next_deadline()
        if statistics.engine.sessions:
            assert deadline is not None
        for (key, _), outcomes in self.asked.items():
            if self.stage[key] == "connected":
                assert outcomes <= 1
            else:
                assert outcomes == 1

    def teardown(self) -> None:
        """In the end everything ends, if only because all fall silent."""
        if self.fall_silent:
            self.driver.sleep(150)
            self.look()
            assert self.core.statistics().engine.sessions == 0
        self.core.shutdown(now=self.driver.now)
        self.settle()
        for w in self.driver.open_websockets:
            self.driver.closed(w)
        statistics = self.core.statistics()
        assert self.driver.unanswered == []
        assert (statistics.sockets, statistics.connections, statistics.engine.sessions) == (0, 0, 0)
        assert (statistics.engine.exchanges, statistics.engine.websockets) == (0, 0)
        assert set(self.stage.values()) <= {"gone", "refused", "disconnected"}
        assert all(outcomes == 1 for outcomes in self.asked.values())
        for namespace in self.core.namespaces.values():
            assert len(namespace.adapter.index) == 0  # type: ignore[attr-defined]  # the local one


TestPeers = Peers.TestCase
TestPeers.settings = settings(max_examples=PROGRAMS, stateful_step_count=40, deadline=None)
