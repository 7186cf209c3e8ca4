"""Revision 3 of Engine.IO over real HTTP and WebSocket, in virtual time."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing

from sioproto.engineio import CloseReason, ServerConfig
from sioproto.trio import EngineServer, Session
from tests.trio.support import Client, frame, serving

OLD = "/engine.io/?EIO=3&transport=polling"
OCTETS = "content-type: application/octet-stream\r\n"


async def handle(session: Session) -> None:
    async for data in session:
        session.send(data)


async def open_old(client: Client) -> str:
    """Open a session. Returns the target of its requests."""
    answer = await client.request("GET", OLD)
    packet = answer.body.decode().partition(":")[2]
    return f"{OLD}&sid={json.loads(packet[1:])['sid']}"


async def test_bytes_by_polling_keep_their_label(autojump_clock: trio.testing.MockClock) -> None:
    """EIO-P3-07, EIO-P3-10, EIO-P3-11."""
    server = EngineServer(handle, config=ServerConfig(allow_eio3=True))
    async with serving(server) as listener:
        client = Client(listener.connect())
        session = await open_old(client)
        body = bytes.fromhex("0005ff34e282ac61 0104ff04010203")
        assert (await client.request("POST", session, body, OCTETS)).body == b"ok"
        answer = await client.request("GET", session)
        assert answer.body == body
        assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("beats", [0, 3])
async def test_silence_after_an_upgrade_is_noticed(
    beats: int, autojump_clock: trio.testing.MockClock
) -> None:
    """EIO-HB-21, EIO-UPS-19."""
    sessions: list[Session] = []

    async def keep(session: Session) -> None:
        sessions.append(session)
        await handle(session)

    server = EngineServer(keep, config=ServerConfig(allow_eio3=True))
    async with serving(server) as listener:
        session = await open_old(Client(listener.connect()))
        client = Client(listener.connect())
        await client.upgrade(session.replace("polling", "websocket"))
        await client.text("2probe")
        assert await client.frame() == (0x81, b"3probe")
        await client.text("5")
        for _ in range(beats):
            await trio.sleep(44)
            await client.text("2")
            assert await client.frame() == (0x81, b"3")
        await client.send(frame(0x82, b"\x04\x01"))
        assert await client.frame() == (0x82, b"\x04\x01")
        quiet_since = trio.current_time()
        assert await client.frame() == (0x88, b"")
        assert trio.current_time() - quiet_since == pytest.approx(45)
        assert sessions[0].close_reason is CloseReason.PING_TIMEOUT
