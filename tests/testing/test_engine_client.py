"""The Engine.IO client in memory."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from sioproto import ClosedError, ConnectionFailed, ConnectionRefused
from sioproto._errors import LocalProtocolError
from sioproto.engineio import CloseReason, Request
from sioproto.testing.trio import ExpectationFailed, serving
from sioproto.trio import EngineServer, Session

Clock = trio.testing.MockClock


async def echo(session: Session) -> None:
    """Send back whatever comes, until told to stop."""
    async for data in session:
        if data == "stop":
            return
        session.send(data)


async def test_messages() -> None:
    async with serving(EngineServer(echo)) as server:
        async with server.connect() as ann:
            for good in ("hello", b"\x00\xff", "", b""):
                ann.send(good)
                assert await ann.receive() == good
            await ann.receive_nothing()
            for data in (1, "\ud800"):
                with pytest.raises(LocalProtocolError):
                    ann.send(data)  # type: ignore[arg-type]  # what is tested
        assert (ann.connected, ann.reason) == (False, "forced close")
        with pytest.raises(ClosedError):
            ann.send("too late")


async def test_the_session_is_that_of_the_handler() -> None:
    """Ended by either side."""
    app = EngineServer(echo)
    async with serving(app) as server:
        ann = await server.connect(query={"a": "b"}, address="192.0.2.1", headers={"X-Y": "z"})
        bob = await server.connect()
        assert list(app.sessions.values()) == [ann.session, bob.session]
        assert ann.session.sid == ann.sid
        assert ann.session.request.address == "192.0.2.1"
        assert ann.session.request.header("x-y") == "z"
        assert "a=b" in ann.session.request.target
        await ann.send("stop")
        with pytest.raises(ExpectationFailed, match=r'the server says "forced close"\n'):
            await ann.receive()
        assert await ann.wait_disconnected() == "transport close"
        assert ann.session.close_reason is CloseReason.FORCED_CLOSE
        bob.disconnect()
        bob.disconnect()
        await server.settle()
        assert bob.session.close_reason is CloseReason.TRANSPORT_CLOSE
        assert not app.sessions


async def test_lost_and_silent_clients(autojump_clock: Clock) -> None:
    async with serving(EngineServer(echo)) as server:
        lost, silent = await server.connect(), await server.connect(answer_pings=False)
        lost.lose()
        await server.settle()
        assert lost.session.close_reason is CloseReason.TRANSPORT_CLOSE
        await silent.wait_disconnected(timeout=100)
        assert silent.session.close_reason is CloseReason.PING_TIMEOUT
        assert trio.current_time() == 45


async def test_bounds(autojump_clock: Clock) -> None:
    async with serving(EngineServer(echo), timeout=2) as server:
        ann = await server.connect()
        ann.send("x")
        with pytest.raises(ExpectationFailed, match=r"^'x' came"):
            await ann.receive_nothing()
        assert await ann.receive() == "x"
        with pytest.raises(ExpectationFailed) as caught:
            await ann.receive()
        assert trio.current_time() == 2
        assert str(caught.value).splitlines() == [
            "no message came within 2 seconds",
            f"  session {ann.sid} is connected",
            "  received so far, the latest last:",
            "    'x'",
        ]


async def test_refused() -> None:
    def allow(request: Request) -> None:
        raise ConnectionRefused("not you")

    async with serving(EngineServer(echo, allow_request=allow)) as server:
        with pytest.raises(ConnectionFailed, match="not you"):
            await server.connect()


async def test_a_session_that_is_closed_at_once() -> None:
    async def close(session: Session) -> None:
        session.send("bye")

    async with serving(EngineServer(close)) as server:
        ann = await server.connect()
        assert await ann.receive() == "bye"
        assert ann.session.close_reason is CloseReason.FORCED_CLOSE
