"""Packets in MessagePack, which both ends have to agree on beforehand."""

from __future__ import annotations

import math
import struct
from typing import Any

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import (
    NAMESPACES,
    acknowledges,
    echoes,
    expect_room_for_another,
    same,
    same_in_any_order,
    shown,
)
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Packet, Transport
from sioproto_conformance.peers.msgpack import Extension, MsgpackPeer, encode, packet_bytes
from sioproto_conformance.peers.wire import Gone, NoAnswer, PeerError

_BURST = 60
_ABYSS = 100_000

_ARGUMENTS: dict[str, list[Any]] = {
    "none": [],
    "official-suite": [1, "2", {"3": [True]}],
    "binary": [b"\x01\x02\x03", {"a": [b"", b"\x00" * 300]}],
    "numbers": [0, -1, 127, 128, -33, 65_535, 2**31, 2**53 - 1, -(2**53) + 1, 1.5, -0.25],
    "constants": [None, True, False],
    "unicode": ["", "日本 😀 \u2028 \x1e", {"é": "ü"}],
    "placeholder-like": [{"_placeholder": True, "num": 0}, b"\x07"],
    "nested": [{"a": [{"b": [{"c": [1, [2, [3]]]}]}]}, [], {}],
    "long": ["x" * 70_000, b"y" * 70_000, list(range(300))],
    "twenty-binaries": [bytes([number]) for number in range(20)],
}


async def _connect(
    t: Bench, transport: Transport = "websocket", *, nsp: str = "/", name: str = "peer"
) -> MsgpackPeer:
    peer = await t.msgpack.connect(transport, nsp=nsp, name=name)
    assert isinstance(peer, MsgpackPeer)
    return peer


async def _pair(t: Bench, transport: Transport = "websocket") -> tuple[MsgpackPeer, MsgpackPeer]:
    return await _connect(t, transport, name="bad"), await _connect(t, transport, name="control")


async def _closes(t: Bench, message: Packet, transport: Transport, rule: str) -> None:
    bad, control = await _pair(t, transport)
    await bad.engine.send(message)
    await t.expect_closed(bad, while_open=control, rule=rule)


@case(
    "sio5.msgpack.connect.answered",
    covers=["SIO-MSGP-03", "SIO-MSGP-01", "SIO-CONN-02", "SIO-CONN-07"],
    needs=["msgpack", "app"],
    variants=across(NAMESPACES, TRANSPORTS),
)
async def connect_answered(t: Bench, variant: tuple[str, Transport]) -> None:
    """A CONNECT packet is answered by one with a session id, each in one binary message."""
    nsp, transport = variant
    peer = await t.msgpack.open(transport)
    auth = {"token": "123", "key": b"\x01"}
    answer = await peer.connect(nsp, auth)
    t.equal(answer.type, sio.CONNECT, "type of the answer", rule="SIO-CONN-02")
    has_sid = isinstance(answer.data, dict) and isinstance(answer.data.get("sid"), str)
    t.check(has_sid, "a session id", answer)
    t.equal(peer.auth.get(nsp), auth, "auth", rule="SIO-CONN-07")
    texts = [seen.packet for seen in peer.engine.seen[1:] if isinstance(seen.packet, str)]
    t.equal([text for text in texts if text[0] not in "26"], [], "texts", rule="SIO-MSGP-01")


@case(
    "sio5.msgpack.namespace.unknown-refused",
    covers=["SIO-CONN-02", "SIO-NSP-02"],
    needs=["msgpack", "app"],
)
async def unknown_namespace_refused(t: Bench) -> None:
    """A CONNECT for a namespace that does not exist is refused, and the connection stays."""
    peer = await _connect(t)
    await peer.join("/random")
    answer = await peer.next()
    t.equal((answer.type, answer.nsp), (sio.CONNECT_ERROR, "/random"), "answer")
    t.equal(answer.data, {"message": "Invalid namespace"}, "its payload", rule="SIO-NSP-02")
    await t.nothing_more(peer, rule="SIO-NSP-02")


@case(
    "sio5.msgpack.event.echoed",
    covers=["SIO-MSGP-01", "SIO-EVT-01"],
    needs=["msgpack", "app"],
    variants=across(_ARGUMENTS, TRANSPORTS),
)
async def event_echoed(t: Bench, variant: tuple[list[Any], Transport]) -> None:
    """An event, with binary or without, is one message, and its arguments come back unchanged."""
    args, transport = variant
    peer = await _connect(t, transport)
    await echoes(t, peer, *args, rule="SIO-MSGP-01")
    await t.nothing_more(peer, rule="SIO-EVT-01")


@case(
    "sio5.msgpack.ack.same-id-and-values",
    covers=["SIO-ACK-02", "SIO-ACK-08", "SIO-MSGP-01"],
    needs=["msgpack", "app"],
    variants=across(
        {
            "zero": (0, ["x"]),
            "binary": (7, [b"\x01\x02", {"a": b""}]),
            "none": (1, []),
            "past-32-bits": (2**32 + 1, [None]),
            "largest-exact": (2**53 - 1, [1]),
        },
        TRANSPORTS,
    ),
)
async def ack_same(t: Bench, variant: tuple[tuple[int, list[Any]], Transport]) -> None:
    """An acknowledgement has type 3 whatever it carries, the same id, and the values."""
    (id, values), transport = variant
    peer = await _connect(t, transport)
    packet = await acknowledges(t, peer, id, *values)
    t.equal(packet.type, sio.ACK, "type", rule="SIO-MSGP-01")
    await t.nothing_more(peer)


@case(
    "sio5.msgpack.burst.in-order",
    covers=["SIO-EVT-02", "SIO-EVT-01"],
    needs=["msgpack", "app"],
    variants=TRANSPORTS,
)
async def burst_in_order(t: Bench, transport: Transport) -> None:
    """Many events sent together are each answered once, in order."""
    peer = await _connect(t, transport)
    messages = [packet_bytes(2, ["message", n, bytes([n])]) for n in range(_BURST)]
    for start in range(0, _BURST, 10):
        await peer.engine.send(*messages[start : start + 10])
    echoed = [packet.data for packet in await peer.sentinel()]
    expected = [["message-back", n, bytes([n])] for n in range(_BURST)]
    whole = same_in_any_order(echoed, expected)
    t.check(whole, f"the events {shown(expected)}", echoed, rule="SIO-EVT-01")
    t.check(same(echoed, expected), "the echoes in order", echoed)


@case(
    "sio5.msgpack.upgrade.in-order",
    covers=["SIO-EVT-02"],
    needs=["msgpack", "app", "upgrade"],
)
async def upgrade_in_order(t: Bench) -> None:
    """Events sent before and after the upgrade are answered in order."""
    peer = await _connect(t, "polling")
    for number in range(5):
        await peer.emit("message", number, b"x")
    await peer.upgrade()
    for number in range(5, 10):
        await peer.emit("message", number, b"x")
    echoed = [packet.data for packet in await peer.sentinel()]
    t.equal(echoed, [["message-back", number, b"x"] for number in range(10)], "echoes")


_LIKE_AN_EVENT: dict[str, bytes] = {
    "options": packet_bytes(2, ["message", 1], options={"compress": True}),
    "unknown-keys": packet_bytes(2, ["message", 1], foo=[b"x"], attachments=3),
    "other-order": encode({"data": ["message", 1], "nsp": "/", "type": 2}),
    "type-in-8-bits": b"\x83\xa4type\xcc\x02\xa3nsp\xa1/\xa4data\x92\xa7message\x01",
    "map-in-16-bits": b"\xde\x00\x03\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa7message\x01",
    "text-in-32-bits": b"\x83\xa4type\x02\xa3nsp\xdb\x00\x00\x00\x01/\xa4data\x92\xa7message\x01",
    "array-in-32-bits": b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xdd\x00\x00\x00\x02\xa7message\x01",
}


@case(
    "sio5.msgpack.packet.read-in-any-form",
    covers=["SIO-MSGP-03"],
    needs=["msgpack", "app"],
    variants=_LIKE_AN_EVENT,
)
async def packet_read_in_any_form(t: Bench, message: bytes) -> None:
    """The keys of a packet come in any order, with others, and values in any length of form."""
    peer = await _connect(t)
    await peer.engine.send(message)
    packet = await peer.next()
    t.equal(packet.data, ["message-back", 1], "data of the echo")
    await t.nothing_more(peer)


_EVENT = packet_bytes(2, ["message", 1])

_UNDECODABLE: dict[str, Packet] = {
    "empty": b"",
    "cut-short": _EVENT[:-1],
    "goes-on": _EVENT + b"\xc0",
    "two-packets": _EVENT + _EVENT,
    "never-used-byte": b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa7message\xc1",
    "text-not-utf8": b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa7message\xa1\xff",
    "no-map": encode([2, "/", ["message", 1]]),
    "number": b"\x02",
    "null": b"\xc0",
}


@case(
    "sio5.msgpack.undecodable.closes",
    covers=["SIO-MSGP-02"],
    needs=["msgpack", "app"],
    tags=["close"],
    variants=across(_UNDECODABLE, TRANSPORTS),
)
async def undecodable_closes(t: Bench, variant: tuple[Packet, Transport]) -> None:
    """A message that is not exactly one map closes the connection, and no other."""
    message, transport = variant
    await _closes(t, message, transport, "SIO-MSGP-02")


@case(
    "sio5.msgpack.text.closes",
    covers=["SIO-MSGP-01"],
    needs=["msgpack", "app"],
    tags=["close"],
    variants=across({"event": '42["message",1]', "ack": "430[]", "empty": "4"}, TRANSPORTS),
)
async def text_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A text message is no packet here, and closes the connection."""
    text, transport = variant
    await _closes(t, text, transport, "SIO-MSGP-01")


_INVALID: dict[str, bytes] = {
    "no-type": encode({"nsp": "/", "data": ["message", 1]}),
    "type-5": packet_bytes(5, ["message", 1]),
    "type-6": packet_bytes(6, [1], id=0),
    "type-7": packet_bytes(7, ["message", 1]),
    "type-negative": packet_bytes(-1, ["message", 1]),
    "type-text": packet_bytes("2", ["message", 1]),
    "type-true": packet_bytes(True, ["message", 1]),
    "type-fraction": packet_bytes(2.5, ["message", 1]),
    "no-namespace": encode({"type": 2, "data": ["message", 1]}),
    "namespace-number": packet_bytes(2, ["message", 1], nsp=1),
    "namespace-binary": packet_bytes(2, ["message", 1], nsp=b"/"),
    "id-text": packet_bytes(2, ["message-with-ack", 1], id="1"),
    "id-fraction": packet_bytes(2, ["message-with-ack", 1], id=1.5),
    "event-without-payload": packet_bytes(2),
    "event-of-object": packet_bytes(2, {"0": "message"}),
    "event-empty": packet_bytes(2, []),
    "event-name-null": packet_bytes(2, [None, 1]),
    "event-name-object": packet_bytes(2, [{"a": 1}]),
    "ack-of-object": packet_bytes(3, {"a": 1}, id=0),
    "connect-of-list": packet_bytes(0, [1], nsp="/custom"),
    "connect-of-text": packet_bytes(0, "x", nsp="/custom"),
    "disconnect-with-payload": packet_bytes(1, ["x"]),
}


@case(
    "sio5.msgpack.invalid-packet.closes",
    covers=["SIO-PKT-14", "SIO-MSGP-03"],
    needs=["msgpack", "app"],
    tags=["close"],
    variants=_INVALID,
)
async def invalid_packet_closes(t: Bench, message: bytes) -> None:
    """A map that is no packet closes the connection, and no other."""
    await _closes(t, message, "websocket", "SIO-PKT-14")


@case(
    "sio5.msgpack.not-joined.closes",
    covers=["SIO-CONN-14", "SIO-CONN-03"],
    needs=["msgpack", "app"],
    tags=["close"],
    variants={
        "event": ("SIO-CONN-14", packet_bytes(2, ["message", 1], nsp="/custom")),
        "error-from-client": ("SIO-CONN-14", packet_bytes(4, {"message": "x"}, nsp="/custom")),
        "event-first": ("SIO-CONN-03", _EVENT),
    },
)
async def not_joined_closes(t: Bench, variant: tuple[str, bytes]) -> None:
    """A packet for a namespace that was not joined closes the connection."""
    rule, message = variant
    if rule == "SIO-CONN-14":
        await _closes(t, message, "websocket", rule)
        return
    control = await _connect(t, name="control")
    bad = await t.msgpack.open(name="bad")
    await bad.engine.send(message)
    await t.expect_closed(bad, while_open=control, rule=rule)


@case(
    "sio5.msgpack.disconnect.leaves-namespace",
    covers=["SIO-DISC-01"],
    needs=["msgpack", "app"],
)
async def disconnect_leaves_namespace(t: Bench) -> None:
    """Leaving one namespace leaves the other as it was, and it can be joined again."""
    peer = await _connect(t)
    await peer.connect("/custom")
    await peer.send_packet(1, nsp="/custom")
    await t.nothing_more(peer)
    answer = await peer.connect("/custom")
    t.equal(answer.type, sio.CONNECT, "type of the answer to another join")


@case(
    "sio5.msgpack.key-not-text.variant",
    covers=["SIO-MSGP-04"],
    needs=["msgpack", "app"],
    variants={"number": {1: "x"}, "binary": {b"k": "x"}, "true": {True: "x"}},
)
async def key_not_text_variant(t: Bench, value: dict[Any, Any]) -> None:
    """A map whose keys are no texts closes the connection, or comes back as something."""
    bad, control = await _pair(t)
    await bad.emit("message", value)
    came = await _outcome(bad)
    await t.expect_open(control)
    t.check(came == "closed", "the connection closed", came)


@case(
    "sio5.msgpack.beyond-json.echoed",
    covers=["SIO-MSGP-06", "SIO-MSGP-05"],
    needs=["msgpack", "app"],
    variants={
        "nan": ("SIO-MSGP-06", math.nan),
        "infinities": ("SIO-MSGP-06", [math.inf, -math.inf]),
        "date": ("SIO-MSGP-05", Extension(0, struct.pack("!q", 1_700_000_000_123))),
        "undefined": ("SIO-MSGP-05", Extension(0, b"\x00")),
    },
)
async def beyond_json_echoed(t: Bench, variant: tuple[str, Any]) -> None:
    """Values that JSON does not have arrive, and come back as they were."""
    rule, value = variant
    peer = await _connect(t)
    await peer.emit("message", value)
    with t.expecting(rule):
        packet = await peer.next()
    back = packet.data[1] if len(packet.data) > 1 else None
    undefined = value == Extension(0, b"\x00") and back is None
    alike = undefined or encode(back) == encode(value)
    t.check(alike, repr(value), repr(back), rule=rule)


async def _outcome(peer: MsgpackPeer) -> str:
    try:
        before = await peer.sentinel()
    except Gone:
        return "closed"
    except NoAnswer:
        return "silent"
    except PeerError as error:
        return f"answered {error.actual[:120]}"
    return f"answered {before[0]}" if before else "ignored"


# An event up to its second argument.
_BEGUN = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa7message"

_HOSTILE: dict[str, Packet] = {
    "array-of-billions": b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xdd\xff\xff\xff\xff\xa7message",
    "map-of-billions": b"\xdf\xff\xff\xff\xff\xa4type\x02",
    "text-of-gigabytes": b"\x83\xa4type\x02\xa3nsp\xdb\xff\xff\xff\xff/",
    "binary-of-gigabytes": _BEGUN + b"\xc6\xff\xff\xff\xff",
    "nested-arrays-of-billions": b"\xdd\xff\xff\xff\xff" * 1000,
    "abyss-of-arrays": _BEGUN + b"\x91" * _ABYSS + b"\x01",
    "abyss-of-maps": _BEGUN + b"\x81\xa1a" * _ABYSS + b"\x01",
    "unknown-extension": packet_bytes(2, ["message", Extension(99, b"\x01\x02\x03")]),
    "extension-0-of-odd-length": packet_bytes(2, ["message", Extension(0, b"\x01\x02\x03")]),
    "date-out-of-range": packet_bytes(2, ["message", Extension(0, b"\x7f" + b"\xff" * 7)]),
    "timestamp-out-of-range": _BEGUN + b"\xc7\x0c\xff" + b"\xff" * 12,
    "inherited-keys": packet_bytes(2, ["message", {"__proto__": {"x": 1}}], __proto__={"y": 1}),
    "same-key-twice": b"\x84\xa4type\x02\xa4type\x00\xa3nsp\xa1/\xa4data\x92\xa7message\x01",
    "integer-of-64-bits": packet_bytes(2, ["message-with-ack", 2**64 - 1], id=2**64 - 1),
}


@case(
    "sio5.msgpack.hostile-message.costs-nobody-else",
    covers=["SIO-ROB-01"],
    needs=["msgpack", "app"],
    tags=["security"],
    variants=_HOSTILE,
)
async def hostile_message_costs_nobody_else(t: Bench, message: Packet) -> None:
    """Whatever a client sends, another one goes on at once, and a new one can come."""
    bad, control = await _pair(t)
    await bad.engine.send(message)
    began = trio.current_time()
    if not await t.expect_open(control):
        return
    t.observe("hostile message", (await _outcome(bad))[:80])
    t.check(trio.current_time() - began < 2 * t.timeout, "decided in time")
    await expect_room_for_another(t, _connect(t, name="newcomer"))
