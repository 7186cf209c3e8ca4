"""The applications of the contract on python-socketio and uvicorn, at two endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import engineio
import socketio
import uvicorn
from tier2 import NAMESPACE, serve_conformance

FAST: dict[str, Any] = {"ping_interval": 1, "ping_timeout": 1}
SLOW: dict[str, Any] = {"ping_interval": 25, "ping_timeout": 20}


def create_app(heartbeat: dict[str, Any]) -> Callable[..., Awaitable[None]]:
    """Return the applications, each at its path."""
    engine = engineio.ASGIApp(echo(heartbeat), engineio_path="engine.io")
    msgpack = fixture({**heartbeat, "serializer": "msgpack"})
    others = {
        "/engine.io/": engine,
        "/socket.io-msgpack/": socketio.ASGIApp(msgpack, socketio_path="socket.io-msgpack"),
    }
    sockets = socketio.ASGIApp(fixture(heartbeat), socketio_path="socket.io")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        served = next((app for start, app in others.items() if path.startswith(start)), sockets)
        await served(scope, receive, send)

    return app


def echo(heartbeat: dict[str, int]) -> engineio.AsyncServer:
    """Return the Engine.IO application."""
    server = engineio.AsyncServer(async_mode="asgi", cors_allowed_origins="*", **heartbeat)

    @server.on("message")
    async def message(sid: str, data: object) -> None:
        await server.send(sid, data)

    return server


def fixture(options: dict[str, Any]) -> socketio.AsyncServer:
    """Return the Socket.IO application."""
    server = socketio.AsyncServer(
        async_mode="asgi",
        cors_allowed_origins="*",
        namespaces=["/", "/custom", NAMESPACE],
        **options,
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

    serve_conformance(server)
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
    """Serve until SIGTERM."""
    options = {"ws": "wsproto", "log_level": "error", "timeout_graceful_shutdown": 1}
    servers = [Server(uvicorn.Config(create_app(one), **options)) for one in (FAST, SLOW)]
    listeners = [listen(), listen()]

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    url, slow_url = (f"http://127.0.0.1:{one.getsockname()[1]}" for one in listeners)
    print(json.dumps({"url": url, "slow_url": slow_url}), flush=True)
    await asyncio.gather(*(s.serve(sockets=[at]) for s, at in zip(servers, listeners, strict=True)))


if __name__ == "__main__":
    asyncio.run(main())
