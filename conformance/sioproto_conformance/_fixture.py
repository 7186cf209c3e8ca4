"""The contract's applications on our own server: the built-in target."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import trio

from sioproto._app._server import SocketApplication
from sioproto.engineio import CookieConfig, CorsConfig
from sioproto.engineio import ServerConfig as EngineConfig
from sioproto.socketio import MsgpackParser, RecoveryConfig
from sioproto.socketio import ServerConfig as SocketConfig
from sioproto.trio import (
    AppConfig,
    ConnectionConfig,
    DeflateConfig,
    EngineServer,
    Server,
    Session,
    Socket,
)
from sioproto.trio import serve as serve_on_trio
from sioproto_conformance import _tier2

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the first endpoint is configured. The defaults are the official applications'."""

    ping_interval: float = 0.3
    ping_timeout: float = 0.2
    connect_timeout: float = 1.0
    upgrade_timeout: float = 1.0
    max_payload: int = 1_000_000
    transports: tuple[str, ...] = ("polling", "websocket")
    recovery: bool = False
    msgpack: bool = False
    cors: str | None = None
    cookie: bool = False
    deflate: bool = False
    eio3: bool = False
    jsonp: bool = False


def serve(settings: Settings | None = None, *, port: int = 0, broken: str | None = None) -> None:
    """Serve until the process is ended.

    There are two endpoints, alike but for the second one's slow heartbeat and patience.

    Args:
        settings: of the first.
        port: of the first; 0 for any free one.
        broken: name of a way to break the server first. It may need settings of its own.

    Raises:
        ImportError: the settings need a library that is missing.
        LookupError: there is no such way.
        OSError: the port cannot be had.
        ValueError: the settings make no sense.
    """
    with ExitStack() as stack:
        if broken is not None:
            from sioproto_conformance.broken import BROKEN

            if broken not in BROKEN:
                raise LookupError(f"no broken server is called {broken!r}")
            settings = replace(settings or Settings(), **BROKEN[broken].settings)
            stack.enter_context(BROKEN[broken].broken())
        # Made before anything is served, so that nonsense is refused before anything is said.
        made, connections = endpoints(settings or Settings(), _say)
        trio.run(_serve, made, connections, port)


def endpoints(
    fast: Settings, say: Say = lambda line: None
) -> tuple[list[list[EngineServer | Server]], ConnectionConfig]:
    """The applications of both endpoints, the first as configured, and how they are served.

    What happens to sockets goes to ``say``, line by line.
    """
    slow = replace(
        fast,
        ping_interval=EngineConfig().ping_interval,
        ping_timeout=EngineConfig().ping_timeout,
        connect_timeout=SocketConfig().connect_timeout,
        upgrade_timeout=EngineConfig().upgrade_timeout,
    )
    connections = ConnectionConfig(per_message_deflate=DeflateConfig() if fast.deflate else None)
    made = [[*applications(each, say), *dialects(each, say)] for each in (fast, slow)]
    return made, connections


def _say(line: str) -> None:
    print(line, flush=True)


async def _serve(
    endpoints: list[list[EngineServer | Server]], config: ConnectionConfig, port: int
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_on_signal, nursery.cancel_scope)
        urls = []
        for applications_here, port_here in zip(endpoints, (port, 0), strict=True):
            addresses = await nursery.start(_serve_one, applications_here, config, port_here)
            host, bound = addresses[0]
            urls.append(f"http://{host}:{bound}")
        print(json.dumps({"url": urls[0], "slow_url": urls[1]}), flush=True)


async def _serve_one(
    applications_here: list[EngineServer | Server],
    config: ConnectionConfig,
    port: int,
    *,
    task_status: trio.TaskStatus[list[tuple[str, int]]],
) -> None:
    await serve_on_trio(*applications_here, port=port, config=config, task_status=task_status)


async def _end_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()
            return


def configurations(settings: Settings) -> tuple[EngineConfig, EngineConfig, SocketConfig]:
    """How the first application, and the engine and the second one, are configured."""
    engine = EngineConfig(
        ping_interval=settings.ping_interval,
        ping_timeout=settings.ping_timeout,
        upgrade_timeout=settings.upgrade_timeout,
        max_payload=settings.max_payload,
        transports=settings.transports,
        cors=None if settings.cors is None else CorsConfig(origin=settings.cors),
        cookie=CookieConfig() if settings.cookie else None,
        allow_eio3=settings.eio3,
        jsonp=settings.jsonp,
    )
    config = SocketConfig(
        connect_timeout=settings.connect_timeout,
        recovery=RecoveryConfig() if settings.recovery else None,
    )
    return engine, replace(engine, path="/socket.io/"), config


def applications(settings: Settings, say: Say = lambda line: None) -> tuple[EngineServer, Server]:
    """The applications of the contract."""
    engine, sockets, config = configurations(settings)
    io = Server(
        engine=sockets,
        config=config,
        app=AppConfig(middleware_timeout=settings.connect_timeout / 2),
        parser=MsgpackParser() if settings.msgpack else None,
    )
    install(io)
    _tier2.install(io, trio.sleep, say)
    return EngineServer(echo, config=engine), io


def dialects(settings: Settings, say: Say = lambda line: None) -> list[EngineServer | Server]:
    """The same applications in other ways of speaking, each at a path of its own.

    MessagePack is among them if its library is there.
    """
    old = replace(settings, eio3=True, jsonp=True, recovery=False, msgpack=False)
    engine, sockets, config = configurations(old)
    sockets = replace(sockets, path="/socket.io-4/")
    usual = replace(sockets, path="/socket.io-msgpack/", allow_eio3=False, jsonp=False)
    recovering = replace(config, recovery=RecoveryConfig())
    servers = [
        Server(engine=sockets, config=config),
        Server(engine=replace(usual, path="/socket.io-recovery/"), config=recovering),
    ]
    if find_spec("msgpack") is not None:
        servers.append(Server(engine=usual, config=config, parser=MsgpackParser()))
    for server in servers:
        install(server)
        _tier2.install(server, trio.sleep, say)
    return [EngineServer(echo, config=replace(engine, path="/engine.io-3/")), *servers]


async def echo(session: Session) -> None:
    """The Engine.IO application: every message comes back."""
    async for data in session:
        session.send(data)


def install(io: SocketApplication) -> None:
    """The Socket.IO application."""

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
