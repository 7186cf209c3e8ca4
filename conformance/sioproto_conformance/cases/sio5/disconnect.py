"""Leaving a namespace."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import (
    NAMESPACES,
    nobody_answers,
    refuses,
    same,
    same_in_any_order,
    send_at_once,
)
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport
from sioproto_conformance.peers.wire import Gone


@case(
    "sio5.disconnect.not-answered",
    covers=["SIO-DISC-02", "SIO-DISC-01", "SIO-CONN-21"],
    needs=["app"],
    variants=across(NAMESPACES, TRANSPORTS),
    also="sio4",
)
async def not_answered(t: Bench, variant: tuple[str, Transport]) -> None:
    """DISCONNECT gets no packet in answer, and the connection is there for another join."""
    nsp, transport = variant
    peer = await t.sio.connect(transport, nsp=nsp)
    await peer.send("1" if nsp == "/" else f"1{nsp},")
    before = await nobody_answers(peer)
    t.check(not before, "no packet in answer", before or None)
    t.check(not before, "no packet in answer", before or None, rule="SIO-CONN-21")


@case(
    "sio5.disconnect.custom.leaves-main",
    covers=["SIO-DISC-01"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def custom_leaves_main(t: Bench, transport: Transport) -> None:
    """Leaving the custom namespace leaves the main one as it was, and open to another join."""
    peer = await t.sio.connect(transport)
    await peer.connect("/custom")
    await peer.send("1/custom,")
    await t.expect_open(peer)
    answer = await peer.connect("/custom")
    t.equal(answer.type, sio.CONNECT, "type of the answer to another join")


@case(
    "sio5.disconnect.main.leaves-custom",
    covers=["SIO-DISC-01"],
    needs=["app"],
    variants=TRANSPORTS,
)
async def main_leaves_custom(t: Bench, transport: Transport) -> None:
    """Leaving the main namespace leaves the custom one joined."""
    peer = await t.sio.connect(transport)
    await peer.connect("/custom")
    await peer.send("1")
    # Nothing in the custom namespace answers an event, but one that is not joined ends it all.
    await peer.emit("message", 1, nsp="/custom")
    await nobody_answers(peer)
    await peer.send("1/custom,")
    await nobody_answers(peer)
    answer = await peer.connect("/")
    t.equal(answer.type, sio.CONNECT, "type of the answer to another join")


@case(
    "sio5.disconnect.takes-effect",
    covers=["SIO-DISC-01", "SIO-CONN-14"],
    needs=["app"],
    tags=["close"],
    variants=TRANSPORTS,
    also="sio4",
)
async def takes_effect(t: Bench, transport: Transport) -> None:
    """An event for a namespace that was left is not delivered, and closes the connection."""
    bad, control = await t.sio.pair(transport)
    await bad.send("1")
    await nobody_answers(bad)
    mark = len(bad.engine.seen)
    await bad.emit("message", "late")
    await t.expect_closed(bad, while_open=control, rule="SIO-CONN-14")
    echoed = [str(seen.packet) for seen in bad.engine.seen[mark:] if "late" in str(seen.packet)]
    t.check(not echoed, "no echo from a namespace that was left", echoed or None)


@case(
    "sio5.disconnect.event-at-once.not-delivered",
    covers=["SIO-EVT-04", "SIO-DISC-11"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def event_at_once_not_delivered(t: Bench, transport: Transport) -> None:
    """An event that arrives together with a DISCONNECT before it reaches no listener."""
    peer = await t.sio.connect(transport)
    await send_at_once(peer, "1", '2["message","late"]', '21["message-with-ack","late"]')
    try:
        packets = await nobody_answers(peer)
        closed = False
        t.observe("event-behind-disconnect", "ignored")
    except Gone:
        packets, closed = [], True
        t.observe("event-behind-disconnect", "closed")
    seen = [str(one.packet) for one in peer.engine.seen if "late" in str(one.packet)]
    t.check(not packets and not seen, "neither echo nor acknowledgement", seen or packets or None)
    t.check(closed, "the connection closed", "still open", rule="SIO-DISC-11")


@case(
    "sio5.disconnect.events-before.delivered",
    covers=["SIO-EVT-02", "SIO-EVT-01"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def events_before_delivered(t: Bench, transport: Transport) -> None:
    """Events sent before leaving one namespace are answered in the other one."""
    peer = await t.sio.connect(transport)
    await peer.connect("/custom")
    await send_at_once(peer, '2["message",1]', "1/custom,", '2["message",2]')
    packets = await peer.sentinel()
    expected = [["message-back", 1], ["message-back", 2]]
    echoed = [packet.data for packet in packets if packet.nsp == "/"]
    t.check(same_in_any_order(echoed, expected), f"{expected}", echoed, rule="SIO-EVT-01")
    t.check(same(echoed, expected), "the echoes in order", echoed)


@case(
    "sio5.disconnect.payload.closes",
    covers=["SIO-VAL-02", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {"object": "1{}", "array": '1["x"]', "string": '1"x"', "null": "1null", "word": "1x"},
        TRANSPORTS,
    ),
    also="sio4",
)
async def payload_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A DISCONNECT packet with a payload is malformed and closes the connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)
