"""Opening a session in revision 3, also beside those of revision 4."""

from __future__ import annotations

import json
import re

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import (
    beside_a_session,
    check_not_open,
    still_there,
)
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer, Query, Transport
from sioproto_conformance.peers.framing import REVISION_4, utf16_units
from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.wire import PeerError

_KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout"}
_REVISIONS = {"revision-4": [("EIO", "4")], "none": []}


@case(
    "eio3.handshake.polling.one-open-packet",
    covers=["EIO-HS-03", "EIO-P3-02", "EIO-HDR-01"],
    needs=["polling"],
)
async def one_open_packet(t: Bench) -> None:
    """A handshake by GET is answered with one open packet behind its length."""
    response = await t.eio.get()
    t.require(response.status == 200, "status 200", response)
    match = re.fullmatch(r"([1-9][0-9]*):(0\{.*\})", response.text)
    if match is None:
        t.check(False, "a length and an open packet", response)
        return
    t.equal(int(match[1]), utf16_units(match[2]), "length", rule="EIO-P3-02")
    try:
        opened = json.loads(match[2][1:])
    except ValueError:
        opened = None
    told = isinstance(opened, dict) and opened.keys() - {"maxPayload"} == _KEYS
    t.check(told, f"an object with {sorted(_KEYS)}", match[2])
    label = (response.header("content-type") or "none").lower().replace(" ", "")
    t.equal(label, "text/plain;charset=utf-8", "content type", rule="EIO-HDR-01")
    await still_there(t, await t.eio.open("polling"))


@case("eio3.handshake.open-packet.complete", covers=["EIO-HS-03"], variants=TRANSPORTS)
async def open_packet_complete(t: Bench, transport: Transport) -> None:
    """The open packet says everything that a client has to know, in the right types."""
    peer = await t.eio.open(transport)
    opened = peer.opened
    t.check(isinstance(opened.get("sid"), str) and opened["sid"] != "", "a session id", opened)
    upgrades = opened.get("upgrades")
    all_strings = isinstance(upgrades, list) and all(isinstance(name, str) for name in upgrades)
    t.check(all_strings, "upgrades as a list of names", upgrades)
    for key in ("pingInterval", "pingTimeout"):
        value = opened.get(key)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        t.check(is_number, f"{key} as a number", opened)
    t.observe("maxPayload", "told" if "maxPayload" in opened else "not told")
    await still_there(t, peer)


@case("eio3.handshake.no-revision.variant", covers=["EIO-QP-02"], needs=["polling"])
async def no_revision_variant(t: Bench) -> None:
    """A handshake that names no revision, or an unknown one, is refused, or read as revision 3."""
    async with beside_a_session(t):
        for shown, query in (("no revision", []), ("revision abc", [("EIO", "abc")])):
            response = await t.eio.get([*query, ("transport", "polling")])
            spoken = re.match(r"[1-9][0-9]*:0\{", response.text) is not None
            known = response.status == 400 or (response.status == 200 and spoken)
            t.check(known, "status 400, or a payload of revision 3", response)
            t.observe(shown, "revision 3" if spoken else f"status {response.status}")


@case(
    "eio3.handshake.websocket-parameter.not-open",
    covers=["EIO-ERR-25"],
    needs=["websocket"],
    variants={
        "no-transport": [("EIO", "3")],
        "unknown-transport": [("EIO", "3"), ("transport", "abc")],
        "unknown-session": [("EIO", "3"), ("transport", "websocket"), ("sid", "nobody")],
    },
)
async def websocket_parameter_not_open(t: Bench, query: Query) -> None:
    """A WebSocket of revision 3 with a missing or wrong parameter does not stay open."""
    async with beside_a_session(t):
        await check_not_open(t, query)


@case(
    "eio3.handshake.both-revisions.side-by-side",
    covers=["EIO-HS-03", "EIO-PKT-05"],
    needs=["echo", "eio4"],
    variants=TRANSPORTS,
)
async def both_revisions_side_by_side(t: Bench, transport: Transport) -> None:
    """Sessions of both revisions at one path are each spoken to in their own."""
    old = await t.eio.open(transport, name="old")
    new = await _open_newer(t, transport)
    for number in range(3):
        for peer in (old, new):
            await peer.send(f"4{peer.name}-{number}", bytes([number]))
    for peer in (old, new):
        sent = [one for n in range(3) for one in (f"4{peer.name}-{n}", bytes([n]))]
        came = [await peer.next() for _ in sent]
        t.equal(came, sent, f"echoes of the {peer.name} one", rule="EIO-PKT-05")
    for peer in (old, new):
        await t.nothing_more(peer)


async def _open_newer(t: Bench, transport: Transport) -> EnginePeer:
    """Open a session of revision 4 where revision 3 is spoken too; skips if it is not."""
    try:
        peer = await EnginePeer.open(
            "new", t.dialer, t.nursery, t.eio.path, transport, framing=REVISION_4
        )
    except PeerError as error:
        t.skip(f"no revision 4 at {t.eio.path}: {error}")
    peer.has_echo = True
    return peer


@case(
    "eio3.refusal.revision-of-session.kept",
    covers=["EIO-QP-12b", "EIO-QP-12"],
    needs=["polling", "echo"],
    variants=_REVISIONS,
)
async def revision_of_session_kept(t: Bench, revision: list[tuple[str, str]]) -> None:
    """A POST with another revision than that of its session is refused or read as before."""
    peer = await t.eio.open()
    query = [*revision, ("transport", "polling"), ("sid", peer.sid)]
    response = await t.eio.get(query, method="POST", body=peer.encode("4one"))
    refused = response.status >= 400
    if revision:
        t.check(refused, "a refusal", response, rule="EIO-QP-12")
    before = await peer.sentinel()
    t.equal(before, [] if refused else ["4one"], "what came before the sentinel")
    await peer.send(b"\x01\x02\x03")
    t.equal(await peer.next(), b"\x01\x02\x03", "binary after it")


@case(
    "eio3.upgrade-trouble.other-revision.session-keeps-its-own",
    covers=["EIO-QP-12b", "EIO-QP-12"],
    needs=["upgrade", "echo"],
    tags=["security"],
    variants={
        "older-by-newer": ("older", [("EIO", "4")]),
        "older-by-none": ("older", []),
        "newer-by-older": ("newer", [("EIO", "3")]),
        "newer-by-none": ("newer", []),
    },
)
async def other_revision(t: Bench, variant: tuple[str, list[tuple[str, str]]]) -> None:
    """An upgrade in another revision is refused or changes nothing, whatever heartbeat follows."""
    which, revision = variant
    control = await t.eio.open(name="control")
    peer = await (t.eio.open() if which == "older" else _open_newer(t, "polling"))
    query = [*revision, ("transport", "websocket"), ("sid", peer.sid)]
    ws = await t.eio.websocket(query)
    if revision or which == "newer":
        t.check(isinstance(ws, Response), "a refusal", "status 101", rule="EIO-QP-12")
    if not isinstance(ws, Response):
        await ws.send_text("2probe")
        for heartbeat in (b"\x02", b"\x03", b"2", b"\x022probe", b""):
            await ws.send_binary(heartbeat)
        for text in ("2", "3", "b2", "b"):
            await ws.send_text(text)
        await ws.abort()
    await peer.send("4after", b"\x01\x02\x03")
    t.equal([await peer.next(), await peer.next()], ["4after", b"\x01\x02\x03"], "echoes")
    await t.expect_open(control)
