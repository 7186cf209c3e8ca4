"""The Engine.IO peer over polling: polite by itself, and not easily fooled about an end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from sioproto_conformance.peers.eio import EnginePeer
from sioproto_conformance.peers.http1 import Dialer, HttpConnection
from sioproto_conformance.peers.wire import Gone, NoAnswer, Transcript, Unexpected, parse_url
from tests.conformance.scripted import OPEN, Answer, Request, Script, never, scripted

# No server here takes any time, so that what it does not answer is soon known.
TIMEOUT = 0.3


@asynccontextmanager
async def opened(script: Script) -> AsyncIterator[EnginePeer]:
    async with scripted(script) as url, trio.open_nursery() as nursery:
        dialer = Dialer(parse_url(url), Transcript(), timeout=TIMEOUT)
        yield await EnginePeer.open("peer", dialer, nursery, "/engine.io/", "polling")
        nursery.cancel_scope.cancel()


def polls(*answers: Answer, posts: Answer = (200, "ok"), posted: list[str] | None = None) -> Script:
    """Open a session, answer its polls in order and then no more, and all its posts alike."""
    left = list(answers)

    async def script(request: Request) -> Answer:
        if request.opens:
            return 200, OPEN
        if request.method == "POST":
            if posted is not None:
                posted.append(request.body)
            return posts if posts[0] else await never()
        return left.pop(0) if left else await never()

    return script


async def test_packets_are_queued_and_pings_answered() -> None:
    posted: list[str] = []
    async with opened(
        polls((200, "4a\x1e2\x1ebAQI="), (200, "6"), (200, "4b"), posted=posted)
    ) as peer:
        assert peer.sid == "A"
        assert (peer.ping_interval, peer.ping_timeout) == (25.0, 20.0)
        assert [await peer.next() for _ in range(3)] == ["4a", b"\x01\x02", "4b"]
        assert [seen.packet for seen in peer.seen] == [OPEN, "4a", "2", b"\x01\x02", "6", "4b"]
        with pytest.raises(NoAnswer):
            await peer.next()
        assert posted == ["3"]


async def test_what_comes_with_the_handshake_is_not_lost() -> None:
    async def script(request: Request) -> Answer:
        return (200, OPEN + "\x1e4early") if request.opens else await never()

    async with opened(script) as peer:
        assert await peer.next() == "4early"


@pytest.mark.parametrize(
    "answer",
    [(400, OPEN), (200, "ok"), (200, "0{"), (200, "0[]"), (200, '0{"sid":1}'), (200, "4a")],
)
async def test_what_opens_no_session_is_unexpected(answer: Answer) -> None:
    async def script(request: Request) -> Answer:
        return answer

    async with scripted(script) as url, trio.open_nursery() as nursery:
        dialer = Dialer(parse_url(url), Transcript(), timeout=TIMEOUT)
        with pytest.raises(Unexpected):
            await EnginePeer.open("peer", dialer, nursery, "/engine.io/", "polling")


@pytest.mark.parametrize(
    ("script", "how"),
    [
        (polls((400, "no"), (400, "no")), "a poll was answered with status 400"),
        (polls((200, "1"), (400, "no")), "close packet"),
        (polls((200, "6"), (200, "4x\x1e1"), (400, "no")), "close packet"),
        (polls((200, "b*"), (400, "no")), "a poll failed"),
        (polls(posts=(400, "no")), "pending poll is left hanging"),
        (polls((400, "no"), (200, "4a")), None),
        (polls((400, "no")), None),
        (polls((200, "1"), (200, "6")), None),
        (polls(), None),
        (polls((200, "4a"), posts=(0, "")), None),
    ],
)
async def test_a_session_has_ended_when_all_its_requests_are_refused(
    script: Script, how: str | None
) -> None:
    async with opened(script) as peer:
        closed = await peer.wait_closed(timeout=TIMEOUT)
        assert (closed is None) == (how is None)
        if how is not None:
            assert how in str(closed)


async def test_nothing_more_comes_from_a_session_that_has_ended() -> None:
    async with opened(polls((200, "4a\x1e1"), (400, "no"))) as peer:
        assert await peer.next() == "4a"
        with pytest.raises(Gone, match="close packet"):
            await peer.next()


async def test_a_post_without_answer_is_told_from_one_that_is_cut_off() -> None:
    async with opened(polls(posts=(0, ""))) as peer:
        with pytest.raises(NoAnswer):
            await peer.send("4a")
    async with opened(polls(posts=(413, "too big"))) as peer:
        response = await peer.send("4a")
        assert response is not None
        assert response.status == 413


async def test_pausing_waits_for_the_pending_poll() -> None:
    pending, release = trio.Event(), trio.Event()

    async def script(request: Request) -> Answer:
        if request.opens:
            return 200, OPEN
        pending.set()
        await release.wait()
        return 200, "4late"

    async with opened(script) as peer:
        await pending.wait()
        with pytest.raises(NoAnswer, match="pending poll"):
            await peer.pause_polling()
        release.set()
        await peer.pause_polling()
        assert await peer.next() == "4late"


async def test_a_poll_that_cannot_be_sent_is_no_end_of_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the machine is too busy to connect, nothing is known of the session."""
    dial, dialed = Dialer.http, 0

    async def third_time_in_vain(self: Dialer, name: str) -> HttpConnection:
        nonlocal dialed
        dialed += 1
        if dialed == 3:
            raise NoAnswer("a connection", "nothing came within 0.3 s")
        return await dial(self, name)

    monkeypatch.setattr(Dialer, "http", third_time_in_vain)
    async with opened(polls((200, "4a"))) as peer:
        assert await peer.next() == "4a"
        with pytest.raises(NoAnswer, match="nothing came"):
            await peer.next()
        assert peer.closed is not None
        assert peer.closed.by_silence
