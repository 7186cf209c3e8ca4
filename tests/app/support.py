"""What the tests of the application API share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio.testing

import sioproto.engineio
from sioproto.trio import AppConfig, Server, Socket

Clock = trio.testing.MockClock


def server(
    handler: Callable[[Socket], Any] | None = None, *, app: AppConfig | None = None
) -> Server:
    """A server with one handler for ``connection``."""
    io = Server(
        engine=sioproto.engineio.ServerConfig(
            path="/socket.io/", ping_interval=1000, ping_timeout=1000
        ),
        app=app,
    )
    if handler is not None:
        io.on("connection")(handler)
    return io
