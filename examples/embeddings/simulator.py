"""A discrete-event simulator: a server and many clients, without any I/O, in virtual time.

    python examples/embeddings/simulator.py

shows what broadcasts to a thousand clients cost over polling and over WebSocket. Time is a number
that jumps from event to event; the network is a latency and a bandwidth; a client that vanishes
just stops. The core does not know the difference: it gets the facts that it would get, and the same
seed always gives the same run.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from sioproto import ClosedError
from sioproto import engineio as eio

PATH = "/engine.io/?EIO=4&transport="


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is simulated. Times are seconds."""

    clients: int = 1000
    websocket: bool = True
    """Over WebSocket, not over polling."""
    latency: float = 0.05
    """One way; that of each client lies between half and double of it."""
    bandwidth: float = 100_000
    """Of each client, in bytes a second."""
    interval: float = 1.0
    """Between two broadcasts."""
    message: str = "x" * 100
    vanishing: float = 0.1
    """The share of the clients that stop at some time, without a word."""
    duration: float = 120.0
    seed: int = 0
    config: eio.ServerConfig = field(default_factory=eio.ServerConfig)


class Simulation:
    """The world: a clock, what is to happen, a server, and its clients."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.now = 0.0
        self.chance = random.Random(setup.seed)
        self.order = itertools.count()
        self.agenda: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        sids = (f"session-{number}" for number in itertools.count(1))
        self.core: eio.EngineServer[Any] = eio.EngineServer(
            setup.config, new_sid=lambda: next(sids)
        )
        self.alarm = inf
        self.requests = 0
        self.sent = 0
        self.open: dict[str, None] = {}
        self.closed: dict[str, tuple[float, str]] = {}
        self.clients = [Client(self, number) for number in range(setup.clients)]

    def run(self) -> None:
        """Let everything happen, in order."""
        for client in self.clients:
            self.at(self.chance.uniform(0, self.setup.interval), client.begin)
            if self.chance.random() < self.setup.vanishing:
                self.at(self.chance.uniform(0, self.setup.duration), client.vanish)
        self.at(self.setup.interval, self.broadcast)
        while self.agenda and self.agenda[0][0] <= self.setup.duration:
            self.now, _, happen, args = heapq.heappop(self.agenda)
            happen(*args)

    def at(self, delay: float, happen: Callable[..., None], *args: Any) -> None:
        """Put something on the agenda."""
        heapq.heappush(self.agenda, (self.now + delay, next(self.order), happen, args))

    def call(self, fact: Callable[..., None], *args: Any) -> None:
        """State a fact, carry out what follows from it, and come back for what is due later."""
        fact(*args, now=self.now)
        for out in self.core.outputs():
            match out:
                case eio.HttpRead():
                    self.at(0, self.call, self.core.http_body, out.exchange, out.exchange.body)
                case eio.HttpRespond():
                    out.exchange.client.receive_soon(out.body.split(b"\x1e"), out.exchange)
                case eio.WsSend():
                    taken = out.ws.receive_soon([frame.payload for frame in out.frames])
                    self.at(taken, self.call_for, out.ws, self.core.ws_sent)
                case eio.WsClose():
                    self.at(0, self.call, self.core.ws_closed, out.ws)
                    out.ws.retired = True
                case eio.SessionOpened():
                    self.open[out.sid] = None
                case eio.SessionClosed():
                    del self.open[out.sid]
                    self.closed[out.sid] = self.now, str(out.reason)
        deadline = self.core.next_deadline()
        if deadline is not None and deadline < self.alarm:
            self.alarm = deadline
            self.at(max(0, deadline - self.now), self.timeout)

    def timeout(self) -> None:
        """The earliest deadline has come. If it was moved, nothing is due, which does no harm."""
        self.alarm = inf
        self.call(self.core.handle_timeout)

    def call_for(self, client: Client, fact: Callable[..., None], *args: Any) -> None:
        """State a fact about a WebSocket, unless it has ended or been cut off meanwhile."""
        if not client.retired and not client.vanished:
            self.call(fact, client, *args)

    def broadcast(self) -> None:
        """The application: the same message to everybody, again and again."""
        self.sent += 1
        for sid in self.open:
            with suppress(ClosedError):  # it is about to end
                self.core.send(sid, f"{self.now!r} {self.setup.message}")
        self.call(self.core.handle_timeout)
        self.at(self.setup.interval, self.broadcast)


class Request:
    """The token of a request."""

    def __init__(self, client: Client, body: bytes | None) -> None:
        self.client = client
        self.body = body


class Client:
    """A client, and the token of its WebSocket."""

    def __init__(self, world: Simulation, number: int) -> None:
        self.world = world
        self.number = number
        setup = world.setup
        self.latency = world.chance.uniform(setup.latency / 2, setup.latency * 2)
        self.sid = ""
        self.vanished = False
        self.vanished_at = 0.0
        self.retired = False
        self.busy_until = 0.0
        self.delays: list[float] = []
        self.times: list[float] = []

    def begin(self) -> None:
        """Connect."""
        if self.world.setup.websocket:
            request = eio.Request(method="GET", target=f"{PATH}websocket")
            core = self.world.core
            self.world.at(self.latency, self.world.call, core.ws_connected, self, request)
        else:
            self.ask("GET")

    def vanish(self) -> None:
        """Stop, without a word."""
        self.vanished = True
        self.vanished_at = self.world.now

    def ask(self, method: str, body: bytes | None = None) -> None:
        """Send a request."""
        self.world.requests += 1
        target = f"{PATH}polling&sid={self.sid}" if self.sid else f"{PATH}polling"
        request = eio.Request(method=method, target=target)
        fact = self.world.core.http_request
        self.world.at(self.latency, self.world.call, fact, Request(self, body), request)

    def receive_soon(self, packets: list[Any], answered: Request | None = None) -> float:
        """Receive after the way here. Returns how long it takes to put everything on the wire."""
        size = sum(map(len, packets))
        began = max(self.world.now, self.busy_until)
        self.busy_until = began + size / self.world.setup.bandwidth
        rest = self.busy_until - self.world.now
        self.world.at(rest + self.latency, self.receive, packets, answered)
        return rest

    def receive(self, packets: list[Any], answered: Request | None) -> None:
        """Do what a client does."""
        if self.vanished:
            return
        for packet in packets:
            text = packet.decode() if isinstance(packet, bytes) else packet
            if text.startswith("0{"):
                self.sid = json.loads(text[1:])["sid"]
            elif text == "2" and self.world.setup.websocket:
                core = self.world.core
                self.world.at(self.latency, self.world.call_for, self, core.ws_text, "3")
            elif text == "2":
                self.ask("POST", b"3")
            elif text.startswith("4"):
                sent = float(text[1:].partition(" ")[0])
                self.times.append(sent)
                self.delays.append(self.world.now - sent)
        if answered is not None and answered.body is None:
            self.ask("GET")


def main(setup: Setup | None = None) -> None:
    """Compare the transports."""
    print("transport  delivered  median delay  slowest  requests  ended by heartbeat")
    for websocket in (False, True):
        world = Simulation(replace(setup or Setup(), websocket=websocket))
        world.run()
        delays = sorted(delay for client in world.clients for delay in client.delays)
        print(
            f"{'websocket' if websocket else 'polling':9}  {len(delays):9}"
            f"  {delays[len(delays) // 2] * 1000:9.0f} ms  {delays[-1] * 1000:4.0f} ms"
            f"  {world.requests:8}  {len(world.closed):18}"
        )


if __name__ == "__main__":
    main()
