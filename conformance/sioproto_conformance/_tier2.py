"""The second tier of the contract on our own server, on any runtime that can sleep."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from sioproto import AckTimeout, ClosedError, ConnectionRefused, LocalProtocolError, __version__
from sioproto._app._server import SocketApplication as App
from sioproto._app._socket import Socket

FEATURES = {"acks", "broadcast-acks", "bulk", "catch-all", "close", "disconnecting"}
FEATURES |= {"dynamic-namespaces", "event-middleware", "handshake", "middleware", "room-log"}
FEATURES |= {"volatile", "without"}
Commands = dict[str, Callable[..., Any]]
Sleep = Callable[[float], Awaitable[None]]


def install(io: App, sleep: Sleep, say: Callable[[str], object] = lambda line: None) -> None:
    """Serve ``/conformance`` and its like. Each entry of the log goes to ``say`` as well."""
    log: list[Any] = []

    def note(*entry: Any) -> None:
        log.append(entry)
        say(json.dumps(entry))

    async def middleware(socket: Socket) -> None:
        auth = socket.handshake.auth
        socket.join(*auth.get("join", ()))
        await sleep(auth.get("wait", 0) / 1000)
        if "refuse" in auth:
            raise ConnectionRefused(auth["refuse"], auth.get("data"))

    def connection(socket: Socket) -> None:
        def ended(end: str, reason: str) -> None:
            note(end, socket.id, reason, list(socket.rooms))

        note("connection", socket.id)
        for end in ("disconnecting", "disconnect"):
            socket.on(end)(partial(ended, end))
        socket.on("conf:log")(lambda names: [entry for entry in log if entry[1] in names])
        obey(socket, io, sleep)

    for namespace in (io.of("/conformance"), io.of(re.compile(r"/conformance/\w+"))):
        namespace.use(middleware)
        namespace.on("connection")(connection)
        for change in ("create", "join", "leave", "delete"):
            namespace.on_room(change)(partial(note, change))


def obey(socket: Socket, io: App, sleep: Sleep) -> None:
    """Do what a client orders. What is returned here is the acknowledgement."""
    received: list[Any] = []

    def audience(whom: str, to: Any = (), without: Any = (), volatile: bool = False) -> Any:
        found: Any = io.of(socket.namespace.name) if whom == "all" else socket
        if whom != "me":
            found = found.to(*to).except_(*without)
        return found.volatile if volatile else found

    def emit(order: Any, *event: Any) -> Any:
        try:
            return audience(**order).emit(*event)
        except LocalProtocolError as refusal:
            return str(refusal)

    async def ask(order: Any, milliseconds: float, *event: Any) -> Any:
        try:
            found = await audience(**order).request(*event, timeout=milliseconds / 1000)
        except (AckTimeout, ClosedError) as failure:
            return [False, getattr(failure, "responses", [])]
        return [True, list(found) if isinstance(found, (list, tuple)) else [found]]

    async def burst(count: int, pause: float) -> None:
        for number in range(count):
            socket.emit("burst", number)
            await sleep(pause / 1000)

    def wrap_or_refuse(event: Any) -> None:
        if event.name == "refuse":
            raise ConnectionRefused
        if event.name == "wrap":
            event.name, event.args = "wrapped", ["wrap", *event.args]

    def about() -> dict[str, Any]:
        handshake = json.loads(json.dumps(asdict(socket.handshake), default=str))
        mine = {name: getattr(socket, name) for name in ("id", "data", "connected", "recovered")}
        return {**mine, "rooms": list(socket.rooms), "handshake": handshake}

    commands: Commands = {
        "info": lambda names: ["sioproto", __version__, [one for one in names if one in FEATURES]],
        "self": about,
        "data": lambda value: setattr(socket, "data", value),
        "received": lambda: received,
        "join": socket.join,
        "leave": socket.leave,
        "emit": emit,
        "send": socket.send,
        "members": lambda order: [one.id for one in audience(**order).fetch_sockets()],
        "join-all": lambda order, room: audience(**order).sockets_join(room),
        "leave-all": lambda order, room: audience(**order).sockets_leave(room),
        "disconnect-all": lambda order, close: audience(**order).disconnect_sockets(close),
        "disconnect": socket.disconnect,
    }
    slow: Commands = {"ask": ask, "burst": burst, "late": lambda pause: sleep(pause / 1000)}
    for name, command in (commands | slow).items():
        socket.on(f"conf:{name}", concurrent=name in slow)(command)
    socket.on("wrapped")(lambda *args: args)
    socket.use(wrap_or_refuse)
    socket.on_any(lambda *event: received.append(event))
