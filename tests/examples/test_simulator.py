"""The simulator: what it shows is what a network would, and the same seed shows the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator import Client, Setup, Simulation

from sioproto.engineio import ServerConfig
from tests.harness import PROGRAMS
from tests.project import ROOT

setups = st.builds(
    Setup,
    clients=st.integers(1, 12),
    websocket=st.booleans(),
    latency=st.floats(0.001, 0.5),
    bandwidth=st.floats(2_000, 1e6),
    interval=st.floats(0.2, 5),
    vanishing=st.sampled_from([0.0, 0.3, 1.0]),
    duration=st.floats(10, 60),
    seed=st.integers(0, 1000),
    config=st.builds(ServerConfig, ping_interval=st.floats(5, 15), ping_timeout=st.floats(5, 10)),
)


def finished(setup: Setup) -> Simulation:
    world = Simulation(setup)
    world.run()
    return world


def seen(world: Simulation) -> list[Any]:
    """All that can be told from outside."""
    return [
        world.requests,
        world.sent,
        world.closed,
        [(client.sid, client.times, client.delays) for client in world.clients],
    ]


@settings(max_examples=PROGRAMS // 4, deadline=None)
@given(setups)
def test_same_seed_gives_the_same_run(setup: Setup) -> None:
    assert seen(finished(setup)) == seen(finished(setup))


@settings(max_examples=PROGRAMS // 2, deadline=None)
@given(setups)
def test_everybody_gets_everything_once_and_in_order(setup: Setup) -> None:
    world = finished(setup)
    for client in world.clients:
        assert client.times == sorted(set(client.times))
        if client.sid and client.sid in world.open and not client.vanished and client.times:
            assert_complete(world, client)


def assert_complete(world: Simulation, client: Client) -> None:
    """From its first message on, a living client misses none but those that are on the way."""
    setup = world.setup
    number = round((client.times[-1] - client.times[0]) / setup.interval) + 1
    assert len(client.times) == number
    on_the_way = (setup.duration - client.times[-1]) / setup.interval
    # Over polling: the way back of the poll before, and two ways for the poll itself.
    slowest = 4 * client.latency + 3 * len(world.setup.message) * number / setup.bandwidth
    assert on_the_way <= 2 + slowest / setup.interval


@settings(max_examples=PROGRAMS // 2, deadline=None)
@given(setups)
def test_nothing_arrives_before_it_can(setup: Setup) -> None:
    world = finished(setup)
    for client in world.clients:
        way = client.latency + len(setup.message) / setup.bandwidth
        assert all(delay >= way * 0.999 for delay in client.delays)


@settings(max_examples=PROGRAMS // 2, deadline=None)
@given(setups)
def test_only_who_has_vanished_loses_its_session_and_that_in_time(setup: Setup) -> None:
    world = finished(setup)
    assert world.core.statistics().sessions == len(world.open)
    heartbeat = setup.config.ping_interval + setup.config.ping_timeout
    for client in world.clients:
        if client.sid in world.closed:
            ended, reason = world.closed[client.sid]
            assert (client.vanished, reason) == (True, "ping timeout")
            assert client.vanished_at < ended + client.latency
            assert ended <= client.vanished_at + heartbeat + 2 * client.latency + 0.001
        elif client.vanished and client.sid:
            assert setup.duration <= client.vanished_at + heartbeat + 2 * client.latency + 0.001


def test_polling_costs_requests_and_websocket_none() -> None:
    polling, websocket = (
        finished(Setup(clients=50, websocket=websocket, vanishing=0, duration=20))
        for websocket in (False, True)
    )
    assert polling.requests >= 50 * 19
    assert websocket.requests == 0
    assert sum(len(client.times) for client in polling.clients) == pytest.approx(50 * 19, rel=0.02)


def test_main_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    simulator.main(Setup(clients=20, duration=10))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["transport", "polling", "websocket"]


def test_example_imports_nothing_that_does_io() -> None:
    source = Path(ROOT / "examples/embeddings/simulator.py").read_text(encoding="utf-8")
    for name in ("socket", "time", "asyncio", "threading", "trio"):
        assert f"import {name}" not in source
