"""Joining namespaces in revision 4, the main one without asking."""

from __future__ import annotations

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import (
    acknowledges,
    echoes,
    nobody_answers,
)
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport
from sioproto_conformance.peers.framing import REVISION_4
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import Gone

# The contract's application closes a connection without namespace after one second.
_CONNECT_TIMEOUT = 1.0


@case(
    "sio4.connect.main.joined-without-asking",
    covers=["SIO-V4-02", "SIO-V4-01", "SIO-V4-03"],
    needs=["app"],
    variants=TRANSPORTS,
)
async def main_joined_without_asking(t: Bench, transport: Transport) -> None:
    """A client is told by a CONNECT packet without payload that it is in the main namespace."""
    engine = await t.sio.engine(transport)
    with t.expecting("SIO-V4-02"):
        first = await engine.next()
    t.equal(first, "40", "first packet")
    second = str(await engine.next())
    t.equal(second, '42["auth",{}]', "second packet", rule="SIO-V4-01")
    await engine.send('42["message","hello"]')
    t.equal(await engine.next(), '42["message-back","hello"]', "echo", rule="SIO-V4-01")


@case("sio4.connect.main.no-time-limit", covers=["SIO-V4-02"], needs=["app", "fast-heartbeat"])
async def main_no_time_limit(t: Bench) -> None:
    """A client that asks for no namespace stays, as it is in one."""
    peer = await t.sio.open()
    with trio.move_on_after(1.5 * _CONNECT_TIMEOUT):
        await peer.engine.wait_until(lambda: peer.closed is not None)
    await t.expect_open(peer)


@case(
    "sio4.connect.custom.answered-without-payload",
    covers=["SIO-V4-03", "SIO-V4-07"],
    needs=["app"],
    variants=across({"comma": "0/custom,", "no-comma": "0/custom"}, TRANSPORTS),
)
async def custom_answered(t: Bench, variant: tuple[str, Transport]) -> None:
    """A CONNECT packet is answered by one that has nothing but the namespace, once."""
    text, transport = variant
    rule = "SIO-V4-03" if text.endswith(",") else "SIO-V4-07"
    peer = await t.sio.open(transport)
    await peer.send(text)
    with t.expecting(rule):
        answer = await peer.connect_answer("/custom")
    t.equal(answer.type, sio.CONNECT, "type of the answer", rule=rule)
    t.check(answer.raw.rstrip(",") == "0/custom", "an answer without payload", answer)
    before = await nobody_answers(peer)
    t.check(not before, "one answer", before)
    await peer.send("1" + text[1:])
    before = await nobody_answers(peer)
    t.check(not before, "nothing in answer to DISCONNECT", before or None)
    await t.expect_open(peer, rule=rule)


@case(
    "sio4.connect.query.reaches-application",
    covers=["SIO-V4-04"],
    needs=["app"],
    variants=across(
        {
            "token": ("token=abc", {"token": "abc"}),
            "two": ("token=abc&x=1", {"token": "abc", "x": "1"}),
            "percent-encoded": ("na%C3%AFve=a%26b%3Dc", {"naïve": "a&b=c"}),
            "plus": ("x=a+b", {"x": "a b"}),
            "comma-encoded": ("x=a%2Cb", {"x": "a,b"}),
        },
        TRANSPORTS,
    ),
)
async def query_reaches_application(
    t: Bench, variant: tuple[tuple[str, dict[str, str]], Transport]
) -> None:
    """The query behind a namespace is what the application sees, and does not come back."""
    (query, auth), transport = variant
    peer = await t.sio.open(transport)
    await peer.send(f"0/custom?{query},")
    answer = await peer.connect_answer("/custom")
    t.equal(answer.type, sio.CONNECT, "type of the answer")
    t.equal(answer.raw.rstrip(","), "0/custom", "the answer")
    t.equal(peer.auth.get("/custom"), auth, "auth")
    await t.expect_open(peer)


@case(
    "sio4.namespace.unknown.refused",
    covers=["SIO-V4-05", "SIO-V4-05b"],
    needs=["app"],
    variants=across({"plain": "/random", "query": "/random?token=1"}, TRANSPORTS),
)
async def unknown_refused(t: Bench, variant: tuple[str, Transport]) -> None:
    """A CONNECT for a namespace that does not exist is answered by an ERROR packet with a text."""
    asked, transport = variant
    peer = await t.sio.open(transport)
    await peer.send(f"0{asked},")
    answer = await peer.next()
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer")
    t.check(answer.nsp in ("/random", asked), "the namespace of the question", answer)
    is_text = isinstance(answer.data, str) and answer.data != ""
    t.check(is_text, "a text as payload", answer, rule="SIO-V4-05b")
    await t.expect_open(peer)


@case(
    "sio4.namespace.two-on-one-connection",
    covers=["SIO-V4-02", "SIO-V4-06"],
    needs=["app"],
    variants=TRANSPORTS,
)
async def two_on_one_connection(t: Bench, transport: Transport) -> None:
    """A client that is in the main namespace joins another one beside it."""
    peer = await t.sio.open(transport)
    answer = await peer.connect("/custom")
    t.equal(answer.type, sio.CONNECT, "type of the answer", rule="SIO-V4-06")
    await echoes(t, peer, "both")
    await t.nothing_more(peer)


@case(
    "sio4.event.every-kind.as-in-revision-5",
    covers=["SIO-V4-06"],
    needs=["app"],
    variants=across(TRANSPORTS, {"takes-binary": [], "takes-base64": [("b64", "1")]}),
)
async def every_kind(t: Bench, variant: tuple[Transport, list[tuple[str, str]]]) -> None:
    """Events, acknowledgements and attachments travel as in revision 5, in either form."""
    transport, query = variant
    if query and transport == "websocket":
        # Then binary comes as text, which only the engine of a real client puts together again.
        t.skip("a WebSocket takes binary")
    peer = await t.sio.open(transport, query=query)
    await echoes(t, peer, 1, "2", {"3": [True]})
    await echoes(t, peer, b"\x01\x02\x03", {"a": [b""]})
    await acknowledges(t, peer, 0, "x")
    packet = await acknowledges(t, peer, 12, b"\x04\x01")
    t.equal(packet.type, sio.BINARY_ACK, "type of the acknowledgement")
    await t.nothing_more(peer)


@case(
    "sio4.connect.both-revisions.side-by-side",
    covers=["SIO-V4-08", "SIO-V4-01"],
    needs=["app", "eio4"],
    variants=TRANSPORTS,
)
async def both_revisions_side_by_side(t: Bench, transport: Transport) -> None:
    """Clients of both revisions on one path join, are refused and talk in their own way."""
    old = await t.sio.open(transport, name="old")
    engine = await t.sio.engine(transport, name="new", framing=REVISION_4)
    new = SocketPeer(engine, expects_auth=t.site.has_app)
    try:
        answer = await new.connect("/")
    except Gone as gone:
        t.skip(f"no revision 5 at {t.sio.path}: {gone}")
    has_sid = isinstance(answer.data, dict) and isinstance(answer.data.get("sid"), str)
    t.check(has_sid, "a session id for the newer one", answer)
    for peer in (old, new):
        answer = await peer.connect("/custom")
        t.equal(answer.type, sio.CONNECT, f"answer to the {peer.name} one")
        t.equal(answer.data is None, peer is old, f"no payload for the {peer.name} one")
    for peer in (old, new):
        await peer.send("0/nobody,")
        refusal = await peer.next()
        t.equal(refusal.type, sio.CONNECT_ERROR, f"refusal of the {peer.name} one")
        if peer is new:
            told = isinstance(refusal.data, dict) and "message" in refusal.data
            t.check(told, "an object with a message for the newer one", refusal)
    for peer in (old, new):
        await echoes(t, peer, peer.name, b"\x01\x02", rule="SIO-V4-08")
        await t.nothing_more(peer, rule="SIO-V4-08")
