"""WebSockets over ASGI: accepted, refused, closed from either side, held back."""

from __future__ import annotations

import anyio
import pytest

from sioproto.asgi import AppConfig, AsgiConfig, EngineServer, Session
from sioproto.engineio import ServerConfig
from tests.asgi.support import BACKENDS, WEBSOCKET, run, serving
from tests.asgi.test_http import SLOW, Sessions, echo


@BACKENDS
def test_messages_go_both_ways(backend: str) -> None:
    async def main() -> None:
        async with serving(EngineServer(echo, config=SLOW)) as server:
            ws = await server.open_websocket()
            ws.say("websocket.receive", text="4hello")
            assert await ws.hear() == {"type": "websocket.send", "text": "4hello"}
            ws.say("websocket.receive", bytes=b"\0\xff", text=None)
            assert await ws.hear() == {"type": "websocket.send", "bytes": b"\0\xff"}

    run(backend, main)


@BACKENDS
@pytest.mark.parametrize("extension", [True, False])
def test_refused_before_it_is_accepted(backend: str, extension: bool) -> None:
    """EIO-ERR-20: with the reason where the server has a way to say it."""

    async def main() -> None:
        async with serving(EngineServer(echo)) as server:
            extensions: dict[str, object] = {"websocket.http.response": {}} if extension else {}
            ws = server.websocket(f"{WEBSOCKET}&sid=unknown", extensions=extensions)
            if extension:
                assert await ws.answer() == (400, b"Session ID unknown")
            else:
                assert await ws.hear() == {"type": "websocket.close"}
            assert await ws.end() == []

    run(backend, main)


@BACKENDS
def test_client_that_goes_ends_its_session(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        async with serving(EngineServer(sessions, config=SLOW)) as server:
            ws = await server.open_websocket()
            ws.say("websocket.disconnect", code=1001)
            assert await ws.end() == []
            assert sessions.all[0].close_reason == "transport close"

    run(backend, main)


@BACKENDS
def test_client_that_goes_before_it_is_accepted_never_was(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        async with serving(EngineServer(sessions)) as server:
            ws = server.call({"type": "websocket", "path": "/engine.io/", "headers": []})
            ws.say("websocket.disconnect", code=1006)
            assert await ws.end() == []
        assert sessions.all == []

    run(backend, main)


@BACKENDS
def test_session_that_is_closed_closes_behind_what_it_sent(backend: str) -> None:
    async def handler(session: Session) -> None:
        session.send("last words")

    async def main() -> None:
        async with serving(EngineServer(handler)) as server:
            ws = await server.open_websocket()
            assert (await ws.hear())["text"] == "4last words"
            assert await ws.hear() == {"type": "websocket.close", "code": 1000}
            assert await ws.end() == []

    run(backend, main)


@BACKENDS
@pytest.mark.parametrize(
    "message", [{"text": "4" + "é" * 5}, {"bytes": b"12345678901"}, {"text": "4" * 11}], ids=str
)
def test_message_that_is_too_big_ends_its_session(
    backend: str, message: dict[str, str | bytes]
) -> None:
    """EIO-WS-08"""

    async def main() -> None:
        sessions = Sessions()
        config = ServerConfig(ping_interval=1000, max_payload=10)
        async with serving(EngineServer(sessions, config=config)) as server:
            ws = await server.open_websocket()
            ws.say("websocket.receive", **message)
            assert await ws.hear() == {"type": "websocket.close", "code": 1009}
            await ws.end()
            assert "max_payload" in repr(vars(sessions.all[0].close_error))

    run(backend, main)


@BACKENDS
def test_client_that_sends_faster_than_is_handled_is_not_read(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        app = EngineServer(sessions, config=SLOW, app=AppConfig(pause_input=1000))
        async with serving(app) as server:
            ws = await server.open_websocket()
            for _ in range(10):
                ws.say("websocket.receive", text="4" + "x" * 600)
            await anyio.sleep(10)
            asked = ws.asked
            assert asked == 1 + 2  # the connect, and two messages that are more than 1000
            sessions.allowed.set()
            await anyio.sleep(10)
            assert len(sessions.taken) == 10

    run(backend, main)


@BACKENDS
def test_closing_ends_the_pause(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        app = EngineServer(sessions, config=SLOW, app=AppConfig(pause_input=1000))
        async with serving(app) as server:
            ws = await server.open_websocket()
            ws.say("websocket.receive", text="4" + "x" * 2000)
            await anyio.sleep(10)
            sessions.all[0].close()
            assert await ws.hear() == {"type": "websocket.close", "code": 1000}
            await ws.end()
            assert ws.asked <= 3

    run(backend, main)


@BACKENDS
def test_next_batch_waits_until_the_server_has_taken_the_last(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        async with serving(EngineServer(sessions, config=SLOW)) as server:
            ws = await server.open_websocket()
            session = sessions.all[0]
            ws.blocked = True
            session.send("a")
            assert (await ws.hear())["text"] == "4a"
            drained = anyio.Event()

            async def drain() -> None:
                await session.drain()
                drained.set()

            session.send("b")
            server.tasks.start_soon(drain)
            await anyio.sleep(10)
            assert not drained.is_set()
            ws.unblock()
            assert (await ws.hear())["text"] == "4b"
            await anyio.sleep(1)
            assert drained.is_set()

    run(backend, main)


@BACKENDS
def test_client_that_does_not_read_loses_its_connection(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        app = EngineServer(sessions, config=SLOW, asgi=AsgiConfig(write_timeout=5))
        async with serving(app) as server:
            ws = await server.open_websocket()
            ws.blocked = True
            sessions.all[0].send("a")
            began = anyio.current_time()
            await ws.end()
            assert 5 <= anyio.current_time() - began < 6
            assert sessions.all[0].close_reason == "transport close"

    run(backend, main)


@BACKENDS
def test_closing_takes_no_longer_than_it_may(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        app = EngineServer(sessions, config=SLOW, asgi=AsgiConfig(close_timeout=5))
        async with serving(app) as server:
            ws = await server.open_websocket()
            ws.blocked = True
            sessions.all[0].close()
            began = anyio.current_time()
            await ws.end()
            assert 5 <= anyio.current_time() - began < 6

    run(backend, main)


@BACKENDS
def test_client_that_has_gone_when_it_is_written_to_costs_nothing(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        async with serving(EngineServer(sessions, config=SLOW)) as server:
            ws = await server.open_websocket()
            ws.gone = True
            sessions.all[0].send("a")
            assert await ws.end() == []
            assert sessions.all[0].close_reason == "transport close"

    run(backend, main)


@pytest.mark.covers("EIO-HC-06")
@BACKENDS
def test_first_subprotocol_is_chosen(backend: str) -> None:
    """EIO-HC-06"""

    async def main() -> None:
        async with serving(EngineServer(echo)) as server:
            ws = server.websocket(subprotocols=["chat", "news"])
            assert (await ws.hear())["subprotocol"] == "chat"
            ws = server.websocket(subprotocols=[])
            assert "subprotocol" not in await ws.hear()

    run(backend, main)
