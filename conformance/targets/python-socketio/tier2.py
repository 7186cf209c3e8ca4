"""The second tier of the contract on python-socketio."""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.metadata import version
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError

# What middleware does elsewhere, the handler of `connect` does here.
FEATURES = ("acks", "middleware")
NAMESPACE = "/conformance"


def serve_conformance(server: socketio.AsyncServer) -> None:
    """Serve ``/conformance``."""
    log: list[Any] = []
    received: defaultdict[str, list[Any]] = defaultdict(list)

    def note(*entry: Any) -> None:
        log.append(entry)
        print(json.dumps(entry), flush=True)

    @server.on("connect", namespace=NAMESPACE)
    async def connect(sid: str, environ: object, auth: dict[str, Any] | None) -> None:
        wanted = auth or {}
        for room in wanted.get("join", ()):
            await server.enter_room(sid, room, NAMESPACE)
        await server.sleep(wanted.get("wait", 0) / 1000)
        if "refuse" in wanted:
            raise ConnectionRefusedError(wanted["refuse"], *filter(None, [wanted.get("data")]))
        note("connection", sid)

    @server.on("disconnect", namespace=NAMESPACE)
    async def disconnect(sid: str, reason: str) -> None:
        note("disconnect", sid, reason, server.rooms(sid, NAMESPACE))

    @server.on("*", namespace=NAMESPACE)
    async def any_event(name: str, sid: str, *args: Any) -> None:
        received[sid].append([name, *args])

    def audience(sid: str, whom: str, to: Any = None) -> dict[str, Any]:
        skipped = sid if whom == "others" else None
        return {"to": sid if whom == "me" else to, "skip_sid": skipped, "namespace": NAMESPACE}

    def command(name: str) -> Any:
        return server.on(f"conf:{name}", namespace=NAMESPACE)

    @command("info")
    async def info(sid: str, names: list[str]) -> list[Any]:
        has = [name for name in names if name in FEATURES]
        return ["python-socketio", version("python-socketio"), has]

    @command("self")
    async def about(sid: str) -> dict[str, Any]:
        data = await server.get_session(sid, NAMESPACE)
        return {"id": sid, "rooms": server.rooms(sid, NAMESPACE), "data": data}

    @command("data")
    async def keep(sid: str, value: Any) -> None:
        await server.save_session(sid, value, NAMESPACE)

    command("log")(lambda sid, names: [entry for entry in log if entry[1] in names])
    command("received")(lambda sid: received[sid])

    @command("late")
    async def late(sid: str, pause: float) -> None:
        await server.sleep(pause / 1000)

    @command("join")
    async def join(sid: str, *rooms: str) -> None:
        for room in rooms:
            await server.enter_room(sid, room, NAMESPACE)

    @command("leave")
    async def leave(sid: str, room: str) -> None:
        await server.leave_room(sid, room, NAMESPACE)

    @command("emit")
    async def emit(sid: str, order: dict[str, Any], name: str, *args: Any) -> None:
        await server.emit(name, args, **audience(sid, **order))

    @command("send")
    async def send(sid: str, *args: Any) -> None:
        await server.send(args, to=sid, namespace=NAMESPACE)

    @command("ask")
    async def ask(sid: str, order: dict[str, Any], milliseconds: float, *event: Any) -> list[Any]:
        try:
            answer = await server.call(
                event[0], event[1:], to=sid, namespace=NAMESPACE, timeout=milliseconds / 1000
            )
        except socketio.exceptions.TimeoutError:
            return [False, []]
        return [True, list(answer) if isinstance(answer, (list, tuple)) else [answer]]

    @command("burst")
    async def burst(sid: str, count: int, pause: float) -> None:
        for number in range(count):
            await server.emit("burst", number, to=sid, namespace=NAMESPACE)
            await server.sleep(pause / 1000)

    @command("disconnect")
    async def end(sid: str, close: bool) -> None:
        await server.disconnect(sid, NAMESPACE)
