"""Our client, and the list of scenarios, against official servers of former major versions and
against python-socketio. test_scenarios_on_the_reference.py is about the official server of today.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.peers import HERE, Peer, runs_of
from tests.interop.test_scenarios import run_peer_against, run_peer_through_restart

if TYPE_CHECKING:
    from tests.interop.conftest import Run, RunningServer, Serve, Talk


@dataclass(frozen=True)
class Server:
    """A server, and our client as it is told to speak to it."""

    peer: Peer
    major: int | None = None
    """Of the official server; None for python-socketio."""


def our_client(server: str, revision: int) -> Peer:
    arguments = (f"--server={server}", f"--revision={revision}")
    return Peer(program="sioproto_client.py", arguments=arguments)


SERVERS = {
    "socket.io 2": Server(our_client("socket.io 2", 3), 2),
    "socket.io 3": Server(our_client("socket.io 3", 4), 3),
    "python-socketio": Server(our_client("python-socketio", 4)),
}


@pytest.fixture(scope="module", params=SERVERS)
def other(request: pytest.FixtureRequest) -> Server:
    """One server after the other."""
    return SERVERS[request.param]


@pytest.fixture(scope="module")
def serve_other(other: Server, start: Serve, serve_reference: Serve) -> Serve:
    """Start it with these options."""

    def serve(**options: Any) -> RunningServer:
        if other.major is not None:
            return serve_reference(major=other.major, **options)
        options.pop("recovery", None)  # it has none
        return start(sys.executable, str(HERE / "python_socketio_app.py"), **options)

    return serve


@pytest.fixture(scope="module")
def server(serve_other: Serve) -> Iterator[RunningServer]:
    running = serve_other()
    yield running
    running.stop()


@pytest.mark.parametrize(("_", "name", "transports"), runs_of("sioproto"))
def test_scenario(
    _: str,
    name: str,
    transports: str,
    other: Server,
    serve_other: Serve,
    server: RunningServer,
    run_scenario: Run,
) -> None:
    run_peer_against(serve_other, server, run_scenario, other.peer, name, transports)


@pytest.mark.parametrize(("_", "name", "transports"), runs_of("sioproto", interrupts=True))
def test_scenario_with_a_restart(
    _: str, name: str, transports: str, other: Server, serve_other: Serve, scenario_process: Talk
) -> None:
    run_peer_through_restart(serve_other, scenario_process, other.peer, name, transports)
