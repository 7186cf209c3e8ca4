"""The first tier of the contract on python-socketio, whatever it is served by."""

from __future__ import annotations

from typing import Any

import engineio
import socketio

FAST: dict[str, Any] = {"ping_interval": 1, "ping_timeout": 1}
SLOW: dict[str, Any] = {"ping_interval": 25, "ping_timeout": 20}


def create_engine(**options: Any) -> engineio.AsyncServer:
    """Return the Engine.IO application."""
    engine = engineio.AsyncServer(cors_allowed_origins="*", **options)

    @engine.on("message")
    async def echo(sid: str, data: object) -> None:
        await engine.send(sid, data)

    return engine


def create_sockets(**options: Any) -> socketio.AsyncServer:
    """Return the Socket.IO application."""
    sockets = socketio.AsyncServer(cors_allowed_origins="*", namespaces=["/", "/custom"], **options)

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

    return sockets
