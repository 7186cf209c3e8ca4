"""Acknowledgements: those the server gives, and those that nobody asked for."""

from __future__ import annotations

from typing import Any

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import (
    acknowledges,
    expect_ack,
    expect_event,
    is_ruled_to_close,
    refuses,
    same_in_any_order,
    send_many,
    shown,
)
from sioproto_conformance.peers.eio import TRANSPORTS, Transport

_IDS = {
    "zero": 0,
    "one": 1,
    "official-suite": 456,
    "past-31-bits": 2**31,
    "past-32-bits": 2**32 + 1,
}

_VALUES: dict[str, list[Any]] = {
    "none": [],
    "one": ["a"],
    "several": [1, "2", {"3": [False]}],
    "null": [None],
    "one-array": [[1, 2]],
    "empty-array": [[]],
    "unicode": ["日本 😀 \u2028 \x1e"],
    "falsy": [0, "", False],
}


@case(
    "sio5.ack.id.same",
    covers=["SIO-ACK-02", "SIO-PKT-06", "SIO-ACK-01"],
    needs=["app"],
    variants=across(_IDS, TRANSPORTS),
    also="sio4",
)
async def id_same(t: Bench, variant: tuple[int, Transport]) -> None:
    """An event with an id is acknowledged with the same id, written right before the payload."""
    id, transport = variant
    peer = await t.sio.connect(transport)
    packet = await acknowledges(t, peer, id, "x")
    t.equal(packet.id, id, "id of the acknowledgement", rule="SIO-ACK-01")
    start = f"3{id}["
    right = packet.raw.startswith(start)
    t.check(right, f"a packet that starts with {start}", packet, rule="SIO-PKT-06")
    await t.nothing_more(peer)


@case(
    "sio5.ack.values.same",
    covers=["SIO-ACK-03"],
    needs=["app"],
    variants=across(_VALUES, TRANSPORTS),
    also="sio4",
)
async def values_same(t: Bench, variant: tuple[list[Any], Transport]) -> None:
    """An acknowledgement carries an array of all its values, which is empty without any."""
    values, transport = variant
    peer = await t.sio.connect(transport)
    await acknowledges(t, peer, 1, *values)
    await t.nothing_more(peer)


@case(
    "sio5.ack.once",
    covers=["SIO-ACK-04"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def once(t: Bench, transport: Transport) -> None:
    """Each of several requests, two with the same id, gets one acknowledgement and no more."""
    peer = await t.sio.connect(transport)
    for id, value in ((3, "a"), (4, "b"), (3, "c")):
        await peer.emit("message-with-ack", value, id=id)
    packets = await peer.sentinel()
    given = [[packet.id, packet.data] for packet in packets]
    expected = [[3, ["a"]], [4, ["b"]], [3, ["c"]]]
    t.check(same_in_any_order(given, expected), f"the acknowledgements {expected}", given)


@case(
    "sio5.ack.many.own-values",
    covers=["SIO-ACK-02"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def many_own_values(t: Bench, transport: Transport) -> None:
    """Requests sent in a row are acknowledged each with its own values."""
    peer = await t.sio.connect(transport)
    ids = list(range(40))
    t.random.shuffle(ids)
    await send_many(peer, [f'42{id}["message-with-ack",{id * 10}]' for id in ids])
    packets = await peer.sentinel()
    given = [[packet.id, packet.data] for packet in packets]
    expected = [[id, [id * 10]] for id in ids]
    t.check(same_in_any_order(given, expected), f"the acknowledgements {shown(expected)}", given)


@case(
    "sio5.ack.not-asked.not-given",
    covers=["SIO-ACK-04"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def not_asked_not_given(t: Bench, transport: Transport) -> None:
    """An event without id is not acknowledged."""
    peer = await t.sio.connect(transport)
    await peer.emit("message", "without id")
    await expect_event(t, peer, "message-back", "without id")
    await t.nothing_more(peer)


@case(
    "sio5.ack.id.largest-exact",
    covers=["SIO-DEC-12"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def id_largest_exact(t: Bench, transport: Transport) -> None:
    """The largest id that every language holds exactly, 2^53-1, is answered exactly."""
    peer = await t.sio.connect(transport)
    await acknowledges(t, peer, 2**53 - 1, "x")


@case(
    "sio5.ack.id.too-large.variant",
    covers=["SIO-DEC-12"],
    needs=["app"],
    variants={"past-53-bits": str(2**53 + 1), "25-digits": "9" * 25, "400-digits": "9" * 400},
)
async def id_too_large_variant(t: Bench, id: str) -> None:
    """An id past 2^53-1 is refused by closing the connection, not answered with another."""
    bad, control = await t.sio.pair()
    await is_ruled_to_close(t, bad, control, f'2{id}["message-with-ack",1]')


@case("sio5.ack.id.leading-zeros", covers=["SIO-DEC-11"], needs=["app"])
async def id_leading_zeros(t: Bench) -> None:
    """Leading zeros do not make another id."""
    peer = await t.sio.connect()
    await peer.send('2007["message-with-ack","x"]')
    packet = await expect_ack(t, peer, 7, "x")
    t.check(packet.raw.startswith("37["), "the id written as 7", packet)


@case(
    "sio5.ack.id.blank.variant",
    covers=["SIO-DEC-16"],
    needs=["app"],
    variants={
        "space": '2 ["message-with-ack",1]',
        "tab": '2\t["message-with-ack",1]',
        "inside": '21 2["message-with-ack",1]',
        "behind": '212 ["message-with-ack",1]',
        "no-break-space": '2\u00a0["message-with-ack",1]',
    },
)
async def id_blank_variant(t: Bench, text: str) -> None:
    """A blank where an id could stand makes the packet malformed."""
    bad, control = await t.sio.pair()
    await is_ruled_to_close(t, bad, control, text)


@case(
    "sio5.ack.id.not-digits.closes",
    covers=["SIO-DEC-13", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "letters": '2abc["message-with-ack",1]',
            "minus": '2-1["message-with-ack",1]',
            "plus": '2+1["message-with-ack",1]',
            "fraction": '21.5["message-with-ack",1]',
            "exponent": '21e3["message-with-ack",1]',
            "hex": '20x1F["message-with-ack",1]',
            "underscore": '21_0["message-with-ack",1]',
            "arabic-digit": '2\u0663["message-with-ack",1]',
            "superscript": '2\u00b2["message-with-ack",1]',
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def id_not_digits_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """Anything but ASCII digits where an id could stand closes the connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.ack.nobody-waits.ignored",
    covers=["SIO-ACK-05"],
    needs=["app"],
    variants=across(
        {
            "unknown": "3999[]",
            "zero": '30["x"]',
            "without-id": '3["x"]',
            "large": "39007199254740991[1]",
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def nobody_waits_ignored(t: Bench, variant: tuple[str, Transport]) -> None:
    """An acknowledgement that the server did not ask for is ignored, and sent twice as well."""
    text, transport = variant
    peer = await t.sio.connect(transport)
    await peer.send(text)
    await peer.send(text)
    await t.nothing_more(peer)


@case(
    "sio5.ack.nobody-waits.binary.ignored",
    covers=["SIO-ACK-05"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def nobody_waits_binary_ignored(t: Bench, transport: Transport) -> None:
    """A binary acknowledgement that the server did not ask for is ignored with its attachment."""
    peer = await t.sio.connect(transport)
    await peer.send('61-999[{"_placeholder":true,"num":0}]', b"\x01\x02")
    await t.nothing_more(peer)


@case(
    "sio5.ack.reserved-name-inside.ignored",
    covers=["SIO-VAL-10"],
    needs=["app"],
    variants={"connect": "connect", "disconnect": "disconnect"},
    also="sio4",
)
async def reserved_name_inside_ignored(t: Bench, name: str) -> None:
    """A reserved event name as the value of an acknowledgement is an ordinary value."""
    peer = await t.sio.connect()
    await peer.send(f'3999["{name}"]')
    await t.nothing_more(peer)


@case(
    "sio5.ack.payload-not-array.closes",
    covers=["SIO-VAL-12", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "object": "30{}",
            "string": '30"x"',
            "null": "30null",
            "unclosed": "30[",
            "trailing": "30[]x",
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def payload_not_array_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """An acknowledgement whose payload is not an array closes the connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.ack.payload-missing.variant",
    covers=["SIO-VAL-07"],
    needs=["app"],
    variants={"bare": "3", "with-id": "30"},
)
async def payload_missing_variant(t: Bench, text: str) -> None:
    """An acknowledgement without a payload closes the connection."""
    bad, control = await t.sio.pair()
    await is_ruled_to_close(t, bad, control, text)
