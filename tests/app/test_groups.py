"""Many sockets at once, namespaces made on request, and sockets that come back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import trio
import trio.testing

from sioproto import AckTimeout, ConnectionRefused
from sioproto.socketio import LocalAdapter, RecoveryConfig, Restored, ServerConfig
from sioproto.trio import Server, Socket
from tests.app.support import Clock, server
from tests.trio.support import Client, SocketClient, connect, serving


async def test_asking_a_room(autojump_clock: Clock) -> None:
    io = server(lambda socket: socket.join("r"))
    async with serving(io) as listener:
        people = [await connect(listener) for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked()
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await io.to("r").request("q", 1, timeout=5))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            for number, client in enumerate(people):
                assert await client.hear() == '20["q",1]'
                await client.say(f"30[{number}]")
        assert answers == [[0, 1, 2]]
        assert await io.to("nobody").request("q", timeout=5) == []


@pytest.mark.covers("SIO-BC-12")
async def test_some_do_not_answer(autojump_clock: Clock) -> None:
    """SIO-BC-12."""
    io = server()
    async with serving(io) as listener:
        quick, slow = [await connect(listener) for _ in range(2)]
        async with trio.open_nursery() as nursery:

            async def answer() -> None:
                assert await quick.hear() == '20["q"]'
                await quick.say('30["here"]')

            nursery.start_soon(answer)
            with pytest.raises(AckTimeout, match="1 of those asked") as caught:
                await io.to().request("q", timeout=5)
        assert trio.current_time() == 5
        assert caught.value.responses == ["here"]
        assert await slow.hear() == '20["q"]'


async def test_whole_groups(autojump_clock: Clock) -> None:
    sockets: list[Socket] = []
    io = server(sockets.append)
    async with serving(io) as listener:
        people = [await connect(listener) for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked()
        sockets[0].broadcast.sockets_join("r")
        assert io.to("r").fetch_sockets() == sockets[1:]
        io.to("r").send("hello")
        io.volatile.to("r").emit("volatile")
        assert await people[1].hear() == '2["message","hello"]'
        assert await people[2].hear() == '2["message","hello"]'
        assert await people[2].hear() == '2["volatile"]'
        io.to("r").disconnect_sockets()
        await trio.testing.wait_all_tasks_blocked()
        assert list(io.of("/").sockets.values()) == sockets[:1]


@pytest.mark.covers("SIO-NSP-04", "SIO-NSP-05", "SIO-NSP-10")
async def test_namespaces_by_pattern_and_by_function(autojump_clock: Clock) -> None:
    """SIO-NSP-04, SIO-NSP-05, SIO-NSP-10."""
    joined: list[str] = []
    io = server()
    dynamic = io.of(re.compile(r"/dyn-\d+"))

    @dynamic.on("connection")
    def connection(socket: Socket) -> None:
        joined.append(socket.namespace.name)

    @dynamic.use
    def check(socket: Socket) -> None:
        if "bad" in socket.handshake.auth:
            raise ConnectionRefused("no")

    async def ask(name: str, auth: Mapping[str, Any]) -> bool:
        await trio.sleep(1)
        return auth.get("k") == 1

    io.of(ask)
    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        await client.open()
        assert (await client.join("/dyn-1")).startswith('0/dyn-1,{"sid"')
        assert await client.join("/dyn-2,", auth='{"bad":1}') == '4/dyn-2,{"message":"no"}'
        assert (await client.join("/dyn-x,", auth='{"k":1}')).startswith('0/dyn-x,{"sid"')
        assert await client.join("/dyn-y") == '4/dyn-y,{"message":"Invalid namespace"}'
        dynamic.emit("hello")
        assert await client.hear() == '2/dyn-1,["hello"]'
        assert joined == ["/dyn-1"]
        late = dynamic.children["/dyn-1"]
        late.use(lambda socket: None)
        assert (len(late.middlewares), len(dynamic.middlewares)) == (2, 1)


async def test_function_that_never_answers(autojump_clock: Clock) -> None:
    async def hang(name: str, auth: Mapping[str, Any]) -> bool:
        await trio.sleep_forever()
        return True

    io = server()
    io.of(hang)
    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        await client.open()
        assert await client.join("/x") == '4/x,{"message":"Invalid namespace"}'
        assert trio.current_time() == 30


async def test_function_that_raises(autojump_clock: Clock) -> None:
    def fail(name: str, auth: Mapping[str, Any]) -> bool:
        raise ZeroDivisionError(name)

    errors: list[tuple[Exception, object]] = []
    io = server()
    io.on_error(lambda error, socket: errors.append((error, socket)))
    io.of(fail)
    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        await client.open()
        assert await client.join("/x") == '4/x,{"message":"Invalid namespace"}'
        assert await client.join("/y") == '4/y,{"message":"Invalid namespace"}'
        assert [(str(error), socket) for error, socket in errors] == [("/x", None), ("/y", None)]


@pytest.mark.covers("SIO-CSR-11", "SIO-MW-11")
@pytest.mark.parametrize("skip", [True, False])
async def test_client_that_comes_back(skip: bool, autojump_clock: Clock) -> None:
    """SIO-CSR-11, SIO-MW-11."""
    asked: list[bool] = []
    sockets: list[Socket] = []
    recovery = RecoveryConfig(skip_middlewares=skip)
    io = Server(config=ServerConfig(recovery=recovery))
    io.use(lambda socket: asked.append(socket.recovered))

    @io.on("connection")
    def connection(socket: Socket) -> None:
        sockets.append(socket)
        if not socket.recovered:
            socket.join("r")
            socket.data["name"] = "ann"
            socket.emit("hello")

    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        ids = json.loads((await client.open())[1:])
        offset = json.loads((await client.hear())[1:])[-1]
        await client.client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert not sockets[0].connected
        io.to("r").emit("missed", 1)
        again = SocketClient(Client(listener.connect()))
        auth = json.dumps({"pid": ids["pid"], "offset": offset})
        missed = json.loads((await again.open(auth=auth))[1:])
        assert missed[:2] == ["missed", 1]
        assert json.loads((await again.hear())[1:]) == ids
        await trio.testing.wait_all_tasks_blocked()
        assert (sockets[1].id, sockets[1].data) == (ids["sid"], {"name": "ann"})
        assert list(sockets[1].rooms) == [ids["sid"], "r"]
        assert asked == ([False] if skip else [False, True])


@pytest.mark.covers("SIO-NSP-07", "SIO-NSP-08", "SIO-NSP-15")
async def test_what_is_added_to_a_parent_later_is_for_later_children(autojump_clock: Clock) -> None:
    """SIO-NSP-07, SIO-NSP-08, SIO-NSP-15."""
    io = server()
    parent = io.of(re.compile(r"/dyn-\d+"))

    def refuse(socket: Socket) -> None:
        raise ConnectionRefused("later")

    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        await client.open()
        assert (await client.join("/dyn-1,")).startswith("0/dyn-1,")
        parent.use(refuse)
        await client.say("1/dyn-1,")
        assert (await client.join("/dyn-1,")).startswith("0/dyn-1,")
        assert await client.join("/dyn-2,") == '4/dyn-2,{"message":"later"}'
        io.of("/dyn-3")  # by name, and so without a parent
        assert (await client.join("/dyn-3,")).startswith("0/dyn-3,")
        assert sorted(parent.children) == ["/dyn-1", "/dyn-2"]
        # Nothing that a client could name stands for the parent itself.
        assert await client.join("/_0,") == '4/_0,{"message":"Invalid namespace"}'


@pytest.mark.covers("SIO-NSP-06", "SIO-NSP-04")
async def test_a_registered_namespace_comes_first(autojump_clock: Clock) -> None:
    """SIO-NSP-06, SIO-NSP-04: then candidates in the order of their registration."""
    log: list[str] = []
    io = server()
    for name, pattern in (("first", r"/dyn-\d+"), ("second", r"/dyn-.*")):
        io.of(re.compile(pattern)).on("connection")(
            lambda socket, name=name: log.append(f"{name} {socket.namespace.name}")
        )
    io.of("/dyn-7").on("connection")(lambda socket: log.append("by name"))
    async with serving(io) as listener:
        client = SocketClient(Client(listener.connect()))
        await client.open()
        for name in ("/dyn-7,", "/dyn-8,", "/dyn-x,"):
            await client.join(name)
        await trio.testing.wait_all_tasks_blocked()
    assert log == ["by name", "first /dyn-8", "second /dyn-x"]


@pytest.mark.covers("SIO-OPT-01")
async def test_the_standard_path(autojump_clock: Clock) -> None:
    """SIO-OPT-01."""
    async with serving(Server()) as listener:
        client = Client(listener.connect())
        query = "?EIO=4&transport=polling"
        assert (await client.request("GET", f"/socket.io/{query}")).status == 200
        assert (await client.request("GET", f"/engine.io/{query}")).status == 404


@pytest.mark.covers("SIO-NSP-12")
async def test_nothing_stays_of_namespaces_that_were_made_on_request(
    autojump_clock: Clock,
) -> None:
    """SIO-NSP-12, whether their clients leave, go, are refused, or go while they wait."""
    io = Server(config=ServerConfig(remove_empty_namespaces=True))
    parent = io.of(re.compile(r"/dyn-\d+"))

    @parent.use
    async def middleware(socket: Socket) -> None:
        await trio.sleep(1)
        if "bad" in socket.handshake.auth:
            raise ConnectionRefused("no")

    async with serving(io) as listener:
        for number in range(10):
            client = SocketClient(Client(listener.connect()))
            await client.open()
            await client.join(f"/dyn-{number},")
            await client.join(f"/dyn-1{number},", auth='{"bad":1}')
            if number % 2:
                await client.say(f"1/dyn-{number},")
            await client.say(f"0/dyn-2{number},")
            await trio.sleep(0.5 * (number % 3))
            await client.client.stream.aclose()
        await trio.sleep(5)
        assert list(io.core.namespaces) == ["/"]
        assert list(io._namespaces) == ["/"]
        assert parent.children == {}
        # What is asked for again is made again, with all that its parent has.
        client = SocketClient(Client(listener.connect()))
        await client.open()
        assert await client.join("/dyn-1,", auth='{"bad":1}') == '4/dyn-1,{"message":"no"}'


class Storage(LocalAdapter):
    """An adapter whose storage takes its time, and then knows nobody."""

    recovers = True

    def restore(self, pid: object, offset: object, done: Callable[[Restored | None], None]) -> None:
        trio.lowlevel.spawn_system_task(self._answer, done)

    async def _answer(self, done: Callable[[Restored | None], None]) -> None:
        await trio.sleep(1)
        done(None)


@pytest.mark.covers("SIO-NSP-12", "SIO-CSR-10")
async def test_nor_if_they_go_while_a_storage_is_asked(autojump_clock: Clock) -> None:
    """SIO-NSP-12, SIO-CSR-10"""
    io = Server(config=ServerConfig(remove_empty_namespaces=True), adapter=Storage)
    parent = io.of(re.compile(r"/dyn-\d+"))
    async with serving(io) as listener:
        for number in range(3):
            client = SocketClient(Client(listener.connect()))
            await client.open()
            await client.say(f"0/dyn-{number},")
            await trio.sleep(0.5)
            assert list(parent.children) == [f"/dyn-{number}"]
            await client.client.stream.aclose()
            await trio.sleep(1)
        assert list(io.core.namespaces) == list(io._namespaces) == ["/"]
        assert parent.children == {}
