"""The two applications of tier 1 on python-socketio and aiohttp, at two endpoints."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import engineio
import socketio
from aiohttp import web

FAST = {"ping_interval": 1, "ping_timeout": 1}
SLOW = {"ping_interval": 25, "ping_timeout": 20}


def create_app(heartbeat: dict[str, int]) -> web.Application:
    """Return both applications, each at its path."""
    # aiohttp's own limit is below that of the payload.
    app = web.Application(client_max_size=2_000_000)
    options: dict[str, Any] = {"async_mode": "aiohttp", "cors_allowed_origins": "*", **heartbeat}
    engine = engineio.AsyncServer(**options)
    engine.attach(app, engineio_path="engine.io")
    sockets = socketio.AsyncServer(namespaces=["/", "/custom"], **options)
    sockets.attach(app, socketio_path="socket.io")
    install(engine, sockets)
    return app


def install(engine: engineio.AsyncServer, sockets: socketio.AsyncServer) -> None:
    """Make the servers do what the contract says."""

    @engine.on("message")
    async def echo(sid: str, data: object) -> None:
        await engine.send(sid, data)

    @sockets.on("connect")
    async def connect(sid: str, environ: object, auth: object) -> None:
        await sockets.emit("auth", auth or {}, to=sid)

    @sockets.on("connect", namespace="/custom")
    async def connect_custom(sid: str, environ: object, auth: object) -> None:
        await sockets.emit("auth", auth or {}, to=sid, namespace="/custom")

    @sockets.on("message")
    async def message(sid: str, *args: object) -> None:
        await sockets.emit("message-back", args, to=sid)

    @sockets.on("message-with-ack")
    async def message_with_ack(sid: str, *args: object) -> tuple[object, ...]:
        return args


async def main() -> None:
    """Serve until SIGTERM."""
    urls = {}
    runners = []
    for name, heartbeat in (("url", FAST), ("slow_url", SLOW)):
        runner = web.AppRunner(create_app(heartbeat), access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        urls[name] = f"http://127.0.0.1:{runner.addresses[0][1]}"
        runners.append(runner)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(json.dumps(urls), flush=True)
    await stopped.wait()
    for runner in runners:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
