"""The simulated network does what its fields say, and no more."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from sioproto.engineio import (
    ClientConfig,
    EngineServer,
    HttpRespond,
    MessageReceived,
    OpenFailed,
    SessionClosed,
    SessionUpgraded,
    UpgradeFailed,
)
from sioproto.testing import ContractBroken, Network, Pair, Trace, engine_pair

POLLING = ClientConfig(transports=("polling",))


def opened(seconds: float = 2.0, **options: Any) -> Pair[Any, Any]:
    pair = engine_pair(**options)
    pair.client.open(now=pair.now)
    pair.run(seconds)
    return pair


def kinds(pair: Pair[Any, Any]) -> list[str]:
    return [fault.kind for fault in pair.faults]


def test_nothing_goes_wrong_by_default() -> None:
    pair = opened(seconds=3600.0, seed=3)
    assert pair.faults == ()
    assert pair.client.sid is not None
    assert any(isinstance(event, SessionUpgraded) for event in pair.server_events)
    assert not any(isinstance(event, SessionClosed) for event in pair.server_events)


def test_what_travels_on_one_connection_keeps_its_order() -> None:
    pair = opened(seed=1, network=Network(latency=(0.1, 0.2), jitter=1.0))
    pair.run(10)
    for number in range(50):
        pair.later(number / 100, partial(pair.client.send, str(number)))
    pair.run(30)
    got = [event.data for event in pair.server_events if isinstance(event, MessageReceived)]
    assert got == [str(number) for number in range(50)]


def test_requests_overtake_each_other() -> None:
    overtaken = 0
    for seed in range(20):
        trace = Trace()
        opened(seed=seed, network=Network(latency=(0.01, 0.3)), trace=trace)
        words = [entry.text.split() for entry in trace.entries if entry.side == "server"]
        arrived = [word[1] for word in words if word[0] in ("http_request", "ws_connected")]
        overtaken += arrived != sorted(arrived, key=lambda name: int(name.strip("'xw")))
    assert overtaken > 5


@pytest.mark.parametrize("kind", ["abort", "refuse", "cut", "stall", "duplicate"])
def test_each_fault_happens_alone(kind: str) -> None:
    client = ClientConfig(transports=("websocket",)) if kind in ("refuse", "cut") else POLLING
    chances: dict[str, Any] = {kind: 1.0}
    pair = opened(60.0, seed=2, client=client, network=Network(**chances))
    assert kinds(pair)
    assert {*kinds(pair)} == {kind}
    assert all(str(fault.at) for fault in pair.faults)


def test_refused_websocket_ends_the_upgrade_and_hits_no_session() -> None:
    pair = opened(seed=1, network=Network(refuse=1.0))
    assert [type(event) for event in pair.client_events if isinstance(event, UpgradeFailed)]
    assert kinds(pair) == ["refuse"]
    assert pair.faults_of(pair.client.sid) == ()


def test_whoever_is_not_told_finds_out_by_time() -> None:
    pair = opened(seed=1, client=POLLING)
    pair.network = Network(vanish=1.0)
    pair.outage(1_000)
    pair.run(1)
    assert pair.client.sid is not None
    pair.run(60)
    assert pair.client.sid is None
    assert pair.server.statistics().sessions == 0


def test_outage_ends() -> None:
    pair = opened(seed=1)
    pair.outage(5)
    pair.run(1)
    assert pair.client.sid is None
    pair.client.open(now=pair.now)
    pair.run(1)
    assert isinstance(pair.client_events[-1], OpenFailed)
    pair.run(5)
    pair.client.open(now=pair.now)
    pair.run(1)
    assert pair.client.sid is not None


def test_calm_is_calm() -> None:
    pair = opened(seed=1, client=POLLING, network=Network(abort=0.5, stall=0.5))
    before = len(pair.faults)
    assert before
    pair.calm()
    pair.run(20)
    pair.outage(0)
    pair.client.open(now=pair.now) if pair.client.sid is None else None
    pair.run(60)
    assert {*kinds(pair)[before:]} <= {"outage"}


def test_machine_that_answers_twice_is_caught() -> None:
    class Twice(EngineServer[str]):
        def put(self, out: Any) -> None:
            super().put(out)
            if isinstance(out, HttpRespond):
                super().put(out)

    good = engine_pair()
    pair: Pair[Any, Any] = Pair(good.client, Twice(new_sid=lambda: "sid"))
    pair.client.open(now=0.0)
    with pytest.raises(ContractBroken, match="x1 is answered twice"):
        pair.run(1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency", 1.0),
        ("latency", (2.0, 1.0)),
        ("jitter", -1),
        ("abort", 1.5),
        ("cut", True),
        ("vanish", "often"),
        ("stall_for", (0.0, float("inf"))),
        ("late_by", float("nan")),
    ],
)
def test_networks_refuse_nonsense(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"Network.{field} must be"):
        Network(**{field: value})
