"""Our server on trio, with real handlers, speaking the application of the bench."""

from __future__ import annotations

import gc
import ssl
from functools import partial
from pathlib import Path
from typing import Any

import click
import trio

from sioproto.trio import ConnectionConfig, Server, Socket


class Application:
    """The bench's events.

    Args:
        plain: handlers are plain functions. Otherwise they are ``async``, as they are in most
            applications, and as those of the other Python servers here are.
    """

    def __init__(self, *, plain: bool) -> None:
        self.io = Server()
        self.received = 0
        for name in ("/", "/other"):
            self.io.of(name).on("connection")(self._plain if plain else self._async)

    def _plain(self, socket: Socket) -> None:
        io = self.io

        @socket.on("echo")
        def echo(value: Any) -> Any:
            return value

        @socket.on("ev")
        def ev(value: Any) -> None:
            self.received += 1

        @socket.on("bcast")
        def bcast(value: Any) -> None:
            io.emit("msg", value)

        @socket.on("broom")
        def broom(value: Any) -> None:
            io.to("r").emit("msg", value)

        self._service(socket)

    def _async(self, socket: Socket) -> None:
        io = self.io

        @socket.on("echo")
        async def echo(value: Any) -> Any:
            return value

        @socket.on("ev")
        async def ev(value: Any) -> None:
            self.received += 1

        @socket.on("bcast")
        async def bcast(value: Any) -> None:
            io.emit("msg", value)

        @socket.on("broom")
        async def broom(value: Any) -> None:
            io.to("r").emit("msg", value)

        self._service(socket)

    def _service(self, socket: Socket) -> None:
        """What is asked outside of what is measured."""

        @socket.on("join")
        def join() -> bool:
            socket.join("r")
            return True

        @socket.on("count")
        def count() -> int:
            return self.received

        @socket.on("gc")
        def collect() -> bool:
            gc.collect()
            return True

        @socket.on("statistics")
        def statistics() -> dict[str, int]:
            found = self.io.statistics()
            gc.collect()
            return {
                "sessions": found.engine.sessions,
                "sockets": found.sockets,
                "tasks": trio.lowlevel.current_statistics().tasks_living,
                "timers": found.timers + found.engine.timers,
            }


@click.command(help=__doc__)
@click.argument("port", type=int)
@click.option("--plain", is_flag=True, help="Handlers are plain functions.")
@click.option("--lanes-off", is_flag=True, help="Without the short ways for what is usual.")
@click.option("--certificate", type=click.Path(path_type=Path), help="PEM; serves TLS if given.")
def main(port: int, plain: bool, lanes_off: bool, certificate: Path | None) -> None:
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    config = ConnectionConfig(fast_lanes=not lanes_off)
    io = Application(plain=plain).io
    trio.run(
        partial(io.serve, host="127.0.0.1", port=port, ssl_context=context, config=config),
    )


if __name__ == "__main__":
    main()
