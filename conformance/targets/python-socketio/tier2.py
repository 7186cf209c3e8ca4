"""The second tier of the contract on python-socketio."""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.metadata import version
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError, TimeoutError

# What middleware does elsewhere, `connect` does here.
FEATURES = ("acks", "middleware", "middleware-errors")


class Conformance(socketio.AsyncNamespace):
    """The namespace that takes orders. What is returned is the acknowledgement."""

    def __init__(self) -> None:
        super().__init__("/conformance")
        self.log: list[Any] = []
        self.received: defaultdict[str, list[Any]] = defaultdict(list)

    def note(self, *entry: Any) -> None:
        self.log.append(entry)
        print(json.dumps(entry), flush=True)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """An order, or the beginning or the end, has a method; of all else a note is made."""
        if event in ("connect", "disconnect") or str(event).startswith("conf:"):
            return await super().trigger_event(event.replace(":", "_"), *args)
        self.received[args[0]].append([event, *args[1:]])
        return None

    def audience(self, sid: str, whom: str, to: Any = None) -> dict[str, Any]:
        return {"to": sid if whom == "me" else to, "skip_sid": sid if whom == "others" else None}

    async def on_connect(self, sid: str, environ: object, auth: dict[str, Any] | None) -> None:
        wanted = auth or {}
        await self.on_conf_join(sid, *wanted.get("join", ()))
        await self.on_conf_late(sid, wanted.get("wait", 0))
        if "raise" in wanted:
            raise RuntimeError(wanted["raise"])
        if "refuse" in wanted:
            raise ConnectionRefusedError(*wanted["refuse"])
        self.note("connection", sid)

    def on_disconnect(self, sid: str, reason: str) -> None:
        self.note("disconnect", sid, reason, self.rooms(sid))

    def on_conf_info(self, sid: str, names: list[str]) -> list[Any]:
        has = [name for name in names if name in FEATURES]
        return ["python-socketio", version("python-socketio"), has]

    async def on_conf_self(self, sid: str) -> dict[str, Any]:
        return {"id": sid, "rooms": self.rooms(sid), "data": await self.get_session(sid)}

    async def on_conf_data(self, sid: str, value: Any) -> None:
        await self.save_session(sid, value)

    def on_conf_seen(self, sid: str) -> dict[str, Any]:
        return {"received": self.received[sid]}

    def on_conf_log(self, sid: str, names: list[str]) -> list[Any]:
        return [entry for entry in self.log if entry[1] in names]

    async def on_conf_late(self, sid: str, pause: float) -> None:
        await self.server.sleep(pause / 1000)

    async def on_conf_join(self, sid: str, *rooms: str) -> None:
        for room in rooms:
            await self.enter_room(sid, room)

    async def on_conf_leave(self, sid: str, room: str) -> None:
        await self.leave_room(sid, room)

    async def on_conf_emit(self, sid: str, order: dict[str, Any], name: str, *args: Any) -> None:
        await self.emit(name, args, **self.audience(sid, **order))

    async def on_conf_send(self, sid: str, *args: Any) -> None:
        await self.send(args, to=sid)

    async def on_conf_burst(self, sid: str, count: int, pause: float) -> None:
        for number in range(count):
            await self.emit("burst", number, to=sid)
            await self.on_conf_late(sid, pause)

    async def on_conf_ask(self, sid: str, order: object, wait: float, *event: Any) -> list[Any]:
        try:
            answer = await self.call(event[0], event[1:], to=sid, timeout=wait / 1000)
        except TimeoutError:
            return [False, []]
        return [True, list(answer) if isinstance(answer, (list, tuple)) else [answer]]

    async def on_conf_disconnect(self, sid: str, close: bool) -> None:
        await self.disconnect(sid)
