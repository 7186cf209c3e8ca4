"""Two people in two windows of a browser, in the chat of ``examples/chat``."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.interop.peers import NODE_FOLDER, find_chromium, find_node
from tests.project import ROOT

CHAT = ROOT / "examples" / "chat"
TIMEOUT = 60


def wait_for(port: int) -> None:
    """Wait until somebody listens there."""
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.05)
        else:
            return


def test_two_people_chat(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(CHAT / "server.py"), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().strip()
            wait_for(port)
            script = [find_node(), str(NODE_FOLDER / "chat.mjs"), find_chromium(), url]
            done = subprocess.run(
                [*script, str(tmp_path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=TIMEOUT,
                check=False,
            )
            assert done.returncode == 0, done.stdout
            assert server.poll() is None
        finally:
            server.kill()
    assert (tmp_path / "chat.png").stat().st_size > 1000
