"""A connection in memory: what the core takes for a WebSocket, with a client at its other end."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import trio

from sioproto._errors import LimitError
from sioproto.engineio import PacketType, Request, WsAccept, WsFrame, WsReject, decode_packet

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog
    from sioproto._app._endpoint import Endpoint


class Receiver(Protocol):
    """Who is told what arrives on a connection."""

    def _opened(self, sid: str) -> None: ...
    def _message(self, data: str | bytes) -> None: ...
    def _ended(self, reason: str) -> None: ...


class Connection:
    """One Engine.IO session on a WebSocket that is none.

    Facts are stated where the network would bring them, as long as the server reads; what the core
    wants sent is read in a task of its own, because nothing may be stated while a core is drained.

    Args:
        endpoint: whose client it is.
        request: opens the session.
        answer_pings: whether the client answers heartbeats.
    """

    def __init__(self, endpoint: Endpoint, request: Request, *, answer_pings: bool) -> None:
        self._endpoint = endpoint
        self.request = request
        self.answer_pings = answer_pings
        self.rejection: str | None = None
        """Why the session was not opened."""
        self.ended = False
        self._receiver: Receiver | None = None
        self._limit = 0
        self._life = trio.CancelScope()
        self._work = trio.Event()
        self._reading = trio.Event()
        self._reading.set()
        self._batch: list[WsFrame] | None = None
        self._closing = False
        self._outbox: deque[str | bytes | None] = deque()  # None: close
        self._paused = False
        self._drained = trio.Event()

    def open(self, receiver: Receiver) -> None:
        """Ask for the session."""
        self._receiver = receiver
        self._endpoint.call(self._endpoint.core.ws_connected, self, self.request)
        if self.rejection is None:
            self._endpoint.application.runtime.spawn(self._run)
        else:
            self.ended = True
            receiver._ended("transport error")

    # Effects of the core

    def accept(self, out: WsAccept[Any]) -> None:
        """The session is opened."""
        self._limit = out.limit

    def reject(self, out: WsReject[Any]) -> None:
        """It is not."""
        self.rejection = f"HTTP {out.status}: {out.body.decode()}"

    def send(self, frames: list[WsFrame]) -> None:
        """The server sends these."""
        self._batch = frames
        self._work.set()

    def close(self, code: int | None) -> None:
        """The server closes, behind what it has sent."""
        self._closing = True
        self._reading.set()  # who does not read would not notice, and never end
        self._work.set()

    # The client receives

    async def _run(self) -> None:
        with self._life:
            while not self.ended:
                await self._work.wait()
                await self._reading.wait()
                self._work = trio.Event()
                self._receive()

    def _receive(self) -> None:
        batch, self._batch = self._batch, None
        if batch is not None:
            for frame in batch:
                self._take(frame.payload)
            if not self.ended:
                self._endpoint.call(self._endpoint.core.ws_sent, self)
        if self._closing and self._batch is None:
            self._end("transport close")

    def _take(self, frame: str | bytes) -> None:
        assert self._receiver is not None
        packet = decode_packet(frame)
        if self.ended:
            return
        if packet.type is PacketType.MESSAGE:
            self._receiver._message(packet.data)
        elif packet.type is PacketType.PING:
            if self.answer_pings:
                self.put(f"3{packet.data!s}")
        elif packet.type is PacketType.OPEN:
            self._receiver._opened(json.loads(packet.data)["sid"])

    def stop_reading(self) -> None:
        """Leave unread what the server sends."""
        if self._reading.is_set():
            self._reading = trio.Event()

    def resume_reading(self) -> None:
        """Read it, and what follows."""
        self._reading.set()

    # The client sends

    def put(self, frame: str | bytes | None) -> None:
        """Send a packet, or None to close, as soon as the server reads."""
        if self._paused:
            self._outbox.append(frame)
            return
        backlog = self._state(frame)
        if backlog is not None:
            self._paused = True
            self._endpoint.application.runtime.spawn(self._go_on, backlog)

    def _state(self, frame: str | bytes | None) -> Backlog | None:
        core = self._endpoint.core
        if self.ended:
            return None
        if frame is None:
            self._end("forced close")
            return None
        size = len(frame if isinstance(frame, bytes) else frame.encode())
        if size > self._limit:
            error = LimitError(
                f"a message of more than {self._limit} bytes", rule="EIO-WS-08", limit="max_payload"
            )
            self._end("transport close", error)
            return None
        if isinstance(frame, bytes):
            return self._endpoint.call(core.ws_binary, self, frame)
        return self._endpoint.call(core.ws_text, self, frame)

    async def _go_on(self, backlog: Backlog | None) -> None:
        """Send what waits, whenever the server reads on."""
        while True:
            if backlog is not None:
                await backlog.wait()
            if not self._outbox or self.ended:
                break
            backlog = self._state(self._outbox.popleft())
        self._paused = False
        self._drained.set()
        self._drained = trio.Event()

    async def drain(self) -> None:
        """Wait until the server has read everything, or the connection has ended."""
        while self._paused and not self.ended:
            await self._drained.wait()

    # The end

    def lose(self) -> None:
        """The network fails."""
        self._end("transport close")

    def _end(self, reason: str, error: Exception | None = None) -> None:
        if self.ended:
            return
        assert self._receiver is not None
        self.ended = True
        self._life.cancel()
        self._drained.set()
        self._endpoint.call(partial(self._endpoint.core.ws_closed, error=error), self)
        self._receiver._ended(reason)


def request_of(
    path: str,
    *,
    query: Mapping[str, str] | None,
    headers: Mapping[str, str] | None,
    address: str | None,
    secure: bool,
) -> Request:
    """The request that opens a session on WebSocket."""
    fields = {"EIO": "4", "transport": "websocket", **(query or {})}
    lines = {"host": "localhost", "connection": "Upgrade", "upgrade": "websocket"}
    lines.update({name.lower(): value for name, value in (headers or {}).items()})
    return Request(
        method="GET",
        target=f"{path}?{urlencode(fields)}",
        headers=tuple(lines.items()),
        address=address,
        secure=secure,
    )
