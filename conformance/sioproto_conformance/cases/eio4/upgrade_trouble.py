"""Upgrades that go wrong, are given up, or are tried when there is nothing to upgrade."""

from __future__ import annotations

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import (
    ended_or_answered,
    open_any,
    pending_poll,
    start_post,
    still_there,
    until_end,
)
from sioproto_conformance.peers.eio import EnginePeer, Packet
from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.ws import WsConnection

# The usual one. Where the heartbeat is fast, so may this be.
_UPGRADE_TIMEOUT = 10.0

_WRONG: dict[str, Packet] = {
    "message": "4early",
    "binary": b"\x01\x02",
    "ping": "2",
    "other-probe": "2other",
    "probe-with-more": "2probe2",
    "pong": "3probe",
    "noop": "6",
    "close": "1",
    "open": "0",
    "invalid": "abc",
    "empty": "",
}


async def _send(ws: WsConnection, packet: Packet) -> None:
    if isinstance(packet, str):
        await ws.send_text(packet)
    else:
        await ws.send_binary(packet)


async def _polls_on(t: Bench, peer: EnginePeer) -> None:
    """Check that the session works by polling, and that another upgrade of it succeeds."""
    await t.nothing_more(peer, rule="EIO-UPS-09b")
    with t.expecting("EIO-UPS-09c"):
        await peer.upgrade()
    await t.expect_open(peer, rule="EIO-UPS-09c")


@case(
    "eio4.upgrade-trouble.wrong-first-packet.polling-goes-on",
    covers=["EIO-UPS-09b", "EIO-UPS-09", "EIO-UPS-09c", "EIO-UPS-09d"],
    needs=["upgrade", "echo"],
    variants=_WRONG,
    also="eio3",
)
async def wrong_first_packet(t: Bench, packet: Packet) -> None:
    """A new transport that starts with anything but a probe is closed; the session goes on."""
    peer = await t.eio.open("polling")
    ws = await peer.open_websocket()
    await _send(ws, packet)
    last = await until_end(t, ws)
    t.check(last is not None, "the new transport closed", last or "still open", rule="EIO-UPS-09")
    await _polls_on(t, peer)


@case(
    "eio4.upgrade-trouble.message-before-switch.not-delivered",
    covers=["EIO-UPS-09d", "EIO-UPS-09", "EIO-UPS-09b", "EIO-UPS-09c"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def message_before_switch(t: Bench) -> None:
    """A message between probe and upgrade packet closes the new transport, and is lost."""
    peer = await t.eio.open("polling")
    ws = await peer.probe()
    await ws.send_text("4early")
    last = await until_end(t, ws)
    t.check(last is not None, "the new transport closed", last or "still open", rule="EIO-UPS-09")
    await t.nothing_more(peer)
    await _polls_on(t, peer)


@case(
    "eio4.upgrade-trouble.given-up.polling-goes-on",
    covers=["EIO-UPS-09b", "EIO-UPS-09c"],
    needs=["upgrade", "echo"],
    variants={
        "before-probe": (False, False),
        "before-probe-by-close-frame": (False, True),
        "after-probe": (True, False),
        "after-probe-by-close-frame": (True, True),
    },
    also="eio3",
)
async def given_up(t: Bench, variant: tuple[bool, bool]) -> None:
    """A client that gives an upgrade up goes on polling, and may try again."""
    probed, by_frame = variant
    peer = await t.eio.open("polling")
    ws = await peer.probe() if probed else await peer.open_websocket()
    if by_frame:
        await ws.send_close()
        await until_end(t, ws)
    await ws.abort()
    await peer.send("4after")
    with t.expecting("EIO-UPS-09b"):
        t.equal(await peer.next(), "4after", "echo by polling")
    await _polls_on(t, peer)


@case(
    "eio4.upgrade-trouble.second-websocket.closed",
    covers=["EIO-UPS-11", "EIO-UPS-11b"],
    needs=["upgrade", "echo"],
    variants={"before-probe": "open", "after-probe": "probed", "after-switch": "upgraded"},
    also="eio3",
)
async def second_websocket_closed(t: Bench, state: str) -> None:
    """A second WebSocket for a session is closed, and the first one is not disturbed."""
    peer = await t.eio.open("polling", poll=False)
    first = await peer.open_websocket() if state == "open" else await peer.probe()
    if state == "upgraded":
        await first.send_text("5")
        peer.adopt(first)
        await t.expect_open(peer, rule="EIO-UPS-11b")
    await _check_closed_newcomer(t, peer, rule="EIO-UPS-11")
    if state == "open":
        await first.send_text("2probe")
        answer = await first.receive()
        t.equal(answer.data, "3probe", "answer to the first one's probe", rule="EIO-UPS-11b")
    if state != "upgraded":
        await first.send_text("5")
        peer.adopt(first)
    await t.nothing_more(peer, rule="EIO-UPS-11b")


@case(
    "eio4.upgrade-trouble.websocket-session.not-taken-over",
    covers=["EIO-UPS-12", "EIO-UPS-11b"],
    needs=["websocket", "echo"],
    tags=["security"],
    also="eio3",
)
async def websocket_session_not_taken_over(t: Bench) -> None:
    """A second WebSocket for a session opened by WebSocket is closed, whatever it sends."""
    peer = await t.eio.open("websocket")
    await _check_closed_newcomer(t, peer, rule="EIO-UPS-12")
    await t.nothing_more(peer, rule="EIO-UPS-12")


async def _check_closed_newcomer(t: Bench, peer: EnginePeer, *, rule: str) -> None:
    newcomer = await t.eio.websocket(t.eio.query("websocket", peer.sid), name="newcomer")
    if isinstance(newcomer, Response):
        t.check(newcomer.status >= 400, "a refusal", newcomer, rule=rule)
        return
    for packet in ("2probe", "5", "4taken"):
        await newcomer.send_text(packet)
    heard: list[object] = []
    while (incoming := await newcomer.receive()).kind not in ("close", "end"):
        heard.append(incoming.data)
        if incoming.data == "4taken":
            break
    t.check(not heard, "the newcomer closed unheard", f"it heard {heard}", rule=rule)


@case(
    "eio4.upgrade-trouble.session-end.takes-new-transport",
    covers=["EIO-UPS-06b"],
    needs=["upgrade"],
    tags=["close"],
    variants={"close-packet": "close", "invalid-packet": "invalid", "dropped-poll": "drop"},
    also="eio3",
)
async def session_end_takes_new_transport(t: Bench, how: str) -> None:
    """A session that ends by polling while it upgrades takes the new transport with it."""
    peer = await t.eio.open("polling", poll=False)
    control = await open_any(t, name="control")
    if how == "drop":
        ws = await peer.open_websocket()
        pending = await pending_poll(t, peer)
        await pending.wire.abort()
    else:
        ws = await peer.probe()
        await peer.send("1" if how == "close" else "abc")
    last = await until_end(t, ws)
    t.check(last is not None, "the new transport closed", last or "still open")
    await still_there(t, control)


@case(
    "eio4.upgrade-trouble.unfinished-post.session-goes-on",
    covers=["EIO-UPS-15"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def unfinished_post(t: Bench) -> None:
    """A POST that is still on its way at the upgrade packet comes to an end, and harms nothing."""
    peer = await t.eio.open("polling", poll=False)
    ws = await peer.probe()
    body = peer.encode("4hello")
    unfinished = await start_post(t, peer, body[:3], len(body))
    await ws.send_text("5")
    peer.adopt(ws)
    await t.expect_open(peer)
    await unfinished.send_raw(body[3:])
    how = await ended_or_answered(t, unfinished)
    t.check(how is not None, "the POST answered or dropped", how or "left hanging")
    t.observe("unfinished POST", (how or "left hanging")[:40])
    await t.expect_open(peer)


@case(
    "eio4.upgrade-trouble.other-revision.session-keeps-its-own",
    covers=["EIO-QP-12b", "EIO-QP-12"],
    needs=["upgrade", "echo"],
    variants={"revision-3": [("EIO", "3")], "none": []},
)
async def other_revision(t: Bench, revision: list[tuple[str, str]]) -> None:
    """An upgrade request with another revision is refused, or changes nothing about the session."""
    peer = await t.eio.open("polling")
    query = [*revision, ("transport", "websocket"), ("sid", peer.sid)]
    ws = await t.eio.websocket(query)
    t.check(isinstance(ws, Response), "a refusal", "status 101", rule="EIO-QP-12")
    if not isinstance(ws, Response):
        await ws.send_text("2probe")
        answer = await ws.receive()
        if answer.kind in ("close", "end"):
            t.observe("upgrade with another revision", "closed")
        else:
            t.equal(answer.data, "3probe", "answer to the probe")
            await peer.pause_polling()
            await ws.send_text("5")
            peer.adopt(ws)
    await peer.send(b"\x01\x02\x03")
    t.equal(await peer.next(), b"\x01\x02\x03", "echo in revision 4")
    await t.nothing_more(peer)


@case(
    "eio4.upgrade-trouble.unfinished.closed-in-time",
    covers=["EIO-UPS-10", "EIO-UPS-09c"],
    needs=["upgrade", "echo", "fast-heartbeat"],
    variants={"not-probed": False, "probed": True},
    also="eio3",
)
async def unfinished_closed_in_time(t: Bench, probed: bool) -> None:
    """An upgrade that is not completed is given up by the server, and polling goes on."""
    peer = await t.eio.open("polling")
    ws = await (peer.probe() if probed else peer.open_websocket())
    with trio.move_on_after(_UPGRADE_TIMEOUT + t.timeout):
        while (last := await ws.receive_unbounded()).kind not in ("close", "end"):
            pass
        t.check(True, "the new transport closed", last)
        await t.expect_open(peer)
        with t.expecting("EIO-UPS-09c"):
            await peer.upgrade()
        await t.expect_open(peer, rule="EIO-UPS-09c")
        return
    t.check(False, f"the new transport closed within {_UPGRADE_TIMEOUT:.0f} s", "still open")
