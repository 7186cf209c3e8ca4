"""One WebSocket: its acceptance or refusal, a task that reads, a task that writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from typing import TYPE_CHECKING

import anyio

from sioproto._app._websocket import WebSocketToken
from sioproto._errors import LimitError
from sioproto.asgi._scope import Message, Receive, Scope, Send, deny, raw_headers, request_of

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog
    from sioproto._app._endpoint import Endpoint
    from sioproto._app._runtime import Timeout
    from sioproto.asgi._config import AsgiConfig
    from sioproto.engineio import WsAccept

_TOO_BIG = 1009


class WebSocket(WebSocketToken):
    """A WebSocket that an ASGI server holds."""

    def __init__(
        self, endpoint: Endpoint, receive: Receive, send: Send, config: AsgiConfig
    ) -> None:
        super().__init__(endpoint)
        self._life: Timeout | None = None
        self._work = self._runtime.event()
        self._receive = receive
        self._server_send = send
        self._config = config

    async def run(self, scope: Scope) -> None:
        """Live until the WebSocket is refused or closed."""
        message = await self._receive()
        if message["type"] != "websocket.connect":
            return  # the client has gone
        self._endpoint.call(self._endpoint.core.ws_connected, self, request_of(scope))
        await self.answered.wait()
        if self.rejected is not None:
            out = self.rejected
            with suppress(OSError):  # the client has gone
                await deny(scope, self._server_send, out.status, out.headers, out.body)
            return
        assert self.accepted is not None
        with self._living():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write, _acceptance(scope, self.accepted))
                await self._read()

    # The time from the acceptance to the end

    @contextmanager
    def _living(self) -> Iterator[None]:
        try:
            with self._runtime.timeout(inf) as self._life:
                if self._closing:
                    self._limit_life()
                yield
        finally:
            self._retire()

    def _limit_life(self) -> None:
        if self._life is not None:
            self._life.deadline = self._runtime.clock() + self._config.close_timeout

    def _end(self) -> None:
        if self._life is not None:
            self._life.cancel()

    # Reading

    async def _read(self) -> None:
        """Read until the client has gone, or sends more than it may."""
        while not self._retired:
            backlog = self._take(await self._receive())
            if backlog is not None:
                await self._pause(backlog)

    def _take(self, message: Message) -> Backlog | None:
        assert self.accepted is not None
        if message["type"] != "websocket.receive":
            self._retire()
            self._end()
            return None
        if self._closing:
            return None  # it leads to nothing
        core = self._endpoint.core
        limit = self.accepted.limit
        text: str | None = message.get("text")
        data: bytes = message.get("bytes") or b""
        if _size(text, limit) + len(data) > limit:
            error = LimitError(
                f"a message of more than {limit} bytes", rule="EIO-WS-08", limit="max_payload"
            )
            self._retire(error)
            self._begin_closing(_TOO_BIG)
            return None
        if text is not None:
            return self._endpoint.call(core.ws_text, self, text)
        return self._endpoint.call(core.ws_binary, self, bytes(data))

    # Writing

    def _wake_writer(self) -> None:
        self._work.set()

    async def _write(self, acceptance: Message) -> None:
        """Write what the core leaves here, until the WebSocket is closed."""
        try:
            # One scope whose deadline moves, instead of one for every write.
            with anyio.CancelScope() as scope:
                await self._send(scope, acceptance)
                await self._write_until_closed(scope)
        except OSError:
            pass  # the client has gone
        self._end()

    async def _write_until_closed(self, scope: anyio.CancelScope) -> None:
        while True:
            self._work = self._runtime.event()
            batch, self._batch = self._batch, None
            closing, code = self._closing, self._close_code
            if batch is not None:
                for frame in batch:
                    kind = "text" if isinstance(frame.payload, str) else "bytes"
                    await self._send(scope, {"type": "websocket.send", kind: frame.payload})
                if not self._retired:
                    self._endpoint.written(self)
            if closing:
                # ASGI knows no close frame without a code.
                close = {"type": "websocket.close", "code": 1000 if code is None else code}
                await self._send(scope, close)
                return
            await self._work.wait()

    async def _send(self, scope: anyio.CancelScope, message: Message) -> None:
        scope.deadline = anyio.current_time() + self._config.write_timeout
        await self._server_send(message)
        scope.deadline = inf


def _acceptance(scope: Scope, out: WsAccept[WebSocket]) -> Message:
    """The answer to the handshake, with the first subprotocol of those offered (EIO-HC-06)."""
    message: Message = {"type": "websocket.accept", "headers": raw_headers(out.headers)}
    if offered := scope.get("subprotocols"):
        message["subprotocol"] = offered[0]
    return message


def _size(text: str | None, limit: int) -> int:
    """How many bytes a text is, or its length if it is below the limit in any case."""
    if text is None:
        return 0
    return len(text) if 4 * len(text) <= limit else len(text.encode("utf-8", "surrogatepass"))
