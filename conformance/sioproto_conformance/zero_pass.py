"""Servers that must not pass: none of them speaks the protocol, each looks alive in its own way.

They are what a suite has to be tried on before it is believed: a case that one of them passes has
found nothing out. ``python -m sioproto_conformance.zero_pass NAME`` serves one as a target does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

_CHUNK = 65536
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OPEN = "0" + json.dumps(
    {
        "sid": "AAAAAAAAAAAAAAAAAAAA",
        "upgrades": ["websocket"],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1000000,
    },
    separators=(",", ":"),  # it has to fit into a frame whose length is one byte
)
assert len(_OPEN) <= 125

Handler = Callable[[trio.abc.Stream], Awaitable[None]]


async def silent(stream: trio.abc.Stream) -> None:
    """Accepts, reads, and never says anything."""
    async for _ in stream:
        pass


async def slams(stream: trio.abc.Stream) -> None:
    """Closes at once."""


async def parrot(stream: trio.abc.Stream) -> None:
    """Sends back every byte."""
    async for data in stream:
        await stream.send_all(data)


async def yes(stream: trio.abc.Stream) -> None:
    """Answers ``HTTP 200 ok`` to everything."""
    response = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
    async for _ in stream:
        await stream.send_all(response)


async def drips(stream: trio.abc.Stream) -> None:
    """Answers everything, one byte a second, and is never done."""
    response = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n"
    for byte in response + bytes(1_000_000):
        await stream.send_all(bytes([byte]))
        await trio.sleep(1)


async def opens_and_is_silent(stream: trio.abc.Stream) -> None:
    """Opens every session that is asked for, by polling or WebSocket, and says nothing more."""
    await opens_and_hangs_up(stream)
    async for _ in stream:
        pass


async def opens_and_hangs_up(stream: trio.abc.Stream) -> None:
    """Opens every session that is asked for, by polling or WebSocket, and hangs up.

    It does so in both revisions and in scripts, so that it seems to speak every dialect.
    """
    head = b""
    while b"\r\n\r\n" not in head:
        data = await stream.receive_some(_CHUNK)
        if not data:
            return
        head += data
    key = _websocket_key(head)
    packet = _OPEN.encode()
    if key is not None:
        accept = base64.b64encode(
            hashlib.sha1(
                key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False
            ).digest()
        )
        await stream.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + bytes([0x81, len(packet)]) + packet
        )
    elif head.startswith(b"GET ") and b"sid=" not in (line := head.partition(b"\r\n")[0]):
        if b"EIO=3" in line:
            packet = b"%d:%s" % (len(packet), packet)
        if b"j=0" in line:
            packet = b"___eio[0](%s);" % json.dumps(packet.decode()).encode()
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n"
            b"Content-Length: %d\r\n\r\n" % len(packet) + packet
        )


def _websocket_key(head: bytes) -> bytes | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            return value.strip()
    return None


SERVERS: dict[str, Handler] = {
    "silent": silent,
    "slams": slams,
    "parrot": parrot,
    "yes": yes,
    "drips": drips,
    "opens-and-hangs-up": opens_and_hangs_up,
    "opens-and-is-silent": opens_and_is_silent,
}


async def serve(handler: Handler, listener: trio.abc.Listener[Any]) -> None:
    """Serve until cancelled."""

    async def handle(stream: trio.abc.Stream) -> None:
        # The suite hangs up whenever a case has seen enough.
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await handler(stream)

    await trio.serve_listeners(handle, [listener])


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve on a free port of this machine and yield the URL."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(serve, handler, listeners[0])
        port = listeners[0].socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


async def _serve(name: str) -> None:
    async with serving(SERVERS[name]) as url:
        sys.stdout.write(json.dumps({"url": url}) + "\n")
        sys.stdout.flush()
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(_serve, sys.argv[1])
