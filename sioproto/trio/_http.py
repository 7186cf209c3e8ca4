"""One TCP connection: HTTP/1.1 requests, one after another, until the last one or a WebSocket."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from math import inf
from time import time
from typing import TYPE_CHECKING

import h11
import trio

from sioproto._app._endpoint import Endpoint, Exchange
from sioproto.engineio import HttpRespond, Request
from sioproto.trio._config import ConnectionConfig
from sioproto.trio._hosting import Hosting
from sioproto.trio._patience import Wait
from sioproto.trio._websocket import HandshakeRefused, WebSocket, accept_key
from sioproto.trio._wire import Lost, Wire

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog

Headers = tuple[tuple[str, str], ...]

REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}

TEXT_HEADERS: Headers = (("content-type", "text/plain; charset=utf-8"),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """An answer of the ``fallback`` function."""

    status: int = 200
    headers: Headers = TEXT_HEADERS
    """Without ``content-length``, ``date`` and ``connection``, which are the driver's."""
    body: bytes = b""


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
        stream: what was accepted. It is not closed here.
        find_endpoint: who serves a request target; None if nobody does.
        fallback: answers requests that nobody serves.
        config: limits and times.
        hosting: what goes on beside it.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        find_endpoint: Callable[[str], Endpoint | None],
        fallback: Fallback | None,
        config: ConnectionConfig,
        hosting: Hosting,
    ) -> None:
        self._wire = Wire(stream, fast=config.fast_lanes)
        self._find_endpoint = find_endpoint
        self._fallback = fallback
        self._config = config
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=config.max_header_bytes)
        self._hosting = hosting
        self._busy = hosting.busy
        self._is_head_request = False
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
            if self._patience.cancelled_caught and self._h11.trailing_data[0]:
                await self._refuse(408, "the head of the request did not come in time")
        except Lost:
            pass
        finally:
            self._wait.end()
        if self._switched is not None:
            websocket, opening, glued = self._switched
            del self._h11, self._switched  # it may live for long, and they are large
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
            if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
                return
            self._h11.start_next_cycle()
            if self._h11.trailing_data[0]:  # nothing is waited for: it is somebody else's turn
                await trio.lowlevel.checkpoint()
            timeout = self._config.idle_timeout

    # Reading a request

    async def _read_head(self, timeout: float) -> h11.Request | None:
        """The head of the next request; None if there is none, and nothing left to say."""
        self._is_head_request = False
        try:
            while (event := self._h11.next_event()) is h11.NEED_DATA:
                started = bool(self._h11.trailing_data[0])
                if self._wait.deadline == inf:
                    self._wait.until(trio.current_time() + timeout)
                data = await self._wire.receive()
                if data and not started:
                    self._wait.until(trio.current_time() + self._config.header_timeout)
                self._h11.receive_data(data)
            self._wait.until(inf)
            return event if isinstance(event, h11.Request) else None  # the end, as it should be
        except h11.RemoteProtocolError as error:
            self._wait.until(inf)
            await self._refuse(error.error_status_hint, str(error))
        return None

    async def _read_body(self, exchange: Exchange, body: bytearray) -> _Body:
        """Read until the end of the body, or more than the exchange wants."""
        if self._h11.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=REASONS[100])
            await self._send(self._h11.send(go_on))
        try:
            if self._take_body(exchange, body):  # mostly it came along with the head
                return _Body.COMPLETE
            with trio.move_on_after(self._config.body_timeout) as exchange.waiting:
                while exchange.response is None:
                    await self._receive_more()
                    if exchange.response is None and self._take_body(exchange, body):
                        return _Body.COMPLETE
        except h11.RemoteProtocolError:
            return _Body.MALFORMED
        return _Body.TIMEOUT if exchange.response is None else _Body.ANSWERED

    def _take_body(self, exchange: Exchange, body: bytearray) -> bool:
        """Take what is there of it. True if it is whole, or too much, which the core has to say."""
        assert exchange.limit is not None
        while len(body) <= exchange.limit:
            event = self._h11.next_event()
            if isinstance(event, h11.Data):
                body += event.data
            else:
                return event is not h11.NEED_DATA
        return True

    async def _receive_more(self) -> None:
        """Receive a part of a request.

        Raises:
            Lost: the client hung up, be it only in its own direction (EIO-POLL-07, EIO-POLL-08).
        """
        data = await self._wire.receive()
        if not data:
            raise Lost
        self._h11.receive_data(data)

    # Serving a request

    async def _serve_request(self, head: h11.Request) -> None:
        self._is_head_request = head.method == b"HEAD"
        if not head.http_version.startswith(b"1."):
            await self._refuse(505, "HTTP/1.1 is spoken here")
            return
        if len(head.headers) > self._config.max_headers:
            await self._refuse(431, "too many headers")
            return
        method = head.method.decode("ascii")
        if method != method.upper() or method == "CONNECT":
            await self._refuse(501, "no such method here")
            return
        request = Request(
            method=method,
            target=head.target.decode("iso-8859-1"),
            headers=tuple(
                (name.decode("ascii"), value.decode("iso-8859-1")) for name, value in head.headers
            ),
            address=self._wire.address,
            secure=self._wire.secure,
        )
        endpoint = self._find_endpoint(request.target)
        if endpoint is None:
            await self._fall_back(request)
        elif request.wants_websocket:
            await self._upgrade(endpoint, request, head.http_version)
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
            while len(self._h11.trailing_data[0]) < self._config.max_pipelined_bytes:
                await self._receive_more()
            await trio.sleep_forever()

    def _can_leave_to_drain(self) -> bool:
        """Whether nothing but an answer is missing for the next request to come."""
        if not self._wire.direct or (self._rest_sent is not None and not self._rest_sent.is_set()):
            return False
        return self._skip_body() and self._h11.their_state is h11.DONE

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
            self._h11.receive_data(data)
        else:
            raise Lost

    def _answer_at_once(self, out: HttpRespond[Exchange]) -> None:
        data = self._response(out.status, out.headers, out.body, close=False)
        sent = self._wire.try_send(data)
        if sent < len(data):
            self._rest_sent = trio.Event()
            self._hosting.spawn(self._send_rest, data[sent:], self._rest_sent)
        self._answered_by_drain = True
        self._busy.leave()
        self._h11.start_next_cycle()
        self._wait.until(trio.current_time() + self._config.idle_timeout)

    async def _send_rest(self, data: bytes, sent: trio.Event) -> None:
        try:
            with self._busy, suppress(Lost):
                await self._send_waiting(data)
        finally:
            sent.set()

    async def _upgrade(self, endpoint: Endpoint, request: Request, http_version: bytes) -> None:
        try:
            key = accept_key(request.method, http_version, request.headers)
        except HandshakeRefused as refusal:
            await self._refuse(refusal.status, str(refusal), refusal.headers)
            return
        if not self._skip_body():
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
        opening = h11.InformationalResponse(
            status_code=101,
            reason=REASONS[101],
            headers=_encoded(
                [
                    ("upgrade", "websocket"),
                    ("connection", "Upgrade"),
                    ("sec-websocket-accept", key),
                    *ws.agree(),
                    *ws.accepted.headers,
                ]
            ),
        )
        glued = self._h11.trailing_data[0]
        self._switched = ws, self._h11.send(opening) or b"", glued

    # Answering

    async def _refuse(self, status: int, message: str, headers: Headers = ()) -> None:
        """Answer what went wrong below the core, and go on no further."""
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = message.encode()
            await self._respond(status, (*TEXT_HEADERS, *headers), body, close=True)

    async def _respond(
        self, status: int, headers: Headers, body: bytes, *, close: bool = False
    ) -> None:
        """Send an answer: the last if so wished, or if a part of the request is still to come."""
        close = not self._skip_body() or close
        if self._rest_sent is not None:  # of the answer before
            await self._rest_sent.wait()
            self._rest_sent = None
        await self._send(self._response(status, headers, body, close=close))
        if self._h11.our_state is not h11.DONE:
            await self._wire.linger(self._config)

    def _response(self, status: int, headers: Headers, body: bytes, *, close: bool) -> bytes:
        sent_headers = [*headers, ("date", _date(int(time())))]
        bodiless = status in (204, 304)
        if not bodiless:
            sent_headers.append(("content-length", str(len(body))))
        if close:
            sent_headers.append(("connection", "close"))
        data = self._h11.send(_head(status, tuple(sent_headers))) or b""
        if body and not bodiless and not self._is_head_request:
            data += self._h11.send(h11.Data(data=body)) or b""
        return data + (self._h11.send(h11.EndOfMessage()) or b"")

    def _skip_body(self) -> bool:
        """Whether the request is complete. What has come of its body is thrown away."""
        try:
            while self._h11.their_state is h11.SEND_BODY:
                if self._h11.next_event() is h11.NEED_DATA:
                    return False
        except h11.RemoteProtocolError:
            return False
        return self._h11.their_state not in (h11.IDLE, h11.ERROR)

    async def _send(self, data: bytes | None) -> None:
        data = data or b""
        sent = self._wire.try_send(data)
        if sent < len(data):
            await self._send_waiting(data[sent:])

    async def _send_waiting(self, data: bytes) -> None:
        with trio.move_on_after(self._config.write_timeout):
            await self._wire.send(data)
            return
        raise Lost


@lru_cache(maxsize=64)
def _head(status: int, headers: Headers) -> h11.Response:
    """The head of an answer. Many are alike, and checking them takes h11 as long as writing."""
    return h11.Response(
        status_code=status, headers=_encoded(headers), reason=REASONS.get(status, b"")
    )


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    """The header ``date``, made once a second."""
    return formatdate(seconds, usegmt=True)


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Headers with one byte for each character, as those of requests are read."""
    return [(name.encode("ascii"), value.encode("iso-8859-1")) for name, value in headers]
