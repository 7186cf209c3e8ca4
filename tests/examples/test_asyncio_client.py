"""The client that embeds the core in asyncio, against our own server."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncio_client
import asyncio_streams
import pytest
import trio

from sioproto import AckTimeout, ClosedError, ConnectionRefused
from sioproto import engineio as eio
from sioproto import socketio as sio
from sioproto.trio import Server, Socket
from tests.examples.asyncio_person import PATIENCE, TRANSPORTS, Person, clock, person, run
from tests.examples.clients import new_core

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope"


def application() -> Server:
    """A server that echoes, asks back and sends away."""
    io = Server(engine=eio.ServerConfig(path="/socket.io/", ping_interval=0.2))

    @io.use
    def admit(socket: Socket) -> None:
        if socket.handshake.auth.get("token") != "t":
            raise ConnectionRefused("who are you", data=7)

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.on("echo")(lambda *args: args)
        socket.on("leave")(lambda: socket.disconnect())

        @socket.on("ask")
        async def ask(*args: Any) -> None:
            socket.emit("asked", await socket.request("question", *args, timeout=PATIENCE))

    return io


@contextmanager
def serving(port: int = 0) -> Iterator[int]:
    """Serve in a thread with a loop of its own, on a free port unless one is given."""
    ready: queue.Queue[tuple[trio.lowlevel.TrioToken, trio.CancelScope, int]] = queue.Queue()

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                addresses = await nursery.start(
                    lambda task_status: application().serve(port=port, task_status=task_status)
                )
                ready.put((trio.lowlevel.current_trio_token(), scope, addresses[0][1]))

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    token, scope, bound = ready.get(timeout=PATIENCE)
    try:
        yield bound
    finally:
        token.run_sync_soon(scope.cancel)
        thread.join()


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_events_acknowledgements_and_heartbeats(transports: tuple[str, ...]) -> None:
    async def test() -> None:
        async with person(port, transports) as ann:
            ann.socket.emit("ask", "before it is connected")
            connected = await ann.told(sio.ClientConnected)
            assert connected.socket is ann.socket
            question = await ann.told(sio.ClientEventReceived)
            assert (question.name, question.args) == ("question", ["before it is connected"])
            question.reply("answer", b"bytes")
            asked = await ann.told(sio.ClientEventReceived)
            assert asked.args == [["answer", b"bytes"]]
            for values in (
                ["żółć 🙂", {"deep": [b"\x00\xff", b""]}],
                ["x" * 200_000],
                [bytes(10**5)],
            ):
                assert await ann.driver.request(ann.socket, "echo", *values) == values
            if len(transports) == 2 and ann.driver.core.engine.transport == "polling":
                await ann.told(eio.SessionUpgraded)
            assert ann.driver.core.engine.transport == transports[-1]
            for _ in range(2):
                await ann.told(eio.PingReceived)
            assert await ann.driver.request(ann.socket, "echo", 1) == [1]

    with serving() as port:
        run(test)


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_the_end_refusals_and_namespaces(transports: tuple[str, ...]) -> None:
    async def test() -> None:
        async with person(port, transports) as ann:
            await ann.told(sio.ClientConnected)
            nowhere = ann.driver.core.of("/nowhere")
            nowhere.connect(now=clock())
            refused = await ann.told(sio.ClientConnectFailed)
            assert (refused.socket, refused.error.message) == (nowhere, "Invalid namespace")
            with pytest.raises(AckTimeout):
                await ann.driver.request(ann.socket, "nobody listens to this", timeout=0.1)
            ann.socket.disconnect(now=clock())
            assert (await ann.told(sio.ClientDisconnected)).reason == "io client disconnect"
            ann.socket.set_auth({"token": "wrong"})
            ann.socket.connect(now=clock())
            refused = await ann.told(sio.ClientConnectFailed)
            assert (refused.error.message, refused.error.data) == ("who are you", 7)
            ann.socket.set_auth({"token": "t"})
            ann.socket.connect(now=clock())
            await ann.told(sio.ClientConnected)
            with pytest.raises(ClosedError):
                await asyncio.gather(
                    ann.driver.request(ann.socket, "nobody listens to this"), leave(ann)
                )
            assert not ann.socket.active

    async def leave(ann: Person) -> None:
        ann.socket.emit("leave")
        assert (await ann.told(sio.ClientDisconnected)).reason == "io server disconnect"

    with serving() as port:
        run(test)


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_a_lost_server_is_found_again(transports: tuple[str, ...]) -> None:
    async def test() -> None:
        servers = contextlib.ExitStack()
        port = servers.enter_context(serving())
        async with person(port, transports, reconnection_delay=0.05) as ann:
            first = (await ann.told(sio.ClientConnected)).socket.id
            await asyncio.to_thread(servers.close)
            assert (await ann.told(sio.ClientDisconnected)).will_retry
            assert (await ann.told(sio.ManagerOpenFailed)).will_retry
            ann.socket.emit("ask", "kept meanwhile")
            with serving(port):
                assert (await ann.told(sio.ClientConnected)).socket.id != first
                assert (await ann.told(sio.ClientEventReceived)).args == ["kept meanwhile"]
                await ann.driver.close()

    run(test)


@pytest.mark.parametrize(
    ("answer", "polling", "websocket"),
    [
        (NOT_FOUND, "no Engine.IO server answers", "HTTP status 404: nope"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "the connection failed", "Missing header"),
        (b"who knows\r\n\r\n", "illegal status line", "Bad HTTP message"),
        (b"", "the connection failed", "the server closed the WebSocket"),
    ],
)
@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_a_strange_server_is_an_error_and_nothing_worse(
    transport: str, answer: bytes, polling: str, websocket: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def test() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with person(port, (transport,), reconnection_delay=0.01) as ann:
            for _ in range(3):
                failed = await ann.told(sio.ManagerOpenFailed)
                assert failed.will_retry
                assert (polling if transport == "polling" else websocket) in str(failed.error)
        server.close()

    run(test)


def test_a_request_that_is_given_up_before_it_begins() -> None:
    async def test() -> None:
        with serving() as port:
            for transports in (("polling",), ("websocket",)):
                async with person(port, transports) as ann:
                    ann.driver.call(ann.driver.core.handle_timeout)
                    ann.driver.call(ann.driver.core.close)

    run(test)


def test_it_chats_as_its_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        printed: asyncio.Queue[str] = asyncio.Queue()
        monkeypatch.setattr(asyncio_client, "print", printed.put_nowait, raising=False)

        async def hear(*endings: str) -> None:
            async with asyncio.timeout(PATIENCE):
                for ending in endings:
                    while not (await printed.get()).endswith(ending):
                        pass

        core = new_core()
        endpoint = asyncio_streams.Endpoint(core, asyncio_streams.chat(core))
        async with asyncio_streams.serving([endpoint], 0) as url:
            listener = asyncio.ensure_future(asyncio_client.main(url))
            async with asyncio.timeout(PATIENCE):
                assert (await printed.get()).startswith("connected as ")
            talker = asyncio.ensure_future(asyncio_client.main(url, "hello", "everybody"))
            await hear(": hello", ": everybody")
            for task in (talker, listener):
                task.cancel()
                await asyncio.wait([task])

    run(test)
