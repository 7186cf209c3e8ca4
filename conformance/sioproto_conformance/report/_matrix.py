"""Several runs side by side: each case on each target, and where the targets differ in manners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sioproto_conformance._model import Verdict, area_of
from sioproto_conformance._stream import CaseLine, Report

ABSENT = "–"
"""What stands where a target was not asked."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one target made of one case, in all rounds."""

    text: str
    """The verdict; both of them, or more, if it was not always the same."""
    verdict: str
    """One to show it by: the worst."""
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One case."""

    id: str
    cells: tuple[Cell | None, ...]

    @property
    def area(self) -> str:
        """The area of the case."""
        return area_of(self.id)

    @property
    def is_quiet(self) -> bool:
        """Whether every target passed it, or was not asked."""
        quiet = (Verdict.PASS, Verdict.SKIP)
        return all(cell is None or cell.verdict in quiet for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Dialect:
    """Something that the protocol leaves open, and what each target does."""

    id: str
    """The case that saw it."""
    what: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether two targets that were asked do different things."""
        return len(set(self.values) - {ABSENT}) > 1


@dataclass(frozen=True, slots=True)
class Matrix:
    """Runs as columns, cases as rows."""

    reports: tuple[Report, ...]
    rows: tuple[Row, ...] = field(init=False)
    dialects: tuple[Dialect, ...] = field(init=False)

    def __post_init__(self) -> None:
        lines = [_by_id(report) for report in self.reports]
        ids = sorted({id for found in lines for id in found}, key=lambda id: (area_of(id), id))
        rows = tuple(Row(id, tuple(_cell(found.get(id, [])) for found in lines)) for id in ids)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "dialects", tuple(_dialects(self.reports, lines, ids)))

    @property
    def names(self) -> list[str]:
        """The targets, each name once."""
        names: list[str] = []
        for report in self.reports:
            name, number = report.name, 1
            while name in names:
                number += 1
                name = f"{report.name} ({number})"
            names.append(name)
        return names


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that decides about a case that has several."""
    return max(verdicts, key=WORSE.index)


WORSE = (
    Verdict.PASS,
    Verdict.XFAIL,
    Verdict.INFO,
    Verdict.SKIP,
    Verdict.FLAKY,
    Verdict.WARN,
    Verdict.INCONCLUSIVE,
    Verdict.ERROR,
    Verdict.XPASS,
    Verdict.FAIL,
)
"""The verdicts, the better ones first. What is skipped is not known to be well."""


def _by_id(report: Report) -> dict[str, list[CaseLine]]:
    found: dict[str, list[CaseLine]] = {}
    for line in report.cases:
        found.setdefault(line.id, []).append(line)
    return found


def _cell(lines: Sequence[CaseLine]) -> Cell | None:
    if not lines:
        return None
    bad = max(lines, key=lambda line: WORSE.index(line.verdict))
    text = "/".join(dict.fromkeys(line.verdict.value for line in lines))
    return Cell(text, bad.verdict.value, bad.expectation or bad.reason)


def _dialects(
    reports: Sequence[Report], lines: Sequence[dict[str, list[CaseLine]]], ids: Sequence[str]
) -> Iterable[Dialect]:
    for id in ids:
        seen = [
            _manners(report, found.get(id, []))
            for report, found in zip(reports, lines, strict=True)
        ]
        for what in dict.fromkeys(what for manners in seen for what in manners):
            yield Dialect(id, what, tuple(manners.get(what, ABSENT) for manners in seen))


def _manners(report: Report, lines: Sequence[CaseLine]) -> dict[str, str]:
    """Return what was observed, and what was found where a rule is no more than a ruling."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for observation in line.observations:
            found.setdefault(observation.name, []).append(observation.value)
        for check in line.checks:
            rule = report.rules.get(check.rule)
            if rule is not None and rule.broken is Verdict.INFO and not check.at_stake:
                value = "yes" if check.ok else check.actual
                found.setdefault(f"{check.rule}: {check.expected}", []).append(value)
    return {what: "; ".join(dict.fromkeys(values)) for what, values in found.items()}
