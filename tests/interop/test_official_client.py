"""socket.io-client for Node against our server: see ``node/scenarios.mjs`` for what is asserted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.interop.conftest import RunningServer

    Run = Callable[[str, "RunningServer", str], None]
    Talk = Callable[[str, "RunningServer", str], AbstractContextManager[IO[str]]]
    Serve = Callable[..., "RunningServer"]

TRANSPORTS = ["default", "polling", "websocket"]


@pytest.mark.parametrize("transports", TRANSPORTS)
@pytest.mark.parametrize(
    "scenario",
    [
        "transports",
        "connect",
        "text",
        "binary",
        "acknowledgements",
        "namespaces",
        "rooms",
        "departures",
    ],
)
def test_scenario(scenario: str, transports: str, server: RunningServer, run_scenario: Run) -> None:
    run_scenario(scenario, server, transports)


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_three_heartbeats_at_rest(transports: str, serve: Serve, run_scenario: Run) -> None:
    server = serve(ping_interval=0.3, ping_timeout=0.5)
    run_scenario("heartbeats", server, transports)
    server.stop()


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_recovers_its_state(transports: str, serve: Serve, run_scenario: Run) -> None:
    server = serve(recovery=1)
    run_scenario("recovery", server, transports)
    server.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("transports", TRANSPORTS)
def test_reconnects_after_a_restart(
    transports: str, end: str, serve: Serve, scenario_process: Talk
) -> None:
    server = serve()
    with scenario_process("reconnection", server, transports) as lines:
        assert lines.readline() == "connected\n"
        if end == "stop":
            server.stop()
        else:
            server.kill()
        assert lines.readline() in {"transport close\n", "transport error\n"}
        server = serve(port=server.port)
    server.stop()


def test_nothing_is_lost_or_doubled_while_200_clients_upgrade(
    server: RunningServer, run_scenario: Run
) -> None:
    run_scenario("upgrades", server, "default")
