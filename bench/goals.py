"""What the project wants to reach, as data, and whether it did."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from bench.figures import COMPARED, Figures
from bench.scenarios import BY_NAME, OWN, OWN_OFF


class Measure(enum.Enum):
    """What is compared, and which way is better."""

    SPEED = "speed"
    """Work for a second of the server's CPU, as a multiple of somebody's. More is better."""
    MEDIAN_LATENCY = "p50"
    """As a multiple of somebody's. Less is better."""
    MEMORY = "memory"
    """KiB. Less is better."""
    ENCODE = "encode"
    """Time, as a multiple of what the standard library takes for the JSON alone."""
    DECODE = "decode"
    """The same the other way."""


@dataclass(frozen=True)
class Bound:
    """At least, or at most, so much of somebody's; or so much."""

    factor: float
    of: str = ""


@dataclass(frozen=True)
class Goal:
    """A row of the table.

    ``hold`` is the least that counts as done, ``aim`` is the goal. All bounds have to be met.
    """

    name: str
    measure: Measure
    work: str
    hold: tuple[Bound, ...]
    aim: tuple[Bound, ...]


def _speed(scenario: str, hold: float, aim: float, *node: float | None) -> Goal:
    """A goal for speed; ``node`` has what to hold and to aim at compared with Node."""
    holds, aims = [Bound(hold, "R")], [Bound(aim, "R")]
    for bounds, factor in zip((holds, aims), node, strict=False):
        if factor is not None:
            bounds.append(Bound(factor, "Node"))
    title = BY_NAME[scenario].title
    return Goal(title, Measure.SPEED, scenario, tuple(holds), tuple(aims))


def _codec(measure: Measure, work: str, hold: float, aim: float) -> Goal:
    return Goal(f"{measure.value} {work}", measure, work, (Bound(hold),), (Bound(aim),))


GOALS = (
    _speed("echo50", 1.6, 2.3, None, 0.6),
    _speed("echo500", 2.0, 3.5),
    _speed("echo50w16", 3.5, 5.0, None, 1.0),
    _speed("events50", 3.0, 5.0, None, 0.7),
    _speed("bcast500", 6.0, 9.0, 1.2, 1.8),
    _speed("room250", 6.0, 9.0, 1.2, 1.8),
    _speed("connect", 1.4, 1.8),
    _speed("poll50", 0.9, 1.0),
    Goal(
        "median latency at 2,000 events a second",
        Measure.MEDIAN_LATENCY,
        "rate2000",
        (Bound(0.9, "R"),),
        (Bound(0.6, "R"),),
    ),
    Goal("memory of an idle connection", Measure.MEMORY, "memory", (Bound(20.0),), (Bound(16.0),)),
    _codec(Measure.DECODE, "100 B", 1.3, 1.1),
    _codec(Measure.DECODE, "2 KB", 1.1, 1.0),
    _codec(Measure.DECODE, "payload of 16", 1.3, 1.1),
    _codec(Measure.DECODE, "two attachments", 2.2, 1.8),
    _codec(Measure.ENCODE, "100 B", 1.1, 0.85),
    _codec(Measure.ENCODE, "2 KB", 1.1, 1.0),
    _codec(Measure.ENCODE, "payload of 16", 1.1, 0.85),
    _codec(Measure.ENCODE, "two attachments", 1.4, 1.1),
)

NOT_MEASURED, AIM, HOLD, MISSED = "not measured", "aim reached", "held", "MISSED"


def measured(figures: Figures, goal: Goal, of: str, server: str = OWN) -> float | None:
    """What a server came to, as a multiple of somebody's or as it is."""
    match goal.measure:
        case Measure.SPEED:
            found = figures.speed(goal.work, server, COMPARED[of])
        case Measure.MEDIAN_LATENCY:
            found = figures.ratio(goal.work, server, COMPARED[of], "p50_us")
        case Measure.MEMORY:
            values = sorted(figures.values("memory", server, "kib"))
            return values[len(values) // 2] if values else None
        case Measure.ENCODE | Measure.DECODE:
            found = figures.codec_ratio("sioproto", goal.work, goal.measure.value)
    return None if found is None else found.median


def met(goal: Goal, bound: Bound, value: float) -> bool:
    """Whether a value is as good as a bound wants it, in the precision in which it is shown."""
    value = round(value, 2)
    return value >= bound.factor if goal.measure is Measure.SPEED else value <= bound.factor


def verdict(figures: Figures, goal: Goal, server: str = OWN) -> str:
    """What became of a goal."""
    values = {bound: measured(figures, goal, bound.of, server) for bound in goal.hold + goal.aim}
    if any(value is None for value in values.values()):
        return NOT_MEASURED
    for bounds, word in ((goal.aim, AIM), (goal.hold, HOLD)):
        if all(met(goal, bound, values[bound] or 0.0) for bound in bounds):
            return word
    return MISSED


def has_lanes(goal: Goal) -> bool:
    """Whether it makes a difference that the short ways are off."""
    return goal.measure not in (Measure.ENCODE, Measure.DECODE)


LANES = ((OWN, "lanes on"), (OWN_OFF, "lanes off"))
