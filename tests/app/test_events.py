"""Handlers of events, their acknowledgements, and iteration instead of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from sioproto._errors import (
    LocalProtocolError,
    RemoteProtocolError,
)
from sioproto.socketio import DisconnectReason, EventReceived
from sioproto.trio import Socket
from tests.app.support import Clock, server
from tests.trio.support import connect, serving


async def test_handlers_of_a_client_run_one_at_a_time_in_order(autojump_clock: Clock) -> None:
    log: list[Any] = []

    async def connection(socket: Socket) -> None:
        @socket.on("wait")
        async def wait(seconds: float) -> None:
            log.append(("begin", seconds))
            await trio.sleep(seconds)
            log.append(("end", seconds))

        @socket.on("plain")
        def plain() -> None:
            log.append("plain")

        await trio.sleep(1)
        log.append("connected")

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["wait",3]')
        await client.say('2["plain"]')
        await client.say('2["wait",1]')
        other = await connect(listener)
        await other.say('2["wait",0]')
        await trio.sleep(10)
    assert [entry for entry in log if entry not in ("connected", ("begin", 0), ("end", 0))] == [
        ("begin", 3),
        ("end", 3),
        "plain",
        ("begin", 1),
        ("end", 1),
    ]
    # Events wait for the handlers of ``connection``, and clients do not wait for each other.
    assert log.index(("begin", 3)) > log.index("connected")
    assert log.index(("end", 0)) < log.index(("end", 3))


async def test_what_a_handler_returns_is_the_acknowledgement(autojump_clock: Clock) -> None:
    answers: dict[str, Any] = {
        "none": None,
        "one": "ok",
        "list": [1, 2],
        "several": (1, b"\x01", None),
        "false": False,
    }

    def connection(socket: Socket) -> None:
        for name, answer in answers.items():
            socket.on(name)(partial(lambda answer: answer, answer))
        socket.on("async")(partial(trio.lowlevel.checkpoint))
        socket.on(7)(lambda: "seven")
        socket.on("two")(lambda: None)
        socket.on("two")(lambda: "second")
        socket.on("two")(lambda: "third")

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        for name, expected in (
            ("none", "[]"),
            ("one", '["ok"]'),
            ("list", "[[1,2]]"),
            ("false", "[false]"),
            ("async", "[]"),
            ("two", '["second"]'),
        ):
            await client.say(f'21["{name}"]')
            assert await client.hear() == f"31{expected}"
        await client.say("22[7]")
        assert await client.hear() == '32["seven"]'
        await client.say('23["several"]')
        assert await client.hear() == '61-3[1,{"_placeholder":true,"num":0},null]'
        assert await client.client.frame() == (0x82, b"\x01")
        # Nobody listens: no acknowledgement (SIO-EVT-19). Nobody asks: neither.
        await client.say('24["nobody"]')
        await client.say('2["one"]')
        await client.say('25["one"]')
        assert await client.hear() == '35["ok"]'


async def test_an_acknowledgement_that_cannot_be_expressed_is_the_handlers_fault(
    autojump_clock: Clock,
) -> None:
    io = server(lambda socket: socket.on("event")(lambda: object()))
    errors: list[tuple[Exception, Socket]] = []
    io.on_error(lambda error, socket: errors.append((error, socket)))
    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('21["event"]')
        await trio.testing.wait_all_tasks_blocked()
        ((error, socket),) = errors
        assert isinstance(error, LocalProtocolError)
        assert socket.connected


@pytest.mark.parametrize("event", ['["one"]', '["one",1,2]'])
async def test_arguments_that_do_not_fit_cost_the_client_its_connection(
    event: str, autojump_clock: Clock
) -> None:
    ends: list[Any] = []

    def connection(socket: Socket) -> None:
        socket.on("one")(lambda argument: argument)
        socket.on("disconnect")(lambda reason, details: ends.append((reason, details)))

    io = server(connection)
    async with serving(io) as listener:
        client = await connect(listener)
        await client.say(f"2{event}")
        assert await client.client.frame() == (0x88, b"")
        ((reason, details),) = ends
        assert reason is DisconnectReason.FORCED_SERVER_CLOSE
        assert isinstance(details, RemoteProtocolError)
        assert "arguments" in str(details)


async def test_the_error_hook_may_take_arguments_that_do_not_fit(autojump_clock: Clock) -> None:
    io = server(lambda socket: socket.on("one")(lambda argument: argument))
    errors: list[Exception] = []
    io.on_error(lambda error, socket: errors.append(error))
    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('21["one"]')
        await client.say('22["one",1]')
        assert await client.hear() == "32[1]"
    assert [type(error) for error in errors] == [RemoteProtocolError]


@pytest.mark.parametrize("name", ["connect", "connect_error", "newListener", "removeListener"])
async def test_reserved_names_are_not_listened_to(name: str, autojump_clock: Clock) -> None:
    refused: list[str] = []

    def connection(socket: Socket) -> None:
        with pytest.raises(LocalProtocolError, match="reserved"):
            socket.on(name)
        with pytest.raises(LocalProtocolError, match="reserved"):
            socket.emit(name)
        refused.append(name)

    async with serving(server(connection)) as listener:
        await connect(listener)
        await trio.testing.wait_all_tasks_blocked()
    assert refused == [name]


async def test_events_may_be_taken_by_iteration(autojump_clock: Clock) -> None:
    log: list[Any] = []

    async def connection(socket: Socket) -> None:
        socket.on("disconnect")(lambda reason: log.append(reason))
        async for event in socket:
            log.append((event.name, event.args))
            if event.reply is not None:
                event.reply("taken")
            with pytest.raises(LocalProtocolError, match="iteration"):
                socket.on("event")
        log.append(("after", socket.connected))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["one",1]')
        await client.say('21["two"]')
        assert await client.hear() == '31["taken"]'
        await client.say('2["three"]')
        await client.say("1")
        await trio.testing.wait_all_tasks_blocked()
    assert log == [
        ("one", [1]),
        ("two", []),
        ("three", []),
        ("after", False),
        "client namespace disconnect",
    ]


async def test_listening_and_iterating_exclude_each_other(autojump_clock: Clock) -> None:
    outcomes: list[str] = []

    async def connection(socket: Socket) -> None:
        socket.on("event")(lambda: None)
        with pytest.raises(LocalProtocolError, match="listeners"):
            aiter(socket)
        outcomes.append("refused")

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["event"]')
        await trio.testing.wait_all_tasks_blocked()
    assert outcomes == ["refused"]


async def test_a_task_of_the_application_may_iterate(autojump_clock: Clock) -> None:
    names: list[Any] = []
    async with trio.open_nursery() as nursery:

        async def iterate(events: AsyncIterator[EventReceived]) -> None:
            names.extend([event.name async for event in events])
            names.append("end")

        io = server(lambda socket: nursery.start_soon(iterate, aiter(socket)))
        async with serving(io) as listener:
            client = await connect(listener)
            for name in ("a", "b"):
                await client.say(f'2["{name}"]')
                await trio.testing.wait_all_tasks_blocked()
            await client.client.stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
    assert names == ["a", "b", "end"]


async def test_iteration_cannot_begin_late(autojump_clock: Clock) -> None:
    sockets: list[Socket] = []
    async with serving(server(sockets.append)) as listener:
        client = await connect(listener)
        await client.say('2["event"]')
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(LocalProtocolError, match="before"):
            aiter(sockets[0])
