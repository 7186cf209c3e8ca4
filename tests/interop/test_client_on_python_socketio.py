"""Our client against the server of python-socketio, on uvicorn."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from sioproto import ConnectionRefused
from sioproto.engineio import ClientConfig as EngineConfig
from sioproto.trio import connect
from tests.project import ROOT

SERVER = ROOT / "conformance" / "targets" / "python-socketio" / "server.py"
TRANSPORTS = [("polling",), ("websocket",), ("polling", "websocket")]
TIMEOUT = 30


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """The server's two endpoints: with a heartbeat each second, and with a slow one."""
    with subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
async def test_events_acknowledgements_and_namespaces(
    urls: dict[str, str], transports: tuple[str, ...]
) -> None:
    engine = EngineConfig(transports=transports)
    values: list[Any] = ["żółć 🙂", 1, None, {"deep": [b"\x00\xff", b""]}, "x" * 50_000]
    with trio.fail_after(TIMEOUT):
        async with connect(urls["slow_url"], auth={"token": "t"}, engine=engine) as socket:
            heard: list[Any] = []
            socket.on("auth")(lambda *args: heard.append(("auth", *args)))
            socket.on("message-back")(lambda *args: heard.append(args))
            custom = socket.manager.of("/custom", auth={"token": "c"})
            theirs: list[Any] = []
            custom.on("auth")(theirs.append)
            await custom.wait_connected()
            for _ in range(3):
                socket.send(*values)
                assert await socket.request("message-with-ack", *values) == tuple(values)
            while len(heard) < 4 or not theirs or socket.manager.transport != transports[-1]:
                assert await socket.request("message-with-ack", 1) == 1
            assert heard == [("auth", {"token": "t"})] + [tuple(values)] * 3
            assert theirs == [{"token": "c"}]
            assert socket.id != custom.id
            custom.disconnect()
            assert await socket.request("message-with-ack", 2) == 2
            custom.connect()
            await custom.wait_connected()
            nowhere = socket.manager.of("/nowhere")
            with pytest.raises(ConnectionRefused):
                await nowhere.wait_connected()
            assert socket.connected


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
async def test_heartbeats(urls: dict[str, str], transports: tuple[str, ...]) -> None:
    with trio.fail_after(TIMEOUT):
        engine = EngineConfig(transports=transports)
        async with connect(urls["url"], engine=engine) as socket:
            id = socket.id
            send, beats = trio.open_memory_channel[None](10)
            socket.manager.on("ping")(lambda: send.send_nowait(None))
            for _ in range(3):
                await beats.receive()
            assert await socket.request("message-with-ack", 1) == 1
            assert socket.id == id
