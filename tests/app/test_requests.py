"""Asking a client, also in a handler of its own."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from sioproto._errors import (
    AckTimeout,
    ClosedError,
    LimitError,
)
from sioproto.socketio import DisconnectReason
from sioproto.testing.trio import Event, serving
from sioproto.trio import AppConfig, Socket
from tests.app.support import Clock, server
from tests.trio import support as wire


@pytest.mark.covers("SIO-ACK-10")
async def test_a_handler_may_ask_its_own_client(autojump_clock: Clock) -> None:
    """SIO-ACK-10."""
    answers: list[Any] = []

    def connection(socket: Socket) -> None:
        @socket.on("ask-me")
        async def ask_me() -> Any:
            for _ in range(3):
                answers.append(await socket.request("question", len(answers), timeout=5))
            return answers

    async with serving(server(connection)) as under_test, under_test.connect() as client:
        asked = client.request("ask-me")
        client.emit("another")  # does not stand in the way of the acknowledgements
        for number, values in enumerate(((), (1,), (1, 2))):
            question = await client.receive()
            assert question == Event("question", number)
            assert question.reply is not None
            question.reply(*values)
        assert await asked == [None, 1, [1, 2]]
    assert answers == [None, 1, (1, 2)]


async def test_a_request_ends_with_its_timeout_or_its_client(autojump_clock: Clock) -> None:
    outcomes: list[Any] = []

    def connection(socket: Socket) -> None:
        @socket.on("ask-me")
        async def ask_me() -> None:
            with pytest.raises(AckTimeout, match="within 5 seconds"):
                await socket.request("question", timeout=5)
            outcomes.append(trio.current_time())
            with trio.move_on_after(1):
                await socket.request("question", timeout=2)
            with pytest.raises(ClosedError):
                await socket.request("question", timeout=100)
            outcomes.append(trio.current_time())
            with pytest.raises(ClosedError):
                await socket.request("question", timeout=5)
            with pytest.raises(ClosedError):
                await socket.drain()
            socket.emit("silently dropped")

    async with serving(server(connection)) as under_test:
        client = await under_test.connect()
        client.emit("ask-me")
        await client.receive()
        abandoned = await client.receive(timeout=6)
        await trio.sleep(5)
        assert abandoned.reply is not None
        abandoned.reply()  # too late: the one who asked has stopped waiting
        client.lose()
        await under_test.settle()
        assert outcomes == [5, 10]


async def test_asking_a_client_goes_on_reading_it(autojump_clock: Clock) -> None:
    answers: list[Any] = []

    def connection(socket: Socket) -> None:
        @socket.on("big")
        async def big(data: str) -> None:
            answers.append(await socket.request("question", timeout=50))

    io = server(connection, app=AppConfig(pause_input=1000, max_input=100_000))
    async with serving(io) as under_test, under_test.connect() as client:
        for _ in range(5):
            client.emit("big", "x" * 900)
        # The answers come behind more events than may wait.
        for number in range(5):
            question = await client.receive("question")
            assert question.reply is not None
            question.reply(number)
        await under_test.settle()
        assert answers == [0, 1, 2, 3, 4]
        assert trio.current_time() == 0


async def test_a_client_that_floods_while_it_is_asked_is_ended(autojump_clock: Clock) -> None:
    ends: list[Any] = []

    def connection(socket: Socket) -> None:
        socket.on("disconnect")(lambda reason, details: ends.append((reason, details)))

        @socket.on("big")
        async def big(data: str) -> None:
            await socket.request("question", timeout=50)

    io = server(connection, app=AppConfig(pause_input=1000, max_input=10_000))
    async with wire.serving(io) as listener:
        client, other = await wire.connect(listener), await wire.connect(listener)
        for _ in range(20):
            await client.say(f'2["big","{"x" * 900}"]')
            await trio.testing.wait_all_tasks_blocked()
        ((reason, details),) = ends
        assert reason is DisconnectReason.FORCED_CLOSE
        assert isinstance(details, LimitError)
        assert details.limit == "max_input"
        assert io.statistics().sockets == 1
        await other.say('21["big",""]')
        assert (await other.hear()).endswith('["question"]')
