"""Namespaces: unknown ones, several on one connection, and how their names are written."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import (
    echoes,
    expect_ack,
    expect_event,
    is_ruled_to_close,
    nobody_answers,
    refuses,
    same,
    same_in_any_order,
)
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport


@case(
    "sio5.namespace.unknown.refused",
    covers=["SIO-CONN-02", "SIO-NSP-02", "SIO-DEC-06", "SIO-VAL-08"],
    variants=across(
        {
            "comma": ("/random", "0/random,"),
            "no-comma": ("/random", "0/random"),
            "auth": ("/random", '0/random,{"token":"123"}'),
            "digits": ("/123", "0/123,"),
            "dash": ("/a-b", "0/a-b,"),
            "two-parts": ("/a/b", "0/a/b,"),
            "unicode": ("/naïve-日本", "0/naïve-日本,"),
            "inherited-name": ("/__proto__", "0/__proto__,"),
        },
        TRANSPORTS,
    ),
)
async def unknown_refused(t: Bench, variant: tuple[tuple[str, str], Transport]) -> None:
    """A CONNECT for a namespace that does not exist is answered by CONNECT_ERROR."""
    (nsp, text), transport = variant
    peer = await t.sio.open(transport)
    await peer.send(text)
    answer = await peer.next()
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer")
    t.equal(answer.nsp, nsp, "namespace of the answer")
    expected = f'4{nsp},{{"message":"Invalid namespace"}}'
    t.equal(answer.raw, expected, "the answer", rule="SIO-NSP-02")
    t.check(isinstance(answer.data, dict | str), "an object or a text", answer, rule="SIO-VAL-08")


@case(
    "sio5.namespace.unknown.leaves-connection-open",
    covers=["SIO-NSP-02"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def unknown_leaves_connection_open(t: Bench, transport: Transport) -> None:
    """A refused join costs nothing: neither a joined namespace nor a later join."""
    peer = await t.sio.connect(transport)
    await nobody_answers(peer)
    await echoes(t, peer, "still here")
    answer = await peer.connect("/custom")
    t.equal(answer.type, sio.CONNECT, "type of the answer of another namespace")


@case("sio5.namespace.refused-join.repeated", covers=["SIO-CONN-20"], variants=TRANSPORTS)
async def refused_join_repeated(t: Bench, transport: Transport) -> None:
    """A refused join may be tried again; each attempt is answered."""
    peer = await t.sio.open(transport)
    for attempt in range(3):
        answer = await peer.connect("/random", {"attempt": attempt})
        t.equal(answer.type, sio.CONNECT_ERROR, f"type of answer {attempt}")
    answer = await peer.connect("/")
    t.equal(answer.type, sio.CONNECT, "type of the answer of the main namespace")


@case(
    "sio5.namespace.two-on-one-connection",
    covers=["SIO-CONN-18", "SIO-EVT-01"],
    needs=["app"],
    variants=across({"main-first": ("/", "/custom"), "custom-first": ("/custom", "/")}, TRANSPORTS),
)
async def two_on_one_connection(t: Bench, variant: tuple[tuple[str, str], Transport]) -> None:
    """One connection joins two namespaces, and events work beside both."""
    names, transport = variant
    peer = await t.sio.open(transport)
    for nsp in names:
        answer = await peer.connect(nsp, {"for": nsp})
        t.equal(answer.type, sio.CONNECT, f"type of the answer of {nsp}")
        t.equal(peer.auth.get(nsp), {"for": nsp}, f"auth of {nsp}")
    await echoes(t, peer, "both", rule="SIO-EVT-01")
    await t.nothing_more(peer)


@case(
    "sio5.namespace.answers.in-their-namespace",
    covers=["SIO-ACK-03", "SIO-EVT-01"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def answers_in_their_namespace(t: Bench, transport: Transport) -> None:
    """Events and acknowledgements come back in the namespace of the question, not the last one."""
    peer = await t.sio.connect(transport)
    await peer.connect("/custom")
    await peer.emit("message-with-ack", "a", id=7)
    await peer.emit("nobody-listens", 1, nsp="/custom")
    await peer.emit("message-with-ack", "b", id=8)
    await peer.emit("message", "c")
    packets = await peer.sentinel()
    acks = [[one.nsp, one.id, one.data] for one in packets if one.type == sio.ACK]
    expected = [["/", 7, ["a"]], ["/", 8, ["b"]]]
    t.check(same_in_any_order(acks, expected), f"the acknowledgements {expected}", acks)
    events = [[one.nsp, one.id, one.data] for one in packets if one.type != sio.ACK]
    expected = [["/", None, ["message-back", "c"]]]
    t.check(same(events, expected), f"the event {expected}", events, rule="SIO-EVT-01")


@case(
    "sio5.namespace.events.isolated",
    covers=["SIO-NSP-14"],
    needs=["app"],
    variants=TRANSPORTS,
    also="sio4",
)
async def events_isolated(t: Bench, transport: Transport) -> None:
    """An event in one namespace does not reach the listeners of another."""
    peer = await t.sio.connect(transport)
    await peer.connect("/custom")
    await peer.emit("message", "for /custom", nsp="/custom")
    await peer.emit("message-with-ack", "for /custom", nsp="/custom", id=3)
    await t.nothing_more(peer)


@case(
    "sio5.namespace.not-joined.closes",
    covers=["SIO-CONN-14", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "event": '2/custom,["message",1]',
            "event-unknown": '2/nobody,["message",1]',
            "ack": "3/custom,0[]",
            "disconnect": "1/custom,",
            "disconnect-unknown": "1/nobody,",
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def not_joined_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A packet for a namespace that is not joined closes the whole connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.namespace.not-joined.binary-event.closes",
    covers=["SIO-CONN-14", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=TRANSPORTS,
    also="sio4",
)
async def not_joined_binary_event_closes(t: Bench, transport: Transport) -> None:
    """A binary event for a namespace that is not joined closes, at the latest when complete."""
    bad, control = await t.sio.pair(transport)
    header = '51-/custom,["message",{"_placeholder":true,"num":0}]'
    await refuses(t, bad, control, header, b"\x01")


@case(
    "sio5.namespace.main.written-out",
    covers=["SIO-DEC-08"],
    needs=["app"],
    variants=across({"comma": "0/,", "no-comma": "0/"}, TRANSPORTS),
)
async def main_written_out(t: Bench, variant: tuple[str, Transport]) -> None:
    """A packet may name the main namespace; the answers leave it out all the same."""
    text, transport = variant
    peer = await t.sio.open(transport)
    await peer.send(text)
    answer = await peer.connect_answer()
    t.require(answer.type == sio.CONNECT, "a CONNECT packet of the main namespace", answer)
    t.check(answer.raw.startswith("0{"), "a packet that starts with 0{", answer)
    await peer.send('2/,["message",1]')
    await expect_event(t, peer, "message-back", 1)
    await peer.send('2/,5["message-with-ack",1]')
    await expect_ack(t, peer, 5, 1)


@case(
    "sio5.namespace.comma.optional",
    covers=["SIO-DEC-06", "SIO-DEC-07"],
    needs=["app"],
    variants=TRANSPORTS,
)
async def comma_optional(t: Bench, transport: Transport) -> None:
    """CONNECT and DISCONNECT work without the comma behind the namespace."""
    peer = await t.sio.connect(transport)
    for attempt in range(2):
        await peer.send("0/custom")
        with t.expecting("SIO-DEC-06"):
            answer = await peer.connect_answer("/custom")
        t.require(answer.type == sio.CONNECT, f"CONNECT answer {attempt}", answer)
        t.equal(answer.nsp, "/custom", "namespace of the answer", rule="SIO-DEC-07")
        await peer.send("1/custom")
        before = await nobody_answers(peer)
        t.check(not before, "nothing in answer to DISCONNECT", before or None)


@case(
    "sio5.namespace.name.verbatim",
    covers=["SIO-DEC-10"],
    needs=["app"],
    variants={
        "upper-case": "/CUSTOM",
        "trailing-slash": "/custom/",
        "double-slash": "//custom",
        "percent-encoded": "/%63ustom",
        "dot-segment": "/./custom",
        "blank": "/custom ",
        "fullwidth": "/\uff43ustom",
    },
)
async def name_verbatim(t: Bench, nsp: str) -> None:
    """A name that is merely similar to that of a namespace is another name."""
    peer = await t.sio.open()
    await peer.send(f"0{nsp},")
    answer = await peer.connect_answer(nsp)
    t.check(answer.type == sio.CONNECT_ERROR, "a CONNECT_ERROR packet with the name sent", answer)


@case("sio5.namespace.query-string.variant", covers=["SIO-NSP-03"], needs=["app"])
async def query_string_variant(t: Bench) -> None:
    """A query string behind the name of a namespace is part of the name, which is unknown then."""
    peer = await t.sio.open()
    await peer.send("0/custom?token=123,")
    answer = await peer.next()
    refused = answer.type == sio.CONNECT_ERROR and answer.nsp == "/custom?token=123"
    t.check(refused, "a CONNECT_ERROR packet with the name sent", answer)


@case("sio5.namespace.no-comma-before-payload.variant", covers=["SIO-DEC-10"], needs=["app"])
async def no_comma_before_payload_variant(t: Bench) -> None:
    """Without the comma a payload is part of the name, so the event is for no joined namespace."""
    bad, control = await t.sio.pair()
    await bad.connect("/custom")
    await is_ruled_to_close(t, bad, control, '2/custom["message",1]')
