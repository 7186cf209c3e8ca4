"""Random programs for a client and a server that are joined: faults lose, and never double."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sioproto._output import Event
from sioproto.socketio import (
    ClientAckFailed,
    ClientAckReceived,
    ClientConnected,
    ClientDisconnected,
    ClientEventReceived,
    EventReceived,
    RecoveryConfig,
)
from tests.harness import PROGRAMS
from tests.joined import Joined, joined_sockets

FAULTS = ("cut", "offline", "online", "break newest websocket", "leave and come back")
CALM = ("emit", "emit binary", "emit volatile", "request", "say", "say more", "break candidate")
ACTIONS = (*CALM, *FAULTS)
PAUSES = (0.0, 0.004, 0.011, 0.03, 0.06, 0.12, 0.3, 1.1, 7.0, 31.0)

programs = st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(PAUSES)), max_size=60)
calm = st.lists(st.tuples(st.sampled_from(CALM), st.sampled_from(PAUSES)), max_size=60)


class Pairing:
    """One program at work."""

    def __init__(
        self,
        latency: tuple[float, float, float],
        revision: int = 4,
        *,
        engine: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.client, self.server, self.joined = joined_sockets(
            "/n",
            engine={"revision": revision, **(engine or {})},
            server_engine={
                "ping_interval": 5.0,
                "ping_timeout": 5.0,
                "noop_interval": 0.1,
                "allow_eio3": True,
            },
            **options,
        )
        joined: Joined = self.joined
        joined.latency, joined.http_latency, joined.connect_latency = latency
        accept = joined.on_server_event

        def on_server_event(event: Event) -> None:
            accept(event)
            if isinstance(event, EventReceived) and event.reply is not None:
                event.reply(*event.args)

        joined.on_server_event = on_server_event
        self.socket = self.client.of("/n")
        self.socket.connect(now=0.0)
        self.sent = 0
        self.said = 0
        self.requests: list[int] = []
        self.faults = 0

    def do(self, action: str) -> None:
        joined = self.joined
        if action in FAULTS:
            self.faults += 1
        if action.startswith("emit"):
            self.sent += 1
            emitter = self.socket.volatile if action.endswith("volatile") else self.socket
            if action.endswith("binary"):
                emitter.emit("n", self.sent, bytes((self.sent,)))
            else:
                emitter.emit("n", self.sent)
        elif action == "request":
            self.sent += 1
            request = self.socket.emit_with_ack("n", self.sent, timeout=3.0, now=joined.now)
            self.requests.append(request)
        elif action.startswith("say"):
            for _ in range(5 if action.endswith("more") else 1):
                self.said += 1
                self.server.of("/n").emit("s", self.said)
        elif action == "cut":
            joined.cut()
        elif action == "break newest websocket" and joined.connects:
            joined.break_websocket(joined.connects[-1].ws)
        elif action == "break candidate":
            if self.client.engine.transport == "polling" and joined.connects:
                joined.break_websocket(joined.connects[-1].ws)
        elif action == "leave and come back":
            self.socket.disconnect(now=joined.now)
            self.socket.connect(now=joined.now)
        else:
            joined.offline = action == "offline"

    def finish(self) -> None:
        """Faults are over: whatever happened, the client is back soon."""
        self.joined.offline = False
        self.joined.run(30.0)
        assert self.socket.connected
        engine = self.client.statistics().engine
        assert engine.exchanges <= 2  # a poll, and a pong under way
        assert engine.websockets <= 1
        assert engine.leaving == engine.buffered == 0
        assert self.client.statistics().timers <= 1 + 64 + 2
        assert self.server.statistics().connections == 1
        self.check_outcomes()

    def check_outcomes(self) -> None:
        """Each request has one outcome, and each disconnection follows a connection."""
        outcomes = [
            event.id
            for event in self.joined.events
            if isinstance(event, ClientAckReceived | ClientAckFailed)
        ]
        assert sorted(outcomes) == sorted(self.requests)
        states = [
            type(event)
            for event in self.joined.events
            if isinstance(event, ClientConnected | ClientDisconnected)
        ]
        assert states[::2] == [ClientConnected] * len(states[::2])
        assert states[1::2] == [ClientDisconnected] * len(states[1::2])

    @property
    def arrived(self) -> list[int]:
        """What the server heard."""
        events = [event for event in self.joined.server_events if isinstance(event, EventReceived)]
        return [event.args[0] for event in events]

    @property
    def arrived_at_each(self) -> dict[str, list[int]]:
        """What the server heard, by the id of the socket that heard it."""
        each: dict[str, list[int]] = {}
        for event in self.joined.server_events:
            if isinstance(event, EventReceived):
                each.setdefault(event.socket.id, []).append(event.args[0])
        return each

    @property
    def heard(self) -> list[int]:
        """What the client heard."""
        return [event.args[0] for event in self.joined.events_of(ClientEventReceived)]


# Of WebSockets, of requests, and of the opening of WebSockets.
revisions = st.sampled_from((4, 3))
latencies = st.tuples(*[st.sampled_from((0.0, 0.005, 0.08, 0.5))] * 3)


def run(pairing: Pairing, program: list[tuple[str, float]]) -> None:
    for action, pause in program:
        pairing.do(action)
        pairing.joined.run(pause)
    pairing.finish()


def ascending(numbers: list[int]) -> bool:
    return all(one < other for one, other in pairwise(numbers))


@pytest.mark.covers("SIO-CBUF-01", "SIO-CBUF-08", "SIO-REC-06")
@settings(max_examples=PROGRAMS)
@given(program=programs, latency=latencies, revision=revisions)
def test_whatever_breaks_nothing_is_doubled_or_reordered(
    program: list[tuple[str, float]], latency: tuple[float, float, float], revision: int
) -> None:
    """SIO-EVT-02, SIO-CBUF-01, SIO-CBUF-08, SIO-REC-06, EIO-HB-20, SIO-V4-06."""
    pairing = Pairing(latency, revision)
    run(pairing, program)
    assert len(set(pairing.arrived)) == len(pairing.arrived)
    assert len(set(pairing.heard)) == len(pairing.heard)
    # What was emitted before leaving is delivered in the background, on the old connection.
    if all(action != "leave and come back" for action, _ in program):
        assert ascending(pairing.arrived)
        assert ascending(pairing.heard)


@settings(max_examples=PROGRAMS)
@given(program=calm, latency=latencies, transport=st.integers(0, 2), revision=revisions)
def test_without_faults_everything_arrives(
    program: list[tuple[str, float]],
    latency: tuple[float, float, float],
    transport: int,
    revision: int,
) -> None:
    """Upgrades, failed ones too, and heartbeats are no faults. What is volatile may be dropped,
    and a request that waited too long for the socket to connect."""
    transports = [("polling", "websocket"), ("polling",), ("websocket",)][transport]
    pairing = Pairing(latency, revision, engine={"transports": transports})
    before = [action for action, _ in program if action[:2] in ("em", "re")]
    run(pairing, program)
    wanted = [n for n, action in enumerate(before, 1) if action not in ("emit volatile", "request")]
    assert [n for n in pairing.arrived if n in wanted] == wanted
    assert ascending(pairing.arrived)
    # What was said before the client was there is not for it.
    assert pairing.heard == list(range(pairing.said + 1 - len(pairing.heard), pairing.said + 1))


@pytest.mark.covers("SIO-CBUF-09")
@settings(max_examples=PROGRAMS)
@given(program=programs, latency=latencies, revision=revisions)
def test_retries_deliver_at_least_once_and_in_order(
    program: list[tuple[str, float]], latency: tuple[float, float, float], revision: int
) -> None:
    """SIO-CBUF-09: on each connection, repeats are of the newest alone.

    Not across connections: what was written before leaving may still be on its way on the old
    connection while the new one repeats it and goes on.
    """
    pairing = Pairing(latency, revision, retries=1_000, ack_timeout=1.0)
    program = [each for each in program if each[0] != "emit volatile"]
    run(pairing, program)
    first_seen = list(dict.fromkeys(pairing.arrived))
    assert first_seen == list(range(1, pairing.sent + 1))
    for arrived in pairing.arrived_at_each.values():
        assert all(one <= other for one, other in pairwise(arrived))


@pytest.mark.covers("SIO-CSR-12", "SIO-CSR-14")
@settings(max_examples=PROGRAMS)
@given(program=programs, latency=latencies)
def test_recovery_leaves_no_gap_and_doubles_nothing(
    program: list[tuple[str, float]], latency: tuple[float, float, float]
) -> None:
    """SIO-CSR-12, SIO-CSR-14: as long as each connection is recovered."""
    pairing = Pairing(latency, server={"recovery": RecoveryConfig()})
    program = [each for each in program if each[0] != "leave and come back"]
    while not pairing.socket.connected:
        pairing.joined.run(0.001)
    pairing.do("say")  # without an offset there is nothing to recover from
    pairing.joined.run(1.0)
    run(pairing, program)
    assert ascending(pairing.heard)
    connections = pairing.joined.events_of(ClientConnected)
    if all(event.recovered for event in connections[1:]):
        assert pairing.heard == list(range(1, pairing.said + 1))
