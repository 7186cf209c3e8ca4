"""One WebSocket of a client: opening handshake, a task that reads, a task that writes, the end."""

from __future__ import annotations

import secrets
from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Any

import h11
import trio
from wsproto.frame_protocol import FrameProtocol, Opcode

from sioproto.engineio import WsConnect, WsFrame
from sioproto.trio._client_http import (
    TROUBLE,
    Connection,
    HttpPool,
    http_headers,
    reason_of,
    text_headers,
)
from sioproto.trio._frames import FrameReader, Violation
from sioproto.trio._wire import RECEIVE_SIZE

if TYPE_CHECKING:
    from sioproto.trio._client_endpoint import ClientEndpoint

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_REFUSAL = 10_000
"""So much is read of what a server answers instead of opening a WebSocket."""


class ClientWebSocket:
    """What the core's effects about one WebSocket act on."""

    def __init__(self, endpoint: ClientEndpoint, pool: HttpPool, out: WsConnect) -> None:
        self._endpoint = endpoint
        self._pool = pool
        self._out = out
        self._opening = trio.CancelScope()
        self._life = trio.CancelScope()
        self._opened = False
        self._work = trio.Event()
        self._batch: list[WsFrame] | None = None
        self._pong: bytes | None = None
        self._closing = False
        self._close_code: int | None = None
        self._retired = False
        # Sends only: everything that a client sends is masked.
        self._frames = FrameProtocol(client=True, extensions=[])

    # Effects

    def send(self, frames: list[WsFrame]) -> None:
        """Write these messages, then tell the core."""
        self._batch = frames
        self._work.set()

    def close(self, code: int | None) -> None:
        """Write what is left to write, then a close frame."""
        if not self._closing:
            self._close_code = code
            self._begin_closing()
        if not self._opened:
            self._opening.cancel()

    def _begin_closing(self) -> None:
        self._closing = True
        self._life.deadline = trio.current_time() + self._pool.config.close_timeout
        self._work.set()

    # The task

    async def run(self) -> None:
        """Open it, and carry messages until its end."""
        connection: Connection | None = None
        try:
            with self._opening:
                connection = await self._open()
                self._opened = connection is not None
        except TROUBLE as error:
            self._retire(reason_of(error))
        if connection is None:
            self._retire(None)
            return
        try:
            if not self._closing:
                await self._carry(connection)
        finally:
            self._retire(None)
            await trio.aclose_forcefully(connection.stream)

    def _retire(self, error: Exception | None) -> None:
        if not self._retired:
            self._retired = True
            self._endpoint.ws_retired(self._out.ws, error)

    async def _open(self) -> Connection | None:
        connection = await self._pool.open()
        try:
            if await self._shake_hands(connection):
                return connection
        except BaseException:
            await trio.aclose_forcefully(connection.stream)
            raise
        await trio.aclose_forcefully(connection.stream)
        return None

    async def _shake_hands(self, connection: Connection) -> bool:
        key = b64encode(secrets.token_bytes(16))
        headers = http_headers(self._pool.address, self._out.headers)
        headers += [
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-version", b"13"),
            (b"sec-websocket-key", key),
        ]
        request = h11.Request(method="GET", target=self._out.target, headers=headers)
        await connection.send((request, h11.EndOfMessage()))
        response = await connection.head()
        fields = text_headers(response)
        if isinstance(response, h11.Response):
            body = await connection.body(_MAX_REFUSAL)
            self._retired = True
            self._endpoint.ws_refused(self._out.ws, response.status_code, fields, body)
            return False
        accept = b64encode(sha1(key + _MAGIC).digest()).decode("ascii")
        answers = dict(fields)
        if answers.get("sec-websocket-accept") != accept:
            raise h11.RemoteProtocolError("the answer is for another opening handshake")
        if "sec-websocket-extensions" in answers or "sec-websocket-protocol" in answers:
            raise h11.RemoteProtocolError("the server chose what was not offered")
        self._endpoint.call(self._endpoint.core.ws_opened, self._out.ws, fields)
        return True

    async def _carry(self, connection: Connection) -> None:
        with self._life:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, connection.stream)
                await self._read(connection)
                self._begin_closing()

    # Reading

    async def _read(self, connection: Connection) -> None:
        """Read messages until the end, whoever brings it about."""
        reader = FrameReader(self._out.limit, self._pool.config.max_fragments, client=True)
        data: bytes = connection.http.trailing_data[0]
        try:
            while True:
                if data:
                    ended, backlog = self._feed(reader, data)
                    if ended:
                        return
                    if backlog is not None and not self._closing:
                        await backlog.wait()
                data = bytes(await connection.stream.receive_some(RECEIVE_SIZE))
                if not data:
                    self._retire(None)
                    return
        except TROUBLE as error:
            self._retire(reason_of(error))

    def _feed(self, reader: FrameReader, data: bytes) -> tuple[bool, Any]:
        """Handle what one read brought. Whether that was the end, and what to wait for."""
        core, ws = self._endpoint.core, self._out.ws
        facts: list[tuple[Any, tuple[Any, ...]]] = []
        ended = False
        violation: Violation | None = None
        try:
            for opcode, payload in reader.feed(data):
                if opcode is Opcode.TEXT:
                    facts.append((core.ws_text, (ws, payload)))
                elif opcode is Opcode.BINARY:
                    facts.append((core.ws_binary, (ws, payload)))
                elif opcode is Opcode.PING:
                    assert isinstance(payload, bytes)
                    self._pong = payload
                    self._work.set()
                else:
                    assert isinstance(payload, bytes)
                    ended = True
                    if not self._closing:  # the same code goes back
                        self._close_code = int.from_bytes(payload, "big") if payload else None
                    break
        except Violation as found:
            violation = found
            ended = True
            self._close_code = found.code
        backlog = None
        if facts and not self._retired:
            backlog = self._endpoint.call_all(facts)
        if ended:
            self._retire(None if violation is None else violation.error)
        return ended, backlog

    # Writing

    async def _write(self, stream: trio.abc.Stream) -> None:
        """Write what the core and the reader leave here, until the close frame is out."""
        try:
            while True:
                self._work = trio.Event()
                batch, self._batch = self._batch, None
                pong, self._pong = self._pong, None
                closing = self._closing
                parts: list[bytes | bytearray] = []
                if pong is not None:
                    parts.append(self._frames.pong(pong))
                if batch is not None:
                    parts += [self._frames.send_data(frame.payload, fin=True) for frame in batch]
                if closing:
                    parts.append(self._frames.close(self._close_code))
                if parts:
                    await stream.send_all(b"".join(parts))
                if batch is not None and not self._retired:
                    self._endpoint.call(self._endpoint.core.ws_sent, self._out.ws)
                if closing:
                    break
                await self._work.wait()
        except TROUBLE as error:
            self._retire(reason_of(error))
            self._life.cancel()
