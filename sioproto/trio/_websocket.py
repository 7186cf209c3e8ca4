"""One WebSocket: opening handshake, reading and the handlers, writing, closing handshake."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Iterable
from hashlib import sha1
from math import inf
from typing import TYPE_CHECKING, Any

import trio

from sioproto._app._websocket import WebSocketToken
from sioproto.engineio import Request
from sioproto.trio._deflate import Deflater, Inflater, agree
from sioproto.trio._frames import (
    BINARY,
    CLOSE,
    TEXT,
    FrameReader,
    Violation,
    close_frame,
    frame_bytes,
    pong_frame,
)
from sioproto.trio._patience import Wait
from sioproto.trio._wire import Lost, Wire

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog
    from sioproto._app._base import Application, TakesTurns
    from sioproto._app._endpoint import Endpoint, Fact
    from sioproto.trio._config import ConnectionConfig
    from sioproto.trio._hosting import Hosting

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class HandshakeRefused(Exception):
    """A request to upgrade that does not follow RFC 6455.

    Args:
        status: with which it is answered.
        message: what is wrong.
        headers: of the answer.
    """

    def __init__(
        self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


def accept_key(method: str, http_version: bytes, headers: Iterable[tuple[str, str]]) -> str:
    """Check the opening handshake, and compute the value of ``Sec-WebSocket-Accept``.

    Raises:
        HandshakeRefused: it does not follow RFC 6455.
    """
    fields = {name: value for name, value in headers if name.startswith("sec-websocket-")}
    if method != "GET" or http_version < b"1.1":
        raise HandshakeRefused(400, "a WebSocket begins with a GET of HTTP/1.1")
    if fields.get("sec-websocket-version") != "13":
        version = (("sec-websocket-version", "13"),)
        raise HandshakeRefused(426, "only version 13 of WebSocket is spoken here", version)
    key = fields.get("sec-websocket-key", "")
    try:
        nonce = b64decode(key, validate=True)
    except ValueError:
        nonce = b""
    if len(nonce) != 16:
        raise HandshakeRefused(400, "Sec-WebSocket-Key is not 16 bytes in base64")
    return b64encode(sha1(key.encode("ascii") + _MAGIC).digest()).decode("ascii")


def choose_subprotocol(headers: Iterable[tuple[str, str]]) -> str | None:
    """The first subprotocol that a client offers, None if there is none (EIO-HC-06).

    A browser gives up unless one of those that it offers is chosen.
    """
    offered = next((value for name, value in headers if name == "sec-websocket-protocol"), "")
    first = offered.partition(",")[0].strip()
    return first if _TOKEN.fullmatch(first) else None


class WebSocket(WebSocketToken):
    """A WebSocket on a connection of our own.

    A ``WsSend`` is one write, however many messages it carries. It is made at once, as far as the
    kernel takes it at once. A task that writes is started when there is something left for it, and
    then there is until the end, for whenever that happens again.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        wire: Wire,
        config: ConnectionConfig,
        request: Request,
        hosting: Hosting,
    ) -> None:
        super().__init__(endpoint)
        self._wire = wire
        self._config = config
        self._request = request
        self._hosting = hosting
        self._wait = Wait(hosting.patience, self._end)
        self._opened = False
        self._frame_bytes = frame_bytes
        self._extensions: list[Inflater] = []
        self._pong: bytes | None = None
        self._work = trio.Event()  # for the writer
        self._broken = False
        self._writing = False  # the writer is at work
        self._batch_unsent = False
        self._close_frame_made = False
        self._writer: trio.CancelScope | None = None
        self._writer_ended: trio.Event | None = None
        # It may be read by the task that reads from all connections.
        self._watchable = config.fast_lanes and wire.direct and hosting.readers.usable
        self._parked: trio.Event | None = None  # as long as it is
        self._outcome: Violation | tuple[Backlog | None, bool] = (None, True)

    def agree(self) -> list[tuple[str, str]]:
        """Agree on what the client offers; returns what the answer says about it."""
        assert self.accepted is not None
        offered = self._request.headers
        headers: list[tuple[str, str]] = []
        if (subprotocol := choose_subprotocol(offered)) is not None:
            headers.append(("sec-websocket-protocol", subprotocol))
        deflate = self._config.per_message_deflate
        if deflate is not None and (agreement := agree(deflate, offered)) is not None:
            headers.append(("sec-websocket-extensions", agreement.answer))
            self._frame_bytes = Deflater(agreement).frame_bytes
            self._extensions.append(Inflater(agreement, self.accepted.limit))
        return headers

    async def run(self, opening: bytes, received: bytes) -> None:
        """Live until the WebSocket is closed and the connection can be dropped.

        Args:
            opening: bytes of the answer to the handshake.
            received: bytes that came right behind the request.
        """
        assert self.accepted is not None
        limit, fast = self.accepted.limit, self._config.fast_lanes
        self._frames = FrameReader(limit, self._config.max_fragments, self._extensions, fast=fast)
        self._left = self._config.max_linger_bytes
        self.context = trio.lowlevel.current_task().context
        self._opened = True
        if self._closing:
            self._limit_life()
        self._write(opening)
        try:
            await self._read(received)
            if self._writer_ended is not None:
                await self._writer_ended.wait()
            if self._broken:
                await self._wire.linger(self._config)
        except Lost:
            pass
        finally:
            self._finish()

    def _finish(self) -> None:
        self._retire()
        self._wait.end()
        if self._writer is not None:
            self._writer.cancel()

    def _limit_life(self) -> None:
        if self._opened:
            self._wait.until(trio.current_time() + self._config.close_timeout)
            self._take_over()

    def _end(self) -> None:
        self._watchable = False
        self._take_over()
        self._wire.cut()
        if self._writer is not None:
            self._writer.cancel()
        if self._pausing is not None:
            self._pausing.cancel()

    # Reading

    async def _read(self, data: bytes) -> None:
        """Read until the peer has closed, or has broken the rules."""
        try:
            backlog, complete = self._take(data)
            # Once this side is closing, what is still on its way leads to nothing, and has a limit.
            while not self._retired and (not self._closing or self._left > 0):
                if backlog is not None:
                    await self._pause(backlog)
                if not complete:
                    await trio.lowlevel.checkpoint()
                    backlog, complete = self._take(b"")
                elif self._watchable and not self._closing:
                    backlog, complete = await self._be_read()
                elif data := await self._wire.receive():
                    if self._closing:
                        self._left -= len(data)
                    backlog, complete = self._take(data)
                else:
                    break
        except Violation as violation:
            self._broken = True
            self._retire(violation.error)
            self._begin_closing(violation.code)
            return
        if not self._retired:
            self._end()

    async def _be_read(self) -> tuple[Backlog | None, bool]:
        """Leave reading to the task that reads from all connections, while it goes as usual.

        Raises:
            Violation: see ``_take``.
        """
        self._outcome = (None, True)
        parked = self._parked = trio.Event()
        self._hosting.readers.add(self._wire.fileno(), self)
        try:
            await parked.wait()
        finally:
            self._take_over()
        if isinstance(self._outcome, Violation):
            raise self._outcome
        return self._outcome

    def _take_over(self) -> None:
        """Have the task of this connection go on reading."""
        if self._parked is not None:
            self._hosting.readers.remove(self._wire.fileno())
            self._parked.set()
            self._parked = None

    @property
    def application(self) -> Application:
        """See ``Reader``."""
        return self._endpoint.application

    def read(self) -> deque[TakesTurns]:
        """See ``Reader``. Called by the task that reads from all connections."""
        data = self._wire.read()
        if data is None:
            return deque()
        if not data:  # its own task finds out what that means
            self._watchable = False
            self._take_over()
            return deque()
        try:
            backlog, complete = self._outcome = self._take(data, take_turns=True)
        except Violation as violation:
            self._outcome = violation
            self._take_over()
        else:
            if backlog is not None or not complete or self._retired:
                self._take_over()
        return self._endpoint.application.take_turns()

    def _take(self, data: bytes, *, take_turns: bool = False) -> tuple[Backlog | None, bool]:
        """State what one read brought in one call, and whether that was all.

        It is not if there is more than one message may have: compressed, a read may bring a
        thousand times its size.

        Args:
            data: what was read.
            take_turns: whether the caller calls the handlers, instead of tasks of their own.

        Raises:
            Violation: behind what was well, which is stated.
        """
        assert self.accepted is not None
        core = self._endpoint.core
        facts: list[tuple[Fact, tuple[Any, ...]]] = []
        closed: bytes | None = None
        backlog: Backlog | None = None
        left = self.accepted.limit
        try:
            for opcode, payload in self._frames.feed(data):
                left -= len(payload)
                if opcode is TEXT:
                    facts.append((core.ws_text, (self, payload)))
                elif opcode is BINARY:
                    facts.append((core.ws_binary, (self, payload)))
                elif isinstance(payload, bytes):
                    if opcode is CLOSE:
                        closed = payload
                    else:
                        # Only the latest ping has to be answered, so that nothing piles up.
                        self._pong = payload
                if left < 0:
                    break
        finally:
            if facts:
                backlog = self._endpoint.call_all(facts, take_turns=take_turns)
        if self._pong is not None:
            self._wake_writer()
        if closed is not None:
            self._retire(take_turns=take_turns)
            # The same code comes back (EIO-WS-07).
            self._begin_closing(int.from_bytes(closed, "big") if closed else None)
        return backlog, left >= 0

    # Writing

    def _wake_writer(self) -> None:
        if self._writing:
            self._work.set()
        elif self._opened:  # else ``run`` begins with it
            self._write(b"")

    def _write(self, begun: bytes) -> None:
        """Write what there is now, behind what has begun already."""
        data = begun + self._next_bytes()
        if not data:
            return
        if self._wire.try_send(data):
            self._sent()
            if self._close_frame_made:
                self._work.set()  # the writer has nothing to wait for any more
            return
        self._writing = True
        self._work.set()
        if self._writer is None:
            self._writer, self._writer_ended = trio.CancelScope(), trio.Event()
            self._hosting.spawn(self._write_on, self._writer, self._writer_ended)

    def _next_bytes(self) -> bytes:
        if self._close_frame_made:
            return b""
        batch, self._batch = self._batch, None
        pong, self._pong = self._pong, None
        parts: list[bytes] = []
        if pong is not None:
            parts.append(pong_frame(pong))
        if batch is not None:
            parts += map(self._frame_bytes, batch)
            self._batch_unsent = True
        if self._closing:
            code = self._close_code
            parts.append(close_frame(b"" if code is None else code.to_bytes(2, "big")))
            self._close_frame_made = True
        return b"".join(parts)

    def _sent(self) -> None:
        if self._batch_unsent:
            self._batch_unsent = False
            if not self._retired:
                self._endpoint.written(self)

    async def _write_on(self, scope: trio.CancelScope, ended: trio.Event) -> None:
        """The task that writes what has to wait, until the close frame is out."""
        try:
            with scope:
                while not self._close_frame_made or self._writing:
                    await self._work.wait()
                    self._work = trio.Event()
                    await self._write_waiting(scope)
            if scope.cancelled_caught:
                self._end()
        except Lost:
            self._end()
        finally:
            ended.set()

    async def _write_waiting(self, scope: trio.CancelScope) -> None:
        while self._writing:
            # One scope whose deadline moves, instead of one for every write.
            scope.deadline = trio.current_time() + self._config.write_timeout
            await self._wire.flush()
            self._sent()
            data = self._next_bytes()
            self._writing = bool(data)
            if data:
                self._wire.try_send(data)
        scope.deadline = inf
