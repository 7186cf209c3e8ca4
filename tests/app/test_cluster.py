"""Several servers in one, and what changes in their rooms."""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio
import trio.testing

from sioproto import AckTimeout, LocalProtocolError
from sioproto.trio import Server, Socket
from tests.app.support import Clock, server
from tests.bus import Bus, BusAdapter
from tests.trio.support import connect, serving


def two_servers() -> tuple[Bus, Server, Server]:
    bus = Bus()
    a, b = (Server(adapter=lambda namespace: BusAdapter(namespace, bus)) for _ in range(2))
    return bus, a, b


async def test_a_broadcast_and_its_acknowledgements(autojump_clock: Clock) -> None:
    bus, a, b = two_servers()
    async with serving(a) as here, serving(b) as there:
        ann, bob = await connect(here), await connect(there)
        b.sockets_join("r")
        bus.carry()
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await a.to("r").request("q", timeout=5))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            assert await ann.hear() == '20["q"]'
            await ann.say('30["ann"]')
            bus.carry()
            assert await bob.hear() == '20["q"]'
            await bob.say('30["bob"]')
            await trio.testing.wait_all_tasks_blocked()
            bus.carry()
        assert answers == [["ann", "bob"]]
        a.local.emit("here")
        a.compress(False).emit("all")
        bus.carry()
        assert await ann.hear() == '2["here"]'
        assert await bob.hear() == '2["all"]'
        async with trio.open_nursery() as nursery:
            nursery.start_soon(carry_soon, bus)
            with pytest.raises(AckTimeout, match="2 of those asked"):
                await a.request("q", timeout=5)


async def carry_soon(bus: Bus) -> None:
    await trio.sleep(1)
    bus.carry()


@pytest.mark.covers("SIO-BC-19")
async def test_server_side_events(autojump_clock: Clock) -> None:
    """SIO-BC-19."""
    bus, a, b = two_servers()
    heard: list[object] = []

    @b.on_server_side("count")
    async def count(what: str) -> int:
        await trio.sleep(1)
        heard.append(what)
        return len(heard)

    @b.on_server_side("count")
    def second(what: str) -> str:
        return "not heard: the first has the word"

    @a.on_server_side("count")
    def not_called(what: str) -> None:
        heard.append("on itself")

    async with serving(a), serving(b):
        a.server_side_emit("count", "x")
        bus.carry()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(carry_soon, bus)
            await trio.sleep(2)
            nursery.start_soon(carry_soon, bus)
            nursery.start_soon(carry_later, bus)
            assert await a.server_side_request("count", "y", timeout=9) == [2]
        with pytest.raises(AckTimeout, match="1 servers did not answer") as caught:
            await a.server_side_request("count", "z", timeout=5)
        assert caught.value.responses == []
        with pytest.raises(LocalProtocolError, match="reserved"):
            a.server_side_emit("connection")
        with pytest.raises(LocalProtocolError, match="reserved"):
            a.on_server_side("connection")
    assert heard == ["x", "y"]


async def carry_later(bus: Bus) -> None:
    await trio.sleep(3)
    bus.carry()


async def test_what_a_server_side_listener_raises_goes_to_the_hook(autojump_clock: Clock) -> None:
    bus, a, b = two_servers()
    errors: list[Exception] = []
    b.on_error(lambda error, socket: errors.append(error))

    @b.on_server_side("bad")
    def bad() -> None:
        raise RuntimeError("no")

    async with serving(a), serving(b):
        a.server_side_emit("bad")
        a.server_side_emit("bad", "too many")
        bus.carry()
        await trio.testing.wait_all_tasks_blocked()
    # In any order: each is called in a task of its own.
    assert {type(error) for error in errors} == {RuntimeError, TypeError}


async def test_without_a_cluster(autojump_clock: Clock) -> None:
    io = server()
    async with serving(io):
        io.server_side_emit("hello")
        assert await io.server_side_request("hello", timeout=5) == []


@pytest.mark.covers("SIO-ROOM-05")
async def test_changes_of_rooms(autojump_clock: Clock) -> None:
    """SIO-ROOM-05."""
    changes: list[tuple[str, ...]] = []
    io = server(lambda socket: socket.join("r"))
    io.on_room("create")(lambda room: changes.append(("create", room)))
    io.on_room("join")(lambda room, id: changes.append(("join", room, id)))
    io.on_room("leave")(lambda room, id: changes.append(("leave", room, id)))
    io.on_room("delete")(lambda room: changes.append(("delete", room)))
    async with serving(io) as listener:
        client = await connect(listener)
        await trio.testing.wait_all_tasks_blocked()
        (id,) = io.of("/").sockets
        await client.say("1")
        await trio.testing.wait_all_tasks_blocked()
    assert changes == [
        ("create", id),
        ("join", id, id),
        ("create", "r"),
        ("join", "r", id),
        ("leave", id, id),
        ("delete", id),
        ("leave", "r", id),
        ("delete", "r"),
    ]


async def test_who_listens_to_rooms_may_speak(autojump_clock: Clock) -> None:
    errors: list[str] = []
    io = server()
    io.on_error(lambda error, socket: errors.append(str(error)))

    @io.on_room("join")
    def joined(room: str, id: str) -> None:
        io.to(room).emit("joined", id)
        raise RuntimeError("and fail")

    async with serving(io) as listener:
        client = await connect(listener)
        (id,) = io.of("/").sockets
        assert await client.hear() == f'2["joined","{id}"]'
    assert errors == ["and fail"]
    with pytest.raises(LocalProtocolError, match="create, join, leave, delete"):
        io.on_room("joined")

    async def late(room: str) -> None: ...

    with pytest.raises(LocalProtocolError, match="async"):
        io.on_room("create")(late)


@pytest.mark.covers("SIO-NSP-07")
async def test_children_have_what_their_parent_has(autojump_clock: Clock) -> None:
    """SIO-NSP-07."""
    rooms: list[str] = []
    joined: list[Socket] = []
    io = server()
    parent = io.of(re.compile("/child-.*"))
    parent.on_room("create")(rooms.append)
    parent.once("connection")(joined.append)
    async with serving(io) as listener:
        for _ in range(2):
            await connect(listener, "/child-1,")
        await connect(listener, "/child-2,")
        await trio.testing.wait_all_tasks_blocked()
        assert len(rooms) == 3
        assert [socket.namespace.name for socket in joined] == ["/child-1", "/child-2"]
