"""Joins a client machine and a server machine in one process and in virtual time.

Each side's effects become facts of the other one after a latency. What travels on one WebSocket
stays in order; so does what travels on one request.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from heapq import heappop, heappush
from typing import Any, Protocol, TypeVar

from sioproto import ClosedError
from sioproto._output import Event, Output
from sioproto.engineio import (
    ClientConfig,
    EngineClient,
    EngineServer,
    HttpAbort,
    HttpRead,
    HttpRequest,
    HttpRespond,
    Request,
    ServerConfig,
    WsAccept,
    WsClose,
    WsConnect,
    WsReject,
    WsSend,
)
from sioproto.socketio import ClientConfig as SocketConfig
from sioproto.socketio import ConnectRequested, SocketClient, SocketServer
from sioproto.socketio import ServerConfig as SocketServerConfig
from tests.harness import Core, counter

T = TypeVar("T", bound=Event)
Pairs = tuple[tuple[str, str], ...]


class ClientCore(Protocol):
    """What the two client machines have in common."""

    def http_response(
        self, exchange: int, status: int, headers: Pairs, body: bytes, *, now: float
    ) -> None: ...
    def http_failed(self, exchange: int, error: Exception, *, now: float) -> None: ...
    def ws_opened(self, ws: int, headers: Pairs = (), *, now: float) -> None: ...
    def ws_refused(
        self, ws: int, status: int, headers: Pairs, body: bytes, *, now: float
    ) -> None: ...
    def ws_text(self, ws: int, text: str, *, now: float) -> None: ...
    def ws_binary(self, ws: int, data: bytes, *, now: float) -> None: ...
    def ws_sent(self, ws: int, *, now: float) -> None: ...
    def ws_closed(self, ws: int, *, now: float, error: Exception | None = None) -> None: ...
    def handle_timeout(self, *, now: float) -> None: ...
    def next_deadline(self) -> float | None: ...
    def outputs(self) -> Iterator[Output]: ...


class Joined:
    """Both machines, and the network between them."""

    def __init__(self, client: ClientCore, server: Core | None, latency: float = 0.01) -> None:
        self.client = client
        self.server = server
        self.latency = latency
        self.http_latency: float | None = None
        """That of requests and responses, if it is another."""
        self.connect_latency: float | None = None
        """That of the opening of WebSockets, if it is another."""
        self.now = 0.0
        self.offline = False
        """Whether nothing can be reached."""
        self.websockets_work = True
        self.on_request: Callable[[HttpRequest], bool] = lambda request: False
        """Called with each request; True if it takes care of it."""
        self.on_connect: Callable[[WsConnect], bool] = lambda connect: False
        """Called with each WebSocket; True if it takes care of it."""
        self.requests: list[HttpRequest] = []
        self.connects: list[WsConnect] = []
        self.sent: list[tuple[int, str | bytes]] = []
        """What the client sent on WebSockets."""
        self.closes: list[WsClose[int]] = []
        self.events: list[Event] = []
        self.server_events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        self.on_server_event: Callable[[Event], None] = lambda event: None
        self._calendar: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._exchanges: dict[int, HttpRequest] = {}
        self._reached: set[str] = set()  # requests that the server has seen and not answered
        self._websockets: dict[int, str] = {}  # state as the client sees it
        self._accepted: set[str] = set()

    # Time

    def later(self, call: Callable[[], None], delay: float | None = None) -> None:
        """Do something after a delay; after the latency by default."""
        when = self.now + (self.latency if delay is None else delay)
        heappush(self._calendar, (when, next(self._order), call))

    def run(self, seconds: float = 1.0) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.drain()
        while (next_at := self._next()) is not None and next_at <= end:
            self.now = max(self.now, next_at)
            if self._calendar and self._calendar[0][0] <= self.now:
                heappop(self._calendar)[2]()
            for core in self._cores():
                deadline = core.next_deadline()
                if deadline is not None and deadline <= self.now:
                    core.handle_timeout(now=self.now)
                    after = core.next_deadline()
                    assert after is None or after > self.now, "what is due was not done"
            self.drain()
        self.now = end

    def _cores(self) -> list[Any]:
        return [self.client] if self.server is None else [self.client, self.server]

    def _next(self) -> float | None:
        times: list[float | None] = [core.next_deadline() for core in self._cores()]
        times += [entry[0] for entry in self._calendar[:1]]
        return min((time for time in times if time is not None), default=None)

    def drain(self) -> None:
        """Carry out what both machines ask for."""
        for out in self.client.outputs():
            if isinstance(out, Event):
                self.events.append(out)
                self.on_event(out)
            else:
                self._client_effect(out)
        if self.server is None:
            return
        for out in self.server.outputs():
            if isinstance(out, Event):
                self.server_events.append(out)
                self.on_server_event(out)
            else:
                self._server_effect(out)

    def events_of(self, kind: type[T]) -> list[T]:
        """The client's events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    # From the client

    def _client_effect(self, out: Output) -> None:
        match out:
            case HttpRequest(exchange=exchange):
                assert exchange not in self._exchanges
                assert all(name == name.lower() for name, _ in out.headers)
                self.requests.append(out)
                self._exchanges[exchange] = out
                if self.on_request(out):
                    return
                if self.offline or self.server is None:
                    self.later(lambda: self.fail(exchange))
                else:
                    self.later(lambda: self._request_arrives(out), self.http_latency)
            case HttpAbort(exchange=exchange):
                del self._exchanges[exchange]
                self.later(lambda: self._abort_arrives(f"x{exchange}"), self.http_latency)
            case WsConnect(ws=ws):
                self.connects.append(out)
                self._websockets[ws] = "connecting"
                if self.on_connect(out):
                    return
                if self.offline or self.server is None or not self.websockets_work:
                    self.later(lambda: self.break_websocket(ws))
                else:
                    self.later(lambda: self._connect_arrives(out), self.connect_latency)
            case WsSend(ws=ws, frames=frames):
                assert self._websockets[ws] == "open", "sent to what is not open, or busy"
                self._websockets[ws] = "busy"
                for frame in frames:
                    self.sent.append((ws, frame.payload))
                    self.later(partial(self._frame_arrives, ws, frame.payload))
                self.later(lambda: self._written(ws))
            case WsClose(ws=ws):
                self.closes.append(out)
                assert self._websockets[ws] != "closing", "closed twice"
                self._websockets[ws] = "closing"
                self.later(lambda: self._close_arrives(ws))
            case _:
                raise AssertionError(f"unknown effect {out!r}")

    def _request_arrives(self, out: HttpRequest) -> None:
        if out.exchange not in self._exchanges:
            return  # given up on the way
        assert self.server is not None
        self._reached.add(f"x{out.exchange}")
        head = Request(method=out.method, target=out.target, headers=out.headers)
        self.server.http_request(f"x{out.exchange}", head, now=self.now)

    def _abort_arrives(self, x: str) -> None:
        if x in self._reached:
            self._reached.remove(x)
            assert self.server is not None
            self.server.http_aborted(x, now=self.now)

    def _connect_arrives(self, out: WsConnect) -> None:
        assert self.server is not None
        if self._websockets.get(out.ws) == "connecting":
            head = Request(method="GET", target=out.target, headers=out.headers)
            self.server.ws_connected(f"w{out.ws}", head, now=self.now)

    def _frame_arrives(self, ws: int, payload: str | bytes) -> None:
        if f"w{ws}" in self._accepted:
            _state_frame(self.server, f"w{ws}", payload, self.now)

    def _written(self, ws: int) -> None:
        if self._websockets.get(ws) == "busy":
            self._websockets[ws] = "open"
            self.client.ws_sent(ws, now=self.now)

    def _close_arrives(self, ws: int) -> None:
        self._retire_at_server(ws, None)
        if self._websockets.pop(ws, None) is not None:
            self.client.ws_closed(ws, now=self.now)

    def _retire_at_server(self, ws: int, error: Exception | None) -> None:
        if f"w{ws}" in self._accepted:
            self._accepted.remove(f"w{ws}")
            assert self.server is not None
            self.server.ws_closed(f"w{ws}", now=self.now, error=error)

    # From the server

    def _server_effect(self, out: Output) -> None:
        assert self.server is not None
        match out:
            case HttpRead(exchange=x):
                request = self._exchanges.get(int(x[1:]))
                body = b"" if request is None else request.body
                self.later(lambda: self._body_arrives(x, body), 0)
            case HttpRespond(exchange=x, status=status, headers=headers, body=body):
                self._reached.discard(x)
                self.later(
                    lambda: self.respond(int(x[1:]), status, headers, body), self.http_latency
                )
            case WsAccept(ws=w, headers=headers):
                self._accepted.add(w)
                self.later(lambda: self.accept(int(w[1:]), headers))
            case WsReject(ws=w, status=status, headers=headers, body=body):
                self.later(lambda: self.refuse(int(w[1:]), status, headers, body))
            case WsSend(ws=w, frames=frames):
                for frame in frames:
                    self.later(partial(self.frame, int(w[1:]), frame.payload))
                self.later(lambda: self._server_written(w))
            case WsClose(ws=w):
                self.later(lambda: self.close_websocket(int(w[1:])))
            case _:
                raise AssertionError(f"unknown effect {out!r}")

    def _body_arrives(self, x: str, body: bytes) -> None:
        if x in self._reached:
            assert self.server is not None
            self.server.http_body(x, body, now=self.now)

    def _server_written(self, w: str) -> None:
        if w in self._accepted:
            assert self.server is not None
            self.server.ws_sent(w, now=self.now)

    # What a server does, or the network, or a test in their place

    def respond(
        self, exchange: int, status: int = 200, headers: Pairs = (), body: bytes = b"ok"
    ) -> None:
        """A response reaches the client."""
        if self._exchanges.pop(exchange, None) is not None:
            self.client.http_response(exchange, status, headers, body, now=self.now)

    def fail(self, exchange: int) -> None:
        """The connection that carries a request breaks."""
        if self._exchanges.pop(exchange, None) is not None:
            self.client.http_failed(exchange, OSError("connection reset"), now=self.now)

    def accept(self, ws: int, headers: Pairs = ()) -> None:
        """The client's WebSocket is accepted."""
        if self._websockets.get(ws) == "connecting":
            self._websockets[ws] = "open"
            self.client.ws_opened(ws, headers, now=self.now)

    def refuse(self, ws: int, status: int, headers: Pairs = (), body: bytes = b"") -> None:
        """The client's WebSocket is refused."""
        state = self._websockets.pop(ws, None)
        if state == "connecting":
            self.client.ws_refused(ws, status, headers, body, now=self.now)
        elif state is not None:
            self.client.ws_closed(ws, now=self.now)

    def frame(self, ws: int, payload: str | bytes) -> None:
        """A message reaches the client."""
        if ws in self._websockets:
            _state_frame(self.client, ws, payload, self.now)

    def close_websocket(self, ws: int) -> None:
        """The server closes a WebSocket."""
        if self._websockets.pop(ws, None) is not None:
            self.client.ws_closed(ws, now=self.now)
        self._retire_at_server(ws, None)

    def break_websocket(self, ws: int) -> None:
        """The network loses a WebSocket."""
        if self._websockets.pop(ws, None) is not None:
            self.client.ws_closed(ws, now=self.now, error=OSError("connection reset"))
        self._retire_at_server(ws, None)

    def cut(self) -> None:
        """The network loses everything that is under way."""
        lost: list[Callable[[], None]]
        lost = [partial(self._abort_arrives, x) for x in sorted(self._reached)]
        lost += [partial(self.fail, exchange) for exchange in list(self._exchanges)]
        lost += [partial(self.break_websocket, ws) for ws in list(self._websockets)]
        for one in lost:
            one()
            self.drain()


def _state_frame(core: Any, ws: Any, payload: str | bytes, now: float) -> None:
    if isinstance(payload, str):
        core.ws_text(ws, payload, now=now)
    else:
        core.ws_binary(ws, payload, now=now)


def engine_client(**config: Any) -> EngineClient:
    """A client whose values can be foreseen."""
    return EngineClient(ClientConfig(**config), nonce=counter("n"))


def joined_engines(
    server: dict[str, Any] | None = None, **config: Any
) -> tuple[EngineClient, EngineServer[str], Joined]:
    """An engine on each side."""
    client = engine_client(**config)
    core: EngineServer[str] = EngineServer(ServerConfig(**(server or {})), new_sid=counter("E"))
    return client, core, Joined(client, core)


def joined_sockets(
    *namespaces: str,
    server: dict[str, Any] | None = None,
    engine: dict[str, Any] | None = None,
    server_engine: dict[str, Any] | None = None,
    random: Callable[[], float] = lambda: 0.5,
    **config: Any,
) -> tuple[SocketClient, SocketServer[str], Joined]:
    """A Socket.IO machine on each side. The server accepts every socket at once."""
    client = SocketClient(engine_client(**(engine or {})), SocketConfig(**config), random=random)
    core: SocketServer[str] = SocketServer(
        EngineServer(ServerConfig(**(server_engine or {})), new_sid=counter("E")),
        SocketServerConfig(**(server or {})),
        new_id=counter("S"),
        wall_clock=lambda: 1_700_000_000.5,
    )
    for name in namespaces:
        core.of(name)
    joined = Joined(client, core)

    def on_server_event(event: Event) -> None:
        if isinstance(event, ConnectRequested):
            with suppress(ClosedError):
                core.accept(event.socket)

    joined.on_server_event = on_server_event
    return client, core, joined


def scripted_socket(
    engine: dict[str, Any] | None = None, **config: Any
) -> tuple[SocketClient, Joined, Callable[..., None]]:
    """A Socket.IO client on WebSocket, and what lets the server speak."""
    client = SocketClient(
        engine_client(transports=("websocket",), **(engine or {})),
        SocketConfig(**config),
        random=lambda: 0.5,
    )
    joined = Joined(client, None)
    joined.on_connect = lambda connect: True

    def say(*frames: str | bytes) -> None:
        for frame in frames:
            joined.frame(joined.connects[-1].ws, frame)
        joined.run(0.02)

    return client, joined, say


def scripted(**config: Any) -> tuple[EngineClient, Joined]:
    """An engine of a client, and a test in the place of the server."""
    client = engine_client(**config)
    joined = Joined(client, None)
    joined.on_request = lambda request: True
    joined.on_connect = lambda connect: True
    return client, joined
