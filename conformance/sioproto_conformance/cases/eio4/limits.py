"""The size that a server announces as the most it takes at once."""

from __future__ import annotations

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.eio4._shared import (
    NEUTRAL,
    TEXT,
    news,
    poll_for,
    send_and_hear,
    still_there,
)
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer, Packet, Transport
from sioproto_conformance.peers.http1 import Response, request_bytes
from sioproto_conformance.peers.wire import Gone

# Beyond this the size is no limit that a test could reach with decency.
_REACHABLE = 8_000_000
_TOO_LARGE = 1009


def _limit(t: Bench, peer: EnginePeer) -> int:
    limit = peer.opened.get("maxPayload")
    if not isinstance(limit, int) or isinstance(limit, bool):
        t.skip("the server announces no maxPayload")
    if limit > _REACHABLE:
        t.skip(f"a maxPayload of {limit} is too much to try")
    return limit


def _brief(packet: Packet) -> str:
    return f"{len(packet)} of {packet[:1]!r}, then {packet[1:2]!r}"


@case(
    "eio4.limits.at-the-limit.read",
    covers=["EIO-POLL-10", "EIO-WS-08e", "EIO-HS-07"],
    needs=["echo"],
    tags=["limits"],
    variants=across(TRANSPORTS, {"ascii": "x", "three-bytes": "€"}),
)
async def at_the_limit_read(t: Bench, variant: tuple[Transport, str]) -> None:
    """A body or message of exactly maxPayload bytes is taken."""
    transport, character = variant
    rule = "EIO-POLL-10" if transport == "polling" else "EIO-WS-08e"
    peer = await t.eio.open(transport)
    count, rest = divmod(_limit(t, peer) - 1, len(character.encode()))
    packet = "4" + character * count + "." * rest
    with t.expecting(rule):
        response = await peer.send(packet)
        if transport == "polling":
            taken = response is not None and response.status == 200
            t.require(taken, "status 200", response or "hung up", rule=rule)
        echo = await peer.next()
    t.check(echo == packet, _brief(packet), _brief(echo), rule=rule)


@case(
    "eio4.limits.post-over-limit.not-delivered",
    covers=["EIO-POLL-09b", "EIO-POLL-09", "EIO-HS-07"],
    needs=["echo", "polling"],
    tags=["limits"],
    variants={"content-length": False, "chunked": True},
    also="eio3",
)
async def post_over_limit_not_delivered(t: Bench, chunked: bool) -> None:
    """A body of more than maxPayload bytes is refused or hung up on, and not delivered."""
    peer, control = await t.eio.pair("polling")
    body = b"4" + b"x" * _limit(t, peer)
    headers = [TEXT, ("Transfer-Encoding", "chunked")] if chunked else [TEXT]
    if chunked:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    http = await t.http()
    request = request_bytes("POST", peer.target(), http.address, headers=headers, body=body)
    answer = await send_and_hear(http, request)
    dropped = isinstance(answer, Gone)
    decided = dropped or isinstance(answer, Response)
    t.check(decided, "an answer, or the connection dropped", answer)
    known = dropped or (isinstance(answer, Response) and answer.status == 413)
    t.check(known, "status 413, or the connection dropped", answer, rule="EIO-POLL-09")
    trouble = await peer.alive()
    t.check(trouble is None or peer.closed is not None, "the session closed, or in use", trouble)
    t.observe("session after the refusal", "open" if trouble is None else "closed")
    sizes = [len(seen.packet) for seen in peer.seen if seen.packet[:1] == "4"]
    t.check(all(size < 100 for size in sizes), "nothing delivered", f"messages of {sizes}")
    await still_there(t, control)


@case(
    "eio4.limits.frame-over-limit.closes-session",
    covers=["EIO-WS-08d", "EIO-WS-08b", "EIO-HS-07"],
    needs=["echo", "websocket"],
    tags=["limits", "close"],
    variants={"text": "text", "binary": "binary", "fragments": "fragments"},
    also="eio3",
)
async def frame_over_limit_closes_session(t: Bench, kind: str) -> None:
    """A WebSocket message of more than maxPayload bytes ends its session, and is not delivered."""
    bad, control = await t.eio.pair("websocket")
    limit = _limit(t, bad)
    # A pong in the middle of fragments would be a fault of its own.
    bad.answer_pings = False
    # What is left unread must not keep the case from noticing the end.
    async with trio.open_nursery() as nursery:
        if kind == "fragments":
            nursery.start_soon(_send_fragments, bad, limit)
        else:
            packet: Packet = "4" + "x" * limit if kind == "text" else b"x" * (limit + 1)
            nursery.start_soon(bad.send, packet)
        closed = await t.expect_closed(bad, while_open=control)
        nursery.cancel_scope.cancel()
    sizes = [len(packet) for packet in news(seen.packet for seen in bad.seen[1:])]
    t.equal(sizes, [], "sizes of what was delivered")
    if closed is not None:
        t.equal(closed.code, _TOO_LARGE, "close code", rule="EIO-WS-08b")


@case(
    "eio4.limits.answer-over-limit.complete",
    covers=["EIO-P4-06b", "EIO-P4-06"],
    needs=["echo", "polling"],
    tags=["limits"],
)
async def answer_over_limit_complete(t: Bench) -> None:
    """The limit is for what the server takes: more than that waiting for a poll comes whole."""
    peer = await t.eio.open("polling", poll=False)
    size = _limit(t, peer) * 2 // 3
    packets = [f"4{letter * size}" for letter in "abc"]
    for packet in packets:
        await peer.post(NEUTRAL)
        response = await peer.post(packet.encode())
        t.require(response.status == 200, "status 200", response)
    with t.expecting("EIO-P4-06b"):
        answers = await poll_for(peer, len(packets))
    arrived = [packet for answer in answers for packet in answer]
    shown = "; ".join(map(_brief, arrived))
    t.check(arrived == packets, "; ".join(map(_brief, packets)), shown)
    t.equal(len(answers), 1, "number of answers", rule="EIO-P4-06")


async def _send_fragments(bad: EnginePeer, limit: int) -> None:
    assert bad.ws is not None
    part = b"x" * (limit // 4)
    await bad.ws.send_frame(0x2, part, fin=False)
    for _ in range(3):
        await bad.ws.send_frame(0x0, part, fin=False)
    await bad.ws.send_frame(0x0, b"x" * 8)


@case(
    "eio4.limits.not-utf8.counted-as-sent",
    covers=["EIO-POLL-10b"],
    needs=["echo", "polling"],
    tags=["limits"],
)
async def not_utf8_counted_as_sent(t: Bench) -> None:
    """What is no UTF-8 counts as the bytes that were sent, not as what they are replaced with."""
    peer = await t.eio.open("polling")
    size = _limit(t, peer) // 2
    response = await peer.post(b"4" + b"\xff" * size)
    t.check(response.status != 413, "no status 413", response)
    t.observe("no UTF-8, half the limit", response.status)


@case(
    "eio4.limits.endless-body.cut-off",
    covers=["EIO-POLL-09b", "EIO-POLL-09"],
    needs=["polling"],
    tags=["limits", "security"],
    also="eio3",
)
async def endless_body_cut_off(t: Bench) -> None:
    """A body in chunks that does not end is answered, or hung up on, once it is over the limit."""
    peer, control = await t.eio.pair("polling")
    limit = _limit(t, peer)
    http = await t.http("endless")
    headers = [TEXT, ("Transfer-Encoding", "chunked")]
    head = request_bytes("POST", peer.target(), http.address, headers=headers)
    chunk = b"%x\r\n%s\r\n" % (50_000, b"x" * 50_000)
    answer = await send_and_hear(http, head + chunk * (2 * limit // 50_000 + 2))
    decided = isinstance(answer, (Response, Gone))
    t.check(decided, "an answer, or the connection dropped", answer)
    if isinstance(answer, Response):
        t.equal(answer.status, 413, "status", rule="EIO-POLL-09")
    await still_there(t, control)
