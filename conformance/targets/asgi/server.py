"""The two applications of the contract on ``sioproto.asgi``, under an ASGI server named in argv.

They are those of the built-in target, which were written for trio.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Iterator
from functools import partial

import anyio

from sioproto.asgi import AppConfig, EngineServer, Server
from sioproto_conformance import _tier2
from sioproto_conformance._fixture import Settings, configurations, echo, install

SLOW = Settings(ping_interval=25, ping_timeout=20, connect_timeout=45, upgrade_timeout=10)


def create_app(settings: Settings) -> Server:
    """Return both applications, each at its path."""
    engine, sockets, config = configurations(settings)
    io = Server(
        engine=sockets,
        config=config,
        app=AppConfig(middleware_timeout=settings.connect_timeout / 2),
        other=EngineServer(echo, config=engine),
    )
    install(io)
    _tier2.install(io, anyio.sleep, partial(print, flush=True))
    return io


def listen() -> socket.socket:
    """Return a socket that already accepts connections."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener


def announce(fast: socket.socket, slow: socket.socket) -> None:
    """Say where the endpoints are."""
    urls = {
        name: f"http://127.0.0.1:{listener.getsockname()[1]}"
        for name, listener in (("url", fast), ("slow_url", slow))
    }
    print(json.dumps(urls), flush=True)


async def uvicorn_main(implementation: str) -> None:
    """Serve on asyncio until SIGTERM."""
    import uvicorn

    class OneOfTwo(uvicorn.Server):
        """It must not take the signals."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    listeners = [listen(), listen()]
    servers = [
        OneOfTwo(
            uvicorn.Config(
                create_app(settings),
                ws=implementation,
                ws_ping_interval=None,
                lifespan="on",
                log_level="error",
                timeout_graceful_shutdown=1,
            )
        )
        for settings in (Settings(), SLOW)
    ]

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    announce(*listeners)
    await asyncio.gather(
        *(
            server.serve(sockets=[listener])
            for server, listener in zip(servers, listeners, strict=True)
        )
    )


async def hypercorn_main() -> None:
    """Serve on trio until SIGTERM."""
    import trio
    from hypercorn.config import Config

    listeners = [listen(), listen()]
    stopped = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            for settings, listener in zip((Settings(), SLOW), listeners, strict=True):
                config = Config()
                config.bind = [f"fd://{listener.fileno()}"]
                config.graceful_timeout = 1
                nursery.start_soon(_serve_on_hypercorn, create_app(settings), config, stopped)
            announce(*listeners)
            async for _ in signals:
                stopped.set()
                break


async def _serve_on_hypercorn(app, config, stopped) -> None:  # type: ignore[no-untyped-def]  # hypercorn's
    import hypercorn.trio

    await hypercorn.trio.serve(app, config, shutdown_trigger=stopped.wait)


def main() -> None:
    """Serve with the server, and its implementation of WebSocket, that argv names."""
    name, *options = sys.argv[1:]
    if name == "uvicorn":
        asyncio.run(uvicorn_main(*options))
    else:
        import trio

        trio.run(hypercorn_main)


if __name__ == "__main__":
    main()
