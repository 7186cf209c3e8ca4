"""The machines alone, without a network: whether cost grows as the work grows.

    python -m bench.micro.core ROUNDS

Prints a line of JSON: rows of work, size, round, nanoseconds each.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator

from sioproto.engineio import EngineServer, Request, WsSend
from sioproto.socketio import ConnectRequested, SocketServer
from sioproto.socketio._rooms import RoomIndex

BROADCASTS = (10, 100, 1_000, 10_000)
"""Numbers of recipients."""
MEMBERSHIPS = (10_000, 100_000, 1_000_000)
ROOMS_EACH = 10
Row = tuple[str, int, int, float]


class Hall:
    """Sockets on WebSockets that take whatever is sent to them."""

    def __init__(self, size: int) -> None:
        numbers = itertools.count()
        engine: EngineServer[int] = EngineServer(new_sid=lambda: f"e{next(numbers)}")
        self.core: SocketServer[int] = SocketServer(
            engine, new_id=lambda: f"s{next(numbers)}", wall_clock=lambda: 0.0
        )
        request = Request(method="GET", target="/socket.io/?EIO=4&transport=websocket")
        for ws in range(size):
            self.core.ws_connected(ws, request, now=0.0)
            self.drain()
            self.core.ws_text(ws, "40", now=0.0)
            self.drain()
        assert len(self.core.of("/").sockets) == size

    def drain(self) -> int:
        """Do what a driver does, without a network. Returns how many frames left."""
        frames = 0
        for out in self.core.outputs():
            if isinstance(out, WsSend):
                frames += len(out.frames)
                self.core.ws_sent(out.ws, now=0.0)
            elif isinstance(out, ConnectRequested):
                self.core.accept(out.socket)
        return frames

    def broadcast(self, times: int, size: int) -> float:
        """Nanoseconds for each recipient."""
        namespace = self.core.of("/")
        event = {"user": "alice", "text": "lorem ipsum dolor sit amet, consectetur adipiscing"}
        began = time.thread_time_ns()
        for _ in range(times):
            namespace.emit("msg", event)
            assert self.drain() == size
        return (time.thread_time_ns() - began) / (times * size)


def broadcasts(rounds: int) -> Iterator[Row]:
    """The cost of a recipient, among few and among many."""
    halls = {size: Hall(size) for size in BROADCASTS}
    for number, (size, hall) in itertools.product(range(rounds), halls.items()):
        yield "broadcast", size, number, hall.broadcast(max(1, 50_000 // size), size)


def memberships(rounds: int) -> Iterator[Row]:
    """The cost of joining, of selecting members and of leaving, with few rooms and with many."""
    for number, size in itertools.product(range(rounds), MEMBERSHIPS):
        people = [f"s{person}" for person in range(size // ROOMS_EACH)]
        rooms = [f"r{room}" for room in range(len(people))]
        index = RoomIndex()
        began = time.thread_time_ns()
        for place, person in enumerate(people):
            for step in range(ROOMS_EACH):
                index.join(person, rooms[(place + step) % len(rooms)])
        joined = time.thread_time_ns()
        selected = sum(len(index.union((room,))) for room in rooms)
        chosen = time.thread_time_ns()
        assert selected == size
        for person in people:
            index.leave_all(person)
        left = time.thread_time_ns()
        assert len(index) == 0
        yield "join", size, number, (joined - began) / size
        yield "select", size, number, (chosen - joined) / size
        yield "leave", size, number, (left - chosen) / size


def main(rounds: int) -> None:
    print(json.dumps([*broadcasts(rounds), *memberships(rounds)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
