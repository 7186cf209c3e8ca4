"""The heartbeat of revision 3: the client pings, the server answers and listens."""

from __future__ import annotations

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import still_there
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer, Transport
from sioproto_conformance.peers.ws import WsConnection

_ROUNDS = 3


def _expiry(peer: EnginePeer) -> float:
    return peer.ping_interval + peer.ping_timeout


@case("eio3.heartbeat.ping.answered", covers=["EIO-HB-21"], variants=TRANSPORTS)
async def ping_answered(t: Bench, transport: Transport) -> None:
    """A ping is answered with a pong, each of several with one."""
    peer = await t.eio.open(transport)
    for _ in range(_ROUNDS):
        pong = await peer.next_pong("2", timeout=t.timeout)
        t.equal(pong, "3", "pong")
    pongs = [seen.packet for seen in peer.seen if seen.packet == "3"]
    t.equal(len(pongs), _ROUNDS, "number of pongs")


@case(
    "eio3.heartbeat.binary-ping.answered", covers=["EIO-PKT-05", "EIO-HB-21"], needs=["websocket"]
)
async def binary_ping_answered(t: Bench) -> None:
    """A binary frame whose first byte is 2 is a ping."""
    peer = await t.eio.open("websocket")
    assert peer.ws is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.ws.send_binary, b"\x02")
        with t.expecting("EIO-PKT-05"):
            t.equal(await peer.next_pong(timeout=t.timeout), "3", "pong")


@case(
    "eio3.heartbeat.ping-with-data.answered", covers=["EIO-HB-21", "EIO-HB-22"], variants=TRANSPORTS
)
async def ping_with_data_answered(t: Bench, transport: Transport) -> None:
    """A ping with data is answered; whether with the same data is open."""
    peer = await t.eio.open(transport)
    pong = await peer.next_pong("2abc", timeout=t.timeout)
    t.check(pong in ("3", "3abc"), "a pong with the same data or none", pong)
    t.equal(pong, "3", "pong", rule="EIO-HB-22")


@case(
    "eio3.heartbeat.pings.keep-session",
    covers=["EIO-HB-23", "EIO-HB-24"],
    needs=["fast-heartbeat"],
    tags=["heartbeat"],
    variants=TRANSPORTS,
)
async def pings_keep_session(t: Bench, transport: Transport) -> None:
    """A client that pings in time stays, and the server asks for nothing."""
    peer = await t.eio.open(transport)
    began = trio.current_time()
    while trio.current_time() < began + 2.5 * _expiry(peer):
        await peer.next_pong(timeout=peer.ping_interval + t.timeout)
    await t.expect_open(peer)
    pings = [seen.packet for seen in peer.seen if seen.packet == "2"]
    t.equal(pings, [], "pings of the server", rule="EIO-HB-24")


async def _check_expires(t: Bench, silent: EnginePeer, control: EnginePeer, rule: str) -> None:
    closed = await silent.wait_closed(timeout=2 * _expiry(silent) + t.timeout)
    await still_there(t, control)
    t.check(closed is not None, "closed", closed or "still open", rule=rule)


@case(
    "eio3.heartbeat.silent.closes-session",
    covers=["EIO-HB-23"],
    needs=["fast-heartbeat"],
    tags=["heartbeat", "close"],
    variants=TRANSPORTS,
)
async def silent_closes_session(t: Bench, transport: Transport) -> None:
    """A client that sends no ping for pingInterval and pingTimeout is closed, and not earlier."""
    bad, control = await t.eio.pair(transport)
    began = trio.current_time()
    bad.answer_pings = False
    await _check_expires(t, bad, control, "EIO-HB-23")
    least = 0.6 * _expiry(bad)
    took = trio.current_time() - began
    t.check(took >= least, f"{least:.2f} s or more of patience", f"{took:.2f} s")


@case(
    "eio3.heartbeat.silent-without-poll.closes-session",
    covers=["EIO-HB-23"],
    needs=["fast-heartbeat", "polling"],
    tags=["heartbeat", "close"],
)
async def silent_without_poll_closes_session(t: Bench) -> None:
    """A client that shakes hands and is never heard of again is closed."""
    bad = await t.eio.open("polling", name="bad", poll=False)
    bad.answer_pings = False
    control = await t.eio.open("polling", name="control")
    began = trio.current_time()
    while trio.current_time() < began + 1.5 * _expiry(bad):
        await control.next_pong(timeout=control.ping_interval + t.timeout)
    answer = await t.eio.get(t.eio.query(sid=bad.sid))
    await still_there(t, control)
    t.check(answer.status == 400, "its id unknown", answer)


@case(
    "eio3.heartbeat.silent-after-upgrade.closes-session",
    covers=["EIO-UPS-19", "EIO-HB-23"],
    needs=["fast-heartbeat", "upgrade"],
    tags=["heartbeat", "close", "security"],
    variants={"at-once": False, "after-a-ping": True},
)
async def silent_after_upgrade_closes_session(t: Bench, pings: bool) -> None:
    """A client that upgrades, and then goes silent, is closed like any other."""
    bad, control = await t.eio.pair("polling")
    await bad.upgrade()
    if pings:
        await bad.next_pong("2", timeout=t.timeout)
    bad.answer_pings = False
    await _check_expires(t, bad, control, "EIO-UPS-19")


@case("eio3.heartbeat.probe-after-switch.answered", covers=["EIO-UPS-08c"], needs=["upgrade"])
async def probe_after_switch_answered(t: Bench) -> None:
    """After the upgrade a probe is a ping like any other, and the session goes on."""
    peer = await t.eio.open("polling")
    await peer.upgrade()
    with t.expecting("EIO-UPS-08c"):
        pong = await peer.next_pong("2probe", timeout=t.timeout)
    t.check(pong in ("3", "3probe"), "a pong", pong)
    await t.expect_open(peer)


@case(
    "eio3.heartbeat.pong-from-client.decided",
    covers=["EIO-PKT-15"],
    needs=["echo"],
    variants=TRANSPORTS,
)
async def pong_from_client_decided(t: Bench, transport: Transport) -> None:
    """A pong from the client, which became right with revision 4, ends the session or nothing."""
    peer, control = await t.eio.pair(transport)
    await peer.send("3")
    trouble = await peer.alive()
    decided = trouble is None or peer.closed is not None
    t.check(decided, "closed, or in use", trouble)
    t.observe("pong from the client", "ignored" if trouble is None else "closed")
    await still_there(t, control)


@case(
    "eio3.heartbeat.ping-while-probing.answered",
    covers=["EIO-HB-21"],
    needs=["upgrade"],
)
async def ping_while_probing_answered(t: Bench) -> None:
    """While the new transport is probed, a ping by polling is answered by polling."""
    peer = await t.eio.open("polling")
    ws: WsConnection = await peer.probe()
    with t.expecting("EIO-HB-21"):
        t.equal(await peer.next_pong("2", timeout=t.timeout), "3", "pong")
    await peer.pause_polling()
    await ws.send_text("5")
    peer.adopt(ws)
    await t.expect_open(peer)
