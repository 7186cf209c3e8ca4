"""What every rendering of a run says first: how it ended, how many, which rules hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sioproto_conformance._model import Verdict
from sioproto_conformance._outcome import MEANING
from sioproto_conformance._stream import CaseLine, Report

INCOMPLETE = "incomplete: the run did not come to its end"

# What a run should not have, worst first.
UNEXPECTED = (
    Verdict.FAIL,
    Verdict.XPASS,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.WARN,
)


# A server that keeps these is a better one, and not a more conformant one.
_APART = ("robustness", "security")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of the rules that must be kept a run has found kept."""

    protocol: str
    """``EIO4``, ``SIO5``, ..."""
    kept: int
    checked: int

    def __str__(self) -> str:
        return f"{self.protocol} MUST {self.kept}/{self.checked}"


def outcome(report: Report) -> str:
    """Return in words how a run ended."""
    if report.footer is None:
        return INCOMPLETE
    return MEANING.get(report.footer.exit_code, f"exit code {report.footer.exit_code}")


def in_order(lines: Iterable[CaseLine]) -> list[CaseLine]:
    """Return the lines by area and id, whatever order the cases ended in."""
    return sorted(lines, key=lambda line: (line.area, line.id, line.round))


def unexpected(report: Report) -> list[CaseLine]:
    """Return the lines that somebody has to look at, worst first."""
    found = [line for line in in_order(report.cases) if line.verdict in UNEXPECTED]
    return sorted(found, key=lambda line: UNEXPECTED.index(line.verdict))


def count(lines: Iterable[CaseLine]) -> Counter[Verdict]:
    """Return how many lines have which verdict."""
    return Counter(line.verdict for line in lines)


def by_area(report: Report) -> dict[str, Counter[Verdict]]:
    """Return the counts of each area."""
    counts: dict[str, Counter[Verdict]] = {}
    for line in in_order(report.cases):
        counts.setdefault(line.area, Counter())[line.verdict] += 1
    return counts


def shown_verdicts(counts: Counter[Verdict]) -> list[Verdict]:
    """Return the verdicts that are worth a column."""
    always = (Verdict.PASS, Verdict.FAIL, Verdict.WARN)
    return [verdict for verdict in Verdict if counts[verdict] or verdict in always]


def tallies(report: Report) -> list[Tally]:
    """Return for each protocol how many of its rules were checked, and found kept each time.

    They are the rules whose breach is a failure, robustness and security apart.
    """
    kept: dict[str, dict[str, bool]] = {}
    for line in report.cases:
        protocol = line.id.partition(".")[0].upper()
        for check in line.checks:
            rule = report.rules.get(check.rule)
            if (
                check.at_stake
                or rule is None
                or rule.broken is not Verdict.FAIL
                or rule.origin in _APART
            ):
                continue
            rules = kept.setdefault(protocol, {})
            rules[check.rule] = rules.get(check.rule, True) and check.ok
    return [
        Tally(protocol, sum(rules.values()), len(rules)) for protocol, rules in sorted(kept.items())
    ]


def skip_reasons(lines: Sequence[CaseLine]) -> list[tuple[str, int]]:
    """Return why cases were skipped, and how many for each reason."""
    return Counter(line.reason for line in lines if line.verdict is Verdict.SKIP).most_common()
