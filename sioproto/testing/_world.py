"""What both ends of a simulated network share: time, chance, wires and faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any
from urllib.parse import parse_qs

from sioproto.engineio import EngineClient, EngineServer
from sioproto.socketio import SocketClient, SocketServer
from sioproto.testing._network import Calendar, Dice, Fault, Network, Wire
from sioproto.testing._trace import Trace

Client = EngineClient | SocketClient
Server = EngineServer[str] | SocketServer[str]


class ContractBroken(AssertionError):
    """A machine did not keep its part of the contract with its driver."""


class World:
    """Time, chance, and the wires on which everything travels."""

    def __init__(self, network: Network, seed: int, trace: Trace | None) -> None:
        self.network = network
        self.trace = trace
        self.now = 0.0
        self.dice = Dice(seed)
        self.calendar = Calendar()
        self.faults: list[Fault] = []
        self.outage_at = self.offline_until = -inf
        self._hit: list[tuple[Wire, Fault]] = []

    @property
    def offline(self) -> bool:
        """Whether nothing can be reached."""
        return self.now < self.offline_until

    def later(self, delay: float, call: Callable[[], object]) -> None:
        """Call after so many seconds."""
        self.calendar.put(self.now + delay, call)

    # What happens

    def tell(self, side: str, fact: Callable[..., None], *told: Any, **more: Any) -> None:
        """State a fact."""
        if self.trace is not None:
            self.trace.fact(self.now, side, fact.__name__, *told, *more.values())
        fact(*told, **more, now=self.now)

    def faults_of(self, sid: str) -> tuple[Fault, ...]:
        """See :meth:`Pair.faults_of`."""
        return tuple(fault for wire, fault in self._hit if wire.sid == sid)

    def blame(self, wire: Wire, kind: str, hits: bool = True) -> None:
        """Write down what goes wrong on a wire, and whether it hits the session."""
        fault = Fault(self.now, kind, wire.name)
        self.faults.append(fault)
        if hits:
            self._hit.append((wire, fault))
        if self.trace is not None:
            self.trace.fault(self.now, kind, wire.name)

    def record(self, side: str, kind: str, out: object) -> None:
        """A machine put out an effect or an event."""
        if self.trace is not None:
            self.trace.output(self.now, side, kind, out)

    # Wires

    def wire(self, name: str, sid: str | None) -> Wire:
        """A new connection."""
        return Wire(name, sid, self.now, self.dice.uniform(*self.network.latency))

    def _delay(self, wire: Wire) -> float:
        network, dice = self.network, self.dice
        delay = wire.latency + network.jitter * dice.random()
        if dice.happens(network.stall):
            delay += dice.uniform(*network.stall_for)
            self.blame(wire, "stall")
        return delay

    def up(self, wire: Wire, call: Callable[[], None]) -> float:
        """Let something travel to the server, if the wire is whole when it arrives."""
        when = wire.up(self.now + self._delay(wire))
        self.calendar.put(when, partial(self._unless_broken, wire, call))
        return when

    def down(self, wire: Wire, call: Callable[[], None]) -> float:
        """Let something travel to the client."""
        when = wire.down(self.now + self._delay(wire))
        self.calendar.put(when, partial(self._unless_broken, wire, call))
        return when

    def broken(self, wire: Wire) -> bool:
        """Whether nothing arrives any more."""
        return wire.broken or wire.since < self.outage_at

    def _unless_broken(self, wire: Wire, call: Callable[[], None]) -> None:
        if not self.broken(wire):
            call()

    def soon(self, call: Callable[[], None]) -> None:
        """After about the time that something takes on the way."""
        self.later(self.dice.uniform(*self.network.latency), call)

    def learn(self, call: Callable[[], None]) -> None:
        """Tell an end of a connection that it broke, or not."""
        if not self.dice.happens(self.network.vanish):
            self.soon(call)


def sid_of(target: str) -> str | None:
    """The session that a request names; None if it names none."""
    found = parse_qs(target.partition("?")[2]).get("sid")
    return found[0] if found else None


def announced_sid(packet: str) -> str | None:
    """The session that an open packet announces; None if it is none."""
    if not packet.startswith("0{"):
        return None
    sid = json.loads(packet[1:])["sid"]
    return sid if isinstance(sid, str) else None
