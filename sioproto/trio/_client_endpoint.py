"""Where the driver meets the core of a client."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any

import trio

from sioproto.engineio import HttpAbort, HttpRequest, WsClose, WsConnect, WsSend
from sioproto.trio._client_http import TROUBLE, Headers, HttpPool, reason_of
from sioproto.trio._client_websocket import ClientWebSocket

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog
    from sioproto._app._manager import Manager
    from sioproto._output import Output

Fact = Callable[..., None]


class ClientEndpoint:
    """One client's core, its clock, and what its tokens stand for.

    Nothing that is called while the core is drained waits or states a fact, so that there is never
    more than one drain.

    Args:
        pool: makes connections.
        nursery: home of the tasks of requests and WebSockets.
    """

    def __init__(self, pool: HttpPool, nursery: trio.Nursery) -> None:
        self._pool = pool
        self._nursery = nursery
        self._alarm = trio.CancelScope()
        self._requests: dict[int, trio.CancelScope] = {}
        self._websockets: dict[int, ClientWebSocket] = {}
        self._idle: trio.Event | None = None

    def attach(self, manager: Manager) -> None:
        """Begin to serve a manager."""
        self.manager = manager
        self.core = manager.core
        self._deliver: dict[type[Output], Callable[[Any], None]] = {
            **manager.handlers,
            HttpRequest: self._http_request,
            HttpAbort: self._http_abort,
            WsConnect: self._ws_connect,
            WsSend: self._ws_send,
            WsClose: self._ws_close,
        }

    # The core

    def call(self, fact: Fact, *args: Any) -> Backlog | None:
        """State one fact, and do what follows from it. See ``call_all``."""
        return self.call_all(((fact, args),))

    def call_all(self, facts: Iterable[tuple[Fact, tuple[Any, ...]]]) -> Backlog | None:
        """State facts that one read brought, and do what follows from them together.

        Returns what to wait for before reading on; None if nothing stands in the way.
        """
        now = trio.current_time()
        for fact, args in facts:
            fact(*args, now=now)
        for out in self.core.outputs():
            self._deliver[type(out)](out)
        deadline = self.core.next_deadline()
        self._alarm.deadline = inf if deadline is None else deadline
        return self.manager.settle()

    def wake(self) -> None:
        """There is something to drain that no fact caused: let the clock do it, soon."""
        self._alarm.deadline = -inf

    async def run_clock(self) -> None:
        """Call the core whenever its deadline has come, for ever."""
        while True:
            # A scope whose deadline moves, where others would start and cancel timers.
            with trio.CancelScope() as self._alarm:
                self.call(self.core.handle_timeout)
                await trio.sleep_forever()

    async def wait_idle(self) -> None:
        """Wait until no request and no WebSocket is left."""
        while self._requests or self._websockets:
            self._idle = trio.Event()
            await self._idle.wait()

    def _one_less(self) -> None:
        if self._idle is not None and not self._requests and not self._websockets:
            self._idle.set()

    # HTTP

    def _http_request(self, out: HttpRequest) -> None:
        scope = self._requests[out.exchange] = trio.CancelScope()
        self._nursery.start_soon(self._run_request, out, scope)

    def _http_abort(self, out: HttpAbort) -> None:
        if (scope := self._requests.get(out.exchange)) is not None:
            scope.cancel()

    async def _run_request(self, out: HttpRequest, scope: trio.CancelScope) -> None:
        try:
            with scope:
                try:
                    status, headers, body = await self._pool.request(out)
                except TROUBLE as error:
                    self._pool.distrust()
                    self.call(self.core.http_failed, out.exchange, reason_of(error))
                else:
                    backlog = self.manager.settle()
                    if backlog is not None and out.method == "GET":
                        await backlog.wait()
                    self.call(self.core.http_response, out.exchange, status, headers, body)
        finally:
            del self._requests[out.exchange]
            self._one_less()

    # WebSocket

    def _ws_connect(self, out: WsConnect) -> None:
        websocket = self._websockets[out.ws] = ClientWebSocket(self, self._pool, out)
        self._nursery.start_soon(self._run_websocket, websocket, out.ws)

    async def _run_websocket(self, websocket: ClientWebSocket, ws: int) -> None:
        try:
            await websocket.run()
        finally:
            del self._websockets[ws]
            self._one_less()

    def _ws_send(self, out: WsSend[int]) -> None:
        self._websockets[out.ws].send(out.frames)

    def _ws_close(self, out: WsClose[int]) -> None:
        self._websockets[out.ws].close(out.code)

    def ws_refused(self, ws: int, status: int, headers: Headers, body: bytes) -> None:
        """The server answered with something else than a WebSocket."""
        self.call(self.core.ws_refused, ws, status, headers, body)

    def ws_retired(self, ws: int, error: Exception | None) -> None:
        """A WebSocket has ended, or could not be opened."""
        self._pool.distrust()
        self.core.ws_closed(ws, now=trio.current_time(), error=error)
        self.call_all(())
