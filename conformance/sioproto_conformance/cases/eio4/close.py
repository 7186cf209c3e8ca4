"""Ending a session, and what is left of it."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.eio4._shared import (
    beside_a_session,
    check_not_open,
    check_refusal,
    neutral,
    open_any,
)

_ENDS = {"close-packet": "1", "invalid-packet": "abc"}
_REQUESTS = {"get": "GET", "post": "POST"}


@case(
    "eio4.close.packet-by-polling.ends-session",
    covers=["EIO-CL-01", "EIO-POLL-15"],
    needs=["polling"],
    tags=["close"],
    also="eio3",
)
async def packet_by_polling_ends_session(t: Bench) -> None:
    """A close packet sent by polling is taken like any other, and ends the session."""
    bad, control = await t.eio.pair("polling")
    response = await bad.post(bad.encode("1"))
    t.equal(response.status, 200, "status", rule="EIO-POLL-15")
    t.equal(response.body, b"ok", "body", rule="EIO-POLL-15")
    await t.expect_closed(bad, while_open=control)


@case(
    "eio4.close.ended-session.unknown",
    covers=["EIO-CL-09", "EIO-ERR-03", "EIO-ERR-01", "EIO-PKT-03"],
    needs=["polling"],
    tags=["close"],
    variants=across(_ENDS, _REQUESTS),
    also="eio3",
)
async def ended_session_unknown(t: Bench, variant: tuple[str, str]) -> None:
    """The id of a session that has ended is as unknown as one that was never given out."""
    end, method = variant
    async with beside_a_session(t):
        peer = await t.eio.open("polling", poll=False)
        t.equal((await peer.post(neutral(peer))).status, 200, "status while it lives")
        await peer.send(end)
        body = b"4hello" if method == "POST" else None
        # A packet of no type that is read over ends nothing: then the id is not at fault.
        wrong = end != "1"
        with t.expecting("EIO-PKT-03" if wrong else "EIO-CL-09"):
            response = await t.eio.get(t.eio.query(sid=peer.sid), method=method, body=body)
        if wrong and response.status == 200:
            t.require(False, "the session ended", response, rule="EIO-PKT-03")
        check_refusal(t, response, 1, status="EIO-CL-09", body="EIO-ERR-03")


@case(
    "eio4.close.ended-session.not-upgraded",
    covers=["EIO-CL-09"],
    needs=["upgrade"],
    tags=["close"],
    also="eio3",
)
async def ended_session_not_upgraded(t: Bench) -> None:
    """A session that has ended cannot be brought back by a WebSocket."""
    async with beside_a_session(t):
        peer = await t.eio.open("polling", poll=False)
        t.equal((await peer.post(neutral(peer))).status, 200, "status while it lives")
        await peer.send("1")
        await check_not_open(t, t.eio.query("websocket", peer.sid), rule="EIO-CL-09")


@case(
    "eio4.close.packet-by-websocket.decided",
    covers=["EIO-WS-06", "EIO-ROB-01"],
    needs=["websocket"],
    tags=["close"],
    also="eio3",
)
async def packet_by_websocket_decided(t: Bench) -> None:
    """What a close packet on WebSocket does, on which the texts and the reference differ."""
    peer = await t.eio.open("websocket", name="peer")
    control = await open_any(t, name="control")
    await peer.send("1")
    trouble = await peer.alive()
    t.observe("close packet on WebSocket", "ignored" if trouble is None else trouble)
    t.check(peer.closed is not None, "closed", trouble or "still open")
    await t.expect_open(control, rule="EIO-ROB-01")
