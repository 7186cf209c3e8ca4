"""Packets that are none, and packets that a client has no business to send."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.peers.eio import TRANSPORTS, Transport

_INVALID = {
    "letter": "abc",
    "digit-7": "7",
    "digit-9": "9hello",
    "space-first": " 4hello",
    "other-digit": "٤hello",
    "byte-order-mark": "\ufeff4hello",
    "control-character": "\x004hello",
    "json": '{"type":"message"}',
    "sign": "-4hello",
}

_WITHOUT_EFFECT = {
    "open": "0",
    "open-with-data": '0{"sid":"other"}',
    "upgrade": "5",
    "noop": "6",
    "noop-with-data": "6abc",
}


@case(
    "eio4.packet.invalid.closes-session",
    covers=["EIO-PKT-03", "EIO-PKT-01"],
    tags=["close"],
    variants=across(TRANSPORTS, _INVALID),
    also="eio3",
)
async def invalid_closes_session(t: Bench, variant: tuple[Transport, str]) -> None:
    """A packet that starts with anything but a type or b ends its session, and no other."""
    transport, packet = variant
    bad, control = await t.eio.pair(transport)
    response = await bad.send(packet)
    if transport == "polling":
        t.observe("answer to the POST", response.status if response else "none")
    await t.expect_closed(bad, while_open=control)


@case(
    "eio4.packet.without-effect.ignored",
    covers=["EIO-PKT-13"],
    needs=["echo"],
    variants=across(TRANSPORTS, _WITHOUT_EFFECT),
    also="eio3",
)
async def without_effect_ignored(t: Bench, variant: tuple[Transport, str]) -> None:
    """An open, noop or untimely upgrade packet changes nothing and is not answered."""
    transport, packet = variant
    peer = await t.eio.open(transport)
    await peer.send(packet)
    await t.nothing_more(peer)


@case(
    "eio4.packet.ping-from-client.closes-session",
    covers=["EIO-PKT-14"],
    tags=["close"],
    variants=across(TRANSPORTS, {"bare": "2", "with-data": "2probe"}),
)
async def ping_from_client_closes(t: Bench, variant: tuple[Transport, str]) -> None:
    """A ping from the client, which was right before revision 4, ends the session."""
    transport, packet = variant
    bad, control = await t.eio.pair(transport)
    await bad.send(packet)
    await t.expect_closed(bad, while_open=control)
