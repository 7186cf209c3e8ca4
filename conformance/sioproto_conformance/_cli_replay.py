"""The command ``replay``."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import click
import trio

from sioproto_conformance._chosen import choose
from sioproto_conformance._cli_common import exiting, fail
from sioproto_conformance._outcome import (
    CONFORMANT,
    INCONCLUSIVE,
    NOT_CONFORMANT,
    NOT_REACHABLE,
    USAGE,
)
from sioproto_conformance._replay import Answer, ReplayError, replay
from sioproto_conformance._runner import FAST_HEARTBEAT, default_slack
from sioproto_conformance._stream import CaseLine, Report, read_report
from sioproto_conformance._target import running
from sioproto_conformance.peers.wire import PeerError, parse_url

_TIMEOUT = 2.0


@click.command("replay")
@click.argument("run", metavar="RUN.JSONL", type=click.Path(path_type=Path, exists=True))
@click.argument("id")
@click.argument("target", required=False)
@click.option(
    "--slack", type=click.FloatRange(0.1), help="Factor on every time limit. [default: 1; 2 in CI]"
)
@click.option("--all", "show_all", is_flag=True, help="Show also what is as it was.")
def replay_command(
    run: Path, id: str, target: str | None, slack: float | None, show_all: bool
) -> None:
    """Send the bytes of a recorded case again, and show what is answered otherwise now.

    TARGET is as for run, by default the target of the recording. Session ids are replaced by those
    that the server gives now.

    Exits with 0 if every answer is as it was, with 1 otherwise.
    """
    with exiting():
        report = read_report(run, partial=True)
        line = _line(report, id)
        chosen = choose(target if target is not None else report.header.argument)
        with running(chosen.manifest, folder=chosen.folder) as found:
            wants_fast = FAST_HEARTBEAT in line.needs
            url = found.url if wants_fast or found.slow_url is None else found.slow_url
            timeout = _TIMEOUT * (default_slack() if slack is None else slack)

            def show(answer: Answer) -> None:
                if answer.same and show_all:
                    click.echo(f"  {answer.conn}  {answer.now}")
                elif not answer.same:
                    click.echo(f"- {answer.conn}  {answer.then}\n+ {answer.conn}  {answer.now}")

            async def again() -> list[Answer]:
                return await replay(line, parse_url(url), timeout=timeout, show=show)

            try:
                answers = trio.run(again)
            except ReplayError as error:
                fail(str(error), INCONCLUSIVE)
            except PeerError as error:
                fail(f"{url}: {error}", NOT_REACHABLE)
    same = sum(answer.same for answer in answers)
    click.echo(f"{line.id}: {same} of {len(answers)} answers as they were")
    sys.exit(CONFORMANT if same == len(answers) else NOT_CONFORMANT)


def _line(report: Report, id: str) -> CaseLine:
    """Return the recording of the case, the last one if it was repeated."""
    found = [line for line in report.cases if line.id == id]
    if not found:
        near = difflib.get_close_matches(id, [line.id for line in report.cases], 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        fail(f"the run has no case {id!r}{hint}", USAGE)
    return found[-1]
