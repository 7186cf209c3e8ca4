"""Middleware and namespaces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing

from sioproto._errors import (
    ConnectionRefused,
    LimitError,
    LocalProtocolError,
)
from sioproto.engineio import Request, ServerConfig
from sioproto.trio import AppConfig, EngineServer, Server, Session, Socket
from tests.app.support import Clock, server
from tests.trio.support import (
    Client,
    SocketClient,
    connect,
    frame,
    open_websocket,
    serving,
)


@pytest.mark.covers("SIO-MW-01", "SIO-MW-04")
async def test_middleware_runs_in_order_before_the_client_is_let_in(autojump_clock: Clock) -> None:
    """SIO-MW-01, SIO-MW-04."""
    log: list[Any] = []
    io = server(lambda socket: log.append((socket.user, socket.connected)))

    @io.use
    async def slow(socket: Socket) -> None:
        await trio.sleep(1)
        socket.user = socket.handshake.auth["user"]
        log.append("slow")

    @io.use
    def plain(socket: Socket) -> None:
        log.append(("plain", socket.connected, list(io.of("/").sockets)))

    async with serving(io) as listener:
        await connect(listener, auth='{"user":"ann"}')
        assert trio.current_time() == 1
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["slow", ("plain", False, []), ("ann", True)]


@pytest.mark.covers("SIO-MW-02")
async def test_middleware_refuses(autojump_clock: Clock) -> None:
    """SIO-MW-02."""

    def refuse(socket: Socket) -> None:
        raise ConnectionRefused("no", data=socket.handshake.auth.get("data"))

    io = server(lambda socket: pytest.fail("never connected"))
    io.use(refuse)
    io.use(lambda socket: pytest.fail("never asked"))
    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        assert await client.open() == '4{"message":"no"}'
        assert await client.join(auth='{"data":[1]}') == '4{"message":"no","data":[1]}'
        assert io.statistics().sockets == 0


@pytest.mark.covers("SIO-MW-07")
async def test_any_other_exception_in_middleware_refuses_too(autojump_clock: Clock) -> None:
    """SIO-MW-07."""
    io = server()
    errors: list[Exception] = []
    io.on_error(lambda error, socket: errors.append(error))

    @io.use
    def middleware(socket: Socket) -> None:
        if socket.handshake.auth.get("how") == "fail":
            raise ValueError("a secret")
        raise ConnectionRefused("no", data=object())

    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        assert await client.open(auth='{"how":"fail"}') == '4{"message":"internal error"}'
        assert await client.join() == '4{"message":"internal error"}'
    assert [type(error) for error in errors] == [ValueError, LocalProtocolError]


def pause(seconds: float) -> Callable[[Socket], Awaitable[None]]:
    """A middleware that takes its time."""

    async def middleware(socket: Socket) -> None:
        await trio.sleep(seconds)

    return middleware


@pytest.mark.covers("SIO-MW-06")
async def test_middleware_has_a_time_limit(autojump_clock: Clock) -> None:
    """SIO-MW-06."""
    io = server(lambda socket: pytest.fail("never connected"), app=AppConfig(middleware_timeout=7))
    io.use(pause(4))
    io.use(pause(4))
    io.use(lambda socket: pytest.fail("too late"))
    io.of("/quick").use(pause(6))
    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        assert await client.open() == '4{"message":"timed out"}'
        assert trio.current_time() == 7
        assert (await client.join("/quick,")).startswith("0/quick,")  # serving goes on
        assert trio.current_time() == 13
        assert list(io.of("/").sockets) == []
        assert io.statistics().sockets == 1


async def test_the_error_hook_is_told_of_middleware_that_hangs(autojump_clock: Clock) -> None:
    errors: list[tuple[Exception, str]] = []
    gone: list[str] = []
    io = server(app=AppConfig(middleware_timeout=7))
    io.on_error(lambda error, socket: errors.append((error, socket.id)))

    @io.use
    async def hang(socket: Socket) -> None:
        try:
            await trio.sleep_forever()
        finally:
            gone.append(socket.id)

    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        assert await client.open() == '4{"message":"timed out"}'
        with trio.move_on_after(1):
            await client.join()
        await client.client.stream.aclose()
        await trio.sleep(7)
        assert io.statistics().connections == 0
    assert [id for _, id in errors] == gone
    assert len(gone) == 2
    for error, _ in errors:
        assert isinstance(error, LimitError)
        assert (error.limit, error.rule) == ("middleware_timeout", "SIO-MW-06")


async def test_the_standard_time_limit_leaves_time_to_answer(autojump_clock: Clock) -> None:
    io = server()
    io.use(pause(1000))
    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        assert await client.open() == '4{"message":"timed out"}'
        assert trio.current_time() == AppConfig().middleware_timeout


@pytest.mark.covers("SIO-CONN-23")
async def test_a_client_that_goes_during_middleware_is_forgotten(autojump_clock: Clock) -> None:
    """SIO-CONN-23."""
    io = server(lambda socket: pytest.fail("never connected"))
    finished: list[Socket] = []

    @io.use
    async def slow(socket: Socket) -> None:
        await trio.sleep(1)
        finished.append(socket)
        if socket.handshake.auth.get("refuse"):
            raise ConnectionRefused
        if socket.handshake.auth.get("request"):
            await socket.request("question", timeout=1)

    async with serving(io) as listener:
        for auth in ("", '{"refuse":1}', '{"request":1}'):
            client = SocketClient(Client(listener.connect()))
            with trio.move_on_after(0.5):
                await client.open(auth=auth)
            await client.client.stream.aclose()
        await trio.sleep(2)
        assert len(finished) == 3
        assert io.statistics().connections == 0


@pytest.mark.parametrize("last", ["7", "41{}", "1"])
async def test_a_client_that_asks_for_a_namespace_and_breaks_the_rules_at_once(
    last: str, autojump_clock: Clock
) -> None:
    """SIO-NSP-02: the namespace is nowhere, and when that is found out the client is gone."""
    io = server()
    async with serving(io) as listener:
        other = await connect(listener)
        client = Client(listener.connect())
        await open_websocket(client, "/socket.io/?EIO=4&transport=websocket")
        frames = ("40/nowhere,", "4" + last if last != "1" else last)
        await client.send(b"".join(frame(0x81, text.encode()) for text in frames))
        await trio.testing.wait_all_tasks_blocked()
        assert io.statistics().connections == 1
        assert await other.join("/nowhere") == '4/nowhere,{"message":"Invalid namespace"}'


@pytest.mark.covers("SIO-MW-09")
async def test_namespaces_have_handlers_and_middleware_of_their_own(autojump_clock: Clock) -> None:
    """SIO-MW-09."""
    log: list[str] = []
    io = server(lambda socket: log.append(socket.namespace.name))
    io.use(lambda socket: log.append("use /"))
    custom = io.of("custom")
    assert custom is io.of("/custom")
    assert custom.name == "/custom"
    custom.use(lambda socket: log.append("use /custom"))
    custom.on("connection")(lambda socket: log.append(socket.namespace.name))
    async with serving(io) as listener:
        client = await connect(listener)
        assert (await client.join("/custom,")).startswith("0/custom,")
        assert await client.join("/other,") == '4/other,{"message":"Invalid namespace"}'
        await trio.testing.wait_all_tasks_blocked()
    assert log == ["use /", "/", "use /custom", "/custom"]


@pytest.mark.covers("EIO-ERR-07")
@pytest.mark.parametrize("kind", ["Socket.IO", "Engine.IO"])
async def test_application_forbids_a_handshake(kind: str, autojump_clock: Clock) -> None:
    """EIO-ERR-07."""

    def allow_request(request: Request) -> None:
        if request.header("x-key") != "secret":
            raise ConnectionRefused("Forbidden")

    async def handler(session: Session) -> None:
        await trio.sleep_forever()

    application = (
        Server(allow_request=allow_request)
        if kind == "Socket.IO"
        else EngineServer(
            handler, config=ServerConfig(path="/socket.io/"), allow_request=allow_request
        )
    )
    target = "/socket.io/?EIO=4&transport=polling"
    async with serving(application) as listener:
        client = Client(listener.connect())
        answer = await client.request("GET", target)
        assert (answer.status, answer.body) == (403, b'{"code":4,"message":"Forbidden"}')
        assert (await client.request("GET", target, headers="X-Key: secret\r\n")).status == 200


async def test_a_client_that_asks_and_fails_at_once_ends_its_own_connection(
    autojump_clock: Clock,
) -> None:
    """SIO-ROB-01: the request is judged when the connection that made it has ended already."""
    io = server()
    async with serving(io) as listener:
        client, other = await connect(listener), await connect(listener)
        burst = frame(0x81, b"40/nobody,") + frame(0x81, b"4abc")
        await client.client.send(burst)
        first, _ = await client.client.frame()
        assert first == 0x88
        assert await other.join("/nobody,") == '4/nobody,{"message":"Invalid namespace"}'
