"""Polling over ASGI: answers, bodies and their limits, clients that go, backpressure."""

from __future__ import annotations

import anyio

from sioproto.asgi import AppConfig, AsgiConfig, EngineServer, Session
from sioproto.engineio import ServerConfig
from tests.asgi.support import BACKENDS, POLLING, run, serving

SLOW = ServerConfig(ping_interval=1000, ping_timeout=1000)


async def echo(session: Session) -> None:
    async for data in session:
        session.send(data)


class Sessions:
    """A handler that keeps its sessions, and takes a message from one only when allowed."""

    def __init__(self) -> None:
        self.all: list[Session] = []
        self.taken: list[str | bytes] = []
        self.allowed = anyio.Event()
        self.ended = anyio.Event()

    async def __call__(self, session: Session) -> None:
        self.all.append(session)
        await self.allowed.wait()
        async for data in session:
            self.taken.append(data)
        self.ended.set()


@BACKENDS
def test_messages_go_both_ways(backend: str) -> None:
    async def main() -> None:
        async with serving(EngineServer(echo)) as server:
            session = await server.open_polling()
            assert await server.exchange(session, "POST", b"4hello") == (200, b"ok")
            assert await server.exchange(session) == (200, b"4hello")
            poll = server.request(session)
            await anyio.sleep(1)
            assert not poll.finished
            assert await server.exchange(session, "POST", b"4again") == (200, b"ok")
            assert await poll.answer() == (200, b"4again")

    run(backend, main)


@BACKENDS
def test_request_is_what_the_scope_says(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        app = EngineServer(sessions)
        async with serving(app) as server:
            headers = [(b"X-Name", b"\xe9")]
            await server.exchange(f"{POLLING}&x=%20", headers=headers, scheme="https")
            await server.exchange(POLLING, client=None, raw_path=None)
        first, second = [session.request for session in sessions.all]
        assert first.target == f"{POLLING}&x=%20"
        assert (first.method, first.header("x-name"), first.secure) == ("GET", "\xe9", True)
        assert first.address == "192.0.2.1"
        assert (second.target, second.address, second.secure) == (POLLING, None, False)

    run(backend, main)


@BACKENDS
def test_clock_runs(backend: str) -> None:
    """The core's deadlines are met: a ping after the interval, the end after the timeout."""

    async def main() -> None:
        sessions = Sessions()
        app = EngineServer(sessions, config=ServerConfig(ping_interval=25, ping_timeout=20))
        async with serving(app) as server:
            session = await server.open_polling()
            began = anyio.current_time()
            assert await server.exchange(session) == (200, b"2")
            assert 25 <= anyio.current_time() - began < 26
            await anyio.sleep(21)
            assert sessions.all[0].close_reason == "ping timeout"
            status, _ = await server.exchange(session)
            assert status == 400

    run(backend, main)


@BACKENDS
def test_client_that_drops_its_poll_ends_its_session(backend: str) -> None:
    """EIO-POLL-07"""

    async def main() -> None:
        sessions = Sessions()
        async with serving(EngineServer(sessions, config=SLOW)) as server:
            poll = server.request(await server.open_polling())
            await anyio.wait_all_tasks_blocked()
            assert sessions.all[0].close_reason is None
            poll.say("http.disconnect")
            assert await poll.end() == []
            assert sessions.all[0].close_reason == "transport error"

    run(backend, main)


@BACKENDS
def test_client_that_drops_its_body_delivers_nothing_of_it(backend: str) -> None:
    """EIO-POLL-08"""

    async def main() -> None:
        sessions = Sessions()
        sessions.allowed.set()
        async with serving(EngineServer(sessions, config=SLOW)) as server:
            post = server.request(await server.open_polling(), "POST", None)
            post.say("http.request", body=b"4half", more_body=True)
            post.say("http.disconnect")
            assert await post.end() == []
            assert sessions.all[0].close_reason == "transport error"
            assert sessions.taken == []

    run(backend, main)


@BACKENDS
def test_cancelled_request_counts_as_dropped(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        async with serving(EngineServer(sessions, config=SLOW)) as server:
            session = await server.open_polling()
            with anyio.move_on_after(1):
                async with anyio.create_task_group() as server.tasks:
                    server.request(session)
            assert sessions.all[0].close_reason == "transport error"

    run(backend, main)


@BACKENDS
def test_body_is_read_up_to_the_limit_and_no_further(backend: str) -> None:
    """EIO-POLL-09"""

    async def main() -> None:
        config = ServerConfig(ping_interval=1000, max_payload=10)
        async with serving(EngineServer(echo, config=config)) as server:
            session = await server.open_polling()
            post = server.request(session, "POST", None)
            for _ in range(4):
                post.say("http.request", body=b"4abcd", more_body=True)
            assert (await post.answer())[0] == 413
            await post.end()
            assert post.asked == 3
            assert await server.exchange(session, "POST", b"4abcdefghi") == (200, b"ok")

    run(backend, main)


@BACKENDS
def test_body_that_does_not_come_is_not_waited_for(backend: str) -> None:
    async def main() -> None:
        app = EngineServer(echo, config=SLOW, asgi=AsgiConfig(body_timeout=7))
        async with serving(app) as server:
            post = server.request(await server.open_polling(), "POST", None)
            began = anyio.current_time()
            assert (await post.answer())[0] == 408
            assert 7 <= anyio.current_time() - began < 8

    run(backend, main)


@BACKENDS
def test_request_whose_session_ends_meanwhile_is_answered(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        async with serving(EngineServer(sessions, config=SLOW)) as server:
            session = await server.open_polling()
            poll = server.request(session)
            post = server.request(session, "POST", None)
            await anyio.wait_all_tasks_blocked()
            sessions.all[0].close()
            assert await poll.answer() == (200, b"1")
            assert (await post.answer())[0] in (200, 400)

    run(backend, main)


@BACKENDS
def test_client_that_sends_faster_than_is_handled_waits_for_its_answer(backend: str) -> None:
    async def main() -> None:
        sessions = Sessions()
        app = EngineServer(sessions, config=SLOW, app=AppConfig(pause_input=1000))
        async with serving(app) as server:
            session = await server.open_polling()
            post = server.request(session, "POST", b"4" + b"x" * 2000)
            await anyio.sleep(10)
            assert not post.finished
            sessions.allowed.set()
            assert await post.answer() == (200, b"ok")

    run(backend, main)


@BACKENDS
def test_client_that_has_gone_when_it_is_answered_costs_nothing(backend: str) -> None:
    async def main() -> None:
        async with serving(EngineServer(echo, config=SLOW)) as server:
            session = await server.open_polling()
            poll = server.request(session)
            poll.gone = True
            await server.exchange(session, "POST", b"4hello")
            assert await poll.end() == []

    run(backend, main)


@BACKENDS
def test_client_that_does_not_read_its_answer_is_let_go(backend: str) -> None:
    async def main() -> None:
        app = EngineServer(echo, config=SLOW, asgi=AsgiConfig(write_timeout=5))
        async with serving(app) as server:
            poll = server.request(POLLING)
            poll.blocked = True
            began = anyio.current_time()
            await poll.end()
            assert 5 <= anyio.current_time() - began < 6

    run(backend, main)
