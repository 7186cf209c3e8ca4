"""Handlers that run beside the ordered ones."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from sioproto import AckTimeout, LocalProtocolError
from sioproto.testing import trio as testing
from sioproto.trio import AppConfig, Socket
from tests.app.support import Clock, server
from tests.trio.support import connect, serving


async def test_later_events_go_on(autojump_clock: Clock) -> None:
    seen: list[object] = []
    io = server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("slow", concurrent=True)
        async def slow(number: int) -> int:
            seen.append(("began", number))
            await trio.sleep(10 - number)
            seen.append(("ended", number))
            return number

        @socket.on("quick")
        def quick() -> None:
            seen.append("quick")

    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('20["slow",1]')
        await client.say('2["quick"]')
        await client.say('21["slow",2]')
        assert await client.hear() == "31[2]"
        assert await client.hear() == "30[1]"
        assert trio.current_time() == 9
    assert seen == [("began", 1), "quick", ("began", 2), ("ended", 2), ("ended", 1)]


async def test_so_many_at_once_and_no_more(autojump_clock: Clock) -> None:
    running = most = 0
    io = server(app=AppConfig(max_concurrent=3))

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("slow", concurrent=True)
        async def slow() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await trio.sleep(1)
            running -= 1

    async with serving(io) as listener:
        client = await connect(listener)
        for number in range(10):
            await client.say(f'2{number}["slow"]')
        answers = [await client.hear() for _ in range(10)]
        assert sorted(answers) == [f"3{number}[]" for number in range(10)]
        assert trio.current_time() == 4
    assert most == 3


async def test_the_end_waits_for_all(autojump_clock: Clock) -> None:
    seen: list[str] = []
    io = server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("slow", concurrent=True)
        async def slow() -> None:
            await trio.sleep(1)
            assert list(socket.rooms) == [socket.id], "full until the handlers have ended"
            seen.append("slow")

        @socket.on("disconnecting")
        def disconnecting(reason: str) -> None:
            seen.append("disconnecting")

        @socket.on("disconnect")
        def disconnect(reason: str) -> None:
            seen.append("disconnect")

    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('2["slow"]')
        await client.say("1")
        await trio.sleep(0.5)
        assert seen == []
        await trio.sleep(1)
        assert seen == ["slow", "disconnecting", "disconnect"]
    assert io.statistics().sockets == 0


async def test_what_one_raises_goes_to_the_hook_and_hinders_nobody(autojump_clock: Clock) -> None:
    errors: list[str] = []
    io = server()
    io.on_error(lambda error, socket: errors.append(f"{type(error).__name__} {error}"))

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("bad", concurrent=True)
        async def bad() -> None:
            await trio.sleep(1)
            raise RuntimeError("no")

        @socket.on("fine", concurrent=True)
        async def fine() -> str:
            await trio.sleep(2)
            return "yes"

    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('20["bad"]')
        await client.say('21["fine"]')
        await client.say('22["fine","one too many"]')
        assert await client.hear() == '31["yes"]'
    assert errors[1] == "RuntimeError no"
    assert errors[0].startswith("RemoteProtocolError no listener takes")


async def test_asking_ones_own_client(autojump_clock: Clock) -> None:
    io = server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.once("ask", concurrent=True)
        async def ask() -> object:
            return await socket.request("q", timeout=5)

    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('27["ask"]')
        assert await client.hear() == '20["q"]'
        await client.say("30[42]")
        assert await client.hear() == "37[42]"


async def test_the_end_is_never_concurrent(autojump_clock: Clock) -> None:
    refused: list[str] = []
    io = server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        for name in ("disconnecting", "disconnect"):
            with pytest.raises(LocalProtocolError):
                socket.on(name, concurrent=True)
            refused.append(name)

    async with serving(io) as listener:
        await connect(listener)
    assert refused == ["disconnecting", "disconnect"]


async def test_once_is_for_the_next_event_and_no_other(autojump_clock: Clock) -> None:
    """Whichever task begins first, and the others are nobody's."""
    seen: list[int] = []

    def connection(socket: Socket) -> None:
        @socket.once("x", concurrent=True)
        def once(number: int) -> None:
            seen.append(number)

    async with testing.serving(server(connection)) as under_test:
        for _ in range(30):
            client = await under_test.connect()
            client.emit("x", 1)
            with pytest.raises(AckTimeout):
                await client.request("x", 2, timeout=1)
    assert seen == [1] * 30
