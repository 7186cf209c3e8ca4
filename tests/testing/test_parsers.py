"""The client in memory speaks as its server does."""

from __future__ import annotations

from datetime import UTC, datetime

from sioproto.socketio import MsgpackParser, OrjsonCodec, TextParser
from sioproto.testing.trio import serving
from tests.testing.support import chat_server


async def test_messagepack() -> None:
    date = datetime(2024, 5, 6, tzinfo=UTC)
    async with serving(chat_server(parser=MsgpackParser())) as server:
        client = await server.connect(auth={"key": b"\x00"})
        assert client.socket.handshake.auth == {"key": b"\x00"}
        assert await client.request("echo", [b"x", date], 7) == ([b"x", date], 7)


async def test_orjson() -> None:
    """On one end or on both: what goes over the wire is JSON."""
    fast = TextParser(OrjsonCodec())
    async with serving(chat_server(parser=fast)) as server:
        client = await server.connect(auth={"key": "é"})
        assert client.socket.handshake.auth == {"key": "é"}
        assert await client.request("echo", [b"x", {"a": b"y"}], 2**70) == (
            [b"x", {"a": b"y"}],
            2.0**70,
        )
