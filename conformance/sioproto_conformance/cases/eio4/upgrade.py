"""The upgrade from polling to WebSocket, as far as it goes well."""

from __future__ import annotations

from itertools import islice

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import (
    answer_of,
    news,
    pending_poll,
    receive,
    settle,
)
from sioproto_conformance.peers.eio import EnginePeer, Packet
from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.ws import WsConnection, frame_bytes

_TEXT, _PING = 0x1, 0x9
_NOOP_WINDOW = 1.0
# About 20 a second, with room for a server that counts in ticks.
_NOOP_LIMIT = 30


async def _switch(peer: EnginePeer, ws: WsConnection, packet: str = "5") -> None:
    await ws.send_text(packet)
    peer.adopt(ws)


async def _next_poll(peer: EnginePeer) -> list[Packet]:
    """Return the answer to a poll, the next one if a ping came first."""
    packets = await peer.poll()
    return await peer.poll() if packets == ["2"] else packets


@case(
    "eio4.upgrade.probe.answered",
    covers=["EIO-UPS-01", "EIO-UPS-04"],
    needs=["upgrade"],
    also="eio3",
)
async def probe_answered(t: Bench) -> None:
    """The probe is answered on the new transport, and the upgrade packet makes it the session's."""
    peer = await t.eio.open("polling", poll=False)
    with t.expecting("EIO-UPS-01"):
        ws = await peer.probe()
    await _switch(peer, ws)
    await t.expect_open(peer, rule="EIO-UPS-04")


@case(
    "eio4.upgrade.messages.by-websocket",
    covers=["EIO-UPS-04", "EIO-UPS-05b"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def messages_by_websocket(t: Bench) -> None:
    """After the upgrade, text and binary messages come and go by WebSocket, and no noop."""
    peer = await t.eio.open("polling")
    await peer.send("4before")
    t.equal(await peer.next(), "4before", "echo before")
    await peer.upgrade()
    seen = len(peer.seen)
    sent: list[Packet] = ["4one", b"\x01\x02\x03\x04", "4zwölf €"]
    await peer.send(*sent)
    t.equal(await receive(peer, len(sent)), sent, "echoes after")
    noops = [entry.packet for entry in peer.seen[seen:] if entry.packet == "6"]
    t.equal(noops, [], "noops by WebSocket", rule="EIO-UPS-05b")
    await t.nothing_more(peer)


@case(
    "eio4.upgrade.pending-poll.gets-noop",
    covers=["EIO-UPS-02"],
    needs=["upgrade"],
    also="eio3",
)
async def pending_poll_gets_noop(t: Bench) -> None:
    """A poll that is pending when the probe arrives is answered with a noop."""
    peer = await t.eio.open("polling", poll=False)
    pending = await pending_poll(t, peer)
    ws = await peer.probe()
    t.equal(await answer_of(t, pending), ["6"], "answer to the pending poll")
    await _switch(peer, ws)
    await t.expect_open(peer)


@case(
    "eio4.upgrade.second-poll.gets-noop",
    covers=["EIO-UPS-03", "EIO-UPS-02"],
    needs=["upgrade"],
    also="eio3",
)
async def second_poll_gets_noop(t: Bench) -> None:
    """Every further poll before the upgrade packet is answered as well."""
    peer = await t.eio.open("polling", poll=False)
    pending = await pending_poll(t, peer)
    ws = await peer.probe()
    t.equal(await answer_of(t, pending), ["6"], "answer to the first poll", rule="EIO-UPS-02")
    for which in ("second", "third"):
        with t.expecting("EIO-UPS-03"):
            t.equal(await _next_poll(peer), ["6"], f"answer to the {which} poll")
    await _switch(peer, ws)
    await t.expect_open(peer)


@case(
    "eio4.upgrade.poll-after-probe.gets-noop",
    covers=["EIO-UPS-03"],
    needs=["upgrade"],
    also="eio3",
)
async def poll_after_probe_gets_noop(t: Bench) -> None:
    """A poll that begins only after the probe is answered too."""
    peer = await t.eio.open("polling", poll=False)
    ws = await peer.probe()
    t.equal(await _next_poll(peer), ["6"], "answer to the poll")
    await _switch(peer, ws)
    await t.expect_open(peer)


@case(
    "eio4.upgrade.noops.not-too-many",
    covers=["EIO-UPS-03b", "EIO-UPS-03"],
    needs=["upgrade"],
    also="eio3",
)
async def noops_not_too_many(t: Bench) -> None:
    """A client that polls on and on during the upgrade is not kept spinning."""
    peer = await t.eio.open("polling", poll=False)
    ws = await peer.probe()
    began = trio.current_time()
    polls = 0
    while trio.current_time() < began + _NOOP_WINDOW and polls < 2 * _NOOP_LIMIT:
        await peer.poll()
        polls += 1
    elapsed = trio.current_time() - began
    rate = polls / elapsed
    t.check(polls <= _NOOP_LIMIT * max(1.0, elapsed), "about 20 noops a second", f"{rate:.0f}")
    t.observe("noops a second", "at most 20" if rate <= 20 else "more than 20")
    await _switch(peer, ws)
    await t.expect_open(peer, rule="EIO-UPS-03")


@case(
    "eio4.upgrade.buffered-messages.arrive-in-order",
    covers=["EIO-UPS-04b", "EIO-UPS-05b"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def buffered_messages_arrive_in_order(t: Bench) -> None:
    """What was buffered when the upgrade completes comes first, once and in order."""
    peer = await t.eio.open("polling", poll=False)
    early: list[Packet] = ["4one", b"\x02", "4drei €", "4four"]
    for packet in early[:2]:
        await peer.send(packet)
    ws = await peer.probe()
    await peer.send(*early[2:])
    await settle(t)
    await _switch(peer, ws)
    late: list[Packet] = ["4five", b"\x06"]
    await peer.send(*late)
    with t.expecting("EIO-UPS-04b"):
        t.equal(await receive(peer, len(early) + len(late)), [*early, *late], "echoes")
    await t.nothing_more(peer)
    noops = [entry.packet for entry in peer.seen if entry.packet in ("6", "1")]
    t.equal(noops, [], "noops by WebSocket", rule="EIO-UPS-05b")


@case(
    "eio4.upgrade.running-stream.keeps-order",
    covers=["EIO-UPS-04b", "EIO-UPS-06"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def running_stream_keeps_order(t: Bench) -> None:
    """Messages sent before, during and after the upgrade come back once and in order."""
    peer = await t.eio.open("polling")
    packets = [f"4{n}" for n in range(60)]
    unsent = iter(packets)

    await peer.send(*islice(unsent, 10))
    ws = await peer.probe()
    for _ in range(4):
        response = await peer.send(*islice(unsent, 5))
        taken = response is not None and response.status == 200
        t.require(taken, "a POST during the upgrade taken", response, rule="EIO-UPS-06")
    await peer.pause_polling()
    await peer.send(*islice(unsent, 5))
    await _switch(peer, ws)
    await peer.send(*unsent)
    t.equal(await receive(peer, len(packets)), packets, "echoes")
    await t.nothing_more(peer)


@case(
    "eio4.upgrade.polls-and-posts.served-meanwhile",
    covers=["EIO-UPS-06", "EIO-UPS-06c", "EIO-UPS-04b"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def polls_and_posts_served_meanwhile(t: Bench) -> None:
    """Until the upgrade packet, messages come and go by polling as before."""
    peer = await t.eio.open("polling", poll=False)
    ws = await peer.probe()
    response = await peer.post(peer.encode("4meanwhile"))
    t.equal(response.status, 200, "status of the POST")
    polled = news(await peer.poll())
    t.equal(polled, ["4meanwhile"], "packets of the poll", rule="EIO-UPS-06c")
    if not polled:
        await _switch(peer, ws)
        t.equal(await peer.next(), "4meanwhile", "echo by WebSocket", rule="EIO-UPS-04b")
        return
    await _switch(peer, ws)
    await peer.send("4after")
    t.equal(await peer.next(), "4after", "echo by WebSocket", rule="EIO-UPS-04b")


@case(
    "eio4.upgrade.new-transport.silent-before-switch",
    covers=["EIO-UPS-05", "EIO-UPS-04b"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def new_transport_silent_before_switch(t: Bench) -> None:
    """Before the upgrade packet nothing but 3probe comes by WebSocket, though a message waits."""
    peer = await t.eio.open("polling", poll=False)
    ws = await peer.probe()
    await peer.send("4waiting")
    await settle(t)
    # A pong frame comes behind all that was sent before it.
    await ws.send_frame(_PING, b"fence")
    first = await ws.receive()
    t.check((first.kind, first.data) == ("pong", b"fence"), "nothing before the pong frame", first)
    if first.kind == "pong":
        await _switch(peer, ws)
        t.equal(await peer.next(), "4waiting", "echo", rule="EIO-UPS-04b")


@case(
    "eio4.upgrade.switch-and-message.in-one-segment",
    covers=["EIO-UPS-04"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def switch_and_message_in_one_segment(t: Bench) -> None:
    """A message right behind the upgrade packet belongs to the session already."""
    peer = await t.eio.open("polling", poll=False)
    ws = await peer.probe()
    await ws.send_raw(frame_bytes(_TEXT, b"5") + frame_bytes(_TEXT, b"4hello"))
    peer.adopt(ws)
    t.equal(await peer.next(), "4hello", "echo")
    await t.nothing_more(peer)


@case(
    "eio4.upgrade.frames-behind-request.read",
    covers=["EIO-HS-12b"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def frames_behind_request_read(t: Bench) -> None:
    """Frames glued to the request of the upgrade are read like those that follow it."""
    peer = await t.eio.open("polling", poll=False)
    glued = b"".join(frame_bytes(_TEXT, packet) for packet in (b"2probe", b"5", b"4hello"))
    ws = await t.eio.websocket(t.eio.query("websocket", peer.sid), glued=glued)
    if isinstance(ws, Response):
        t.check(False, "status 101", ws)
        return
    peer.adopt(ws)
    t.equal(await peer.next(), "3probe", "answer to the probe")
    t.equal(await peer.next(), "4hello", "echo")
    await t.nothing_more(peer)


@case(
    "eio4.upgrade.without-probe.completed",
    covers=["EIO-UPS-07"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def without_probe_completed(t: Bench) -> None:
    """An upgrade packet without a probe before it completes the upgrade."""
    peer = await t.eio.open("polling", poll=False)
    await _switch(peer, await peer.open_websocket())
    await t.expect_open(peer)


@case(
    "eio4.upgrade.switch-with-data.completed",
    covers=["EIO-UPS-07b"],
    needs=["upgrade", "echo"],
    also="eio3",
)
async def switch_with_data_completed(t: Bench) -> None:
    """An upgrade packet with data behind its type is one all the same."""
    peer = await t.eio.open("polling", poll=False)
    await _switch(peer, await peer.probe(), "52")
    await t.expect_open(peer)


@case(
    "eio4.upgrade.repeated-probe.answered",
    covers=["EIO-UPS-08"],
    needs=["upgrade"],
    also="eio3",
)
async def repeated_probe_answered(t: Bench) -> None:
    """A second probe on the same transport is answered like the first."""
    peer = await t.eio.open("polling", poll=False)
    ws = await peer.probe()
    await ws.send_text("2probe")
    answer = await ws.receive()
    t.equal((answer.kind, answer.data), ("text", "3probe"), "answer")
    await _switch(peer, ws)
    await t.expect_open(peer)


@case(
    "eio4.upgrade.probe-after-switch.closes-session",
    covers=["EIO-UPS-08b"],
    needs=["upgrade"],
    tags=["close"],
)
async def probe_after_switch_closes_session(t: Bench) -> None:
    """After the upgrade a probe is a ping like any other, which no client may send."""
    bad, control = await t.eio.pair("polling")
    await bad.upgrade()
    await bad.send("2probe")
    await t.expect_closed(bad, while_open=control)


@case(
    "eio4.upgrade.request-after-switch.refused",
    covers=["EIO-UPS-13", "EIO-UPS-13b"],
    needs=["upgrade", "echo"],
    variants={"get": "GET", "post": "POST"},
    also="eio3",
)
async def request_after_switch_refused(t: Bench, method: str) -> None:
    """After the upgrade a poll or POST is refused, delivers nothing and harms nothing."""
    peer = await t.eio.open("polling")
    await peer.upgrade()
    await t.expect_open(peer, rule="EIO-UPS-13b")
    body = peer.encode("4stray") if method == "POST" else None
    answer = await t.eio.get(t.eio.query(sid=peer.sid), method=method, body=body)
    t.check(answer.status == 400, "status 400", answer)
    await t.nothing_more(peer, rule="EIO-UPS-13b")


@case(
    "eio4.upgrade.pending-poll-at-switch.answered",
    covers=["EIO-UPS-14b", "EIO-UPS-14"],
    needs=["upgrade"],
    also="eio3",
)
async def pending_poll_at_switch_answered(t: Bench) -> None:
    """A poll that is still pending at the upgrade packet is answered, and the session goes on."""
    peer = await t.eio.open("polling", poll=False)
    ws = await peer.probe()
    pending = await pending_poll(t, peer)
    await _switch(peer, ws)
    with t.expecting("EIO-UPS-14b"):
        answer = await answer_of(t, pending)
    t.check(True, "an answer to the pending poll", answer)
    known = not isinstance(answer, Response) and list(answer) in (["1"], ["6"])
    t.check(known, "a close or noop packet", answer, rule="EIO-UPS-14")
    await t.expect_open(peer, rule="EIO-UPS-14")


@case(
    "eio4.upgrade.client-pauses.at-either-time",
    covers=["EIO-UPC-02"],
    needs=["upgrade", "echo"],
    variants={"before-the-websocket": True, "after-the-probe": False},
    also="eio3",
)
async def client_pauses_at_either_time(t: Bench, early: bool) -> None:
    """A client may stop polling before it opens the WebSocket, or when its probe is answered."""
    peer = await t.eio.open("polling", poll=not early)
    if early:
        # It has polled before, as a client has that stops.
        await peer.send("4polled")
        t.equal(news(await peer.poll()), ["4polled"], "packets of the last poll")
    else:
        # By the time that this is answered, the poll is pending there.
        await peer.send(peer.framing.neutral)
    ws = await peer.probe()
    if not early:
        await peer.pause_polling()
    await _switch(peer, ws)
    await peer.send("4after")
    t.equal(await peer.next(), "4after", "echo")
    await t.nothing_more(peer)
