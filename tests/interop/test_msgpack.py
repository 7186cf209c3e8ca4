"""Clients that speak MessagePack: the official one, see ``node/msgpack.mjs``, and another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.interop.conftest import RunningServer

    Serve = Callable[..., "RunningServer"]

HERE = Path(__file__).parent


def run(*command: str) -> None:
    """Run a client to its end, and fail with what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("scenario", ["exchange", "recovery"])
def test_official_client(scenario: str, transport: str, serve: Serve) -> None:
    """SIO-MSGP-01, SIO-MSGP-03, SIO-MSGP-05, SIO-MSGP-06, SIO-CSR-03."""
    node = shutil.which("node")
    assert node is not None, "needs Node.js"
    server = serve(msgpack=1, recovery=int(scenario == "recovery"))
    run(node, str(HERE / "node" / "msgpack.mjs"), scenario, server.url, transport)
    server.stop()


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_python_socketio(transport: str, serve: Serve) -> None:
    server = serve(msgpack=1)
    run(sys.executable, str(HERE / "python_socketio_msgpack.py"), server.url, transport)
    server.stop()
