"""Figures out of rows: medians, spreads, and ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.running import Row
from bench.scenarios import NODE, F, R


@dataclass(frozen=True)
class Spread:
    """What repeated measurements came to."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread | None:
    """The spread of some values; None without any."""
    found = list(values)
    if not found:
        return None
    return Spread(statistics.median(found), min(found), max(found))


class Figures:
    """The rows of one run or of several."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def rows(self, scenario: str, server: str | None = None) -> list[Row]:
        """The rows of a scenario, or those of one server in it."""
        return [
            row
            for row in self._rows
            if row["scenario"] == scenario and server in (None, row.get("server"))
        ]

    def good(self, scenario: str, server: str) -> list[Row]:
        """The rows of slices in which nothing went wrong."""
        return [
            row
            for row in self.rows(scenario, server)
            if "error" not in row and (row.get("n") or "kib" in row)
        ]

    def values(self, scenario: str, server: str, name: str) -> list[float]:
        """One measure. Times and rates come from calm slices, if there are any."""
        good = self.good(scenario, server)
        if name in ("rate", "p50_us", "p99_us"):
            good = [row for row in good if row["calm"]] or good
        return [row[name] for row in good if name in row]

    def ratio(self, scenario: str, server: str, other: str, name: str) -> Spread | None:
        """How many times the other's measure the server's is, round by round."""
        others = {row["round"]: row[name] for row in self.good(scenario, other) if name in row}
        return spread(
            row[name] / others[row["round"]]
            for row in self.good(scenario, server)
            if others.get(row["round"])
        )

    def speed(self, scenario: str, server: str, other: str) -> Spread | None:
        """How many times as much the server does for a second of its CPU as the other does."""
        return self.ratio(scenario, other, server, "cpu_us")

    # Measurements without servers

    def codec(self, codec: str, name: str, operation: str) -> dict[int, float]:
        """Microseconds by round."""
        found = [row["row"] for row in self.rows("codec")]
        return {row[3]: row[4] / 1e3 for row in found if row[:3] == [codec, name, operation]}

    def codec_ratio(self, codec: str, name: str, operation: str) -> Spread | None:
        """How many times as long as the standard library's JSON alone a codec takes."""
        base = self.codec("json", name, operation)
        mine = self.codec(codec, name, operation)
        return spread(mine[number] / base[number] for number in mine if base.get(number))

    def core(self) -> dict[tuple[str, int], Spread]:
        """Microseconds each, by kind and amount of work in the core alone."""
        found: dict[tuple[str, int], list[float]] = {}
        for row in self.rows("core"):
            work, size, _, nanoseconds = row["row"]
            found.setdefault((work, size), []).append(nanoseconds / 1e3)
        return {key: Spread(statistics.median(v), min(v), max(v)) for key, v in found.items()}


COMPARED = {"R": R, "Node": NODE, "F": F}
"""Short names of those whom others are compared with."""
