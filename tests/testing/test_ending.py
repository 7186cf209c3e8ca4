"""How clients of the test client go, are held up, and come back."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

import sioproto.engineio
import sioproto.socketio
from sioproto import ClosedError, LimitError
from sioproto.testing.trio import ExpectationFailed, serving
from sioproto.trio import AppConfig, Server, Socket
from tests.testing.support import Clock, chat_server, pause


async def test_losing_the_connection_takes_everybody_on_it() -> None:
    ends: list[Any] = []
    async with serving(chat_server(ends)) as server:
        ann = await server.connect()
        room = await ann.join("/a")
        other = await server.connect()
        ann.lose()
        ann.disconnect()  # too late to say anything
        assert (ann.reason, room.reason, other.reason) == ("transport close",) * 2 + (None,)
        await server.settle()
        assert sorted(ends) == [(name, "transport close", None) for name in ("/", "/a")]
        with pytest.raises(ClosedError):
            room.emit("x")


async def test_the_last_to_leave_closes_the_connection() -> None:
    ends: list[Any] = []
    io = chat_server(ends)
    async with serving(io) as server:
        ann = await server.connect()
        room = await ann.join("/a")
        ann.disconnect()
        await server.settle()
        assert room.connected
        assert io.statistics().connections == 1
        room.disconnect()
        await server.settle()
        assert io.statistics().connections == 0
        assert [reason for _, reason, _ in ends] == ["client namespace disconnect"] * 2


async def test_thrown_out() -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect()
        room = await ann.join("/a")
        ann.emit("kick", False)
        assert await ann.wait_disconnected() == "io server disconnect"
        assert room.connected
        room.emit("kick", True)
        assert await room.wait_disconnected() == "io server disconnect"


async def test_wait_disconnected_is_bounded(autojump_clock: Clock) -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect()
        with pytest.raises(ExpectationFailed, match="no end came within 5 seconds"):
            await ann.wait_disconnected()


async def test_heartbeats(autojump_clock: Clock) -> None:
    """EIO-HB-01, EIO-HB-03."""
    ends: list[Any] = []
    async with serving(chat_server(ends)) as server:
        ann = await server.connect()
        silent = await server.connect(answer_pings=False)
        assert await silent.wait_disconnected(timeout=100) == "transport close"
        assert trio.current_time() == 45
        assert [reason for _, reason, _ in ends] == ["ping timeout"]
        await trio.sleep(1000)
        assert await ann.request("echo", 1) == 1
        ann.answer_pings = False
        assert not ann.answer_pings
        await trio.sleep(100)
        assert not ann.connected


async def test_who_does_not_read_holds_up_the_server(autojump_clock: Clock) -> None:
    drained: list[float] = []
    io = Server()

    @io.on("connection")
    async def connection(socket: Socket) -> None:
        @socket.on("fetch")
        async def fetch() -> None:
            for number in range(3):
                socket.emit("part", number)
                await socket.drain()  # the first is under way at once, and then nothing
            drained.append(trio.current_time())

    async with serving(io) as server:
        ann = await server.connect()
        ann.stop_reading()
        ann.stop_reading()
        ann.emit("fetch")
        await trio.sleep(10)
        await ann.receive_nothing()
        assert drained == []
        ann.resume_reading()
        assert [(await ann.receive()).args for _ in range(3)] == [(0,), (1,), (2,)]
        assert drained == [10]
        ann.stop_reading()  # and so it answers no heartbeat
        assert await ann.wait_disconnected(timeout=100) == "transport close"
        assert trio.current_time() == 45


async def test_a_slow_handler_holds_up_its_client(autojump_clock: Clock) -> None:
    """The connection is not read while too much waits; what is sent meanwhile keeps its order."""
    handled: list[tuple[int, float]] = []
    io = Server(app=AppConfig(pause_input=1000, max_input=10_000))

    @io.on("connection")
    async def connection(socket: Socket) -> None:
        @socket.on("big")
        async def big(number: int, data: bytes) -> None:
            await trio.sleep(1)
            handled.append((number, trio.current_time()))

    async with serving(io) as server:
        ann = await server.connect()
        for number in range(50):
            ann.emit("big", number, b"x" * 600)
        with pytest.raises(ExpectationFailed, match="has not read everything within 5 seconds"):
            await ann.drain()
        assert trio.current_time() == 5
        await ann.drain(timeout=60)
        assert 45 < trio.current_time() < 50
        await trio.sleep(10)
        assert handled == [(number, number + 1) for number in range(50)]
        assert ann.connected
        await ann.drain()  # nothing to wait for


async def test_who_waits_for_the_server_to_read_is_let_go_at_the_end(autojump_clock: Clock) -> None:
    io = Server(app=AppConfig(pause_input=100))

    @io.on("connection")
    async def connection(socket: Socket) -> None:
        socket.on("big")(pause(100))

    async with serving(io, shutdown_timeout=1) as server:
        ann = await server.connect()
        for _ in range(3):
            ann.emit("big", b"x" * 600)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ann.drain)
            await trio.testing.wait_all_tasks_blocked()
            ann.lose()
        assert trio.current_time() == 0
    assert trio.current_time() == 1


async def test_too_large_a_message_costs_the_connection() -> None:
    """EIO-WS-08."""
    ends: list[Any] = []
    config = sioproto.engineio.ServerConfig(path="/socket.io/", max_payload=1000)
    async with serving(chat_server(ends, engine=config)) as server:
        ann = await server.connect()
        assert await ann.request("echo", "x" * 900)
        ann.emit("echo", "\u00e4" * 600)  # counted as it would travel
        assert ann.reason == "transport close"
        await server.settle()
        ((_, reason, details),) = ends
        assert reason == "transport error"
        assert isinstance(details, LimitError)
        assert details.limit == "max_payload"


# Coming back


def recovering_server() -> Server:
    recovery = sioproto.socketio.RecoveryConfig(max_disconnection_duration=60)
    return chat_server(config=sioproto.socketio.ServerConfig(recovery=recovery))


@pytest.mark.covers("SIO-CSR-01", "SIO-CSR-12")
async def test_recovered(autojump_clock: Clock) -> None:
    """SIO-CSR-01, SIO-CSR-12."""
    io = recovering_server()
    async with serving(io) as server:
        ann = await server.connect("/a", auth={"name": "ann"}, address="192.0.2.1")
        assert ann.pid is not None
        assert not ann.recovered
        ann.socket.data["basket"] = 3
        io.of("/a").emit("news", 1)
        await ann.receive()
        ann.lose()
        io.of("/a").emit("news", 2)
        io.of("/a").emit("news", 3)
        again = await ann.reconnect()
        assert again.recovered
        assert again.socket is not ann.socket
        assert again.socket.recovered
        assert (again.id, again.namespace) == (ann.id, "/a")
        assert again.socket.handshake.address == "192.0.2.1"
        assert again.socket.handshake.auth["name"] == "ann"
        assert again.socket.data == {"basket": 3}
        assert [(await again.receive()).args[0] for _ in range(2)] == [2, 3]
        again.lose()
        await trio.sleep(100)
        late = await again.reconnect()
        assert not late.recovered
        assert late.id != ann.id
        assert (late.socket.data, late.connected) == ({}, True)


async def test_reconnecting_to_a_server_that_recovers_nobody() -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect(auth={"name": "ann"})
        ann.emit("tell", "news", "text")
        await ann.receive()
        assert (ann.pid, ann.offset) == (None, None)
        ann.disconnect()
        async with ann.reconnect() as again:
            assert not again.recovered
            assert again.id != ann.id
            assert again.socket.handshake.auth == {"name": "ann"}
