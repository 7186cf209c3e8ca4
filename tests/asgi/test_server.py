"""Where an ASGI application stands: lifespan, mounting, the other application, the end."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import sioproto.asgi
import sioproto.trio
from sioproto import LocalProtocolError
from sioproto.asgi import AsgiConfig, EngineServer, Server, Session, Socket
from sioproto.engineio import ServerConfig
from sioproto.socketio import JsonCodec, OrjsonCodec, StrictJson, TextParser
from tests.asgi.support import BACKENDS, POLLING, WEBSOCKET, AsgiServer, Conversation, run, serving
from tests.asgi.test_http import SLOW, Sessions, echo

SOCKET = WEBSOCKET.replace("engine", "socket")


def only(group: BaseException, kind: type[Exception] = ValueError) -> BaseException:
    """The one exception of a kind in a group of groups."""
    if isinstance(group, BaseExceptionGroup):
        group = group.subgroup(kind) or group
    while isinstance(group, BaseExceptionGroup):
        (group,) = group.exceptions
    return group


# Socket.IO


@BACKENDS
@pytest.mark.parametrize("codec", [StrictJson, OrjsonCodec])
def test_socket_application(backend: str, codec: Callable[[], JsonCodec]) -> None:
    io = Server(parser=TextParser(codec()))
    left: list[str] = []

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("question")
        async def question(text: str) -> str:
            return text + str(await socket.request("counter-question", timeout=5))

        @socket.on("disconnect")
        def disconnect(reason: str) -> None:
            left.append(reason)

    async def main() -> None:
        async with serving(io) as server:
            ws = await server.open_websocket(SOCKET)
            ws.say("websocket.receive", text="40")
            assert (await ws.hear())["text"].startswith('40{"sid"')
            ws.say("websocket.receive", text='427["question","why"]')
            assert (await ws.hear())["text"] == '420["counter-question"]'
            ws.say("websocket.receive", text='430["?"]')
            assert (await ws.hear())["text"] == '437["why?"]'
        assert left == ["server shutting down"]

    run(backend, main)


@pytest.mark.parametrize("name", ["Server", "EngineServer"])
def test_servers_are_made_as_on_trio(name: str) -> None:
    on_trio = inspect.signature(getattr(sioproto.trio, name)).parameters
    ours = inspect.signature(getattr(sioproto.asgi, name)).parameters
    assert [parameter for parameter in on_trio if parameter not in ours] == []
    assert [parameter for parameter in ours if parameter not in on_trio] == ["other", "asgi"]


# Whose request it is


@BACKENDS
def test_other_paths_are_not_found(backend: str) -> None:
    async def main() -> None:
        async with serving(EngineServer(echo)) as server:
            assert await server.exchange("/elsewhere") == (404, b"not found")
            ws = server.websocket("/elsewhere", extensions={"websocket.http.response": {}})
            assert await ws.answer() == (404, b"not found")
            assert await server.websocket("/elsewhere").end() == [{"type": "websocket.close"}]

    run(backend, main)


@BACKENDS
@pytest.mark.parametrize(
    ("root", "path", "served"),
    [
        ("", "/engine.io/", True),
        ("/prefix", "/prefix/engine.io/", True),  # as the specification has it
        ("/prefix/", "/prefix/engine.io/", True),
        ("/prefix", "/engine.io/", True),  # as it was taken before
        ("/engine.io", "/engine.io/engine.io/", True),
        ("/engine.io", "/engine.io/", True),
        ("/outer/prefix", "/prefix/engine.io/", True),  # one half in each
        ("/outer/prefix", "/outer/engine.io/", False),
        ("/prefix", "/prefixed/engine.io/", False),
        ("/prefix", "/other/engine.io/", False),
        ("", "/prefix/engine.io/", False),
    ],
)
def test_both_readings_of_root_path(backend: str, root: str, path: str, served: bool) -> None:
    async def main() -> None:
        async with serving(EngineServer(echo)) as server:
            target = POLLING.replace("/engine.io/", path)
            status, _ = await server.exchange(target, root_path=root)
            assert status == (200 if served else 404)

    run(backend, main)


@BACKENDS
def test_mounted_under_starlette(backend: str) -> None:
    """Which passes no lifespan on, so that the outer one has to run it."""
    io = Server()
    io.on("connection")(lambda socket: socket.emit("hello", socket.handshake.url))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with io.running():
            yield

    async def page(request: object) -> PlainTextResponse:
        return PlainTextResponse("a page")

    app = Starlette(routes=[Route("/page", page), Mount("/prefix", app=io)], lifespan=lifespan)

    async def main() -> None:
        async with serving(app) as server:
            # Below a proxy that takes /outer away, or not: the server is told the prefix.
            for fields in ({}, {"root_path": "/outer"}):
                ws = server.websocket(f"/prefix{SOCKET}", **fields)
                assert (await ws.hear())["type"] == "websocket.accept"
                await ws.hear()
                ws.say("websocket.receive", text="40")
                await ws.hear()
                assert (await ws.hear())["text"] == f'42["hello","/prefix{SOCKET}"]'
            page = server.request("/page")
            assert (await page.hear())["status"] == 200
            assert (await page.hear())["body"] == b"a page"
            not_found = server.request(SOCKET)
            assert (await not_found.hear())["status"] == 404

    run(backend, main)


@BACKENDS
def test_starlette_beside_it_gets_requests_and_lifespan(backend: str) -> None:
    log: list[str] = []
    sessions = Sessions()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        log.append("up")
        yield
        log.append(f"down {sessions.all[0].close_reason}")

    async def page(request: object) -> PlainTextResponse:
        return PlainTextResponse("a page")

    async def main() -> None:
        other = Starlette(routes=[Route("/page", page)], lifespan=lifespan)
        app = EngineServer(sessions, config=SLOW, other=other)
        async with serving(app) as server:
            assert log == ["up"]
            await server.open_polling()
            sessions.allowed.set()
            request = server.request("/page")
            assert (await request.hear())["status"] == 200
        # Handlers may use what it takes down, so they end first.
        assert log == ["up", "down forced close"]

    run(backend, main)


# Lifespan


@BACKENDS
def test_without_a_lifespan_there_is_nobody_to_own_tasks(backend: str) -> None:
    async def main() -> None:
        app = EngineServer(echo)
        with pytest.raises(BaseExceptionGroup) as failure:
            async with anyio.create_task_group() as tasks:
                AsgiServer(app, tasks).request(POLLING)
        error = only(failure.value, LocalProtocolError)
        assert isinstance(error, LocalProtocolError)
        assert "running()" in str(error)
        async with app.running(), anyio.create_task_group() as tasks:
            server = AsgiServer(app, tasks)
            session = await server.open_polling()
            assert await server.exchange(session, "POST", b"4hello") == (200, b"ok")

    run(backend, main)


@BACKENDS
def test_server_serves_once(backend: str) -> None:
    async def main() -> None:
        app = EngineServer(echo)
        async with app.running():
            pass
        with pytest.raises(LocalProtocolError, match="once"):
            async with app.running():
                pass

    run(backend, main)


@BACKENDS
def test_transport_that_no_driver_carries_is_not_offered(backend: str) -> None:
    async def main() -> None:
        config = ServerConfig(transports=("polling", "webtransport"))
        with pytest.raises(LocalProtocolError, match="webtransport"):
            async with EngineServer(echo, config=config).running():
                pass

    run(backend, main)


@BACKENDS
def test_ended_server_refuses(backend: str) -> None:
    async def main() -> None:
        app = EngineServer(echo)
        async with app.running():
            pass
        async with anyio.create_task_group() as tasks:
            server = AsgiServer(app, tasks)
            assert await server.exchange(POLLING) == (503, b"the server has ended")
            assert await server.websocket().end() == [{"type": "websocket.close"}]

    run(backend, main)


@BACKENDS
def test_unknown_protocol_is_refused_or_passed_on(backend: str) -> None:
    seen: list[str] = []

    async def other(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    async def main() -> None:
        with pytest.raises(LocalProtocolError, match="smoke"):
            await EngineServer(echo)({"type": "smoke"}, None, None)  # type: ignore[arg-type]  # unused
        await EngineServer(echo, other=other)({"type": "smoke"}, None, None)  # type: ignore[arg-type]  # unused
        assert seen == ["smoke"]

    run(backend, main)


@BACKENDS
@pytest.mark.parametrize("way", ["raises", "returns", "raises after receiving"])
def test_other_application_need_not_know_the_lifespan(backend: str, way: str) -> None:
    async def other(scope: Any, receive: Any, send: Any) -> None:
        if way == "raises after receiving":
            await receive()
        if way != "returns":
            raise ValueError("only http here")

    async def main() -> None:
        async with serving(EngineServer(echo, other=other)) as server:
            await server.open_polling()

    run(backend, main)


@BACKENDS
def test_other_application_may_fail_to_start(backend: str) -> None:
    async def other(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            lifespan = AsgiServer(EngineServer(echo, other=other), tasks).call({"type": "lifespan"})
            lifespan.say("lifespan.startup")
            assert (await lifespan.hear())["type"] == "lifespan.startup.failed"
            assert await lifespan.end() == []

    run(backend, main)


@BACKENDS
def test_exception_of_the_other_application_comes_out(backend: str) -> None:
    async def other(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        raise ValueError("a bug")

    async def main() -> None:
        with pytest.raises(BaseExceptionGroup) as failure:
            async with serving(EngineServer(echo, other=other)):
                pass
        assert str(only(failure.value)) == "a bug"

    run(backend, main)


# The end


@BACKENDS
def test_shutdown_tells_everybody(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        sessions.allowed.set()
        async with serving(EngineServer(sessions, config=SLOW)) as server:
            poll = server.request(await server.open_polling())
            ws = await server.open_websocket()
            began = anyio.current_time()
        assert await poll.answer() == (200, b"1")
        assert (await ws.hear())["type"] == "websocket.close"
        assert [session.close_reason for session in sessions.all] == ["forced close"] * 2
        assert anyio.current_time() - began < 1

    run(backend, main)


@BACKENDS
def test_shutdown_takes_no_longer_than_it_may(backend: str) -> None:
    cancelled: list[bool] = []

    async def handler(session: Session) -> None:
        try:
            await anyio.sleep(1000)
        finally:
            cancelled.append(True)

    async def main() -> None:
        app = EngineServer(handler, config=SLOW, asgi=AsgiConfig(shutdown_timeout=5))
        async with serving(app) as server:
            await server.open_polling()
            began = anyio.current_time()
        assert cancelled
        assert 5 <= anyio.current_time() - began < 6

    run(backend, main)


@BACKENDS
def test_shutdown_waits_for_what_is_being_written(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        sessions.allowed.set()
        ended: list[float] = []
        async with serving(EngineServer(sessions, config=SLOW), ended) as server:
            ws = await server.open_websocket()
            ws.blocked = True

            async def read_on() -> None:
                await anyio.sleep(2)
                ws.unblock()

            server.tasks.start_soon(read_on)
            began = anyio.current_time()
        assert 2 <= ended[0] - began < 3

    run(backend, main)


@BACKENDS
def test_cancelled_serving_ends_in_order(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        sessions.allowed.set()
        app = EngineServer(sessions, config=SLOW)
        with anyio.move_on_after(5):
            async with app.running(), anyio.create_task_group() as tasks:
                await AsgiServer(app, tasks).open_polling()
                await anyio.sleep(1000)
        assert sessions.ended.is_set()
        assert sessions.all[0].close_reason == "forced close"

    run(backend, main)


@BACKENDS
def test_exception_of_a_handler_ends_the_serving(backend: str) -> None:
    async def handler(session: Session) -> None:
        raise ValueError("a bug")

    async def main() -> None:
        app = EngineServer(handler, config=SLOW)
        with pytest.raises(BaseExceptionGroup) as failure:
            async with serving(app) as server:
                await server.request(POLLING).end()
        assert str(only(failure.value)) == "a bug"
        async with anyio.create_task_group() as tasks:
            assert (await AsgiServer(app, tasks).exchange(POLLING))[0] == 503

    run(backend, main)


@BACKENDS
def test_and_leaves_nobody_waiting(backend: str) -> None:
    """Requests and WebSockets are tasks of the ASGI server, and would outlive the core's clock."""

    async def handler(session: Session) -> None:
        async for data in session:
            raise ValueError(data)

    async def main() -> None:
        app = EngineServer(handler, config=SLOW)
        waiting: list[Conversation] = []

        async def fail(server: AsgiServer) -> None:
            async with app.running():
                waiting.append(server.request(await server.open_polling()))
                waiting.append(await server.open_websocket())
                waiting[1].say("websocket.receive", text="4a bug")
                await anyio.sleep_forever()

        async with anyio.create_task_group() as tasks:
            with pytest.raises(BaseExceptionGroup):
                await fail(AsgiServer(app, tasks))
            poll, ws = waiting
            assert await poll.answer() == (200, b"1")
            assert (await ws.hear())["type"] == "websocket.close"
            await poll.end()
            await ws.end()
            assert anyio.current_time() < 1

    run(backend, main)


@BACKENDS
def test_hook_takes_the_exception(backend: str) -> None:
    taken: list[str] = []

    async def handler(session: Session) -> None:
        raise ValueError("a bug")

    async def main() -> None:
        app = EngineServer(handler, config=SLOW)
        app.on_error(lambda error, session: taken.append(str(error)))
        async with serving(app) as server:
            await server.open_polling()
            await server.open_polling()
        assert taken == ["a bug"] * 2

    run(backend, main)


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True, "1"])
def test_configuration_refuses_nonsense(value: Any) -> None:
    with pytest.raises(ValueError, match=r"AsgiConfig\.body_timeout"):
        AsgiConfig(body_timeout=value)
