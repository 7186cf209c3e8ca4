"""What one client may do to itself, but not to others."""

from __future__ import annotations

from typing import Any

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import (
    NOBODY,
    expect_room_for_another,
    outcome,
    send_at_once,
)
from sioproto_conformance.peers.eio import TRANSPORTS, Packet, Transport
from sioproto_conformance.peers.wire import Gone, NoAnswer

# Deeper than interpreters recurse by default, yet shallow enough for those that merely do recurse.
_DEPTH = 1_500
# Deeper than any stack. Where this kills the process, nothing else can be judged any more.
_ABYSS = 100_000
_LONG = 100_000

_HOSTILE: dict[str, list[Packet]] = {
    "unknown-type": ["4abc"],
    "empty": ["4"],
    "not-json": ['42["message"'],
    "name-with-own-tostring": ['42[{"toString":"foo"}]'],
    "name-null": ["42[null]"],
    "missing-payload": ["42", "43", "430", "44"],
    "error": ['42["error"]', '42["error",null]'],
    "reserved": ['42["disconnect"]'],
    "inherited": ['42["__proto__"]', '42["constructor"]', '42["hasOwnProperty"]'],
    "prototype": ['40/custom,{"__proto__":{"x":1}}', '42["message",{"__proto__":{"y":1}}]'],
    "attachment-method": ['451-["message",{"_placeholder":true,"num":"splice"}]', b"\x01"],
    "attachment-missing": ['451-["message",{"_placeholder":true,"num":0}]'],
    "attachment-unannounced": [b"\x00\x01"],
    "namespace-unknown": ['42/nobody,["message"]'],
    "namespaces-many": [f"40/nobody-{number}," for number in range(50)],
    "error-from-client": ['44{"message":"x"}'],
    "connect-twice": ["40", "40"],
    "surrogate": [r'42["message","\ud800"]', r'42["\udfff"]'],
    "query-endless": [f"40/custom?{'a=b&' * 20_000},"],
    "query-broken": ["40/custom?%,", "40/?,"],
    "namespace-with-dots": ["40/../../custom,", "40//custom,"],
    "namespace-inherited": ["40/__proto__?a=1,", "40/custom?__proto__=1,"],
    "error-of-text": ['44"no"', '44/custom,"no"'],
}

_HARD: dict[str, str] = {
    "deep-arrays": f'2["message",{"[" * _DEPTH}{"]" * _DEPTH}]',
    "deep-objects": '2["message",' + '{"a":' * _DEPTH + "1" + "}" * _DEPTH + "]",
    "deep-ack": f'21["message-with-ack",{"[" * _DEPTH}{"]" * _DEPTH}]',
    "number-of-5000-digits": f'2["message",{"7" * 5000}]',
    "number-too-large": '2["message",1e400]',
    "number-too-precise": f'2["message",0.{"3" * 5000}]',
    "lone-surrogate": r'2["message","\ud800"]',
    "surrogates-reversed": r'2["message","\udc00\ud800"]',
    "many-keys": '2["message",{' + ",".join(f'"{key}":0' for key in range(5000)) + "}]",
}


@case(
    "sio5.robustness.hostile-packet.costs-nobody-else",
    covers=["SIO-ROB-01"],
    tags=["crash"],
    needs=["app"],
    variants=across(_HOSTILE, TRANSPORTS),
    also="sio4",
)
async def hostile_packet_costs_nobody_else(
    t: Bench, variant: tuple[list[Packet], Transport]
) -> None:
    """Whatever a client sends, another one goes on, and a new one can come."""
    packets, transport = variant
    bad, control = await t.sio.pair(transport)
    for packet in packets:
        await bad.engine.send(packet)
    await bad.engine.hang_up()
    if not await t.expect_open(control):
        return
    await expect_room_for_another(t, t.sio.connect(transport, name="newcomer"))


@case(
    "sio5.robustness.hostile-burst.costs-nobody-else",
    covers=["SIO-ROB-01"],
    needs=["app"],
    tags=["crash"],
    variants=across(
        {
            "refused-join-then-garbage": (f"0{NOBODY},", "abc"),
            "join-then-garbage": ("0/custom,", "abc"),
            "join-then-leave-then-garbage": ("0/custom,", "1/custom,", "abc"),
            "event-then-garbage": ('2["message","x"]', '21["message-with-ack"]', "abc"),
            "leave-then-garbage": ("1", "abc"),
            "garbage-twice": ("abc", "abc"),
            "half-a-binary-event-then-garbage": (
                '51-["message",{"_placeholder":true,"num":0}]',
                "abc",
            ),
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def hostile_burst_costs_nobody_else(
    t: Bench, variant: tuple[tuple[str, ...], Transport]
) -> None:
    """What ends a connection, read together with what asks for an answer, ends nothing else."""
    packets, transport = variant
    bad, control = await t.sio.pair(transport)
    await send_at_once(bad, *packets)
    if not await t.expect_open(control):
        return
    await expect_room_for_another(t, t.sio.connect(transport, name="newcomer"))


@case(
    "sio5.robustness.hard-json.has-consequence",
    covers=["SIO-ROB-02", "SIO-ROB-01"],
    tags=["crash"],
    needs=["app"],
    variants=across(_HARD, TRANSPORTS),
)
async def hard_json_has_consequence(t: Bench, variant: tuple[str, Transport]) -> None:
    """Legal JSON that is hard to digest is delivered, or closes the connection it came on."""
    text, transport = variant
    peer, control = await t.sio.pair(transport)
    await peer.send(text)
    # Nested this deep, the echo would be as hard on the suite: it is enough that it begins right.
    try:
        came = str(await peer.engine.next())[:40]
    except Gone:
        came = "closed"
    except NoAnswer:
        came = "silent"
    started = ('42["message-back",', "431[")
    t.check(came == "closed" or came.startswith(started), "an echo, or closed", came)
    t.observe("hard-json", came)
    await t.expect_open(control, rule="SIO-ROB-01")


@case(
    "sio5.robustness.deep-binary.has-consequence",
    covers=["SIO-ROB-02", "SIO-ROB-01"],
    tags=["crash"],
    needs=["app"],
)
async def deep_binary_has_consequence(t: Bench) -> None:
    """A deeply nested payload with an attachment is delivered, or closes its connection."""
    peer, control = await t.sio.pair()
    deep = "[" * _DEPTH + '{"_placeholder":true,"num":0}' + "]" * _DEPTH
    await peer.send(f'51-["message",{deep}]', b"\x01")
    try:
        came = str(await peer.engine.next())[:40]
    except Gone:
        came = "closed"
    except NoAnswer:
        came = "silent"
    t.check(came == "closed" or came.startswith('451-["message-back",'), "an echo, or closed", came)
    t.observe("deep-binary", came)
    await t.expect_open(control, rule="SIO-ROB-01")


@case(
    "sio5.robustness.abyss.costs-nobody-else",
    covers=["SIO-ROB-01", "SIO-ROB-02", "SIO-DEC-19"],
    needs=["app"],
    tags=["security", "serial"],
    variants={
        "event": (f'2["message",{"[" * _ABYSS}{"]" * _ABYSS}]',),
        "ack": (f'21["message-with-ack",{"[" * _ABYSS}{"]" * _ABYSS}]',),
        "connect": ("0/custom," + '{"a":' * _ABYSS + "1" + "}" * _ABYSS,),
        "binary": (f'51-["message",{"[" * _ABYSS}1{"]" * _ABYSS}]', b"\x01"),
    },
)
async def abyss_costs_nobody_else(t: Bench, message: tuple[Any, ...]) -> None:
    """JSON nested a hundred thousand levels deep ends at most the connection it came on."""
    bad, control = await t.sio.pair()
    await bad.send(*message)
    await t.expect_open(control)
    with t.expecting("SIO-ROB-02"):
        try:
            came = str(await bad.engine.next())[:40]
        except Gone:
            came = "closed"
    t.observe("abyss", came)
    t.check(came == "closed", "the connection closed", came, rule="SIO-DEC-19")
    await t.expect_open(control)


@case(
    "sio5.robustness.long-field.costs-nobody-else",
    covers=["SIO-ROB-03"],
    tags=["crash"],
    needs=["app"],
    variants={
        "id": f'2{"9" * _LONG}["message-with-ack",1]',
        "id-of-ack": f"3{'9' * _LONG}[]",
        "count": f'5{"9" * _LONG}-["message"]',
        "count-of-zeros": f'5{"0" * _LONG}-["message"]',
        "namespace": f"0/{'x' * _LONG},",
        "name": f'2["{"x" * _LONG}"]',
    },
)
async def long_field_costs_nobody_else(t: Bench, text: str) -> None:
    """A packet with a field of 100,000 characters delays nobody else."""
    bad, control = await t.sio.pair()
    await bad.send(text)
    await t.expect_open(control)
    t.observe("long-field", (await outcome(bad))[:60])
