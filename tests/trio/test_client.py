"""The client on trio against our own server: over memory, TCP and TLS."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
import trustme

from sioproto import (
    AckTimeout,
    ClosedError,
    ConnectionFailed,
    ConnectionRefused,
    LocalProtocolError,
)
from sioproto.socketio import (
    ClientConfig,
    ClientDisconnectReason,
    OrjsonCodec,
    Parser,
    TextParser,
)
from sioproto.trio import Server, Socket, connect
from sioproto.trio._address import parse_url
from tests.trio.client_support import URL, answering, network

TRANSPORTS = [("polling",), ("websocket",), ("polling", "websocket")]
Clock = trio.testing.MockClock


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
async def test_emit_request_and_iterate(autojump_clock: Clock, transports: tuple[str, ...]) -> None:
    async with network(answering()) as net, net.connect(URL, *transports) as socket:
        assert socket.connected
        socket.emit("echo", {"a": 1}, b"bytes")
        assert await socket.request("add", 1, 2, timeout=5) == 3
        assert await socket.request("several") == (1, 2)
        async for event in socket:
            assert (event.name, event.args) == ("echoed", [{"a": 1}, b"bytes"])
            break
        await trio.sleep(1)
        assert socket.manager.transport == transports[-1]
        await trio.sleep(100)  # heartbeats
        large = "é" * 100_000 + "x"
        socket.emit("echo", large, bytes(70_000))
        await socket.drain()
        async for event in socket:
            assert event.args == [large, bytes(70_000)]
            socket.emit("leave")
        assert not socket.active


FAST = TextParser(OrjsonCodec())


@pytest.mark.parametrize(("ours", "theirs"), [(FAST, FAST), (FAST, None), (None, FAST)])
async def test_orjson_on_either_end(
    autojump_clock: Clock, ours: Parser | None, theirs: Parser | None
) -> None:
    async with network(answering(parser=theirs)) as net, net.connect(parser=ours) as socket:
        assert await socket.request("add", 1, 2, timeout=5) == 3
        socket.emit("echo", {"é": [1.5, None, b"bytes"]}, b"more")
        async for event in socket:
            assert event.args == [{"é": [1.5, None, b"bytes"]}, b"more"]
            break


@pytest.mark.covers("SIO-EVT-08")
async def test_handlers(autojump_clock: Clock) -> None:
    """SIO-ACK-03, SIO-EVT-08: in order, with acknowledgements, and catch-alls."""
    log: list[Any] = []
    async with network(answering()) as net, net.connect() as socket:

        @socket.on("question")
        async def question(*args: Any) -> Any:
            await trio.sleep(0.1)
            return [*args, b"x"]

        @socket.once("echoed")
        def echoed(number: int) -> None:
            log.append(number)

        socket.on_any(lambda name, *args: log.append(name))
        socket.prepend_any(lambda *args: log.append("first"))
        socket.on_any_outgoing(lambda name, *args: log.append(f"{name} goes out"))
        assert await socket.request("ask", 7) == [7, b"x"]
        socket.emit("echo", 1)
        socket.emit("echo", 2)
        await trio.sleep(1)
        socket.off_any()
        socket.off_any_outgoing()
        socket.emit("echo", 3)
        await trio.sleep(1)
    first, *rest = log
    assert first == "ask goes out"
    assert rest == [
        "first", "question", "echo goes out", "echo goes out",
        "first", "echoed", 1, "first", "echoed",
    ]  # fmt: skip


async def test_handlers_run_one_at_a_time_unless_told_otherwise(autojump_clock: Clock) -> None:
    log: list[str] = []
    async with network(answering()) as net, net.connect() as socket:

        async def slow(name: str) -> None:
            log.append(f"{name} begins")
            await trio.sleep(1)
            log.append(f"{name} ends")

        socket.on("echoed")(slow)
        socket.emit("echo", "a")
        socket.emit("echo", "b")
        await trio.sleep(3)
        assert log == ["a begins", "a ends", "b begins", "b ends"]
        socket.off("echoed")
        socket.on("echoed", concurrent=True)(slow)
        log.clear()
        socket.emit("echo", "a")
        socket.emit("echo", "b")
        await trio.sleep(3)
        assert sorted(log[:2]) == ["a begins", "b begins"]
        assert len(log) == 4


@pytest.mark.covers("SIO-CSR-03")
async def test_arguments_that_are_too_many_are_dropped(autojump_clock: Clock) -> None:
    """SIO-CSR-03: the last one may be an offset; too few are an error of their own."""
    heard: list[Any] = []
    async with network(answering()) as net, net.connect() as socket:
        socket.on("echoed")(lambda one: heard.append(one))
        socket.emit("echo", 1, "offset")
        await trio.sleep(1)
        assert heard == [1]
        errors: list[Exception] = []
        socket.manager.on_error(lambda error, socket: errors.append(error))
        socket.emit("echo")
        await trio.sleep(1)
        assert "takes more than the 0 arguments" in str(errors[0])


# Errors


async def test_refusal(autojump_clock: Clock) -> None:
    io = Server()

    @io.use
    def middleware(socket: Socket) -> None:
        raise ConnectionRefused(f"not {socket.handshake.auth['name']}", data={"retry": False})

    async with network(io) as net:
        with pytest.raises(ConnectionRefused) as refused:
            async with net.connect(auth={"name": "you"}):
                raise AssertionError("not reached")
        assert refused.value.message == "not you"
        assert refused.value.data == {"retry": False}
        with pytest.raises(ConnectionRefused, match="Invalid namespace"):
            async with net.connect(URL + "nowhere"):
                raise AssertionError("not reached")


async def test_nobody_there(autojump_clock: Clock) -> None:
    async with network(Server()) as net:
        net.offline = True
        with pytest.raises(ConnectionFailed, match="no route to host") as failed:
            async with net.connect():
                raise AssertionError("not reached")
        assert isinstance(failed.value.__cause__, OSError)

        async def come_back() -> None:
            await trio.sleep(10)
            net.offline = False

        async with trio.open_nursery() as nursery:
            nursery.start_soon(come_back)
            async with net.connect(retry=True) as socket:
                assert socket.connected
                assert trio.current_time() >= 10


async def test_no_waiting(autojump_clock: Clock) -> None:
    async with network(answering()) as net, net.connect(wait=False) as socket:
        assert not socket.connected
        socket.emit("echo", 1)
        await socket.wait_connected()
        async for event in socket:
            assert event.args == [1]
            break
        socket.disconnect()
        with pytest.raises(ClosedError):
            await socket.wait_connected()


async def test_what_the_body_raises_comes_out_as_it_is(autojump_clock: Clock) -> None:
    async with network(answering()) as net:
        error = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError) as raised:
            async with net.connect():
                raise error
        assert raised.value is error
        with trio.move_on_after(5) as scope:
            async with net.connect():
                await trio.sleep_forever()
        assert scope.cancelled_caught


async def test_what_a_handler_raises_ends_the_body(autojump_clock: Clock) -> None:
    async with network(answering()) as net:
        error = ZeroDivisionError()

        def fail(*args: Any) -> None:
            raise error

        with pytest.raises(ZeroDivisionError) as raised:  # noqa: PT012 # the body is the point
            async with net.connect() as socket:
                socket.on("echoed")(fail)
                socket.emit("echo")
                await trio.sleep_forever()
        assert raised.value is error
        caught: list[Any] = []
        async with net.connect() as socket:
            socket.manager.on_error(lambda error, socket: caught.append((error, socket)))
            socket.on("echoed")(fail)
            socket.on_any_outgoing(fail)
            socket.emit("echo")
            await trio.sleep(1)
            assert caught == [(error, socket)] * 2


async def test_requests_have_one_outcome(autojump_clock: Clock) -> None:
    async with network(answering()) as net, net.connect() as socket:
        with pytest.raises(AckTimeout):
            await socket.request("silence", timeout=2)

        async def cut() -> None:
            await trio.sleep(1)
            await net.cut()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cut)
            with pytest.raises(ClosedError):
                await socket.request("silence", timeout=50)
        assert await socket.request("add", 1, 2) == 3  # waits for the reconnection


async def test_listeners_or_iteration(autojump_clock: Clock) -> None:
    async with network(answering()) as net:
        async with net.connect() as socket:
            socket.on("x")(lambda: None)
            with pytest.raises(LocalProtocolError):
                aiter(socket)
        async with net.connect() as socket:
            socket.on("disconnect")(lambda reason: None)
            aiter(socket)
            with pytest.raises(LocalProtocolError):
                socket.on("x")
            for wrong in ("newListener", "disconnecting"):
                with pytest.raises(LocalProtocolError):
                    socket.on(wrong)
            with pytest.raises(LocalProtocolError):
                socket.manager.on("nothing")
        client = net.connect()
        async with client:
            pass
        with pytest.raises(LocalProtocolError):
            async with client:
                raise AssertionError("not reached")


# The life of a connection


async def test_reconnection(autojump_clock: Clock) -> None:
    log: list[Any] = []
    async with network(answering()) as net, net.connect() as socket:
        manager = socket.manager
        socket.on("connect")(lambda: log.append("connect"))
        socket.on("disconnect")(lambda reason: log.append(str(reason)))
        socket.on("connect_error")(lambda error: log.append("connect_error"))
        for name in ("open", "close", "reconnect_attempt", "reconnect", "reconnect_error"):
            manager.on(name)(lambda *args, name=name: log.append(name))
        first = socket.id
        await trio.sleep(1)
        net.offline = True
        await net.cut()
        await trio.sleep(0.1)
        assert not socket.connected
        assert socket.active
        assert manager.reconnecting
        socket.emit("echo", "meanwhile")
        await trio.sleep(1.6)
        net.offline = False
        await socket.wait_connected()
        assert socket.id != first
        await trio.sleep(1)
    assert log[0] == "connect"
    assert log[-2:] == ["close", str(ClientDisconnectReason.IO_CLIENT_DISCONNECT)]
    assert [each for each in log if each != "reconnect_attempt"][1:-2] == [
        "close", "transport error", "reconnect_error", "connect_error",
        "open", "reconnect", "connect",
    ]  # fmt: skip


async def test_what_is_emitted_after_a_standstill_is_kept(autojump_clock: Clock) -> None:
    """SIO-CBUF-06: the connection is over, and nobody has had the time to notice."""
    async with network(answering()) as net, net.connect() as socket:
        events = aiter(socket)
        for number in range(3):
            autojump_clock.jump(100)
            if number == 2:
                socket.volatile.emit("echo", "dropped")
            socket.emit("echo", number)
            assert not socket.connected
            assert socket.active
            assert (await anext(events)).args == [number]
            autojump_clock.jump(100)
            assert await socket.request("add", number, 1) == number + 1


async def test_iteration_goes_on_across_reconnections(autojump_clock: Clock) -> None:
    async with network(answering()) as net, net.connect() as socket:
        reasons: list[str] = []
        socket.on("disconnect")(reasons.append)
        heard = []
        socket.emit("echo", 1)
        async for event in socket:
            heard += event.args
            if event.args == [1]:
                await net.cut()
                await trio.sleep(0.1)
                socket.emit("echo", 2)
            else:
                socket.disconnect()
        assert heard == [1, 2]
        assert reasons[1:] == ["io client disconnect"]


async def test_iteration_that_cannot_go_on(autojump_clock: Clock) -> None:
    config = ClientConfig(reconnection=False)
    async with network(answering()) as net, net.connect(config=config) as socket:

        async def cut() -> None:
            await trio.sleep(1)
            await net.cut()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cut)
            events = aiter(socket)
            with pytest.raises(ConnectionFailed, match="the connection was lost: transport"):
                await anext(events)
        with pytest.raises(ConnectionFailed):
            await socket.wait_connected()
        socket.connect()
        await socket.wait_connected()


async def test_iteration_ends_when_a_socket_leaves_that_is_not_connected(
    autojump_clock: Clock,
) -> None:
    async with network(answering()) as net, net.connect() as socket:
        net.offline = True
        await net.cut()
        await trio.sleep(1)

        async def leave() -> None:
            await trio.sleep(1)
            socket.disconnect()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave)
            async for _ in socket:
                raise AssertionError("nothing comes")


async def test_namespaces_share_a_connection(autojump_clock: Clock) -> None:
    io = answering()
    admin = io.of("/admin")
    tokens: list[Any] = []

    @admin.on("connection")
    def connection(socket: Socket) -> None:
        tokens.append(socket.handshake.auth.get("token"))
        socket.on("who")(lambda: "admin")

    async with network(io) as net, net.connect() as socket:
        numbers = iter(range(9))

        async def token() -> dict[str, int]:
            await trio.sleep(0.1)
            return {"token": next(numbers)}

        other = socket.manager.of("admin", auth=token)
        assert socket.manager.of("/admin") is other
        await other.wait_connected()
        assert await other.request("who") == "admin"
        assert await socket.request("add", 1) == 1
        assert io.statistics().connections == 1
        await net.cut()
        await trio.sleep(10)
        assert tokens == [0, 1]
        other.disconnect()
        assert await socket.request("add", 2) == 2
        nowhere = socket.manager.of("/nowhere")
        with pytest.raises(ConnectionRefused):
            await nowhere.wait_connected()
        assert socket.connected


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
async def test_leaving_tells_the_server(autojump_clock: Clock, transports: tuple[str, ...]) -> None:
    io = answering()
    ends: list[str] = []

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.on("disconnect")(ends.append)
        socket.on("last")(lambda: ends.append("last"))

    async with network(io) as net:
        async with net.connect(URL, *transports) as socket:
            await trio.sleep(1)
            socket.emit("last")
            began = trio.current_time()
        assert trio.current_time() - began < 0.1
        await trio.sleep(0.1)
        assert ends == ["last", "client namespace disconnect"]
        assert io.statistics().connections == 0


async def test_what_nobody_listens_to_does_not_stop_the_client(autojump_clock: Clock) -> None:
    async with network(answering()) as net, net.connect() as socket:
        for _ in range(30):
            socket.emit("echo", "x" * 50_000)
        assert await socket.request("add", 1) == 1
        await trio.sleep(60)
        assert await socket.request("add", 2) == 2
        with pytest.raises(LocalProtocolError, match="dropped"):
            aiter(socket)


@pytest.mark.parametrize("transports", TRANSPORTS[:2], ids="+".join)
async def test_slow_handler_stops_the_reading(
    autojump_clock: Clock, transports: tuple[str, ...]
) -> None:
    """The server notices, and nothing is lost; heartbeats go on as far as both sides allow."""
    io = answering()
    heard: list[int] = []
    async with network(io) as net, net.connect(URL, *transports) as socket:

        @socket.on("echoed")
        async def slow(text: str, number: int) -> None:
            await trio.sleep(0.5)
            heard.append(number)

        for number in range(40):
            socket.emit("echo", "x" * 50_000, number)
        await trio.sleep(40)
        assert heard == list(range(40))
        assert socket.connected


# What goes over the wire


async def test_headers_cookies_and_query(autojump_clock: Clock) -> None:
    seen: list[Any] = []
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        headers = dict(socket.handshake.headers)
        seen.append((headers["x-token"], headers["host"], socket.handshake.query["x"]))

    async with network(io) as net:
        async with net.connect("http://test:8080/?x=1", headers={"X-Token": "t"}):
            pass
        async with net.connect("ws://[::1]/?x=2", headers=[("x-token", "u")]):
            pass
        assert net.asked[0] == ("test", 8080)
        assert ("::1", 80) in net.asked
    assert seen == [("t", "test:8080", "1"), ("u", "[::1]", "2")]


async def test_tcp_and_tls() -> None:
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    with trio.fail_after(60):
        for context in (None, server_context):
            io = answering()
            async with trio.open_nursery() as nursery:
                run = partial(io.serve, host="localhost", ssl_context=context)
                [(_, port), *_] = await nursery.start(run)
                scheme = "http" if context is None else "wss"
                url = f"{scheme}://localhost:{port}/"
                async with connect(url, ssl_context=client_context) as socket:
                    while socket.manager.transport != "websocket":
                        assert await socket.request("add", 1, 2) == 3
                    assert await socket.request("add", 3) == 3
                if context is not None:
                    with pytest.raises(ConnectionFailed, match="certificate") as failed:
                        async with connect(url):
                            raise AssertionError("not reached")
                    assert isinstance(failed.value.__cause__, ssl.SSLError)
                nursery.cancel_scope.cancel()


async def test_closed_port() -> None:
    with trio.socket.socket() as sock:
        await sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        with pytest.raises(ConnectionFailed) as failed:
            async with connect(f"http://127.0.0.1:{port}/"):
                raise AssertionError("not reached")
    assert isinstance(failed.value.__cause__, ConnectionRefusedError)


@pytest.mark.parametrize(
    "url", ["example.org", "ftp://x/", "http:///x", "http://me:secret@x/", "http://x:99999/"]
)
def test_urls_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        connect(url)
    assert "secret" not in str(raised.value)


@pytest.mark.covers("SIO-MUX-03")
def test_urls() -> None:
    """SIO-MUX-03."""
    address = parse_url("wss://Example.org/admin?x=a%20b&y=#f")
    assert (address.secure, address.host, address.port) == (True, "example.org", 443)
    assert address.namespace == "/admin"
    assert address.query == (("x", "a b"), ("y", ""))
    assert address.authority == "example.org"


def test_repr_of_a_client_that_is_not_entered() -> None:
    assert repr(connect("http://x:3000/")) == "<Client of x:3000>"
