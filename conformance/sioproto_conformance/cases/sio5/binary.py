"""Binary attachments, from the client to the server and back."""

from __future__ import annotations

from typing import Any

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import (
    acknowledges,
    echoes,
    expect_event,
    placeholders,
    same,
    same_in_any_order,
    send_many,
    shown,
)
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Packet, Transport

_PLACEHOLDER = '{"_placeholder":true,"num":0}'

_ARGUMENTS: dict[str, list[Any]] = {
    "one": [b"\x01\x02\x03"],
    "official-suite": [b"\x01\x02\x03", b"\x04\x05\x06"],
    "ten": [bytes([number]) * (number + 1) for number in range(10)],
    "nested": [{"a": [{"b": b"\x01", "c": [b"\x02"]}], "d": None}],
    "mixed": ["text", b"\x01", 2, {"é": b"\x02"}, [], b"\x03", True],
    "every-byte": [bytes(range(256))],
    "like-a-packet": [b'42["message","x"]', b"4", b"1", b"2probe", b"\x1e"],
    "like-text": ["日本😀".encode(), b"\xff\xfe\x00"],
    "large": [bytes(range(256)) * 400],
    "lengths-of-base64": [b"\x00", b"\x00\x00", b"\x00\x00\x00", b"\x00" * 4],
}

_SAME_PACKET = {"together": True, "apart": False}


@case(
    "sio5.binary.echoed",
    covers=["SIO-BIN-09", "SIO-BIN-05", "SIO-BIN-04", "SIO-BIN-06", "SIO-BIN-18", "SIO-BIN-02"],
    needs=["app"],
    variants=across(_ARGUMENTS, TRANSPORTS),
    also="sio4",
)
async def echoed(t: Bench, variant: tuple[list[Any], Transport]) -> None:
    """Binary arguments arrive and come back in place, in a packet with as many attachments."""
    args, transport = variant
    peer = await t.sio.connect(transport)
    await peer.emit("message", *args)
    packet = await peer.next()
    t.equal(packet.type, sio.BINARY_EVENT, "type of the echo", rule="SIO-BIN-05")
    sent = sio.encode_packet(sio.EVENT, args)[1]
    count = len(sent)
    t.equal(len(packet.attachments), count, "number of attachments", rule="SIO-BIN-05")
    came = list(packet.attachments)
    t.check(same_in_any_order(came, sent), f"the attachments {shown(sent)}", came)
    in_place = same(packet.data, ["message-back", *args])
    t.check(in_place, f"the arguments {shown(args)}", packet.data, rule="SIO-BIN-06")
    t.check(in_place, "bytes at any depth", packet.data, rule="SIO-BIN-02")
    are_bytes = all(isinstance(one, bytes) for one in came) and came != []
    t.check(are_bytes, "bytes for the application", came, rule="SIO-BIN-18")
    t.equal(sorted(placeholders(packet)), list(range(count)), "placeholders", rule="SIO-BIN-04")
    await t.nothing_more(peer)


@case(
    "sio5.binary.empty.echoed",
    covers=["SIO-BIN-07"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def empty_echoed(t: Bench, transport: Transport) -> None:
    """Attachments without a byte are attachments too, alone and among others."""
    peer = await t.sio.connect(transport)
    await echoes(t, peer, b"")
    await echoes(t, peer, b"", b"\x01", b"")
    await t.nothing_more(peer)


@case(
    "sio5.binary.number-decides",
    covers=["SIO-BIN-09"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def number_decides(t: Bench, transport: Transport) -> None:
    """Which attachment goes where is told by the number of the placeholder, not by its place."""
    peer = await t.sio.connect(transport)
    text = (
        '53-["message",{"_placeholder":true,"num":2},'
        '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'
    )
    await peer.send(text, b"zero", b"one", b"two")
    await expect_event(t, peer, "message-back", b"two", b"zero", b"one")
    await t.nothing_more(peer)


@case(
    "sio5.binary.placeholder-members.any-order",
    covers=["SIO-BIN-09"],
    needs=["app"],
    variants={
        "number-first": '51-["message",{"num":0,"_placeholder":true}]',
        "blanks": '51-["message",{ "_placeholder" : true , "num" : 0 }]',
    },
)
async def placeholder_members_any_order(t: Bench, text: str) -> None:
    """The members of a placeholder may come in any order and with blanks, as JSON has it."""
    peer = await t.sio.connect()
    await peer.send(text, b"\x01\x02")
    await expect_event(t, peer, "message-back", b"\x01\x02")


@case(
    "sio5.binary.attachment.used-freely",
    covers=["SIO-BIN-11"],
    needs=["app"],
    variants=across(
        {
            "repeated": ([1, 1], [b"\x02", b"\x02"]),
            "unused": ([1], [b"\x02"]),
            "none-used": ([], []),
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def attachment_used_freely(
    t: Bench, variant: tuple[tuple[list[int], list[bytes]], Transport]
) -> None:
    """An attachment may be used twice or not at all."""
    (numbers, expected), transport = variant
    peer = await t.sio.connect(transport)
    args = "".join(f',{{"_placeholder":true,"num":{number}}}' for number in numbers)
    await peer.send(f'52-["message"{args}]', b"\x01", b"\x02")
    await expect_event(t, peer, "message-back", *expected)
    await t.nothing_more(peer)


@case(
    "sio5.binary.placeholder-like.untouched",
    covers=["SIO-BIN-08"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def placeholder_like_untouched(t: Bench, transport: Transport) -> None:
    """An object that looks like a placeholder is plain data where no attachment is announced."""
    peer = await t.sio.connect(transport)
    await peer.send(f'2["message",{_PLACEHOLDER},[{_PLACEHOLDER}]]')
    packet = await peer.next()
    like = {"_placeholder": True, "num": 0}
    t.equal(packet.type, sio.EVENT, "type of the echo")
    t.equal(packet.data, ["message-back", like, [like]], "data of the echo")
    await t.nothing_more(peer)


@case(
    "sio5.binary.placeholder-almost.untouched",
    covers=["SIO-BIN-08"],
    needs=["app"],
    variants={"one": 1, "string": "true", "null": None, "false": False},
)
async def placeholder_almost_untouched(t: Bench, flag: Any) -> None:
    """Only ``_placeholder: true`` makes a placeholder; anything else is plain data."""
    peer = await t.sio.connect()
    almost = {"_placeholder": flag, "num": 0}
    text, _ = sio.encode_packet(sio.EVENT, ["message", almost, b"\x07"])
    await peer.send(text, b"\x07")
    await expect_event(t, peer, "message-back", almost, b"\x07")


@case(
    "sio5.binary.arrival.any-batch",
    covers=["SIO-PKT-03"],
    needs=["app", "polling"],
    variants=_SAME_PACKET,
    also="sio4",
)
async def arrival_any_batch(t: Bench, together: bool) -> None:
    """Over polling, attachments may come in the POST of their packet or in later ones."""
    peer = await t.sio.connect("polling")
    messages = (
        '452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
        b"\x01",
        b"\x02",
    )
    if together:
        await peer.engine.send(*messages)
    else:
        for message in messages:
            await peer.engine.send(message)
    await expect_event(t, peer, "message-back", b"\x01", b"\x02")
    await t.nothing_more(peer)


@case(
    "sio5.binary.burst.contiguous",
    covers=["SIO-PKT-10", "SIO-EVT-01", "SIO-EVT-02"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def burst_contiguous(t: Bench, transport: Transport) -> None:
    """In a crowd of events and acknowledgements, each packet keeps its attachments behind it."""
    peer = await t.sio.connect(transport)
    messages: list[Packet] = []
    expected: list[list[Any]] = []
    for number in range(30):
        parts = [bytes([number, part]) for part in range(number % 4)]
        text, attachments = sio.encode_packet(sio.EVENT, ["message", number, *parts])
        messages += ["4" + text, *attachments]
        expected.append(["message-back", number, *parts])
        text, attachments = sio.encode_packet(
            sio.EVENT, ["message-with-ack", number, *parts], id=number
        )
        messages += ["4" + text, *attachments]
    await send_many(peer, messages)
    with t.expecting("SIO-PKT-10"):
        packets = await peer.sentinel()
    events = [packet.data for packet in packets if packet.id is None]
    acks = [packet.data for packet in packets if packet.id is not None]
    each_once = same_in_any_order(events, expected)
    t.check(each_once, f"the events {shown(expected)}", events, rule="SIO-EVT-01")
    t.check(same(events, expected), "the events in order", events, rule="SIO-EVT-02")
    acked = same_in_any_order(acks, [values[1:] for values in expected])
    t.check(acked, "each acknowledgement with its attachments", acks, rule="SIO-EVT-01")
    t.check(len(packets) == 60, "60 packets, each complete", len(packets))


@case(
    "sio5.binary.upgrade.contiguous",
    covers=["SIO-PKT-10", "SIO-EVT-02"],
    needs=["app", "upgrade"],
    also="sio4",
)
async def upgrade_contiguous(t: Bench) -> None:
    """Attachments sent over polling and over WebSocket stay with their packets."""
    peer = await t.sio.connect("polling")
    sent = [[number, bytes([number])] for number in range(20)]
    for args in sent[:10]:
        await peer.emit("message", *args)
    await peer.upgrade()
    for args in sent[10:]:
        await peer.emit("message", *args)
    packets = await peer.sentinel()
    expected = [["message-back", *args] for args in sent]
    echoed = [packet.data for packet in packets]
    t.check(same_in_any_order(echoed, expected), "each event with its attachment", echoed)
    t.check(same(echoed, expected), "the events in order", echoed, rule="SIO-EVT-02")


@case(
    "sio5.binary.acknowledged",
    covers=["SIO-BIN-21", "SIO-ACK-08"],
    needs=["app"],
    variants=across(
        {
            "zero": (0, [b"\x01\x02\x03\x04"]),
            "official-suite": (789, [b"\x01\x02\x03", b"\x04\x05\x06"]),
            "nested": (5, [{"a": [b"\x01"]}, "x", b"\x02"]),
            "ten": (6, [bytes([number]) for number in range(10)]),
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def acknowledged(t: Bench, variant: tuple[tuple[int, list[Any]], Transport]) -> None:
    """An acknowledgement with binary values is a BINARY_ACK with the same id."""
    (id, values), transport = variant
    peer = await t.sio.connect(transport)
    packet = await acknowledges(t, peer, id, *values, rule="SIO-ACK-08")
    t.equal(packet.type, sio.BINARY_ACK, "type of the acknowledgement")
    start = f"6{len(packet.attachments)}-{id}["
    t.check(packet.raw.startswith(start), f"a packet that starts with {start}", packet)
    await t.nothing_more(peer)


@case(
    "sio5.binary.custom-namespace.accepted",
    covers=["SIO-PKT-04"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def custom_namespace_accepted(t: Bench, transport: Transport) -> None:
    """The namespace stands behind the attachment count, the id behind the namespace."""
    peer = await t.sio.connect(transport)
    await peer.connect("/custom")
    await peer.send(f'51-/custom,["nobody-listens",{_PLACEHOLDER}]', b"\x01")
    await peer.send(f'51-/,12["message-with-ack",{_PLACEHOLDER}]', b"\x02")
    packet = await peer.next()
    t.check(packet.raw.startswith("61-12["), "a packet that starts with 61-12[", packet)
    t.equal(packet.data, [b"\x02"], "values of the acknowledgement")
    await t.nothing_more(peer)
