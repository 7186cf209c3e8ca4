"""The example that embeds a client in asyncio, against the official server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sioproto import engineio as eio
from sioproto import socketio as sio
from tests.examples.asyncio_person import TRANSPORTS, clock, person, run
from tests.interop.conftest import RunningServer, Serve

VALUES: list[Any] = ["żółć 🙂\x1e", 1.5, None, {"deep": [b"\x00\xff", b""]}, "x" * 50_000]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_events_and_acknowledgements(reference: RunningServer, transports: tuple[str, ...]) -> None:
    async def test() -> None:
        async with person(reference.port, transports) as ann:
            asked = asyncio.ensure_future(ann.driver.request(ann.socket, "ask-me", *VALUES))
            await ann.told(sio.ClientConnected)
            welcome = await ann.told(sio.ClientEventReceived)
            assert (welcome.name, welcome.args) == ("welcome", [ann.socket.id, None])
            question = await ann.told(sio.ClientEventReceived)
            assert question.args == VALUES
            question.reply("fine", b"\x01")
            assert await asked == ["fine", b"\x01"]
            for number in range(20):
                values = [number, bytes(number * 1_000), *VALUES]
                assert await ann.driver.request(ann.socket, "echo-ack", *values) == values
            if len(transports) == 2 and ann.driver.core.engine.transport == "polling":
                await ann.told(eio.SessionUpgraded)
            assert ann.driver.core.engine.transport == transports[-1]
            assert await ann.driver.request(ann.socket, "echo-ack", 1) == [1]
            ann.socket.emit("kick-me", False)
            assert (await ann.told(sio.ClientEventReceived)).name == "bye"
            assert (await ann.told(sio.ClientDisconnected)).reason == "io server disconnect"

    run(test)


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_refusals_and_namespaces(reference: RunningServer, transports: tuple[str, ...]) -> None:
    async def test() -> None:
        async with person(reference.port, transports) as ann:
            await ann.told(sio.ClientConnected)
            refused = ann.driver.core.of("/nowhere")
            refused.connect(now=clock())
            failed = await ann.told(sio.ClientConnectFailed)
            assert (failed.socket, failed.error.message) == (refused, "Invalid namespace")
            ann.socket.disconnect(now=clock())
            ann.socket.set_auth({"token": "wrong"})
            ann.socket.connect(now=clock())
            failed = await ann.told(sio.ClientConnectFailed)
            assert (failed.error.message, failed.error.data) == ("wrong token", {"retry": False})

    run(test)


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_heartbeats_and_reconnection(serve_reference: Serve, transports: tuple[str, ...]) -> None:
    server = serve_reference(ping_interval=0.3)

    async def test() -> None:
        async with person(server.port, transports, reconnection_delay=0.05) as ann:
            first = (await ann.told(sio.ClientConnected)).socket.id
            for _ in range(3):
                await ann.told(eio.PingReceived)
            server.kill()
            assert (await ann.told(sio.ClientDisconnected)).will_retry
            await ann.told(sio.ManagerOpenFailed)
            again = serve_reference(port=server.port)
            assert (await ann.told(sio.ClientConnected)).socket.id != first
            assert await ann.driver.request(ann.socket, "echo-ack", 1) == [1]
        again.stop()

    run(test)
