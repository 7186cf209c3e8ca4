"""The heartbeat, at an endpoint where it is fast."""

from __future__ import annotations

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import open_any, still_there
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer, Transport

_ROUNDS = 3
# A ping that comes when less than this part of the interval has passed is no late arrival of the
# one before, which a busy machine can make look early.
_EARLY = 0.5
_PONGS = 500


def _expiry(peer: EnginePeer) -> float:
    return peer.ping_interval + peer.ping_timeout


def _pings(peer: EnginePeer) -> list[float]:
    return [seen.at for seen in peer.seen if seen.packet == "2"]


async def _check_expires(
    t: Bench,
    silent: EnginePeer,
    control: EnginePeer,
    *,
    rules: tuple[str, ...] = ("EIO-HB-05", "EIO-HB-03"),
) -> float:
    """Check that the server ends a silent session, while one that answers goes on.

    The first of the rules forbids to let it live for ever, the others to be late. Returns when it
    was seen to have ended, or given up, on trio's clock.
    """
    closed = await silent.wait_closed(timeout=_expiry(silent) + t.timeout)
    ended = trio.current_time()
    ends, *timely = rules
    for rule in timely:
        t.check(closed is not None, "closed in time", closed or "still open", rule=rule)
    if closed is None:
        closed = await silent.wait_closed(timeout=_expiry(silent) + t.timeout)
        ended = trio.current_time()
    await still_there(t, control)
    t.check(closed is not None, "closed", closed or "still open", rule=ends)
    return ended


@case(
    "eio4.heartbeat.answered-pings.keep-session",
    covers=["EIO-HB-03b", "EIO-HB-01"],
    needs=["fast-heartbeat"],
    tags=["heartbeat"],
    variants=TRANSPORTS,
)
async def answered_pings_keep_session(t: Bench, transport: Transport) -> None:
    """A ping comes every pingInterval, none too early, and a client that answers stays."""
    peer = await t.eio.open(transport)
    began = peer.seen[0].at
    for _ in range(_ROUNDS):
        with t.expecting("EIO-HB-01", open="EIO-HB-03b"):
            at = await peer.next_ping(timeout=peer.ping_interval + t.timeout)
        waited, began = at - began, at
        least = _EARLY * peer.ping_interval
        t.check(waited >= least, f"a ping after {least:.2f} s or more", waited, rule="EIO-HB-01")
    t.equal(len(_pings(peer)), _ROUNDS, "number of pings", rule="EIO-HB-01")
    await t.expect_open(peer)


@case(
    "eio4.heartbeat.silent-websocket.closes-session",
    covers=["EIO-HB-05", "EIO-HB-03", "EIO-HB-03c"],
    needs=["fast-heartbeat", "websocket"],
    tags=["heartbeat", "close"],
)
async def silent_websocket_closes_session(t: Bench) -> None:
    """A client on WebSocket that does not answer its ping is closed, but not before pingTimeout."""
    bad, control = await t.eio.pair("websocket")
    bad.answer_pings = False
    ended = await _check_expires(t, bad, control)
    pings = _pings(bad)
    t.require(bool(pings), "a ping before the end", bad.closed, rule="EIO-HB-03c")
    # The client may have noticed the ping late, and then sees less than was given.
    given = ended - pings[0]
    least = _EARLY * bad.ping_timeout
    t.check(given >= least, f"{least:.2f} s or more for the answer", given, rule="EIO-HB-03c")


@case(
    "eio4.heartbeat.silent-polling.closes-session",
    covers=["EIO-HB-05", "EIO-HB-03"],
    needs=["fast-heartbeat", "polling"],
    tags=["heartbeat", "close"],
    variants={"polls": True, "does-not-poll": False},
)
async def silent_polling_closes_session(t: Bench, polls: bool) -> None:
    """A polling client that does not answer its ping is closed, whether it polls or not."""
    bad = await t.eio.open("polling", name="bad", poll=polls)
    bad.answer_pings = False
    control = await t.eio.open("polling", name="control")
    if not polls:
        # By the third ping of the control, whose session is younger, the bad one has expired.
        for _ in range(_ROUNDS):
            await control.next_ping(timeout=control.ping_interval + t.timeout)
    await _check_expires(t, bad, control)


@case(
    "eio4.heartbeat.silent-after-upgrade.closes-session",
    covers=["EIO-UPS-18", "EIO-HB-03", "EIO-HB-01"],
    needs=["fast-heartbeat", "upgrade"],
    tags=["heartbeat", "close", "security"],
)
async def silent_after_upgrade_closes_session(t: Bench) -> None:
    """A client that owes a pong when it upgrades, and then goes silent, is closed."""
    bad = await _upgraded_with_a_ping_owed(t)
    control = await open_any(t, name="control")
    await _check_expires(t, bad, control, rules=("EIO-UPS-18", "EIO-HB-03"))


@case(
    "eio4.heartbeat.silent-later-after-upgrade.closes-session",
    covers=["EIO-UPS-18", "EIO-HB-03", "EIO-HB-01"],
    needs=["fast-heartbeat", "upgrade"],
    tags=["heartbeat", "close"],
)
async def silent_later_after_upgrade(t: Bench) -> None:
    """After an upgrade the pings come by WebSocket, and a client that stops answering is closed."""
    bad, control = await t.eio.pair("polling")
    await bad.upgrade()
    for _ in range(2):
        with t.expecting("EIO-HB-01"):
            await bad.next_ping(timeout=bad.ping_interval + t.timeout)
    await t.expect_open(bad, rule="EIO-HB-01")
    bad.answer_pings = False
    await _check_expires(t, bad, control, rules=("EIO-UPS-18", "EIO-HB-03"))


@case(
    "eio4.heartbeat.pong-after-upgrade.counts",
    covers=["EIO-HB-09", "EIO-HB-01"],
    needs=["fast-heartbeat", "upgrade"],
    tags=["heartbeat"],
)
async def pong_after_upgrade_counts(t: Bench) -> None:
    """A ping that came by polling may be answered by WebSocket, and the next one comes there."""
    peer = await _upgraded_with_a_ping_owed(t)
    peer.answer_pings = True
    await peer.send("3")
    for _ in range(2):
        with t.expecting("EIO-HB-09"):
            await peer.next_ping(timeout=peer.ping_interval + t.timeout)
    await t.expect_open(peer)


async def _upgraded_with_a_ping_owed(t: Bench) -> EnginePeer:
    """Return a session that was upgraded between a ping and its pong, and is silent."""
    peer = await t.eio.open("polling", name="bad", poll=False)
    peer.answer_pings = False
    packets = await peer.poll(timeout=peer.ping_interval + t.timeout)
    t.equal(packets, ["2"], "packets of the first poll", rule="EIO-HB-01")
    ws = await peer.probe()
    await ws.send_text("5")
    peer.adopt(ws)
    return peer


@case(
    "eio4.heartbeat.ping-without-poll.comes-with-the-next",
    covers=["EIO-HB-08"],
    needs=["fast-heartbeat", "polling"],
    tags=["heartbeat"],
)
async def ping_without_poll(t: Bench) -> None:
    """A ping that falls due while the client does not poll is what its next poll brings."""
    peer = await t.eio.open("polling", poll=False)
    control = await t.eio.open("polling", name="control")
    await control.next_ping(timeout=control.ping_interval + t.timeout)
    response = await peer.get()
    if response.status != 200:
        t.inconclusive("the session had expired before it could poll")
    t.equal(response.body, b"2", "body")
    await peer.send("3")
    peer.start_polling()
    await peer.next_ping(timeout=peer.ping_interval + t.timeout)
    await t.expect_open(peer)


@case(
    "eio4.heartbeat.unasked-pongs.harmless",
    covers=["EIO-HB-07"],
    needs=["echo"],
    variants=TRANSPORTS,
)
async def unasked_pongs_harmless(t: Bench, transport: Transport) -> None:
    """Any number of pongs that nobody asked for leaves the session as it was."""
    peer = await t.eio.open(transport)
    # In portions, as some servers count the packets of a payload.
    for _ in range(_PONGS // 10):
        await peer.send(*["3"] * 10)
    await t.nothing_more(peer)


@case(
    "eio4.heartbeat.pong-with-data.counts",
    covers=["EIO-HB-07b"],
    needs=["fast-heartbeat"],
    tags=["heartbeat"],
    variants=TRANSPORTS,
)
async def pong_with_data_counts(t: Bench, transport: Transport) -> None:
    """A pong with data behind its type is a pong."""
    peer = await t.eio.open(transport)
    peer.answer_pings = False
    for _ in range(_ROUNDS):
        await peer.next_ping(timeout=peer.ping_interval + t.timeout)
        await peer.send("3xyz")
    await t.expect_open(peer)


@case(
    "eio4.heartbeat.ping-frames.do-not-count",
    covers=["EIO-WS-09b", "EIO-HB-05"],
    needs=["fast-heartbeat", "websocket"],
    tags=["heartbeat", "close"],
)
async def ping_frames_do_not_count(t: Bench) -> None:
    """A client that sends ping frames but no pong packets is closed like a silent one."""
    bad, control = await t.eio.pair("websocket")
    bad.answer_pings = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ping_frames, bad)
        await _check_expires(t, bad, control, rules=("EIO-WS-09b",))
        nursery.cancel_scope.cancel()


async def _ping_frames(peer: EnginePeer) -> None:
    while peer.closed is None and peer.ws is not None:
        await peer.ws.send_frame(0x9, b"alive")
        await trio.sleep(peer.ping_interval / 6)


@case(
    "eio4.heartbeat.silent-sessions.spare-others",
    covers=["EIO-ROB-01"],
    needs=["fast-heartbeat"],
    tags=["flood", "heartbeat"],
    variants=TRANSPORTS,
)
async def silent_sessions_spare_others(t: Bench, transport: Transport) -> None:
    """While silent sessions expire around it, one that answers goes on."""
    control = await t.eio.open(transport, name="control")
    silent = [await t.eio.open(transport, name=f"silent{n}") for n in range(10)]
    for peer in silent:
        peer.answer_pings = False
    for _ in range(_ROUNDS):
        await control.next_ping(timeout=control.ping_interval + t.timeout)
    await t.expect_open(control)
