"""The simulated network: what it may do to what travels on it, and the wires that it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from heapq import heappop, heappush
from math import inf
from random import Random

from sioproto._config import check_config

Call = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """How a network behaves. Times are seconds, pairs of times a range, chances from 0 to 1.

    The default has latency and does nothing wrong. Each connection has a latency of its own, so
    what travels on different ones may change its order; what travels on one never does.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    latency: tuple[float, float] = (0.005, 0.05)
    """From one end of a connection to the other. Chosen for each connection."""
    jitter: float = 0.01
    """Most that is added for each message."""
    abort: float = 0.0
    """Chance that a request's connection breaks, whatever of it has been transferred."""
    abort_within: float = 1.0
    """When a connection that breaks does so, counted from its beginning."""
    refuse: float = 0.0
    """Chance that a WebSocket cannot be opened."""
    cut: float = 0.0
    """Chance that a WebSocket is cut."""
    cut_within: float = 10.0
    """When a WebSocket that is cut is so, counted from its beginning."""
    vanish: float = 0.0
    """Chance that an end of a broken connection is not told that it broke."""
    stall: float = 0.0
    """Chance of each message to be held up, and what follows it on the same connection."""
    stall_for: tuple[float, float] = (1.0, 20.0)
    """How long."""
    duplicate: float = 0.0
    """Chance that something on the way repeats a GET. Nobody gets the answer to the second."""
    late: float = 0.0
    """Chance that a driver does not drain its machine at once."""
    late_by: float = 0.2
    """Most that it waits then."""

    def __post_init__(self) -> None:
        chances = ("abort", "refuse", "cut", "vanish", "stall", "duplicate", "late")
        ranges = ("latency", "stall_for")
        wrong: dict[str, tuple[bool, str]] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in chances:
                wrong[field.name] = (_is_time(value) and value <= 1, "a chance from 0 to 1")
            elif field.name in ranges:
                right = isinstance(value, tuple) and len(value) == 2 and all(map(_is_time, value))
                wrong[field.name] = (right and value[0] <= value[1], "a range of seconds")
            else:
                wrong[field.name] = (_is_time(value), "seconds")
        check_config(self, **wrong)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < inf


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that the network did wrong."""

    at: float
    """Seconds."""
    kind: str
    """``abort``, ``refuse``, ``cut``, ``stall``, ``duplicate`` or ``outage``."""
    connection: str
    """Name of the connection, as in the trace."""


class Calendar:
    """What will happen, in order of time, and then in the order in which it was arranged."""

    __slots__ = ("_entries", "_order")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Call]] = []
        self._order = 0

    def put(self, when: float, call: Call) -> None:
        """Arrange a call."""
        self._order += 1
        heappush(self._entries, (when, self._order, call))

    def next(self) -> float:
        """When the next call is; infinity if there is none."""
        return self._entries[0][0] if self._entries else inf

    def take(self) -> Call:
        """Take the next call."""
        return heappop(self._entries)[2]


class Wire:
    """One connection: two directions, in each of which order is kept."""

    __slots__ = ("_down_at", "_up_at", "broken", "latency", "name", "sid", "since")

    def __init__(self, name: str, sid: str | None, since: float, latency: float) -> None:
        self.name = name
        self.sid = sid
        """The session that it belongs to, as soon as that can be known."""
        self.since = since
        self.latency = latency
        self.broken = False
        self._up_at = self._down_at = 0.0

    def up(self, when: float) -> float:
        """When something arrives at the server that could arrive then at the earliest."""
        self._up_at = max(self._up_at, when)
        return self._up_at

    def down(self, when: float) -> float:
        """When something arrives at the client that could arrive then at the earliest."""
        self._down_at = max(self._down_at, when)
        return self._down_at


class Dice:
    """All that is left to chance, from one seed."""

    __slots__ = ("_random", "random", "uniform")

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.random = self._random.random
        self.uniform = self._random.uniform

    def happens(self, chance: float) -> bool:
        """Whether something with this chance does. Nothing is thrown if it cannot."""
        return chance > 0 and self.random() < chance
