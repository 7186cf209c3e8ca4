"""The second tier of the contract on our own server: what a client may order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from sioproto import AckTimeout, ConnectionRefused, LocalProtocolError, __version__
from sioproto._app._server import SocketApplication
from sioproto._app._socket import Socket

FEATURES = {"acks", "acks-twice", "broadcast-acks", "bulk", "catch-all", "close", "conn-close"}
FEATURES |= {"disconnecting", "dynamic-namespaces", "error-log", "event-middleware"}
FEATURES |= {"function-namespaces", "handshake", "middleware", "middleware-errors", "outgoing"}
FEATURES |= {"room-log", "volatile", "without"}


def obey(socket: Socket, io: SocketApplication, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Do what a client orders. What is returned here is the acknowledgement."""
    seen: dict[str, list[Any]] = {"received": [], "sent": []}

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
        except AckTimeout as failure:
            return [False, failure.responses]
        return [True, list(found) if isinstance(found, (list, tuple)) else [found]]

    async def burst(count: int, pause: float) -> None:
        for number in range(count):
            socket.emit("burst", number)
            await sleep(pause / 1000)

    def meddle(event: Any) -> None:
        if event.name == "refuse":
            raise ConnectionRefused("not wanted")
        if event.name == "wrap":
            event.name, event.args = "conf:send", ["wrap", *event.args]
        if event.name == "twice":
            event.reply("first")
            event.reply("second")

    def about() -> dict[str, Any]:
        handshake = {**asdict(socket.handshake), "time": str(socket.handshake.time)}
        mine = {name: getattr(socket, name) for name in ("id", "data", "connected", "recovered")}
        return {**mine, "rooms": list(socket.rooms), "handshake": handshake}

    orders: dict[str, Callable[..., Any]] = {
        "info": lambda names: ["sioproto", __version__, [one for one in names if one in FEATURES]],
        "self": about,
        "data": lambda value: setattr(socket, "data", value),
        "seen": lambda: seen,
        "late": lambda pause: sleep(pause / 1000),
        "join": socket.join,
        "leave": socket.leave,
        "emit": emit,
        "send": socket.send,
        "burst": burst,
        "ask": ask,
        "disconnect": socket.disconnect,
        "close": lambda: io.engine().close(socket.sid, now=io.now()),
        "members": lambda order: [one.id for one in audience(**order).fetch_sockets()],
        "join-all": lambda order, room: audience(**order).sockets_join(room),
        "leave-all": lambda order, room: audience(**order).sockets_leave(room),
        "disconnect-all": lambda order, close: audience(**order).disconnect_sockets(close),
    }
    for name, order in orders.items():
        socket.on(f"conf:{name}", concurrent=name in ("ask", "burst", "late"))(order)
    socket.use(meddle)
    socket.on_any(lambda *event: seen["received"].append(event))
    socket.on_any_outgoing(lambda *event: seen["sent"].append(event))
