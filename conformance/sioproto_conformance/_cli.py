"""The command line."""

from __future__ import annotations

import shlex
from typing import Any

import click

from sioproto_conformance import _listing, _stream
from sioproto_conformance._cli_common import (
    PROGRAM,
    TermsCommand,
    exiting,
    fail,
    plain_terms,
)
from sioproto_conformance._cli_replay import replay_command
from sioproto_conformance._cli_report import diff, report
from sioproto_conformance._cli_run import run
from sioproto_conformance._data import data_path
from sioproto_conformance._fuzz_command import fuzz
from sioproto_conformance._model import Case
from sioproto_conformance._outcome import USAGE
from sioproto_conformance._registry import NEEDS, all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance._select import select


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_stream.suite_version(), prog_name=PROGRAM)
def main() -> None:
    """Judge servers of Engine.IO and Socket.IO, rule by rule, from outside.

    \b
    Exit codes: 0 conformant, 1 not conformant, 2 wrong usage, 3 the target cannot be reached,
    4 inconclusive or an error of the suite, 5 a known failure that is none any more,
    130 interrupted.
    """


for command in (run, report, diff, replay_command, fuzz):
    main.add_command(command)


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
        fail(str(error), USAGE)


@main.command()
def contract() -> None:
    """Print what a server has to serve to be judged."""
    click.echo(data_path("contract.md").read_text("utf-8"), nl=False)


@main.command()
@click.argument("of", type=click.Choice(["run", "list"]), default="run")
def schema(of: str) -> None:
    """Print the JSON Schema of a line of a report, or of the list of cases."""
    click.echo(_listing.schema_text() if of == "list" else _stream.schema_text(), nl=False)


@main.command("list", cls=TermsCommand)
@click.option("--json", "as_json", is_flag=True, help="One object in each line.")
@click.argument("selection", nargs=-1)
def list_cases(selection: tuple[str, ...], as_json: bool) -> None:
    """List the cases: id, rules, needs, tags."""
    with exiting():
        for case in select(all_cases(), plain_terms(selection)):
            if as_json:
                click.echo(_listing.listed(case, all_rules()))
                continue
            needs = "".join(f" needs:{need}" for need in case.needs)
            tags = "".join(f" +{tag}" for tag in sorted(case.tags))
            click.echo(f"{case.id}  {' '.join(case.covers)}{needs}{tags}")


@main.command()
@click.argument("id")
def explain(id: str) -> None:
    """Tell what the case ID asks, of which rules, and what it needs."""
    with exiting():
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
