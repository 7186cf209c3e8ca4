"""Clients and servers that talk through a bad network, and what has to hold whatever it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count, product
from random import Random
from typing import Any

import trio
import trio.testing

from sioproto import AckTimeout, ClosedError
from sioproto.engineio import ClientConfig as EngineClientConfig
from sioproto.engineio import ServerConfig as EngineConfig
from sioproto.socketio import ClientConfig, RecoveryConfig, ServerConfig
from sioproto.socketio._recovery import RECOVERABLE
from sioproto.trio import ClientSocket, Server, Socket, connect, serve
from tests.trio.proxy import Proxy, Weather
from tests.trio.support import MemoryListener
from tests.trio.witness import TO_ALL, Judge, Outbox, Witness, payload_of

ACK_TIMEOUT = 2.0
WINDOW = 20.0
"""How long sockets are kept that were cut off, and what they may have missed."""
SILENCE = 6.0
"""Within this time each side finds out that a connection is dead."""
CALM = 120.0
"""Within so many seconds of good weather everybody is connected, and has everything."""
TRANSPORTS = (("polling",), ("websocket",), ("polling", "websocket"))


@dataclass(frozen=True, slots=True)
class Kind:
    """What a client is like."""

    transports: tuple[str, ...]
    retries: int
    recovery: bool

    def __str__(self) -> str:
        words = ["+".join(self.transports)]
        words += [f"{self.retries} retries"] * (self.retries > 0) + ["recovery"] * self.recovery
        return ", ".join(words)


KINDS = tuple(Kind(*kind) for kind in product(TRANSPORTS, (0, 3), (False, True)))


class Side:
    """One server, and the witnesses of its clients."""

    def __init__(self, run: Run, recovery: bool) -> None:
        self._run = run
        self.outbox = Outbox()
        self.witnesses: dict[str, Witness] = {}
        self.path = "/recovering/" if recovery else "/socket.io/"
        self.io = Server(
            engine=EngineConfig(
                path=self.path,
                ping_interval=2.0,
                ping_timeout=3.0,
                upgrade_timeout=3.0,
                close_timeout=5.0,
            ),
            config=ServerConfig(
                recovery=RecoveryConfig(max_disconnection_duration=WINDOW) if recovery else None
            ),
        )
        self._recovery = recovery
        self._kept: set[str] = set()
        """Private ids of sockets that were cut off."""
        self._away: dict[str, float] = {}
        """Since when they were, by their ids."""
        self._here: dict[str, Socket] = {}
        self.io.on("connection")(self._connection)

    async def talk(self) -> None:
        """Emit to somebody, or to all, for ever."""
        random = self._run.random
        while True:
            await trio.sleep(random.expovariate(self._run.pace * len(self.witnesses)))
            if not self._run.talking:
                continue
            for id in [id for id, since in self._away.items() if trio.current_time() > since + 9]:
                del self._away[id]
            dice = random.random()
            everybody = [*self._here, *self._away]
            if dice < 0.1:
                self.emit_to_all()
            elif dice < 0.7 and everybody:
                id, number = random.choice(everybody), self._run.number()
                self.outbox.add(id, number, trio.current_time())
                self.io.to(id).emit("mail", id, number, payload_of(number))
            elif self._here:
                socket, number = random.choice(list(self._here.values())), self._run.number()
                if dice < 0.8:
                    # With text at the end, the client would take it for an offset (SIO-CSR-15).
                    socket.volatile.emit("fleeting", payload_of(number), number)
                else:
                    self._run.nursery.start_soon(self._ask, socket, number)

    def emit_to_all(self) -> int:
        """Emit to everybody."""
        number = self._run.number()
        self.outbox.add(TO_ALL, number, trio.current_time())
        self.io.emit("mail", TO_ALL, number, payload_of(number))
        return number

    async def _ask(self, socket: Socket, number: int) -> None:
        witness = self.witnesses[socket.data["client"]]
        try:
            await socket.request("question", number, payload_of(number), timeout=ACK_TIMEOUT)
        except (AckTimeout, ClosedError):
            return
        witness.answered(number)

    def _connection(self, socket: Socket) -> None:
        auth, visit = socket.handshake.auth, (socket.id, socket.sid)
        witness = self.witnesses[auth["client"]]
        socket.data["client"] = witness.name
        known = auth.get("pid") in self._kept
        self._kept.discard(auth.get("pid", ""))
        missed = trio.current_time() - witness.up_to
        if known and "offset" in auth and missed < WINDOW - 1:
            words = f"{witness.name} came back, having missed {missed:.1f} s, and is not known"
            self._run.judge.check(socket.recovered, words)
        self._here[socket.id] = socket
        self._away.pop(socket.id, None)

        @socket.on("event")
        def event(number: int, payload: Any) -> int:
            witness.arrives(number, payload, visit)
            return number

        @socket.on("disconnect")
        def disconnect(reason: str) -> None:
            if self._here.get(socket.id) is socket:
                del self._here[socket.id]
                if self._recovery and socket.pid is not None and reason in RECOVERABLE:
                    self._kept.add(socket.pid)
                    self._away[socket.id] = trio.current_time()


class Run:
    """Servers, clients of every kind, and what they say to each other.

    Args:
        seed: of all chance.
        clients: of each kind.
        pace: events per second and client, in each direction.
        weather: what the network is like.
    """

    def __init__(
        self, seed: int, *, clients: int = 1, pace: float = 8.0, weather: Weather | None = None
    ) -> None:
        self.random = Random(seed)
        self.clients = clients
        self.pace = pace
        self.weather = weather or Weather()
        self.judge = Judge()
        self.talking = True
        self.figures: Counter[str] = Counter()
        self.nursery: trio.Nursery
        self.sides = {recovery: Side(self, recovery) for recovery in (False, True)}
        self._numbers = count(1)
        self._over = trio.Event()
        self._sockets: dict[Witness, ClientSocket] = {}
        self._waiting = 0

    @property
    def size(self) -> int:
        """How many clients there are."""
        return len(KINDS) * self.clients

    def number(self) -> int:
        """The number of a new event."""
        return next(self._numbers)

    async def run(self, seconds: float, *, memory: bool) -> None:
        """Talk for so long, have some good weather, and judge.

        Args:
            seconds: how long.
            memory: no network, but streams in memory.

        Raises:
            AssertionError: something did not hold.
        """
        async with self._network(memory) as proxy, trio.open_nursery() as self.nursery:
            for kind, index in product(KINDS, range(self.clients)):
                side = self.sides[kind.recovery]
                name = f"{kind}, {index}"
                witness = Witness(name, kind.retries, ACK_TIMEOUT, side.outbox, self.judge)
                side.witnesses[name] = witness
                self.nursery.start_soon(self._client, kind, side, witness, proxy)
            for side in self.sides.values():
                self.nursery.start_soon(side.talk)
            self.nursery.start_soon(proxy.run_weather)
            await trio.sleep(seconds)
            self.talking = False
            proxy.clear_up()
            with trio.move_on_after(CALM) as patience:
                await self._settle()
            self.judge.check(not patience.cancelled_caught, f"not settled: {self._unsettled()}")
            if not patience.cancelled_caught:
                for witness, socket in self._sockets.items():
                    witness.judge(_visit(socket))
            self.figures.update(proxy.counts)
            self._over.set()
            with trio.move_on_after(CALM):
                await _until(lambda: not self._sockets)
            self.nursery.cancel_scope.cancel()
        for side in self.sides.values():
            for witness in side.witnesses.values():
                self.figures.update(witness.figures)
        assert not self.judge.failed, "\n".join([f"{self.judge.failed}:", *self.judge.failures])

    @asynccontextmanager
    async def _network(self, memory: bool) -> AsyncIterator[Proxy]:
        """Serve, behind a proxy."""
        memory_listener = MemoryListener()
        listeners: list[Any] = [memory_listener]
        if not memory:
            listeners = list(await trio.open_tcp_listeners(0, host="127.0.0.1"))

        async def open_server() -> trio.abc.Stream:
            if memory:
                return memory_listener.connect()
            return await trio.open_tcp_stream(*address)

        async with trio.open_nursery() as nursery:

            async def run(*, task_status: trio.TaskStatus[Any]) -> None:
                servers = [side.io for side in self.sides.values()]
                await serve(*servers, listeners=listeners, task_status=task_status)

            addresses = await nursery.start(run)
            address = addresses[0] if addresses else ("", 0)
            proxy = Proxy(self.random, self.weather, open_server)
            self._memory = memory
            if not memory:
                self._port = await nursery.start(_serve_tcp, proxy)
            yield proxy
            nursery.cancel_scope.cancel()

    async def _client(self, kind: Kind, side: Side, witness: Witness, proxy: Proxy) -> None:
        async def open_stream(host: str, port: int) -> trio.abc.Stream:
            if not self._memory:
                return await trio.open_tcp_stream("127.0.0.1", self._port)
            mine, its = trio.testing.memory_stream_pair()
            self.nursery.start_soon(proxy.serve, its)
            return mine

        client = connect(
            "http://test/",
            auth={"client": witness.name},
            engine=EngineClientConfig(
                path=side.path,
                transports=kind.transports,
                open_timeout=5.0,
                upgrade_timeout=3.0,
                post_timeout=5.0,
                close_timeout=2.0,
            ),
            config=ClientConfig(
                retries=kind.retries,
                ack_timeout=ACK_TIMEOUT,
                reconnection_delay=0.1,
                reconnection_delay_max=1.0,
            ),
            stream_factory=open_stream,
            retry=True,
            wait=False,
        )
        async with client as socket:
            self._sockets[witness] = socket
            self._listen(socket, witness)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._talk, socket, witness, nursery)
                await self._over.wait()
                nursery.cancel_scope.cancel()
        del self._sockets[witness]

    def _listen(self, socket: ClientSocket, witness: Witness) -> None:
        @socket.on_any_outgoing
        def outgoing(name: str, number: int, payload: Any) -> None:
            witness.sends(number, _visit(socket), trio.current_time())

        @socket.on("connect")
        def connect() -> None:
            witness.connects(socket.id, socket.recovered)

        @socket.on("mail")
        def mail(target: str, number: int, payload: Any) -> None:
            witness.receives(target, number, payload)

        @socket.on("fleeting")
        def fleeting(payload: Any, number: int) -> None:
            witness.hears(number, payload)

        @socket.on("question")
        def question(number: int, payload: Any) -> int:
            witness.hears(number, payload)
            return number

        @socket.on("connect_error")
        def connect_error(error: Exception) -> None:
            self.figures["failed attempts"] += 1
            good = socket.active or self._over.is_set()
            self.judge.check(good, f"{witness.name} has given up: {error!r}")

        @socket.on("disconnect")
        def disconnect(reason: str) -> None:
            self.judge.check(socket.active or self._over.is_set(), f"{witness.name}: {reason}")

        socket.manager.on("upgrade")(lambda: self.figures.update(upgrades=1))

    async def _talk(self, socket: ClientSocket, witness: Witness, nursery: trio.Nursery) -> None:
        # What is retried goes one at a time, however long that takes.
        bursts = self.pace / (8 if socket.client.config.retries else 2)
        while True:
            await trio.sleep(self.random.expovariate(bursts))
            if not self.talking:
                return
            for _ in range(self.random.choice((1, 1, 1, 5))):
                number, dice = self.number(), self.random.random()
                if dice < 0.4:
                    nursery.start_soon(self._ask, socket, witness, number)
                elif dice < 0.5:
                    witness.is_fleeting(number)
                    socket.volatile.emit("event", number, payload_of(number))
                else:
                    socket.emit("event", number, payload_of(number))

    async def _ask(self, socket: ClientSocket, witness: Witness, number: int) -> None:
        self._waiting += 1
        try:
            answer = await socket.request("event", number, payload_of(number))
            self.judge.check(answer == number, f"{number} is acknowledged by {answer!r}")
            witness.acknowledged(number)
        except (AckTimeout, ClosedError):
            pass
        finally:
            self._waiting -= 1

    async def _settle(self) -> None:
        """Wait until everybody has everything."""
        await _until(lambda: not self._unsettled())
        await trio.sleep(SILENCE)
        await _until(lambda: not self._unsettled())
        for side in self.sides.values():
            last = side.emit_to_all()
            for witness in side.witnesses.values():
                await _until(partial(witness.has_received, last))

    def _unsettled(self) -> list[str]:
        wrong = [
            f"{witness.name}: {socket!r} with {socket.waiting} events"
            for witness, socket in self._sockets.items()
            if not socket.connected or socket.waiting or socket.manager.core.engine.buffered
        ]
        return wrong + [f"{self._waiting} requests"] * (self._waiting > 0)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # much would have to set an event
        await trio.sleep(0.1)


def _visit(socket: ClientSocket) -> tuple[str | None, str | None]:
    return socket.id, socket.manager.core.engine.sid


async def _serve_tcp(
    proxy: Proxy, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    task_status.started(listener.socket.getsockname()[1])
    await trio.serve_listeners(proxy.serve, [listener])
