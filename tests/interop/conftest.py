"""Servers and peers, each in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO

import pytest

from tests.interop.peers import HERE, NODE_FOLDER, Peer, find_node

STOP_TIMEOUT = 10
# Above the guard of the scenarios themselves, which knows better what it waited for.
SCENARIO_TIMEOUT = 90


@dataclass
class RunningServer:
    """``app.py``, or ``reference.cjs``, in a process."""

    process: subprocess.Popen[str]
    url: str
    errors: IO[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        """End the server in order, and fail if it complains or is not gone in time."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_TIMEOUT)
        self.errors.seek(0)
        assert (code, self.errors.read()) == (0, "")

    def kill(self) -> None:
        """End the server without a word to its clients."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT)


Serve = Callable[..., RunningServer]
Run = Callable[[Peer, str, RunningServer, str], None]
Talk = Callable[[Peer, str, RunningServer, str], AbstractContextManager[IO[str]]]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start the server of a command line with options, e.g. ``port=0, ping_interval=0.3``."""
    started: list[RunningServer] = []

    def start(*command: str, **options: float) -> RunningServer:
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        path = tmp_path_factory.mktemp("server") / "stderr"
        errors = path.open("w+", encoding="utf-8")
        process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        process.stdout.close()
        if not line:
            process.wait(STOP_TIMEOUT)
            errors.close()
            pytest.fail(f"the server did not start:\n{path.read_text(encoding='utf-8')}")
        server = RunningServer(process, json.loads(line)["url"], errors)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()
        server.errors.close()


@pytest.fixture(scope="session")
def serve(start: Serve) -> Serve:
    """Start our server with these options."""
    return lambda **options: start(sys.executable, str(HERE / "app.py"), **options)


@pytest.fixture(scope="session")
def serve_reference(start: Serve) -> Serve:
    """Start the reference implementation with these options."""
    return lambda **options: start(find_node(), str(NODE_FOLDER / "reference.cjs"), **options)


@pytest.fixture(scope="session")
def server(serve: Serve) -> Iterator[RunningServer]:
    """One server for all scenarios that leave it running. It must still be well at the end."""
    running = serve()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def reference(serve_reference: Serve) -> Iterator[RunningServer]:
    running = serve_reference()
    yield running
    running.stop()


@pytest.fixture
def run_scenario() -> Run:
    """Run one scenario of a peer to its end, and fail with what it prints."""

    def run(peer: Peer, name: str, server: RunningServer, transports: str) -> None:
        result = subprocess.run(
            peer.command(name, server.url, transports),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SCENARIO_TIMEOUT,
            check=False,
        )
        if result.returncode != 0:
            pytest.fail(f"{name} over {transports}:\n{result.stdout}", pytrace=False)

    return run


@pytest.fixture
def scenario_process() -> Talk:
    """A context with a scenario that is talked to while it runs; it must succeed by the end."""

    @contextmanager
    def run(peer: Peer, name: str, server: RunningServer, transports: str) -> Iterator[IO[str]]:
        with subprocess.Popen(
            peer.command(name, server.url, transports),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                yield process.stdout
                rest = process.stdout.read()
                if process.wait(SCENARIO_TIMEOUT) != 0:
                    pytest.fail(f"{name} over {transports}:\n{rest}", pytrace=False)
            finally:
                process.kill()

    return run
