"""A driver for tests:

it keeps the books of the token contract and fails when the core breaks it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from sioproto import ClosedError
from sioproto._output import Effect, Event, Output
from sioproto.engineio import (
    EngineServer,
    HttpRead,
    HttpRespond,
    Request,
    ServerConfig,
    WsAccept,
    WsClose,
    WsReject,
    WsSend,
)
from sioproto.socketio import (
    ConnectRequested,
    SocketServer,
)
from sioproto.socketio import ServerConfig as SocketConfig

T = TypeVar("T", bound=Event)

PROGRAMS = int(os.environ.get("SIOPROTO_EXAMPLES", "200"))
"""So many examples each property of tests/property runs."""

STEPS = int(os.environ.get("SIOPROTO_STEPS", "40"))
"""So many steps the programs of state machines have at most."""


class Core(Protocol):
    """What the two server machines have in common."""

    def http_request(self, exchange: str, request: Request, *, now: float) -> None: ...
    def http_body(self, exchange: str, data: bytes, *, now: float) -> None: ...
    def http_aborted(self, exchange: str, *, now: float) -> None: ...
    def ws_connected(self, ws: str, request: Request, *, now: float) -> None: ...
    def ws_text(self, ws: str, text: str, *, now: float) -> None: ...
    def ws_binary(self, ws: str, data: bytes, *, now: float) -> None: ...
    def ws_sent(self, ws: str, *, now: float) -> None: ...
    def ws_closed(self, ws: str, *, now: float, error: Exception | None = None) -> None: ...
    def handle_timeout(self, *, now: float) -> None: ...
    def next_deadline(self) -> float | None: ...
    def outputs(self) -> Iterator[Output]: ...


def counter(prefix: str) -> Callable[[], str]:
    """Ids that can be foreseen."""
    numbers = itertools.count(1)
    return lambda: f"{prefix}{next(numbers)}"


def request(query: str, method: str = "GET", **headers: str) -> Request:
    """The head of a request to the default path."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request(method=method, target=f"/engine.io/?{query}", headers=pairs, address="192.0.2.1")


class Driver:
    """Drives a core. Every method states a fact, drains, and returns what came out."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.now = 0.0
        self.auto_sent = True
        """Whether each batch is acknowledged at once."""
        self.revision = 4
        """Of Engine.IO: what the shorthands speak from now on."""
        self._revisions: dict[str, int] = {}
        self.answers: dict[str, HttpRespond[str]] = {}
        self.frames: dict[str, list[str | bytes]] = {}
        self.close_codes: dict[str, int | None] = {}
        self.accepted: dict[str, WsAccept[str]] = {}
        self.rejected: dict[str, WsReject[str]] = {}
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        self.in_flight: dict[str, bool] = {}
        self._open: dict[str, str] = {}
        self._connecting: set[str] = set()
        self._names = itertools.count(1)

    # The contract

    def drain(self, until: type[Event] | None = None) -> list[Output]:
        """Drain the core, or up to an event, holding each effect against the contract."""
        outputs: list[Output] = []
        for out in self.core.outputs():
            outputs.append(out)
            if isinstance(out, Event):
                self.events.append(out)
                self.on_event(out)
                if type(out) is until:
                    break
            else:
                self._effect(out)
        return outputs

    def _effect(self, out: Effect) -> None:
        match out:
            case HttpRead(exchange=x, limit=limit):
                assert self._open[x] == "asked", f"{x} was read already"
                assert limit > 0
                self._open[x] = "reading"
            case HttpRespond(exchange=x):
                assert self._open.pop(x, None), f"{x} is not open"
                assert all(name == name.lower() for name, _ in out.headers)
                assert type(out.body) is bytes
                self.answers[x] = out
            case WsAccept(ws=w):
                self._connecting.remove(w)
                self.accepted[w] = out
                self.frames[w] = []
                self.in_flight[w] = False
            case WsReject(ws=w):
                self._connecting.remove(w)
                self.rejected[w] = out
            case WsSend(ws=w):
                assert w in self.in_flight, f"{w} is not open"
                assert w not in self.close_codes, f"{w} is closed"
                assert not self.in_flight[w], f"{w} has a batch in flight"
                assert out.frames
                self.frames[w] += [frame.payload for frame in out.frames]
                if self.auto_sent:
                    self.core.ws_sent(w, now=self.now)
                else:
                    self.in_flight[w] = True
            case WsClose(ws=w):
                assert w in self.in_flight, f"{w} is not open"
                assert w not in self.close_codes, f"{w} is closed twice"
                self.close_codes[w] = out.code
            case _:
                raise AssertionError(f"unknown effect {out!r}")

    @property
    def unanswered(self) -> list[str]:
        """The exchanges that wait for an answer."""
        return list(self._open)

    @property
    def open_websockets(self) -> list[str]:
        """Those that have not been retired."""
        return list(self.in_flight)

    # Facts

    def http(self, head: Request, body: bytes = b"", name: str = "") -> str:
        """State a request, and its body if it is wanted. Returns its token."""
        x = self.start(head, name)
        if self._open.get(x) == "reading":
            self.body(x, body)
        return x

    def start(self, head: Request, name: str = "") -> str:
        """State the head of a request. Returns its token."""
        x = name or f"x{next(self._names)}"
        self._open[x] = "asked"
        self.core.http_request(x, head, now=self.now)
        self.drain()
        return x

    def body(self, x: str, body: bytes) -> None:
        """State the body of a request."""
        self.core.http_body(x, body, now=self.now)
        self.drain()

    def abort(self, x: str) -> None:
        """The client drops a request."""
        self._open.pop(x, None)
        self.core.http_aborted(x, now=self.now)
        self.drain()

    def connect(self, head: Request, name: str = "") -> str:
        """State an upgrade request. Returns its token."""
        w = name or f"w{next(self._names)}"
        self._connecting.add(w)
        self.core.ws_connected(w, head, now=self.now)
        self.drain()
        return w

    def frame(self, w: str, *frames: str | bytes) -> list[str | bytes]:
        """State messages. Returns what was sent back on this WebSocket."""
        before = len(self.frames[w])
        for frame in frames:
            if isinstance(frame, str):
                self.core.ws_text(w, frame, now=self.now)
            else:
                self.core.ws_binary(w, frame, now=self.now)
        self.drain()
        return self.frames[w][before:]

    def sent(self, w: str) -> None:
        """The batch in flight is written."""
        self.in_flight[w] = False
        self.core.ws_sent(w, now=self.now)
        self.drain()

    def closed(self, w: str, error: Exception | None = None) -> None:
        """A WebSocket has ended."""
        del self.in_flight[w]
        self.close_codes.pop(w, None)
        self.core.ws_closed(w, now=self.now, error=error)
        self.drain()

    def sleep(self, seconds: float) -> None:
        """Let time pass, waking the core whenever it asks for it."""
        end = self.now + seconds
        while (deadline := self.core.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.core.handle_timeout(now=self.now)
            self.drain()
            after = self.core.next_deadline()
            assert after is None or after > self.now, "what is due was not done"
        self.now = end

    # Shorthands

    def open_polling(self) -> str:
        """Open a session by polling. Returns its id."""
        x = self.http(request(f"EIO={self.revision}&transport=polling"))
        return self._opened(self.answers[x].body.decode())

    def open_websocket(self) -> tuple[str, str]:
        """Open a session by WebSocket. Returns its token and its id."""
        w = self.connect(request(f"EIO={self.revision}&transport=websocket"))
        first = self.frames[w][0]
        assert isinstance(first, str)
        return w, self._opened(first)

    def _opened(self, handshake: str) -> str:
        sid = handshake.split('"')[3]
        self._revisions[sid] = self.revision
        return sid

    def query(self, sid: str, transport: str = "polling") -> str:
        """The query of a request for a session, in its own revision."""
        return f"EIO={self._revisions.get(sid, self.revision)}&transport={transport}&sid={sid}"

    def poll(self, sid: str) -> str:
        """State a poll. Returns its token."""
        return self.http(request(self.query(sid)))

    def post(self, sid: str, body: str | bytes) -> HttpRespond[str]:
        """State a POST. Returns its answer."""
        data = body.encode() if isinstance(body, str) else body
        x = self.http(request(self.query(sid), "POST"), data)
        return self.answers[x]

    def poll_now(self, sid: str) -> str:
        """State a poll that is answered at once. Returns the body."""
        return self.answers[self.poll(sid)].body.decode()

    def upgrade(self, sid: str) -> str:
        """State an upgrade request for a session. Returns its token."""
        return self.connect(request(self.query(sid, "websocket")))

    def events_of(self, kind: type[T]) -> list[T]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]


def engine_driver(**config: Any) -> tuple[EngineServer[str], Driver]:
    """An engine and its driver."""
    core: EngineServer[str] = EngineServer(ServerConfig(**config), new_sid=counter("E"))
    return core, Driver(core)


def socket_driver(
    *namespaces: str,
    engine: dict[str, Any] | None = None,
    accept: bool = True,
    **config: Any,
) -> tuple[SocketServer[str], Driver]:
    """A Socket.IO server and its driver, which by default accepts every socket at once."""
    core: SocketServer[str] = SocketServer(
        EngineServer(ServerConfig(**(engine or {})), new_sid=counter("E")),
        SocketConfig(**config),
        new_id=counter("S"),
        wall_clock=lambda: 1_700_000_000.5,
    )
    for name in namespaces:
        core.of(name)
    return core, accepting(core) if accept else Driver(core)


def accepting(core: SocketServer[str]) -> Driver:
    """A driver that accepts every socket at once."""
    driver = Driver(core)

    def on_event(event: Event) -> None:
        if isinstance(event, ConnectRequested):
            with suppress(ClosedError):  # the same burst may have ended it
                core.accept(event.socket)

    driver.on_event = on_event
    return driver
