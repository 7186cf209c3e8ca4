"""Revision 3 of Engine.IO over real HTTP and WebSocket, in virtual time: both sides."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing

from sioproto import ConnectionFailed, LocalProtocolError
from sioproto.engineio import ClientConfig, CloseReason, ServerConfig
from sioproto.trio import EngineServer, Server, Session, Socket, connect
from tests.trio.client_support import URL, network
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


@pytest.mark.covers("EIO-P3-07", "EIO-P3-10", "EIO-P3-11")
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


@pytest.mark.covers("EIO-HB-21", "EIO-UPS-19")
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


# Our client


@pytest.mark.parametrize("transports", [("polling",), ("websocket",), ()], ids=str)
async def test_client_of_an_older_server(
    autojump_clock: trio.testing.MockClock, transports: tuple[str, ...]
) -> None:
    """EIO-HB-20, SIO-V4-02 to SIO-V4-04."""
    io = Server(engine=ServerConfig(path="/socket.io/", allow_eio3=True))
    beats: list[None] = []

    def connection(socket: Socket) -> None:
        socket.on("echo")(lambda *args: args)
        socket.on("who")(lambda: dict(socket.handshake.auth))

    for name in ("/", "/chat"):
        io.of(name).on("connection")(connection)
    async with (
        network(io) as net,
        net.connect(f"{URL}?token=t", *transports, engine_revision=3) as socket,
    ):
        manager = socket.manager
        manager.on("ping")(lambda: beats.append(None))
        assert socket.id == manager.core.engine.sid
        assert await socket.request("echo", b"\x00\xff", "żółć") == (b"\x00\xff", "żółć")
        chat = manager.of("/chat", auth=lambda: {"user": "ann"})
        await chat.wait_connected()
        assert chat.id == f"/chat#{socket.id}"
        assert await chat.request("who") == {"user": "ann"}
        await trio.sleep(190)  # between two pings, which come every 25 seconds
        assert len(beats) == 7
        assert await chat.request("echo", 1) == 1


async def test_credentials_that_an_older_server_cannot_be_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with network(Server()) as net:
        with pytest.raises(LocalProtocolError, match="query of the URL"):
            async with net.connect(auth={"token": "t"}, engine_revision=3):
                raise AssertionError("not reached")


async def test_server_that_speaks_the_later_revision_alone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """EIO-QP-12: both are named."""
    for transport in ("polling", "websocket"):
        async with network(Server()) as net:
            with pytest.raises(ConnectionFailed, match=r"revision 4.*revision 3"):
                async with net.connect(URL, transport, engine_revision=3):
                    raise AssertionError("not reached")


def test_revision_and_path_of_the_configuration() -> None:
    for wrong in (2, 5, True, "3"):
        with pytest.raises(ValueError, match="revision"):
            connect(URL, engine_revision=wrong)  # type: ignore[arg-type] # that is the point
    given = ClientConfig(revision=3, path="/engine.io/")
    assert connect(URL, engine=given)._engine.revision == 3
    assert connect(URL, engine=given, engine_revision=4)._engine.revision == 4
    assert connect(URL, engine=given)._engine.path == "/engine.io/"
    assert connect(URL)._engine.path == "/socket.io/"
