"""The network in memory."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from sioproto_conformance._memory import LATENCY, MemoryAddress, MemoryListener
from sioproto_conformance.peers.wire import Gone, Transcript, Wire


def address(listener: MemoryListener) -> MemoryAddress:
    return MemoryAddress("memory", 80, False, listener.connect)


async def test_what_is_sent_arrives_after_a_moment(autojump_clock: trio.testing.MockClock) -> None:
    listener = MemoryListener()
    wire = await Wire.open(address(listener), "a", Transcript(), timeout=1.0)
    server = await listener.accept()
    assert trio.current_time() == pytest.approx(LATENCY)
    await wire.send(b"hello")
    assert trio.current_time() == pytest.approx(2 * LATENCY)
    assert await server.receive_some() == b"hello"
    await server.send_all(b"you")
    assert await wire.receive() == b"you"
    assert trio.current_time() == pytest.approx(2 * LATENCY)


async def test_either_side_sees_the_other_hang_up(autojump_clock: trio.testing.MockClock) -> None:
    listener = MemoryListener()
    wire = await Wire.open(address(listener), "a", Transcript(), timeout=1.0)
    server = await listener.accept()
    await wire.send_eof()
    assert await server.receive_some() == b""
    await server.send_all(b"late")
    assert await wire.receive() == b"late"
    await server.aclose()
    assert await wire.receive() == b""
    other = await Wire.open(address(listener), "b", Transcript(), timeout=1.0)
    server = await listener.accept()
    await other.reset()
    with pytest.raises(trio.BrokenResourceError):
        await server.send_all(b"nobody")


async def test_nobody_listens(autojump_clock: trio.testing.MockClock) -> None:
    listener = MemoryListener()
    await listener.aclose()
    with pytest.raises(Gone, match="nobody listens"):
        await Wire.open(address(listener), "a", Transcript(), timeout=1.0)
    with pytest.raises(trio.ClosedResourceError):
        await listener.accept()
