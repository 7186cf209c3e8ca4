"""The scenarios ask for what the reference does as well, not for ways of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.interop.peers import PEERS, runs_of
from tests.interop.test_scenarios import run_against, run_through_restart

if TYPE_CHECKING:
    from tests.interop.conftest import Run, RunningServer, Serve, Talk

# The page for a browser is served by our server alone.
PEERS_OF_REFERENCE = [peer for peer in PEERS if peer != "chromium"]


@pytest.mark.parametrize(
    ("peer", "name", "transports"), runs_of(*PEERS_OF_REFERENCE, transports=["default"])
)
def test_scenario(
    peer: str,
    name: str,
    transports: str,
    serve_reference: Serve,
    reference: RunningServer,
    run_scenario: Run,
) -> None:
    run_against(serve_reference, reference, run_scenario, peer, name, transports)


@pytest.mark.parametrize(
    ("peer", "name", "transports"),
    runs_of(*PEERS_OF_REFERENCE, transports=["default"], interrupts=True),
)
def test_scenario_with_a_restart(
    peer: str, name: str, transports: str, serve_reference: Serve, scenario_process: Talk
) -> None:
    run_through_restart(serve_reference, scenario_process, peer, name, transports)
