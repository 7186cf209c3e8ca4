"""Joining a namespace."""

from __future__ import annotations

import re
from typing import Any

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import (
    NAMESPACES,
    NOBODY,
    echoes,
    nobody_answers,
    refuses,
    require_control,
    send_at_once,
)
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport, target
from sioproto_conformance.peers.wire import Gone

_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{20}")
# The contract's application closes a connection without namespace after one second.
_CONNECT_TIMEOUT = 1.0


@case(
    "sio5.connect.namespace.answered",
    covers=["SIO-CONN-02", "SIO-PKT-05", "SIO-CONN-08"],
    needs=["app"],
    variants=across(NAMESPACES, TRANSPORTS),
)
async def namespace_answered(t: Bench, variant: tuple[str, Transport]) -> None:
    """A CONNECT packet is answered by one of the same namespace with a session id, once."""
    nsp, transport = variant
    peer = await t.sio.open(transport)
    with t.expecting("SIO-CONN-02"):
        answer = await peer.connect(nsp)
    t.equal(answer.type, sio.CONNECT, "type of the answer")
    t.equal(answer.nsp, nsp, "namespace of the answer")
    has_sid = isinstance(answer.data, dict) and isinstance(answer.data.get("sid"), str)
    t.require(has_sid and answer.data["sid"] != "", "a session id", answer)
    start = "0{" if nsp == "/" else "0/custom,{"
    right = answer.raw.startswith(start)
    t.check(right, f"a packet that starts with {start}", answer, rule="SIO-PKT-05")
    keys = sorted(answer.data)
    t.check(keys in (["sid"], ["pid", "sid"]), "no key but sid (and pid)", keys, rule="SIO-CONN-08")
    before = await nobody_answers(peer)
    t.check(not before, "one answer", before)


@case("sio5.connect.nothing-implicit", covers=["SIO-CONN-01"], variants=TRANSPORTS)
async def nothing_implicit(t: Bench, transport: Transport) -> None:
    """A connection that has asked for no namespace is sent nothing, and is in none."""
    peer = await t.sio.open(transport)
    await peer.send(f"0{NOBODY},")
    first = await peer.next()
    t.equal(first.nsp, NOBODY, "namespace of the first packet")


@case(
    "sio5.connect.auth.reaches-application",
    covers=["SIO-CONN-07"],
    needs=["app"],
    variants=across(
        NAMESPACES,
        {
            "token": {"token": "123"},
            "nested": {"user": {"id": 7, "roles": ["a", None, True, 1.5]}},
            "unicode": {"naïve": "日本 😀 \u2028"},
            "looks-like-a-header": {"a-b": "1-/x,3[]"},
            "empty": {},
        },
    ),
)
async def auth_reaches_application(t: Bench, variant: tuple[str, dict[str, Any]]) -> None:
    """The payload of the CONNECT packet is what the application sees as credentials."""
    nsp, auth = variant
    peer = await t.sio.open()
    await peer.connect(nsp, auth)
    t.equal(peer.auth.get(nsp), auth, "auth")


@case("sio5.connect.auth.each-namespace-its-own", covers=["SIO-CONN-07"], needs=["app"])
async def auth_each_namespace_its_own(t: Bench) -> None:
    """Two namespaces of one connection see the credentials of their own CONNECT packet."""
    peer = await t.sio.open()
    await peer.connect("/", {"a": 1})
    await peer.connect("/custom", {"b": 2})
    t.equal(peer.auth.get("/"), {"a": 1}, "auth of the main namespace")
    t.equal(peer.auth.get("/custom"), {"b": 2}, "auth of the custom namespace")


@case(
    "sio5.connect.no-auth.is-empty",
    covers=["SIO-CONN-24"],
    needs=["app"],
    variants=NAMESPACES,
)
async def no_auth_is_empty(t: Bench, nsp: str) -> None:
    """A CONNECT packet without payload reaches the application as empty credentials."""
    peer = await t.sio.open()
    await peer.connect(nsp)
    t.equal(peer.auth.get(nsp), {}, "auth")


@case(
    "sio5.connect.auth-not-object.closes",
    covers=["SIO-VAL-01", "SIO-DISC-07"],
    tags=["close"],
    variants=across(
        {"array": "0[]", "string": '0"x"', "null": "0null", "true": "0true", "false": "0false"},
        TRANSPORTS,
    ),
)
async def auth_not_object_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A CONNECT packet whose payload is no object closes the connection and joins nothing."""
    text, transport = variant
    bad = await t.sio.open(transport, name="bad")
    control = await t.sio.connect(transport, name="control")
    await refuses(t, bad, control, text)


@case(
    "sio5.connect.malformed.closes",
    covers=["SIO-DEC-09", "SIO-DISC-07"],
    tags=["close"],
    variants={"word": "0foo", "comma": "0,", "open-brace": "0{", "trailing": "0{}x"},
)
async def malformed_closes(t: Bench, text: str) -> None:
    """A CONNECT packet with neither a namespace nor a payload behind its type closes."""
    bad = await t.sio.open(name="bad")
    control = await t.sio.connect(name="control")
    await refuses(t, bad, control, text)


@case(
    "sio5.connect.other-packet-first.closes",
    covers=["SIO-CONN-03", "SIO-DISC-07"],
    tags=["close"],
    variants=across(
        {
            "event": ('2["message",1]',),
            "event-with-id": ('21["message-with-ack",1]',),
            "event-custom": ('2/custom,["message",1]',),
            "ack": ("30[]",),
            "disconnect": ("1",),
            "connect-error": ('4{"message":"x"}',),
            "binary-event": ('51-["message",{"_placeholder":true,"num":0}]', b"\x01"),
            "binary-ack": ('61-0[{"_placeholder":true,"num":0}]', b"\x01"),
            "unknown-type": ("abc",),
        },
        TRANSPORTS,
    ),
)
async def other_packet_first_closes(t: Bench, variant: tuple[Any, Transport]) -> None:
    """A connection that starts with anything but CONNECT is closed at once."""
    (text, *attachments), transport = variant
    bad = await t.sio.open(transport, name="bad")
    control = await t.sio.connect(transport, name="control")
    await refuses(t, bad, control, text, *attachments)


@case(
    "sio5.connect.after-refusal.event.closes",
    covers=["SIO-CONN-03", "SIO-DISC-07"],
    tags=["close"],
)
async def after_refusal_event_closes(t: Bench) -> None:
    """A refused CONNECT joins nothing: an event behind it closes the connection."""
    bad = await t.sio.open(name="bad")
    control = await t.sio.connect(name="control")
    await nobody_answers(bad)
    await refuses(t, bad, control, '2["message",1]')


@case("sio5.connect.session-id.shape", covers=["SIO-CONN-09"], needs=["app"], variants=NAMESPACES)
async def session_id_shape(t: Bench, nsp: str) -> None:
    """A session id is 20 characters of the URL-safe base64 alphabet."""
    peer = await t.sio.open()
    await peer.connect(nsp)
    sid = peer.sids[nsp]
    t.check(_SESSION_ID.fullmatch(sid) is not None, "20 characters of A-Z a-z 0-9 _ -", sid)


@case("sio5.connect.session-id.own", covers=["SIO-CONN-10"], needs=["app"])
async def session_id_own(t: Bench) -> None:
    """Every join gets an id of its own, which is not that of the engine's session."""
    ids: list[str] = []
    for number in range(5):
        peer = await t.sio.connect(name=f"peer{number}")
        await peer.connect("/custom")
        ids += [peer.engine.sid, peer.sids["/"], peer.sids["/custom"]]
    t.equal(len(set(ids)), len(ids), "number of different ids")


@case(
    "sio5.connect.twice.closes",
    covers=["SIO-CONN-13", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(NAMESPACES, TRANSPORTS),
    also="sio4",
)
async def twice_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A second CONNECT for a joined namespace closes the connection."""
    nsp, transport = variant
    bad, control = await t.sio.pair(transport, nsp=nsp)
    await refuses(t, bad, control, "0" if nsp == "/" else f"0{nsp},")


@case(
    "sio5.connect.twice-at-once.variant",
    covers=["SIO-CONN-16"],
    needs=["app"],
    variants=TRANSPORTS,
)
async def twice_at_once_variant(t: Bench, transport: Transport) -> None:
    """Two CONNECT packets for one namespace that arrive together close the connection."""
    control = await t.sio.connect(transport, name="control")
    peer = await t.sio.open(transport)
    await send_at_once(peer, "0", "0")
    answers = 0
    try:
        answers += sum(packet.type == sio.CONNECT for packet in await nobody_answers(peer))
        answers += sum(packet.type == sio.CONNECT for packet in await nobody_answers(peer))
    except Gone:
        answers = -1
    await require_control(t, control)
    t.check(answers == -1, "the connection closed", f"{answers} answers to CONNECT")


@case(
    "sio5.connect.event-at-once.variant",
    covers=["SIO-CONN-15"],
    needs=["app"],
    variants=TRANSPORTS,
)
async def event_at_once_variant(t: Bench, transport: Transport) -> None:
    """An event that arrives together with the CONNECT of its namespace closes the connection."""
    control = await t.sio.connect(transport, name="control")
    peer = await t.sio.open(transport)
    await send_at_once(peer, "0", '2["message","early"]')
    try:
        packets = await nobody_answers(peer) + await nobody_answers(peer)
    except Gone:
        came = "closed"
    else:
        echoed = any(packet.data == ["message-back", "early"] for packet in packets)
        came = "the event was delivered" if echoed else "the event was dropped"
    await require_control(t, control)
    t.check(came == "closed", "the connection closed", came)


@case(
    "sio5.connect.error-from-client.closes",
    covers=["SIO-CONN-17", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "main": '4{"message":"x"}',
            "custom": '4/custom,{"message":"x"}',
            "unknown": '4/nobody,{"message":"x"}',
            "string": '4"x"',
        },
        TRANSPORTS,
    ),
)
async def error_from_client_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A client that sends CONNECT_ERROR is disconnected, whatever the namespace."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.connect.again.new-session-id",
    covers=["SIO-CONN-19", "SIO-CONN-10"],
    needs=["app"],
    variants=across(NAMESPACES, TRANSPORTS),
)
async def again_new_session_id(t: Bench, variant: tuple[str, Transport]) -> None:
    """A namespace that was left can be joined again, and gets a new session id."""
    nsp, transport = variant
    peer = await t.sio.connect(transport, nsp=nsp)
    first = peer.sids[nsp]
    await peer.send("1" if nsp == "/" else f"1{nsp},")
    await nobody_answers(peer)
    with t.expecting("SIO-CONN-19"):
        answer = await peer.connect(nsp, {"again": True})
    t.equal(answer.type, sio.CONNECT, "type of the second answer")
    t.check(peer.sids[nsp] != first, "another session id", peer.sids[nsp], rule="SIO-CONN-10")
    t.equal(peer.auth.get(nsp), {"again": True}, "auth of the second join")
    if nsp == "/":
        await echoes(t, peer, "back again")


@case(
    "sio5.connect.again-at-once.variant",
    covers=["SIO-CONN-25"],
    needs=["app"],
    variants=TRANSPORTS,
)
async def again_at_once_variant(t: Bench, transport: Transport) -> None:
    """A DISCONNECT and a CONNECT that arrive together leave and join the namespace in order."""
    peer = await t.sio.connect(transport)
    await send_at_once(peer, "1", "0")
    try:
        answer = await peer.connect_answer()
    except Gone:
        came = "closed"
    else:
        came = "joined again" if answer.type == sio.CONNECT else str(answer)
    t.check(came == "joined again", "the namespace joined again", came)


@case("sio5.connect.id.not-echoed", covers=["SIO-CONN-08", "SIO-DEC-14"], needs=["app"])
async def id_not_echoed(t: Bench) -> None:
    """An acknowledgement id in a CONNECT packet asks for nothing, and does not come back."""
    peer = await t.sio.open()
    await peer.send('012{"a":1}')
    answer = await peer.connect_answer()
    t.equal(answer.type, sio.CONNECT, "type of the answer", rule="SIO-DEC-14")
    t.check(answer.id is None, "an answer without id", answer)


@case(
    "sio5.connect.no-namespace.times-out",
    covers=["SIO-CONN-04"],
    needs=["app", "fast-heartbeat"],
    tags=["close"],
    variants={"silent": False, "refused": True},
)
async def no_namespace_times_out(t: Bench, refused: bool) -> None:
    """A connection that keeps its heartbeat but joins no namespace is closed in the end."""
    bad = await t.sio.open(name="bad")
    control = await t.sio.connect(name="control")
    if refused:
        await nobody_answers(bad)
    # The peers answer every ping, so the heartbeat cannot be what closes this connection.
    closed = await bad.wait_closed(timeout=_CONNECT_TIMEOUT + t.timeout)
    await require_control(t, control)
    t.check(closed is not None, "closed, while a joined connection is open", closed or "open")


@case(
    "sio5.connect.left-last-namespace.no-time-limit",
    covers=["SIO-CONN-06"],
    needs=["app", "fast-heartbeat"],
    variants=TRANSPORTS,
)
async def left_last_namespace(t: Bench, transport: Transport) -> None:
    """The time to join a namespace does not begin again when the last one was left."""
    peer = await t.sio.connect(transport)
    await peer.send("1")
    before = await nobody_answers(peer)
    t.check(not before, "no packet in answer", before or None)
    closed = None
    with trio.move_on_after(1.5 * _CONNECT_TIMEOUT):
        await peer.engine.wait_until(lambda: peer.closed is not None)
        closed = peer.closed
    t.check(closed is None, "the connection open after 1.5 s", closed)
    answer = await peer.connect("/")
    t.equal(answer.type, sio.CONNECT, "type of the answer to another join")


@case("sio5.handshake.path.standard", covers=["SIO-OPT-01"], needs=["polling"])
async def path_standard(t: Bench) -> None:
    """Unless it is configured otherwise, a server is found at /socket.io/."""
    http = await t.http()
    query = "&".join(f"{name}={value}" for name, value in t.eio.query())
    response = await http.request("GET", f"/socket.io/?{query}")
    opens = response.status == 200 and response.text.startswith("0{")
    if not opens and t.site.socket_path not in (None, "/socket.io/"):
        t.skip(f"the server is configured to be at {t.site.socket_path}")
    t.check(opens, "an open packet", response)
    # Whoever opens anything that is asked for does not speak Socket.IO there.
    await require_control(t, await t.sio.connect("polling"))


@case(
    "sio5.handshake.revision.refused",
    covers=["SIO-CONN-22"],
    needs=["polling"],
    variants={"unknown": [("EIO", "abc")], "none": [], "too-new": [("EIO", "5")]},
)
async def revision_refused(t: Bench, revision: list[tuple[str, str]]) -> None:
    """A revision of Engine.IO that is not spoken is refused with status 400 and code 5."""
    control = await t.sio.connect("polling", name="control")
    http = await t.http()
    where = target(t.sio.path, [*revision, ("transport", "polling")])
    response = await http.request("GET", where)
    if response.status == 200 and re.match(r"[1-9][0-9]*:0\{", response.text):
        t.skip("the server takes it for revision 3, which it speaks")
    t.equal(response.status, 400, "status")
    told = response.json()
    code = told.get("code") if isinstance(told, dict) else None
    t.equal(code, 5, "code")
    await require_control(t, control)
