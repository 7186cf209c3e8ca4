"""Rooms, broadcasts, and what goes out when."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing

from sioproto._errors import (
    LocalProtocolError,
)
from sioproto.socketio import BroadcastOperator
from sioproto.trio import Server, Socket
from tests.app.support import Clock, server
from tests.trio.support import Client, SocketClient, connect, frame, open_polling, serving


@pytest.mark.covers("SIO-NSP-16", "SIO-ROOM-02")
async def test_rooms_and_broadcasts(autojump_clock: Clock) -> None:
    """SIO-NSP-16, SIO-ROOM-02."""

    def connection(socket: Socket) -> None:
        @socket.on("join")
        def join(*rooms: str) -> list[str]:
            socket.join(*rooms)
            return list(socket.rooms)

        @socket.on("leave")
        def leave(room: str) -> list[str]:
            socket.leave(room)
            return list(socket.rooms)

        @socket.on("tell")
        def tell(*rooms: str) -> None:
            (socket.to(*rooms) if rooms else socket.broadcast).emit("told", *rooms)

        @socket.on("tell-all")
        def tell_all(how: str) -> None:
            recipients: dict[str, Server | BroadcastOperator] = {
                "emit": io,
                "to": io.to("a"),
                "in": io.in_("a").except_("b"),
                "except": io.except_("a"),
                "namespace": io.of("/").except_("b"),
            }
            recipients[how].emit("told", how)

    io = server(connection)
    async with serving(io) as listener:
        ann, bob = [await connect(listener) for _ in range(2)]
        await ann.say('21["join","a"]')
        ids = json.loads((await ann.hear())[2:])[0]
        assert ids[1:] == ["a"]
        assert ids[0] in io.of("/").sockets
        await bob.say('21["join","a","b"]')
        assert json.loads((await bob.hear())[2:])[0][1:] == ["a", "b"]

        async def heard(*clients: SocketClient) -> list[str]:
            """What clients hear before a sentinel."""
            texts = []
            for client in clients:
                await client.say('29["leave","nowhere"]')
                while not (text := await client.hear()).startswith("39"):
                    texts.append(text)
            return texts

        await ann.say('2["tell","a"]')
        assert await heard(ann, bob) == ['2["told","a"]']
        await ann.say('2["tell"]')
        assert await heard(ann, bob) == ['2["told"]']
        for how, count in (("emit", 2), ("to", 2), ("in", 1), ("except", 0), ("namespace", 1)):
            await ann.say(f'2["tell-all","{how}"]')
            assert await heard(ann, bob) == [f'2["told","{how}"]'] * count


@pytest.mark.covers("SIO-EVT-07")
async def test_send_emits_messages(autojump_clock: Clock) -> None:
    """SIO-EVT-07."""

    def connection(socket: Socket) -> None:
        @socket.on("message")
        def message(who: str) -> None:
            senders = {"socket": socket.send, "namespace": io.of("/").send, "server": io.send}
            senders[who]("from", who)

    io = server(connection)
    async with serving(io) as listener:
        ann, bob = [await connect(listener) for _ in range(2)]
        await ann.say('2["message","socket"]')
        assert await ann.hear() == '2["message","from","socket"]'
        for who in ("namespace", "server"):
            await ann.say(f'2["message","{who}"]')
            for client in (ann, bob):
                assert await client.hear() == f'2["message","from","{who}"]'


async def test_draining_waits_until_the_client_has_fetched(autojump_clock: Clock) -> None:
    times: list[float] = []

    async def connection(socket: Socket) -> None:
        for _ in range(2):
            socket.emit("data", "x" * 1000)
            await socket.drain()
            times.append(trio.current_time())
        await socket.drain()  # nothing to wait for

    async with serving(server(connection)) as listener:
        client, sender = Client(listener.connect()), Client(listener.connect())
        session = await open_polling(client, "/socket.io/?EIO=4&transport=polling")
        await sender.request("POST", session, b"40")
        for _ in range(2):
            await trio.sleep(1)
            await client.request("GET", session)
        await trio.testing.wait_all_tasks_blocked()
    assert times == [1, 2]


async def test_all_that_one_read_causes_leaves_in_one_write(autojump_clock: Clock) -> None:
    def connection(socket: Socket) -> None:
        socket.on("echo")(lambda number: socket.emit("echo", number))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.client.send(
            b"".join(frame(0x81, b'42["echo",%d]' % number) for number in range(16))
        )
        await trio.testing.wait_all_tasks_blocked()
        data = bytes(await client.client.stream.receive_some())
        assert data.count(b'42["echo",') == 16


@pytest.mark.covers("SIO-HS-10", "SIO-HS-14")
async def test_free_attributes_and_data(autojump_clock: Clock) -> None:
    """SIO-HS-10, SIO-HS-14."""
    seen: list[Any] = []

    def connection(socket: Socket) -> None:
        socket.color = "red"
        socket.data["key"] = 1
        for name in ("id", "rooms", "emit", "request", "on"):
            with pytest.raises(LocalProtocolError, match=f"socket.{name} cannot"):
                setattr(socket, name, None)

        @socket.on("look")
        def look() -> None:
            seen.append((socket.color, socket.data))

    async with serving(server(connection)) as listener:
        client = await connect(listener)
        await client.say('2["look"]')
        await trio.testing.wait_all_tasks_blocked()
    assert seen == [("red", {"key": 1})]
