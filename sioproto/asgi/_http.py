"""One HTTP request, from its head to its answer."""

from __future__ import annotations

import enum
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

from sioproto._app._endpoint import Endpoint, Exchange
from sioproto.asgi._scope import TEXT_HEADERS, Headers, Receive, Scope, Send, request_of, respond

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog
    from sioproto.asgi._config import AsgiConfig


class _Body(enum.Enum):
    """How reading a body ends."""

    COMPLETE = enum.auto()
    ANSWERED = enum.auto()
    TIMEOUT = enum.auto()
    GONE = enum.auto()


class HttpRequest:
    """One request.

    Args:
        endpoint: who serves it.
        receive: of the ASGI server.
        send: of the ASGI server.
        config: limits of time.
    """

    def __init__(
        self, endpoint: Endpoint, receive: Receive, send: Send, config: AsgiConfig
    ) -> None:
        self._endpoint = endpoint
        self._runtime = endpoint.application.runtime
        self._receive = receive
        self._send = send
        self._config = config

    async def run(self, scope: Scope) -> None:
        """Serve it."""
        core = self._endpoint.core
        exchange = Exchange()
        outcome = _Body.COMPLETE
        backlog: Backlog | None = None
        try:
            self._endpoint.call(core.http_request, exchange, request_of(scope))
            if exchange.limit is not None:
                body = bytearray()
                outcome = await self._read_body(exchange, body)
                if outcome is _Body.COMPLETE:
                    backlog = self._endpoint.call(core.http_body, exchange, bytes(body))
            if outcome is _Body.COMPLETE and exchange.response is None:
                await self._wait_for_answer(exchange)
        finally:
            response = exchange.response
            if response is None:
                # The client went, or sends too slowly; or the server cancelled the request.
                self._endpoint.call(core.http_aborted, exchange)
        if backlog is not None:
            # Its events are not handled fast enough: a client that waits for this sends no more.
            await backlog.wait()
        if response is not None:
            await self._respond(response.status, response.headers, response.body)
        elif outcome is _Body.TIMEOUT:
            message = b"the body of the request did not come in time"
            await self._respond(408, TEXT_HEADERS, message)

    async def _read_body(self, exchange: Exchange, body: bytearray) -> _Body:
        """Read until the end of the body, or more than the exchange wants."""
        assert exchange.limit is not None
        with self._runtime.timeout(self._config.body_timeout) as exchange.waiting:
            while len(body) <= exchange.limit and exchange.response is None:
                message = await self._receive()
                if message["type"] != "http.request":
                    return _Body.GONE
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    return _Body.COMPLETE
            if exchange.response is None:
                return _Body.COMPLETE  # or too much of it, which is for the core to say
        return _Body.TIMEOUT if exchange.response is None else _Body.ANSWERED

    async def _wait_for_answer(self, exchange: Exchange) -> None:
        """Wait for the core, and watch whether the client is still there (EIO-POLL-07).

        A body that nobody wants is thrown away.
        """
        with self._runtime.timeout(inf) as exchange.waiting:
            while (await self._receive())["type"] == "http.request":
                pass

    async def _respond(self, status: int, headers: Headers, body: bytes) -> None:
        # An OSError says that the client has gone.
        with self._runtime.timeout(self._config.write_timeout), suppress(OSError):
            await respond(self._send, status, headers, body)
