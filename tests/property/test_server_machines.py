"""Whatever peers do, and in whatever order: no exception, and the books balance.

The driver of ``tests.harness`` holds every effect against the token contract. On top of that, after
each step: nothing is due that was not done, what sessions buffer is what was sent and not fetched,
and each acknowledgement asked for has exactly one outcome in the end. Some peers speak revision 3,
or JSONP, and any of them may send what belongs to the other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf
from urllib.parse import urlencode

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sioproto import ClosedError, LocalProtocolError
from sioproto._output import Event
from sioproto.engineio._session import MESSAGE_OVERHEAD
from sioproto.socketio import ConnectRequested, EventReceived, Socket
from tests.harness import PROGRAMS, STEPS, request, socket_driver
from tests.property.ledger import Ledger

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
# Most of what is drawn from the above ends a connection: these are what keeps one busy.
fitting = st.sampled_from(["40", "42", "427", "451", "43", "3", "41"])
BINARY_EVENT = '["c",{"_placeholder":true,"num":0}]'
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
        self.driver.on_event = self.on_event
        self.ledger = Ledger()
        self.hospitable = True
        self.sids: list[str] = []
        self.pending: list[Socket] = []
        self.fall_silent = False

    @property
    def sockets(self) -> list[Socket]:
        """Those that were let in, whatever has become of them."""
        return [*self.ledger.at("c"), *self.ledger.at("D")]

    def on_event(self, event: Event) -> None:
        self.ledger.enter([event])
        if isinstance(event, EventReceived):
            assert event.name in ("a", "b", "c")
            if event.reply is not None:
                event.reply()
        elif isinstance(event, ConnectRequested):
            if self.hospitable:
                with suppress(ClosedError):  # the same burst may have ended it
                    self.core.accept(event.socket)
            else:
                self.pending.append(event.socket)

    @initialize(
        websockets=st.lists(st.booleans(), min_size=1, max_size=3),
        hospitable=st.booleans(),
        fall_silent=st.booleans(),
    )
    def begin(self, websockets: list[bool], hospitable: bool, fall_silent: bool) -> None:
        for websocket in websockets:
            if websocket:
                self.driver.frame(self.driver.open_websocket()[0], "40")
            else:
                self.driver.post(self.driver.open_polling(), "40")
        self.hospitable = hospitable
        self.fall_silent = fall_silent
        self.look()

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

    @precondition(lambda self: self.sids)
    @rule(number=index, burst=st.lists(st.tuples(fitting, index), min_size=1, max_size=5))
    def behave(self, number: int, burst: list[tuple[str, int]]) -> None:
        """Send what may be sent, on the transport that the session has."""
        sid = self.sids[number % len(self.sids)]
        session = self.core.engine._sessions[sid]
        there = [s.namespace.name for s in self.ledger.at("c") if s.sid == sid]
        asked = [s.namespace.name for s in self.ledger.at("q") if s.sid == sid]
        texts: list[str | bytes] = []
        for header, id in burst:
            name = "/custom" if id % 2 else "/"
            if header == "3":  # the heartbeat, whichever way round it goes
                texts.append("3" if session.dialect.revision == 4 else "2")
            elif header == "40":
                if name not in there and name not in asked:
                    texts.append(self.packet("40", "" if name == "/" else name + ",", id))
                    asked.append(name)
            elif there:
                name = there[id % len(there)]
                namespace = "" if name == "/" else name + ","
                texts.append(self.packet(header, namespace, id))
                if header == "451":
                    binary = {3: ("b4AQID", b"\x04x"), 4: ("bAQID", b"x")}
                    texts.append(binary[session.dialect.revision][session.ws is not None])
        if session.ws is not None:
            self.driver.frame(session.ws, *texts)
        elif session.post is None and texts:
            encode = joined if session.dialect.revision == 4 else counted
            self.driver.post(sid, encode(list(map(str, texts)))[:200])
        self.look()

    def packet(self, header: str, namespace: str, id: int) -> str:
        if header == "451":
            return f"451-{namespace}{BINARY_EVENT}"
        payload = {
            "40": "",
            "41": "",
            "42": '["a"]',
            "427": '["b"]',
            "43": f"{self.ledger.open_ack(id)}[1]",
        }[header]
        return f"{header[:2]}{namespace}{header[2:]}{payload}"

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
        gone = self.ledger.stage(socket) == "a"
        try:
            if welcome:
                self.core.accept(socket)
            else:
                self.core.reject(socket, "no", {"a": 1})
                self.ledger.refused(socket)
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
            self.ledger.expect(socket, ack)
        self.settle()

    @rule(name=st.sampled_from(["/", "/custom"]), number=index, volatile=st.booleans())
    def ask_all(self, name: str, number: int, volatile: bool) -> None:
        namespace = self.core.of(name)
        operator = namespace.volatile if volatile else namespace.to()
        if number and self.sockets:
            operator = operator.except_(self.sockets[number % len(self.sockets)].id)
        ack = operator.emit_with_ack("q", b"x", timeout=5, now=self.driver.now)
        self.ledger.expect(namespace, ack)
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
        """Which sessions there are now."""
        sessions = self.core.engine._sessions
        self.sids = list(sessions)
        self.driver._revisions = {sid: s.dialect.revision for sid, s in sessions.items()}

    @invariant()
    def books_balance(self) -> None:
        statistics = self.core.statistics()
        connected = self.ledger.at("c")
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
        assert deadline is None or deadline > self.driver.now, "a deadline in the past"
        for (asked, _), outcomes in self.ledger.asked.items():
            # Whoever has gone owes nothing any more; a broadcast may still wait for others.
            if isinstance(asked, Socket) and not asked.connected:
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
        self.ledger.close()
        for namespace in self.core.namespaces.values():
            assert len(namespace.adapter.index) == 0  # type: ignore[attr-defined]  # the local one


TestPeers = Peers.TestCase
TestPeers.settings = settings(max_examples=PROGRAMS, stateful_step_count=STEPS, deadline=None)
