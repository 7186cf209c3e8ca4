"""The contract's applications on our own server: the built-in target."""

from __future__ import annotations

import json
import signal
from typing import Any

import trio

import sioproto.engineio
import sioproto.socketio
from sioproto.trio import EngineServer, Server, Session, Socket
from sioproto.trio import serve as serve_on_trio

FAST_HEARTBEAT = {"ping_interval": 0.3, "ping_timeout": 0.2}
CONNECT_TIMEOUT = 1.0


def serve(*, port: int = 0, broken: str | None = None) -> None:
    """Serve until the process is ended.

    There are two endpoints: one with the contract's fast heartbeat, and one with a slow one.

    Args:
        port: of the first; 0 for any free one.
        broken: name of a way to break the server first.

    Raises:
        LookupError: there is no such way.
        OSError: the port cannot be had.
    """
    if broken is not None:
        from sioproto_conformance.broken import BROKEN

        if broken not in BROKEN:
            raise LookupError(f"no broken server is called {broken!r}")
        BROKEN[broken].apply()
    trio.run(_serve, port)


async def _serve(port: int) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_on_signal, nursery.cancel_scope)
        fast = await nursery.start(_serve_one, port, FAST_HEARTBEAT, CONNECT_TIMEOUT)
        slow = await nursery.start(_serve_one, 0, {}, None)
        print(json.dumps({"url": _url(fast), "slow_url": _url(slow)}), flush=True)


async def _end_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _url(addresses: list[tuple[str, int]]) -> str:
    host, port = addresses[0]
    return f"http://{host}:{port}"


async def _serve_one(
    port: int,
    heartbeat: dict[str, float],
    connect_timeout: float | None,
    *,
    task_status: trio.TaskStatus[list[tuple[str, int]]],
) -> None:
    limits = {} if connect_timeout is None else {"connect_timeout": connect_timeout}
    await serve_on_trio(
        EngineServer(echo, config=sioproto.engineio.ServerConfig(**heartbeat)),  # type: ignore[arg-type]  # all of these are times
        socket_application(
            sioproto.engineio.ServerConfig(path="/socket.io/", **heartbeat),  # type: ignore[arg-type]  # here too
            sioproto.socketio.ServerConfig(**limits),  # type: ignore[arg-type]  # and here
        ),
        port=port,
        task_status=task_status,
    )


async def echo(session: Session) -> None:
    """The Engine.IO application: every message comes back."""
    async for data in session:
        session.send(data)


def socket_application(
    engine: sioproto.engineio.ServerConfig, config: sioproto.socketio.ServerConfig
) -> Server:
    """The Socket.IO application of the contract."""
    io = Server(engine=engine, config=config)

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.emit("auth", socket.handshake.auth)

        @socket.on("message")
        def message(*args: Any) -> None:
            socket.emit("message-back", *args)

        @socket.on("message-with-ack")
        def message_with_ack(*args: Any) -> tuple[Any, ...]:
            return args

    @io.of("/custom").on("connection")
    def custom_connection(socket: Socket) -> None:
        socket.emit("auth", socket.handshake.auth)

    return io
