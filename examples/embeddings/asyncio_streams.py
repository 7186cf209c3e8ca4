"""Engine.IO and Socket.IO on asyncio's streams: no framework, h11 for HTTP, wsproto for WebSocket.

    python examples/embeddings/asyncio_streams.py

serves a chat on http://127.0.0.1:3000, at the path ``/socket.io/``. The parts, from the bottom up:

- ``Endpoint`` states facts to one core, carries out its effects, and keeps its alarm clock;
- ``Exchange`` and ``WebSocket`` are the tokens, the two things that a core knows a client by;
- ``Connection`` is one TCP connection: requests one after another, until the last, or a WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import h11
import wsproto
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import RemoteProtocolError as WebSocketError

from sioproto import ClosedError, LimitError, RemoteProtocolError
from sioproto import engineio as eio
from sioproto import socketio as sio

READ_SIZE = 65_536
PATIENCE = 60
"""Seconds for a request to come, for its body, and for a closing handshake."""
Headers = Sequence[tuple[str, str]]


class Endpoint:
    """One core, and the function that is shown its events."""

    def __init__(self, core: Any, application: Callable[[Any], None]) -> None:
        self.core = core
        self.application = application
        self.alarm: asyncio.TimerHandle | None = None

    def call(self, fact: Callable[..., None], *args: Any) -> None:
        """State a fact, do all that follows from it, and set the alarm for what comes later."""
        loop = asyncio.get_running_loop()
        fact(*args, now=loop.time())
        for out in self.core.outputs():
            match out:
                case eio.HttpRead():
                    out.exchange.limit = out.limit
                case eio.HttpRespond() if not out.exchange.answer.done():
                    out.exchange.answer.set_result((out.status, out.headers, out.body))
                case eio.WsAccept() | eio.WsReject() | eio.WsSend() | eio.WsClose():
                    out.ws.effects.put_nowait(out)
                case _:
                    self.application(out)
        if self.alarm is not None:
            self.alarm.cancel()
        deadline = self.core.next_deadline()
        if deadline is not None:
            self.alarm = loop.call_at(deadline, self.call, self.core.handle_timeout)


class Exchange:
    """One request that waits for its answer."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self.answer: asyncio.Future[tuple[int, Headers, bytes]] = asyncio.Future()


class Connection:
    """One TCP connection."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.endpoints = endpoints
        self.reader = reader
        self.writer = writer
        self.http = h11.Connection(h11.SERVER)
        self.head_only = False

    async def run(self) -> None:
        """Serve request after request."""
        with contextlib.suppress(OSError, h11.ProtocolError, TimeoutError):
            while isinstance(head := await self.event(), h11.Request):
                if not await self.serve(head):
                    break
                self.http.start_next_cycle()
                self.head_only = False
        can_answer = self.http.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        if can_answer and self.http.their_state is h11.ERROR:
            with contextlib.suppress(OSError):
                await self.respond(400, [], b"malformed request")
        self.writer.close()

    async def serve(self, head: h11.Request) -> bool:
        """Serve one request. False if it was the last."""
        self.head_only = head.method == b"HEAD"
        headers = [(name.decode(), value.decode("latin-1")) for name, value in head.headers]
        request = eio.Request(
            method=head.method.decode().upper(),
            target=head.target.decode("latin-1"),
            headers=tuple(headers),
            address=self.writer.get_extra_info("peername")[0],
        )
        endpoint = next((e for e in self.endpoints if e.core.serves(request.target)), None)
        if endpoint is None:
            await self.respond(404, [], b"not found")
        elif request.wants_websocket:
            await WebSocket(self, endpoint).run(request, head.headers.raw_items())
            return False
        else:
            await self.respond(*await self.answer(endpoint, request))
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    async def answer(self, endpoint: Endpoint, request: eio.Request) -> tuple[int, Headers, bytes]:
        """Have a core answer a request: the whole contract about exchanges is in here."""
        core, exchange = endpoint.core, Exchange()
        endpoint.call(core.http_request, exchange, request)
        try:
            if exchange.limit is not None:
                body = bytearray()
                while isinstance(part := await self.event(), h11.Data):
                    body += part.data
                    if len(body) > exchange.limit:
                        break  # the core will say so
                endpoint.call(core.http_body, exchange, bytes(body))
            while not exchange.answer.done():
                await self.watch(exchange.answer)
        except BaseException:
            endpoint.call(core.http_aborted, exchange)
            raise
        return exchange.answer.result()

    async def watch(self, answer: asyncio.Future[Any]) -> None:
        """Wait for the answer, or for the client, which should have nothing to say until then."""
        reading = asyncio.ensure_future(self.reader.read(READ_SIZE))
        try:
            await asyncio.wait((answer, reading), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                data = reading.result()
                if not data or len(self.http.trailing_data[0]) > READ_SIZE:
                    raise ConnectionError("the client has hung up, or does not wait for its turn")
                self.http.receive_data(data)  # its next request
        finally:
            reading.cancel()
            await asyncio.wait([reading])  # two may not read at once

    async def event(self) -> Any:
        """The next part of a request."""
        async with asyncio.timeout(PATIENCE):
            while (event := self.http.next_event()) is h11.NEED_DATA:
                if self.http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self.writer.write(self.http.send(go_on) or b"")
                data = await self.reader.read(READ_SIZE)
                if not data and self.http.their_state is h11.SEND_BODY:
                    raise ConnectionError("the client hung up in the middle of its request")
                self.http.receive_data(data)
        return event

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer. What is left of a body that nobody wants, nobody reads."""
        with contextlib.suppress(h11.RemoteProtocolError):
            while self.http.their_state is h11.SEND_BODY:
                if self.http.next_event() is h11.NEED_DATA:
                    break
        if self.http.their_state is not h11.DONE:
            headers = [*headers, ("connection", "close")]
        length = ("content-length", str(len(body)))
        data = self.http.send(h11.Response(status_code=status, headers=[*headers, length])) or b""
        if not self.head_only:
            data += self.http.send(h11.Data(data=body)) or b""
        self.writer.write(data + (self.http.send(h11.EndOfMessage()) or b""))
        await self.writer.drain()


class WebSocket:
    """One WebSocket. Effects queue up for the task that writes; the other one reads."""

    def __init__(self, connection: Connection, endpoint: Endpoint) -> None:
        self.connection = connection
        self.endpoint = endpoint
        self.core = endpoint.core
        self.wire = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        self.effects: asyncio.Queue[Any] = asyncio.Queue()
        self.error: Exception | None = None

    async def run(self, request: eio.Request, headers: list[tuple[bytes, bytes]]) -> None:
        """Shake hands and live."""
        try:
            self.wire.initiate_upgrade_connection(headers, request.target)
            next(self.wire.events())
        except WebSocketError as error:
            await self.connection.respond(400, [], str(error).encode())
            return
        self.endpoint.call(self.core.ws_connected, self, request)
        answer = await self.effects.get()
        if isinstance(answer, eio.WsReject):
            await self.connection.respond(answer.status, answer.headers, answer.body)
            return
        extra = [(name.encode(), value.encode()) for name, value in answer.headers]
        await self.send(AcceptConnection(extra_headers=extra))
        writing = asyncio.ensure_future(self.write())
        try:
            await self.read(answer.limit)
        finally:
            writing.cancel()
            self.endpoint.call(functools.partial(self.core.ws_closed, error=self.error), self)

    async def read(self, limit: int) -> None:
        """State what comes, until the WebSocket has ended."""
        data = self.connection.http.trailing_data[0]
        parts: list[bytes] = []
        size = 0
        while True:
            self.wire.receive_data(data)
            for event in self.wire.events():
                if isinstance(event, Ping):
                    await self.send(event.response())
                elif isinstance(event, CloseConnection):
                    if self.wire.state is ConnectionState.OPEN:  # nobody has closed: a violation
                        self.error = RemoteProtocolError(event.reason or "", rule="EIO-WS-08")
                    if self.wire.state is not ConnectionState.CLOSED:
                        await self.send(CloseConnection(code=event.code))
                    return
                elif isinstance(event, TextMessage | BytesMessage):
                    piece = event.data
                    parts.append(piece.encode() if isinstance(piece, str) else bytes(piece))
                    size += len(parts[-1])
                    if size > limit:
                        self.error = LimitError("too big", rule="EIO-WS-08", limit="max_payload")
                        await self.send(CloseConnection(code=1009))
                        return
                    if event.message_finished and isinstance(event, TextMessage):
                        self.endpoint.call(self.core.ws_text, self, b"".join(parts).decode())
                    elif event.message_finished:
                        self.endpoint.call(self.core.ws_binary, self, b"".join(parts))
                    if event.message_finished:
                        parts, size = [], 0
            data = await self.connection.reader.read(READ_SIZE)
            if not data:
                return

    async def write(self) -> None:
        """Carry out effects, one after another. Ends the connection, unless the reader did."""
        with contextlib.suppress(OSError, TimeoutError):
            while isinstance(out := await self.effects.get(), eio.WsSend):
                await self.send(*map(message, out.frames))
                self.endpoint.call(self.core.ws_sent, self)
            await self.send(CloseConnection(code=1005 if out.code is None else out.code))
            await asyncio.sleep(PATIENCE)  # for the other half of the closing handshake
        self.connection.writer.transport.abort()

    async def send(self, *events: Any) -> None:
        """Write, and wait while the client does not read."""
        if self.wire.state not in (ConnectionState.LOCAL_CLOSING, ConnectionState.CLOSED):
            self.connection.writer.write(b"".join(map(self.wire.send, events)))
            async with asyncio.timeout(PATIENCE):
                await self.connection.writer.drain()


def message(frame: eio.WsFrame) -> TextMessage | BytesMessage:
    """A message as wsproto has it."""
    if isinstance(frame.payload, str):
        return TextMessage(data=frame.payload)
    return BytesMessage(data=frame.payload)


@contextlib.asynccontextmanager
async def serving(endpoints: Sequence[Endpoint], port: int) -> AsyncIterator[str]:
    """Serve while the context lasts, then close every session in order."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(task := asyncio.ensure_future(Connection(endpoints, reader, writer).run()))
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    host, bound = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{bound}"
    finally:
        server.close()
        for endpoint in endpoints:
            endpoint.call(endpoint.core.shutdown)
        if tasks:
            await asyncio.wait(tasks, timeout=1)
        for task in tasks:
            task.cancel()


def chat(core: sio.SocketServer[Any]) -> Callable[[Any], None]:
    """A small application: what anybody says, everybody else hears."""

    def application(out: Any) -> None:
        match out:
            case sio.ConnectRequested():
                with contextlib.suppress(ClosedError):  # gone already, by what came with it
                    core.accept(out.socket)
            case sio.EventReceived(name="chat", args=[str() as text]):
                out.socket.broadcast.emit("chat", out.socket.id, text)
                if out.reply is not None:
                    out.reply("ok")

    return application


async def main() -> None:
    """Serve until interrupted."""

    def new_id() -> str:
        return secrets.token_urlsafe(15)

    engine: eio.EngineServer[Any] = eio.EngineServer(
        eio.ServerConfig(path="/socket.io/"), new_sid=new_id
    )
    core = sio.SocketServer(engine, new_id=new_id, wall_clock=time.time)
    async with serving([Endpoint(core, chat(core))], 3000) as url:
        print(f"serving on {url}")
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
