"""What all schedules have in common: a seed, a network, and the table of reasons.

A schedule is one run of two joined machines. Its seed decides what the network does, how both sides
are configured, and when the applications command what. :meth:`Schedule.run` raises an
``AssertionError`` if a property does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

from sioproto.testing import Network

ROOT = Path(__file__).parent.parent.parent
CHANCES = (0.0, 0.0, 0.0, 0.05, 0.3)


def table_of_reasons() -> dict[tuple[str, str], None]:
    """The pairs that docs/reasons.md publishes: of the server's and of the client's reason."""
    text = (ROOT / "docs" / "reasons.md").read_text().partition("## On both sides")[2]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", text, re.MULTILINE)
    return {
        (server, client): None
        for server, clients in rows
        for client in re.findall(r"`([^`]+)`", clients)
    }


REASONS = table_of_reasons()


class Schedule:
    """One run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random = Random(seed)
        most = random.choice((0.005, 0.05, 0.2))
        self.faulty = random.random() < 0.6
        self.span = random.choice((1.0, 4.0, 20.0))
        """Seconds in which things happen."""

        def chance() -> float:
            return random.choice(CHANCES) if self.faulty else 0.0

        self.network = Network(
            latency=(0.001, most),
            jitter=random.choice((0.0, most / 2)),
            abort=chance() / 4,
            abort_within=random.choice((0.3, 3.0)),
            refuse=random.choice(CHANCES),
            cut=random.choice(CHANCES),
            cut_within=random.choice((4 * most, 4 * most, self.span)),
            vanish=random.choice(CHANCES),
            stall=chance() / 20,
            stall_for=(0.5, 15.0),
            duplicate=chance() / 4,
            late=random.choice((0.0, 0.0, 0.2)),
            late_by=most,
        )
        # What a heartbeat may take: a poll that has to be opened, a POST that has to be finished,
        # another one, each there and back again, and late drains in between.
        self.patience = 15 * most + 1.0
        # Long, so that an upgrade that hangs is not saved by giving up.
        self.upgrade_timeout = random.choice((60.0, 60.0, self.patience))

    def some_time(self) -> float:
        """A moment of the schedule. Often several things happen in the same."""
        moment = self.random.random() * self.span
        return round(moment, 1) if self.random.random() < 0.5 else moment


def in_order(part: Sequence[object], whole: Sequence[object]) -> bool:
    """Whether one is what is left of the other if some of it is lost."""
    rest = iter(whole)
    return all(item in rest for item in part)


def is_prefix(part: Sequence[object], whole: Sequence[object]) -> bool:
    """Whether one is the beginning of the other."""
    return part == whole[: len(part)]
