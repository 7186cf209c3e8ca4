"""The commands, and what they have in common."""

from __future__ import annotations

import click

import sioproto
from sioproto._cli._connect_command import connect
from sioproto._cli._decode import decode
from sioproto._cli._probe_command import probe
from sioproto._cli._serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(sioproto.__version__, prog_name="sioproto")
def main() -> None:
    """Speak with Engine.IO and Socket.IO servers, and understand what they say.

    `sioproto COMMAND --help` tells more, and what each exit status means.
    """


for command in (connect, probe, decode, serve):
    main.add_command(command)
