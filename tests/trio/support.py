"""Connections in memory, and clients that put any bytes on them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio
import trio.testing

from sioproto._app._base import Application
from sioproto.trio import ConnectionConfig, serve

MASK = b"\x01\x02\x03\x04"
PATIENCE = 10_000
KEY = "AAAAAAAAAAAAAAAAAAAAAA=="


class MemoryListener(trio.abc.Listener[trio.abc.Stream]):
    """A listener that tests connect to without a network."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[trio.abc.Stream](100)

    async def accept(self) -> trio.abc.Stream:
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise trio.ClosedResourceError from None

    async def aclose(self) -> None:
        self._receive.close()
        await trio.lowlevel.checkpoint()

    def connect(self) -> trio.StapledStream[Any, Any]:
        """A new connection, seen from the client."""
        client, server = trio.testing.memory_stream_pair()
        self._send.send_nowait(server)
        return client

    def connect_lockstep(self) -> trio.StapledStream[Any, Any]:
        """A new connection without any buffer: nothing is sent before it is read."""
        client, server = trio.testing.lockstep_stream_pair()
        self._send.send_nowait(server)
        return client


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection. It takes its answers apart by hand, so that every byte counts."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.buffer = b""

    async def send(self, data: bytes | str) -> None:
        await self.stream.send_all(data.encode() if isinstance(data, str) else data)

    async def request(
        self, method: str, target: str, body: bytes = b"", headers: str = ""
    ) -> Answer:
        """Send a request and read its answer."""
        await self.send_request(method, target, body, headers)
        return await self.answer(head_only=method == "HEAD")

    async def send_request(
        self, method: str, target: str, body: bytes = b"", headers: str = ""
    ) -> None:
        await self.send(request_bytes(method, target, body, headers))

    async def answer(self, *, head_only: bool = False) -> Answer:
        """Read one answer."""
        while b"\r\n\r\n" not in self.buffer:
            await self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        size = 0 if head_only else int(headers.get("content-length", 0))
        while len(self.buffer) < size:
            await self._more()
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        _, status, reason = status_line.split(" ", 2)
        return Answer(int(status), reason, headers, body)

    async def read(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self.buffer) < size:
            await self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    async def frame(self) -> tuple[int, bytes]:
        """Read one WebSocket frame: its first byte and its payload."""
        first, size = await self.read(2)
        if size == 126:
            size = int.from_bytes(await self.read(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.read(8), "big")
        return first, await self.read(size)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while data := bytes(await self.stream.receive_some()):
            self.buffer += data
        rest, self.buffer = self.buffer, b""
        return rest

    async def upgrade(self, target: str, glued: bytes = b"", headers: str = "") -> Answer:
        """Open a WebSocket; ``glued`` goes in one write with the request."""
        await self.send(upgrade_bytes(target, headers) + glued)
        return await self.answer()

    async def text(self, text: str) -> None:
        """Send a text message."""
        await self.send(frame(0x81, text.encode()))

    async def _more(self) -> None:
        data = bytes(await self.stream.receive_some())
        if not data:
            raise EOFError(f"the connection ended behind {self.buffer!r}")
        self.buffer += data


def request_bytes(method: str, target: str, body: bytes = b"", headers: str = "") -> bytes:
    length = f"content-length: {len(body)}\r\n" if body or method == "POST" else ""
    return f"{method} {target} HTTP/1.1\r\nhost: test\r\n{length}{headers}\r\n".encode() + body


def upgrade_bytes(target: str, headers: str = "") -> bytes:
    fields = (
        "connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n"
        f"sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n{headers}"
    )
    return request_bytes("GET", target, headers=fields)


def frame(first: int, payload: bytes, *, masked: bool = True) -> bytes:
    """The bytes of a frame from a client."""
    size = len(payload)
    if size < 126:
        header = bytes((first, size | 0x80 * masked))
    elif size < 65_536:
        header = bytes((first, 126 | 0x80 * masked)) + size.to_bytes(2, "big")
    else:
        header = bytes((first, 127 | 0x80 * masked)) + size.to_bytes(8, "big")
    if not masked:
        return header + payload
    key = (MASK * (size // 4 + 1))[:size]
    data = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return header + MASK + data.to_bytes(size, "big")


@asynccontextmanager
async def serving(
    *applications: Application, config: ConnectionConfig | None = None, **options: Any
) -> AsyncIterator[MemoryListener]:
    """Serve in memory while the context lasts."""
    listener = MemoryListener()
    # With a clock that jumps, a test that waits for what never comes would spin for ever.
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:

            async def run(*, task_status: trio.TaskStatus[Any]) -> None:
                await serve(
                    *applications,
                    listeners=[listener],
                    config=config,
                    task_status=task_status,
                    **options,
                )

            await nursery.start(run)
            yield listener
            nursery.cancel_scope.cancel()


POLLING = "/engine.io/?EIO=4&transport=polling"
WEBSOCKET = "/engine.io/?EIO=4&transport=websocket"


async def open_polling(client: Client, target: str = POLLING) -> str:
    """Open a session; returns the target of its further requests."""
    answer = await client.request("GET", target)
    assert answer.status == 200, answer
    return f"{target}&sid={json.loads(answer.body[1:])['sid']}"


async def open_websocket(client: Client, target: str = WEBSOCKET) -> dict[str, Any]:
    """Open a session on WebSocket; returns the handshake."""
    answer = await client.upgrade(target)
    assert answer.status == 101, answer
    first, payload = await client.frame()
    assert first == 0x81
    handshake: dict[str, Any] = json.loads(payload[1:])
    return handshake


class SocketClient:
    """A Socket.IO client on WebSocket that joined a namespace."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def open(self, namespace: str = "", auth: str = "") -> str:
        """Open the connection and ask to join."""
        await open_websocket(self.client, WEBSOCKET.replace("engine", "socket"))
        return await self.join(namespace, auth)

    async def join(self, namespace: str = "", auth: str = "") -> str:
        """Ask to join a namespace; returns the answer, or what came before it."""
        await self.say(f"0{namespace}{auth}")
        return await self.hear()

    async def say(self, packet: str) -> None:
        """Send a Socket.IO packet."""
        await self.client.text("4" + packet)

    async def hear(self) -> str:
        """The next Socket.IO packet; pings are answered."""
        while True:
            first, payload = await self.client.frame()
            if payload == b"2":
                await self.client.text("3")
                continue
            assert first == 0x81, (first, payload)
            text = payload.decode()
            assert text[0] == "4", text
            return text[1:]


async def connect(listener: MemoryListener, namespace: str = "", auth: str = "") -> SocketClient:
    """A Socket.IO client that has joined."""
    client = SocketClient(Client(listener.connect()))
    answer = await client.open(namespace, auth)
    assert answer.startswith("0"), answer
    return client
