"""The HTTP loop of one connection."""

from __future__ import annotations

import gzip

import pytest
import trio
import trio.testing

from sioproto._errors import RemoteProtocolError
from sioproto.engineio import CloseReason, Request, ServerConfig
from sioproto.trio import ConnectionConfig, EngineServer, Response, Session
from tests.trio.support import (
    POLLING,
    Client,
    open_polling,
    request_bytes,
    serving,
)


async def echo(session: Session) -> None:
    async for data in session:
        session.send(data)


class Recorder:
    """An application that tells how sessions end."""

    def __init__(self, config: ServerConfig | None = None) -> None:
        self.server = EngineServer(self.handle, config=config)
        self.messages: list[str | bytes] = []
        self.ends: list[tuple[CloseReason | None, str]] = []
        self.ended = trio.Event()

    async def handle(self, session: Session) -> None:
        async for data in session:
            self.messages.append(data)
        error = session.close_error
        rule = error.rule if isinstance(error, RemoteProtocolError) else ""
        self.ends.append((session.close_reason, rule))
        self.ended.set()


@pytest.mark.covers("EIO-HDR-02")
async def test_requests_follow_each_other_on_one_connection(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """EIO-HDR-01, EIO-HDR-02, EIO-POLL-18"""
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        answer = await client.request("POST", session, b"4hello\x1e4again")
        assert (answer.status, answer.reason, answer.body) == (200, "OK", b"ok")
        assert answer.headers["content-type"] == "text/html"
        assert answer.headers["content-length"] == "2"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["date"].endswith(" GMT")
        assert "connection" not in answer.headers
        answer = await client.request("GET", session)
        assert (answer.status, answer.body) == (200, b"4hello\x1e4again")
        assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
        assert answer.headers["content-length"] == "13"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.covers("EIO-HC-04", "EIO-HC-03")
async def test_the_length_of_a_compressed_answer_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """EIO-HC-04"""
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        await client.request("POST", session, b"4" + b"x" * 5000)
        answer = await client.request("GET", session, headers="accept-encoding: gzip\r\n")
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(answer.body) == b"4" + b"x" * 5000
        assert answer.headers["content-length"] == str(len(answer.body))
        assert "transfer-encoding" not in answer.headers
        assert "vary" not in answer.headers  # EIO-HC-03
        assert client.buffer == b""


async def test_pipelined_requests_are_answered_in_order(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        post, get = request_bytes("POST", session, b"4hello"), request_bytes("GET", session)
        await client.send(post + get + post)
        assert [(await client.answer()).body for _ in range(3)] == [b"ok", b"4hello", b"ok"]


@pytest.mark.covers("EIO-POLL-18c")
async def test_what_arrives_behind_a_pending_poll_is_kept(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """EIO-POLL-18c"""
    async with serving(EngineServer(echo)) as listener:
        client, other = Client(listener.connect()), Client(listener.connect())
        session = await open_polling(client)
        await client.send_request("GET", session)
        for byte in request_bytes("POST", session, b"4second"):
            await trio.testing.wait_all_tasks_blocked()
            await client.send(bytes([byte]))
        await other.request("POST", session, b"4first")
        assert (await client.answer()).body == b"4first"
        assert (await client.answer()).body == b"ok"
        assert (await other.request("GET", session)).body == b"4second"


async def test_too_much_behind_a_pending_poll_is_not_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    config = ConnectionConfig(max_pipelined_bytes=100)
    async with serving(EngineServer(echo), config=config) as listener:
        client, other = Client(listener.connect_lockstep()), Client(listener.connect())
        session = await open_polling(other)
        await client.send_request("GET", session)
        await client.send(request_bytes("GET", "/"))
        await client.send(b"x" * 100)
        with trio.move_on_after(1) as scope:
            await client.send(b"x")
        assert scope.cancelled_caught
        await other.request("POST", session, b"4hello")
        assert (await client.answer()).body == b"4hello"


@pytest.mark.parametrize("pieces", [[b"4\xe2", b"\x82", b"\xac!"], [b"4\xe2\x82\xac!"]])
async def test_a_chunked_body_may_be_split_anywhere(
    pieces: list[bytes], autojump_clock: trio.testing.MockClock
) -> None:
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        await client.send(
            f"POST {session} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for piece in pieces:
            await trio.testing.wait_all_tasks_blocked()
            await client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await client.send("0\r\n\r\n")
        assert (await client.answer()).body == b"ok"
        assert (await client.request("GET", session)).body == "4€!".encode()


async def test_a_body_is_asked_for(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        head = "POST {} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n"
        await client.send(head.format(session, 3))
        assert (await client.answer()).status == 100
        await client.send("4hi")
        assert (await client.answer()).body == b"ok"
        # A body that will be refused is not asked for.
        await client.send(head.format(session, 2_000_000))
        answer = await client.answer()
        assert answer.status == 413
        assert answer.headers["connection"] == "close"


async def test_an_announced_body_over_the_limit_is_refused_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        await client.send(f"POST {session} HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n")
        assert (await client.answer()).status == 413
        # The client may still be writing: it must not be reset before it has read that.
        for _ in range(50):
            await client.send(b"x" * 100_000)
        await client.stream.aclose()


async def test_a_chunked_body_over_the_limit_is_refused_while_it_arrives(
    autojump_clock: trio.testing.MockClock,
) -> None:
    recorder = Recorder(ServerConfig(max_payload=100))
    async with serving(recorder.server) as listener:
        client, other = Client(listener.connect()), Client(listener.connect())
        session = await open_polling(client)
        await client.send(
            f"POST {session} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        await client.send(b"64\r\n" + b"4" * 100 + b"\r\n")
        await trio.testing.wait_all_tasks_blocked()
        await client.send(b"1\r\n4")
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        # Nothing of it was delivered, and the session goes on (EIO-POLL-09).
        assert (await other.request("POST", session, b"4ok")).body == b"ok"
        await trio.testing.wait_all_tasks_blocked()
        assert recorder.messages == ["ok"]


async def test_lingering_has_a_limit(autojump_clock: trio.testing.MockClock) -> None:
    config = ConnectionConfig(max_linger_bytes=1000, linger_timeout=5)
    async with serving(EngineServer(echo), config=config) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        await client.send(f"POST {session} HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n")
        assert (await client.answer()).status == 413
        start = trio.current_time()
        await client.send(b"x" * 1001)
        with pytest.raises(trio.BrokenResourceError):  # noqa: PT012  # when it breaks is open
            while trio.current_time() == start:
                await client.send(b"x")
                await trio.testing.wait_all_tasks_blocked()


async def test_a_client_that_does_not_hang_up_after_the_last_answer_is_hung_up_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(EngineServer(echo), config=ConnectionConfig(linger_timeout=5)) as listener:
        client = Client(listener.connect())
        await client.send("nonsense\r\n\r\n")
        assert (await client.answer()).status == 400
        assert await client.rest() == b""  # the server has finished sending
        await trio.sleep(4.9)
        await client.send("x")
        await trio.sleep(0.2)
        with pytest.raises(trio.BrokenResourceError):
            await client.send("x")


@pytest.mark.parametrize("half", [True, False])
async def test_a_client_that_hangs_up_on_its_poll_ends_its_session(
    half: bool, autojump_clock: trio.testing.MockClock
) -> None:
    recorder = Recorder()
    async with serving(recorder.server) as listener:
        client, other = Client(listener.connect()), Client(listener.connect())
        session = await open_polling(client)
        await client.send_request("GET", session)
        await trio.testing.wait_all_tasks_blocked()
        if half:
            assert isinstance(client.stream, trio.StapledStream)
            await client.stream.send_eof()
        else:
            await client.stream.aclose()
        await recorder.ended.wait()
        assert recorder.ends == [(CloseReason.TRANSPORT_ERROR, "EIO-POLL-07")]
        answer = await other.request("GET", session)
        assert (answer.status, b'"code":1' in answer.body) == (400, True)


async def test_a_client_that_hangs_up_in_a_body_ends_its_session(
    autojump_clock: trio.testing.MockClock,
) -> None:
    recorder = Recorder()
    async with serving(recorder.server) as listener:
        client, other = Client(listener.connect()), Client(listener.connect())
        session = await open_polling(client)
        await other.send_request("GET", session)
        await client.send(f"POST {session} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n4hi")
        await client.stream.aclose()
        assert (await other.answer()).body == b"1"
        assert recorder.ends == [(CloseReason.TRANSPORT_ERROR, "EIO-POLL-08")]
        assert recorder.messages == []


async def test_a_body_that_stops_is_answered_when_its_session_ends(
    autojump_clock: trio.testing.MockClock,
) -> None:
    recorder = Recorder()
    async with serving(recorder.server) as listener:
        client, other = Client(listener.connect()), Client(listener.connect())
        session = await open_polling(client)
        head = f"POST {session} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"
        await client.send(head + "4hi")
        await trio.testing.wait_all_tasks_blocked()
        # A second POST at once ends the session (EIO-POLL-06).
        answer = await other.request("POST", session, b"4hi")
        assert answer.status == 400
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")


async def test_a_body_that_stalls_costs_its_own_session_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    recorder = Recorder(ServerConfig(ping_interval=1000, ping_timeout=1000))
    async with serving(recorder.server, config=ConnectionConfig(body_timeout=10)) as listener:
        client, other = Client(listener.connect()), Client(listener.connect())
        session = await open_polling(client)
        await client.send(f"POST {session} HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n")
        for _ in range(9):
            await trio.sleep(1)
            await client.send("4")
        start = trio.current_time()
        assert (await client.answer()).status == 408
        assert trio.current_time() - start == pytest.approx(1)
        assert recorder.ends == [(CloseReason.TRANSPORT_ERROR, "EIO-POLL-08")]
        await open_polling(other)


async def test_a_malformed_chunk_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    recorder = Recorder()
    async with serving(recorder.server) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        await client.send(
            f"POST {session} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
        )
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        await recorder.ended.wait()
        assert recorder.ends == [(CloseReason.TRANSPORT_ERROR, "EIO-POLL-08")]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\nhost: x\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\n\r\n", 400),  # no host
        ("get / HTTP/1.1\r\nhost: x\r\n\r\n", 501),
        ("CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", 501),
        ("GET / HTTP/1.1\r\nhost: x\r\n" + "a: b\r\n" * 200 + "\r\n", 431),
        ("GET / HTTP/1.1\r\nhost: x\r\na: " + "b" * 20_000, 431),
        ("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\n\r\n", 400),
    ],
)
async def test_a_bad_head_is_refused_and_the_connection_ends(
    head: str, status: int, autojump_clock: trio.testing.MockClock
) -> None:
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        await client.send(head)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert await client.rest() == b""
        await open_polling(Client(listener.connect()))


async def test_a_head_that_drips_in_is_not_waited_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(EngineServer(echo), config=ConnectionConfig(header_timeout=10)) as listener:
        client = Client(listener.connect())
        await trio.sleep(5)
        start = trio.current_time()

        async def drip() -> None:
            await client.send("GET / HTTP/1.1\r\nhost: ")
            while True:
                await client.send("x")
                await trio.sleep(0.5)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip)
            assert (await client.answer()).status == 408
            assert trio.current_time() - start == pytest.approx(10)
            nursery.cancel_scope.cancel()


async def test_idle_connections_are_closed(autojump_clock: trio.testing.MockClock) -> None:
    config = ConnectionConfig(header_timeout=10, idle_timeout=20)
    async with serving(EngineServer(echo), config=config) as listener:
        silent = Client(listener.connect())
        assert await silent.rest() == b""
        assert trio.current_time() == pytest.approx(10)
        client = Client(listener.connect())
        await client.request("GET", "/")
        start = trio.current_time()
        assert await client.rest() == b""
        assert trio.current_time() - start == pytest.approx(20)


async def test_a_peer_that_does_not_read_loses_its_connection(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(EngineServer(echo), config=ConnectionConfig(write_timeout=10)) as listener:
        client = Client(listener.connect_lockstep())
        await client.send_request("GET", POLLING)
        await trio.sleep(11)
        # What had been offered is gone with the connection.
        with pytest.raises(trio.BrokenResourceError):
            await client.send_request("GET", POLLING)


async def test_head_requests_get_no_body(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        answer = await client.request("HEAD", "/nowhere")
        assert (answer.status, answer.headers["content-length"]) == (404, "9")
        assert (await client.request("GET", "/nowhere")).body == b"not found"


@pytest.mark.parametrize("next_request", ["GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HT"])
async def test_a_bad_head_behind_a_head_request_has_a_body_in_its_answer(
    next_request: str, autojump_clock: trio.testing.MockClock
) -> None:
    """EIO-ROB-01: or no client could be served any more."""
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        assert (await client.request("HEAD", "/nowhere")).status == 404
        await client.send(next_request)
        assert isinstance(client.stream, trio.StapledStream)
        await client.stream.send_stream.aclose()
        answer = await client.answer()
        assert answer.status == 400
        assert len(answer.body) == int(answer.headers["content-length"]) > 0
        await open_polling(Client(listener.connect()))


@pytest.mark.covers("EIO-PATH-05")
@pytest.mark.covers("EIO-PATH-04")
async def test_the_fallback_answers_what_nobody_serves(
    autojump_clock: trio.testing.MockClock,
) -> None:
    seen: list[Request] = []

    async def fallback(request: Request) -> Response | None:
        await trio.sleep(1)
        seen.append(request)
        if request.path == "/gone":
            return Response(status=204)
        if request.path != "/page":
            return None
        return Response(headers=(("content-type", "text/html"),), body=b"<p>")

    async with serving(EngineServer(echo), fallback=fallback) as listener:
        client = Client(listener.connect())
        answer = await client.request("GET", "/page?a=b", headers="X-Odd: caf\xe9\r\n")
        assert (answer.status, answer.body) == (200, b"<p>")
        assert answer.headers["content-type"] == "text/html"
        assert seen[0].target == "/page?a=b"
        assert seen[0].header("x-odd") == "caf\xc3\xa9"  # one character a byte
        answer = await client.request("GET", "/gone")
        assert (answer.status, answer.body) == (204, b"")
        assert "content-length" not in answer.headers
        assert (await client.request("POST", "/other", b"form")).status == 404
        # The path is compared byte by byte (EIO-PATH-03, EIO-PATH-04).
        for target in ("/engine.io?EIO=4&transport=polling", "/Engine.io/", "http://x/engine.io/"):
            assert (await client.request("GET", target)).status == 404
        assert (await client.upgrade("/other")).status == 404
        await open_polling(client)


async def test_a_fallback_that_fails_ends_the_serving(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def fallback(request: Request) -> Response | None:
        raise OSError("no such file")

    async def run() -> None:
        async with serving(EngineServer(echo), fallback=fallback) as listener:
            answer = await Client(listener.connect()).request("GET", "/")
            assert answer.status == 500
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert caught.group_contains(OSError, match="no such file")


async def test_a_client_of_http_1_0_is_served(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(EngineServer(echo)) as listener:
        client = Client(listener.connect())
        await client.send(f"GET {POLLING} HTTP/1.0\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await client.rest() == b""
