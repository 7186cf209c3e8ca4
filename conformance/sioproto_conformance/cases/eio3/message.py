"""Binary messages in revision 3, which have a type of their own."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.eio4.message import BINARIES
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer, Transport
from sioproto_conformance.peers.ws import WsConnection

_TAKES = {"takes-binary": [], "takes-base64": [("b64", "1")]}


def _ws(peer: EnginePeer) -> WsConnection:
    assert peer.ws is not None
    return peer.ws


@case(
    "eio3.message.binary.echoed",
    covers=["EIO-PKT-05", "EIO-PKT-07"],
    needs=["echo"],
    variants=across(TRANSPORTS, BINARIES | {"none": b""}),
)
async def binary_echoed(t: Bench, variant: tuple[Transport, bytes]) -> None:
    """A binary message arrives unchanged, once, in whichever form the transport has for it."""
    transport, data = variant
    peer = await t.eio.open(transport)
    await peer.send(data)
    rule = "EIO-PKT-07" if transport == "polling" else "EIO-PKT-05"
    t.equal(await peer.next(), data, "echo", rule=rule)
    await t.nothing_more(peer, rule=rule)


@case(
    "eio3.message.binary-frame.has-type",
    covers=["EIO-PKT-05"],
    needs=["echo", "websocket"],
)
async def binary_frame_has_type(t: Bench) -> None:
    """A binary frame begins with the byte 4, in both directions."""
    ws = await t.eio.websocket()
    if not isinstance(ws, WsConnection):
        t.inconclusive(f"the handshake failed: {ws}")
    await ws.receive()
    await ws.send_binary(b"\x04\x01\x02\x03")
    came = await ws.receive()
    t.equal((came.kind, came.data), ("binary", b"\x04\x01\x02\x03"), "echo")


@case(
    "eio3.message.base64-in-frame.read",
    covers=["EIO-PKT-08", "EIO-PKT-07"],
    needs=["echo", "websocket"],
)
async def base64_in_frame_read(t: Bench) -> None:
    """The base64 form is a binary message in a text frame too, and comes back in a binary one."""
    peer = await t.eio.open("websocket")
    await peer.send("b4AQID")
    t.equal(await peer.next(), b"\x01\x02\x03", "echo")


@case(
    "eio3.message.b64-parameter.answered-in-text",
    covers=["EIO-QP-10", "EIO-PKT-07"],
    needs=["echo", "websocket"],
)
async def b64_parameter_answered_in_text(t: Bench) -> None:
    """A WebSocket opened with b64=1 receives binary messages as base64 text with a type."""
    peer = await t.eio.open("websocket", query=[("b64", "1")])
    await peer.send(b"\x01\x02\x03")
    t.equal(await peer.next(), "b4AQID", "echo")


@case(
    "eio3.message.binary-of-no-type.ignored",
    covers=["EIO-PKT-05b"],
    needs=["echo", "websocket"],
    variants={"ascii-digit": b"4a", "unknown": b"\x09\x01", "empty": b""},
)
async def binary_of_no_type_ignored(t: Bench, frame: bytes) -> None:
    """Binary without a type, or with an unknown one, is no packet, and does no harm."""
    peer = await t.eio.open("websocket")
    await _ws(peer).send_binary(frame)
    await t.nothing_more(peer)


@case(
    "eio3.message.base64-of-no-type.ignored",
    covers=["EIO-PKT-05b"],
    needs=["echo"],
    variants=across(TRANSPORTS, {"unknown": "b9AQID", "empty": "b"}),
)
async def base64_of_no_type_ignored(t: Bench, variant: tuple[Transport, str]) -> None:
    """Base64 without a type, or with an unknown one, is no packet, and does no harm."""
    transport, packet = variant
    peer = await t.eio.open(transport)
    await peer.send(packet)
    await t.nothing_more(peer)


@case(
    "eio3.message.b64-parameter.both-transports",
    covers=["EIO-QP-10", "EIO-P3-10"],
    needs=["echo", "upgrade"],
    variants=_TAKES,
)
async def b64_parameter_both_transports(t: Bench, query: list[tuple[str, str]]) -> None:
    """Whether a client takes binary is told for polling by its handshake."""
    peer = await t.eio.open("polling", query=query)
    await peer.send(b"\x01\x02\x03")
    t.equal(await peer.next(), b"\x01\x02\x03", "echo by polling")
    answers = [seen.packet for seen in peer.seen[1:]]
    t.equal(answers, [b"\x01\x02\x03"], "packets", rule="EIO-P3-10")
    await t.nothing_more(peer, rule="EIO-P3-10")
