"""One TCP connection: HTTP/1.1 requests, one after another, until the last one or a WebSocket."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import trio

from sioproto._app._endpoint import Endpoint, Exchange
from sioproto.engineio import HttpRespond, Request
from sioproto.engineio._headers import is_token, is_value
from sioproto.trio._config import ConnectionConfig
from sioproto.trio._hosting import Hosting
from sioproto.trio._http1 import Head, Headers, HttpProtocol, Malformed
from sioproto.trio._patience import Wait
from sioproto.trio._websocket import HandshakeRefused, WebSocket, accept_key
from sioproto.trio._wire import Lost, Wire

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog

TEXT_HEADERS: Headers = (("content-type", "text/plain; charset=utf-8"),)


_OWN_HEADERS = ("connection", "content-length", "date", "transfer-encoding")


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """An answer of the ``fallback`` function.

    Raises:
        ValueError: something cannot be the head of an answer.
    """

    status: int = 200
    """From 200 to 599."""
    headers: Headers = TEXT_HEADERS
    """Without ``content-length``, ``transfer-encoding``, ``date`` and ``connection``, which are the
    driver's."""
    body: bytes = b""

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise ValueError(f"Response.status must be from 200 to 599, not {self.status!r}")
        for name, value in self.headers:
            if not is_token(name) or not is_value(value):
                raise ValueError(f"Response.headers: {name!r}: {value!r} is no header")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"Response.headers must be without {name!r}")


Fallback = Callable[[Request], Awaitable[Response | None]]


class _Body(enum.Enum):
    """How reading a body ends, unless the connection is lost."""

    COMPLETE = enum.auto()
    ANSWERED = enum.auto()
    TIMEOUT = enum.auto()
    MALFORMED = enum.auto()


class _Exchange(Exchange):
    """A request, which once it is a pending poll is answered by whoever drains the core."""

    __slots__ = ("answer",)

    def __init__(self) -> None:
        super().__init__()
        self.answer: Callable[[HttpRespond[Exchange]], None] | None = None

    def respond(self, out: HttpRespond[Exchange]) -> None:
        """The answer is there."""
        super().respond(out)
        if self.answer is not None:
            self.answer(out)


class HttpConnection:
    """One accepted connection.

    Args:
        wire: what was accepted. It is not closed here.
        find_endpoint: who serves a request target; None if nobody does.
        fallback: answers requests that nobody serves.
        config: limits and times.
        hosting: what goes on beside it.
    """

    def __init__(
        self,
        wire: Wire,
        find_endpoint: Callable[[str], Endpoint | None],
        fallback: Fallback | None,
        config: ConnectionConfig,
        hosting: Hosting,
    ) -> None:
        self._wire = wire
        self._find_endpoint = find_endpoint
        self._fallback = fallback
        self._config = config
        self._http = HttpProtocol(config.max_header_bytes, fast=config.fast_lanes)
        self._hosting = hosting
        self._busy = hosting.busy
        self._patience = trio.CancelScope()
        self._wait = Wait(hosting.patience, self._patience.cancel)
        self._answered_by_drain = False
        self._rest_sent: trio.Event | None = None
        self._switched: tuple[WebSocket, bytes, bytes] | None = None

    async def run(self) -> None:
        """Serve the connection until either side ends it."""
        try:
            # One scope, whose deadline is there while a head is awaited, instead of one for each.
            with self._patience:
                await self._serve_requests()
            if self._patience.cancelled_caught and self._http.rest:
                await self._refuse(408, "the head of the request did not come in time")
        except Lost:
            pass
        finally:
            self._wait.end()
        if self._switched is not None:
            websocket, opening, glued = self._switched
            del self._http, self._switched  # it may live for long, and they are large
            with self._busy:
                await websocket.run(opening, glued)

    async def _serve_requests(self) -> None:
        timeout = self._config.header_timeout
        while (head := await self._read_head(timeout)) is not None:
            self._answered_by_drain = False
            self._busy.enter()
            try:
                await self._serve_request(head)
            finally:
                if not self._answered_by_drain:
                    self._busy.leave()
            if self._answered_by_drain:
                continue
            if not self._http.next_cycle():
                return
            if self._http.rest:  # nothing is waited for: it is somebody else's turn
                await trio.lowlevel.checkpoint()
            timeout = self._config.idle_timeout

    # Reading a request

    async def _read_head(self, timeout: float) -> Head | None:
        """The head of the next request; None if there is none, and nothing left to say."""
        http = self._http
        try:
            while (head := http.next_head()) is None and not http.ended:
                started = bool(http.rest)
                if self._wait.deadline == inf:
                    self._wait.until(trio.current_time() + timeout)
                data = await self._wire.receive()
                if data and not started:
                    self._wait.until(trio.current_time() + self._config.header_timeout)
                http.receive(data)
            self._wait.until(inf)
            return head
        except Malformed as error:
            self._wait.until(inf)
            await self._refuse(error.status, str(error))
        return None

    async def _read_body(self, exchange: Exchange, body: bytearray) -> _Body:
        """Read until the end of the body, or more than the exchange wants."""
        assert exchange.limit is not None
        take_body, limit = self._http.take_body, exchange.limit
        if self._http.wants_to_go_on:
            await self._send(self._http.go_on())
        try:
            if take_body(body, limit):  # mostly it came along with the head
                return _Body.COMPLETE
            with trio.move_on_after(self._config.body_timeout) as exchange.waiting:
                while exchange.response is None:
                    await self._receive_more()
                    if exchange.response is None and take_body(body, limit):
                        return _Body.COMPLETE
        except Malformed:
            return _Body.MALFORMED
        return _Body.TIMEOUT if exchange.response is None else _Body.ANSWERED

    async def _receive_more(self) -> None:
        """Receive a part of a request.

        Raises:
            Lost: the client hung up, be it only in its own direction (EIO-POLL-07, EIO-POLL-08).
        """
        data = await self._wire.receive()
        if not data:
            raise Lost
        self._http.receive(data)

    # Serving a request

    async def _serve_request(self, head: Head) -> None:
        if not head.version.startswith(b"1."):
            await self._refuse(505, "HTTP/1.1 is spoken here")
            return
        if len(head.headers) > self._config.max_headers:
            await self._refuse(431, "too many headers")
            return
        if head.method != head.method.upper() or head.method == "CONNECT":
            await self._refuse(501, "no such method here")
            return
        request = Request(
            method=head.method,
            target=head.target,
            headers=head.headers,
            address=self._wire.address,
            secure=self._wire.secure,
        )
        endpoint = self._find_endpoint(request.target)
        if endpoint is None:
            await self._fall_back(request)
        elif request.wants_websocket:
            await self._upgrade(endpoint, request, head.version)
        else:
            await self._exchange(endpoint, request)

    async def _fall_back(self, request: Request) -> None:
        response = None
        if self._fallback is not None:
            try:
                response = await self._fallback(request)
            except Exception:
                with suppress(Lost):
                    await self._respond(500, TEXT_HEADERS, b"internal error")
                raise
        if response is None:
            response = Response(status=404, body=b"not found")
        await self._respond(response.status, response.headers, response.body)

    async def _exchange(self, endpoint: Endpoint, request: Request) -> None:
        core = endpoint.core
        exchange = _Exchange()
        outcome = _Body.COMPLETE
        backlog: Backlog | None = None
        try:
            endpoint.call(core.http_request, exchange, request)
            if exchange.limit is not None:
                body = bytearray()
                outcome = await self._read_body(exchange, body)
                if outcome is _Body.COMPLETE:
                    backlog = endpoint.call(core.http_body, exchange, bytes(body))
            if outcome is _Body.COMPLETE and exchange.response is None:
                if self._can_leave_to_drain():
                    await self._leave_to_drain(exchange)
                if exchange.response is None:
                    await self._wait_for_answer(exchange)
        finally:
            response = exchange.response
            if response is None:
                # The client went, or made a mess of the body; or the serving is cancelled.
                endpoint.call(core.http_aborted, exchange)
        if self._answered_by_drain:
            return
        if backlog is not None:
            # Its events are not handled fast enough: a client that waits for this sends no more.
            await backlog.wait()
        if response is not None:
            await self._respond(response.status, response.headers, response.body)
        elif outcome is _Body.TIMEOUT:
            await self._refuse(408, "the body of the request did not come in time")
        else:
            await self._refuse(400, "the body of the request is malformed")

    async def _wait_for_answer(self, exchange: Exchange) -> None:
        """Wait for the core, and watch whether the client is still there.

        What it sends meanwhile is its next request, kept for later.

        Raises:
            Lost: the client hung up.
        """
        with trio.CancelScope() as exchange.waiting:
            while len(self._http.rest) < self._config.max_pipelined_bytes:
                await self._receive_more()
            await trio.sleep_forever()

    def _can_leave_to_drain(self) -> bool:
        """Whether nothing but an answer is missing for the next request to come."""
        if not self._wire.direct or (self._rest_sent is not None and not self._rest_sent.is_set()):
            return False
        return self._http.skip_body() and self._http.can_go_on

    async def _leave_to_drain(self, exchange: _Exchange) -> None:
        """Wait for the client's next bytes, while whoever drains the core answers the poll.

        So an answer needs no switch of tasks, and this one goes on waiting for what comes next. If
        there are bytes before the answer, it is back to the usual way.

        Raises:
            Lost: the client hung up.
        """
        exchange.answer = self._answer_at_once
        data = await self._wire.receive()
        exchange.answer = None
        if data or self._answered_by_drain:
            self._http.receive(data)
        else:
            raise Lost

    def _answer_at_once(self, out: HttpRespond[Exchange]) -> None:
        data = self._http.answer(out.status, out.headers, out.body, close=False)
        if not self._wire.try_send(data):
            self._rest_sent = trio.Event()
            self._hosting.spawn(self._send_rest, self._rest_sent)
        self._answered_by_drain = True
        self._busy.leave()
        self._http.next_cycle()
        self._wait.until(trio.current_time() + self._config.idle_timeout)

    async def _send_rest(self, sent: trio.Event) -> None:
        try:
            with self._busy, suppress(Lost):
                await self._flush()
        finally:
            sent.set()

    async def _upgrade(self, endpoint: Endpoint, request: Request, http_version: bytes) -> None:
        try:
            key = accept_key(request.method, http_version, request.headers)
        except HandshakeRefused as refusal:
            await self._refuse(refusal.status, str(refusal), refusal.headers)
            return
        if not self._http.skip_body():
            await self._refuse(400, "a request to upgrade has no body")
            return
        ws = WebSocket(endpoint, self._wire, self._config, request, self._hosting)
        endpoint.call(endpoint.core.ws_connected, ws, request)
        await ws.answered.wait()
        if ws.accepted is None:
            assert ws.rejected is not None
            out = ws.rejected
            await self._respond(out.status, out.headers, out.body, close=True)
            return
        opening = self._http.switch(
            (
                ("upgrade", "websocket"),
                ("connection", "Upgrade"),
                ("sec-websocket-accept", key),
                *ws.agree(),
                *ws.accepted.headers,
            )
        )
        self._switched = ws, opening, self._http.rest

    # Answering

    async def _refuse(self, status: int, message: str, headers: Headers = ()) -> None:
        """Answer what went wrong below the core, and go on no further."""
        if self._http.can_answer:
            body = message.encode()
            await self._respond(status, (*TEXT_HEADERS, *headers), body, close=True)

    async def _respond(
        self, status: int, headers: Headers, body: bytes, *, close: bool = False
    ) -> None:
        """Send an answer: the last if so wished, or if a part of the request is still to come."""
        close = not self._http.skip_body() or close
        if self._rest_sent is not None:  # of the answer before
            await self._rest_sent.wait()
            self._rest_sent = None
        await self._send(self._http.answer(status, headers, body, close=close))
        if self._http.is_last:
            await self._wire.linger(self._config)

    async def _send(self, data: bytes) -> None:
        if not self._wire.try_send(data):
            await self._flush()

    async def _flush(self) -> None:
        with trio.move_on_after(self._config.write_timeout):
            await self._wire.flush()
            return
        raise Lost
