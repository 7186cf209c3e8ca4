"""A cluster for tests: an adapter from outside, over a bus that carries text."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import Any

from sioproto.socketio import (
    Broadcast,
    BroadcastAnswers,
    Flags,
    LocalAdapter,
    Namespace,
    Packet,
    PacketType,
    ServerAnswers,
    Target,
)


class Bus:
    """Carries text between the adapters of one namespace, when it is told to."""

    def __init__(self) -> None:
        self.adapters: list[BusAdapter] = []
        self.waiting: list[tuple[BusAdapter, str]] = []
        self.carried: list[str] = []

    def publish(self, sender: BusAdapter, message: dict[str, Any]) -> None:
        text = json.dumps(message)
        self.carried.append(message["do"])
        self.waiting += [(adapter, text) for adapter in self.adapters if adapter is not sender]

    def carry(self) -> None:
        """Bring everything where it belongs, answers included."""
        while self.waiting:
            adapter, text = self.waiting.pop(0)
            adapter.receive(json.loads(text))


class BusAdapter(LocalAdapter):
    """Does its own part as the local adapter does, and tells the others."""

    def __init__(self, namespace: Namespace, bus: Bus) -> None:
        super().__init__(namespace)
        self.namespace = namespace
        self.bus = bus
        self.asking: dict[str, BroadcastAnswers | ServerAnswers] = {}
        self.closed = False
        bus.adapters.append(self)

    def publish(self, do: str, target: Target | None = None, **fields: Any) -> None:
        if target is None or not target.local:
            message = {"do": do, **fields}
            if target is not None:
                message["target"] = asdict(target)
            self.bus.publish(self, message)

    def broadcast(self, broadcast: Broadcast) -> None:
        super().broadcast(broadcast)
        self.publish(
            "broadcast",
            broadcast.target,
            data=broadcast.packet.data,
            flags=asdict(broadcast.flags),
        )

    def ask(self, broadcast: Broadcast, answers: BroadcastAnswers) -> None:
        super().ask(broadcast, answers)
        if not broadcast.target.local:
            key = f"{id(self)}-{answers.id}"
            self.asking[key] = answers
            for _ in range(len(self.bus.adapters) - 1):
                answers.hold()
            self.publish(
                "ask",
                broadcast.target,
                data=broadcast.packet.data,
                flags=asdict(broadcast.flags),
                key=key,
            )

    def join_all(self, target: Target, rooms: tuple[str, ...]) -> None:
        super().join_all(target, rooms)
        self.publish("join", target, rooms=rooms)

    def leave_all(self, target: Target, rooms: tuple[str, ...]) -> None:
        super().leave_all(target, rooms)
        self.publish("leave", target, rooms=rooms)

    def disconnect_all(self, target: Target, close: bool, now: float) -> None:
        super().disconnect_all(target, close, now)
        self.publish("disconnect", target, close=close, now=now)

    def server_side_emit(self, args: list[Any], answers: ServerAnswers | None) -> None:
        key = None
        if answers is not None:
            key = f"{id(self)}-{answers.id}"
            self.asking[key] = answers
            answers.expect(len(self.bus.adapters) - 1)
        self.publish("event", args=args, key=key)

    def answer(self, key: str, value: Any) -> None:
        """Answer another server's question."""
        self.publish("answer", key=key, value=value)

    def close(self) -> None:
        self.closed = True

    def receive(self, message: dict[str, Any]) -> None:
        """Something came from another server."""
        do, key = message["do"], message.get("key")
        target = Target()
        if "target" in message:
            fields = message["target"]
            target = Target(
                tuple(fields["rooms"]), tuple(fields["except_rooms"]), tuple(fields["except_ids"])
            )
        if do in ("broadcast", "ask"):
            packet = Packet(PacketType.EVENT, self.namespace.name, message["data"])
            broadcast = Broadcast(packet, target, Flags(**message["flags"]))
            if do == "broadcast":
                super().broadcast(broadcast)
            else:
                answer = partial(self.answer, message["key"])
                count = self.namespace.relay(broadcast, super().ask, answer, timeout=5, now=0)
                self.publish("count", key=key, count=count)
        elif do == "join":
            super().join_all(target, tuple(message["rooms"]))
        elif do == "leave":
            super().leave_all(target, tuple(message["rooms"]))
        elif do == "disconnect":
            super().disconnect_all(target, message["close"], message["now"])
        elif do == "event":
            asked = None if key is None else partial(self.answer, key)
            self.namespace.server_event(message["args"], asked)
        elif key in self.asking:
            answers = self.asking[key]
            if do == "count":
                answers.expect(message["count"])
                answers.release()
            else:
                answers.answer(message["value"])
