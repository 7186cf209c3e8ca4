"""Scenarios for python-socketio's client: ``python python_socketio_client.py URL TRANSPORTS``.

TRANSPORTS is ``default`` (polling, then an upgrade), ``polling`` or ``websocket``. Exit code 0
means that every assertion held.
"""

from __future__ import annotations

import queue
import sys
from typing import Any

import socketio

TIMEOUT = 10
TEXTS = ["", "plain", "żółć", "漢字", "🙂", "\x1e", "\u2028", "\x00"]
BLOBS = [b"", b"\x00\x01\xff", bytes(range(256)) * 40]


class Person:
    """A client that keeps what it is told."""

    def __init__(self, url: str, transports: list[str] | None, *namespaces: str) -> None:
        self.events: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self.client = socketio.Client(reconnection=False)
        self.namespaces = list(namespaces) or ["/"]
        for namespace in self.namespaces:
            for name in ("welcome", "echo", "told", "bye"):
                self.client.on(name, self.keeper(name), namespace=namespace)
            self.client.on("question", lambda *args: ("answer", *args), namespace=namespace)
        self.client.connect(
            url,
            auth={"user": "ann"},
            transports=transports,
            namespaces=self.namespaces,
            wait_timeout=TIMEOUT,
        )
        for namespace in self.namespaces:
            name, id, user = self.next()
            assert (name, user) == ("welcome", "ann"), (name, user)
            assert id in {self.client.get_sid(each) for each in self.namespaces}, namespace

    def keeper(self, name: str) -> Any:
        """A handler that puts an event into the queue."""
        return lambda *args: self.events.put((name, *args))

    def next(self) -> tuple[Any, ...]:
        """The next event."""
        return self.events.get(timeout=TIMEOUT)

    def call(self, name: str, *args: Any, namespace: str = "/") -> Any:
        """Emit an event, and return what acknowledges it."""
        return self.client.call(name, args, namespace=namespace, timeout=TIMEOUT)


def main(url: str, transports: list[str] | None, final: str) -> None:
    ann, bob = Person(url, transports), Person(url, transports, "/", "/custom")
    for client in (ann.client, bob.client):
        assert client.transport() == final, client.transport()
    for text in TEXTS:
        assert ann.call("echo-ack", text) == text
    for blob in BLOBS:
        assert ann.call("echo-ack", {"deep": [blob]}, blob) == ({"deep": [blob]}, blob)
        ann.client.emit("echo", (blob, "text"))
        assert ann.next() == ("echo", blob, "text")
    assert tuple(ann.call("ask-me", 1, b"x")) == ("answer", 1, b"x")
    assert bob.call("echo-ack", 7, namespace="/custom") == 7
    assert ann.call("join", "lobby") == [ann.client.get_sid(), "lobby"]
    bob.client.emit("tell-room", (["lobby", "empty"], "hello", b"x"))
    assert ann.next() == ("told", bob.client.get_sid(), "hello", b"x")
    # This client reads at most 16 packets of one poll, and drops the connection otherwise.
    for number in range(12):
        ann.client.emit("echo", number)
    assert [ann.next() for _ in range(12)] == [("echo", number) for number in range(12)]
    gone = ann.client.get_sid()
    ann.client.disconnect()
    departure = bob.call("departure-of", gone)
    assert [entry[0] for entry in departure] == ["disconnecting", "disconnect"], departure
    assert departure[0][2] == [gone, "lobby"], departure
    bob.client.emit("kick-me", True)
    assert bob.next() == ("bye",)
    bob.client.wait()


if __name__ == "__main__":
    _, server_url, transports_name = sys.argv
    main(
        server_url,
        None if transports_name == "default" else [transports_name],
        "polling" if transports_name == "polling" else "websocket",
    )
