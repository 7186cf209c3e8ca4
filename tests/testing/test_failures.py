"""How what goes wrong comes out of ``serving``."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from sioproto._errors import LocalProtocolError
from sioproto.testing.trio import ExpectationFailed, serving
from sioproto.trio import EngineServer, Server, Session, Socket

Clock = trio.testing.MockClock


def failing_server() -> Server:
    """An application whose handlers do little else."""
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        @socket.on("fail")
        def fail(text: str) -> None:
            try:
                int("x")
            except ValueError as error:
                raise RuntimeError(text) from error

        @socket.on("group")
        async def group() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(raises, OSError("in a group"))

        @socket.on("disconnect")
        def disconnect(reason: str) -> None:
            if socket.handshake.auth.get("fails") == "at the end":
                raise RuntimeError(str(reason))

    return io


async def raises(error: BaseException) -> None:
    raise error


async def test_an_exception_comes_out_as_it_is(autojump_clock: Clock) -> None:
    async def run() -> None:
        async with serving(failing_server()) as server:
            ann = await server.connect()
            await ann.request("fail", "oh", timeout=100)
            pytest.fail("the test went on")

    with pytest.raises(RuntimeError, match="oh") as caught:
        await run()
    assert type(caught.value.__cause__) is ValueError
    assert caught.value.__context__ is caught.value.__cause__
    assert any(entry.name == "fail" for entry in caught.traceback)
    assert trio.current_time() == 0


async def test_it_comes_out_whatever_the_test_waits_for(autojump_clock: Clock) -> None:
    async def run() -> None:
        async with serving(failing_server()) as server:
            ann, bob = await server.connect(), await server.connect()
            ann.emit("fail", "oh")
            await bob.receive(timeout=100)

    with pytest.raises(RuntimeError, match="oh"):
        await run()
    assert trio.current_time() == 0


async def test_its_own_group_stays_a_group() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with serving(failing_server()) as server:
            await (await server.connect()).request("group")
    (error,) = caught.value.exceptions
    assert type(error) is OSError


async def test_several_come_in_one_group() -> None:
    async def run() -> None:
        async with serving(failing_server()) as server:
            ann, bob = await server.connect(), await server.connect()
            ann.emit("fail", "one")
            bob.emit("fail", "two")
            await server.settle()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert sorted(map(str, caught.value.exceptions)) == ["one", "two"]


async def test_what_the_test_raises_comes_out_as_it_is() -> None:
    mine = AssertionError("mine")

    async def run() -> None:
        async with serving(failing_server()) as server:
            await server.connect()
            raise mine

    with pytest.raises(AssertionError) as caught:
        await run()
    assert caught.value is mine
    assert mine.__context__ is None


async def test_a_group_of_the_test_comes_out_as_it_is() -> None:
    mine = ExceptionGroup("mine", [ValueError()])
    with pytest.raises(ExceptionGroup) as caught:
        async with serving(failing_server()):
            raise mine
    assert caught.value is mine


async def test_a_skip_stays_a_skip() -> None:
    """What pytest raises is no ``Exception``."""
    with pytest.raises(pytest.skip.Exception):
        async with serving(failing_server()):
            pytest.skip("not today")


async def test_the_test_and_the_end_of_a_client_fail() -> None:
    async def run() -> None:
        async with serving(failing_server()) as server:
            await server.connect(auth={"fails": "at the end"})
            raise ValueError("the test")

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert {str(error) for error in caught.value.exceptions} == {
        "the test",
        "server shutting down",
    }


async def test_an_exception_while_shutting_down() -> None:
    with pytest.raises(RuntimeError, match="server shutting down"):
        async with serving(failing_server()) as server:
            await server.connect(auth={"fails": "at the end"})


async def test_a_hook_takes_exceptions() -> None:
    errors: list[Exception] = []
    io = failing_server()
    io.on_error(lambda error, socket: errors.append(error))
    async with serving(io) as server:
        ann = await server.connect()
        ann.emit("fail", "one")
        ann.emit("fail", "two")
        await server.settle()
        assert list(map(str, errors)) == ["one", "two"]
        assert ann.connected


async def test_cancelled_from_outside(autojump_clock: Clock) -> None:
    ends: list[Any] = []
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.on("disconnect")(lambda reason: ends.append(str(reason)))

    with pytest.raises(trio.TooSlowError), trio.fail_after(2):
        async with serving(io) as server:
            await (await server.connect()).receive(timeout=100)
    assert trio.current_time() == 2
    assert ends == ["server shutting down"]


async def test_cancelled_from_outside_and_failing_at_the_end(autojump_clock: Clock) -> None:
    """No exception is lost."""

    async def run() -> None:
        async with serving(failing_server()) as server:
            await (await server.connect(auth={"fails": "at the end"})).receive(timeout=100)

    with trio.move_on_after(2) as scope, pytest.RaisesGroup(RuntimeError, flatten_subgroups=True):
        with trio.move_on_after(1):
            await run()
    assert not scope.cancelled_caught


async def test_a_server_serves_once() -> None:
    io = failing_server()
    async with serving(io):
        pass
    with pytest.raises(LocalProtocolError, match="serves once"):
        async with serving(io):
            pytest.fail("it serves")


async def test_a_handler_that_hangs_is_cut_off(autojump_clock: Clock) -> None:
    async def hang(session: Session) -> None:
        await trio.sleep_forever()

    for seconds in (3, 1):
        start = trio.current_time()
        options = {} if seconds == 3 else {"shutdown_timeout": 1.0}
        async with serving(EngineServer(hang), **options) as server:
            await server.connect()
        assert trio.current_time() - start == seconds


async def test_messages_are_made_for_reading(autojump_clock: Clock) -> None:
    """Also if nobody catches them: they say what they are."""
    async with serving(failing_server()) as server:
        ann = await server.connect()
        with pytest.raises(ExpectationFailed) as caught:
            await ann.receive("news", timeout=1.5)
    assert isinstance(caught.value, AssertionError)
    assert str(caught.value).startswith("no event 'news' came within 1.5 seconds\n  client ")
