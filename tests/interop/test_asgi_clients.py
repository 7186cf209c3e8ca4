"""The official client against the application under ASGI servers, in Node and in a browser."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.interop.peers import HERE, PEERS, SCENARIOS, runs_of

if TYPE_CHECKING:
    from tests.interop.conftest import Run, Serve

# Not 200 clients at once: that would be about the ASGI server, not about what it serves.
RUNS = [
    run
    for run in (*runs_of("chromium"), *runs_of("socket.io-client 4", transports=("default",)))
    if "upgrades" not in run.values
]


@pytest.mark.parametrize(("peer", "name", "transports"), RUNS)
@pytest.mark.parametrize("server_name", ["uvicorn", "hypercorn"])
def test_scenario_under_asgi(
    server_name: str, peer: str, name: str, transports: str, start: Serve, run_scenario: Run
) -> None:
    serve = partial(start, sys.executable, str(HERE / "asgi_app.py"), server_name)
    server = serve(**SCENARIOS[name].get("server", {}))
    run_scenario(PEERS[peer], name, server, transports)
    server.stop()
