"""The scenarios ask for what the reference does as well, not for ways of our own. And our client
is at home there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.peers import PEERS, runs_of
from tests.interop.test_scenarios import run_against, run_through_restart

if TYPE_CHECKING:
    from tests.interop.conftest import Run, RunningServer, Serve, Talk

# The page for a browser is served by our server alone.
OURS = ("sioproto", "sioproto of revision 3")
PEERS_OF_REFERENCE = [peer for peer in PEERS if peer not in ("chromium", *OURS)]


def runs(*, interrupts: bool = False) -> list[Any]:
    """What is run: our own client has more to show here than those of others."""
    return [
        *runs_of(*PEERS_OF_REFERENCE, interrupts=interrupts, transports=["default"]),
        *runs_of(*OURS, interrupts=interrupts),
    ]


@pytest.mark.parametrize(("peer", "name", "transports"), runs())
def test_scenario(
    peer: str,
    name: str,
    transports: str,
    serve_reference: Serve,
    reference: RunningServer,
    run_scenario: Run,
) -> None:
    run_against(serve_reference, reference, run_scenario, peer, name, transports)


@pytest.mark.parametrize(("peer", "name", "transports"), runs(interrupts=True))
def test_scenario_with_a_restart(
    peer: str, name: str, transports: str, serve_reference: Serve, scenario_process: Talk
) -> None:
    run_through_restart(serve_reference, scenario_process, peer, name, transports)
