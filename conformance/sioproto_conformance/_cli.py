"""The command line."""

from __future__ import annotations

import functools
import re
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
import trio

from sioproto_conformance import _stream
from sioproto_conformance._data import data_path
from sioproto_conformance._fuzz_command import fuzz
from sioproto_conformance._known import (
    Expectation,
    KnownError,
    apply_known,
    check_overlap,
    read_known,
    stale_patterns,
)
from sioproto_conformance._model import Case, SuiteError, Verdict
from sioproto_conformance._probe import Survey, Unreachable, survey
from sioproto_conformance._registry import NEEDS, all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance._runner import Options, Result, Runner, default_slack
from sioproto_conformance._select import SelectionError, select
from sioproto_conformance._target import (
    LaunchError,
    Manifest,
    ManifestError,
    Target,
    built_in_manifest,
    check_url,
    read_manifest,
    running,
)
from sioproto_conformance._terminal import Terminal

PROGRAM = "sio-conformance"

CONFORMANT = 0
NOT_CONFORMANT = 1
USAGE = 2
NOT_REACHABLE = 3
INCONCLUSIVE = 4
STALE = 5


class _Command(click.Command):
    """A command whose arguments may be ``-tag``, which click would take for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        marked = [_TAG_MARK + arg if _TAG_TERM.fullmatch(arg) else arg for arg in args]
        return super().parse_args(ctx, marked)


_TAG_TERM = re.compile(r"-[a-z][a-z-]+")
_TAG_MARK = "\0"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_stream.suite_version(), prog_name=PROGRAM)
def main() -> None:
    """Judge servers of Engine.IO and Socket.IO, rule by rule, from outside.

    \b
    Exit codes: 0 conformant, 1 not conformant, 2 wrong usage, 3 the target cannot be reached,
    4 inconclusive or an error of the suite, 5 a known failure that is none any more.
    """


main.add_command(fuzz)


@main.command(cls=_Command)
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
@click.option("--include-security", is_flag=True, help="Run the cases tagged security as well.")
@click.option("--plain", is_flag=True, help="No colours, no live table.")
def run(arguments: tuple[str, ...], **options: Any) -> None:
    """Judge TARGET: a URL, or a manifest that ends in .toml. Without it, the built-in server.

    \b
    SELECTION is any of
      an id, or the first parts of one     eio4.upgrade
      a glob                               'sio5.*.closes*'
      a rule                               EIO-POLL-04
      a file of these, one a line          @selection.txt
      only with, only without a tag        +limits -serial
    """
    terms = [argument.replace(_TAG_MARK, "") for argument in arguments]
    with _exiting():
        sys.exit(_Run(_RunOptions(**options), terms).execute())


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
    plain: bool


class _Run:
    """One use of ``run``."""

    def __init__(self, options: _RunOptions, arguments: Sequence[str]) -> None:
        self._options = options
        self._manifest, self._folder, self._target_argument, terms = _target_of(arguments)
        built_in = self._target_argument is None
        self._built_in = built_in
        self._all_cases = all_cases()
        self._cases = select(self._all_cases, terms)
        self._known: tuple[Expectation, ...] = ()
        if options.known is not None:
            self._known = read_known(options.known)
            check_overlap(self._known, self._all_cases)
        self._runner_options = Options(
            jobs=options.jobs,
            slack=default_slack() if options.slack is None else options.slack,
            seed=options.seed,
            include_security=options.include_security or built_in,
        )

    def execute(self) -> int:
        """Run, show and write everything, and return the exit code."""
        with running(self._manifest, folder=self._folder) as target:
            target.built_in = self._built_in
            return trio.run(self._judge, target)

    async def _judge(self, target: Target) -> int:
        found = await survey(target, slack=self._runner_options.slack)
        options = self._options
        began = time.monotonic()
        results: list[Result] = []
        terminal = Terminal(
            plain=options.plain, total=len(self._cases) * options.repeat, rules=all_rules()
        )
        with _stream.Writer(options.out) as writer:
            writer.header(self._header(target, found))
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
        terminal.summary(results, repeat_with=self._repeat_with())
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
            target=self._manifest.name,
            target_version=self._manifest.version,
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

    def _repeat_with(self) -> list[str]:
        command = [PROGRAM, "run"]
        if self._target_argument is not None:
            command.append(self._target_argument)
        if self._options.seed != "0":
            command += ["--seed", self._options.seed]
        return command

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
        name = f"{self._manifest.name} {self._manifest.version}".strip()
        say(f"{name}: {len(results)} cases, {checks} checks, {took:.1f} s: {_MEANING[code]}")
        say(f"report: {self._options.out}")


_MEANING = {
    CONFORMANT: "conformant",
    NOT_CONFORMANT: "not conformant",
    INCONCLUSIVE: "inconclusive",
    STALE: "the list of known failures is out of date",
}


def exit_code(
    verdicts: set[Verdict], *, stale: bool, strict: bool, allow_inconclusive: bool
) -> int:
    """Return the exit code for a run with these verdicts."""
    if Verdict.FAIL in verdicts or (strict and Verdict.WARN in verdicts):
        return NOT_CONFORMANT
    if stale or Verdict.XPASS in verdicts:
        return STALE
    if Verdict.ERROR in verdicts:
        return INCONCLUSIVE
    if Verdict.INCONCLUSIVE in verdicts and not allow_inconclusive:
        return INCONCLUSIVE
    # A run in which nothing was found out has not shown that the target conforms.
    nothing_known = verdicts <= {Verdict.SKIP, Verdict.INCONCLUSIVE}
    return INCONCLUSIVE if nothing_known else CONFORMANT


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


def _target_of(
    arguments: Sequence[str],
) -> tuple[Manifest, Path | None, str | None, list[str]]:
    """Return the manifest, the folder it is in, the argument that named it, and the other ones."""
    first, *rest = arguments or [""]
    if first.endswith(".toml"):
        path = Path(first)
        manifest = read_manifest(path, known_features=frozenset(NEEDS))
        return manifest, path.resolve().parent, first, rest
    if "://" in first:
        check_url(first)
        return Manifest(name=first, url=first), None, first, rest
    return built_in_manifest(), None, None, list(arguments)


@contextmanager
def _exiting() -> Iterator[None]:
    """Turn what can go wrong into a sentence and its exit code."""
    try:
        yield
    except (SelectionError, ManifestError, KnownError) as error:
        _fail(str(error), USAGE)
    except (LaunchError, Unreachable) as error:
        _fail(str(error), NOT_REACHABLE)
    except SuiteError as error:
        _fail(f"the suite is not in order: {error}", INCONCLUSIVE)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"{PROGRAM}: {message}", err=True)
    sys.exit(code)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: any free one]")
@click.option("--ping-interval", type=float, default=0.3, show_default=True, help="Seconds.")
@click.option("--ping-timeout", type=float, default=0.2, show_default=True, help="Seconds.")
@click.option("--connect-timeout", type=float, default=1.0, show_default=True, help="Seconds.")
@click.option("--max-payload", type=int, default=1_000_000, show_default=True, help="Bytes.")
@click.option(
    "--transports",
    default="polling,websocket",
    show_default=True,
    help="Names with commas between them.",
)
@click.option("--recovery", is_flag=True, help="Recover the state of connections.")
@click.option("--msgpack", is_flag=True, help="Encode the packets of Socket.IO in MessagePack.")
@click.option("--cors", metavar="ORIGIN", help="Allow pages of this origin, * for all.")
@click.option("--cookie", is_flag=True, help="Set a session cookie.")
@click.option("--deflate", is_flag=True, help="Compress WebSocket messages.")
@click.option("--eio3", is_flag=True, help="Serve revision 3 of Engine.IO too.")
@click.option("--jsonp", is_flag=True, help="Serve polling by JSONP too.")
@click.option("--broken", metavar="NAME", help="Break the server first, to test the suite.")
def fixture(port: int, broken: str | None, transports: str, **settings: Any) -> None:
    """Serve the contract's applications, built in, until ended.

    The first line on standard output is JSON: {"url": ..., "slow_url": ...}. The second endpoint
    has a slow heartbeat.
    """
    from sioproto_conformance import _fixture

    names = tuple(transports.split(","))
    try:
        _fixture.serve(_fixture.Settings(transports=names, **settings), port=port, broken=broken)
    except (ImportError, LookupError, ValueError) as error:
        _fail(str(error), USAGE)


@main.command()
def contract() -> None:
    """Print what a server has to serve to be judged."""
    click.echo(data_path("contract.md").read_text("utf-8"), nl=False)


@main.command()
def schema() -> None:
    """Print the JSON Schema of a line of a report."""
    click.echo(_stream.schema_text(), nl=False)


@main.command("list", cls=_Command)
@click.argument("selection", nargs=-1)
def list_cases(selection: tuple[str, ...]) -> None:
    """List the cases: id, rules, needs, tags."""
    with _exiting():
        for case in select(all_cases(), [term.replace(_TAG_MARK, "") for term in selection]):
            needs = "".join(f" needs:{need}" for need in case.needs)
            tags = "".join(f" +{tag}" for tag in sorted(case.tags))
            click.echo(f"{case.id}  {' '.join(case.covers)}{needs}{tags}")


@main.command()
@click.argument("id")
def explain(id: str) -> None:
    """Tell what the case ID asks, of which rules, and what it needs."""
    with _exiting():
        cases = select(all_cases(), [id])
    for case in cases:
        _explain(case)


def _explain(case: Case) -> None:
    click.secho(case.id, bold=True)
    click.echo(f"  {case.summary}")
    for need in case.needs:
        click.echo(f"  Needs {NEEDS[need]}.")
    if case.tags:
        click.echo(f"  Tags: {', '.join(sorted(case.tags))}.")
    for id in case.covers:
        rule = all_rules().get(id)
        if rule is None:
            click.echo(f"  {id}: there is no such rule")
            continue
        verdict = rule.verdict_when_broken.upper()
        click.echo(f"  {rule.id} ({rule.level}, {rule.origin}; broken: {verdict})")
        click.echo(f"    {rule.statement}")
    click.echo(f"  Run it: {shlex.join([PROGRAM, 'run', 'TARGET', case.id])}")
