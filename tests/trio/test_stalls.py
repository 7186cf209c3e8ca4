"""A slow handler costs nobody the heartbeat, and a hung one holds nothing for ever."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from sioproto import LimitError
from sioproto.engineio import CloseReason, ServerConfig
from sioproto.trio import AppConfig, EngineServer, Session
from tests.trio.support import Client, frame, open_polling, open_websocket, serving

FAST = ServerConfig(ping_interval=3, ping_timeout=2, stall_timeout=50)
LARGE = b"4" + b"x" * 1500


async def test_handler_that_takes_its_time_keeps_its_session(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def slow(session: Session) -> None:
        async for _ in session:
            await trio.sleep(20)
            taken.append(trio.current_time())

    taken: list[float] = []
    server = EngineServer(slow, config=FAST, app=AppConfig(pause_input=1000))
    async with serving(server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        for _ in range(3):
            await client.send(frame(0x81, LARGE))
        assert await client.frame() == (0x81, b"2")
        await client.send(frame(0x81, b"3"))  # waits unread behind the others
        await trio.sleep(38)
        assert taken == [20, 40]
        assert server.statistics().sessions == 1
        for _ in range(5):  # read again, it is asked and answers as ever
            assert await client.frame() == (0x81, b"2")
            await client.send(frame(0x81, b"3"))
        assert server.statistics().sessions == 1


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_handler_that_hangs_is_ended(
    transport: str, autojump_clock: trio.testing.MockClock
) -> None:
    async def hang(session: Session) -> None:
        sessions.append(session)
        await trio.sleep(200)
        ended.set()

    ended = trio.Event()
    sessions: list[Session] = []
    server = EngineServer(hang, config=FAST, app=AppConfig(pause_input=1000))
    async with serving(server) as listener:
        client = Client(listener.connect())
        if transport == "websocket":
            await open_websocket(client)
            await client.send(frame(0x81, LARGE))
        else:
            session = await open_polling(client)
            await client.send_request("POST", session, LARGE)
        await trio.sleep(49)
        assert server.statistics().sessions == 1
        await trio.sleep(2)
        assert server.statistics().sessions == 0
        assert sessions[0].close_reason is CloseReason.FORCED_CLOSE
        error = sessions[0].close_error
        assert isinstance(error, LimitError)
        assert error.limit == "stall_timeout"
        await ended.wait()
