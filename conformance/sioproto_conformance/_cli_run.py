"""The command ``run``."""

from __future__ import annotations

import functools
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import trio

from sioproto_conformance import _stream
from sioproto_conformance._chosen import choose_first
from sioproto_conformance._cli_common import (
    PROGRAM,
    TermsCommand,
    exiting,
    plain_terms,
)
from sioproto_conformance._cli_report import rendering_options, write_renderings
from sioproto_conformance._known import (
    Expectation,
    applicable,
    apply_known,
    check_overlap,
    read_known,
    stale_patterns,
)
from sioproto_conformance._model import Verdict
from sioproto_conformance._outcome import INTERRUPTED, MEANING, exit_code
from sioproto_conformance._probe import Survey, survey
from sioproto_conformance._registry import all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance._runner import Options, Result, Runner, default_slack
from sioproto_conformance._select import select
from sioproto_conformance._target import Target, running
from sioproto_conformance._terminal import Terminal


@click.command(cls=TermsCommand)
@click.argument("arguments", metavar="[TARGET] [SELECTION]...", nargs=-1)
@click.option(
    "--jobs", type=click.IntRange(1), default=16, show_default=True, help="Cases at once."
)
@click.option("--seed", default="0", show_default=True, help="For what cases draw at random.")
@click.option(
    "--slack", type=click.FloatRange(0.1), help="Factor on every time limit. [default: 1; 2 in CI]"
)
@click.option("--repeat", type=click.IntRange(1), default=1, help="Run everything so many times.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default="sio-conformance.jsonl",
    show_default=True,
    help="Where the report goes.",
)
@click.option(
    "-k",
    "--known",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A list of known failures, in TOML.",
)
@click.option("--strict", is_flag=True, help="Count a warning as a failure.")
@click.option("--allow-inconclusive", is_flag=True, help="Let what could not be found out pass.")
@click.option("--safe", is_flag=True, help="Spare a server in use: no limits, floods, attacks.")
@click.option("--include-security", is_flag=True, help="Run the cases tagged security as well.")
@click.option("--plain", is_flag=True, help="No colours, no live table.")
@rendering_options
def run(arguments: tuple[str, ...], **options: Any) -> None:
    """Judge TARGET: a URL, or a manifest that ends in .toml. Without it, or as
    ``built-in``, the server that comes with the suite.

    \b
    SELECTION is any of
      an id, or the first parts of one     eio4.upgrade
      a glob                               'sio5.*.closes*'
      a rule                               EIO-POLL-04
      a file of these, one a line          @selection.txt
      only with, only without a tag        +limits -serial
    """
    with exiting():
        sys.exit(_Run(_RunOptions(**options), plain_terms(arguments)).execute())


@dataclass(frozen=True)
class _RunOptions:
    jobs: int
    seed: str
    slack: float | None
    repeat: int
    out: Path
    known: Path | None
    strict: bool
    allow_inconclusive: bool
    include_security: bool
    safe: bool
    plain: bool
    html: Path | None
    junit: Path | None
    summary: Path | None
    badge: Path | None


class _Run:
    """One use of ``run``."""

    def __init__(self, options: _RunOptions, arguments: Sequence[str]) -> None:
        self._options = options
        self._has_begun = False
        self._chosen, terms = choose_first(arguments)
        built_in = self._chosen.is_built_in
        self._all_cases = all_cases()
        self._cases = select(self._all_cases, terms)
        self._known: tuple[Expectation, ...] = ()
        if options.known is not None:
            self._known = applicable(
                read_known(options.known), version=self._chosen.manifest.version
            )
            check_overlap(self._known, self._all_cases)
        self._runner_options = Options(
            jobs=options.jobs,
            slack=default_slack() if options.slack is None else options.slack,
            seed=options.seed,
            include_security=options.include_security or (built_in and not options.safe),
            safe=options.safe,
        )

    def execute(self) -> int:
        """Run, show and write everything, and return the exit code."""
        with running(self._chosen.manifest, folder=self._chosen.folder) as target:
            target.built_in = self._chosen.is_built_in
            try:
                return trio.run(self._judge, target)
            except BaseException as error:
                if not _is_interrupt(error):
                    raise
                return self._interrupted()

    def _interrupted(self) -> int:
        message = "interrupted"
        if self._has_begun:
            out = self._options.out
            message += f"; {out} holds what is known so far: {PROGRAM} report {out} --html PATH"
        click.echo(f"{PROGRAM}: {message}", err=True)
        return INTERRUPTED

    async def _judge(self, target: Target) -> int:
        found = await survey(target, slack=self._runner_options.slack)
        options = self._options
        began = time.monotonic()
        results: list[Result] = []
        terminal = Terminal(
            plain=options.plain, total=len(self._cases) * options.repeat, rules=all_rules()
        )
        with _stream.Writer(options.out) as writer:
            header = self._header(target, found)
            writer.header(header)
            self._has_begun = True
            covered = dict.fromkeys(rule for case in self._cases for rule in case.covers)
            writer.rules(all_rules()[rule] for rule in covered if rule in all_rules())
            with terminal:
                for round in range(1, options.repeat + 1):
                    results += await self._round(round, target, found, terminal, writer)
            code = self._exit_code(results)
            writer.footer(
                duration=time.monotonic() - began,
                exit_code=code,
                target_exit=target.exit_code(),
                target_stderr=target.complaints(),
            )
        terminal.summary(results, repeat_with=_stream.repeat_command(header))
        self._conclude(results, code, target, terminal, time.monotonic() - began)
        return code

    async def _round(
        self, round: int, target: Target, found: Survey, terminal: Terminal, writer: _stream.Writer
    ) -> list[Result]:
        def report(result: Result) -> None:
            apply_known(result, self._known)
            writer.case(result, round=round)
            terminal.result(result)

        runner = Runner(
            found,
            all_rules(),
            self._runner_options,
            report,
            exited=target.exit_code,
            started=terminal.started,
        )
        return await runner.run(self._cases)

    def _header(self, target: Target, found: Survey) -> _stream.Header:
        return _stream.Header(
            format=_stream.FORMAT,
            suite=_stream.suite_version(),
            python=_stream.python_version(),
            target=self._chosen.manifest.name,
            target_version=self._chosen.manifest.version,
            url=target.url,
            slow_url=target.slow_url,
            command=(PROGRAM, *sys.argv[1:]),
            started=_stream.now(),
            cases=len(self._cases),
            seed=self._runner_options.seed,
            slack=self._runner_options.slack,
            jobs=self._runner_options.jobs,
            repeat=self._options.repeat,
            round_trip=_stream.round_seconds(found.round_trip),
            lacking=dict(found.lacking),
            argument=self._chosen.argument,
            safe=self._options.safe,
            include_security=self._runner_options.include_security,
        )

    def _exit_code(self, results: Sequence[Result]) -> int:
        stale = stale_patterns(self._known, self._all_cases)
        verdicts = {result.verdict for result in results}
        return exit_code(
            verdicts,
            stale=bool(stale),
            strict=self._options.strict,
            allow_inconclusive=self._options.allow_inconclusive,
        )

    def _conclude(
        self, results: Sequence[Result], code: int, target: Target, terminal: Terminal, took: float
    ) -> None:
        say = functools.partial(terminal.console.print, markup=False, soft_wrap=True)
        say()
        for pattern in stale_patterns(self._known, self._all_cases):
            say(f"{self._options.known}: {pattern!r} matches no case")
        for id, verdicts in _mixed(results).items():
            say(f"not the same every time: {id}: {verdicts}")
        ended = target.exit_code()
        if ended is not None:
            say(f"the target ended with {ended} during the run; it said:\n{target.complaints()}")
        robustness = sum(r.robustness and r.verdict is Verdict.FAIL for r in results)
        if robustness:
            say(f"failures of robustness: {robustness}")
        checks = sum(len(result.checks) for result in results)
        name = f"{self._chosen.manifest.name} {self._chosen.manifest.version}".strip()
        say(f"{name}: {len(results)} cases, {checks} checks, {took:.1f} s: {MEANING[code]}")
        say(f"report: {self._options.out}")
        options = self._options
        pages = (options.html, options.junit, options.summary, options.badge)
        if any(path is not None for path in pages):
            write_renderings(
                _stream.read_report(options.out),
                html=options.html,
                junit=options.junit,
                summary=options.summary,
                badge=options.badge,
            )


def _is_interrupt(error: BaseException) -> bool:
    """Tell whether somebody typed Ctrl-C, wherever in the run that was noticed."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_interrupt(each) for each in error.exceptions)
    return isinstance(error, KeyboardInterrupt)


def _mixed(results: Sequence[Result]) -> dict[str, str]:
    """Return the cases whose verdict was not the same in every round, and how often it was what."""
    by_case: dict[str, list[Verdict]] = defaultdict(list)
    for result in results:
        by_case[result.case.id].append(result.verdict)
    return {
        id: ", ".join(f"{verdict} {verdicts.count(verdict)}" for verdict in dict.fromkeys(verdicts))
        for id, verdicts in by_case.items()
        if len(set(verdicts)) > 1
    }
