"""python-socketio's client against our server: see ``python_socketio_client.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.interop.conftest import RunningServer

SCRIPT = Path(__file__).parent / "python_socketio_client.py"


@pytest.mark.parametrize("transports", ["default", "polling", "websocket"])
def test_python_socketio(transports: str, server: RunningServer) -> None:
    command = [sys.executable, str(SCRIPT), server.url, transports]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
