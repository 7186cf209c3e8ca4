"""``sioproto connect``: its options."""

from __future__ import annotations

import sys
from typing import Any, Literal

import click

from sioproto._cli._connect import Options, Talk
from sioproto._cli._options import run, server_options, ssl_context


@click.command()
@server_options
@click.option(
    "--transport",
    type=click.Choice(["polling", "websocket"]),
    help="The only one to use. Otherwise polling, then an upgrade to websocket.",
)
@click.option(
    "--eio3", is_flag=True, help="Speak Engine.IO 3, with a server of Socket.IO 2 or before."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86_400),
    default=10.0,
    show_default=True,
    help="Seconds to wait for the connection, and for each acknowledgement.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0, max=86_400),
    default=0.0,
    show_default=True,
    help="In a pipe: seconds to listen on after the input has ended.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    help="In a pipe: end as soon as so many events have come; fail if they do not come in time.",
)
@click.option("--no-reconnect", is_flag=True, help="End when the connection is lost.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each thing that comes.")
def connect(
    url: str,
    path: str,
    auth: Any,
    headers: list[tuple[str, str]],
    insecure: bool,
    transport: Literal["polling", "websocket"] | None,
    eio3: bool,
    timeout: float,
    wait: float,
    count: int | None,
    no_reconnect: bool,
    as_json: bool,
) -> None:
    """Talk to a Socket.IO server: type events, see what arrives.

    URL is that of the server, with the namespace as its path: http://127.0.0.1:3000/admin?x=1

    \b
    A line is an event with JSON values, or binary in hexadecimal:
      hello {"a": 1} "text" 0x0102
      sum? 1 2               asks for an acknowledgement, and shows it
      /ack 1 "done"          acknowledges event number 1 of the server
      /status  /quit  /help

    In a pipe, each line of the input is sent. At its end, the acknowledgements that were asked for
    are awaited. What arrives goes to standard output, all else to standard error.

    \b
    Exit status:
      0  all is well
      1  a line was wrong, an acknowledgement or event did not come, or the connection was lost
      2  wrong usage
      3  there is no such server, or it does not speak Socket.IO
      4  the server refused to let this client in
    """
    options = Options(
        url=url,
        path=path,
        auth=auth,
        headers=headers,
        ssl_context=ssl_context(insecure),
        transport=transport,
        engine_revision=3 if eio3 else 4,
        timeout=timeout,
        wait=wait,
        count=count,
        reconnect=not no_reconnect,
        as_json=as_json,
    )
    sys.exit(run(Talk(options).run))
