"""``sio-conformance fuzz``: the command."""

from __future__ import annotations

import sys
from typing import NoReturn

import click
import trio

from sioproto_conformance.peers.wire import PeerError, parse_url

NOTHING, FOUND, USAGE, NOT_REACHABLE = range(4)


@click.command()
@click.argument("url")
@click.option(
    "--attacks",
    type=click.IntRange(1, 1_000_000),
    default=500,
    show_default=True,
    help="At most so many connections that misbehave.",
)
@click.option(
    "--seconds", type=click.FloatRange(1), default=60.0, show_default=True, help="At most so long."
)
@click.option("--seed", default=0, show_default=True, help="The same seed, the same attacks.")
@click.option(
    "--timeout", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Of an answer."
)
@click.option(
    "--i-own-this-server", "owned", is_flag=True, help="Needed unless URL is this very machine."
)
def fuzz(url: str, attacks: int, seconds: float, seed: int, timeout: float, owned: bool) -> None:
    """Send the server at URL packets, payloads and upgrades that are valid, nearly so, or not.

    A control session is watched meanwhile. What leaves a request unanswered, makes the server fail
    or harms another session is made as small as it gets, and shown as a transcript and as the
    skeleton of a case.

    \b
    Exit codes: 0 nothing was found, 1 something was, 2 wrong usage, 3 the target cannot be reached.
    """
    try:
        from sioproto_conformance import _fuzz
    except ModuleNotFoundError as error:
        _fail(f"this needs {error.name}: pip install 'sioproto[conformance]'", USAGE)
    try:
        address = parse_url(url)
    except ValueError as error:
        _fail(str(error), USAGE)
    if not owned and not _fuzz.is_loopback(address.host):
        _fail(f"{address.host} is not this machine: say --i-own-this-server if it is yours", USAGE)

    async def main() -> _fuzz.Report:
        path = await _fuzz.find_path(address, timeout=timeout)
        attacker = _fuzz.Attacker(address, path, timeout=timeout)
        campaign = _fuzz.Campaign(attacker, count=attacks, seconds=seconds, seed=seed)
        return await campaign.run()

    try:
        report = trio.run(main)
    except PeerError as error:
        _fail(f"{url}: {error}", NOT_REACHABLE)
    click.echo(f"{report.attacks} attacks in {report.seconds:.1f} s, seed {seed}")
    if report.unsteady:
        click.echo(f"{report.unsteady} seemed to harm, and did not when repeated")
    if report.finding is None:
        click.echo("nothing was found")
        return
    finding = report.finding
    click.secho(f"found: {finding.trouble}", bold=True)
    if report.gone:
        click.echo("The server did not come back, so this may not be as small as it gets.")
    click.echo(f"\nWhat passed:\n{finding.transcript()}")
    click.echo(f"\nAs a case:\n\n{finding.attack.skeleton(finding.trouble)}")
    sys.exit(FOUND)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"sio-conformance: {message}", err=True)
    sys.exit(code)
