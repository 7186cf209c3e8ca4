"""Events: what they carry, their order, their names and their payloads."""

from __future__ import annotations

from typing import Any

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import (
    echoes,
    outcome,
    refuses,
    same,
    same_in_any_order,
    send_many,
)
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport

_BURST = 200
# Half of what servers give a client for an upgrade.
_UPGRADE_TIME = 5.0

_ARGUMENTS: dict[str, list[Any]] = {
    "none": [],
    "official-suite": [1, "2", {"3": [True]}],
    "strings": ["", "a", " b ", "\\", '"', "/", "42[1]", "a,b-c"],
    "numbers": [0, 1, -1, 1.5, -0.25, 1e21, 2**53 - 1, -(2**53) + 1],
    "constants": [None, True, False],
    "empty-containers": [[], {}, [[]], [{}], {"": {}}],
    "nested": [{"a": [{"b": [{"c": [1, [2, [3]]]}]}]}],
    "array-last": ["x", [1, 2]],
    "fifty": list(range(50)),
    "inherited-names": [{"constructor": 1, "toString": 2, "hasOwnProperty": 3}],
    "long": ["x" * 100_000],
}

_TEXTS = {
    "latin": "naïve café",
    "cjk": "日本語 한국어",
    "astral": "😀🏳️‍🌈𝒳",
    "combining": "e\u0301 \u202eright to left\u202c",
    "record-separator": "a\x1eb\x1e4",
    "line-separators": "a\u2028b\u2029c\x85d",
    "controls": "\x00\x01\x1f\x7f\b\f\n\r\t",
    "byte-order-mark": "\ufeffx",
    "noncharacters": "\ufffe\uffff\ufffd",
}


@case(
    "sio5.event.arguments.echoed",
    covers=["SIO-EVT-01"],
    needs=["app"],
    variants=across(_ARGUMENTS, TRANSPORTS),
    also="sio4",
)
async def arguments_echoed(t: Bench, variant: tuple[list[Any], Transport]) -> None:
    """The arguments of an event arrive and come back unchanged, once."""
    args, transport = variant
    peer = await t.sio.connect(transport)
    await echoes(t, peer, *args)
    await t.nothing_more(peer)


@case(
    "sio5.event.unicode.echoed",
    covers=["SIO-PKT-08"],
    needs=["app"],
    variants=across(_TEXTS, TRANSPORTS),
    also="sio4",
)
async def unicode_echoed(t: Bench, variant: tuple[str, Transport]) -> None:
    """Any character arrives and comes back, in values and in keys."""
    text, transport = variant
    peer = await t.sio.connect(transport)
    await echoes(t, peer, text, {text: [text]})
    await t.nothing_more(peer)


@case(
    "sio5.event.unicode.escaped",
    covers=["SIO-PKT-08"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def unicode_escaped(t: Bench, transport: Transport) -> None:
    """Characters that the client wrote as escapes mean the same as written out."""
    peer = await t.sio.connect(transport)
    await peer.send(r'2["message","\u00e9\u2028\ud83d\ude00\u001e\/"]')
    packet = await peer.next()
    t.equal(packet.data, ["message-back", "é\u2028😀\x1e/"], "data of the echo")


@case(
    "sio5.event.whitespace.accepted",
    covers=["SIO-EVT-01"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def whitespace_accepted(t: Bench, transport: Transport) -> None:
    """Blanks inside the JSON of an event, where JSON allows them, change nothing."""
    peer = await t.sio.connect(transport)
    await peer.send('2[ "message" ,\t1 ,\n{ "a" : [ ] } ] \r\n')
    packet = await peer.next()
    t.equal(packet.data, ["message-back", 1, {"a": []}], "data of the echo")


@case(
    "sio5.event.burst.in-order",
    covers=["SIO-EVT-02", "SIO-EVT-01", "SIO-EVT-03"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def burst_in_order(t: Bench, transport: Transport) -> None:
    """Many events sent together are each answered once, in order."""
    peer = await t.sio.connect(transport)
    await send_many(peer, [f'42["message",{number}]' for number in range(_BURST)])
    packets = await peer.sentinel()
    _check_echoes(t, packets)
    t.equal(len(packets), _BURST, "number of packets", rule="SIO-EVT-03")


@case(
    "sio5.event.upgrade.in-order",
    covers=["SIO-EVT-02", "SIO-EVT-01"],
    needs=["app", "upgrade"],
    also="sio4",
)
async def upgrade_in_order(t: Bench) -> None:
    """Events sent before, while and after the transport is upgraded are answered in order."""
    peer = await t.sio.connect("polling")
    numbers = iter(range(_BURST))

    async def some() -> None:
        await send_many(peer, [f'42["message",{next(numbers)}]' for _ in range(_BURST // 5)])

    await some()
    began = trio.current_time()
    websocket = await peer.engine.probe()
    await some()
    await peer.engine.pause_polling()
    await some()
    if trio.current_time() - began > _UPGRADE_TIME:
        t.inconclusive("this machine is so slow that the server may have given the upgrade up")
    await websocket.send_text("5")
    peer.engine.adopt(websocket)
    await some()
    await some()
    _check_echoes(t, await peer.sentinel())


def _check_echoes(t: Bench, packets: list[sio.Packet]) -> None:
    echoed = [packet.data for packet in packets]
    expected = [["message-back", number] for number in range(_BURST)]
    whole = same_in_any_order(echoed, expected)
    t.check(whole, f"{_BURST} echoes, each once", echoed, rule="SIO-EVT-01")
    t.check(same(echoed, expected), "the echoes in order", echoed, rule="SIO-EVT-02")


@case(
    "sio5.event.number-as-name.accepted",
    covers=["SIO-VAL-05"],
    needs=["app"],
    variants={"integer": '2[7,"x"]', "zero": "2[0]", "negative": "2[-1]", "fraction": "2[1.5]"},
    also="sio4",
)
async def number_as_name_accepted(t: Bench, text: str) -> None:
    """An event whose name is a number is legal; as nobody listens, nothing comes of it."""
    peer = await t.sio.connect()
    await peer.send(text)
    await t.expect_open(peer)


@case(
    "sio5.event.unknown-name.ignored",
    covers=["SIO-EVT-19"],
    needs=["app"],
    variants=across(
        {
            "plain": '2["nobody-listens",1]',
            "with-id": '29["nobody-listens",1]',
            "empty": '2[""]',
            "binary": '51-["nobody-listens",{"_placeholder":true,"num":0}]',
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def unknown_name_ignored(t: Bench, variant: tuple[str, Transport]) -> None:
    """An event that nobody listens to is not answered, not acknowledged, and harms nothing."""
    text, transport = variant
    peer = await t.sio.connect(transport)
    await peer.send(text, *([b"\x01"] if text.startswith("5") else []))
    await t.nothing_more(peer)


@case(
    "sio5.event.near-reserved-name.ignored",
    covers=["SIO-EVT-19"],
    needs=["app"],
    variants={
        "connection": "connection",
        "capital": "Connect",
        "blank": "connect ",
        "reconnect": "reconnect",
        "ping": "ping",
        "new-namespace": "new_namespace",
        "inherited": "__proto__",
        "method": "toString",
    },
)
async def near_reserved_name_ignored(t: Bench, name: str) -> None:
    """A name that is not exactly a reserved one is like any other."""
    peer = await t.sio.connect()
    await peer.emit(name, 1)
    await t.nothing_more(peer)


@case(
    "sio5.event.error-as-name.harmless",
    covers=["SIO-EVT-13"],
    needs=["app"],
    also="sio4",
)
async def error_as_name_harmless(t: Bench) -> None:
    """An event named ``error`` ends neither the process nor a session."""
    peer, control = await t.sio.pair()
    await peer.send('2["error","x"]')
    await peer.send('2["error"]')
    await t.expect_open(peer)
    await t.expect_open(control)


@case(
    "sio5.event.reserved-name.closes",
    covers=["SIO-VAL-06", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "connect": "connect",
            "connect-error": "connect_error",
            "disconnect": "disconnect",
            "disconnecting": "disconnecting",
            "new-listener": "newListener",
            "remove-listener": "removeListener",
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def reserved_name_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """An event with the name of a lifecycle event closes the connection."""
    name, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, f'2["{name}"]')


@case(
    "sio5.event.reserved-name-escaped.closes",
    covers=["SIO-VAL-06", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
)
async def reserved_name_escaped_closes(t: Bench) -> None:
    """A reserved name is one however its letters are written."""
    bad, control = await t.sio.pair()
    await refuses(t, bad, control, r'2["\u0064isconnect","x"]')


@case(
    "sio5.event.name-of-wrong-type.closes",
    covers=["SIO-VAL-11", "SIO-DISC-07"],
    needs=["app"],
    tags=["crash", "close"],
    variants=across(
        {
            "true": "2[true]",
            "false": "2[false]",
            "null": '2[null,"bar"]',
            "object": '2[{"toString":"foo"}]',
            "array": '2[["message"]]',
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def name_of_wrong_type_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """An event whose name is neither a string nor a number closes the connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.event.payload-not-array.closes",
    covers=["SIO-VAL-03", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "object": "2{}",
            "string": '2"message"',
            "null": "2null",
            "true": "2true",
            "object-with-id": '21{"0":"message"}',
            "empty-array": "2[]",
            "empty-array-with-id": "21[]",
        },
        TRANSPORTS,
    ),
    also="sio4",
    stand_ins={"SIO-VAL-03": "SIO-V4-09"},
)
async def payload_not_array_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """An event whose payload is anything but a non-empty array closes the connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.event.payload-malformed.closes",
    covers=["SIO-VAL-03", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "unclosed": '2["message"',
            "trailing-text": '2["message"]x',
            "second-array": '2["message"]["message"]',
            "trailing-comma": '2["message",]',
            "word": "2message",
            "missing-comma": '2["message" 1]',
        },
        TRANSPORTS,
    ),
    also="sio4",
    stand_ins={"SIO-VAL-03": "SIO-V4-09"},
)
async def payload_malformed_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """An event whose payload is not one JSON text closes the connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.event.payload-missing.closes",
    covers=["SIO-VAL-04", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across({"bare": "2", "with-id": "27", "main-named": "2/,"}, TRANSPORTS),
    also="sio4",
    stand_ins={"SIO-VAL-04": "SIO-V4-10"},
)
async def payload_missing_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """An event without a payload closes the connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.event.not-strict-json.closes",
    covers=["SIO-DEC-17", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants={
        "nan": '2["message",NaN]',
        "infinity": '2["message",Infinity]',
        "minus-infinity": '2["message",-Infinity]',
        "single-quotes": "2['message']",
        "comment": '2["message"/*x*/]',
        "leading-zero": '2["message",01]',
        "plus": '2["message",+1]',
        "raw-control": '2["message","\x01"]',
        "raw-newline": '2["message","\n"]',
    },
    also="sio4",
)
async def not_strict_json_closes(t: Bench, text: str) -> None:
    """What lenient parsers take for JSON, but is not, closes the connection."""
    bad, control = await t.sio.pair()
    await refuses(t, bad, control, text)


@case("sio5.event.duplicate-keys.variant", covers=["SIO-ROB-02"], needs=["app"])
async def duplicate_keys_variant(t: Bench) -> None:
    """An object with a key twice is delivered or refused; which of the values wins is open."""
    peer = await t.sio.connect()
    await peer.send('2["message",{"a":1,"a":2}]')
    came = await outcome(peer)
    t.check(came not in ("ignored", "silent"), "an echo, or the connection closed", came)
    t.observe("duplicate-keys", came)
