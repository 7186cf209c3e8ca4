"""Packets that are none, whatever they were meant to be."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import refuses
from sioproto_conformance.peers.eio import TRANSPORTS, Transport

_UNKNOWN = {
    "letters": "abc",
    "seven": '7["message"]',
    "nine": "9",
    "two-digit": "999",
    "minus": '-2["message"]',
    "bracket": '["message"]',
    "arabic-digit": '\u0662["message",1]',
    "fullwidth-digit": '\uff12["message",1]',
}


@case(
    "sio5.packet.unknown-type.closes",
    covers=["SIO-DEC-01", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(_UNKNOWN, TRANSPORTS),
)
async def unknown_type_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A packet of a type that does not exist closes a joined connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.packet.unknown-type.two-namespaces.closes",
    covers=["SIO-DEC-01", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
)
async def unknown_type_two_namespaces_closes(t: Bench) -> None:
    """An undecodable packet ends the whole connection, however many namespaces it has joined."""
    bad, control = await t.sio.pair()
    await bad.connect("/custom")
    await refuses(t, bad, control, "abc")


@case(
    "sio5.packet.empty.closes",
    covers=["SIO-DEC-04", "SIO-DISC-07"],
    tags=["close"],
    variants=across({"joined": True, "not-joined": False}, TRANSPORTS),
)
async def empty_closes(t: Bench, variant: tuple[bool, Transport]) -> None:
    """A message with nothing in it is no packet, and closes the connection."""
    joined, transport = variant
    if joined:
        bad = await t.sio.connect(transport, name="bad")
    else:
        bad = await t.sio.open(transport, name="bad")
    control = await t.sio.connect(transport, name="control")
    await refuses(t, bad, control, "")
