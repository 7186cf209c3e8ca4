"""Markdown, as the summary of a job shows it."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from sioproto_conformance._model import Verdict
from sioproto_conformance._stream import CaseLine, Report
from sioproto_conformance._text import visible
from sioproto_conformance.report._overview import (
    by_area,
    outcome,
    shown_verdicts,
    skip_reasons,
    tallies,
    unexpected,
)

# A summary is for a first look; what is worth more than that is in the report.
_MOST = 50
_SPECIAL = re.compile(r"([\\`*_\[\]<>&|~])")


def escaped(text: str) -> str:
    """Return text from anywhere as Markdown, in one line, that does nothing but show it."""
    return _SPECIAL.sub(r"\\\1", visible(" ".join(text.split("\n"))))


def code(text: str, *, in_table: bool = False) -> str:
    """Return text as a code span."""
    shown = visible(text)
    # Cells of a table end at every bar, in code as well.
    shown = shown.replace("|", "\\|") if in_table else shown
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown[:1] == "`" or shown[-1:] == "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    """Return a table whose first column holds words, and the others numbers unless told."""
    rule = ["---", *(["--:" if numbers else "---"] * (len(head) - 1))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))


def markdown(report: Report) -> str:
    """Return the summary of a run."""
    parts = [
        f"## {escaped(report.name)}: {escaped(outcome(report))}\n",
        _sentence(report),
        _areas(report),
        *_list(report),
        _skipped(report),
    ]
    return "\n".join(part for part in parts if part)


def _sentence(report: Report) -> str:
    cases = len(report.cases)
    rules = ", ".join(f"**{tally}**" for tally in tallies(report))
    took = f" in {report.footer.duration:.1f} s" if report.footer else ""
    planned = report.header.cases * report.header.repeat
    of_all = f" of {planned}" if cases != planned else ""
    suite = escaped(report.header.suite)
    text = (
        f"{cases}{of_all} cases{took}, sio-conformance {suite}, {escaped(report.header.started)}."
    )
    return f"{rules}\n\n{text}\n" if rules else f"{text}\n"


def _areas(report: Report) -> str:
    areas = by_area(report)
    total: Counter[Verdict] = sum(areas.values(), Counter())
    columns = shown_verdicts(total)
    rows = [
        [escaped(area), str(counts.total()), *(str(counts[verdict]) for verdict in columns)]
        for area, counts in areas.items()
    ]
    rows.append(["**all**", str(total.total()), *(f"**{total[verdict]}**" for verdict in columns)])
    return table(["area", "cases", *columns], rows)


def _list(report: Report) -> Iterable[str]:
    found = unexpected(report)
    if not found:
        return
    yield "### To look at\n"
    for line in found[:_MOST]:
        yield _details(report, line)
    if len(found) > _MOST:
        yield f"... and {len(found) - _MOST} more in the report.\n"


def _details(report: Report, line: CaseLine) -> str:
    reason = (line.expectation or line.reason).partition("\n")[0]
    lines = [f"- **{line.verdict.upper()}** {code(line.id)}: {escaped(reason)}"]
    broken = [rule for check in line.checks if not check.ok for rule in check.rules]
    for id in dict.fromkeys(broken):
        rule = report.rules.get(id)
        if rule is not None:
            about = f"{rule.id} ({rule.level}, {rule.origin})"
            lines.append(f"  - {escaped(about)}: {escaped(rule.statement)}")
    lines.append(f"  - repeat: {code(shlex.join(report.repeat_command(line)))}")
    return "\n".join(lines) + "\n"


def _skipped(report: Report) -> str:
    reasons = skip_reasons(report.cases)
    if not reasons:
        return ""
    lines = [f"- {number} skipped: {escaped(reason)}" for reason, number in reasons]
    return "### Skipped\n\n" + "\n".join(lines) + "\n"
