"""The report: tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.figures import COMPARED, Figures, Spread, spread
from bench.goals import GOALS, LANES, Bound, Goal, Measure, has_lanes, measured, verdict
from bench.micro.work import WORK
from bench.running import Row
from bench.scenarios import SCENARIOS, SERVERS, Scenario

DASH = "–"


def number(value: float | None) -> str:
    """A figure in as many digits as it deserves."""
    if value is None:
        return DASH
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; all columns but the first are aligned right."""
    yield f"| {' | '.join(head)} |"
    yield f"| --- |{' ---: |' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def report(rows: Sequence[Row], about: Sequence[str]) -> str:
    """The whole report.

    Args:
        rows: what slices came to.
        about: sentences on the machine, the versions, and what went wrong.
    """
    figures = Figures(rows)
    lines = [*(f"- {sentence}" for sentence in about), "", "### What was to be reached", ""]
    lines += goals(figures)
    lines += ["### Servers", ""]
    for scenario in SCENARIOS:
        if figures.rows(scenario.name):
            lines += servers(figures, scenario)
    lines += ["### Memory of an idle connection", "", *memory(figures)]
    lines += ["### Codecs", "", *codecs(figures), "### The core alone", "", *core(figures)]
    return "\n".join(lines)


# What was to be reached


def goals(figures: Figures) -> Iterator[str]:
    """The table of goals, with what came of them."""
    columns = [label for _, label in LANES]
    head = ["work", *columns, "hold", "aim", *(f"verdict, {column}" for column in columns)]
    yield from table(head, (_goal(figures, goal) for goal in GOALS))
    yield (
        "Servers as multiples of R, of Node and of F by work for a second of CPU; latency as a "
        "multiple of R's; codecs as multiples of the standard library's JSON alone."
    )
    yield ""


def _goal(figures: Figures, goal: Goal) -> list[str]:
    cells, verdicts = [], []
    for server, _ in LANES if has_lanes(goal) else LANES[:1]:
        cells.append(_measured(figures, goal, server))
        verdicts.append(verdict(figures, goal, server))
    while len(cells) < len(LANES):
        cells.append(DASH)
        verdicts.append(DASH)
    return [goal.name, *cells, bounds(goal, goal.hold), bounds(goal, goal.aim), *verdicts]


def _measured(figures: Figures, goal: Goal, server: str) -> str:
    others = {Measure.SPEED: list(COMPARED), Measure.MEDIAN_LATENCY: ["R"]}.get(goal.measure, [""])
    found = [(of, measured(figures, goal, of, server)) for of in others]
    shown = [bounds(goal, (Bound(value, of),)) for of, value in found if value is not None]
    return ", ".join(shown) or DASH


def bounds(goal: Goal, wanted: Sequence[Bound]) -> str:
    """Bounds in words."""
    unit = " KiB" if goal.measure is Measure.MEMORY else ""
    return ", ".join(f"{bound.factor:.2f}{unit} {bound.of}".rstrip() for bound in wanted)


# Servers


def servers(figures: Figures, scenario: Scenario) -> Iterator[str]:
    """What each server came to at one kind of work."""
    yield f"**{scenario.title}** (`{scenario.name}`, {scenario.unit})"
    yield ""
    head = ["server", "each, µs of CPU", "for a second of CPU", *(f"÷ {of}" for of in COMPARED)]
    head += ["a second, as seen", "p50 ms", "p99 ms", "calm"]
    labels = [server.label for server in SERVERS if figures.rows(scenario.name, server.label)]
    yield from table(head, (_server(figures, scenario, label) for label in labels))


def _server(figures: Figures, scenario: Scenario, label: str) -> list[str]:
    name = scenario.name
    rows, good = figures.rows(name, label), figures.good(name, label)
    if not good:
        return [label, str(rows[0].get("error", "nothing was done")), *[""] * (6 + len(COMPARED))]
    each = spread(figures.values(name, label, "cpu_us"))
    assert each is not None
    ratios = [_ratio(figures.speed(name, label, other)) for other in COMPARED.values()]
    latencies = [_milliseconds(figures, name, label, key) for key in ("p50_us", "p99_us")]
    rate = spread(figures.values(name, label, "rate"))
    calm = f"{sum(bool(row['calm']) for row in good)}/{len(rows)}"
    shown = [_spread(each), number(1e6 / each.median if each.median else None)]
    return [label, *shown, *ratios, number(rate.median if rate else None), *latencies, calm]


def _spread(found: Spread | None) -> str:
    if found is None:
        return DASH
    return f"{number(found.median)} ({number(found.low)} to {number(found.high)})"


def _ratio(found: Spread | None) -> str:
    if found is None:
        return DASH
    return f"{found.median:.2f} ({found.low:.2f} to {found.high:.2f})"


def _milliseconds(figures: Figures, scenario: str, label: str, key: str) -> str:
    found = spread(figures.values(scenario, label, key))
    return number(found.median / 1e3) if found is not None and found.median else DASH


def memory(figures: Figures) -> Iterator[str]:
    """What an idle connection takes."""
    rows = []
    for server in SERVERS:
        found = spread(figures.values("memory", server.label, "kib"))
        total = spread(figures.values("memory", server.label, "total_mib"))
        if found is not None and total is not None:
            rows.append([server.label, _spread(found), number(total.median)])
    yield from table(["server", "KiB each", "MiB with all of them"], rows)


# Without servers


def codecs(figures: Figures) -> Iterator[str]:
    """Microseconds for each piece of work, and as multiples of the JSON alone."""
    labels = list(dict.fromkeys(row["row"][0] for row in figures.rows("codec")))
    first = [label for label in ("sioproto", "python-socketio", "json") if label in labels]
    labels = first + sorted(set(labels) - set(first))
    rows = []
    for operation in ("decode", "encode"):
        for name in WORK:
            cells = [f"{operation} {name}"]
            for label in labels:
                each = spread(figures.codec(label, name, operation).values())
                ratio = figures.codec_ratio(label, name, operation)
                if each is None or ratio is None:
                    cells.append(DASH)
                else:
                    cells.append(f"{number(each.median)} ({ratio.median:.2f})")
            rows.append(cells)
    yield from table(["µs (÷ json)", *labels], rows)


def core(figures: Figures) -> Iterator[str]:
    """What work in the core costs, little of it and much of it."""
    rows = [
        [f"{work}, {'recipients' if work == 'broadcast' else 'memberships'}: {size:,}", _spread(s)]
        for (work, size), s in figures.core().items()
    ]
    yield from table(["work", "µs each"], rows)
