"""The Socket.IO client in memory: how it comes, talks and receives."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

import sioproto.engineio
import sioproto.socketio
from sioproto import AckTimeout, ClosedError, ConnectionFailed, ConnectionRefused
from sioproto._errors import LocalProtocolError
from sioproto.testing.trio import Event, ExpectationFailed, serving
from sioproto.trio import Server, Socket
from tests.testing.support import Clock, chat_server, pause

# Coming


async def test_a_client_is_awaited_or_entered() -> None:
    ends: list[Any] = []
    async with serving(chat_server(ends)) as server:
        ann = await server.connect()
        async with server.connect("a") as bob:
            assert (ann.namespace, bob.namespace) == ("/", "/a")
            assert ann.connected
            assert bob.connected
            assert "lobby" in bob.socket.rooms  # though its handler had to wait a moment
        assert (bob.connected, bob.reason) == (False, "io client disconnect")
        await server.settle()
        assert ends == [("/a", "client namespace disconnect", None)]
        assert ann.connected
    assert ends[1:] == [("/", "server shutting down", None)]
    assert (ann.connected, ann.reason) == (False, "transport close")


async def test_the_session_and_the_socket_are_those_of_the_server() -> None:
    io = chat_server()
    async with serving(io) as server:
        ann = await server.connect()
        room = await ann.join("/a")
        other = await server.connect()
        assert ann.socket is io.of("/").sockets[ann.id]
        assert room.socket is io.of("/a").sockets[room.id]
        assert ann.sid == room.sid == ann.socket.sid != other.sid
        assert io.statistics().connections == 2


async def test_the_socket_is_there_even_if_it_was_let_in_only_to_be_thrown_out() -> None:
    io = Server()
    io.on("connection")(lambda socket: socket.disconnect())
    async with serving(io) as server:
        ann = await server.connect()
        assert ann.socket.id == ann.id
        assert not ann.connected
        assert ann.reason == "io server disconnect"


async def test_handshake_as_a_browser_would_make_it() -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect(headers={"Origin": "http://localhost", "Host": "localhost"})
        handshake = ann.socket.handshake
        assert (handshake.query["EIO"], handshake.query["transport"]) == ("4", "websocket")
        assert (handshake.address, handshake.secure) == ("127.0.0.1", False)
        assert not handshake.xdomain
        assert (await server.connect(headers={"Origin": "http://x"})).socket.handshake.xdomain


@pytest.mark.covers("SIO-MW-02")
async def test_refused_by_middleware() -> None:
    """SIO-MW-02: message and data; the connection goes with the last client on it."""
    io = chat_server()

    @io.of("/a").use
    def refuse(socket: Socket) -> None:
        raise ConnectionRefused("no", data={"auth": dict(socket.handshake.auth)})

    async with serving(io) as server:
        for connecting in (server.connect("/a", auth={"x": b"".hex()}), server.connect("/nowhere")):
            with pytest.raises(ConnectionRefused) as refusal:
                await connecting
            assert (refusal.value.message, refusal.value.data) in [
                ("no", {"auth": {"x": ""}}),
                ("Invalid namespace", None),
            ]
        await server.settle()
        assert io.statistics().connections == 0
        ann = await server.connect()
        with pytest.raises(ConnectionRefused, match="no"):
            await ann.join("/a")
        assert await ann.request("echo", 1) == 1


async def test_no_connection() -> None:
    def allow(request: sioproto.engineio.Request) -> None:
        raise ConnectionRefused("not from there")

    async with serving(Server(allow_request=allow)) as server:
        with pytest.raises(ConnectionFailed, match="HTTP 400: not from there"):
            await server.connect()


async def test_a_server_that_ends_the_connection_instead_of_answering(
    autojump_clock: Clock,
) -> None:
    io = Server(config=sioproto.socketio.ServerConfig(connect_timeout=2))
    io.use(pause(10))
    async with serving(io) as server:
        with pytest.raises(ConnectionFailed, match=r'before the answer\n.*"transport close"'):
            await server.connect()
        assert trio.current_time() == 2


async def test_a_server_that_does_not_answer_in_time(autojump_clock: Clock) -> None:
    io = Server()
    io.use(pause(20))
    async with serving(io, timeout=3) as server:
        with pytest.raises(ExpectationFailed, match="no answer came within 3 seconds"):
            await server.connect()
        assert trio.current_time() == 3
        assert io.statistics().connections == 0
        async with server.connect(timeout=21):
            assert trio.current_time() == 23


async def test_a_cancelled_connect_leaves_nothing_behind(autojump_clock: Clock) -> None:
    io = Server()
    io.use(pause(20))
    async with serving(io) as server:
        with trio.move_on_after(1):
            await server.connect()
        assert io.statistics().connections == 0


async def test_misuse_is_told_at_once_and_changes_nothing() -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect()
        room = await ann.join("/a")
        with pytest.raises(LocalProtocolError, match="there is a client in /a"):
            ann.join("a")
        with pytest.raises(LocalProtocolError, match="reserved"):
            ann.emit("disconnect")
        with pytest.raises(LocalProtocolError, match="JSON"):
            ann.request("echo", object())
        with pytest.raises(LocalProtocolError, match="lose the connection first"):
            ann.reconnect()
        assert await ann.request("echo", 1) == 1
        room.disconnect()
        for use in (lambda: room.emit("x"), lambda: room.request("x")):
            with pytest.raises(ClosedError, match='in /a is disconnected, "io client disconnect"'):
                use()
        ann.disconnect()
        with pytest.raises(ClosedError):
            ann.join("/b")


# Talking


@pytest.mark.parametrize("args", [(), (None,), (1,), (b"\x00", {"deep": [b"x", "y"]}), ([],)])
async def test_arguments_arrive_in_both_directions(args: tuple[Any, ...]) -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect()
        values = await ann.request("echo", *args)
        assert values == (args if len(args) > 1 else args[0] if args else None)
        ann.emit("tell", "told", *args)
        event = await ann.receive()
        assert event == Event("told", *args)
        assert event.reply is None


async def test_what_is_awaited_has_been_handled(autojump_clock: Clock) -> None:
    """All that the server does at once, and nothing that takes time."""
    late: list[str] = []
    io = Server()

    @io.on("connection")
    async def connection(socket: Socket) -> None:
        @socket.on("enter")
        async def enter(room: str) -> None:
            for _ in range(10):
                await trio.lowlevel.checkpoint()
            socket.join(room)
            await trio.sleep(1)
            late.append(room)

    async with serving(io) as server:
        ann, bob = await server.connect(), await server.connect()
        for client in (ann, bob):
            await client.emit("enter", "room")
            assert "room" in client.socket.rooms
        await ann.lose()
        await bob.disconnect()
        assert not io.of("/").sockets
        assert (late, trio.current_time()) == ([], 0)


async def test_a_server_that_never_rests(mock_clock: Clock) -> None:
    io = Server()

    @io.on("connection")
    async def connection(socket: Socket) -> None:
        while socket.connected:
            await trio.lowlevel.checkpoint()
            mock_clock.jump(0.01)

    async with serving(io) as server:
        with pytest.raises(ExpectationFailed, match=r"some task has not come to wait .* in 5 s"):
            await server.connect()


async def test_many_attachments_arrive() -> None:
    """The server's own limit is for what it receives."""
    async with serving(chat_server()) as server:
        ann = await server.connect()
        server.application.emit("many", *[bytes([number]) for number in range(50)])
        assert (await ann.receive()).args[49] == b"\x31"


async def test_the_server_asks_while_it_is_asked() -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect()
        answer = ann.request("ask", "why?")
        question = await ann.receive("why?")
        assert question.reply is not None
        assert question.reply("because", b"x")
        assert not question.reply("the second time")
        for _ in range(2):  # it stays there
            assert await answer == ("because", b"x")


async def test_answers_find_their_requests() -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect()
        first, second = ann.request("ask", "a"), ann.request("echo", 2)
        assert await ann.receive() == Event("a")
        server.application.emit("in between")
        assert await ann.receive() == Event("in between")
        ann.lose()
        for answer in (first, second):
            with pytest.raises(ClosedError, match="no acknowledgement of"):
                await answer


async def test_no_acknowledgement(autojump_clock: Clock) -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect()
        ann.emit("tell", "first", 1)
        with pytest.raises(AckTimeout) as error:
            await ann.request("nobody listens", timeout=7)
        assert trio.current_time() == 7
        assert str(error.value).splitlines() == [
            "no acknowledgement of 'nobody listens' came within 7 seconds",
            f'  client "{ann.id}" in / is connected',
            "  received so far, the latest last:",
            "    Event('first', 1)  <- not taken",
        ]
        with pytest.raises(ClosedError, match="io server disconnect"):
            await ann.request("kick", False)


# Receiving


async def test_events_are_taken_in_order_or_by_name() -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect()
        for number, name in enumerate(("x", "y", "x", "z")):
            ann.emit("tell", name, number)
        assert await ann.receive("z") == Event("z", 3)
        assert await ann.receive("x") == Event("x", 0)
        assert await ann.receive() == Event("y", 1)
        assert await ann.receive() == Event("x", 2)
        await ann.receive_nothing()


async def test_what_came_instead(autojump_clock: Clock) -> None:
    async with serving(chat_server()) as server:
        ann = await server.connect()
        with pytest.raises(
            ExpectationFailed, match=r"no event came .*\n.*\n.*nothing was received"
        ):
            await ann.receive(timeout=0.5)
        assert trio.current_time() == 0.5
        for number in range(25):
            ann.emit("tell", "x", number)
        ann.emit("tell", "long", "y" * 1000)
        assert await ann.receive("x") == Event("x", 0)
        assert await ann.receive(name="long")
        with pytest.raises(ExpectationFailed) as error:
            await ann.receive("z")
        first, _, _, *lines = str(error.value).splitlines()
        assert first == "no event 'z' came within 5 seconds"
        assert len(lines) == 20
        assert lines[0] == "    Event('x', 6)  <- not taken"
        assert lines[-1].endswith("yyy... (1017 characters)")
        assert len(lines[-1]) < 350


async def test_nothing_will_come_any_more(autojump_clock: Clock) -> None:
    """Nobody waits for a client that has gone; what it received can still be taken."""
    async with serving(chat_server()) as server:
        ann = await server.connect()
        ann.emit("tell", "bye")
        ann.emit("kick", False)
        assert await ann.wait_disconnected() == "io server disconnect"
        assert await ann.receive() == Event("bye")
        with pytest.raises(ExpectationFailed, match="no event came any more"):
            await ann.receive()
        assert trio.current_time() == 0


async def test_why_the_server_ended_it() -> None:
    """What no client over a network would learn: here, it is the hint that matters."""
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.on("two")(lambda a, b: None)

    async with serving(io) as server:
        ann = await server.connect()
        with pytest.raises(ClosedError) as caught:
            await ann.request("two", 1)
        assert str(caught.value).splitlines()[1:3] == [
            f'  client "{ann.id}" in / is disconnected, "transport close"',
            '  the server says "forced server close": '
            'no listener takes "two" with 1 arguments [SIO-ROB-01]',
        ]


async def test_nothing_comes(autojump_clock: Clock) -> None:
    io = Server()

    @io.on("connection")
    async def connection(socket: Socket) -> None:
        await trio.sleep(3)
        socket.emit("late")

    async with serving(io) as server:
        ann = await server.connect()
        await ann.receive_nothing()
        await ann.receive_nothing(within=2)
        assert trio.current_time() == 2
        with pytest.raises(ExpectationFailed, match=r"^Event\('late'\) came"):
            await ann.receive_nothing(within=2)
        assert trio.current_time() == 3
        assert await ann.receive() == Event("late")  # it was not taken


def test_events_compare_by_name_and_arguments() -> None:
    event = Event("a", 1, [b"x"])
    assert event == Event("a", 1, [b"x"])
    assert event not in (Event("b", 1, [b"x"]), Event("a", 1), Event("a", [1, [b"x"]]))
    assert event != ("a", 1, [b"x"])
    assert repr(event) == "Event('a', 1, [b'x'])"
    match event:
        case Event("a", (number, _)):
            assert number == 1
        case _:
            pytest.fail("a pattern finds name and arguments")


# The whole


async def test_several_servers_at_once() -> None:
    async with serving(chat_server()) as one, serving(chat_server()) as two:
        ann, bob = await one.connect(), await two.connect()
        one.application.emit("only here")
        assert await ann.receive() == Event("only here")
        await bob.receive_nothing()


async def test_real_time_will_do() -> None:
    async with serving(chat_server(), timeout=0.01) as server:
        ann = await server.connect(timeout=5)
        with pytest.raises(ExpectationFailed, match=r"within 0\.01 seconds"):
            await ann.receive()
