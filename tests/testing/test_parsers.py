"""The client in memory speaks as its server does."""

from __future__ import annotations

from datetime import UTC, datetime

from sioproto.socketio import MsgpackParser
from sioproto.testing.trio import serving
from tests.testing.support import chat_server


async def test_messagepack() -> None:
    date = datetime(2024, 5, 6, tzinfo=UTC)
    async with serving(chat_server(parser=MsgpackParser())) as server:
        client = await server.connect(auth={"key": b"\x00"})
        assert client.socket.handshake.auth == {"key": b"\x00"}
        assert await client.request("echo", [b"x", date], 7) == ([b"x", date], 7)
