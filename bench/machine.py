"""What the machine says about processes: their CPU time, their memory, and what else runs."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

QUIET = 0.12
"""The machine is quiet while less than so many CPUs are in use."""


def cpus() -> tuple[int, int]:
    """The CPU of servers, and that of what puts load on them.

    Raises:
        RuntimeError: this process may use only one.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise RuntimeError("The bench needs two CPUs: one for servers, one for the load.")
    return usable[0], usable[1]


def pinned(cpu: int) -> Callable[[], None]:
    """What a child process calls first in order to stay on one CPU."""
    return lambda: os.sched_setaffinity(0, {cpu})


def busy_seconds() -> float:
    """CPU time that everybody has used since the machine was started, steal included."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    ticks = [int(field) for field in fields]
    idle, waiting = ticks[3:5]
    return (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process in all its threads; 0 once it has gone."""
    total = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    except OSError:
        return 0.0
    return total / 1e9


def private_kib(pid: int) -> int:
    """Memory that a process shares with nobody."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(
        int(line.split()[1])
        for line in lines
        if line.startswith(("Private_Clean:", "Private_Dirty:"))
    )


def wait_until_quiet(limit: float) -> None:
    """Wait until hardly anything runs, at most so many seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        busy, began = busy_seconds(), time.monotonic()
        time.sleep(0.2)
        if (busy_seconds() - busy) / (time.monotonic() - began) < QUIET:
            return


def description() -> str:
    """What this machine is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{models[0] if models else platform.machine()}, {system}"
