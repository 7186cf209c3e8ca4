"""Mixed load on a server in a process of its own, for as long as one likes.

It comes in rounds: everybody comes, works and leaves, and then nothing may be left of them. What
each kind of work costs is measured first, so that the load is a share of what the server can do.
"""

from __future__ import annotations

import json
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

import sioproto.trio
from bench.machine import cpus, pinned, private_kib
from bench.preparing import Workshop
from sioproto.engineio import ClientConfig

ROUND = 50.0
"""Most seconds of a round; the load generator accepts no more than 60."""
WARM = 0.5
SERVER = Path(__file__).parents[1] / "bench" / "servers" / "own.py"


@dataclass(frozen=True)
class Kind:
    """A kind of work, in the words of the load generator, and its share of the server's CPU."""

    name: str
    words: str
    share: float
    open_loop: str = ""
    """The words at a given rate, if they differ."""
    fan_out: int = 1
    """What is counted is so many times what is begun."""


KINDS = (
    Kind("echo", "mode=echo conns=100", 0.35, open_loop="mode=rate conns=100"),
    Kind("events", "mode=events conns=50 batch=16", 0.15),
    Kind("broadcast", "mode=bcast conns=100 room=100 window=2", 0.15, fan_out=100),
    Kind("connect", "mode=connect conns=16 window=16", 0.2, open_loop="mode=connect conns=64"),
    Kind("polling", "mode=poll conns=50", 0.15),
)


class ServerProcess:
    """The server of the bench, and what it says of itself."""

    def __init__(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port: int = listener.getsockname()[1]
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), str(self.port)], preexec_fn=pinned(cpus()[0])
        )
        self.pid = self._process.pid
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    self.end()
                    raise
                time.sleep(0.05)

    def end(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def statistics(self) -> dict[str, int]:
        """What it holds, the connection that asks included, and its memory in KiB."""

        async def ask() -> dict[str, int]:
            url = f"http://127.0.0.1:{self.port}"
            # By WebSocket alone: an upgrade on its way would have tasks of its own.
            engine = ClientConfig(transports=("websocket",))
            async with sioproto.trio.connect(url, engine=engine) as client:
                answer: dict[str, int] = await client.request("statistics", timeout=20)
            return answer

        return {**trio.run(ask), "kib": private_kib(self.pid)}


@dataclass
class Load:
    """The whole run.

    Args:
        workshop: where the load generator is.
        share: how much of the server's CPU the load is to take.
    """

    workshop: Workshop
    share: float
    server: ServerProcess = field(default_factory=ServerProcess)
    costs: dict[str, float] = field(default_factory=dict)
    """Seconds of the server's CPU for one of each kind."""
    rounds: list[dict[str, dict[str, Any]]] = field(default_factory=list)
    kept: list[dict[str, int]] = field(default_factory=list)
    """What the server held after each round."""
    failed: list[str] = field(default_factory=list)

    def run(self, minutes: float) -> None:
        """Measure what there is to share, then load the server for so long."""
        self.calibrate()
        left = minutes * 60
        while left > 0:
            self.round(min(ROUND, left))
            left -= ROUND

    def calibrate(self) -> None:
        """Learn what each kind of work costs."""
        for kind in KINDS:
            row = self._generate([kind.words, f"warm={WARM}", "secs=3"])
            self._check(kind, row)
            self.costs[kind.name] = row.get("cpu_us", 0.0) / 1e6
        self._settle()
        self.kept.append(self.server.statistics())

    def round(self, seconds: float) -> None:
        """Let all kinds of clients work at once, each in a process of its own, and leave."""

        def generate(kind: Kind) -> dict[str, Any]:
            words = kind.open_loop or kind.words
            return self._generate(
                [words, f"rate={self.rate(kind):.2f}", f"warm={WARM}", f"secs={seconds}"]
            )

        with ThreadPoolExecutor(len(KINDS)) as pool:
            rows = dict(zip(KINDS, pool.map(generate, KINDS), strict=True))
        for kind, row in rows.items():
            self._check(kind, row)
        self.rounds.append({kind.name: row for kind, row in rows.items()})
        self._settle()
        self.kept.append(self.server.statistics())

    def rate(self, kind: Kind) -> float:
        """How much of a kind is begun in a second."""
        cost = self.costs[kind.name] * kind.fan_out
        return max(1.0, self.share * kind.share / cost) if cost else 1.0

    def _generate(self, words: Sequence[str]) -> dict[str, Any]:
        command = [str(self.workshop.folder / "wsload")]
        command += [f"port={self.server.port}", f"pid={self.server.pid}"]
        command += [word for part in words for word in part.split()]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, preexec_fn=pinned(cpus()[1])
        )
        return result_of(done.stdout, done.stderr, done.returncode)

    def _check(self, kind: Kind, row: dict[str, Any]) -> None:
        if complaint := wrong_with(row):
            self.failed.append(f"{kind.name}: {complaint}")

    def _settle(self) -> None:
        """Let the server notice that everybody has left."""
        end = time.monotonic() + 10
        while time.monotonic() < end and self.server.statistics()["sessions"] > 1:
            time.sleep(0.2)

    def judge(self) -> None:
        """Look whether something stayed or grew."""
        self.failed += grown(self.kept)

    def summary(self) -> str:
        """What was done, and how fast."""
        parts = []
        for kind in KINDS:
            rows = [round[kind.name] for round in self.rounds if "rate" in round[kind.name]]
            if not rows:
                continue
            done = sum(row["n"] for row in rows)
            rate = statistics.median(row["rate"] for row in rows)
            wanted = self.rate(kind) * kind.fan_out
            text = f"{done:,} {kind.name} at {rate:,.0f}/s of {wanted:,.0f}/s wanted"
            if worst := max(row["p99_us"] for row in rows):
                middle = statistics.median(row["p99_us"] for row in rows)
                text += f" (p99 {middle / 1e3:.1f} ms, in the worst round {worst / 1e3:.1f} ms)"
            parts.append(text)
        used = [row["srv_util"] for round in self.rounds for row in round.values() if "n" in row]
        busy = statistics.median(used) if used else 0.0
        return f"{', '.join(parts)}; the server's CPU {busy:.0%} busy"


def result_of(out: str, complaint: str, status: int) -> dict[str, Any]:
    """What the load generator said; ``error`` if it failed."""
    lines = out.strip().splitlines()
    try:
        row: dict[str, Any] = json.loads(lines[-1])
    except (ValueError, IndexError):
        row = {"error": f"no answer, status {status}"}
    if complaint.strip():
        row["error"] = complaint.strip().splitlines()[0]
    return row


def wrong_with(row: dict[str, Any]) -> str:
    """What is wrong with what the load generator counted."""
    if "error" in row:
        return str(row["error"])
    if row["errors"] or row["mismatch"]:
        return f"{row['errors']} errors, {row['mismatch']} wrong answers"
    if row.get("sent") != row.get("counted"):
        return f"{row['sent']} events sent, {row['counted']} arrived"
    if not row["n"]:
        return "nothing was done"
    return ""


MEMORY_NOISE_KIB = 2_048
"""What the allocator may keep or give back between two rounds."""


def grown(kept: Sequence[dict[str, int]]) -> list[str]:
    """What was left behind after rounds, or grew from the second to the last."""
    found = [
        f"{state['sessions'] - 1} sessions, {state['sockets'] - 1} sockets after round {number}"
        for number, state in enumerate(kept)
        if (state["sessions"], state["sockets"]) != (1, 1)
    ]
    if len(kept) < 3:
        return found
    first, last = kept[1], kept[-1]
    if last["tasks"] > first["tasks"]:
        found.append(f"from {first['tasks']} tasks to {last['tasks']}")
    if last["kib"] - first["kib"] > MEMORY_NOISE_KIB:
        found.append(f"from {first['kib']:,} KiB to {last['kib']:,}")
    return found
