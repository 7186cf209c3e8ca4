"""``sioproto probe``: its options."""

from __future__ import annotations

import sys
from typing import Any

import click

from sioproto._cli._options import address_of, run, server_options, ssl_context
from sioproto._cli._probe import Probe
from sioproto._cli._probe_report import as_json, manifest, rows, wrong
from sioproto._cli._terminal import Row, console, json_line, print_rows, say
from sioproto._cli._wire import Wire, with_path

FINE, WRONG, NO_SERVER = 0, 1, 3


@click.command()
@server_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=600),
    default=4.0,
    show_default=True,
    help="Seconds that each answer may take. All of it takes four times as long at most.",
)
@click.option(
    "--heartbeat",
    type=click.FloatRange(min=0, max=600),
    default=2.0,
    show_default=True,
    help="Wait for the server's ping if it comes within so many seconds.",
)
@click.option("--json", "json_wanted", is_flag=True, help="The report as one line of JSON.")
@click.option(
    "--manifest",
    "manifest_wanted",
    is_flag=True,
    help="A draft of a manifest for sio-conformance instead of the report.",
)
def probe(
    url: str,
    path: str,
    auth: dict[str, Any] | None,
    headers: list[tuple[str, str]],
    insecure: bool,
    timeout: float,
    heartbeat: float,
    json_wanted: bool,
    manifest_wanted: bool,
) -> None:
    """Ask a live server what it speaks, and tell what looks wrong.

    A few sessions are opened, and closed again. Nothing is emitted. URL is that of the server, with
    the namespace as its path.

    \b
    Exit status:
      0  a server that speaks Socket.IO, and nothing looks wrong
      1  something looks wrong
      2  wrong usage
      3  there is no server, or it speaks no Engine.IO
    """
    if json_wanted and manifest_wanted:
        raise click.UsageError("--json or --manifest, not both")
    address = address_of(url)
    code = FINE

    async def ask() -> int:
        wire = Wire(address, tuple(headers), ssl_context(insecure), timeout)
        asked = Probe(wire, url, path, auth, heartbeat, bare_engine=manifest_wanted)
        findings = await asked.run()
        looks_wrong = wrong(findings)
        out = console()
        if json_wanted:
            click.echo(json_line(as_json(findings)))
        elif findings.trouble is not None:
            say(console(stderr=True), f"{url}: {with_path(findings.trouble, path)}", "red")
        elif manifest_wanted:
            click.echo(manifest(findings, address.authority), nl=False)
        else:
            say(out, f"{url} (Engine.IO at {path})", "bold")
            print_rows(out, rows(findings))
            print_rows(out, [Row("looks wrong", text, "red") for text in looks_wrong])
            if not looks_wrong:
                print_rows(out, [Row("all in all", "nothing looks wrong", "green")])
        if findings.trouble is not None:
            return NO_SERVER
        return WRONG if looks_wrong else FINE

    code = run(ask)
    sys.exit(code)
