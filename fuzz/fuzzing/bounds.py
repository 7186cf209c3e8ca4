"""What an input may cost: lines of code, and memory.

Both are counted, not timed, so the same input costs the same on every machine. What the library
leaves to C (regular expressions, slices, the scanner of JSON) is one line, however long it takes;
it shows in memory, and in :func:`growth`, which takes the processor's time at two sizes.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

OURS = "/sioproto/"


class TooExpensive(AssertionError):
    """An input costs more than its length allows."""


@dataclass(frozen=True)
class Cost:
    """What one input cost."""

    operations: int
    """Lines of the library's own code that were run, and calls."""
    memory: int
    """Most bytes that were held at once."""


@dataclass(frozen=True)
class Budget:
    """Most that an input may cost: so much at once, and so much for each of its bytes."""

    operations: float
    """For each byte."""
    memory: float
    """For each byte."""
    first_operations: int = 500
    first_memory: int = 60_000

    def check(self, size: int, cost: Cost) -> None:
        """Raise ``TooExpensive``, if it is."""
        operations = self.first_operations + self.operations * size
        memory = self.first_memory + self.memory * size
        if cost.operations > operations:
            raise TooExpensive(
                f"{cost.operations} operations for {size} bytes, at most {operations:.0f}"
            )
        if cost.memory > memory:
            raise TooExpensive(f"{cost.memory} bytes for {size} bytes, at most {memory:.0f}")


def measure(call: Callable[[], Any]) -> Cost:
    """Call something and count."""
    operations = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal operations
        if event == "call" and OURS not in frame.f_code.co_filename:
            return None
        if event in ("call", "line"):
            operations += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return Cost(operations, memory_of(call))


def memory_of(call: Callable[[], Any]) -> int:
    """Most bytes that a call holds at once."""
    running = tracemalloc.is_tracing()
    if not running:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        held, _ = tracemalloc.get_traced_memory()
        call()
        return tracemalloc.get_traced_memory()[1] - held
    finally:
        if not running:
            tracemalloc.stop()


FAST = 3e-8
"""Seconds a byte that say nothing: at this pace it is the memory that takes time, not the work."""


def growth(call: Callable[[bytes], Any], made: Callable[[int], bytes], size: int) -> float:
    """How much longer an input of eight times the size takes: 8 if time is linear, 64 if it is
    quadratic.

    The least of several tries counts. The size is doubled until it takes long enough to be timed.
    0 if it takes next to no time whatever the size.
    """
    while (short := _seconds(call, made(size))) < 0.0003 and size < 40_000:
        size *= 2
    long = _seconds(call, made(8 * size))
    return 0.0 if long < FAST * 8 * size else long / max(short, 1e-5)


def _seconds(call: Callable[[bytes], Any], data: bytes) -> float:
    taken = []
    for _ in range(2):
        began = time.process_time()
        call(data)
        taken.append(time.process_time() - began)
    return min(taken)
