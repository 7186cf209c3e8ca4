"""What several areas of Engine.IO cases do in the same way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance.peers.eio import EnginePeer, Packet, Query
from sioproto_conformance.peers.http1 import HttpConnection, Response
from sioproto_conformance.peers.wire import Gone, PeerError, Unexpected
from sioproto_conformance.peers.ws import Incoming, WsConnection

MESSAGES = {
    0: "Transport unknown",
    1: "Session ID unknown",
    2: "Bad handshake method",
    3: "Bad request",
    5: "Unsupported protocol version",
}
"""The refusals of the reference implementation by their codes."""

NEUTRAL = b"3"
"""The body of a POST that asks nothing of a session: a pong may come at any time."""


def neutral(peer: EnginePeer) -> bytes:
    """Return the body of a POST that asks nothing of a session, in its revision."""
    return peer.encode(peer.framing.neutral)


TEXT = ("Content-Type", "text/plain;charset=UTF-8")

_ASK_AGAIN_AFTER = 0.02


@asynccontextmanager
async def beside_a_session(t: Bench) -> AsyncIterator[EnginePeer]:
    """Keep a well-behaved session beside what the block does.

    A server that refuses or closes everything must not pass for one that refuses what is wrong.
    """
    control = await open_any(t, name="control")
    yield control
    await still_there(t, control)


async def still_there(t: Bench, control: EnginePeer) -> None:
    """End the case as inconclusive if a session that was left alone is gone."""
    if (trouble := await control.alive()) is not None:
        t.inconclusive(f"{control.name}, which was left alone, is gone too: {trouble}")


async def open_any(t: Bench, *, name: str = "peer") -> EnginePeer:
    """Open a session by polling, or by WebSocket where there is no polling."""
    return await t.eio.open("websocket" if "polling" in t.site.lacking else "polling", name=name)


def check_refusal(
    t: Bench, response: Response, code: int, *, status: str, body: str | None = None
) -> None:
    """Check a refusal over HTTP: its status by one rule, its JSON and label by others."""
    t.check(response.status == 400, "status 400", response, rule=status)
    if body is not None:
        told = response.json()
        if code == 5 and isinstance(told, dict) and isinstance(told.get("message"), str):
            # A server may go on to say which revisions it speaks.
            told = {**told, "message": told["message"][: len(MESSAGES[5])]}
        t.equal(told, {"code": code, "message": MESSAGES[code]}, "body", rule=body)
        label = response.header("content-type") or "no content type"
        is_json = label.partition(";")[0].strip().lower() == "application/json"
        t.check(is_json, "content type application/json", label, rule="EIO-ERR-01")


async def check_not_open(
    t: Bench, query: Query, *, rule: str = "EIO-ERR-25", granted: str | None = None
) -> Response | WsConnection | None:
    """Ask for a WebSocket and check that it does not stay open, however that comes about.

    ``granted`` is the rule to charge if something else than a WebSocket is granted instead.
    Returns what the request was answered with, if it was.
    """
    try:
        answer = await t.eio.websocket(query)
    except Gone as gone:
        t.check(True, "no open WebSocket", gone.actual, rule=rule)
        return None
    if isinstance(answer, Response):
        t.check(answer.status >= 400, "a refusal", answer, rule=granted or rule)
        return answer
    last = await until_end(t, answer)
    t.check(last is not None, "the WebSocket closed", last or "still open", rule=rule)
    return answer


async def until_end(t: Bench, ws: WsConnection) -> Incoming | None:
    """Return the close frame, or the end, of a WebSocket; ``None`` if neither comes in time.

    Pings are answered, so that it is not the heartbeat that ends it.
    """
    with trio.move_on_after(t.timeout):
        while True:
            incoming = await ws.receive_unbounded()
            if incoming.kind in ("close", "end"):
                return incoming
            if incoming.data == "2" and t.eio.framing.heard == "2":
                await ws.send_text("3")
    return None


async def settle(t: Bench) -> None:
    """Give the server the time to see what was sent before: it answers a request sent later."""
    await t.eio.get(t.eio.query(sid="nobody"))


async def pending_poll(t: Bench, peer: EnginePeer) -> HttpConnection:
    """Send a poll of a session that does not poll by itself, and let it reach the server.

    The case is inconclusive if a ping may have answered it meanwhile.
    """
    http = await t.http(f"{peer.name}.pending")
    await http.send("GET", peer.target("polling"))
    await settle(t)
    if trio.current_time() - peer.seen[0].at > peer.ping_interval / 2:
        t.inconclusive("the session is so old that a ping may have answered the pending poll")
    return http


async def start_post(t: Bench, peer: EnginePeer, begin: bytes, length: int) -> HttpConnection:
    """Send a POST whose body has only begun, and let it reach the server."""
    http = await t.http(f"{peer.name}.unfinished")
    headers = [TEXT, ("Content-Length", str(length))]
    await http.send("POST", peer.target("polling"), headers=headers, body=begin)
    await settle(t)
    return http


async def ended_or_answered(t: Bench, http: HttpConnection) -> str | None:
    """Return how a request came to its end, ``None`` if it is left hanging."""
    try:
        return str(await http.response())
    except Gone as gone:
        return gone.actual
    except Unexpected as unexpected:
        return unexpected.actual
    except PeerError:
        return None


async def send_and_hear(http: HttpConnection, request: bytes) -> Response | PeerError:
    """Send a request and return its answer, or how it stays without one.

    A server that refuses it before it is whole need not read it to its end.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(http.send_raw, request)
        try:
            return await http.response()
        except PeerError as error:
            return error
        finally:
            nursery.cancel_scope.cancel()
    raise AssertionError("the block above returns")


async def refuses_posts(t: Bench, peer: EnginePeer) -> Response | None:
    """Post until the server refuses it, and return the refusal; ``None`` if it never does.

    A poll would not do: beside one that the server believes pending it is refused in any case.
    """
    with trio.move_on_after(t.timeout):
        while True:
            response = await peer.post(neutral(peer))
            if response.status != 200:
                return response
            await trio.sleep(_ASK_AGAIN_AFTER)
    return None


def news(packets: Iterable[Packet]) -> list[Packet]:
    """Return the packets that are neither heartbeat nor noop."""
    return [packet for packet in packets if packet not in ("2", "6")]


async def poll_for(peer: EnginePeer, count: int) -> list[list[Packet]]:
    """Poll until that many packets have come which are news; return them answer by answer."""
    answers: list[list[Packet]] = []
    while sum(len(answer) for answer in answers) < count:
        if packets := news(await peer.poll()):
            answers.append(packets)
    return answers


async def receive(peer: EnginePeer, count: int) -> list[Packet]:
    """Return that many packets of a session that reads by itself."""
    return [await peer.next() for _ in range(count)]


async def answer_of(t: Bench, http: HttpConnection) -> Sequence[Packet] | Response:
    """Return the packets that answer a poll, or the response if it is none.

    The case is inconclusive if it was a ping that answered it.
    """
    response = await http.response()
    if t.eio.framing.heard == "2" and response.body == b"2":
        t.inconclusive("a ping answered the pending poll")
    return t.eio.framing.decode(response) if response.status == 200 else response
