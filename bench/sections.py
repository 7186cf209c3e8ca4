"""Driving: which server has its turn at which work, and what came of it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.machine import cpus, pinned, private_kib, wait_until_quiet
from bench.preparing import HERE, Workshop
from bench.running import Row, RunningServer, load_command, put_load
from bench.scenarios import CEILING, NODE, Scenario, Server

CALM = 0.10
"""A slice is calm if others used less than so many CPUs meanwhile."""
AGAIN = 0.5
"""From so many on, it is repeated once."""


@dataclass(frozen=True)
class Plan:
    """How much of everything there is."""

    rounds: int
    warm: float
    seconds: float
    patience: float
    """How long to wait for a quiet machine before a slice."""
    codec_rounds: int
    codec_slice_ms: int
    core_rounds: int
    memory_rounds: int
    connections: int
    """How many idle ones memory is measured with."""
    budget: float
    """Seconds for all of it."""


QUICK = Plan(1, 0.15, 0.3, 0.0, 5, 5, 1, 1, 500, 160.0)
FULL = Plan(9, 0.2, 0.6, 0.6, 11, 20, 3, 2, 2_000, 840.0)
MEMORY_SHARE = 0.12
SECURE_SHARE = 0.08


@dataclass
class Bench:
    """One run.

    ``rows`` has what every slice came to, ``notes`` what a reader has to know besides.
    """

    workshop: Workshop
    plan: Plan
    log: Callable[[str], None]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Seconds that are left."""
        return self.plan.budget - (time.monotonic() - self.began)

    # Servers under load

    def slices(
        self, servers: Sequence[Server], scenarios: Sequence[Scenario], until: float
    ) -> None:
        """Give every server its turn at every scenario, in an order that is drawn anew each time.

        All are up, and stopped but for the one whose turn it is. It ends when no more than
        ``until`` seconds are left.
        """
        with ExitStack() as stack:
            running = {}
            for server in servers:
                running[server.label] = stack.enter_context(
                    RunningServer(self.workshop, server.label, server.command)
                )
                self._warm_up(running[server.label])
            self._turns(servers, running, scenarios, until)

    def _warm_up(self, server: RunningServer) -> None:
        seconds = 0.8 if server.label == NODE else 0.2  # its compiler takes its time
        put_load(self.workshop, server, f"mode=echo conns=50 warm=0.1 secs={seconds}")
        server.park()

    def secure_slices(self, servers: Iterable[Server], scenario: Scenario, until: float) -> None:
        """The same over TLS, for those who speak it."""
        able = [server for server in servers if server.secure_command]
        with ExitStack() as stack:
            running = {}
            for server in able:
                running[server.label] = stack.enter_context(
                    RunningServer(self.workshop, f"{server.label} TLS", server.secure_command)
                )
                running[server.label].label = server.label
                running[server.label].park()
            self._turns(able, running, [scenario], until)

    def _turns(
        self,
        servers: Sequence[Server],
        running: dict[str, RunningServer],
        scenarios: Sequence[Scenario],
        until: float,
    ) -> None:
        for number in range(self.plan.rounds):
            for scenario in scenarios:
                for server in random.sample(servers, len(servers)):
                    if self.left() < until:
                        self.notes.append(f"{scenario.name}: time was up in round {number + 1}")
                        return
                    if number % server.every or number % scenario.every:
                        continue
                    if scenario.name in server.cannot:
                        continue
                    row = self._slice(scenario, running[server.label])
                    self._add({**row, "round": number})
                    running[server.label].park()

    def _slice(self, scenario: Scenario, server: RunningServer) -> Row:
        """One slice, and once more if something else used much of the machine or it failed."""
        words = f"{scenario.load} warm={self.plan.warm} secs={self.plan.seconds}"
        best: Row = {}
        for _ in range(2):
            wait_until_quiet(self.plan.patience)
            row = put_load(self.workshop, server, words, secure=scenario.secure)
            server.settle()
            better = row["foreign"] < best.get("foreign", 0.0) and "error" not in row
            if not best or "error" in best or better:
                best = row
            if best["foreign"] <= AGAIN and "error" not in best:
                break
        calm = best["foreign"] <= CALM
        return {**best, "scenario": scenario.name, "server": server.label, "calm": calm}

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        figures = row.get("error") or ", ".join(
            f"{name} {row[name]:,.1f}"
            for name in ("cpu_us", "rate", "p50_us", "kib")
            if name in row
        )
        what = f"{row['scenario']:10} {row['server']:28}"
        self.log(f"{self.left():4.0f} s left, round {row['round'] + 1}: {what} {figures}")

    # Memory

    def memory(self, servers: Sequence[Server]) -> None:
        """What an idle connection takes of the server's own memory."""
        for number in range(self.plan.memory_rounds):
            for server in random.sample(servers, len(servers)):
                if self.left() < 5:
                    self.notes.append(f"memory: time was up in round {number + 1}")
                    return
                row: Row = {"scenario": "memory", "server": server.label, "round": number}
                with RunningServer(self.workshop, server.label, server.command) as running:
                    self._add({**row, **self._hold(running)})

    def _hold(self, server: RunningServer) -> Row:
        # Whatever is loaded or allocated once has to be there before.
        put_load(self.workshop, server, "mode=connect conns=16 window=16 warm=0.1 secs=0.3")
        server.settle()
        before = private_kib(server.pid)
        words = f"mode=hold conns={self.plan.connections} secs=40"
        with subprocess.Popen(
            load_command(self.workshop, server, words, secure=False),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pinned(cpus()[1]),
        ) as holder:
            assert holder.stdin is not None
            assert holder.stdout is not None
            ready = holder.stdout.readline()
            server.settle()
            after = private_kib(server.pid)
            holder.stdin.close()
        if not ready.startswith("READY"):
            return {"error": "the connections did not open"}
        return {"kib": (after - before) / self.plan.connections, "total_mib": after / 1024}

    # Without servers

    def micro(self, name: str, *arguments: object) -> None:
        """Run a measurement that needs no server, in a process of its own."""
        wait_until_quiet(self.plan.patience)
        command = [sys.executable, "-m", f"bench.micro.{name}", *map(str, arguments)]
        done = subprocess.run(
            command,
            cwd=HERE.parent,
            env=self.workshop.environment(),
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
            preexec_fn=pinned(cpus()[0]),
        )
        if done.returncode != 0:
            self.notes.append(f"{name}: FAILED")
            return
        self.rows += [{"scenario": name, "row": row} for row in json.loads(done.stdout)]
        self.log(f"{self.left():4.0f} s left: {name} done")

    # All of it

    def measure(self, scenarios: Sequence[Scenario], servers: Sequence[Server]) -> None:
        """Measure all that was asked for. Interrupted, it leaves what there is until then."""
        try:
            self._measure(scenarios, servers)
        except KeyboardInterrupt:
            self.notes.append("interrupted: what was measured until then")

    def _measure(self, scenarios: Sequence[Scenario], servers: Sequence[Server]) -> None:
        plain = [scenario for scenario in scenarios if not scenario.secure]
        secure = [scenario for scenario in scenarios if scenario.secure]
        self.micro("codec", self.plan.codec_rounds, self.plan.codec_slice_ms)
        self.micro("core", self.plan.core_rounds)
        reserved = self.plan.budget * MEMORY_SHARE
        if plain:
            until = reserved + self.plan.budget * SECURE_SHARE * len(secure)
            self.slices(servers, plain, until)
        for scenario in secure:
            self.secure_slices(servers, scenario, reserved)
        if scenarios:
            self.memory([server for server in servers if server.label != CEILING])
