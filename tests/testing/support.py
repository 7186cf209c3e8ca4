"""What the tests of the test client share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
import trio.testing

from sioproto.trio import Server, Socket

Clock = trio.testing.MockClock


def chat_server(ends: list[Any] | None = None, **options: Any) -> Server:
    """An application with a bit of everything."""
    io = Server(**options)

    @io.on("connection")
    async def connection(socket: Socket) -> None:
        await trio.lowlevel.checkpoint()
        socket.join("lobby")
        socket.on("echo")(lambda *args: args)
        socket.on("tell")(lambda name, *args: socket.emit(name, *args))
        socket.on("kick")(lambda close: socket.disconnect(close))

        @socket.on("ask")
        async def ask(name: str) -> Any:
            return await socket.request(name, timeout=30)

        @socket.on("disconnect")
        def disconnect(reason: str, details: Any) -> None:
            if ends is not None:
                ends.append((socket.namespace.name, str(reason), details))

    for name in ("/a", "/b"):
        io.of(name).on("connection")(connection)
    return io


def pause(seconds: float) -> Callable[[object], Awaitable[None]]:
    """A handler or middleware that takes its time."""

    async def handler(_: object) -> None:
        await trio.sleep(seconds)

    return handler
