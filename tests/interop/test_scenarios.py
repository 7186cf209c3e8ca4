"""Every peer runs the one list of scenarios, ``scenarios.toml``, against the server."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.interop.peers import (
    ALL_MAJORS,
    MAJORS,
    PEERS,
    SCENARIOS,
    TRANSPORTS,
    Peer,
    runs_of,
)

if TYPE_CHECKING:
    from tests.interop.conftest import Run, RunningServer, Serve, Talk

# What several peers can do with one server at the same time.
SHARED = [name for name, entry in SCENARIOS.items() if not {"alone", "interrupts"} & set(entry)]
# What the clients in Node, or in a browser, call the end of a connection that they did not end.
LOST = {"transport close\n", "transport error\n"}


def run_against(
    serve: Serve, shared: RunningServer, run_scenario: Run, peer: str, name: str, transports: str
) -> None:
    """Run a scenario against the shared server, or one of its own if it needs options."""
    run_peer_against(serve, shared, run_scenario, PEERS[peer], name, transports)


def run_peer_against(
    serve: Serve, shared: RunningServer, run_scenario: Run, peer: Peer, name: str, transports: str
) -> None:
    options = SCENARIOS[name].get("server")
    if options is None:
        run_scenario(peer, name, shared, transports)
    else:
        server = serve(**options)
        run_scenario(peer, name, server, transports)
        server.stop()


def run_through_restart(serve: Serve, talk: Talk, peer: str, name: str, transports: str) -> None:
    run_peer_through_restart(serve, talk, PEERS[peer], name, transports)


def run_peer_through_restart(
    serve: Serve, talk: Talk, peer: Peer, name: str, transports: str
) -> None:
    server = serve()
    with talk(peer, name, server, transports) as lines:
        assert lines.readline() == "connected\n"
        end = {"stop": server.stop, "kill": server.kill}[SCENARIOS[name]["interrupts"]]
        end()
        assert lines.readline() in LOST
        server = serve(port=server.port)
    server.stop()


@pytest.mark.parametrize(("peer", "name", "transports"), runs_of(*PEERS))
def test_scenario(
    peer: str, name: str, transports: str, serve: Serve, server: RunningServer, run_scenario: Run
) -> None:
    run_against(serve, server, run_scenario, peer, name, transports)


@pytest.mark.parametrize(("peer", "name", "transports"), runs_of(*PEERS, interrupts=True))
def test_scenario_with_a_restart(
    peer: str, name: str, transports: str, serve: Serve, scenario_process: Talk
) -> None:
    run_through_restart(serve, scenario_process, peer, name, transports)


@pytest.mark.parametrize("name", SHARED)
def test_three_major_versions_at_once_on_one_port(
    name: str, serve: Serve, scenario_process: Talk
) -> None:
    server = serve(**SCENARIOS[name].get("server", {}))
    with ExitStack() as running:
        for peer in MAJORS:
            running.enter_context(scenario_process(PEERS[peer], name, server, "default"))
    server.stop()


@pytest.mark.parametrize("transports", TRANSPORTS)
@pytest.mark.parametrize("name", ["rooms", "departures"])
def test_three_major_versions_meet_on_one_port(
    name: str, transports: str, server: RunningServer, run_scenario: Run
) -> None:
    run_scenario(ALL_MAJORS, name, server, transports)


def test_three_major_versions_upgrade_at_once_on_one_port(
    server: RunningServer, run_scenario: Run
) -> None:
    run_scenario(ALL_MAJORS, "upgrades", server, "default")
