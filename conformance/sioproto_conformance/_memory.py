"""A network in memory, for servers that are judged in the process of the suite.

Together with a clock that jumps it takes no time to wait for what never comes, and no machine is
too busy to be on time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio
import trio.testing

from sioproto_conformance.peers.wire import Address

LATENCY = 0.001
"""Seconds that it takes to connect, and to send. Whatever goes round in circles takes time."""


class MemoryListener(trio.abc.Listener[trio.abc.Stream]):
    """Where a server listens; it refuses connections once it is closed."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[trio.abc.Stream](256)

    async def accept(self) -> trio.abc.Stream:
        """Wait for a connection."""
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise trio.ClosedResourceError from None

    async def aclose(self) -> None:
        """Take no further connections."""
        self._receive.close()
        await trio.lowlevel.checkpoint()

    async def connect(self) -> trio.abc.Stream:
        """Open a connection. Raises ``OSError`` if nobody listens."""
        await trio.sleep(LATENCY)
        client, server = trio.testing.memory_stream_pair()
        try:
            self._send.send_nowait(server)
        except trio.BrokenResourceError:
            raise ConnectionRefusedError("nobody listens") from None
        return trio.StapledStream(_Slow(client.send_stream), client.receive_stream)


class _Slow(trio.abc.SendStream):
    """The sending half of a client, which takes a moment each time."""

    def __init__(self, half: trio.abc.SendStream) -> None:
        self._half = half

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send, after the moment."""
        await trio.sleep(LATENCY)
        await self._half.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for nothing: there is no limit to what can be under way."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close."""
        await self._half.aclose()


@dataclass(frozen=True, slots=True)
class MemoryAddress(Address):
    """An address that nobody but this process can reach."""

    open: Callable[[], Awaitable[trio.abc.Stream]]

    async def connect(self) -> trio.abc.Stream:
        """Open a connection. Raises ``OSError`` if nobody listens."""
        return await self.open()
