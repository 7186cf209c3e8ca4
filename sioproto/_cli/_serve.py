"""``sioproto serve``: a server to try clients with."""

from __future__ import annotations

import sys
from typing import Any

import click
import trio

from sioproto._cli._options import INTERRUPTED, run
from sioproto._cli._terminal import console, say, value_text, values_text
from sioproto.engineio import CorsConfig, ServerConfig
from sioproto.socketio import EventReceived
from sioproto.trio import Server, Socket

NOT_POSSIBLE = 3


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=3000,
    show_default=True,
    help="0 for one that is free.",
)
@click.option("--eio3", is_flag=True, help="Serve clients of Socket.IO 2 as well.")
@click.option("--quiet", is_flag=True, help="Do not tell who comes and what is sent.")
def serve(host: str, port: int, eio3: bool, quiet: bool) -> None:
    """Serve echo and chat, to try clients with. Any namespace is there.

    \b
    What it does with events:
      echo      sends the event back, to the one it came from
      chat      sends the event to everybody in the namespace but the one it came from
      anything  tells it on the terminal

    An acknowledgement that is asked for carries the values of the event. Any page may connect to
    it. Ctrl-C ends it.

    \b
    Exit status:
      0  ended by Ctrl-C
      2  wrong usage
      3  it cannot listen there
    """
    code = run(_Echo(host, port, eio3, quiet).run)
    sys.exit(0 if code == INTERRUPTED else code)


class _Echo:
    """The server, and what it says on the terminal."""

    def __init__(self, host: str, port: int, eio3: bool, quiet: bool) -> None:
        self._host, self._port = host, port
        self._quiet = quiet
        self._out = console()
        engine = ServerConfig(path="/socket.io/", allow_eio3=eio3, cors=CorsConfig())
        self._io = Server(engine=engine)
        self._io.on("connection")(self._connection)
        self._io.of(lambda name, auth: True).on("connection")(self._connection)

    async def run(self) -> int:
        """Serve until cancelled. Returns the exit status if that cannot begin."""
        async with trio.open_nursery() as nursery:
            try:
                addresses = await nursery.start(self._serve)
            except OSError as error:
                where = f"{self._host}:{self._port}"
                say(console(stderr=True), f"cannot listen on {where}: {error}", "red")
                return NOT_POSSIBLE
            for address in addresses:
                host = f"[{address[0]}]" if ":" in address[0] else address[0]
                say(self._out, f"listening on http://{host}:{address[1]} (Ctrl-C ends it)")
        return 0

    async def _serve(self, *, task_status: trio.TaskStatus[Any]) -> None:
        await self._io.serve(host=self._host, port=self._port, task_status=task_status)

    async def _connection(self, socket: Socket) -> None:
        who = f"{socket.namespace.name} {socket.id}"
        auth = f", auth {value_text(socket.handshake.auth)}" if socket.handshake.auth else ""
        self._tell(f"{who} connected{auth}")

        @socket.on("disconnect")
        def left(reason: object) -> None:
            self._tell(f"{who} disconnected: {reason}")

        @socket.on_any
        def came(name: object, *args: Any) -> None:
            self._tell(f"{who} < {value_text(name)} {values_text(args)}")

        @socket.use
        def answer(event: EventReceived) -> None:
            if event.name == "chat":
                socket.broadcast.emit("chat", *event.args)
            elif event.name == "echo":
                socket.emit("echo", *event.args)
            if event.reply is not None:
                event.reply(*event.args)

    def _tell(self, text: str) -> None:
        if not self._quiet:
            say(self._out, text)
