"""Short ways for what is usual: over real connections, equal in result to the long ones."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import pytest
import trio
import trio.testing
import trustme

from sioproto.engineio import ServerConfig
from sioproto.trio import AppConfig, ConnectionConfig, EngineServer, Server, Session, Socket
from tests.trio.support import Client, frame, open_polling

ENGINE = "/engine.io/?EIO=4&transport=websocket"
SOCKET = "/socket.io/?EIO=4&transport=websocket"

both = pytest.mark.parametrize("fast", [True, False])
with_tls_too = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For servers and for clients that trust them."""
    authority = trustme.CA()
    servers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(servers)
    clients = ssl.create_default_context()
    authority.configure_trust(clients)
    return servers, clients


class Site:
    """A server on a free port, and its clients."""

    def __init__(self, port: int, *, secure: bool) -> None:
        self.port = port
        self.secure = secure
        self.streams: list[trio.abc.Stream] = []

    async def client(self) -> Client:
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        if self.secure:
            context = contexts()[1]
            stream = trio.SSLStream(
                stream, context, server_hostname="localhost", https_compatible=True
            )
        self.streams.append(stream)
        return Client(stream)

    async def connect(self, target: str = ENGINE) -> Client:
        client = await self.client()
        await client.upgrade(target)
        assert (await client.frame())[1].startswith(b"0")
        return client

    async def join(self) -> Client:
        client = await self.connect(SOCKET)
        await client.text("40")
        assert (await client.frame())[1].startswith(b"40")
        return client


@asynccontextmanager
async def on_tcp(
    server: Server | EngineServer, fast: bool, secure: bool = False
) -> AsyncIterator[Site]:
    """Serve while the context lasts."""
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:

            async def run(*, task_status: trio.TaskStatus[Any]) -> None:
                config = ConnectionConfig(fast_lanes=fast)
                context = contexts()[0] if secure else None
                await server.serve(config=config, ssl_context=context, task_status=task_status)

            [(_, port)] = await nursery.start(run)
            site = Site(port, secure=secure)
            try:
                yield site
            finally:
                for stream in site.streams:
                    await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()


async def echo(session: Session) -> None:
    async for data in session:
        session.send(data)


async def until(holds: Callable[[], bool]) -> None:
    """Let the server learn what the network tells it; the test has a limit."""
    while not holds():  # noqa: ASYNC110 - nobody is told of what statistics show
        await trio.sleep(0.01)


@both
@with_tls_too
async def test_messages_of_any_kind_come_back(fast: bool, secure: bool) -> None:
    async with on_tcp(EngineServer(echo), fast, secure) as site:
        client = await site.connect()
        sizes = (1, 125, 126, 65_535, 65_536, 900_000)
        for size in sizes:
            await client.text("4" + "é" * (size // 2))
            await client.send(frame(0x82, os.urandom(size)))
        await client.send(frame(0x01, b"4in ") + frame(0x89, b"ping") + frame(0x80, b"pieces"))
        frames = [await client.frame() for _ in range(2 * len(sizes) + 2)]
        frames.remove((0x8A, b"ping"))  # which may overtake messages
        assert frames.pop() == (0x81, b"4in pieces")
        assert frames[::2] == [(0x81, b"4" + "é".encode() * (size // 2)) for size in sizes]
        assert [(first, len(data)) for first, data in frames[1::2]] == [
            (0x82, size) for size in sizes
        ]
        await client.send(frame(0x88, b"\x03\xe8"))
        assert await client.frame() == (0x88, b"\x03\xe8")
        assert await client.rest() == b""


@both
@with_tls_too
async def test_what_the_kernel_does_not_take_follows_in_order(fast: bool, secure: bool) -> None:
    """EIO-WS-10: more than the buffers of a connection hold, to a client that reads later."""
    many = [f"{number}:" + "x" * 100_000 for number in range(200)]

    async def pour(session: Session) -> None:
        async for _ in session:
            for text in many:
                session.send(text)
                await session.drain() if text.startswith("50:") else None
            session.send("end")

    config = ServerConfig(max_buffer=100_000_000)
    async with on_tcp(EngineServer(pour, config=config), fast, secure) as site:
        client = await site.connect()
        await client.text("4go")
        await client.send(frame(0x89, b"between"))
        received: list[bytes] = []
        while not received or received[-1] != b"4end":
            first, payload = await client.frame()
            if first == 0x81:
                received.append(payload)
        assert received == [b"4" + text.encode() for text in many] + [b"4end"]


@both
@with_tls_too
async def test_polls_are_answered_and_connections_kept(fast: bool, secure: bool) -> None:
    async with on_tcp(EngineServer(echo), fast, secure) as site:
        polls = await site.client()
        posts = await site.client()
        target = await open_polling(polls)
        for number in range(20):
            async with trio.open_nursery() as nursery:
                answers: list[bytes] = []

                async def poll(answers: list[bytes] = answers) -> None:
                    answers.append((await polls.request("GET", target)).body)

                nursery.start_soon(poll)
                size = 2_000 * number  # larger ones than fit into one read, too
                body = b"4%d" % number + b"x" * size
                assert (await posts.request("POST", target, body)).body == b"ok"
            assert answers == [body]


@both
@with_tls_too
async def test_a_request_behind_a_pending_poll_has_its_turn(fast: bool, secure: bool) -> None:
    """EIO-POLL-18: even if its first bytes come before the answer to the poll."""
    async with on_tcp(EngineServer(echo), fast, secure) as site:
        polls = await site.client()
        posts = await site.client()
        target = await open_polling(polls)
        request = f"GET {target} HTTP/1.1\r\nhost: test\r\n\r\n"
        await polls.send(request)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await polls.send(request[:30])
        await trio.testing.wait_all_tasks_blocked(0.05)
        await posts.request("POST", target, b"4one")
        assert (await polls.answer()).body == b"4one"
        await polls.send(request[30:])
        await trio.testing.wait_all_tasks_blocked(0.05)
        await posts.request("POST", target, b"4two")
        assert (await polls.answer()).body == b"4two"


@both
@with_tls_too
async def test_a_client_that_hangs_up_on_its_poll_is_noticed(fast: bool, secure: bool) -> None:
    """EIO-POLL-07."""
    server = EngineServer(echo)
    async with on_tcp(server, fast, secure) as site:
        polls = await site.client()
        target = await open_polling(polls)
        await polls.send(f"GET {target} HTTP/1.1\r\nhost: test\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert server.statistics().exchanges == 1
        await polls.stream.aclose()
        await until(lambda: not server.statistics().exchanges)


# Handlers in the task that reads


@both
@with_tls_too
async def test_events_wait_for_a_handler_that_pauses_and_acknowledgements_do_not(
    fast: bool, secure: bool
) -> None:
    """SIO-EVT-02, and an acknowledgement that is read while the handler waits for it."""
    io = Server()
    handled: list[Any] = []

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("ask")
        async def ask(value: int) -> int:
            [answer] = [await socket.request("really", value, timeout=5)]
            handled.append(("asked", answer))
            return value

        @socket.on("plain")
        def plain(value: int) -> int:
            handled.append(("plain", value))
            return value

    async with on_tcp(io, fast, secure) as site:
        client = await site.join()
        for round in range(10):
            handled.clear()
            await client.text(f'42{round}["ask",1]')
            await client.text(f'421{round}["plain",2]')
            assert (await client.frame())[1] == b'42%d["really",1]' % round
            await client.text(f'43{round}["yes"]')
            assert (await client.frame())[1] == b"43%d[1]" % round
            assert (await client.frame())[1] == b"431%d[2]" % round
            assert handled == [("asked", "yes"), ("plain", 2)]


@both
@with_tls_too
async def test_namespaces_do_not_wait_for_each_other(fast: bool, secure: bool) -> None:
    io = Server()
    opened = trio.Event()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("wait")
        async def wait() -> str:
            await opened.wait()
            return "at last"

    @io.of("/other").on("connection")
    def other(socket: Socket) -> None:
        @socket.on("open")
        def open() -> str:
            opened.set()
            return "opened"

    async with on_tcp(io, fast, secure) as site:
        client = await site.join()
        await client.text("40/other,")
        assert (await client.frame())[1].startswith(b"40/other,")
        # Both in one read: the first pauses while the second is due.
        await client.send(frame(0x81, b'421["wait"]') + frame(0x81, b'42/other,2["open"]'))
        answers = [(await client.frame())[1], (await client.frame())[1]]
        assert answers == [b'43/other,2["opened"]', b'431["at last"]']


@both
@with_tls_too
async def test_a_handler_outlives_its_connection_and_sees_the_end(fast: bool, secure: bool) -> None:
    io = Server()
    seen: list[str] = []
    gone, done = trio.Event(), trio.Event()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("long")
        async def long() -> None:
            await gone.wait()
            seen.append(f"long, connected: {socket.connected}")

        @socket.on("disconnect")
        def disconnect(reason: str) -> None:
            seen.append(reason)
            done.set()

    async with on_tcp(io, fast, secure) as site:
        client = await site.join()
        await client.text('42["long"]')
        await trio.testing.wait_all_tasks_blocked(0.05)
        await client.stream.aclose()
        await until(lambda: not io.statistics().connections)
        gone.set()
        await done.wait()
    assert seen == ["long, connected: False", "transport close"]


@both
@with_tls_too
async def test_handlers_that_pause_again_and_again_leave_no_tasks_behind(
    fast: bool, secure: bool
) -> None:
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("pause")
        async def pause(value: int) -> int:
            await trio.lowlevel.checkpoint()
            return value

    async with on_tcp(io, fast, secure) as site:
        client = await site.join()
        await client.text('420["pause",0]')
        await client.frame()
        before = trio.lowlevel.current_statistics().tasks_living
        for number in range(1, 50):
            await client.text(f'42{number}["pause",{number}]')
            assert json.loads((await client.frame())[1][len(f"43{number}") :]) == [number]
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert trio.lowlevel.current_statistics().tasks_living <= before + 1


@both
@with_tls_too
async def test_handlers_of_one_socket_never_overlap_whoever_calls_them(
    fast: bool, secure: bool
) -> None:
    """SIO-EVT-02: also where the turn of one namespace came while that of another paused."""
    io = Server()
    first, second = trio.Event(), trio.Event()
    order: list[str] = []

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("wait")
        async def wait() -> str:
            await first.wait()
            return "first"

    @io.of("/other").on("connection")
    def other(socket: Socket) -> None:
        @socket.on("slow")
        async def slow() -> None:
            order.append("slow begins")
            await second.wait()
            order.append("slow ends")

        @socket.on("next")
        def after() -> str:
            order.append("next")
            return "next"

    async with on_tcp(io, fast, secure) as site:
        client = await site.join()
        await client.text("40/other,")
        await client.frame()
        await client.send(frame(0x81, b'421["wait"]') + frame(0x81, b'42/other,["slow"]'))
        await client.text('42/other,2["next"]')
        await trio.testing.wait_all_tasks_blocked(0.05)
        first.set()
        assert (await client.frame())[1] == b'431["first"]'
        await trio.testing.wait_all_tasks_blocked(0.05)
        second.set()
        assert (await client.frame())[1] == b'43/other,2["next"]'
    assert order == ["slow begins", "slow ends", "next"]


@both
@with_tls_too
async def test_a_lost_connection_is_noticed_while_nobody_reads(fast: bool, secure: bool) -> None:
    """EIO-WS-10: by whoever writes, though the client's input waits for a handler."""
    gate = trio.Event()

    async def hold_up(session: Session) -> None:
        session.send("x" * 30_000_000)
        await gate.wait()

    config = ServerConfig(max_buffer=100_000_000)
    app = AppConfig(pause_input=1_000)
    server = EngineServer(hold_up, config=config, app=app)
    async with on_tcp(server, fast, secure) as site:
        client = await site.connect()
        for _ in range(5):
            await client.text("4" + "y" * 1_000)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await client.stream.aclose()
        await until(lambda: not server.statistics().sessions)
        gate.set()


# One task that reads for all


@both
@with_tls_too
async def test_a_handler_that_pauses_holds_up_nobody_else(fast: bool, secure: bool) -> None:
    """SIO-EVT-02: another task reads on, and those in the same batch are not lost."""
    io = Server()
    gate = trio.Event()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("wait")
        async def wait(value: int) -> int:
            await gate.wait()
            return value

        @socket.on("echo")
        async def echo(value: int) -> int:
            return value

    async with on_tcp(io, fast, secure) as site:
        clients = [await site.join() for _ in range(12)]
        for number, client in enumerate(clients):
            name = "wait" if number % 2 else "echo"
            await client.text(f'421["{name}",{number}]')
        for number, client in enumerate(clients):
            if number % 2:
                await client.text(f'422["echo",{number}]')
            else:
                assert (await client.frame())[1] == b"431[%d]" % number
        await trio.testing.wait_all_tasks_blocked(0.05)
        gate.set()
        for number, client in enumerate(clients):
            if number % 2:
                assert (await client.frame())[1] == b"431[%d]" % number
                assert (await client.frame())[1] == b"432[%d]" % number


@both
@with_tls_too
async def test_each_connection_has_a_context_of_its_own(fast: bool, secure: bool) -> None:
    """What a handler sets there is seen by no other client, whatever task calls the handlers."""
    io = Server()
    variable: ContextVar[int] = ContextVar("variable", default=0)

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("set")
        async def set_(value: int) -> int:
            variable.set(value)
            await trio.lowlevel.checkpoint()
            assert variable.get() == value
            variable.set(value)
            return variable.get()

        @socket.on("get")
        async def get() -> int:
            return variable.get()

    async with on_tcp(io, fast, secure) as site:
        one, other = await site.join(), await site.join()
        await one.text('421["set",1]')
        assert (await one.frame())[1] == b"431[1]"
        await other.text('421["get"]')
        assert (await other.frame())[1] == b"431[0]"


@both
@with_tls_too
async def test_what_a_handler_raises_ends_the_serving_at_whatever_time(
    fast: bool, secure: bool
) -> None:
    for pauses in (False, True):
        io = Server()

        @io.on("connection")
        def connection(socket: Socket, pauses: bool = pauses) -> None:
            @socket.on("fail")
            async def fail() -> None:
                if pauses:
                    await trio.lowlevel.checkpoint()
                raise RuntimeError("on purpose")

        with pytest.RaisesGroup(
            pytest.RaisesExc(RuntimeError, match="on purpose"), flatten_subgroups=True
        ):
            async with on_tcp(io, fast, secure) as site:
                client = await site.join()
                await client.text('42["fail"]')
                await trio.sleep_forever()


@both
@with_tls_too
async def test_an_illegal_frame_behind_events_costs_its_sender_alone(
    fast: bool, secure: bool
) -> None:
    """EIO-WS-08: the events in front of it are handled first."""
    handled: list[int] = []
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("count")
        async def count(value: int) -> int:
            handled.append(value)
            return value

    async with on_tcp(io, fast, secure) as site:
        one, other = await site.join(), await site.join()
        await one.send(frame(0x81, b'421["count",1]') + frame(0x83, b"no such opcode"))
        seen = [await one.frame()]
        while seen[-1][0] != 0x88:
            seen.append(await one.frame())
        assert seen[-1] == (0x88, b"\x03\xea")
        assert handled == [1]
        await other.text('421["count",2]')
        assert (await other.frame())[1] == b"431[2]"
        await until(lambda: io.statistics().connections == 1)
