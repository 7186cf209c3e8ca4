"""python-socketio's client in MessagePack: ``python python_socketio_msgpack.py URL TRANSPORT``."""

from __future__ import annotations

import queue
import sys
from typing import Any

import socketio

TIMEOUT = 10
VALUES: list[Any] = [
    "żółć",
    2**63,
    -1.5,
    None,
    {"deep": [b"", bytes(range(256)) * 40]},
    {"_placeholder": True, "num": 0},
]


def main(url: str, transport: str) -> None:
    events: queue.Queue[tuple[Any, ...]] = queue.Queue()
    client = socketio.Client(reconnection=False, serializer="msgpack")
    client.on("echo", lambda *args: events.put(args))
    client.connect(url, transports=[transport], wait_timeout=TIMEOUT)
    for value in VALUES:
        assert client.call("echo-ack", value, timeout=TIMEOUT) == value
        client.emit("echo", (value, b"text"))
        assert events.get(timeout=TIMEOUT) == (value, b"text")
    client.disconnect()


if __name__ == "__main__":
    main(*sys.argv[1:])
