"""The application that all peers talk to.

``python app.py [--port N] [--ping-interval SECONDS] [--ping-timeout SECONDS] [--recovery 1]``
serves on 127.0.0.1 until SIGTERM and prints one line of JSON, ``{"url": ...}``, once it accepts
connections. Both namespaces, ``/`` and ``/custom``, answer the same events. Other paths have what
a browser needs to be a peer as well. ``node/reference.cjs`` is the same on the reference.
"""

from __future__ import annotations

import argparse
import json
import signal
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import trio

import sioproto
import sioproto.engineio
import sioproto.socketio
import sioproto.trio
from sioproto.engineio import Request
from sioproto.trio import Namespace, Response, Socket

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
        self._gone: defaultdict[str, trio.Event] = defaultdict(trio.Event)
        self._seen: defaultdict[str, list[Any]] = defaultdict(list)

    def note(self, id: str, name: str, *details: Any) -> None:
        self._seen[id].append([name, *details])
        if name == "disconnect":
            self._gone[id].set()

    async def of(self, id: str) -> list[Any]:
        """What was noted about a socket, up to the end of its ``disconnect`` listener."""
        with trio.fail_after(10):
            await self._gone[id].wait()
        return self._seen[id]


def install(namespace: Namespace, departures: Departures) -> None:
    """Give a namespace its middleware and its listeners."""

    @namespace.use
    async def authenticate(socket: Socket) -> None:
        await trio.lowlevel.checkpoint()
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


async def page(request: Request) -> Response | None:
    """The page for a browser, and its scripts."""
    if request.method != "GET" or request.target not in PAGES:
        return None
    name, content_type = PAGES[request.target]
    body = await trio.Path(NODE_FOLDER, name).read_bytes()
    return Response(headers=(("content-type", content_type),), body=body)


async def main(options: argparse.Namespace) -> None:
    io = sioproto.trio.Server(
        engine=sioproto.engineio.ServerConfig(
            path="/socket.io/",
            allow_eio3=True,  # clients of major version 2, on the same port
            ping_interval=options.ping_interval,
            ping_timeout=options.ping_timeout,
        ),
        config=sioproto.socketio.ServerConfig(
            recovery=sioproto.socketio.RecoveryConfig() if options.recovery else None
        ),
    )
    departures = Departures()
    install(io.of("/"), departures)
    install(io.of("/custom"), departures)
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            serve = partial(io.serve, host="127.0.0.1", port=options.port, fallback=page)
            (host, port), *_ = await nursery.start(serve)
            print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
            async for _ in signals:
                nursery.cancel_scope.cancel()
                break


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ping-interval", type=float, default=25)
    parser.add_argument("--ping-timeout", type=float, default=20)
    parser.add_argument("--recovery", type=int, default=0)
    trio.run(main, parser.parse_args())
