"""An HTTP server that answers as the test says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import trio

OPEN = "0" + json.dumps({"sid": "A", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000})


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: str

    @property
    def opens(self) -> bool:
        return self.method == "GET" and "sid" not in self.query


Answer = tuple[int, str]
Script = Callable[[Request], Awaitable[Answer]]


async def never() -> Answer:
    await trio.sleep_forever()
    raise AssertionError("not reached")


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """Serve on a free port and yield the URL. Each connection carries one request."""

    async def handle(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            request = await _read(stream)
            if request is None:
                return
            # Whoever hangs up does not wait for the answer any more.
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_at_end, stream, nursery.cancel_scope)
                status, text = await script(request)
                body = text.encode()
                head = f"HTTP/1.1 {status} S\r\nContent-Length: {len(body)}\r\n\r\n"
                await stream.send_all(head.encode() + body)
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def _cancel_at_end(stream: trio.SocketStream, scope: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.receive_some(1)
    scope.cancel()


async def _read(stream: trio.SocketStream) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = await stream.receive_some(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (h.partition(":") for h in headers)}
    while len(body) < int(fields.get("content-length", "0")):
        body += await stream.receive_some(65536)
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return Request(method, parts.path, query, body.decode())
