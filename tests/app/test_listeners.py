"""Listeners that come and go: once, off, several at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from sioproto._errors import LocalProtocolError
from sioproto.trio import Server, Socket
from tests.app.support import Clock, server
from tests.trio.support import connect, serving


async def test_a_listener_may_listen_once(autojump_clock: Clock) -> None:
    log: list[Any] = []

    def connection(socket: Socket) -> None:
        @socket.once("event")
        def first(number: int) -> str:
            log.append(("once", number))
            return "once"

        @socket.on("event")
        def always(number: int) -> str:
            log.append(("on", number))
            return "on"

        assert first is not always
        socket.once("alone")(lambda: "alone")

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('21["event",1]')
        assert await client.hear() == '31["once"]'
        await client.say('22["event",2]')
        assert await client.hear() == '32["on"]'
        # One who has listened listens no more, and what nobody listens to is not acknowledged.
        await client.say('23["alone"]')
        assert await client.hear() == '33["alone"]'
        await client.say('24["alone"]')
        await client.say('25["event",3]')
        assert await client.hear() == '35["on"]'
        log.pop()
    assert log == [("once", 1), ("on", 1), ("on", 2)]


async def test_what_does_not_fit_does_not_use_up_a_listener(autojump_clock: Clock) -> None:
    io = server(lambda socket: socket.once("event")(lambda argument: argument))
    errors: list[Exception] = []
    io.on_error(lambda error, socket: errors.append(error))
    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('21["event"]')
        await client.say('22["event","fits"]')
        assert await client.hear() == '32["fits"]'
    assert len(errors) == 1


async def test_listeners_are_removed_one_by_one_or_altogether(autojump_clock: Clock) -> None:
    log: list[str] = []

    def connection(socket: Socket) -> None:
        def of(name: str) -> Callable[[], None]:
            return lambda: log.append(name)

        a, b, c = (of(name) for name in "abc")
        for function in (a, b, a, c):
            socket.on("event")(function)
        socket.once("event")(b)

        @socket.on("off")
        def off(which: str) -> None:
            socket.off("event", {"a": a, "b": b, "d": of("d")}.get(which))
            socket.off("nothing of this name")

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        for which, expected in (("d", "abacb"), ("a", "bc"), ("b", "c"), ("all", "")):
            await client.say(f'21["off","{which}"]')
            assert await client.hear() == "31[]"
            log.clear()
            await client.say('2["event"]')
            await trio.testing.wait_all_tasks_blocked()
            assert "".join(log) == expected


async def test_an_event_under_way_is_not_affected_by_what_its_listeners_do(
    autojump_clock: Clock,
) -> None:
    log: list[str] = []

    def connection(socket: Socket) -> None:
        @socket.on("event")
        async def changing() -> None:
            log.append("changing")
            socket.off("event")
            await trio.sleep(1)
            socket.on("event")(lambda: log.append("new"))

        socket.on("event")(lambda: log.append("old"))
        socket.once("event")(lambda: log.append("old, once"))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["event"]')
        await client.say('2["event"]')
        await trio.sleep(5)
    assert log == ["changing", "old", "old, once", "new"]


async def test_after_all_listeners_are_off_events_may_be_iterated(autojump_clock: Clock) -> None:
    names: list[Any] = []

    async def connection(socket: Socket) -> None:
        socket.on("event")(lambda: None)
        with pytest.raises(LocalProtocolError, match="by listeners"):
            aiter(socket)
        socket.off("event")
        names.extend([event.name async for event in socket])
        with pytest.raises(LocalProtocolError, match="by iteration"):
            socket.once("event")

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["event"]')
        await client.say("1")
        await trio.testing.wait_all_tasks_blocked()
    assert names == ["event"]


async def test_the_end_can_be_listened_to_no_longer(autojump_clock: Clock) -> None:
    log: list[str] = []

    def connection(socket: Socket) -> None:
        for name in ("disconnecting", "disconnect"):
            socket.once(name)(lambda reason, *, name=name: log.append(name))
        socket.off("disconnecting")
        with pytest.raises(LocalProtocolError, match="reserved"):
            socket.once("connect_error")

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say("1")
        await trio.testing.wait_all_tasks_blocked()
    assert log == ["disconnect"]


async def test_a_server_may_listen_for_the_next_client_only(autojump_clock: Clock) -> None:
    log: list[Any] = []
    io = Server()
    clients: dict[str, int] = {}

    @io.on("connection")
    async def slow(socket: Socket) -> None:
        clients[socket.id] = len(clients) + 1
        await trio.sleep(1)

    @io.once("connection")
    def once(socket: Socket) -> None:
        log.append(("once", clients[socket.id]))

    def always(socket: Socket) -> None:
        log.append(("on", clients[socket.id]))

    io.on("connection")(always)
    async with serving(io) as listener:
        for _ in range(2):  # the second joins while the slow listener is busy with the first
            await connect(listener)
            await trio.sleep(0.5)
        await trio.sleep(2)
        assert log == [("once", 1), ("on", 1), ("on", 2)]
        io.off("connection", always)
        await connect(listener)
        await trio.sleep(2)
        assert len(clients) == len(log) == 3
        io.off("connection")
        await connect(listener)
        await trio.sleep(2)
        assert len(clients) == 3


def test_a_namespace_has_one_event() -> None:
    for listen in (Server().on, Server().once):
        with pytest.raises(LocalProtocolError, match="has one event"):
            listen("connect")
