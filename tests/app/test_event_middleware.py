"""Middleware that each event of a client passes before any listener."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from sioproto._errors import ConnectionRefused, LocalProtocolError, RemoteProtocolError
from sioproto.socketio import EventReceived
from sioproto.trio import Socket
from tests.app.support import Clock, server
from tests.trio.support import connect, serving


@pytest.mark.covers("SIO-EVT-11")
async def test_middleware_runs_in_order_for_each_event(autojump_clock: Clock) -> None:
    """SIO-EVT-11."""
    log: list[Any] = []

    def connection(socket: Socket) -> None:
        @socket.use
        async def slow(event: EventReceived) -> None:
            assert event.socket is socket
            await trio.sleep(1)
            log.append(("slow", event.name))

        @socket.use
        def plain(event: EventReceived) -> None:
            log.append(("plain", event.name, event.reply is not None))

        socket.on("event")(lambda: log.append("listener"))
        socket.on("disconnect")(lambda reason: log.append("end"))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('21["event"]')
        assert await client.hear() == "31[]"
        await client.say('2["nobody listens"]')
        await client.say("1")
        await trio.sleep(2)
    assert log == [
        ("slow", "event"),
        ("plain", "event", True),
        "listener",
        ("slow", "nobody listens"),
        ("plain", "nobody listens", False),
        "end",
    ]


@pytest.mark.covers("SIO-EVT-11")
async def test_what_middleware_changes_is_what_follows_sees(autojump_clock: Clock) -> None:
    """SIO-EVT-11."""

    def connection(socket: Socket) -> None:
        @socket.use
        def wrap(event: Any) -> None:
            event.args[:] = [event.name, *event.args]
            event.name = "wrap"

        @socket.use
        def double(event: EventReceived) -> None:
            assert event.name == "wrap"
            event.args.extend(event.args)

        socket.on("wrap")(lambda *args: args)
        socket.on("join")(lambda *args: pytest.fail("renamed"))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('21["join","woot"]')
        assert await client.hear() == '31["join","woot","join","woot"]'


@pytest.mark.covers("SIO-EVT-12")
async def test_middleware_refuses_an_event_and_nothing_is_sent(autojump_clock: Clock) -> None:
    """SIO-EVT-12."""

    def connection(socket: Socket) -> None:
        @socket.use
        async def guard(event: EventReceived) -> None:
            if event.name in ("secret", "answered"):
                if event.name == "answered" and event.reply is not None:
                    event.reply("not allowed")
                raise ConnectionRefused("not for you", data=event.args)

        socket.use(lambda event: passed.append(event.name))
        socket.on("secret")(lambda: pytest.fail("refused"))
        socket.on("answered")(lambda: pytest.fail("refused"))
        socket.on("open")(lambda: "open")

    errors: list[Any] = []
    for hook in (None, lambda error, socket: errors.append((error.message, error.data))):
        passed: list[Any] = []
        io = server(connection)
        if hook is not None:
            io.on_error(hook)
        async with serving(io) as listener:
            client = await connect(listener)
            await client.say('21["secret",1]')
            await client.say('22["open"]')
            assert await client.hear() == '32["open"]'
            await client.say('23["answered"]')
            assert await client.hear() == '33["not allowed"]'
        assert passed == ["open"]
    assert errors == [("not for you", [1]), ("not for you", [])]


async def test_a_listener_cannot_refuse(autojump_clock: Clock) -> None:
    def refuse() -> None:
        raise ConnectionRefused("too late")

    async def run() -> None:
        async with serving(server(lambda socket: socket.on("event")(refuse))) as listener:
            client = await connect(listener)
            await client.say('2["event"]')
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.group_contains(ConnectionRefused, match="too late")


async def test_what_else_middleware_raises_is_treated_like_a_handlers_exception(
    autojump_clock: Clock,
) -> None:
    def connection(socket: Socket) -> None:
        @socket.use
        def middleware(event: Any) -> None:
            if event.name == "fail":
                raise ValueError("on purpose")
            if event.name == "rename":
                (event.name,) = event.args

        socket.on("fail")(lambda: pytest.fail("never called"))
        for name in ("disconnecting", "disconnect"):
            socket.on(name)(lambda reason: ends.append(reason))
        socket.on("work")(lambda name: "done")

    ends: list[str] = []
    errors: list[Exception] = []
    io = server(connection)
    io.on_error(lambda error, socket: errors.append(error))
    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('21["fail"]')
        # No lifecycle event by way of a name, and no crash by way of one that is none.
        await client.say('22["rename","disconnect"]')
        await client.say('23["rename",[]]')
        await client.say('24["rename","work"]')
        assert await client.hear() == '34["done"]'
        assert ends == []
    assert [type(error) for error in errors] == [ValueError, LocalProtocolError, TypeError]

    async def run() -> None:
        async with serving(server(connection)) as listener:
            client = await connect(listener)
            await client.say('2["fail"]')
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.group_contains(ValueError, match="on purpose")


async def test_a_hook_that_fails_ends_the_serving_and_is_not_asked_twice(
    autojump_clock: Clock,
) -> None:
    asked: list[Exception] = []

    def hook(error: Exception, socket: Socket) -> None:
        asked.append(error)
        raise RuntimeError("the hook itself")

    async def run(event: str) -> None:
        io = server(lambda socket: socket.on("event")(lambda argument: None))
        io.on_error(hook)
        async with serving(io) as listener:
            client = await connect(listener)
            await client.say(event)
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await run('2["event"]')
    assert caught.group_contains(RuntimeError, match="the hook itself")
    assert [type(error) for error in asked] == [RemoteProtocolError]
