"""Packets that are none, whatever they were meant to be."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import nobody_answers, outcome, refuses, require_control
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport
from sioproto_conformance.peers.wire import Gone

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
    also="sio4",
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
    also="sio4",
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


@case(
    "sio5.packet.types.numbered",
    covers=["SIO-PKT-01", "SIO-PKT-02"],
    needs=["app"],
    variants=TRANSPORTS,
)
async def types_numbered(t: Bench, transport: Transport) -> None:
    """Each of the seven types has its number, and says which namespace and id it is of."""
    peer = await t.sio.open(transport)
    for nsp, kind in (("/", sio.CONNECT), ("/custom", sio.CONNECT), ("/no", sio.CONNECT_ERROR)):
        answer = await peer.connect(nsp)
        t.equal(answer.type, kind, f"type of the answer for {nsp}")
        t.equal(answer.nsp, nsp, "its namespace", rule="SIO-PKT-02")
    asked = [
        ('2["message","x"]', [], sio.EVENT, None),
        ('27["message-with-ack","x"]', [], sio.ACK, 7),
        ('51-["message",{"_placeholder":true,"num":0}]', [b"x"], sio.BINARY_EVENT, None),
        ('51-8["message-with-ack",{"_placeholder":true,"num":0}]', [b"x"], sio.BINARY_ACK, 8),
    ]
    for text, attachments, kind, id in asked:
        await peer.send(text, *attachments)
        packet = await peer.next()
        t.equal(packet.type, kind, f"type of the answer to {text[:20]}")
        same = packet.nsp == "/" and packet.id == id and isinstance(packet.data, list)
        t.check(same, f"namespace /, id {id} and a payload", packet, rule="SIO-PKT-02")
    await peer.send("1/custom,")
    await t.nothing_more(peer)


@case("sio5.packet.more-than-a-digit.not-type", covers=["SIO-DEC-02"], needs=["app"])
async def more_than_a_digit_not_type(t: Bench) -> None:
    """Only the first character is the type: 10 is a DISCONNECT with something behind it."""
    bad, control = await t.sio.pair()
    await bad.connect("/custom")
    await bad.send("10")
    try:
        # What leaves and joins again at once is a question of its own (SIO-CONN-25).
        await nobody_answers(bad)
        await bad.send("0")
        answer = await bad.connect_answer("/")
    except Gone as gone:
        await require_control(t, control)
        t.check(False, "the main namespace left, and joined again", gone.actual)
        return
    t.equal(answer.type, sio.CONNECT, "type of the answer to another join")


@case(
    "sio5.packet.blank-as-type.variant",
    covers=["SIO-DEC-03"],
    needs=["app"],
    variants={"space": " ", "tab": "\t", "no-break-space": "\u00a0"},
)
async def blank_as_type_variant(t: Bench, text: str) -> None:
    """A blank is no type, whatever numbers a language makes of it."""
    control = await t.sio.connect(name="control")
    bad = await t.sio.open(name="bad")
    await bad.send(text)
    try:
        before = await nobody_answers(bad)
        came = f"answered {before[0]}" if before else "ignored"
    except Gone:
        came = "closed"
    await require_control(t, control)
    t.check(came == "closed", "the connection closed", came)


@case(
    "sio5.disconnect.engine-close-packet.ends-sockets",
    covers=["SIO-DISC-13"],
    needs=["app", "websocket"],
)
async def engine_close_packet_ends_sockets(t: Bench) -> None:
    """A close packet of Engine.IO on a WebSocket ends the sockets of the session."""
    peer, control = await t.sio.pair("websocket")
    await peer.engine.send("1")
    came = await outcome(peer)
    await require_control(t, control)
    t.check(came == "closed", "the connection closed", came)
