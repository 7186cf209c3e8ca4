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
from tier1 import FAST, SLOW, create_engine, create_sockets
from tier2 import Conformance


def create_app(heartbeat: dict[str, int]) -> Callable[..., Awaitable[None]]:
    """Return the applications, each at its path."""
    options = {"async_mode": "asgi", **heartbeat}
    apps = {"/engine.io/": engineio.ASGIApp(create_engine(**options), engineio_path="engine.io")}
    for name, dialect in (("socket.io-msgpack", {"serializer": "msgpack"}), ("socket.io", {})):
        sockets = create_sockets(**options, **dialect)
        sockets.register_namespace(Conformance())
        apps[f"/{name}/"] = socketio.ASGIApp(sockets, socketio_path=name)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        found = [app for start, app in apps.items() if path.startswith(start)]
        await (found or [apps["/socket.io/"]])[0](scope, receive, send)

    return app


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
