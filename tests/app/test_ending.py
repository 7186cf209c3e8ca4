"""How sockets end, and exceptions of handlers."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from sioproto._errors import (
    ClosedError,
    LocalProtocolError,
)
from sioproto.trio import AppConfig, Server, Socket
from tests.app.support import Clock, server
from tests.trio.support import Client, SocketClient, connect, open_polling, serving


@pytest.mark.covers("SIO-DISC-03", "SIO-HS-12", "SIO-ROOM-06")
async def test_rooms_are_full_in_disconnecting_and_empty_in_disconnect(
    autojump_clock: Clock,
) -> None:
    """SIO-DISC-03, SIO-HS-12, SIO-ROOM-06."""
    log: list[Any] = []

    def connection(socket: Socket) -> None:
        socket.join("lobby")
        all_rooms = [socket.id, "lobby"]
        assert sorted(socket.rooms) == sorted(all_rooms)

        @socket.on("event")
        async def event() -> None:
            await trio.sleep(1)
            log.append(("event", socket.connected, list(socket.rooms)[1:]))

        @socket.on("disconnecting")
        async def disconnecting(reason: str) -> None:
            await trio.sleep(1)
            log.append(("disconnecting", reason, socket.connected, list(socket.rooms)[1:]))
            socket.to("lobby").emit("leaving")

        @socket.on("disconnect")
        def disconnect(reason: str, details: Exception | None) -> None:
            log.append(("disconnect", reason, details, list(socket.rooms)))

    io = server(connection)
    async with serving(io) as listener:
        client, witness = await connect(listener), await connect(listener)
        await client.say('2["event"]')
        await client.say('2["event"]')
        await client.client.stream.aclose()
        assert await witness.hear() == '2["leaving"]'
        await trio.testing.wait_all_tasks_blocked()
        assert log == [
            ("event", False, ["lobby"]),
            ("event", False, ["lobby"]),
            ("disconnecting", "transport close", False, ["lobby"]),
            ("disconnect", "transport close", None, []),
        ]
        assert io.statistics().sockets == 1


async def test_a_disconnecting_handler_that_hangs_is_cut_short(autojump_clock: Clock) -> None:
    times: list[float] = []

    def connection(socket: Socket) -> None:
        @socket.on("disconnecting")
        async def disconnecting(reason: str) -> None:
            await trio.sleep_forever()

        socket.on("disconnect")(lambda reason: times.append(trio.current_time()))

    async with serving(server(connection, app=AppConfig(disconnecting_timeout=7))) as listener:
        client = await connect(listener)
        await client.say("1")
        await trio.sleep(8)
    assert times == [7]


@pytest.mark.covers("SIO-DISC-04", "SIO-DISC-05", "SIO-DISC-14", "SIO-DISC-12")
@pytest.mark.parametrize("close", [True, False])
async def test_a_server_makes_a_client_leave(close: bool, autojump_clock: Clock) -> None:
    """SIO-DISC-04, SIO-DISC-05, SIO-DISC-14."""
    reasons: list[str] = []

    def connection(socket: Socket) -> None:
        socket.on("kick-me")(lambda: socket.disconnect(close))

        @socket.on("disconnecting")
        def disconnecting(reason: str) -> None:
            socket.disconnect()  # has no effect (SIO-DISC-12)
            reasons.append(reason)

    io = server(connection)
    io.of("/other").on("connection")(connection)
    async with serving(io) as listener:
        client = await connect(listener)
        await client.join("/other,")
        await client.say('2["kick-me"]')
        assert await client.hear() == "1"
        if close:
            assert await client.hear() == "1/other,"
            assert await client.client.frame() == (0x88, b"")
        else:
            assert (await client.join()).startswith("0")
        await trio.testing.wait_all_tasks_blocked()
    assert reasons[: 1 + close] == ["server namespace disconnect"] * (1 + close)


async def test_exceptions_of_handlers_come_out_of_the_serving(autojump_clock: Clock) -> None:
    def fail() -> None:
        raise ValueError("on purpose")

    async def run() -> None:
        async with serving(server(lambda socket: socket.on("fail")(fail))) as listener:
            client = await connect(listener)
            await client.say('2["fail"]')
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.group_contains(ValueError, match="on purpose")


async def test_the_error_hook_takes_exceptions_of_handlers(autojump_clock: Clock) -> None:
    def fail(*args: Any) -> None:
        raise ValueError("on purpose")

    def connection(socket: Socket) -> None:
        for name in ("fail", "disconnecting", "disconnect"):
            socket.on(name)(fail)
        socket.on("work")(lambda: "done")

    io = server(fail)
    io.on("connection")(connection)
    taken: list[Socket] = []

    @io.on_error
    async def on_error(error: Exception, socket: Socket) -> None:
        await trio.lowlevel.checkpoint()
        assert str(error) == "on purpose"
        taken.append(socket)

    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('21["fail"]')
        await client.say('22["work"]')
        assert await client.hear() == '32["done"]'  # and none for the one that failed
        assert len(taken) == 2
        await client.client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert len(taken) == 4
        assert len(set(taken)) == 1


async def test_losing_a_race_with_ones_own_client_ends_that_handler_only(
    autojump_clock: Clock,
) -> None:
    log: list[str] = []

    def connection(socket: Socket) -> None:
        @socket.on("event")
        async def event() -> None:
            log.append("event")
            await trio.sleep(1)
            await socket.request("question", timeout=1)
            log.append("never")

        socket.on("disconnect")(lambda reason: log.append(reason))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["event"]')
        await client.say('2["event"]')
        await client.client.stream.aclose()
        await trio.sleep(5)
    assert log == ["event", "event", "transport close"]


async def test_losing_a_race_with_another_client_is_an_exception(autojump_clock: Clock) -> None:
    sockets: list[Socket] = []
    errors: list[Exception] = []

    def connection(socket: Socket) -> None:
        sockets.append(socket)
        socket.on("ask-first")(lambda: sockets[0].request("question", timeout=1))

    io = server(connection)
    io.on_error(lambda error, socket: errors.append(error))
    async with serving(io) as listener:
        first, second = await connect(listener), await connect(listener)
        await first.client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        await second.say('2["ask-first"]')
        await trio.testing.wait_all_tasks_blocked()
    assert [type(error) for error in errors] == [ClosedError]


async def test_nothing_is_left_behind(autojump_clock: Clock) -> None:
    io = server(lambda socket: socket.join("room"))
    async with serving(io) as listener:
        for number in range(50):
            client = SocketClient(Client(listener.connect()))
            if number % 3:
                await client.open()
            await client.client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        statistics = io.statistics()
        assert (statistics.connections, statistics.sockets) == (0, 0)
        assert (statistics.engine.sessions, statistics.engine.websockets) == (0, 0)
        assert io._backlogs == {}
        assert io._drainers == {}


def test_before_serving_there_is_no_runtime() -> None:
    io = Server()
    io.emit("event")  # to nobody
    with pytest.raises(LocalProtocolError, match="not serving"):
        io.runtime.clock()


@pytest.mark.covers("SIO-DISC-05")
@pytest.mark.parametrize("everybody", [False, True])
async def test_closing_the_connection_keeps_no_request_waiting(
    everybody: bool, autojump_clock: Clock
) -> None:
    """SIO-DISC-05: what the client sent before is not handled yet, but nothing more is read."""
    io = server(app=AppConfig(pause_input=1))

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("x")
        async def x() -> None:
            if everybody:
                io.disconnect_sockets(close=True)
            else:
                socket.disconnect(close=True)
            await trio.sleep(1000)

    async with serving(io) as listener:
        client = Client(listener.connect())
        session = await open_polling(client, "/socket.io/?EIO=4&transport=polling")
        await client.request("POST", session, b"40")
        answer = await client.request("POST", session, b'42["x"]\x1e42["x"]')
        assert answer.status == 200
        assert trio.current_time() < 1
