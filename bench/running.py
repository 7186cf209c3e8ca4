"""Servers as processes, and the load that is put on them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.machine import busy_seconds, cpu_seconds, cpus, pinned
from bench.preparing import HERE, Workshop

Row = dict[str, Any]
"""What one slice came to."""

STARTS_WITHIN = 30.0
TERM_WAIT = 3.0


class DidNotStart(Exception):
    """A server does not listen."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody has at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class RunningServer:
    """A server in a process of its own. It can be stopped while others have their turn.

    Args:
        command: with ``{port}`` and the other places of ``Workshop.command``.

    Raises:
        DidNotStart: it ended, or did not listen in time.
    """

    def __init__(self, workshop: Workshop, label: str, command: str) -> None:
        self.label = label
        self.port = free_port()
        self._stopped = False
        log = workshop.folder / f"{''.join(c if c.isalnum() else '_' for c in label)}.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                workshop.command(command, self.port),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=workshop.environment(),
                preexec_fn=pinned(cpus()[0]),
            )
        self._wait_until_it_listens(log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def _wait_until_it_listens(self, log: Path) -> None:
        end = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    self.end()
                    raise DidNotStart(f"{self.label} did not start: see {log}") from None
                time.sleep(0.05)

    def settle(self, limit: float = 4.0) -> None:
        """Wait until it has done with the connections of the last load."""
        end = time.monotonic() + limit
        used = cpu_seconds(self.pid)
        while time.monotonic() < end:
            time.sleep(0.06)
            before, used = used, cpu_seconds(self.pid)
            if used - before < 0.002:
                return

    def park(self) -> None:
        """Stop it, so that its timers do not disturb others."""
        self.settle()
        self._process.send_signal(signal.SIGSTOP)
        self._stopped = True

    def wake(self) -> None:
        """Let it go on."""
        if self._stopped:
            self._process.send_signal(signal.SIGCONT)
            self._stopped = False

    def end(self) -> None:
        """End the process."""
        self.wake()
        self._process.terminate()
        try:
            self._process.wait(TERM_WAIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def load_command(workshop: Workshop, server: RunningServer, words: str, secure: bool) -> list[str]:
    """The command of the load generator; over TLS, that of its small brother."""
    program = [str(workshop.folder / "wsload")]
    if secure:
        script = str(HERE / "load" / "tlsload.py")
        program = [sys.executable, script, f"authority={workshop.authority}"]
    return [*program, f"port={server.port}", f"pid={server.pid}", *words.split()]


def put_load(
    workshop: Workshop,
    server: RunningServer,
    words: str,
    *,
    secure: bool = False,
    limit: float = 100.0,
) -> Row:
    """Load a server, and return what the generator says.

    ``foreign`` is how many CPUs somebody else used meanwhile; ``error`` what went wrong, if it did.
    """
    server.wake()
    busy, began, mine = busy_seconds(), time.monotonic(), cpu_seconds(server.pid)
    children = _cpu_of_children()
    with subprocess.Popen(
        load_command(workshop, server, words, secure),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=pinned(cpus()[1]),
    ) as generator:
        try:
            out, complaint = generator.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            generator.kill()
            out, complaint = generator.communicate()
    row = _last_json(out)
    if "error" in row and complaint.strip():
        row["error"] = complaint.strip().splitlines()[0]
    wall = time.monotonic() - began
    ours = cpu_seconds(server.pid) - mine + _cpu_of_children() - children
    foreign = busy_seconds() - busy - ours
    return {**row, "foreign": round(max(0.0, foreign) / wall, 3)}


def _cpu_of_children() -> float:
    """CPU time of child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _last_json(out: str) -> Row:
    lines = out.strip().splitlines()
    try:
        row: Row = json.loads(lines[-1])
    except (ValueError, IndexError):
        return {"error": "the load generator gave no answer"}
    if row.get("mismatch") or row.get("errors") or row.get("sent", 0) != row.get("counted", 0):
        row["error"] = f"{row.get('mismatch')} mismatches, {row.get('errors')} errors"
    return row
