"""The client's driver against servers that put any bytes on a connection."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import Any

import pytest
import trio
import trio.testing

from sioproto import ConnectionFailed
from sioproto.engineio import ClientConfig as EngineConfig
from sioproto.socketio import ClientConfig
from sioproto.trio import Client, ClientConnectionConfig, connect
from tests.trio.support import PATIENCE, frame
from tests.trio.support import Client as RawClient

Clock = trio.testing.MockClock
OPEN = '0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}'
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Peer(RawClient):
    """The server's end of one connection."""

    async def head(self) -> tuple[str, dict[str, str]]:
        """Read the head of a request."""
        while b"\r\n\r\n" not in self.buffer:
            await self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (each.partition(": ") for each in lines)
        }
        return line, headers

    async def respond(self, body: str | bytes, status: str = "200 OK", headers: str = "") -> None:
        """Send a response."""
        data = body.encode() if isinstance(body, str) else body
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
        await self.send(head.encode() + data)

    async def accept(self, *texts: str, key: str = "", headers: str = "") -> dict[str, str]:
        """Accept a WebSocket, and send messages along."""
        _, fields = await self.head()
        key = key or fields["sec-websocket-key"]
        accept = b64encode(sha1((key + MAGIC).encode()).digest()).decode()
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        )
        await self.send(head.encode() + b"".join(plain(0x81, text) for text in texts))
        return fields

    async def masked(self) -> tuple[int, bytes]:
        """Read one frame, which must be masked."""
        first, size = await self.read(2)
        assert size & 0x80, "a client masks what it sends"
        size &= 0x7F
        if size == 126:
            size = int.from_bytes(await self.read(2), "big")
        mask = await self.read(4)
        data = await self.read(size)
        return first, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def plain(first: int, payload: str | bytes) -> bytes:
    """A frame of a server."""
    data = payload.encode() if isinstance(payload, str) else payload
    return frame(first, data, masked=False)


Script = Callable[[Peer], Awaitable[object]]


@asynccontextmanager
async def scripted(*scripts: Script, **options: Any) -> AsyncIterator[Client]:
    """A client; each of its connections is met by the next script, the last one by all others."""
    left = list(scripts)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:

            async def serve(script: Script, stream: trio.abc.Stream) -> None:
                try:
                    await script(Peer(stream))
                except (trio.BrokenResourceError, EOFError):
                    pass
                else:
                    await stream.aclose()

            async def open_stream(host: str, port: int) -> trio.abc.Stream:
                await trio.lowlevel.checkpoint()
                client, server = trio.testing.memory_stream_pair()
                nursery.start_soon(serve, left.pop(0) if len(left) > 1 else left[0], server)
                return client

            options = {"config": ClientConfig(reconnection=False)} | options
            yield connect("http://test/", stream_factory=open_stream, **options)
            nursery.cancel_scope.cancel()


def websocket(**more: Any) -> dict[str, Any]:
    return {"engine": EngineConfig(transports=("websocket",), **more)}


async def fails(client: Client) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as failed:
        async with client:
            raise AssertionError("not reached")
    return failed.value


async def forever(peer: Peer) -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        ("404 Not Found", "<html>", "no Engine.IO server answers at this path"),
        ("301 Moved", "", "redirects elsewhere"),
        ("400 Bad Request", '{"code":5,"message":"Unsupported protocol version"}', "Unsupported"),
        ("200 OK", '97:0{"sid":"x"}2:40', "revision 3"),
        ("200 OK", "x" * 2000, "too large"),
    ],
)
async def test_wrong_servers(autojump_clock: Clock, status: str, body: str, words: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.respond(body, status)

    engine = EngineConfig(transports=("polling",), max_payload=1000)
    async with scripted(script, engine=engine) as client:
        assert words in str(await fails(client))


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    ],
    ids=["ssh", "nothing", "cut off", "endless head"],
)
async def test_no_http_at_all(autojump_clock: Clock, answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)

    for options in ({"engine": EngineConfig(transports=("polling",))}, websocket()):
        async with scripted(script, **options) as client:
            failure = await fails(client)
            assert failure.__cause__ is not None


async def test_server_that_accepts_and_says_nothing(autojump_clock: Clock) -> None:
    for options in ({}, websocket()):
        async with scripted(forever, **options) as client:
            began = trio.current_time()
            assert "did not answer in time" in str(await fails(client))
            assert 19 < trio.current_time() - began < 24


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        ("another", ""),
        ("", "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        ("", "Sec-WebSocket-Protocol: chat\r\n"),
    ],
)
async def test_opening_handshakes_that_are_wrong(
    autojump_clock: Clock, key: str, headers: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(OPEN, '40{"sid":"A"}', key=key, headers=headers)

    async with scripted(script, **websocket()) as client:
        assert (await fails(client)).__cause__ is not None


async def test_websocket_refused(autojump_clock: Clock) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.respond("Session ID unknown", "400 Bad Request")

    async with scripted(script, **websocket()) as client:
        assert "HTTP status 400: Session ID unknown" in str(await fails(client))


async def joined(peer: Peer) -> None:
    """Open a session glued to the handshake, and let the client in."""
    fields = await peer.accept(OPEN)
    assert fields["connection"] == "Upgrade"
    assert await peer.masked() == (0x81, b"40")
    await peer.send(plain(0x81, '40{"sid":"A"}'))


async def test_frames_of_every_kind(autojump_clock: Clock) -> None:
    """Pings are answered, fragments put together, and the closing handshake completed."""
    seen: list[tuple[int, bytes]] = []

    async def script(peer: Peer) -> None:
        await joined(peer)
        await peer.send(plain(0x89, b"are you there"))
        seen.append(await peer.masked())
        await peer.send(plain(0x8A, b"unsolicited"))
        await peer.send(plain(0x01, '42["a"') + plain(0x89, b"between") + plain(0x80, ",1]"))
        seen.append(await peer.masked())
        seen.append(await peer.masked())
        await peer.send(plain(0x88, b""))
        seen.append(await peer.masked())

    async with scripted(script, **websocket()) as client, client as socket:
        async for event in socket:
            assert (event.name, event.args) == ("a", [1])
            socket.emit("b", "x" * 300)
            break
        events = aiter(socket)
        with pytest.raises(ConnectionFailed, match="transport close"):
            await anext(events)
    expected = {(0x8A, b"are you there"), (0x8A, b"between"), (0x88, b"")}
    assert expected <= {*seen}
    assert (0x81, b'42["b","' + b"x" * 300 + b'"]') in seen


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (plain(0x81, "4" + "x" * 2000), 1009),
        (plain(0x83, b"?"), 1002),
        (plain(0xC1, b"4"), 1002),
        (plain(0x81, b"\xff"), 1007),
        (plain(0x01, b"4") + plain(0x00, b"") * 20, 1008),
    ],
    ids=["too big", "unknown opcode", "reserved bits", "not UTF-8", "fragments"],
)
async def test_violations(autojump_clock: Clock, data: bytes, code: int) -> None:
    codes: list[int] = []

    async def script(peer: Peer) -> None:
        await joined(peer)
        await peer.send(data)
        first, payload = await peer.masked()
        assert first == 0x88
        codes.append(int.from_bytes(payload, "big"))

    options = websocket(max_payload=1000)
    limits = ClientConnectionConfig(max_fragments=10)
    async with scripted(script, connection=limits, **options) as client, client as socket:
        events = aiter(socket)
        with pytest.raises(ConnectionFailed, match="transport error"):
            await anext(events)
    assert codes == [code]


async def test_server_that_does_not_answer_the_closing_handshake(autojump_clock: Clock) -> None:
    async def script(peer: Peer) -> None:
        await joined(peer)
        assert await peer.masked() == (0x81, b"41")
        assert await peer.masked() == (0x88, b"")
        await trio.sleep_forever()

    async with scripted(script, **websocket()) as client:
        async with client:
            began = trio.current_time()
        assert trio.current_time() - began <= 3.0


async def test_server_that_does_not_read(autojump_clock: Clock) -> None:
    """Leaving takes no longer than it may."""

    async def open_stream(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        client, server = trio.testing.lockstep_stream_pair()
        nursery.start_soon(joined, Peer(server))
        return client

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            async with connect("http://test/", stream_factory=open_stream, **websocket()) as socket:
                socket.emit("x", "y" * 100_000)
                began = trio.current_time()
            assert trio.current_time() - began <= 3.0
            nursery.cancel_scope.cancel()


async def test_connections_are_used_again(autojump_clock: Clock) -> None:
    """One for polls, one for POSTs; what has been idle for long is not trusted."""
    connections: list[list[str]] = []

    async def script(peer: Peer) -> None:
        lines: list[str] = []
        connections.append(lines)
        while True:
            line, headers = await peer.head()
            await peer.read(int(headers.get("content-length", 0)))
            lines.append(line.partition(" ")[0])
            if line.startswith("POST"):
                await peer.respond("ok")
            elif "sid=" not in line:
                await peer.respond(OPEN)
            elif sum(each.count("GET") for each in connections) == 2:
                await peer.respond('40{"sid":"A"}')
            else:
                await trio.sleep(10)
                await peer.respond("6")

    engine = EngineConfig(transports=("polling",))
    async with scripted(script, engine=engine) as client, client as socket:
        for _ in range(3):
            socket.emit("x")
            await socket.drain()
            await trio.sleep(1)
        assert len(connections) == 2
        await trio.sleep(20)
        socket.emit("x")
        await trio.sleep(1)
        assert len(connections) == 3
