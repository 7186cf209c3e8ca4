#!/usr/bin/env python3
"""Whatever facts and commands a script states to a Socket.IO server, in whatever order, it raises
nothing but what is documented, keeps the contract of its tokens, holds no more than its limits,
and holds nothing when all have gone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fuzzing.bounds import Budget
from fuzzing.script import Scribe, Script
from fuzzing.target import Target
from sioproto import ClosedError, LocalProtocolError
from sioproto._output import Event
from sioproto.engineio import EngineServer, ServerConfig, encode_frame
from sioproto.engineio._session import MESSAGE_OVERHEAD
from sioproto.socketio import ConnectRequested, EventReceived, Socket, SocketServer
from sioproto.socketio import ServerConfig as SocketConfig
from tests.harness import counter, request
from tests.property.ledger import Ledger
from tests.streams import StreamDriver

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MAX_PAYLOAD = 300
MAX_BUFFER = 5_000
MAX_CLIENTS = 6
"""So many sessions a script opens at most, so that what passes of time costs what it says."""
MAX_ASKED = 40
TIMES = (0.01, 0.05, 1.0, 11.0, 26.0, 50.0)
METHODS = ("GET", "POST", "OPTIONS", "PUT")
LABELS = ("text/plain", "application/octet-stream")


class Peers:
    """The clients, and an application."""

    def __init__(self, script: Script) -> None:
        self.script = script
        options = script.number()
        engine = ServerConfig(
            max_payload=MAX_PAYLOAD,
            max_buffer=MAX_BUFFER,
            allow_eio3=True,
            jsonp=True,
            transports=("polling", "websocket", "webtransport"),
        )
        self.core: SocketServer[str] = SocketServer(
            EngineServer(engine, new_sid=counter("E")),
            SocketConfig(max_namespaces=2, max_pending_acks=5),
            new_id=counter("S"),
            wall_clock=lambda: 1_700_000_000.5,
        )
        self.core.of("/custom")
        self.driver = StreamDriver(self.core)
        self.driver.on_event = self._on_event
        self.hospitable = options & 1 == 0
        self.ledger = Ledger()
        self.pending: list[Socket] = []
        self.opened = 0
        self.actions: tuple[Callable[[], object], ...] = (
            self.poll, self.post, self.start_post, self.finish_post, self.abort, self.odd_request,
            self.open_polling, self.open_websocket, self.open_jsonp, self.open_stream,
            self.upgrade, self.upgrade_at_once, self.frame, self.frames, self.sent, self.lose,
            self.say, self.stream_data, self.stream_sent, self.stream_gone, self.sleep,
            self.accept, self.reject, self.emit, self.ask, self.ask_all, self.disconnect,
            self.hold, self.change_pace, self.change_mind, self.misuse, self.close_session,
        )  # fmt: skip

    def _on_event(self, event: Event) -> None:
        self.ledger.enter([event])
        if isinstance(event, EventReceived):
            assert event.name not in ("connect", "disconnect"), "a reserved name came through"
            if event.reply is not None:
                event.reply()
        elif isinstance(event, ConnectRequested):
            if self.hospitable:
                with suppress(ClosedError):  # the same burst may have ended it
                    self.core.accept(event.socket)
            else:
                self.pending.append(event.socket)

    # Who is there

    @property
    def sids(self) -> list[str]:
        return list(self.core.engine._sessions)

    @property
    def sockets(self) -> list[Socket]:
        return [*self.ledger.at("c"), *self.ledger.at("D")]

    def _sid(self) -> str:
        sids = self.sids
        return self.script.one_of(sids) if sids else "nobody"

    def _query(self, transport: str = "polling") -> str:
        """Of a request for a session: in its own revision, mostly."""
        sid = self._sid()
        session = self.core.engine._sessions.get(sid)
        revision = 4 if session is None else session.dialect.revision
        if self.script.number() >= 0xF0:
            revision = 7 - revision
        return f"EIO={revision}&transport={transport}&sid={sid}"

    def _may_open(self) -> bool:
        self.opened += 1
        return self.opened <= MAX_CLIENTS

    # Facts

    def open_polling(self) -> None:
        if self._may_open():
            self.driver.http(request(f"EIO={3 + self.script.flag()}&transport=polling"))

    def open_jsonp(self) -> None:
        if self._may_open():
            self.driver.http(request(f"EIO={3 + self.script.flag()}&transport=polling&j=0"))

    def open_websocket(self) -> None:
        if self._may_open():
            self.driver.connect(request(f"EIO={3 + self.script.flag()}&transport=websocket"))

    def open_stream(self) -> None:
        if self._may_open():
            self.driver.stream(name=f"s{self.opened}")

    def poll(self) -> None:
        self.driver.http(request(self._query()))

    def post(self) -> None:
        self.start_post()
        if "reading" in self.driver._open.values():
            self.finish_post()

    def start_post(self) -> None:
        label = LABELS[self.script.number() == 1]
        self.driver.start(request(self._query(), "POST", content_type=label))

    def finish_post(self) -> None:
        body = self._body()
        reading = [x for x, state in self.driver._open.items() if state == "reading"]
        if reading:
            self.driver.body(self.script.one_of(reading), body)

    def _body(self) -> bytes:
        form = self.script.number() % 5
        if form == 4:
            return self.script.binary()
        packets = [self.script.text() for _ in range(1 + self.script.number() % 3)]
        encoded = [packet.encode(errors="replace") for packet in packets]
        if form == 0:
            return b"\x1e".join(encoded)
        counted = b"".join(b"%d:%b" % (len(packet), packet) for packet in encoded)
        if form == 1:
            return counted
        if form == 2:
            return urlencode({"d": counted}).encode()
        lengths = (bytes(map(int, str(len(packet)))) for packet in encoded)
        return b"".join(
            b"\0%b\xff%b" % (length, packet)
            for length, packet in zip(lengths, encoded, strict=True)
        )

    def abort(self) -> None:
        if self.driver.unanswered:
            self.driver.abort(self.script.one_of(self.driver.unanswered))

    def odd_request(self) -> None:
        query = self.script.text()
        head = request(f"{self._query()}&{query}", self.script.one_of(METHODS))
        if self.script.flag():
            self.driver.connect(head)
        else:
            self.driver.start(head)

    def upgrade(self) -> None:
        self.driver.connect(request(self._query("websocket")))

    def upgrade_at_once(self) -> None:
        w = self.driver.connect(request(self._query("websocket")))
        if w in self.driver.in_flight:
            self.driver.frame(w, "2probe", "5")

    def _send(self, count: int) -> None:
        messages = [self.script.message() for _ in range(count)]
        if self.driver.open_websockets:
            self.driver.frame(self.script.one_of(self.driver.open_websockets), *messages)

    def frame(self) -> None:
        self._send(1)

    def frames(self) -> None:
        self._send(1 + self.script.number() % 4)

    def sent(self) -> None:
        busy = [w for w, flying in self.driver.in_flight.items() if flying]
        if busy:
            self.driver.sent(self.script.one_of(busy))

    def lose(self) -> None:
        error = OSError("lost") if self.script.flag() else None
        if self.driver.open_websockets:
            self.driver.closed(self.script.one_of(self.driver.open_websockets), error)

    def say(self) -> None:
        message = self.script.message()
        if isinstance(message, str):
            message = message.encode(errors="replace").decode()
        if message:
            self._stream_data(encode_frame(message))

    def stream_data(self) -> None:
        self._stream_data(self.script.binary())

    def _stream_data(self, data: bytes) -> None:
        if self.driver.streams:
            self.driver.raw(self.script.one_of(list(self.driver.streams)), data)

    def stream_sent(self) -> None:
        if self.driver.unsent:
            s = self.script.one_of(sorted(self.driver.unsent))
            self.driver.unsent.remove(s)
            self.core.wt_sent(s, now=self.driver.now)
            self.driver.drain()

    def stream_gone(self) -> None:
        error = OSError("lost") if self.script.flag() else None
        if self.driver.streams:
            self._retire_stream(self.script.one_of(list(self.driver.streams)), error)

    def _retire_stream(self, s: str, error: Exception | None = None) -> None:
        del self.driver.streams[s]
        self.driver.ended.discard(s)
        self.driver.unsent.discard(s)
        self.driver.gone(s, error)

    def sleep(self) -> None:
        self.driver.sleep(self.script.one_of(TIMES))

    # Commands

    def _answer(self, answer: Callable[[Socket], object]) -> bool | None:
        if not self.pending:
            return None
        socket = self.pending.pop(self.script.number() % len(self.pending))
        gone = self.ledger.stage(socket) == "a"
        try:
            answer(socket)
        except ClosedError:
            assert gone
        else:
            assert not gone
        self.driver.drain()
        return None

    def accept(self) -> None:
        self._answer(self.core.accept)

    def reject(self) -> None:
        def refuse(socket: Socket) -> None:
            self.core.reject(socket, "no", {"a": 1})
            self.ledger.refused(socket)

        self._answer(refuse)

    def emit(self) -> None:
        size = self.script.one_of((1, 100, 1000, 3000))
        if self.sockets:
            socket = self.script.one_of(self.sockets)
            socket.emit("e", "x" * size, b"y")
            socket.join("room")
            socket.to("room").emit("told")
            self.driver.drain()

    def ask(self) -> None:
        if not self.sockets or len(self.ledger.asked) >= MAX_ASKED:
            return
        socket = self.script.one_of(self.sockets)
        connected = socket.connected
        try:
            id = socket.emit_with_ack("q", timeout=5, now=self.driver.now)
        except ClosedError:
            assert not connected
        except LocalProtocolError:
            assert connected, "only a limit of its own"
        else:
            self.ledger.expect(socket, id)
        self.driver.drain()

    def ask_all(self) -> None:
        name = self.script.one_of(("/", "/custom"))
        if len(self.ledger.asked) >= MAX_ASKED:
            return
        namespace = self.core.of(name)
        operator = namespace.volatile if self.script.flag() else namespace.to()
        with suppress(LocalProtocolError):  # a limit of its own
            id = operator.emit_with_ack("q", b"x", timeout=5, now=self.driver.now)
            self.ledger.expect(namespace, id)
        self.driver.drain()

    def disconnect(self) -> None:
        close = self.script.flag()
        if self.sockets:
            self.script.one_of(self.sockets).disconnect(close, now=self.driver.now)
            self.driver.drain()

    def close_session(self) -> None:
        with suppress(ClosedError):
            self.core.engine.close(self._sid(), now=self.driver.now, discard=self.script.flag())
        self.driver.drain()

    def hold(self) -> None:
        what = self.core.engine.hold if self.script.flag() else self.core.engine.resume
        with suppress(ClosedError):
            what(self._sid(), now=self.driver.now)
        self.driver.drain()

    def change_pace(self) -> None:
        self.driver.auto_sent = not self.driver.auto_sent

    def change_mind(self) -> None:
        self.hospitable = not self.hospitable

    def misuse(self) -> None:
        """Every one of these is refused, and changes nothing."""
        core, now = self.core, self.driver.now
        before = str(core.statistics())
        mistakes: tuple[Callable[[], Any], ...] = (
            lambda: core.of("/").emit("connect"),
            lambda: core.of("/").emit("a", float("nan")),
            lambda: core.of("/").emit("a", {(1,): 2}),
            lambda: core.of("/a,b"),
            lambda: core.ws_text("nobody", "4", now=now),
            lambda: core.ws_sent("nobody", now=now),
        )
        try:
            self.script.one_of(mistakes)()
        except LocalProtocolError:
            pass
        else:
            raise AssertionError("a mistake was not refused")
        assert str(core.statistics()) == before

    # The books

    def check(self) -> None:
        statistics = self.core.statistics()
        assert statistics.sockets == len(self.ledger.at("c"))
        assert statistics.connections == statistics.engine.sessions
        assert statistics.engine.exchanges == len(self.driver.unanswered)
        held_open = len(self.driver.open_websockets) + len(self.driver.streams)
        assert statistics.engine.websockets == held_open
        assert statistics.timers <= 64 + 20 * (self.opened + len(self.ledger.asked))
        for session in self.core.engine._sessions.values():
            held = sum(message.size + MESSAGE_OVERHEAD for message in session.buffer)
            assert session.buffered == held <= MAX_BUFFER
            assert session.deadline < inf, "liveness is never lost"
        deadline = self.core.next_deadline()
        assert deadline is not None or not statistics.engine.sessions
        assert deadline is None or deadline > self.driver.now, "a deadline in the past"

    def end(self, quietly: bool) -> None:
        """In the end everything ends, if only because all fall silent."""
        if quietly:
            self.driver.sleep(200)
            assert self.core.statistics().engine.sessions == 0
        self.core.shutdown(now=self.driver.now)
        self.driver.drain()
        for w in self.driver.open_websockets:
            self.driver.closed(w)
        for s in list(self.driver.streams):
            self._retire_stream(s)
        statistics = self.core.statistics()
        assert self.driver.unanswered == []
        assert (statistics.sockets, statistics.connections, statistics.engine.sessions) == (0, 0, 0)
        assert (statistics.engine.exchanges, statistics.engine.websockets) == (0, 0)
        self.ledger.close()


def _run(data: bytes, check: Callable[[Peers], object]) -> Peers:
    script = Script(data)
    peers = Peers(script)
    while not script.over:
        script.one_of(peers.actions)()
        check(peers)
    return peers


def decode(data: bytes) -> None:
    _run(data, lambda peers: None)


def judge(data: bytes) -> None:
    peers = _run(data, Peers.check)
    peers.end(quietly=len(data) % 2 == 0)


ACTIONS = [action.__name__ for action in Peers(Script(b"")).actions]
scribe = Scribe(ACTIONS)


def seeds() -> list[bytes]:
    from fuzzing.script import PACKETS

    join = PACKETS.index("40")
    opened = [("open_websocket", 1), ("frame", 0, join, 0)]
    hole = PACKETS.index('451-["c",{"_placeholder":true,"num":0}]')
    scripts: list[list[tuple[object, ...]]] = [
        [("open_polling", 1), ("post", 0, 0, 0, 0, 0, join), ("poll", 0, 0), ("sleep", 4)],
        [*opened, ("frame", 0, PACKETS.index('427["a"]'), 0), ("ask", 0), ("frame", 0, 24, 0)],
        [
            *opened,
            ("frames", 1, 0, hole, 3, 1, 0),
            ("frame", 0, hole, 0),
            ("sleep", 4),
            ("sleep", 3),
        ],
        [
            ("open_polling", 1),
            ("poll", 0, 0),
            ("upgrade", 0, 0),
            ("frame", 0, PACKETS.index("2probe"), 0),
        ],
        [("open_polling", 1), ("upgrade_at_once", 0, 0), ("frame", 0, join, 0), ("emit", 2, 0)],
        [("open_polling", 0), ("post", 0, 0, 0, 1, 0, PACKETS.index("2")), ("poll", 0, 0)],
        [("open_polling", 0), ("post", 1, 0, 0, 3, 0, PACKETS.index("2")), ("poll", 0, 0xFF)],
        [("open_jsonp", 0), ("post", 0, 0, 0, 2, 1, 8, 8), ("poll", 0, 0)],
        [("open_stream",), ("say", 0, PACKETS.index("0"), 0), ("say", 0, join, 0), ("emit", 0, 0)],
        [("open_polling", 1), ("open_stream",), ("say", 0, PACKETS.index('0{"sid":"E1"}'), 0)],
        [*opened, ("change_pace",), ("emit", 3, 0), ("emit", 3, 0), ("sent", 0), ("lose", 1, 0)],
        [("change_mind",), *opened, ("accept", 0), ("change_mind",), ("disconnect", 1, 0)],
        [("change_mind",), *opened, ("reject", 0), ("misuse", 1), ("hold", 1, 0), ("sleep", 5)],
        [*opened, *opened, ("ask_all", 0, 0), ("frame", 0, 25, 0), ("close_session", 0, 0)],
        [
            ("open_polling", 1),
            ("start_post", 0, 0, 0),
            ("abort", 0),
            ("odd_request", 0, 0, 0, 2, 0),
        ],
    ]
    return [b"\0" + scribe(*script) for script in scripts]


def _repeated(*steps: tuple[object, ...], first: tuple[tuple[object, ...], ...] = ()) -> Any:
    once = scribe(*steps)
    return lambda size: b"\0" + scribe(*first) + once * (size // len(once))


IN = (("open_websocket", 1), ("frame", 0, 0, 0))
WORST = {
    "polls": _repeated(("poll", 0, 0), first=(("open_polling", 1),)),
    "polls of nobody": _repeated(("poll", 0, 0)),
    "sessions": _repeated(("open_polling", 1)),
    "events": _repeated(("frame", 0, 8, 0), first=IN),
    "questions": _repeated(("ask", 0), first=IN),
    "broadcasts": _repeated(("emit", 0, 0), first=(*IN, *IN, *IN)),
    "unsent": _repeated(("emit", 3, 0), first=(*IN, ("change_pace",))),
    "joins and leaves": _repeated(("frame", 0, 0, 0), ("frame", 0, 6, 0), first=IN),
    "namespaces": _repeated(("frame", 0, 2, 0), first=IN),
    "candidates": _repeated(("upgrade", 0, 0), first=(("open_polling", 1),)),
    "posts begun": _repeated(("start_post", 0, 0, 0), first=(("open_polling", 1),)),
    "time": _repeated(("sleep", 5), first=IN),
    "pieces of a stream": _repeated(("stream_data", b"\x7f", 0), first=(("open_stream",),)),
    "mistakes": _repeated(("misuse", 1)),
}


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    byte = st.integers(0, 255) | st.integers(0, 12)
    opening = st.sampled_from(
        (
            scribe(("open_websocket", 1), ("frame", 0, 0, 0)),
            scribe(("open_polling", 1), ("post", 0, 0, 0, 0, 0, 0)),
            scribe(("open_polling", 0)),
            scribe(("open_stream",), ("say", 0, 42, 0)),
            b"",
        )
    )
    step = st.builds(
        lambda name, rest: bytes([ACTIONS.index(name), *rest]),
        st.sampled_from(ACTIONS),
        st.lists(byte, max_size=5),
    )
    return st.builds(
        lambda options, first, steps: bytes([options]) + b"".join([*first, *steps]),
        st.integers(0, 1),
        st.lists(opening, min_size=1, max_size=2),
        st.lists(step, max_size=12) | st.lists(st.sampled_from(seeds()), max_size=2),
    )


TARGET = Target(
    file=__file__,
    decode=decode,
    judge=judge,
    budget=Budget(operations=300, memory=1000, first_operations=5_000, first_memory=400_000),
    seeds=seeds,
    worst=WORST,
    examples=examples,
)

if __name__ == "__main__":
    TARGET.main()
