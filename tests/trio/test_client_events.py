"""Events of a client that wait for somebody to take them, while its connection is listened to."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from sioproto import LocalProtocolError
from tests.trio.client_support import answering, network

Clock = trio.testing.MockClock


async def test_listeners_of_the_connection_take_no_events(autojump_clock: Clock) -> None:
    """Who registers those first may still iterate, and has lost nothing."""
    log: list[str] = []
    async with network(answering()) as net, net.connect() as socket:
        socket.on("connect")(lambda: log.append("connect"))
        socket.on("disconnect")(lambda reason: log.append(str(reason)))
        socket.emit("echo", 1)
        await socket.request("add", 1)
        await net.cut()
        await trio.sleep(10)
        assert log == ["connect", "transport error", "connect"]
        socket.emit("echo", 2)
        socket.emit("leave")
        await trio.sleep(1)
        assert log[3:] == ["io server disconnect"]
        assert [event.args async for event in socket] == [[1], [2]]
        assert len(log) == 4  # each is told once


async def test_events_wait_for_a_listener_of_theirs(autojump_clock: Clock) -> None:
    heard: list[Any] = []
    async with network(answering()) as net, net.connect() as socket:

        @socket.once("connect")
        async def slow() -> None:
            heard.append("connect")
            await trio.sleep(5)

        socket.emit("echo", 1)
        await socket.request("add", 1)
        socket.on("echoed")(heard.append)
        socket.emit("echo", 2)
        await trio.sleep(1)
        assert heard == ["connect"]  # one at a time
        await trio.sleep(5)
        assert heard == ["connect", 1, 2]


async def test_listeners_of_the_connection_are_told_whatever_waits(autojump_clock: Clock) -> None:
    log: list[str] = []
    async with network(answering()) as net, net.connect() as socket:
        socket.on("disconnect")(lambda reason: log.append(str(reason)))
        for _ in range(30):
            socket.emit("echo", "x" * 50_000)
        assert await socket.request("add", 1) == 1
        with pytest.raises(LocalProtocolError, match="dropped"):
            aiter(socket)
        await net.cut()
        await trio.sleep(10)
        assert log == ["transport error"]
        socket.on("echoed")(lambda text: log.append("echoed"))
        await trio.sleep(1)
        assert 0 < log.count("echoed") < 30
        await net.cut()
        await trio.sleep(10)
    assert log.count("transport error") == 2
