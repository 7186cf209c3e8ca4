"""WebSockets: opening, frames, limits, closing."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from sioproto._errors import LimitError, RemoteProtocolError
from sioproto.engineio import CloseReason, ServerConfig
from sioproto.trio import AppConfig, ConnectionConfig, EngineServer, Session
from tests.trio.support import (
    KEY,
    POLLING,
    WEBSOCKET,
    Client,
    frame,
    open_polling,
    open_websocket,
    request_bytes,
    serving,
    upgrade_bytes,
)

QUIET = ServerConfig(ping_interval=1000, ping_timeout=1000)


class Echo:
    """An application that echoes, and keeps its sessions to look at."""

    def __init__(self, config: ServerConfig = QUIET, app: AppConfig | None = None) -> None:
        self.server = EngineServer(self.handle, config=config, app=app)
        self.sessions: list[Session] = []
        self.ended = trio.Event()

    async def handle(self, session: Session) -> None:
        self.sessions.append(session)
        try:
            async for data in session:
                session.send(data)
        finally:
            self.ended.set()

    @property
    def rule(self) -> str | None:
        """The rule that the first session was ended for."""
        error = self.sessions[0].close_error
        assert error is None or isinstance(error, RemoteProtocolError)
        return None if error is None else error.rule


async def test_the_handshake_is_that_of_the_rfc(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        # The example of RFC 6455, section 1.3.
        await client.send(
            upgrade_bytes(WEBSOCKET).replace(KEY.encode(), b"dGhlIHNhbXBsZSBub25jZQ==")
        )
        answer = await client.answer()
        assert answer.status == 101
        assert answer.headers["upgrade"] == "websocket"
        assert answer.headers["connection"] == "Upgrade"
        assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert "content-length" not in answer.headers


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (f"sec-websocket-key: {KEY}\r\n", "", 400),
        (KEY, "AAAA", 400),
        (KEY, "?" * 24, 400),
        ("sec-websocket-version: 13", "sec-websocket-version: 12", 426),
        ("sec-websocket-version: 13\r\n", "", 426),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("GET", "POST", 400),
        ("host: test\r\n", "host: test\r\ncontent-length: 5\r\n", 400),
    ],
)
async def test_a_bad_handshake_is_refused_before_the_core_is_asked(
    old: str, new: str, status: int, autojump_clock: trio.testing.MockClock
) -> None:
    echo = Echo()
    async with serving(echo.server) as listener:
        client = Client(listener.connect())
        await client.send(upgrade_bytes(WEBSOCKET).decode().replace(old, new))
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        if status == 426:
            assert answer.headers["sec-websocket-version"] == "13"
        assert echo.server.statistics().sessions == 0


async def test_a_refused_upgrade_gets_an_ordinary_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        # Frames that are glued to a refused request harm nobody (EIO-SEC-03, EIO-SEC-04).
        answer = await client.upgrade(
            "/engine.io/?EIO=4&transport=__proto__", glued=frame(0x81, b"4hello")
        )
        assert (answer.status, answer.body) == (400, b"Transport unknown")
        assert await client.rest() == b""
        await open_websocket(Client(listener.connect()))


async def test_without_the_upgrade_headers_it_is_an_ordinary_request(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        for headers in ("", "upgrade: websocket\r\n", "connection: upgrade\r\nupgrade: h2c\r\n"):
            answer = await client.request("GET", WEBSOCKET, headers=headers)
            assert (answer.status, b'"code":3' in answer.body) == (400, True)


@pytest.mark.parametrize("at_once", [True, False])
async def test_bytes_glued_to_the_request_are_not_lost(
    at_once: bool, autojump_clock: trio.testing.MockClock
) -> None:
    glued = frame(0x81, b"4hello") + frame(0x82, b"\x01\x02")
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        if at_once:
            answer = await client.upgrade(WEBSOCKET, glued)
        else:
            for byte in upgrade_bytes(WEBSOCKET) + glued:
                await client.send(bytes([byte]))
                await trio.testing.wait_all_tasks_blocked()
            answer = await client.answer()
        assert answer.status == 101
        first, payload = await client.frame()
        assert (first, payload[:1]) == (0x81, b"0")
        assert await client.frame() == (0x81, b"4hello")
        assert await client.frame() == (0x82, b"\x01\x02")


@pytest.mark.parametrize("target", [WEBSOCKET, None])
async def test_an_illegal_frame_glued_to_the_request_ends_its_connection_only(
    target: str | None, autojump_clock: trio.testing.MockClock
) -> None:
    async with serving(Echo().server) as listener:
        client, other = Client(listener.connect()), Client(listener.connect())
        if target is None:
            target = (await open_polling(other)).replace("polling", "websocket")
        answer = await client.upgrade(target, frame(0xF1, b"4hello"))
        assert answer.status == 101
        assert (await client.rest()).endswith(b"\x88\x02\x03\xea")
        await open_websocket(Client(listener.connect()))


async def test_messages_of_every_size_and_kind(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        for size in (0, 1, 124, 125, 126, 65_534, 65_535, 65_536, 200_000):
            text = b"4" + b"x" * size
            await client.send(frame(0x81, text))
            assert await client.frame() == (0x81, text)
            await client.send(frame(0x82, text))
            assert await client.frame() == (0x82, text)
        await client.text("4€𝄞")
        assert await client.frame() == (0x81, "4€𝄞".encode())
        await client.send(frame(0x82, b""))
        assert await client.frame() == (0x82, b"")


async def test_fragments_are_put_together(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        euro = "€".encode()
        await client.send(frame(0x01, b"4a" + euro[:1]))
        await client.send(frame(0x00, b""))
        await client.send(frame(0x89, b"between"))
        assert await client.frame() == (0x8A, b"between")
        await client.send(frame(0x00, euro[1:2]))
        await client.send(frame(0x80, euro[2:] + b"b"))
        assert await client.frame() == (0x81, b"4a" + euro + b"b")
        await client.send(frame(0x02, b"\x01") + frame(0x80, b"\x02"))
        assert await client.frame() == (0x82, b"\x01\x02")
        for byte in frame(0x81, b"4whole") * 2:
            await client.send(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()
        assert await client.frame() == (0x81, b"4whole")
        assert await client.frame() == (0x81, b"4whole")


async def test_what_one_read_brings_is_answered_in_one_write(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        await client.send(b"".join(frame(0x81, b"4%d" % number) for number in range(16)))
        await trio.testing.wait_all_tasks_blocked()
        data = bytes(await client.stream.receive_some())
        assert data == b"".join(
            bytes((0x81, 1 + len(str(number)))) + b"4%d" % number for number in range(16)
        )


async def test_pings_are_answered_and_do_not_pile_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        await client.send(frame(0x89, b""))
        assert await client.frame() == (0x8A, b"")
        await client.send(frame(0x89, b"one") + frame(0x8A, b"unasked") + frame(0x89, b"two"))
        assert await client.frame() == (0x8A, b"two")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(0x81, b"4hello", masked=False), 1002),
        (frame(0xC1, b"4hello"), 1002),
        (frame(0x83, b"4hello"), 1002),
        (frame(0x80, b"4hello"), 1002),
        (frame(0x01, b"4") + frame(0x81, b"hello"), 1002),
        (frame(0x09, b""), 1002),
        (frame(0x89, b"x" * 126), 1002),
        (frame(0x88, b"\x03"), 1002),
        (frame(0x88, (999).to_bytes(2, "big")), 1002),
        (frame(0x88, (1005).to_bytes(2, "big")), 1002),
        (frame(0x88, (1000).to_bytes(2, "big") + b"\xff"), 1007),
        (frame(0x81, b"4\xff"), 1007),
        (frame(0x81, b"4\xe2\x82"), 1007),
        (frame(0x82, b"x" * 101), 1009),
        (frame(0x81, b"4" + b"x" * 100), 1009),
        (frame(0x81, b"4" + "€".encode() * 34), 1009),
        (frame(0x01, b"4" + b"x" * 60) + frame(0x00, b"x" * 40), 1009),
        (frame(0x02, b"") + frame(0x00, b"") * 10, 1008),
    ],
)
async def test_violations_have_their_close_code(
    data: bytes, code: int, autojump_clock: trio.testing.MockClock
) -> None:
    echo = Echo(ServerConfig(max_payload=100))
    async with serving(echo.server, config=ConnectionConfig(max_fragments=9)) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        # What stands before it is handled.
        await client.send(frame(0x81, b"4before") + data + frame(0x81, b"4behind"))
        assert await client.frame() == (0x88, code.to_bytes(2, "big"))
        await echo.ended.wait()
        assert await client.rest() == b""
        (session,) = echo.sessions
        assert session.close_reason is CloseReason.TRANSPORT_ERROR
        assert echo.rule in {"EIO-WS-08", "EIO-SEC-12"}
        if code == 1009:
            assert isinstance(session.close_error, LimitError)
            assert session.close_error.limit == "max_payload"


async def test_the_limit_is_inclusive(autojump_clock: trio.testing.MockClock) -> None:
    async with serving(Echo(ServerConfig(max_payload=100)).server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        for data in (b"4" + b"x" * 99, b"4" + "€".encode() * 33):
            await client.send(frame(0x81, data))
            assert await client.frame() == (0x81, data)
        await client.send(frame(0x01, b"4" + b"x" * 60) + frame(0x80, b"x" * 39))
        assert await client.frame() == (0x81, b"4" + b"x" * 99)


async def test_a_message_over_the_limit_is_refused_before_it_is_complete(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        data = frame(0x82, b"x" * 5_000_000)
        await client.send(data[:1_100_000])
        assert await client.frame() == (0x88, b"\x03\xf1")


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x0f\xa1bye"])
async def test_a_close_of_the_client_is_echoed(
    payload: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    echo = Echo()
    async with serving(echo.server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        await client.send(frame(0x88, payload))
        assert await client.frame() == (0x88, payload[:2])
        assert await client.rest() == b""
        await echo.ended.wait()
        assert echo.sessions[0].close_reason is CloseReason.TRANSPORT_CLOSE
        assert echo.rule is None
        assert trio.current_time() == 0  # nothing was waited for


@pytest.mark.parametrize("answers", [True, False])
async def test_a_close_of_the_server_waits_for_the_client(
    answers: bool, autojump_clock: trio.testing.MockClock
) -> None:
    async def close_at_once(session: Session) -> None:
        session.send("bye")
        session.close()

    server = EngineServer(close_at_once, config=QUIET)
    async with serving(server, config=ConnectionConfig(close_timeout=10)) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        assert await client.frame() == (0x81, b"4bye")
        assert await client.frame() == (0x88, b"")
        # What is still on its way is read, and leads to nothing.
        await client.text("4too late")
        await trio.sleep(5)
        assert server.statistics().websockets == 1
        if answers:
            await client.send(frame(0x88, b""))
        assert await client.rest() == b""
        assert trio.current_time() == (5 if answers else 10)
        assert server.statistics().websockets == 0


async def test_a_client_that_floods_a_closing_websocket_is_cut_off(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def close_at_once(session: Session) -> None:
        session.close()

    server = EngineServer(close_at_once, config=QUIET)
    async with serving(server, config=ConnectionConfig(max_linger_bytes=10_000)) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        assert await client.frame() == (0x88, b"")
        for _ in range(12):
            await client.send(frame(0x82, b"x" * 1000))
            await trio.testing.wait_all_tasks_blocked()
            if server.statistics().websockets == 0:
                break
        else:
            pytest.fail("it may go on for ever")
        assert trio.current_time() == 0


@pytest.mark.parametrize("half", [True, False])
async def test_a_lost_connection_ends_the_session(
    half: bool, autojump_clock: trio.testing.MockClock
) -> None:
    echo = Echo()
    async with serving(echo.server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        if half:
            assert isinstance(client.stream, trio.StapledStream)
            await client.stream.send_eof()
        else:
            await client.stream.aclose()
        await echo.ended.wait()
        assert echo.sessions[0].close_reason is CloseReason.TRANSPORT_CLOSE
        assert echo.server.statistics().websockets == 0


async def test_a_handshake_that_is_never_completed(autojump_clock: trio.testing.MockClock) -> None:
    echo = Echo()
    async with serving(echo.server, config=ConnectionConfig(write_timeout=5)) as listener:
        client = Client(listener.connect_lockstep())
        await client.send(upgrade_bytes(WEBSOCKET))  # and its answer is never read
        await echo.ended.wait()
        assert trio.current_time() == 5
        assert echo.sessions[0].close_reason is CloseReason.TRANSPORT_CLOSE


async def test_a_peer_that_does_not_read_loses_its_session(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def talk(session: Session) -> None:
        session.send("x" * 1000)
        ends.append(None)
        async for _ in session:
            pass
        ends.append(session.close_reason)

    ends: list[CloseReason | None] = []
    server = EngineServer(talk, config=QUIET)
    async with serving(server, config=ConnectionConfig(write_timeout=5)) as listener:
        client = Client(listener.connect_lockstep())
        await client.send(upgrade_bytes(WEBSOCKET))
        await client.answer()
        await trio.sleep(6)
        assert ends == [None, CloseReason.TRANSPORT_CLOSE]


async def test_a_session_moves_from_polling_to_websocket(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(Echo(ServerConfig(ping_interval=25)).server) as listener:
        client, poller = Client(listener.connect()), Client(listener.connect())
        session = await open_polling(poller)
        answer = await client.upgrade(session.replace("polling", "websocket"))
        assert answer.status == 101
        await poller.send_request("GET", session)
        await client.text("2probe")
        assert await client.frame() == (0x81, b"3probe")
        assert (await poller.answer()).body == b"6"
        await client.text("5")
        await client.text("4hello")
        assert await client.frame() == (0x81, b"4hello")
        answer = await poller.request("GET", session)
        assert (answer.status, b'"code":3' in answer.body) == (400, True)
        # The heartbeat goes on there.
        assert await client.frame() == (0x81, b"2")
        assert trio.current_time() >= 25


async def test_a_client_that_sends_faster_than_it_is_handled_is_not_read(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def slow(session: Session) -> None:
        async for data in session:
            await trio.sleep(1)
            taken.append(data)

    taken: list[str | bytes] = []
    server = EngineServer(slow, config=QUIET, app=AppConfig(pause_input=1000))
    async with serving(server) as listener:
        client = Client(listener.connect_lockstep())
        await client.send(upgrade_bytes(WEBSOCKET))
        await client.answer()
        await client.frame()
        times = []
        for number in range(8):
            await client.send(frame(0x81, b"4%d" % number + b"x" * 400))
            times.append(trio.current_time())
        # One is being handled and two wait: from there on, one more for each that is taken.
        assert times == [0, 0, 0, 1, 2, 3, 4, 5]
        await trio.sleep(10)
        assert [str(data)[0] for data in taken] == list("01234567")


async def test_a_close_of_the_server_does_not_wait_for_a_slow_handler(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hang(session: Session) -> None:
        async for data in session:
            if data == "close":
                session.close()
            await trio.sleep(1000)

    server = EngineServer(hang, config=QUIET, app=AppConfig(pause_input=1000))
    async with serving(server) as listener:
        client = Client(listener.connect())
        await open_websocket(client)
        await client.send(frame(0x81, b"4close") + frame(0x81, b"4" + b"x" * 2000))
        assert await client.frame() == (0x88, b"")
        await client.send(frame(0x88, b""))
        assert await client.rest() == b""
        assert trio.current_time() == 0


async def test_a_poll_is_late_when_the_handler_is(autojump_clock: trio.testing.MockClock) -> None:
    async def slow(session: Session) -> None:
        async for data in session:
            await trio.sleep(1)
            taken.append(len(data))

    taken: list[int] = []
    server = EngineServer(slow, config=QUIET, app=AppConfig(pause_input=1000))
    async with serving(server) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        body = b"\x1e".join([b"4" + b"x" * 800] * 4)
        assert (await client.request("POST", session, body)).body == b"ok"
        assert trio.current_time() == 2  # one is left waiting, and one is being handled
        assert taken == [800, 800]
        assert (await client.request("POST", session, b"4")).body == b"ok"
        assert trio.current_time() == 3


async def test_a_client_that_floods_on_other_connections_is_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def hang(session: Session) -> None:
        await trio.sleep(100)
        ends.append(session.close_reason)

    ends: list[CloseReason | None] = []
    app = AppConfig(pause_input=1000, max_input=3000)
    server = EngineServer(hang, config=QUIET, app=app)
    async with serving(server) as listener:
        client = Client(listener.connect())
        session = await open_polling(client)
        statistics = []
        for _ in range(4):
            flooder = Client(listener.connect())
            await flooder.send_request("POST", session, b"4" + b"x" * 1500)
            await trio.testing.wait_all_tasks_blocked()
            statistics.append(server.statistics().sessions)
        assert statistics == [1, 1, 0, 0]
        await trio.sleep(101)
        assert ends == [CloseReason.FORCED_CLOSE]


async def test_request_and_upgrade_on_one_connection(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with serving(Echo().server) as listener:
        client = Client(listener.connect())
        await client.send(request_bytes("GET", POLLING) + upgrade_bytes(WEBSOCKET))
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 101
