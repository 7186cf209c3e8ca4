"""What peers talk to: one application, for any runtime that serves it.

Both namespaces, ``/`` and ``/custom``, answer the same events. ``node/reference.cjs`` is the same
on the reference.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

import sioproto
import sioproto.asgi
import sioproto.trio
from sioproto.engineio import ServerConfig
from sioproto.socketio import MsgpackParser, RecoveryConfig
from sioproto.socketio import ServerConfig as SocketConfig
from sioproto.trio import Namespace, Socket

NODE_FOLDER = Path(__file__).parent / "node"
JAVASCRIPT = "text/javascript; charset=utf-8"
PAGES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/client.js": ("node_modules/socket.io-client/dist/socket.io.min.js", JAVASCRIPT),
    "/page.mjs": ("page.mjs", JAVASCRIPT),
    "/peer.mjs": ("peer.mjs", JAVASCRIPT),
    "/scenarios.mjs": ("scenarios.mjs", JAVASCRIPT),
}


class Departures:
    """Why sockets left. Anyone may ask about a socket before it is gone."""

    def __init__(self) -> None:
        self._gone: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        self._seen: defaultdict[str, list[Any]] = defaultdict(list)

    def note(self, id: str, name: str, *details: Any) -> None:
        self._seen[id].append([name, *details])
        if name == "disconnect":
            self._gone[id].set()

    async def of(self, id: str) -> list[Any]:
        """What was noted about a socket, up to the end of its ``disconnect`` listener."""
        with anyio.fail_after(10):
            await self._gone[id].wait()
        return self._seen[id]


def install(namespace: Namespace, departures: Departures) -> None:
    """Give a namespace its middleware and its listeners."""

    @namespace.use
    async def authenticate(socket: Socket) -> None:
        await anyio.lowlevel.checkpoint()
        # Clients of revision 4 have no payload to put credentials into, but a query.
        credentials = {**socket.handshake.query, **socket.handshake.auth}
        if credentials.get("token") == "wrong":
            raise sioproto.ConnectionRefused("wrong token", data={"retry": False})
        if credentials.get("token") == "old":
            raise sioproto.ConnectionRefused("old token")
        socket.data["user"] = credentials.get("user")

    @namespace.on("connection")
    def connection(socket: Socket) -> None:
        received: list[int] = []
        socket.emit("welcome", socket.id, socket.data["user"])

        @socket.on("echo")
        def echo(*args: Any) -> None:
            socket.emit("echo", *args)

        @socket.on("echo-ack")
        def echo_ack(*args: Any) -> tuple[Any, ...]:
            return args

        @socket.on("ask-me")
        async def ask_me(*args: Any) -> Any:
            return await socket.request("question", *args, timeout=5)

        @socket.on("join")
        def join(*rooms: str) -> list[str]:
            socket.join(*rooms)
            return list(socket.rooms)

        @socket.on("leave")
        def leave(room: str) -> list[str]:
            socket.leave(room)
            return list(socket.rooms)

        @socket.on("tell-room")
        def tell_room(rooms: list[str], *args: Any) -> None:
            socket.to(*rooms).emit("told", socket.id, *args)

        @socket.on("tell-everybody-but")
        def tell_everybody_but(room: str, *args: Any) -> None:
            namespace.except_(room).emit("told", socket.id, *args)

        @socket.on("number")
        def number(value: int) -> int:
            received.append(value)
            socket.emit("numbered", value)
            return value

        @socket.on("numbers")
        def numbers() -> list[int]:
            return received

        @socket.on("kick-me")
        def kick_me(close: bool) -> None:
            socket.emit("bye")
            socket.disconnect(close=close)

        @socket.on("departure-of")
        async def departure_of(id: str) -> list[Any]:
            return await departures.of(id)

        @socket.on("disconnecting")
        def disconnecting(reason: str) -> None:
            departures.note(socket.id, "disconnecting", reason, list(socket.rooms))

        @socket.on("disconnect")
        def disconnect(reason: str) -> None:
            departures.note(socket.id, "disconnect", reason, list(socket.rooms))


def install_everywhere(io: sioproto.asgi.Server | sioproto.trio.Server) -> None:
    """Give both namespaces theirs."""
    departures = Departures()
    install(io.of("/"), departures)
    install(io.of("/custom"), departures)


async def page(method: str, path: str) -> tuple[str, bytes] | None:
    """The page for a browser, or one of its scripts: content type and bytes."""
    if method != "GET" or path not in PAGES:
        return None
    name, content_type = PAGES[path]
    return content_type, await anyio.Path(NODE_FOLDER, name).read_bytes()


def parser_of_options() -> argparse.ArgumentParser:
    """What every server of the application can be told. Times are seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ping-interval", type=float, default=25)
    parser.add_argument("--ping-timeout", type=float, default=20)
    parser.add_argument("--recovery", type=int, default=0)
    parser.add_argument("--msgpack", type=int, default=0)
    return parser


def configuration(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of ``Server`` for these options."""
    return {
        "engine": ServerConfig(
            path="/socket.io/",
            allow_eio3=True,  # clients of major version 2, on the same port
            ping_interval=options.ping_interval,
            ping_timeout=options.ping_timeout,
        ),
        "config": SocketConfig(recovery=RecoveryConfig() if options.recovery else None),
        "parser": MsgpackParser() if options.msgpack else None,
    }
