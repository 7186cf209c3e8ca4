"""Serving as a whole: listeners, several endpoints, TLS, cancellation, failures of handlers."""

from __future__ import annotations

import errno
import json
import ssl
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
import trustme

from sioproto._errors import ClosedError, LocalProtocolError
from sioproto.engineio import CloseReason, ServerConfig
from sioproto.trio import ConnectionConfig, EngineServer, Server, Session, Socket, serve
from tests.trio.support import (
    POLLING,
    Client,
    MemoryListener,
    SocketClient,
    connect,
    open_polling,
    open_websocket,
    serving,
)


async def echo(session: Session) -> None:
    async for data in session:
        session.send(data)


async def test_several_applications_share_a_listener(
    autojump_clock: trio.testing.MockClock,
) -> None:
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.emit("hello", socket.id)

    async with serving(EngineServer(echo), io) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        await client.request("POST", session, b"440")
        assert (await client.request("GET", session)).body == b"440"
        sockets = SocketClient(Client(listener.connect()))
        id = json.loads((await sockets.open())[1:])["sid"]
        assert await sockets.hear() == f'2["hello","{id}"]'
        answer = await client.request("GET", session.replace("engine", "socket"))
        assert answer.status == 400  # a session of the one is none of the other
        assert io.statistics().sockets == 1


async def test_the_first_application_that_serves_a_path_gets_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    inner = EngineServer(echo, config=ServerConfig(path="/a/b/"))
    outer = EngineServer(echo, config=ServerConfig(path="/a/"))
    async with serving(inner, outer) as listener:
        client = Client(listener.connect())
        await client.request("GET", POLLING.replace("engine.io", "a/b"))
        await client.request("GET", POLLING.replace("engine.io", "a/c"))
        assert [app.statistics().sessions for app in (inner, outer)] == [1, 1]


async def test_addresses_are_reported() -> None:
    async with trio.open_nursery() as nursery:
        addresses = await nursery.start(EngineServer(echo).serve)
        ((host, port),) = addresses
        assert host == "127.0.0.1"
        client = Client(await trio.open_tcp_stream(host, port))
        await open_polling(client)
        await client.stream.aclose()
        # The address that handlers see is that of the peer.
        io = Server()
        seen: list[str | None] = []
        io.use(lambda socket: seen.append(socket.handshake.address))
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        ((host, port),) = await nursery.start(partial(io.serve, listeners=listeners))
        sockets = SocketClient(Client(await trio.open_tcp_stream(host, port)))
        await sockets.open()
        assert seen == ["127.0.0.1"]
        await sockets.client.stream.aclose()
        nursery.cancel_scope.cancel()


async def test_tls() -> None:
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    seen: list[bool] = []
    io = Server()
    io.use(lambda socket: seen.append(socket.handshake.secure))

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("echo")
        def echo(*args: Any) -> None:
            socket.emit("echo", *args)

    async with trio.open_nursery() as nursery:
        run = partial(io.serve, ssl_context=server_context)
        ((host, port),) = await nursery.start(run)

        async def dial() -> Client:
            tcp = await trio.open_tcp_stream(host, port)
            return Client(
                trio.SSLStream(
                    tcp, client_context, server_hostname="localhost", https_compatible=True
                )
            )

        sockets = SocketClient(await dial())
        await sockets.open()
        for size in (10, 200_000):
            text = "x" * size
            await sockets.say(f'2["echo","{text}"]')
            assert await sockets.hear() == f'2["echo","{text}"]'
        assert seen == [True]

        # A client that breaks off in the TLS handshake, or speaks no TLS, costs itself only.
        plain = await trio.open_tcp_stream(host, port)
        await plain.send_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await plain.aclose()
        poller = await dial()
        session = await open_polling(poller, POLLING.replace("engine", "socket"))
        await poller.send_request("GET", session)
        await poller.stream.aclose()

        await sockets.say('2["echo",1]')
        assert await sockets.hear() == '2["echo",1]'
        await sockets.client.stream.aclose()
        nursery.cancel_scope.cancel()


@pytest.mark.covers("SIO-DISC-10")
async def test_cancelling_closes_every_session_in_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    log: list[tuple[str, str, list[str]]] = []
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        name = socket.handshake.auth["name"]

        @socket.on("disconnecting")
        async def disconnecting(reason: str) -> None:
            await trio.sleep(0.5)
            log.append((name, reason, list(socket.rooms)))

    rests: list[bytes] = []
    async with trio.open_nursery() as nursery:
        listener = MemoryListener()
        run = partial(serve, io, EngineServer(echo), listeners=[listener])
        await nursery.start(run)
        clients = [await connect(listener, auth=f'{{"name":"{name}"}}') for name in "abc"]
        poller = Client(listener.connect())
        session = await open_polling(poller)
        await poller.send_request("GET", session)
        idle = Client(listener.connect())
        await idle.request("GET", "/")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            assert (await poller.answer()).body == b"1"
            for client in clients:
                # No DISCONNECT packet, so that the client comes back (SIO-DISC-10).
                assert await client.client.frame() == (0x88, b"")
                await client.client.send(b"\x88\x80\x00\x00\x00\x00")
                rests.append(await client.client.rest())
            assert await idle.rest() == b""
    assert rests == [b"", b"", b""]
    # Handlers of different clients run side by side, so that their order is open.
    assert sorted((name, reason) for name, reason, _ in log) == [
        (name, "server shutting down") for name in "abc"
    ]
    assert all(len(rooms) == 1 for _, _, rooms in log)
    assert trio.current_time() == 0.5  # all handlers at once, and nothing waited for longer


async def test_closing_in_order_has_a_limit(autojump_clock: trio.testing.MockClock) -> None:
    io = Server()

    @io.on("connection")
    async def connection(socket: Socket) -> None:
        await trio.sleep(1000)

    start = trio.current_time()
    async with serving(io, config=ConnectionConfig(shutdown_timeout=2)) as listener:
        await connect(listener)  # and it never answers the close frame
    assert trio.current_time() - start == 2
    assert io.statistics().connections == 0


async def test_nothing_is_accepted_while_closing(autojump_clock: trio.testing.MockClock) -> None:
    listener = MemoryListener()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, EngineServer(echo), listeners=[listener]))
        client, other = Client(listener.connect()), Client(listener.connect())
        await open_websocket(client)  # keeps the server waiting for the end of the close
        await other.request("GET", "/")
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            assert await client.frame() == (0x88, b"")
            answer = await other.request("GET", POLLING)
            assert (answer.status, b'"code":3' in answer.body) == (400, True)
            with pytest.raises(trio.BrokenResourceError):
                listener.connect()
            await client.send(b"\x88\x80\x00\x00\x00\x00")
            assert await client.rest() == b""


async def test_what_a_handler_raises_comes_out(autojump_clock: trio.testing.MockClock) -> None:
    async def fail(session: Session) -> None:
        raise ValueError("on purpose")

    async def run() -> None:
        async with serving(EngineServer(fail)) as listener:
            await open_polling(Client(listener.connect()))
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.group_contains(ValueError, match="on purpose")


async def test_the_hook_takes_what_a_handler_raises(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def fail(session: Session) -> None:
        async for _ in session:
            raise ValueError("on purpose")

    taken: list[tuple[str, Session]] = []
    server = EngineServer(fail)

    @server.on_error
    async def on_error(error: Exception, session: Session) -> None:
        await trio.sleep(1)
        taken.append((str(error), session))

    async with serving(server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        await client.text("4go")
        assert await client.frame() == (0x88, b"")
        ((message, session),) = taken
        assert message == "on purpose"
        assert session.close_reason is CloseReason.FORCED_CLOSE


async def test_losing_a_race_with_the_end_costs_that_session_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    reasons: list[CloseReason | None] = []

    async def talk(session: Session) -> None:
        try:
            async for data in session:
                if data == "close":
                    session.close()
                while True:
                    session.send("x" * 1000)
        finally:
            reasons.append(session.close_reason)

    server = EngineServer(talk, config=ServerConfig(max_buffer=10_000))
    async with serving(server) as listener:
        for message in ("fill", "close"):
            client = Client(listener.connect())
            session = await open_polling(client)
            await client.request("POST", session, f"4{message}".encode())
        await trio.testing.wait_all_tasks_blocked()
        # Neither had been told of the end when it ran into it.
        assert reasons == [None, None]
        await open_polling(client)


async def test_a_server_serves_once(autojump_clock: trio.testing.MockClock) -> None:
    server = EngineServer(echo)
    async with serving(server):
        pass
    with pytest.raises(ExceptionGroup) as caught:
        async with serving(server):
            pass
    assert caught.group_contains(LocalProtocolError, match="serves once")


async def test_listeners_are_closed_also_when_serving_fails() -> None:
    server = EngineServer(echo)
    async with serving(server):
        pass
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    host, port = listeners[0].socket.getsockname()
    with pytest.raises(LocalProtocolError, match="serves once"):
        await server.serve(listeners=listeners)
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream(host, port)


async def test_sending_and_draining_a_session(autojump_clock: trio.testing.MockClock) -> None:
    log: list[tuple[str, float]] = []

    async def talk(session: Session) -> None:
        session.data = "mine"
        for name in ("one", "two"):
            session.send(name)
            await session.drain()
            log.append((name, trio.current_time()))
        async for _ in session:
            pass
        with pytest.raises(ClosedError):
            session.send("late")
        with pytest.raises(ClosedError):
            await session.drain()
        log.append(("end", trio.current_time()))

    async with serving(EngineServer(talk)) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        for _ in range(2):
            await trio.sleep(1)
            await client.request("GET", session)
        await client.request("POST", session, b"1")
        await trio.testing.wait_all_tasks_blocked()
    assert log == [("one", 1), ("two", 2), ("end", 2)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("header_timeout", 0),
        ("idle_timeout", float("inf")),
        ("max_headers", True),
        ("max_headers", 0),
    ],
)
def test_nonsense_in_the_configuration_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"ConnectionConfig.{field} must be"):
        ConnectionConfig(**{field: value})


@pytest.mark.parametrize("turns", range(4))
async def test_serving_that_is_cancelled_as_it_begins_ends(
    autojump_clock: trio.testing.MockClock, turns: int
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve, Server(), listeners=[MemoryListener()]))
        for _ in range(turns):
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


class FullListener(MemoryListener):
    """A listener that runs out of something a few times before it accepts."""

    def __init__(self, *errors: int) -> None:
        super().__init__()
        self.errors = list(errors)

    async def accept(self) -> trio.abc.Stream:
        if self.errors:
            raise OSError(self.errors.pop(0), "no room")
        return await super().accept()


async def test_accepting_goes_on_when_there_is_room_again(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """With no files left, a server that gives up, or tries without a pause, helps nobody."""
    listener = FullListener(errno.EMFILE, errno.ENFILE, errno.ENOMEM)
    async with trio.open_nursery() as nursery:
        start = trio.current_time()
        await nursery.start(partial(serve, EngineServer(echo), listeners=[listener]))
        client = Client(listener.connect())
        assert (await client.request("GET", POLLING)).status == 200
        assert trio.current_time() - start == pytest.approx(0.3)
        nursery.cancel_scope.cancel()
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3


async def test_listener_that_is_broken_ends_the_serving(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(OSError, match="no room"), flatten_subgroups=True):
        await serve(EngineServer(echo), listeners=[FullListener(errno.EBADF)])
