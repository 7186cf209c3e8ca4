"""The next moment at which anything of many things is due.

A heap with lazy deletion. A thing is pushed only when its deadline moved *earlier* than the wake-up
that is already scheduled for it; a later deadline is discovered when the old wake-up comes. So a
heartbeat that is put off again and again costs nothing here.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Generic, Protocol, TypeVar


class Timed(Protocol):
    """Something with a deadline."""

    deadline: float
    """When it is due; ``inf`` if never. Written by its owner, who then calls ``moved``."""
    wake_at: float
    """When it will be looked at next. Written by :class:`Deadlines` alone; starts as ``inf``."""


T = TypeVar("T", bound=Timed)

SPARE = 64
"""So many superseded entries are always tolerated, so that a small heap is never rebuilt."""


class Deadlines(Generic[T]):
    """The deadlines of many things, of which most never come."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._order = count()  # things with equal deadlines come in the order they were armed
        self._live = 0

    def __len__(self) -> int:
        """How many entries the heap holds, superseded ones included."""
        return len(self._heap)

    def moved(self, thing: T) -> None:
        """``thing.deadline`` has changed."""
        if thing.deadline < thing.wake_at:
            if thing.wake_at == inf:
                self._live += 1
            thing.wake_at = thing.deadline
            heappush(self._heap, (thing.wake_at, next(self._order), thing))
            self._shrink()

    def forget(self, thing: T) -> None:
        """``thing`` is gone: its entries are dropped when they are met, or when they are many."""
        if thing.wake_at != inf:
            self._live -= 1
        thing.deadline = thing.wake_at = inf
        self._shrink()

    def _shrink(self) -> None:
        if len(self._heap) > 2 * self._live + SPARE:
            self._heap = [entry for entry in self._heap if entry[0] == entry[2].wake_at]
            heapify(self._heap)

    def next(self) -> float | None:
        """The earliest wake-up, which may be earlier than the earliest deadline, never later."""
        heap = self._heap
        while heap and heap[0][0] != heap[0][2].wake_at:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> T | None:
        """Take the next thing whose deadline has come. Its owner then moves the deadline on."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, thing = heappop(heap)
            if when != thing.wake_at:
                continue
            thing.wake_at = inf
            self._live -= 1
            if thing.deadline <= now:
                return thing
            self.moved(thing)
        return None
