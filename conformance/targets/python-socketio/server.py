"""The two applications of the contract on python-socketio and uvicorn, at two endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import engineio
import socketio
import uvicorn

FAST = {"ping_interval": 1, "ping_timeout": 1}
SLOW = {"ping_interval": 25, "ping_timeout": 20}


def create_app(heartbeat: dict[str, int]) -> Callable[..., Awaitable[None]]:
    """Return both applications, each at its path."""
    engine = engineio.ASGIApp(echo(heartbeat), engineio_path="engine.io")
    sockets = socketio.ASGIApp(fixture(heartbeat), socketio_path="socket.io")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        await (engine if path.startswith("/engine.io/") else sockets)(scope, receive, send)

    return app


def echo(heartbeat: dict[str, int]) -> engineio.AsyncServer:
    """Return the Engine.IO application."""
    server = engineio.AsyncServer(async_mode="asgi", cors_allowed_origins="*", **heartbeat)

    @server.on("message")
    async def message(sid: str, data: object) -> None:
        await server.send(sid, data)

    return server


def fixture(heartbeat: dict[str, int]) -> socketio.AsyncServer:
    """Return the Socket.IO application."""
    server = socketio.AsyncServer(
        async_mode="asgi", cors_allowed_origins="*", namespaces=["/", "/custom"], **heartbeat
    )

    @server.on("connect")
    async def connect(sid: str, environ: object, auth: object) -> None:
        await server.emit("auth", auth or {}, to=sid)

    @server.on("connect", namespace="/custom")
    async def connect_custom(sid: str, environ: object, auth: object) -> None:
        await server.emit("auth", auth or {}, to=sid, namespace="/custom")

    @server.on("message")
    async def message(sid: str, *args: object) -> None:
        await server.emit("message-back", args, to=sid)

    @server.on("message-with-ack")
    async def message_with_ack(sid: str, *args: object) -> tuple[object, ...]:
        return args

    return server


class Server(uvicorn.Server):
    """One of two in a process, so that it must not take the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen() -> socket.socket:
    """Return a socket that already accepts connections."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener


async def main() -> None:
    """Serve until the process is ended."""
    listeners = {"url": (listen(), FAST), "slow_url": (listen(), SLOW)}
    servers = [
        Server(uvicorn.Config(create_app(heartbeat), ws="wsproto", log_level="error")).serve(
            sockets=[listener]
        )
        for listener, heartbeat in listeners.values()
    ]
    urls = {
        name: f"http://127.0.0.1:{listener.getsockname()[1]}"
        for name, (listener, _) in listeners.items()
    }
    print(json.dumps(urls), flush=True)
    await asyncio.gather(*servers)


if __name__ == "__main__":
    asyncio.run(main())
