"""A load generator for TLS: acknowledged echoes, one in flight on each connection.

    python tlsload.py port=P authority=FILE [pid=N] [conns=50] [warm=0.2] [secs=0.6]

It has the words and the answer of wsload, as far as they apply. Python and its TLS take about as
long as a fast server does, so the figure that counts is the server's CPU time.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
import time
from pathlib import Path

MASK = b"\x37\xfa\x21\x3d"
EVENT = '["echo",{"user":"alice","text":"lorem ipsum dolor sit amet lorem ipsum dolor sit a"}]'
UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(text: str) -> bytes:
    """A masked frame with a text of at most 125 characters of ASCII."""
    data = text.encode()
    assert len(data) < 126
    masked = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(data))
    return bytes((0x81, 0x80 | len(data))) + MASK + masked


EVENT_FRAME = frame(f"4210000{EVENT}")
ANSWER = f"4310000{EVENT.replace(chr(34) + 'echo' + chr(34) + ',', '', 1)}".encode()


class Connection:
    """A WebSocket over TLS that has joined the main namespace."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        raw = socket.create_connection(("127.0.0.1", port), 30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(raw, server_hostname="127.0.0.1")
        self._buffer = b""
        self.began = 0.0
        self.tls.sendall(UPGRADE)
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self._some()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"tlsload: no upgrade: {head[:200]!r}")
        self._next()
        self.tls.sendall(frame("40"))
        if not (answer := self._next()).startswith(b"40"):
            raise SystemExit(f"tlsload: no CONNECT answer: {answer[:200]!r}")

    def _some(self) -> bytes:
        data = self.tls.recv(65_536)
        if not data:
            raise SystemExit("tlsload: the server hung up")
        return data

    def _next(self) -> bytes:
        while (text := self._taken()) is None:
            self._buffer += self._some()
        return text

    def _taken(self) -> bytes | None:
        """The next message, if all of it is there."""
        if len(self._buffer) < 2:
            return None
        head, size = 2, self._buffer[1]
        if size == 126:
            head, size = 4, int.from_bytes(self._buffer[2:4], "big")
        if len(self._buffer) < head + size:
            return None
        text, self._buffer = self._buffer[head : head + size], self._buffer[head + size :]
        return text

    def ask(self) -> None:
        """Send an event."""
        self.began = time.perf_counter()
        self.tls.sendall(EVENT_FRAME)

    def answers(self) -> list[bytes]:
        """What has come, pings answered."""
        self._buffer += self._some()
        while self.tls.pending():
            self._buffer += self._some()
        found = []
        while (text := self._taken()) is not None:
            if text == b"2":
                self.tls.sendall(frame("3"))
            else:
                found.append(text)
        return found


def server_cpu(pid: int) -> float:
    """CPU time of the server, in seconds."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9 if pid else 0.0


class Load:
    """Keeps one event in flight on each connection, and counts the answers."""

    def __init__(self, connections: list[Connection]) -> None:
        self.selector = selectors.DefaultSelector()
        for connection in connections:
            self.selector.register(connection.tls, selectors.EVENT_READ, connection)
            connection.ask()
        self.latencies: list[float] = []
        self.mismatches = 0

    def run(self, seconds: float) -> None:
        """Go on for so many seconds."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for key, _ in self.selector.select(0.05):
                connection: Connection = key.data
                for answer in connection.answers():
                    self.mismatches += answer != ANSWER
                    self.latencies.append(time.perf_counter() - connection.began)
                    connection.ask()


def main(words: list[str]) -> None:
    options = dict(word.split("=", 1) for word in words)
    context = ssl.create_default_context(cafile=options["authority"])
    pid = int(options.get("pid", 0))
    number = min(500, int(options.get("conns", 50)))
    load = Load([Connection(int(options["port"]), context) for _ in range(number)])
    load.run(min(20.0, float(options.get("warm", 0.2))))
    load.latencies.clear()
    began, own, cpu = time.perf_counter(), time.process_time(), server_cpu(pid)
    load.run(min(60.0, float(options.get("secs", 0.6))))
    cpu, own = server_cpu(pid) - cpu, time.process_time() - own
    seconds = time.perf_counter() - began
    done = sorted(load.latencies)
    count = len(done)
    row = {
        "mode": "tls",
        "conns": number,
        "secs": seconds,
        "n": count,
        "rate": count / seconds,
        "cpu_us": cpu * 1e6 / count if count else 0.0,
        "srv_util": cpu / seconds,
        "lg_util": own / seconds,
        "p50_us": done[count // 2] * 1e6 if count else 0.0,
        "p99_us": done[int(count * 0.99)] * 1e6 if count else 0.0,
        "mismatch": load.mismatches,
        "errors": 0,
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main(sys.argv[1:])
