"""What no client may be able to do to a server. Servers have crashed on some of this."""

from __future__ import annotations

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.eio4._shared import (
    beside_a_session,
    check_not_open,
    open_any,
    settle,
)
from sioproto_conformance.peers.eio import EnginePeer, Query
from sioproto_conformance.peers.http1 import Response, request_bytes
from sioproto_conformance.peers.wire import Gone
from sioproto_conformance.peers.ws import WsConnection, frame_bytes, websocket_headers

_CONTINUATION, _TEXT, _PING = 0x0, 0x1, 0x9
_FRAGMENTS = 20_000
_ABANDONED = 40
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="

_INHERITED = {
    "proto": "__proto__",
    "constructor": "constructor",
    "to-string": "toString",
    "has-own-property": "hasOwnProperty",
}


async def _still_serves(t: Bench, control: EnginePeer) -> None:
    """Check that a session from before goes on, and that new ones are opened."""
    await t.expect_open(control, rule="EIO-ROB-01")
    with t.expecting():
        response = await t.eio.get()
    new = response.status == 200 or "polling" in t.site.lacking
    t.check(new, "a new session", response, rule="EIO-ROB-01")


@case(
    "eio4.robustness.illegal-frame-behind-request.harms-nobody",
    covers=["EIO-SEC-02", "EIO-ROB-01"],
    needs=["upgrade"],
    tags=["security"],
    variants=across(
        {"new-session": False, "known-session": True},
        {
            "reserved-bits": frame_bytes(_TEXT, b"4hello", rsv=7),
            "unmasked": frame_bytes(_TEXT, b"4hello", masked=False),
            "no-frame": b"\xff" * 64,
        },
    ),
)
async def illegal_frame_behind_request(t: Bench, variant: tuple[bool, bytes]) -> None:
    """An illegal frame in one segment with the Upgrade request ends that connection alone."""
    known, glued = variant
    control = await open_any(t, name="control")
    peer = await t.eio.open("polling")
    sid = [("sid", peer.sid)] if known else []
    query: Query = [("EIO", "4"), ("transport", "websocket"), *sid]
    try:
        ws = await t.eio.websocket(query, glued=glued)
    except Gone as gone:
        t.check(True, "the connection ended", gone)
    else:
        await _check_ended_or_lost(t, ws)
    await _still_serves(t, control)


async def _check_ended_or_lost(t: Bench, ws: WsConnection | Response) -> None:
    """Check that the illegal frame ended the connection, or was lost and the connection works."""
    last: object = ws
    if isinstance(ws, WsConnection):
        # What comes behind the request may be lost, as the pong to this frame shows.
        await ws.send_frame(_PING, b"fence")
        last = None
        with trio.move_on_after(t.timeout):
            while last not in ("pong", "close", "end"):
                last = (await ws.receive_unbounded()).kind
    t.check(last is not None, "the connection ended, or the frame lost", last or "no sign")
    t.observe("illegal frame behind the request", "lost" if last == "pong" else "ended")


@case(
    "eio4.robustness.reset-while-refused.harms-nobody",
    covers=["EIO-SEC-03", "EIO-ROB-01"],
    needs=["websocket"],
    tags=["security"],
    variants={
        "unknown-session": "EIO=4&transport=websocket&sid=nobody",
        "unknown-transport": "EIO=4&transport=abc",
        "unknown-revision": "EIO=abc&transport=websocket",
    },
)
async def reset_while_refused(t: Bench, query: str) -> None:
    """A client that is gone before its Upgrade request is refused harms nobody."""
    control = await open_any(t, name="control")
    target = f"{t.eio.path}?{query}"
    with t.expecting("EIO-SEC-03"):
        for _ in range(5):
            http = await t.http("reset")
            await http.send_raw(
                request_bytes("GET", target, http.address, headers=websocket_headers(_KEY))
            )
            await http.wire.reset()
        await settle(t)
    t.check(True, "an answer to the next request")
    await _still_serves(t, control)


@case(
    "eio4.robustness.inherited-name.refused",
    covers=["EIO-SEC-04", "EIO-ROB-01"],
    needs=["polling", "websocket"],
    tags=["security"],
    variants=across({"transport": "transport", "session": "sid"}, _INHERITED),
)
async def inherited_name_refused(t: Bench, variant: tuple[str, str]) -> None:
    """A transport or session id that is the name of an inherited property is an unknown one."""
    parameter, name = variant
    control = await open_any(t, name="control")
    for transport in ("polling", "websocket"):
        usual = {"EIO": "4", "transport": transport}
        query = list({**usual, parameter: name}.items())
        response = await t.eio.get(query)
        t.check(response.status == 400, "status 400", response)
        await check_not_open(t, query, rule="EIO-SEC-04")
    await _still_serves(t, control)


@case(
    "eio4.robustness.tiny-fragments.bounded",
    covers=["EIO-SEC-12", "EIO-ROB-01"],
    needs=["websocket", "echo"],
    tags=["security"],
)
async def tiny_fragments_bounded(t: Bench) -> None:
    """A message in thousands of one-byte fragments is delivered, or ends its own connection."""
    control = await open_any(t, name="control")
    peer = await t.eio.open("websocket")
    assert peer.ws is not None
    fragment = frame_bytes(_CONTINUATION, b"x", fin=False)
    message = "4" + "x" * _FRAGMENTS
    async with trio.open_nursery() as nursery:
        first = frame_bytes(_TEXT, b"4", fin=False)
        last = frame_bytes(_CONTINUATION, b"", fin=True)
        nursery.start_soon(peer.ws.send_raw, first + fragment * _FRAGMENTS + last)
        with trio.move_on_after(2 * t.timeout):
            await peer.wait_until(lambda: peer.closed is not None or len(peer.seen) > 1)
        nursery.cancel_scope.cancel()
    whole = any(seen.packet == message for seen in peer.seen)
    outcome = "delivered" if whole else str(peer.closed)
    t.check(whole or peer.closed is not None, "the message delivered, or the end", outcome)
    t.observe("tiny fragments", "delivered" if whole else "closed")
    await _still_serves(t, control)


@case(
    "eio4.robustness.abandoned-sessions.harm-nobody",
    covers=["EIO-ROB-01"],
    tags=["flood"],
    needs=["polling"],
)
async def abandoned_sessions(t: Bench) -> None:
    """Clients that shake hands, poll and vanish leave the others alone."""
    async with beside_a_session(t) as control:
        for n in range(_ABANDONED):
            peer = await t.eio.open("polling", name=f"gone{n}", poll=n % 2 == 0)
            if n % 4 == 1 and "upgrade" not in t.site.lacking:
                await peer.open_websocket()
            await peer.hang_up()
        await _still_serves(t, control)
