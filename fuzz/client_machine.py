#!/usr/bin/env python3
"""Whatever a server and the network do to a Socket.IO client in the words of a script, it raises
nothing but what is documented, keeps the contract of its tokens, settles each acknowledgement once,
and holds nothing once it is closed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from fuzzing.bounds import Budget
from fuzzing.script import Scribe, Script
from fuzzing.target import Target
from sioproto import ClosedError, LocalProtocolError
from sioproto._output import Event
from sioproto.socketio import (
    ClientAckFailed,
    ClientAckReceived,
    ClientConfig,
    ClientConnected,
    ClientDisconnected,
    ClientEventReceived,
    SocketClient,
)
from tests.joined import Joined, engine_client

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

TRANSPORTS = (("polling", "websocket"), ("polling",), ("websocket",), ("websocket", "polling"))
NAMES = ("/", "/custom")
TIMES = (0.01, 0.1, 1.0, 6.0, 21.0, 61.0)
STATUSES = (200, 200, 200, 400, 404, 500, 301)
HEADERS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("set-cookie", "a=b; Max-Age=5"), ("set-cookie", "x")),
    (("set-cookie", "; ;=;Max-Age=x" * 3), ("content-type", "text/html")),
)
MAX_BUFFER = 5_000
MAX_ASKED = 40
OPEN = {"sid": "S", "pingInterval": 3000, "pingTimeout": 2000, "maxPayload": 1000}


class Peer:
    """A client, and a script in the place of its server and of its application."""

    def __init__(self, script: Script) -> None:
        self.script = script
        options = script.number()
        engine = engine_client(
            transports=TRANSPORTS[options & 3],
            try_all_transports=bool(options & 4),
            remember_upgrade=bool(options & 8),
            max_payload=400,
            max_buffer=MAX_BUFFER,
        )
        config = ClientConfig(
            retries=2 if options & 16 else 0, max_buffer=MAX_BUFFER, max_pending_acks=MAX_ASKED
        )
        self.core = SocketClient(engine, config, random=lambda: 0.5)
        for name in NAMES:
            self.core.of(name)
        self.joined = joined = Joined(self.core, None)
        joined.on_request = lambda request: True
        joined.on_connect = lambda connect: True
        joined.on_event = self._on_event
        self.asked: dict[tuple[str, int], int] = {}
        """How often each acknowledgement was settled."""
        self.there: dict[str, bool] = {}
        self.actions: tuple[Callable[[], object], ...] = (
            self.respond, self.respond_open, self.fail, self.accept, self.refuse, self.frame,
            self.frames, self.open_frame, self.close_websocket, self.break_websocket, self.cut,
            self.wait, self.connect, self.disconnect, self.emit, self.emit_volatile, self.ask,
            self.close, self.hold, self.misuse,
        )  # fmt: skip

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ClientAckReceived | ClientAckFailed):
            key = (event.socket.namespace, event.id)
            self.asked[key] += 1
            assert self.asked[key] == 1, "an acknowledgement with two outcomes"
        elif isinstance(event, ClientConnected):
            self.there[event.socket.namespace] = True  # perhaps again (SIO-CLI-08)
        elif isinstance(event, ClientDisconnected):
            assert self.there.get(event.socket.namespace), "disconnected without being connected"
            self.there[event.socket.namespace] = False
        elif isinstance(event, ClientEventReceived):
            assert event.name not in ("connect", "disconnect"), "a reserved name came through"
            if event.reply is not None:
                event.reply(b"x")

    # The server and the network

    @property
    def _exchanges(self) -> list[int]:
        return list(self.joined._exchanges)

    @property
    def _websockets(self) -> list[int]:
        return list(self.joined._websockets)

    def respond(self) -> None:
        status, headers = self.script.one_of(STATUSES), self.script.one_of(HEADERS)
        packets = [self.script.text() for _ in range(1 + self.script.number() % 3)]
        body = "\x1e".join(packets).encode(errors="replace")
        if self.script.flag():
            body = b"ok"
        if self._exchanges:
            self.joined.respond(self.script.one_of(self._exchanges), status, headers, body)

    def _open_packet(self) -> str:
        upgrades = ["websocket"] if self.script.flag() else []
        return "0" + json.dumps({**OPEN, "upgrades": upgrades})

    def respond_open(self) -> None:
        body = self._open_packet().encode()
        if self._exchanges:
            self.joined.respond(self._exchanges[0], body=body)

    def fail(self) -> None:
        if self._exchanges:
            self.joined.fail(self.script.one_of(self._exchanges))

    def accept(self) -> None:
        if self._websockets:
            self.joined.accept(self.script.one_of(self._websockets))

    def refuse(self) -> None:
        status, body = self.script.one_of(STATUSES), self.script.binary()
        if self._websockets:
            self.joined.refuse(self.script.one_of(self._websockets), status, (), body)

    def _open_websockets(self) -> list[int]:
        return [ws for ws, state in self.joined._websockets.items() if state not in ("connecting",)]

    def _say(self, messages: list[str | bytes]) -> None:
        if open_websockets := self._open_websockets():
            ws = self.script.one_of(open_websockets)
            for message in messages:
                self.joined.frame(ws, message)

    def frame(self) -> None:
        self._say([self.script.message()])

    def frames(self) -> None:
        self._say([self.script.message() for _ in range(1 + self.script.number() % 4)])

    def open_frame(self) -> None:
        self._say([self._open_packet()])

    def close_websocket(self) -> None:
        if self._websockets:
            self.joined.close_websocket(self.script.one_of(self._websockets))

    def break_websocket(self) -> None:
        if self._websockets:
            self.joined.break_websocket(self.script.one_of(self._websockets))

    def cut(self) -> None:
        self.joined.cut()

    def wait(self) -> None:
        self.joined.run(self.script.one_of(TIMES))

    # The application

    def connect(self) -> None:
        self.core.of(self.script.one_of(NAMES)).connect(now=self.joined.now)

    def disconnect(self) -> None:
        self.core.of(self.script.one_of(NAMES)).disconnect(now=self.joined.now)

    def emit(self) -> None:
        text = "x" * self.script.one_of((1, 100, 1000, 3000))
        with suppress(ClosedError, LocalProtocolError):  # a buffer of its own is full
            self.core.of(self.script.one_of(NAMES)).emit("e", text, b"y")

    def emit_volatile(self) -> None:
        self.core.of(self.script.one_of(NAMES)).volatile.emit("e", b"y")

    def ask(self) -> None:
        if len(self.asked) >= MAX_ASKED:
            return
        socket = self.core.of(self.script.one_of(NAMES))
        with suppress(ClosedError, LocalProtocolError):  # the same
            id = socket.emit_with_ack("q", timeout=3.0, now=self.joined.now)
            self.asked[socket.namespace, id] = 0

    def close(self) -> None:
        self.core.close(now=self.joined.now)

    def hold(self) -> None:
        engine = self.core.engine
        (engine.hold if self.script.flag() else engine.resume)(now=self.joined.now)

    def misuse(self) -> None:
        """Every one of these is refused, and changes nothing."""
        core, now = self.core, self.joined.now
        before = str(core.statistics())
        mistakes: tuple[Callable[[], object], ...] = (
            lambda: core.of("/").emit("connect"),
            lambda: core.of("/").emit("a", float("inf")),
            lambda: core.of("/a,b"),
            lambda: core.http_failed(999_999, OSError(), now=now),
            lambda: core.ws_text(999_999, "4", now=now),
            lambda: core.ws_closed(999_999, now=now),
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
        engine = statistics.engine
        assert engine.exchanges == len(self._exchanges)
        assert engine.websockets == len(self._websockets)
        assert engine.buffered <= MAX_BUFFER
        assert statistics.timers <= 64 + 10 * (len(self.asked) + len(NAMES) + engine.leaving)
        for name in NAMES:
            assert self.core.of(name).connected == bool(self.there.get(name))

    def end(self) -> None:
        """Once it is closed, nothing is left; what was asked has one outcome."""
        self.core.close(now=self.joined.now)
        self.joined.run(100.0)
        for ws in self._websockets:
            self.joined.break_websocket(ws)
        self.joined.run(100.0)
        statistics = self.core.statistics()
        engine = statistics.engine
        assert (engine.exchanges, engine.websockets, engine.leaving, statistics.active) == (0,) * 4
        assert not any(self.there.values())
        # What is to be retried waits until the application connects again (SIO-CBUF-09).
        if not self.core.config.retries:
            assert all(outcomes == 1 for outcomes in self.asked.values()), self.asked


def _run(data: bytes, check: Callable[[Peer], object]) -> Peer:
    script = Script(data)
    peer = Peer(script)
    while not script.over:
        script.one_of(peer.actions)()
        peer.joined.drain()
        check(peer)
    return peer


def decode(data: bytes) -> None:
    _run(data, lambda peer: None)


def judge(data: bytes) -> None:
    _run(data, Peer.check).end()


ACTIONS = [action.__name__ for action in Peer(Script(b"")).actions]
scribe = Scribe(ACTIONS)


def seeds() -> list[bytes]:
    from fuzzing.script import PACKETS

    def at(packet: str) -> int:
        return PACKETS.index(packet)

    joined = at('40{"sid":"S","pid":"P"}')
    hole = at('451-["c",{"_placeholder":true,"num":0}]')
    polling = [("connect", 0), ("respond_open", 1), ("wait", 0)]
    websocket = [("connect", 0), ("accept", 0), ("open_frame", 0, 0), ("wait", 0)]
    ready = [*websocket, ("frame", 0, joined, 0)]
    scripts: list[tuple[int, list[tuple[object, ...]]]] = [
        (0, [*polling, ("respond", 0, 0, 0, joined, 0, 0), ("emit", 0, 0), ("wait", 1)]),
        (0, [*polling, ("accept", 0), ("wait", 1), ("frame", 0, at("3probe"), 0), ("wait", 2)]),
        (1, [*polling, ("respond", 0, 0, 0, at("2"), 0, 0), ("wait", 0), ("cut",), ("wait", 3)]),
        (2, [*ready, ("frame", 0, at('427["a"]'), 0), ("ask", 0), ("frame", 0, at("431[1]"), 0)]),
        (2, [*ready, ("frames", 1, 0, hole, 3, 1, 0), ("frame", 0, hole, 0), ("wait", 4)]),
        (2, [*ready, ("frame", 0, at("41"), 0), ("connect", 0), ("wait", 2)]),
        (2, [*ready, ("break_websocket", 0), ("emit", 1, 0), ("wait", 3), ("accept", 0)]),
        (2, [*websocket, ("frame", 0, at('44{"message":"x"}'), 0), ("wait", 2), ("close",)]),
        (2, [*websocket, ("frame", 0, at('42["e","offset"]'), 0), ("frame", 0, joined, 0)]),
        (18, [*ready, ("ask", 0), ("emit", 0, 0), ("wait", 4), ("frame", 0, at("430[]"), 0)]),
        (3, [("connect", 1), ("refuse", 3, 2), ("wait", 2), ("respond_open", 0), ("hold", 1)]),
        (4, [("connect", 0), ("fail", 0), ("wait", 1), ("accept", 0), ("open_frame", 0, 0)]),
        (0, [("connect", 0), ("respond", 4, 2, 0, 0, 1), ("wait", 3), ("misuse", 3)]),
    ]
    return [bytes([options]) + scribe(*script) for options, script in scripts]


def _repeated(
    *steps: tuple[object, ...], first: tuple[tuple[object, ...], ...] = (), options: int = 2
) -> Callable[[int], bytes]:
    once = scribe(*steps)
    return lambda size: bytes([options]) + scribe(*first) + once * (size // len(once))


ON_WEBSOCKET = (
    ("connect", 0),
    ("accept", 0),
    ("open_frame", 0, 0),
    ("wait", 0),
    ("frame", 0, 5, 0),
)
WORST = {
    "events": _repeated(("frame", 0, 8, 0), first=ON_WEBSOCKET),
    "questions": _repeated(("frame", 0, 9, 0), first=ON_WEBSOCKET),
    "emitted while away": _repeated(("emit", 0, 0), first=(("connect", 0),)),
    "emitted and written": _repeated(("emit", 0, 0), ("wait", 0), first=ON_WEBSOCKET),
    "acknowledgements asked for": _repeated(("ask", 0), first=ON_WEBSOCKET),
    "joined and left": _repeated(("disconnect", 0), ("connect", 0), first=ON_WEBSOCKET),
    "time": _repeated(("wait", 5), first=(("connect", 0),)),
    "failures": _repeated(("fail", 0), ("wait", 3), first=(("connect", 0),), options=1),
    "polls": _repeated(
        ("respond", 0, 0, 0, 46, 0, 0), first=(("connect", 0), ("respond_open", 0)), options=1
    ),
    "events before the answer": _repeated(("frame", 0, 8, 0), first=ON_WEBSOCKET[:3]),
    "mistakes": _repeated(("misuse", 0)),
}


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    byte = st.integers(0, 255) | st.integers(0, 12)
    step = st.builds(
        lambda name, rest: bytes([ACTIONS.index(name), *rest]),
        st.sampled_from(ACTIONS),
        st.lists(byte, max_size=4),
    )
    first = st.sampled_from([seed[1:] for seed in seeds()])
    return st.builds(
        lambda options, first, steps: bytes([options]) + b"".join([*first, *steps]),
        st.integers(0, 31),
        st.lists(first, max_size=2),
        st.lists(step, max_size=12),
    )


TARGET = Target(
    file=__file__,
    decode=decode,
    judge=judge,
    budget=Budget(operations=1200, memory=1200, first_operations=5_000, first_memory=400_000),
    seeds=seeds,
    worst=WORST,
    examples=examples,
)

if __name__ == "__main__":
    TARGET.main()
