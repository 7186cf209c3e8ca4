"""What people see of a run."""

from __future__ import annotations

import itertools
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sioproto_conformance._model import Case, Rule, Verdict
from sioproto_conformance._runner import Result
from sioproto_conformance._text import printable, transcript_lines, wire_summary

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.WARN: "yellow",
    Verdict.INFO: "cyan",
    Verdict.SKIP: "dim",
    Verdict.INCONCLUSIVE: "magenta",
    Verdict.ERROR: "bold magenta",
    Verdict.XFAIL: "dim",
    Verdict.XPASS: "bold red",
    Verdict.FLAKY: "yellow",
}
_COLUMNS = tuple(Verdict)
# These are worth no line of their own while the run goes on.
_QUIET = (Verdict.PASS, Verdict.SKIP, Verdict.XFAIL)
# What a run should not have is repeated at its end, worst last, where it stays on the screen.
_UNEXPECTED = (
    Verdict.WARN,
    Verdict.INCONCLUSIVE,
    Verdict.ERROR,
    Verdict.XPASS,
    Verdict.FAIL,
)
_RUNNING_SHOWN = 4
# More than these are looked at one by one, or in the report, not on a screen.
_DETAILS_SHOWN = 12
# Of each verdict, so that the worst stays on the screen.
_LISTED = 30


class Terminal:
    """Shows a run while it goes on, and what came of it.

    On a terminal there is a live table and a progress bar; ``plain`` or a pipe gets lines only.
    """

    def __init__(self, *, plain: bool, total: int, rules: Mapping[str, Rule]) -> None:
        self.console = Console(highlight=False, no_color=True if plain else None)
        self._rules = rules
        self._counts: dict[str, Counter[Verdict]] = defaultdict(Counter)
        self._running: dict[str, None] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )
        self._task = self._progress.add_task("cases", total=total)
        is_live = self.console.is_terminal and not plain
        self._live = (
            Live(
                get_renderable=self._render,
                console=self.console,
                refresh_per_second=8,
                transient=True,
            )
            if is_live
            else None
        )

    def __enter__(self) -> Terminal:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def started(self, case: Case) -> None:
        """Note that a case runs now."""
        self._running[case.id] = None

    def result(self, result: Result) -> None:
        """Count a result, and show it unless all is well."""
        self._running.pop(result.case.id, None)
        self._counts[result.case.area][result.verdict] += 1
        self._progress.advance(self._task)
        if result.verdict not in _QUIET and result.target_ended != "before":
            self._line(result)

    def summary(self, results: Sequence[Result], *, repeat_with: Sequence[str]) -> None:
        """Show the table, what needs looking at, and how to look at it."""
        self._print()
        self.console.print(_area_table(self._counts))
        self._foreseen(results)
        unexpected = [
            result
            for result in results
            if result.verdict in _UNEXPECTED and result.target_ended != "before"
        ]
        unexpected.sort(key=lambda result: _UNEXPECTED.index(result.verdict))
        if len(unexpected) > _DETAILS_SHOWN:
            self._list(unexpected, repeat_with)
            return
        for result in unexpected:
            self._details(result, shlex.join([*repeat_with, result.case.id]))

    def _list(self, unexpected: Sequence[Result], repeat_with: Sequence[str]) -> None:
        self._print("\nto see one of them in detail:")
        for verdict, results in itertools.groupby(unexpected, key=lambda result: result.verdict):
            several = list(results)
            for result in several[:_LISTED]:
                self._print(f"  {verdict.upper():<12} {shlex.join([*repeat_with, result.case.id])}")
            if len(several) > _LISTED:
                self._print(f"  {verdict.upper():<12} … and {len(several) - _LISTED} more")

    def _foreseen(self, results: Sequence[Result]) -> None:
        reasons = Counter(r.reason for r in results if r.verdict is Verdict.SKIP)
        for reason, count in reasons.most_common():
            self._print(f"skipped {count}: {reason}", "dim")
        reasons = Counter(r.reason for r in results if r.target_ended == "before")
        for reason, count in reasons.items():
            self._print(f"not run {count}: {reason}", "dim")
        for result in results:
            if result.verdict is Verdict.XFAIL:
                self._print(f"known to fail: {result.case.id}: {result.expectation}", "dim")

    def _line(self, result: Result) -> None:
        style = _STYLES[result.verdict]
        reason = result.expectation or result.reason.partition("\n")[0]
        line = Text().append(f"{result.verdict.upper():<6}", style)
        line.append(f" {result.case.id}", "bold").append(
            f"  {printable(reason.encode(), width=240)}"
        )
        wire = wire_summary(result.transcript)
        if wire:
            line.append(f"  [{wire}]", "dim")
        self.console.print(line, soft_wrap=True)

    def _details(self, result: Result, command: str) -> None:
        heading = " (robustness)" if result.robustness else ""
        title = Text().append(f"{result.verdict.upper()} ", _STYLES[result.verdict])
        title.append(result.case.id, "bold").append(heading)
        self._print()
        self.console.print(title, soft_wrap=True)
        for check in result.checks:
            if not check.ok:
                heading = "at stake" if check.at_stake else "rule"
                for rule in (self._rules[id] for id in check.rules):
                    about = f"{rule.id}, {rule.level}, {rule.origin}"
                    self._print(f"  {heading:<8}  {about}: {rule.statement}")
                self._print(f"  expected  {check.expected}")
                self._print(f"  got       {check.actual}")
        if result.reason and (result.target_ended or all(check.ok for check in result.checks)):
            self._print(f"  because   {result.reason}")
        for text in transcript_lines(result.transcript):
            self._print(f"  {text}", "dim")
        self._print(f"  repeat    {command}")

    def _print(self, text: str = "", style: str = "") -> None:
        self.console.print(Text(text, style), soft_wrap=True)

    def _render(self) -> Group:
        running = list(self._running)[:_RUNNING_SHOWN]
        return Group(_area_table(self._counts), self._progress, Text(", ".join(running), "dim"))


def _area_table(counts: Mapping[str, Counter[Verdict]]) -> Table:
    total: Counter[Verdict] = Counter()
    for verdicts in counts.values():
        total.update(verdicts)
    shown = [v for v in _COLUMNS if total[v] or v in (Verdict.PASS, Verdict.FAIL, Verdict.WARN)]
    table = Table(box=None, pad_edge=False, show_footer=True)
    table.add_column("area", footer="all")
    table.add_column("cases", justify="right", footer=str(total.total()))
    for verdict in shown:
        style = _STYLES[verdict] if total[verdict] else "dim"
        footer = Text(str(total[verdict]), style)
        table.add_column(verdict.value, justify="right", footer=footer)
    for area in sorted(counts):
        found = counts[area]
        cells = [
            Text(str(found[verdict] or "·"), _STYLES[verdict] if found[verdict] else "dim")
            for verdict in shown
        ]
        table.add_row(area, str(found.total()), *cells)
    return table
