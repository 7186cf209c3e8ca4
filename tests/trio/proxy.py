"""A network that is bad on purpose: it delays, stalls and cuts what passes through, by chance."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from socket import SO_LINGER, SOL_SOCKET

import trio

TROUBLE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
SIZES = (500, 1_400, 65_536)
"""How much a connection takes at once: each has one of these."""
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How bad the network is. Times are seconds."""

    delay: float = 0.01
    """Mean delay of a piece of data, one in three being delayed."""
    life: float = 8.0
    """Mean time until the next thing happens to a connection."""
    stall: float = 3.0
    """Longest time that nothing passes, and then goes on as if nothing had been."""
    hang: float = 15.0
    """How long nothing passes before such a connection is cut: longer than anybody waits."""
    refused: float = 0.03
    """Share of connections that end when they begin."""
    calm: float = 30.0
    """Mean time from one outage to the next."""
    outage: float = 3.0
    """Longest time that every connection is refused. All that there are are cut when it begins."""


class Gate:
    """One way through a connection."""

    def __init__(self) -> None:
        self._open: trio.Event | None = None
        self.last: int | None = None
        """So many bytes still pass; None for no such limit."""

    def shut(self) -> None:
        """Let nothing pass."""
        if self._open is None:
            self._open = trio.Event()

    def open(self) -> None:
        """Let everything pass."""
        if self._open is not None:
            self._open.set()
            self._open = None

    @property
    def obstructed(self) -> bool:
        """Whether not everything passes."""
        return self._open is not None or self.last is not None

    async def wait(self) -> None:
        """Wait until something can pass."""
        while self._open is not None:
            await self._open.wait()


class Proxy:
    """Stands between clients and a server.

    Args:
        random: all chance comes from it.
        weather: how bad it is.
        open_server: opens a connection to the server.
    """

    def __init__(
        self,
        random: Random,
        weather: Weather,
        open_server: Callable[[], Awaitable[trio.abc.Stream]],
    ) -> None:
        self.random = random
        self.weather = weather
        self.open_server = open_server
        self.bad = True
        self.counts: Counter[str] = Counter()
        """What has happened, and how often."""
        self._offline = False
        self._links: dict[Link, None] = {}

    async def serve(self, client: trio.abc.Stream) -> None:
        """Serve one connection, until its end."""
        self.counts["connections"] += 1
        if self.bad and (self._offline or self.random.random() < self.weather.refused):
            self.counts["refused"] += 1
            await _reset(client)
            return
        try:
            server = await self.open_server()
        except OSError:
            await _reset(client)
            return
        link = Link(self, client, server)
        self._links[link] = None
        try:
            await link.run()
        finally:
            del self._links[link]

    async def run_weather(self) -> None:
        """Have outages, for ever."""
        while True:
            await trio.sleep(self.random.expovariate(1 / self.weather.calm))
            if self.bad:
                self.counts["outages"] += 1
                self._offline = True
                for link in self._links:
                    link.cut()
            await trio.sleep(self.random.uniform(0.1, self.weather.outage))
            self._offline = False

    def clear_up(self) -> None:
        """From now on nothing bad happens. What something bad is happening to is cut."""
        self.bad = False
        for link in self._links:
            if link.obstructed:
                link.cut()


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: trio.abc.Stream, server: trio.abc.Stream) -> None:
        self._proxy = proxy
        self._random = proxy.random
        self._client = client
        self._server = server
        self._up = Gate()
        self._down = Gate()
        self._size = self._random.choice(SIZES)
        self._life = trio.CancelScope()

    @property
    def obstructed(self) -> bool:
        """Whether not everything passes."""
        return self._up.obstructed or self._down.obstructed

    def cut(self) -> None:
        """End it now, and lose what is on the way."""
        self._life.cancel()

    async def run(self) -> None:
        """Carry what comes, until the end."""
        try:
            with self._life:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._suffer)
                    async with trio.open_nursery() as ways:
                        ways.start_soon(self._carry, self._client, self._server, self._up)
                        ways.start_soon(self._carry, self._server, self._client, self._down)
                    nursery.cancel_scope.cancel()
        finally:
            end = self._random.choice((_reset, trio.aclose_forcefully))
            for stream in (self._client, self._server):
                await end(stream)

    async def _carry(self, source: trio.abc.Stream, sink: trio.abc.Stream, gate: Gate) -> None:
        try:
            while data := bytes(await source.receive_some(self._size)):
                if self._proxy.bad and self._random.random() < 1 / 3:
                    await trio.sleep(self._random.expovariate(1 / self._proxy.weather.delay))
                await gate.wait()
                if gate.last is not None:
                    await sink.send_all(data[: gate.last])
                    self.cut()
                await sink.send_all(data)
            await gate.wait()
            assert isinstance(sink, trio.abc.HalfCloseableStream)
            await sink.send_eof()
        except TROUBLE:
            self.cut()

    async def _suffer(self) -> None:
        while True:
            await trio.sleep(self._random.expovariate(1 / self._proxy.weather.life))
            if self._proxy.bad:
                await self._random.choice((self._lose, self._tear, self._stall, self._hang))()

    async def _lose(self) -> None:
        self._proxy.counts["cut"] += 1
        self.cut()

    async def _tear(self) -> None:
        """Cut within the next piece of data."""
        self._proxy.counts["cut"] += 1
        for gate in self._some_ways():
            gate.last = self._random.randrange(60)

    async def _stall(self) -> None:
        self._proxy.counts["stalls"] += 1
        ways = self._some_ways()
        for gate in ways:
            gate.shut()
        await trio.sleep(self._random.uniform(0.1, self._proxy.weather.stall))
        for gate in ways:
            gate.open()

    async def _hang(self) -> None:
        self._proxy.counts["hangs"] += 1
        for gate in self._some_ways():
            gate.shut()
        await trio.sleep(self._proxy.weather.hang)
        self.cut()

    def _some_ways(self) -> tuple[Gate, ...]:
        return self._random.choice(((self._up,), (self._down,), (self._up, self._down)))


async def _reset(stream: trio.abc.Stream) -> None:
    """Close it like a machine that knows nothing of the connection."""
    if isinstance(stream, trio.SocketStream):
        stream.setsockopt(SOL_SOCKET, SO_LINGER, RESET)
    await trio.aclose_forcefully(stream)
