"""The application of app.py on python-socketio and uvicorn, as far as that goes.

Options, and what is printed, are those of app.py; there is no recovery, and heartbeats have whole
seconds. What an application cannot have there is made up for: an event in front of ``disconnect``,
the words for the reasons, and the order of a socket's rooms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import socket
import sys
from collections import defaultdict
from collections.abc import Callable
from math import ceil
from typing import Any, TypeVar
from urllib.parse import parse_qs

import socketio
import uvicorn
from engineio.payload import Payload

NAMESPACES = ("/", "/custom")
F = TypeVar("F", bound=Callable[..., Any])
SILENT = logging.Logger("silent", logging.CRITICAL)
REASONS = {
    "client disconnect": "client namespace disconnect",
    "server disconnect": "server namespace disconnect",
}

# It drops a connection on which one POST has more packets than this: 16, unless told otherwise.
Payload.max_decode_packets = 500


class Departures:
    """Why sockets left. Anyone may ask about a socket before it is gone."""

    def __init__(self) -> None:
        self._gone: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._seen: dict[str, list[Any]] = {}

    def note(self, id: str, reason: str, rooms: list[str]) -> None:
        self._seen[id] = [["disconnecting", reason, rooms], ["disconnect", reason, []]]
        self._gone[id].set()

    async def of(self, id: str) -> list[Any]:
        async with asyncio.timeout(10):
            await self._gone[id].wait()
        return self._seen[id]


def install(io: socketio.AsyncServer, namespace: str, departures: Departures) -> None:
    """Give a namespace its handlers."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)

    def on(name: str) -> Callable[[F], F]:
        def register(function: F) -> F:
            io.on(name, function, namespace=namespace)
            return function

        return register

    async def emit(name: str, *args: Any, **options: Any) -> None:
        await io.emit(name, args, namespace=namespace, **options)

    def rooms_of(id: str) -> list[str]:
        return [id, *(room for room in io.rooms(id, namespace) if room != id)]

    @on("connect")
    async def connect(id: str, environ: dict[str, Any], auth: dict[str, Any] | None) -> None:
        query = {key: values[-1] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
        credentials = {**query, **(auth or {})}
        if credentials.get("token") == "wrong":
            raise socketio.exceptions.ConnectionRefusedError("wrong token", {"retry": False})
        if credentials.get("token") == "old":
            raise socketio.exceptions.ConnectionRefusedError("old token")
        await emit("welcome", id, credentials.get("user"), to=id)

    @on("disconnect")
    def disconnect(id: str, reason: str) -> None:
        departures.note(id, REASONS.get(reason, reason), rooms_of(id))

    @on("echo")
    async def echo(id: str, *args: Any) -> None:
        await emit("echo", *args, to=id)

    @on("echo-ack")
    def echo_ack(id: str, *args: Any) -> tuple[Any, ...]:
        return args

    @on("ask-me")
    async def ask_me(id: str, *args: Any) -> Any:
        return await io.call("question", args, to=id, namespace=namespace, timeout=5)

    @on("join")
    async def join(id: str, *rooms: str) -> list[str]:
        for room in rooms:
            await io.enter_room(id, room, namespace)
        return rooms_of(id)

    @on("leave")
    async def leave(id: str, room: str) -> list[str]:
        await io.leave_room(id, room, namespace)
        return rooms_of(id)

    @on("tell-room")
    async def tell_room(id: str, rooms: list[str], *args: Any) -> None:
        await emit("told", id, *args, to=rooms, skip_sid=id)

    @on("tell-everybody-but")
    async def tell_everybody_but(id: str, room: str, *args: Any) -> None:
        skip = [other for other, _ in io.manager.get_participants(namespace, room)]
        await emit("told", id, *args, skip_sid=skip)

    @on("number")
    async def number(id: str, value: int) -> int:
        numbers[id].append(value)
        await emit("numbered", value, to=id)
        return value

    @on("numbers")
    def all_numbers(id: str) -> list[int]:
        return numbers[id]

    @on("kick-me")
    async def kick_me(id: str, close: bool) -> None:
        await emit("bye", to=id)
        await io.disconnect(id, namespace)

    @on("departure-of")
    async def departure_of(id: str, other: str) -> list[Any]:
        return await departures.of(other)


async def serve(options: argparse.Namespace, listener: socket.socket) -> None:
    io = socketio.AsyncServer(
        async_mode="asgi",
        cors_allowed_origins="*",
        namespaces=[*NAMESPACES],
        ping_interval=ceil(options.ping_interval),
        ping_timeout=ceil(options.ping_timeout),
        logger=SILENT,
        engineio_logger=SILENT,
    )
    departures = Departures()
    for namespace in NAMESPACES:
        install(io, namespace, departures)
    app = socketio.ASGIApp(io, on_shutdown=io.shutdown)
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve(sockets=[listener])


def main(options: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # uvicorn raises it again at the end
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", options.port))
        listener.listen(1024)
        json.dump({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}, sys.stdout)
        sys.stdout.write("\n")
        sys.stdout.flush()
        asyncio.run(serve(options, listener))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ping-interval", type=float, default=25)
    parser.add_argument("--ping-timeout", type=float, default=20)
    main(parser.parse_args())
