"""A Socket.IO client on asyncio's streams: no framework, h11 for HTTP, wsproto for WebSocket.

    python examples/embeddings/asyncio_client.py http://127.0.0.1:3000 hello everybody

says two things in the chat of ``asyncio_streams.py``, and prints what others say. The parts:

- ``Driver`` states facts to one core, carries out its effects, and keeps its alarm clock;
- ``Driver.ask`` is an HTTP request, on a connection of its own;
- ``WebSocket`` is one WebSocket.

When to poll, to upgrade, to give up and to connect again is for the core to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import secrets
import sys
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

import h11
import wsproto
from wsproto import events as ws
from wsproto.connection import ConnectionState
from wsproto.utilities import RemoteProtocolError as WebSocketError

from sioproto import AckTimeout, ClosedError, LimitError, RemoteProtocolError
from sioproto import engineio as eio
from sioproto import socketio as sio

READ_SIZE = 65_536
MAX_REFUSAL = 10_000
PATIENCE = 10
"""Seconds for a write, and for a closing handshake. The core knows of all other times."""
Headers = tuple[tuple[str, str], ...]
Answer = tuple[int, Headers, bytes]
Then = Callable[[int, Any, Exception | None], None]
TROUBLE = (OSError, h11.RemoteProtocolError, WebSocketError)
"""What a network, or a server, can do to a request or a WebSocket."""


class Driver:
    """One core, and the function that is shown its events."""

    def __init__(
        self,
        url: str,
        application: Callable[[Any], None],
        engine: eio.ClientConfig | None = None,
        config: sio.ClientConfig | None = None,
    ) -> None:
        parts = urlsplit(url)
        self.authority = parts.netloc
        self.secure = parts.scheme == "https"
        self.address = parts.hostname or "localhost", parts.port or (443 if self.secure else 80)
        self.application = application
        self.alarm: asyncio.TimerHandle | None = None
        self.tasks: dict[int, asyncio.Future[Any]] = {}
        self.websockets: dict[int, WebSocket] = {}
        self.answers: dict[tuple[sio.ClientSocket, int], asyncio.Future[list[Any]]] = {}
        machine = eio.EngineClient(
            engine or eio.ClientConfig(path="/socket.io/"),
            nonce=lambda: secrets.token_urlsafe(6),
            wake=self.wake,
        )
        self.core = sio.SocketClient(machine, config, random=random.random)

    def wake(self) -> None:
        """The application gave a command: drain the core soon."""
        asyncio.get_running_loop().call_soon(self.call, self.core.handle_timeout)

    def call(self, fact: Callable[..., None], *args: Any) -> None:
        """State a fact, do all that follows from it, and set the alarm for what comes later."""
        loop = asyncio.get_running_loop()
        fact(*args, now=loop.time())
        for out in self.core.outputs():
            match out:
                case eio.HttpRequest():
                    self.begin(out.exchange, self.ask(out), self.answered)
                case eio.HttpAbort():
                    self.tasks[out.exchange].cancel()
                case eio.WsConnect():
                    websocket = self.websockets[out.ws] = WebSocket(self, out)
                    self.begin(out.ws, websocket.live(), websocket.ended)
                case eio.WsSend() | eio.WsClose():
                    self.websockets[out.ws].carry_out(out)
                case sio.ClientAckReceived():
                    if not (answer := self.answers.pop((out.socket, out.id))).done():
                        answer.set_result(out.args)
                case sio.ClientAckFailed():
                    if not (answer := self.answers.pop((out.socket, out.id))).done():
                        timeout = out.why == "timeout"
                        answer.set_exception(AckTimeout() if timeout else ClosedError())
                case _:
                    self.application(out)
        if self.alarm is not None:
            self.alarm.cancel()
        deadline = self.core.next_deadline()
        if deadline is not None:
            self.alarm = loop.call_at(deadline, self.call, self.core.handle_timeout)

    async def request(
        self, socket: sio.ClientSocket, name: str, *args: Any, timeout: float | None = None
    ) -> list[Any]:
        """Emit an event and wait for its acknowledgement."""
        loop = asyncio.get_running_loop()
        id = socket.emit_with_ack(name, *args, timeout=timeout, now=loop.time())
        answer: asyncio.Future[list[Any]] = loop.create_future()
        self.answers[socket, id] = answer
        return await answer

    async def close(self) -> None:
        """Close in order, but not for long."""
        self.call(self.core.close)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self.tasks:  # the last request may be yet to come
                    await asyncio.wait(list(self.tasks.values()))
        for task in self.tasks.values():
            task.cancel()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Make a connection to the server."""
        return await asyncio.open_connection(*self.address, ssl=self.secure or None)

    def begin(self, token: int, work: Coroutine[Any, Any, Any], then: Then) -> None:
        """Start a task. ``then`` states what came of it, even if it is cancelled before it runs."""

        def done(task: asyncio.Task[Any]) -> None:
            del self.tasks[token]
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, TROUBLE):
                raise error
            then(token, None if task.cancelled() or error else task.result(), error)

        task = self.tasks[token] = asyncio.ensure_future(work)
        task.add_done_callback(done)

    def answered(self, exchange: int, answer: Answer | None, error: Exception | None) -> None:
        """A request is over. If it was given up, nobody wants to know."""
        if error is not None:
            self.call(self.core.http_failed, exchange, error)
        elif answer is not None:
            self.call(self.core.http_response, exchange, *answer)

    async def ask(self, out: eio.HttpRequest) -> Answer:
        """Send a request, and read its response, or a little more than ``limit`` bytes of it."""
        reader, writer = await self.connect()
        try:
            http = h11.Connection(h11.CLIENT)
            headers = [("host", self.authority), ("connection", "close"), *out.headers]
            if out.method == "POST":
                headers.append(("content-length", str(len(out.body))))
            head = h11.Request(method=out.method, target=out.target, headers=headers)
            for part in (head, h11.Data(data=out.body), h11.EndOfMessage()):
                writer.write(http.send(part) or b"")
            body = bytearray()
            while len(body) <= out.limit:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    http.receive_data(await reader.read(READ_SIZE))
                elif isinstance(event, h11.Response):
                    response = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    break
            return response.status_code, as_text(response.headers), bytes(body)
        finally:
            writer.close()


class WebSocket:
    """One WebSocket. Effects queue up for the task that writes; the other one reads."""

    def __init__(self, driver: Driver, out: eio.WsConnect) -> None:
        self.driver = driver
        self.core = driver.core
        self.out = out
        self.wire = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self.effects: asyncio.Queue[Any] = asyncio.Queue()
        self.opened = False
        self.refusal: Answer | None = None

    def carry_out(self, out: Any) -> None:
        """Write, or close. What is not open yet can only be closed."""
        self.effects.put_nowait(out)
        if not self.opened:
            self.driver.tasks[self.out.ws].cancel()

    def ended(self, token: int, violation: Exception | None, error: Exception | None) -> None:
        """It is over, or never was: the core is told once."""
        del self.driver.websockets[token]
        if self.refusal is not None:
            self.driver.call(self.core.ws_refused, token, *self.refusal)
        else:
            closed = functools.partial(self.core.ws_closed, error=violation or error)
            self.driver.call(closed, token)

    async def live(self) -> Exception | None:
        """Open it, and carry messages. Returns what the server did wrong, if anything."""
        reader, self.writer = await self.driver.connect()
        headers = [(name.encode(), value.encode("latin-1")) for name, value in self.out.headers]
        host, target = self.driver.authority, self.out.target
        writing = None
        try:
            await self.send(ws.Request(host=host, target=target, extra_headers=headers))
            writing = asyncio.ensure_future(self.write())
            return await self.read(reader)
        finally:
            self.writer.close()
            if writing is not None:
                writing.cancel()

    async def read(self, reader: asyncio.StreamReader) -> Exception | None:
        """State what comes, until the end."""
        token = self.out.ws
        parts: list[bytes] = []
        size = 0
        while data := await reader.read(READ_SIZE):
            self.wire.receive_data(data)
            for event in self.wire.events():
                match event:
                    case ws.AcceptConnection():
                        self.opened = True
                        headers = as_text(event.extra_headers)
                        self.driver.call(self.core.ws_opened, token, headers)
                    case ws.RejectConnection():
                        self.refusal = event.status_code, as_text(event.headers), b""
                    case ws.RejectData():
                        assert self.refusal is not None
                        status, headers, body = self.refusal
                        self.refusal = status, headers, body + event.data
                        if event.body_finished or len(self.refusal[2]) > MAX_REFUSAL:
                            return None
                    case ws.Ping():
                        await self.send(event.response())
                    case ws.CloseConnection():
                        wrong = self.wire.state is ConnectionState.OPEN  # nobody has closed
                        if self.wire.state is not ConnectionState.CLOSED:
                            await self.send(ws.CloseConnection(code=event.code))
                        reason = event.reason or "a violation"
                        return RemoteProtocolError(reason, rule="EIO-WS-08") if wrong else None
                    case ws.TextMessage() | ws.BytesMessage():
                        piece = event.data
                        parts.append(piece.encode() if isinstance(piece, str) else bytes(piece))
                        size += len(parts[-1])
                        if size > self.out.limit:
                            await self.send(ws.CloseConnection(code=1009))
                            return LimitError("too big", rule="EIO-WS-08", limit="max_payload")
                        if event.message_finished:
                            whole, parts, size = b"".join(parts), [], 0
                            if isinstance(event, ws.TextMessage):
                                self.driver.call(self.core.ws_text, token, whole.decode())
                            else:
                                self.driver.call(self.core.ws_binary, token, whole)
        return None

    async def write(self) -> None:
        """Carry out effects, one after another. Ends the connection, unless the reader did."""
        with contextlib.suppress(OSError):
            while isinstance(out := await self.effects.get(), eio.WsSend):
                await self.send(*map(message, out.frames))
                self.driver.call(self.core.ws_sent, self.out.ws)
            await self.send(ws.CloseConnection(code=1005 if out.code is None else out.code))
            await asyncio.sleep(PATIENCE)  # for the other half of the closing handshake
        self.writer.transport.abort()

    async def send(self, *events: Any) -> None:
        """Write, and wait while the server does not read."""
        if self.wire.state not in (ConnectionState.LOCAL_CLOSING, ConnectionState.CLOSED):
            self.writer.write(b"".join(map(self.wire.send, events)))
            async with asyncio.timeout(PATIENCE):
                await self.writer.drain()


def message(frame: eio.WsFrame) -> ws.TextMessage | ws.BytesMessage:
    """A message as wsproto has it."""
    if isinstance(frame.payload, str):
        return ws.TextMessage(data=frame.payload)
    return ws.BytesMessage(data=frame.payload)


def as_text(headers: Any) -> Headers:
    """Headers as the core takes them."""
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


async def main(url: str, *words: str) -> None:
    """Say something, then print what happens, until interrupted."""

    def show(out: Any) -> None:
        match out:
            case sio.ClientConnected():
                print(f"connected as {out.socket.id}")
            case sio.ClientEventReceived(name="chat", args=[who, text]):
                print(f"{who}: {text}")
            case sio.ClientConnectFailed() | sio.ManagerOpenFailed():
                print(f"not connected: {out.error}")
            case sio.ClientDisconnected():
                print(f"disconnected: {out.reason}")
            case sio.ReconnectScheduled():
                print(f"attempt {out.attempt} follows in {out.delay:.1f} s")

    driver = Driver(url, show)
    socket = driver.core.of("/")
    socket.connect(now=asyncio.get_running_loop().time())
    for word in words:
        socket.emit("chat", word)  # waits until the socket is connected
    try:
        await asyncio.Event().wait()
    finally:
        await driver.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
