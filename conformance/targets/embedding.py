"""The contract's two applications on the bare core, for embeddings of it to serve."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sioproto import ClosedError
from sioproto.engineio import EngineServer, MessageReceived, ServerConfig
from sioproto.socketio import Connected, ConnectRequested, EventReceived, SocketServer
from sioproto.socketio import ServerConfig as SocketConfig

Application = Callable[[Any], None]

FAST = ServerConfig(ping_interval=0.3, ping_timeout=0.2), SocketConfig(connect_timeout=1)
SLOW = ServerConfig(), SocketConfig()


def applications(
    configs: tuple[ServerConfig, SocketConfig], **changes: Any
) -> list[tuple[Any, Application]]:
    """Two cores, each with the function that is to be shown its events.

    Args:
        configs: of the engines, and of Socket.IO.
        changes: to the configuration of the engines.
    """
    config = replace(configs[0], **changes)
    echo: EngineServer[Any] = EngineServer(config, new_sid=_new_id)
    engine: EngineServer[Any] = EngineServer(replace(config, path="/socket.io/"), new_sid=_new_id)
    core = SocketServer(engine, configs[1], new_id=_new_id, wall_clock=time.time)
    core.of("/custom")
    return [(echo, _echo(echo)), (core, _fixture(core))]


def _new_id() -> str:
    return secrets.token_urlsafe(15)


def _echo(core: EngineServer[Any]) -> Application:
    def application(out: Any) -> None:
        if isinstance(out, MessageReceived):
            with suppress(ClosedError):
                core.send(out.sid, out.data)

    return application


def _fixture(core: SocketServer[Any]) -> Application:
    def application(out: Any) -> None:
        match out:
            case ConnectRequested():
                with suppress(ClosedError):  # gone already, by what came with it
                    core.accept(out.socket)
            case Connected():
                out.socket.emit("auth", out.socket.handshake.auth)
            case EventReceived() if out.socket.namespace.name == "/":
                if out.name == "message":
                    out.socket.emit("message-back", *out.args)
                elif out.name == "message-with-ack" and out.reply is not None:
                    out.reply(*out.args)

    return application
