"""Opening a session."""

from __future__ import annotations

import base64
import hashlib
import re

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import (
    beside_a_session,
    check_refusal,
    still_there,
)
from sioproto_conformance.peers.eio import TRANSPORTS, Transport, decode_payload
from sioproto_conformance.peers.http1 import Response

_KEYS = ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]
_SESSIONS = 8
_ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@case(
    "eio4.handshake.polling.one-open-packet",
    covers=["EIO-HS-01", "EIO-PATH-01", "EIO-HDR-01", "EIO-HDR-01b"],
    needs=["polling"],
)
async def one_open_packet(t: Bench) -> None:
    """A handshake by GET is answered at once with status 200 and one open packet."""
    response = await t.eio.get()
    t.require(response.status != 404, "a path that is served", response, rule="EIO-PATH-01")
    t.require(response.status == 200, "status 200", response)
    packets = decode_payload(response.body)
    t.equal(len(packets), 1, "number of packets")
    t.check(response.text.startswith("0{"), "an open packet", response)
    label = (response.header("content-type") or "none").lower().replace(" ", "")
    t.equal(label, "text/plain;charset=utf-8", "content type", rule="EIO-HDR-01")
    caching = (response.header("cache-control") or "none").lower()
    t.check("no-store" in caching, "cache-control: no-store", caching, rule="EIO-HDR-01b")


@case(
    "eio4.handshake.open-packet.complete",
    covers=["EIO-HS-02", "EIO-HS-02b"],
    variants=TRANSPORTS,
)
async def open_packet_complete(t: Bench, transport: Transport) -> None:
    """The open packet says everything that a client has to know, in the right types."""
    peer = await t.eio.open(transport)
    opened = peer.opened
    t.check(isinstance(opened.get("sid"), str) and opened["sid"] != "", "a session id", opened)
    upgrades = opened.get("upgrades")
    all_strings = isinstance(upgrades, list) and all(isinstance(name, str) for name in upgrades)
    t.check(all_strings, "upgrades as a list of names", upgrades)
    for key in ("pingInterval", "pingTimeout", "maxPayload"):
        value = opened.get(key)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        t.check(is_number, f"{key} as a number", opened)
    t.equal(sorted(opened), _KEYS, "keys", rule="EIO-HS-02b")
    await still_there(t, peer)


@case(
    "eio4.handshake.upgrades.fit-the-transport",
    covers=["EIO-HS-05", "EIO-HS-04b"],
    variants=TRANSPORTS,
    also="eio3",
)
async def upgrades_fit_the_transport(t: Bench, transport: Transport) -> None:
    """A polling session is offered the upgrade to WebSocket, a WebSocket session none."""
    peer = await t.eio.open(transport)
    await still_there(t, peer)
    upgrades = peer.opened.get("upgrades")
    if transport == "websocket":
        t.equal(upgrades, [], "upgrades", rule="EIO-HS-04b")
        return
    if "upgrade" in t.site.lacking:
        t.skip(f"needs upgrade: {t.site.lacking['upgrade']}")
    offered = isinstance(upgrades, list) and "websocket" in upgrades
    t.check(offered, "websocket among the upgrades", upgrades)


@case(
    "eio4.handshake.websocket.switches",
    covers=["EIO-HS-04", "EIO-WS-12"],
    needs=["websocket"],
    also="eio3",
)
async def websocket_switches(t: Bench) -> None:
    """A WebSocket request without session id is accepted, and its first frame opens a session."""
    ws = await t.eio.websocket()
    if isinstance(ws, Response):
        t.check(False, "status 101", ws)
        return
    digest = hashlib.sha1((ws.key + _ACCEPT_SUFFIX).encode()).digest()
    accept = ws.response.header("sec-websocket-accept")
    t.equal(accept, base64.b64encode(digest).decode(), "Sec-WebSocket-Accept", rule="EIO-WS-12")
    first = await ws.receive()
    t.equal(first.kind, "text", "kind of the first message")
    t.check(str(first.data).startswith("0{"), "an open packet", first.data)


@case(
    "eio4.handshake.session-ids.differ",
    covers=["EIO-HS-06b", "EIO-HS-06"],
    variants=TRANSPORTS,
    also="eio3",
)
async def session_ids_differ(t: Bench, transport: Transport) -> None:
    """Sessions opened in a row have ids that are unlike each other."""
    sids = [(await t.eio.open(transport, name=f"peer{n}")).sid for n in range(_SESSIONS)]
    t.equal(len(set(sids)), _SESSIONS, "number of different ids")
    columns = [len(set(column)) for column in zip(*sids, strict=False)]
    alike = columns.count(1)
    t.check(2 * alike < len(columns), "ids that differ in most places", sids)
    shape = all(re.fullmatch(r"[A-Za-z0-9_-]{20}", sid) for sid in sids)
    t.check(shape, "20 characters of URL-safe base64", sids, rule="EIO-HS-06")


@case(
    "eio4.handshake.empty-session-id.opens-session",
    covers=["EIO-QP-06"],
    needs=["polling"],
    also="eio3",
)
async def empty_session_id(t: Bench) -> None:
    """An empty session id counts as none."""
    response = await t.eio.get(t.eio.query(sid=""))
    t.require(response.status == 200, "status 200", response)
    packets = t.eio.framing.decode(response)
    t.check(str(packets[0]).startswith("0{"), "an open packet", response)


@case(
    "eio4.handshake.query.read",
    covers=["EIO-QP-03"],
    needs=["polling"],
    variants={
        "percent-encoded-value": ("EIO=4&transport=%70olling", True),
        "percent-encoded-name": ("%45IO=4&transport=polling", True),
        "other-order": ("transport=polling&EIO=4", True),
        "last-revision-counts": ("EIO=3&EIO=4&transport=polling", True),
        "last-transport-counts": ("EIO=4&transport=polling&transport=abc", False),
        "name-in-lower-case": ("eio=4&transport=polling", False),
        "transport-in-upper-case": ("EIO=4&transport=POLLING", False),
    },
)
async def query_read(t: Bench, variant: tuple[str, bool]) -> None:
    """The query is read as a list of percent-encoded pairs in which the last of a name counts."""
    query, opens = variant
    async with beside_a_session(t):
        http = await t.http()
        response = await http.request("GET", f"{t.eio.path}?{query}")
        expected = 200 if opens else 400
        t.check(response.status == expected, f"status {expected}", response)
        if opens:
            t.check(response.text.startswith("0{"), "an open packet", response)


@case(
    "eio4.handshake.other-parameters.ignored",
    covers=["EIO-QP-11", "EIO-QP-08"],
    needs=["polling"],
    variants={
        "cache-buster": ("EIO-QP-08", [("t", "Pqr5x_7.0")]),
        "unknown": ("EIO-QP-11", [("foo", "bar"), ("__proto__", "1")]),
        "empty": ("EIO-QP-11", [("foo", "")]),
        "not-ascii": ("EIO-QP-11", [("näme", "€ 😀")]),
    },
)
async def other_parameters_ignored(t: Bench, variant: tuple[str, list[tuple[str, str]]]) -> None:
    """Parameters beside those of the protocol change nothing."""
    rule, parameters = variant
    response = await t.eio.get([("EIO", "4"), *parameters, ("transport", "polling")])
    t.require(response.status == 200, "status 200", response, rule=rule)
    t.check(response.text.startswith("0{"), "an open packet", response, rule=rule)
    await still_there(t, await t.eio.open("polling", query=parameters))


@case(
    "eio4.handshake.parameter-missing.refused",
    covers=["EIO-QP-01", "EIO-ERR-02", "EIO-ERR-08b", "EIO-ERR-01"],
    needs=["polling"],
    variants={
        "revision": ([("transport", "polling")], 5, "EIO-ERR-08b"),
        "transport": ([("EIO", "4")], 0, "EIO-ERR-02"),
        "both": ([], 0, "EIO-ERR-02"),
    },
)
async def parameter_missing_refused(
    t: Bench, variant: tuple[list[tuple[str, str]], int, str]
) -> None:
    """A handshake without one of the mandatory parameters is answered with status 400."""
    query, code, body = variant
    async with beside_a_session(t):
        check_refusal(t, await t.eio.get(query), code, status="EIO-QP-01", body=body)


@case(
    "eio4.handshake.revision.refused",
    covers=["EIO-ERR-08", "EIO-ERR-08b", "EIO-QP-02", "EIO-ERR-01"],
    needs=["polling"],
)
async def revision_refused(t: Bench) -> None:
    """A handshake for a revision that does not exist is refused, like what only looks like 4."""
    async with beside_a_session(t):
        for revision in ("abc", "5"):
            response = await t.eio.get([("EIO", revision), ("transport", "polling")])
            check_refusal(t, response, 5, status="EIO-ERR-08", body="EIO-ERR-08b")
        for revision in ("04", "4.0", " 4", "٤", ""):
            response = await t.eio.get([("EIO", revision), ("transport", "polling")])
            check_refusal(t, response, 5, status="EIO-QP-02", body="EIO-ERR-08b")


@case("eio4.handshake.revision-3.refused-or-spoken", covers=["EIO-ERR-08"], needs=["polling"])
async def revision_3_refused_or_spoken(t: Bench) -> None:
    """A handshake for revision 3 is refused with status 400, or answered in revision 3."""
    async with beside_a_session(t):
        response = await t.eio.get([("EIO", "3"), ("transport", "polling")])
        spoken = response.status == 200 and re.match(r"[1-9][0-9]*:0\{", response.text) is not None
        answer = "status 400, or a payload of revision 3"
        t.check(spoken or response.status == 400, answer, response)
        t.observe("revision 3", "spoken" if spoken else f"status {response.status}")


@case(
    "eio4.handshake.transport.refused",
    covers=["EIO-ERR-02b", "EIO-QP-04", "EIO-ERR-02", "EIO-ERR-01"],
    needs=["polling"],
    variants={
        "unknown": ("abc", "EIO-ERR-02b"),
        "empty": ("", "EIO-ERR-02b"),
        "longer": ("polling2", "EIO-ERR-02b"),
        "webtransport": ("webtransport", "EIO-QP-04"),
    },
    also="eio3",
)
async def transport_refused(t: Bench, variant: tuple[str, str]) -> None:
    """A handshake for a transport that is not offered over HTTP is refused."""
    transport, status = variant
    async with beside_a_session(t):
        response = await t.eio.get([*t.eio.query()[:1], ("transport", transport)])
        check_refusal(t, response, 0, status=status, body="EIO-ERR-02")


@case(
    "eio4.handshake.method.refused",
    covers=["EIO-HS-08", "EIO-ERR-04", "EIO-ERR-01"],
    needs=["polling"],
    variants={name: name.upper() for name in ("post", "put", "delete", "patch", "head")},
    also="eio3",
)
async def method_refused(t: Bench, method: str) -> None:
    """A handshake by any method but GET is refused."""
    async with beside_a_session(t):
        body = None if method == "HEAD" else b"4hello"
        response = await t.eio.get(method=method, body=body)
        json = None if method == "HEAD" else "EIO-ERR-04"
        check_refusal(t, response, 2, status="EIO-HS-08", body=json)


@case(
    "eio4.handshake.websocket-without-upgrade.refused",
    covers=["EIO-ERR-05", "EIO-ERR-01"],
    needs=["websocket"],
    also="eio3",
)
async def websocket_without_upgrade_refused(t: Bench) -> None:
    """A handshake for WebSocket by a plain GET is refused."""
    async with beside_a_session(t):
        response = await t.eio.get(t.eio.query("websocket"))
        check_refusal(t, response, 3, status="EIO-ERR-05", body="EIO-ERR-05")


@case(
    "eio4.handshake.checks.in-order",
    covers=["EIO-HS-09"],
    needs=["polling"],
    variants={
        "transport-before-session": ("GET", "EIO=4&transport=x&sid=x", 0),
        "session-before-revision": ("GET", "EIO=3&transport=polling&sid=x", 1),
        "method-before-revision": ("POST", "EIO=abc&transport=polling", 2),
        "transport-before-method": ("POST", "EIO=4&transport=x", 0),
    },
)
async def checks_in_order(t: Bench, variant: tuple[str, str, int]) -> None:
    """Of several faults of one request, the refusal names the one that is checked first."""
    method, query, code = variant
    async with beside_a_session(t):
        body = b"4x" if method == "POST" else None
        http = await t.http()
        response = await http.request(method, f"{t.eio.path}?{query}", body=body)
        answer = response.json()
        named = answer.get("code") if isinstance(answer, dict) else response
        t.equal(named, code, "code")
