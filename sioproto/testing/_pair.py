"""Both machines in one process and in virtual time, with a network between them.

A driver has a contract with its machine about requests and WebSockets. :class:`Pair` is the driver
of both machines, so it also sees whether they keep their part.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf
from random import Random
from typing import Any, Generic, TypeVar

from sioproto._output import Event, Output
from sioproto.engineio import (
    ClientConfig,
    EngineClient,
    EngineServer,
    HttpAbort,
    HttpRead,
    HttpRequest,
    HttpRespond,
    ServerConfig,
    SessionUpgraded,
    WsAccept,
    WsClose,
    WsConnect,
    WsReject,
    WsSend,
)
from sioproto.socketio import ClientConfig as SocketClientConfig
from sioproto.socketio import ServerConfig as SocketServerConfig
from sioproto.socketio import SocketClient, SocketServer
from sioproto.testing._network import Fault, Network
from sioproto.testing._requests import Requests
from sioproto.testing._trace import Trace
from sioproto.testing._websockets import WebSockets
from sioproto.testing._world import ContractBroken, World

C = TypeVar("C", EngineClient, SocketClient)
S = TypeVar("S", "EngineServer[str]", "SocketServer[str]")

WALL_CLOCK = 1_700_000_000.0
"""What the wall clock of :func:`socket_pair` says at the beginning."""


class Pair(Generic[C, S]):
    """A client machine and a server machine, joined by a simulated network in virtual time.

    Everything that happens is a function of what the machines do, of the commands that they get,
    of ``network`` and of ``seed``. See :func:`engine_pair` and :func:`socket_pair`, which make
    machines whose ids and jitter can be foreseen.

    Args:
        client: the client machine.
        server: the server machine. Its tokens are names of connections, such as ``x1`` and ``w2``.
        network: what may happen on the way. Nothing goes wrong by default.
        seed: of all chance.
        trace: keeps what happens, if given.
    """

    def __init__(
        self,
        client: C,
        server: S,
        *,
        network: Network | None = None,
        seed: int = 0,
        trace: Trace | None = None,
    ) -> None:
        self.client: C = client
        self.server: S = server
        self.client_events: list[Event] = []
        """What the client told its application and nobody took out of here."""
        self.server_events: list[Event] = []
        """The same for the server."""
        self.on_client_event: Callable[[Event], object] = self.client_events.append
        """Called with each event of the client, while it is drained. May give commands."""
        self.on_server_event: Callable[[Event], object] = self.server_events.append
        """The same for the server."""
        self._world = World(network or Network(), seed, trace)
        self._requests = Requests(self._world, client, server)
        self._websockets = WebSockets(self._world, client, server)
        self._cores: tuple[tuple[str, Any], ...] = (("client", client), ("server", server))
        self._late = {"client": False, "server": False}

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._world.now

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What the network did wrong so far."""
        return tuple(self._world.faults)

    # Time

    def later(self, delay: float, call: Callable[[], object]) -> None:
        """Call a function after so many seconds. It may give commands to both machines."""
        self._world.later(delay, call)

    def run(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ContractBroken: a machine did not keep its part of the contract.
        """
        world, client, server = self._world, self.client, self.server
        end = world.now + seconds
        self._settle()
        while True:
            mine, theirs = client.next_deadline(), server.next_deadline()
            due = min(inf if mine is None else mine, inf if theirs is None else theirs)
            next_at = world.calendar.next()
            if min(due, next_at) > end:
                break
            world.now = max(world.now, min(due, next_at))
            if next_at <= due:
                world.calendar.take()()
            else:
                self._time_out()
            self._settle()
        world.now = end

    def _time_out(self) -> None:
        now = self._world.now
        for side, core in self._cores:
            deadline = core.next_deadline()
            if deadline is not None and deadline <= now:
                self._world.tell(side, core.handle_timeout)
                after = core.next_deadline()
                if after is not None and after <= now:
                    raise ContractBroken(f"{side}: handle_timeout did not do what was due")

    # What the network does

    @property
    def network(self) -> Network:
        """How the network behaves. May be replaced at any time."""
        return self._world.network

    @network.setter
    def network(self, network: Network) -> None:
        self._world.network = network

    def calm(self) -> None:
        """Let nothing go wrong from now on. What is broken stays so."""
        world = self._world
        world.network = replace(world.network, abort=0, refuse=0, cut=0, stall=0, duplicate=0)
        world.offline_until = -inf

    def outage(self, seconds: float) -> None:
        """Break every connection, and let nothing through for a while."""
        world = self._world
        world.outage_at, world.offline_until = world.now, world.now + seconds
        self._requests.break_all("outage")
        self._websockets.break_all("outage")

    def faults_of(self, sid: str) -> tuple[Fault, ...]:
        """What the network did wrong to a session.

        What ends an upgrade before the client has switched is not among it: polling goes on.
        """
        return self._world.faults_of(sid)

    # Drains and facts

    def _settle(self) -> None:
        """Drain both machines, unless a driver is late."""
        network, dice = self._world.network, self._world.dice
        if network.late:
            for side in self._late:
                if not self._late[side] and dice.happens(network.late):
                    self._late[side] = True
                    self.later(dice.uniform(0, network.late_by), partial(self._drain_late, side))
        while self._drain_client() or self._drain_server():
            pass

    def _drain_late(self, side: str) -> None:
        self._late[side] = False

    def _drain_client(self) -> bool:
        busy = False
        if not self._late["client"]:
            for out in self.client.outputs():
                busy = True
                if isinstance(out, Event):
                    self._world.record("client", "event", out)
                    if isinstance(out, SessionUpgraded):
                        self._websockets.switched(out.sid)
                    self.on_client_event(out)
                else:
                    self._world.record("client", "effect", out)
                    self._client_effect(out)
        return busy

    def _drain_server(self) -> bool:
        busy = False
        if not self._late["server"]:
            for out in self.server.outputs():
                busy = True
                if isinstance(out, Event):
                    self._world.record("server", "event", out)
                    self.on_server_event(out)
                else:
                    self._world.record("server", "effect", out)
                    self._server_effect(out)
        return busy

    def _client_effect(self, out: Output) -> None:
        match out:
            case HttpRequest():
                self._requests.send(out)
            case HttpAbort():
                self._requests.abort(out.exchange)
            case WsConnect():
                self._websockets.connect(out)
            case WsSend():
                self._websockets.send_up(out)
            case WsClose():
                self._websockets.close_client(out)
            case _:
                raise ContractBroken(f"client: unknown effect {out!r}")

    def _server_effect(self, out: Output) -> None:
        match out:
            case HttpRead():
                self._requests.read(out)
            case HttpRespond():
                self._requests.respond(out)
            case WsAccept():
                self._websockets.accept(out)
            case WsReject():
                self._websockets.reject(out)
            case WsSend():
                self._websockets.send_down(out)
            case WsClose():
                self._websockets.close_server(out)
            case _:
                raise ContractBroken(f"server: unknown effect {out!r}")


def _counter(prefix: str) -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"{prefix}{next(numbers)}"


def engine_pair(
    *,
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
    network: Network | None = None,
    seed: int = 0,
    trace: Trace | None = None,
) -> Pair[EngineClient, EngineServer[str]]:
    """An Engine.IO machine on each side."""
    return Pair(
        EngineClient(client, nonce=_counter("n")),
        EngineServer(server, new_sid=_counter("E")),
        network=network,
        seed=seed,
        trace=trace,
    )


def socket_pair(
    *,
    client: SocketClientConfig | None = None,
    client_engine: ClientConfig | None = None,
    server: SocketServerConfig | None = None,
    server_engine: ServerConfig | None = None,
    network: Network | None = None,
    seed: int = 0,
    trace: Trace | None = None,
) -> Pair[SocketClient, SocketServer[str]]:
    """A Socket.IO machine on each side. It is for the application to let sockets in:
    ``ConnectRequested`` is one of the events of the server."""
    return Pair(
        SocketClient(
            EngineClient(client_engine, nonce=_counter("n")), client, random=Random(seed).random
        ),
        SocketServer(
            EngineServer(server_engine, new_sid=_counter("E")),
            server,
            new_id=_counter("S"),
            wall_clock=lambda: WALL_CLOCK,
        ),
        network=network,
        seed=seed,
        trace=trace,
    )
