"""Functions that see every event that comes in, and every one that goes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from sioproto._errors import LocalProtocolError, RemoteProtocolError
from sioproto.socketio import DisconnectReason
from sioproto.trio import Socket
from tests.app.support import Clock, server
from tests.trio.support import connect, serving


@pytest.mark.covers("SIO-EVT-08", "SIO-ACK-15")
async def test_incoming_events_are_seen_before_middleware_and_listeners(
    autojump_clock: Clock,
) -> None:
    """SIO-EVT-08, SIO-ACK-15."""
    log: list[Any] = []

    def connection(socket: Socket) -> None:
        socket.on("ask")(lambda: socket.request("question", timeout=1))
        socket.on("event")(lambda *args: log.append(("listener", *args)))
        socket.on("disconnect")(lambda reason: log.append(reason))
        socket.use(lambda event: log.append(("middleware", *event.args)))

        @socket.on_any
        async def seen(name: str | int, *args: Any) -> None:
            await trio.lowlevel.checkpoint()
            log.append(("any", name, *args))

        socket.prepend_any(lambda name, *args: log.append(("first", name)))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["event",1,"two"]')
        await trio.testing.wait_all_tasks_blocked()
        assert log == [
            ("first", "event"),
            ("any", "event", 1, "two"),
            ("middleware", 1, "two"),
            ("listener", 1, "two"),
        ]
        log.clear()
        await client.say("2[7]")  # nobody listens
        await trio.testing.wait_all_tasks_blocked()
        assert log == [("first", 7), ("any", 7), ("middleware",)]
        log.clear()
        await client.say('25["ask"]')
        assert await client.hear() == '20["question"]'
        await client.say('30["answer"]')  # an acknowledgement is no event (SIO-ACK-15)
        assert await client.hear() == '35["answer"]'
        await client.say("1")  # neither is the end
        await trio.testing.wait_all_tasks_blocked()
        assert log == [
            ("first", "ask"),
            ("any", "ask"),
            ("middleware",),
            "client namespace disconnect",
        ]


@pytest.mark.covers("SIO-EVT-10")
async def test_catch_alls_are_removed_one_by_one_or_altogether(autojump_clock: Clock) -> None:
    """SIO-EVT-10."""
    log: list[str] = []

    def connection(socket: Socket) -> None:
        def a(name: str, *args: Any) -> None:
            log.append("a")

        def b(name: str, *args: Any) -> None:
            log.append("b")

        socket.on_any(a)
        socket.on_any(b)
        socket.on_any_outgoing(a)
        socket.on_any_outgoing(b)

        @socket.on("off")
        def off(which: str) -> None:
            functions: dict[str, Callable[..., Any]] = {"a": a, "other": len}
            function = functions.get(which)
            socket.off_any(function)
            socket.off_any_outgoing(function)

        socket.on("in")(lambda: None)
        socket.on("out")(lambda: socket.emit("out"))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        for which, count in (("other", 2), ("a", 1), ("all", 0)):
            await client.say(f'21["off","{which}"]')
            assert await client.hear() == "31[]"
            for name in ("in", "out"):
                log.clear()
                await client.say(f'2["{name}"]')
                await trio.testing.wait_all_tasks_blocked()
                if name == "out":  # which came in first
                    assert await client.hear() == '2["out"]'
                assert log == ["a", "b"][2 - count :] * (1 + (name == "out"))


@pytest.mark.covers("SIO-EVT-10")
async def test_a_catch_all_that_removes_them_all_does_not_disturb_this_event(
    autojump_clock: Clock,
) -> None:
    """SIO-EVT-10."""
    log: list[str] = []

    def connection(socket: Socket) -> None:
        def remove(name: str) -> None:
            log.append("remove")
            socket.off_any()
            socket.off_any_outgoing()

        def other(name: str) -> None:
            log.append("other")

        for function in (remove, other):
            socket.on_any(function)
            socket.on_any_outgoing(function)
        for _ in range(2):
            socket.emit("event")
            log.append("emitted")
        for function in (remove, other):
            socket.on_any(function)

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["event"]')
        await client.say('2["event"]')
        await trio.testing.wait_all_tasks_blocked()
    assert log == ["remove", "other", "emitted", "emitted", "remove", "other"]


async def test_what_a_catch_all_raises_stops_the_event(autojump_clock: Clock) -> None:
    def refuse(name: str, *args: Any) -> None:
        if name == "bad":
            raise ValueError("on purpose")

    def connection(socket: Socket) -> None:
        socket.on_any(refuse)
        socket.on("bad")(lambda: pytest.fail("never called"))
        socket.on("good")(lambda: "good")

    io = server(connection)
    errors: list[Exception] = []
    io.on_error(lambda error, socket: errors.append(error))
    async with serving(io) as listener:
        client = await connect(listener)
        await client.say('21["bad"]')
        await client.say('22["good"]')
        assert await client.hear() == '32["good"]'
    assert [str(error) for error in errors] == ["on purpose"]


async def test_arguments_that_fit_no_catch_all_are_the_clients_mistake(
    autojump_clock: Clock,
) -> None:
    ends: list[Any] = []

    def connection(socket: Socket) -> None:
        socket.on_any(lambda name, argument: None)
        socket.on("disconnect")(lambda reason, details: ends.append((reason, type(details))))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["event",1]')
        await client.say('2["event"]')
        assert await client.client.frame() == (0x88, b"")
    assert ends == [(DisconnectReason.FORCED_SERVER_CLOSE, RemoteProtocolError)]


@pytest.mark.covers("SIO-EVT-09", "SIO-ACK-15")
async def test_outgoing_events_are_seen_at_once(autojump_clock: Clock) -> None:
    """SIO-EVT-09, SIO-ACK-15."""
    log: list[Any] = []

    def see(who: str, name: str, *args: Any) -> None:
        log.append((who, name, *args))

    io = server()

    @io.use
    def middleware(socket: Socket) -> None:
        name = socket.handshake.auth["name"]
        socket.on_any_outgoing(partial(see, name))
        socket.prepend_any_outgoing(partial(see, f"first {name}"))
        socket.emit("early")
        assert log == [(f"first {name}", "early"), (name, "early")]
        log.clear()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("tell")
        async def tell() -> str:
            io.emit("all", b"\x00")
            socket.broadcast.emit("others")
            with pytest.raises(LocalProtocolError):
                socket.emit("unspeakable", object())
            log.append("then")
            await socket.request("question", timeout=1)
            return "an acknowledgement is not seen"

        @socket.on("disconnect")
        def disconnect(reason: str) -> None:
            socket.emit("too late")

    async with serving(io) as listener:
        ann = await connect(listener, auth='{"name":"ann"}')
        bob = await connect(listener, auth='{"name":"bob"}')
        assert await ann.hear() == '2["early"]'
        await ann.say('27["tell"]')
        assert await ann.hear() == '51-["all",{"_placeholder":true,"num":0}]'
        assert await ann.client.frame() == (0x82, b"\x00")
        assert await ann.hear() == '20["question"]'
        await ann.say("30[]")
        assert (await ann.hear()).startswith("37")
        await ann.say("1")
        await trio.testing.wait_all_tasks_blocked()
        assert bob is not ann
    assert log == [
        ("first ann", "all", b"\x00"),
        ("ann", "all", b"\x00"),
        ("first bob", "all", b"\x00"),
        ("bob", "all", b"\x00"),
        ("first bob", "others"),
        ("bob", "others"),
        "then",
        ("first ann", "question"),
        ("ann", "question"),
    ]


async def test_an_outgoing_catch_all_may_end_another_recipient(autojump_clock: Clock) -> None:
    log: list[str] = []

    def connection(socket: Socket) -> None:
        sockets.append(socket)

        @socket.on_any_outgoing
        def end_the_other(name: str) -> None:
            log.append("seen")
            (other,) = (each for each in sockets if each is not socket)
            other.disconnect()

        socket.on("tell")(lambda: io.emit("told"))

    sockets: list[Socket] = []
    io = server(connection)
    async with serving(io) as listener:
        one, two = [await connect(listener) for _ in range(2)]
        await trio.testing.wait_all_tasks_blocked()
        await one.say('2["tell"]')
        assert await one.hear() == '2["told"]'
        assert await two.hear() == "1"
    assert log == ["seen"]


async def test_what_an_outgoing_catch_all_raises_hinders_nobody(autojump_clock: Clock) -> None:
    def connection(socket: Socket) -> None:
        sockets.append(socket)

        @socket.on_any_outgoing
        def fail(name: str) -> None:
            raise ValueError(socket.id)

        socket.on("tell")(lambda: io.emit("told"))

    sockets: list[Socket] = []
    errors: list[Any] = []
    io = server(connection)
    io.on_error(lambda error, socket: errors.append((str(error), socket)))
    async with serving(io) as listener:
        clients = [await connect(listener) for _ in range(2)]
        await trio.testing.wait_all_tasks_blocked()
        await clients[0].say('21["tell"]')
        for client in clients:
            assert await client.hear() == '2["told"]'
        assert await clients[0].hear() == "31[]"
    assert len(errors) == 2
    assert dict(errors) == {socket.id: socket for socket in sockets}


async def test_without_a_hook_it_ends_the_serving(autojump_clock: Clock) -> None:
    def connection(socket: Socket) -> None:
        @socket.on_any_outgoing
        def fail(name: str) -> None:
            raise ValueError("on purpose")

        socket.emit("event")

    async def run() -> None:
        async with serving(server(connection)) as listener:
            await connect(listener)
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.group_contains(ValueError, match="on purpose")


async def test_outgoing_catch_alls_cannot_be_async(autojump_clock: Clock) -> None:
    class Async:
        async def __call__(self, *args: Any) -> None: ...

    async def function(*args: Any) -> None: ...

    refused: list[Any] = []

    def connection(socket: Socket) -> None:
        for listener in (function, partial(function, 1), Async(), Async().__call__):
            for listen in (socket.on_any_outgoing, socket.prepend_any_outgoing):
                with pytest.raises(LocalProtocolError, match="async"):
                    listen(listener)
                refused.append(listener)
        socket.emit("event")

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        assert await client.hear() == '2["event"]'
    assert len(refused) == 8


async def test_catch_alls_and_iteration_exclude_each_other(autojump_clock: Clock) -> None:
    def listening(socket: Socket) -> None:
        for listen in (socket.on_any, socket.use):
            listen(print)
            with pytest.raises(LocalProtocolError, match="by listeners"):
                aiter(socket)
            socket.off_any()
        socket.emit("refused")

    def iterating(socket: Socket) -> None:
        aiter(socket)
        for listen in (socket.on_any, socket.prepend_any, socket.use):
            with pytest.raises(LocalProtocolError, match="by iteration"):
                listen(print)
        socket.on_any_outgoing(outgoing.append)
        socket.emit("refused")

    outgoing: list[str] = []
    for connection in (listening, iterating):
        async with serving(server(connection)) as listener:
            client = await connect(listener)
            assert await client.hear() == '2["refused"]'
    assert outgoing == ["refused"]
