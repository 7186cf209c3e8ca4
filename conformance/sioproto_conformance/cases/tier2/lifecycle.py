"""The end of sockets: who brings it about, what its application is told, what the client sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.sio5._steps import nobody_answers, send_at_once
from sioproto_conformance.cases.tier2._members import Group, Member, expect_heard, log_with
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import Gone


@dataclass(frozen=True)
class _End:
    """A way in which a socket ends, and the reason that the manual gives for it."""

    reason: str
    bring_about: Callable[[Member], Awaitable[object]]
    transport: Transport = "websocket"


async def _closes_websocket(member: Member) -> None:
    engine = member.peer.engine
    assert engine.ws is not None
    await engine.ws.send_frame(0x8, b"\x03\xe8")
    await engine.wait_until(lambda: engine.closed is not None)
    await engine.hang_up()


async def _closes_session(member: Member) -> None:
    """End the connection in a way that the server notices at once."""
    if member.peer.engine.ws is None:
        await member.peer.engine.send("1")
    else:
        await member.peer.engine.hang_up()


_ENDS = {
    "client-leaves": _End("client namespace disconnect", Member.leave),
    "client-leaves-polling": _End("client namespace disconnect", Member.leave, "polling"),
    "server-disconnects": _End(
        "server namespace disconnect", lambda member: member.give("disconnect", False)
    ),
    "connection-lost": _End("transport close", _closes_session),
    "websocket-closed": _End("transport close", _closes_websocket),
    "close-packet-polling": _End("transport close", _closes_session, "polling"),
}


@case(
    "sio5.lifecycle.reason.told",
    covers=["SIO-DISC-03"],
    needs=["conformance"],
    variants=_ENDS,
)
async def reason_told(t: Bench, end: _End) -> None:
    """The application is told once that a socket ends, with the reason that the manual names."""
    group = Group(t)
    a, witness = await group.join(end.transport), await group.join()
    await a.order("join", group("x"))
    await end.bring_about(a)
    await _expect_end(t, witness, a.id, end.reason)


@case(
    "sio5.lifecycle.ping-timeout.reason",
    covers=["SIO-DISC-03"],
    needs=["conformance", "fast-heartbeat"],
    variants=TRANSPORTS,
)
async def ping_timeout(t: Bench, transport: Transport) -> None:
    """A client that answers no ping is given up, with the reason that the manual names."""
    group = Group(t)
    a, witness = await group.join(transport), await group.join()
    a.peer.engine.answer_pings = False
    expiry = a.peer.engine.ping_interval + a.peer.engine.ping_timeout
    await a.peer.wait_closed(timeout=expiry + t.timeout)
    await _expect_end(t, witness, a.id, "ping timeout")


@case(
    "sio5.lifecycle.broken-protocol.reason",
    covers=["SIO-DISC-08", "SIO-DISC-03"],
    needs=["conformance"],
    variants={
        "undecodable": ("websocket", "2{}"),
        "undecodable-polling": ("polling", "2{}"),
        "never-joined": ("websocket", '2/nobody,["x"]'),
        "never-joined-polling": ("polling", '2/nobody,["x"]'),
    },
)
async def broken_protocol(t: Bench, variant: tuple[Transport, str]) -> None:
    """What a client does wrong ends its sockets with a reason that does not depend on timing."""
    transport, text = variant
    group = Group(t)
    a, witness = await group.join(transport), await group.join()
    await a.peer.send(text)
    told = await log_with(t, witness, a.id, "disconnect")
    ends = [entry for entry in told if entry[0] == "disconnect"]
    if not ends:
        t.skip("the server does not end the connection, which other cases ask for")
    t.equal(len(ends), 1, "how often the end is told", rule="SIO-DISC-03")
    t.observe("reason-for-broken-protocol", ends[0][2])
    allowed = ("forced close", "forced server close")
    t.check(ends[0][2] in allowed, f"one of {allowed}", ends[0][2])


@case(
    "sio5.lifecycle.rooms.full-then-empty",
    covers=["SIO-ROOM-06"],
    needs=["conformance", "disconnecting"],
    variants=_ENDS,
)
async def rooms_full_then_empty(t: Bench, end: _End) -> None:
    """Rooms are full while a socket is disconnecting, and empty when it is disconnected."""
    group = Group(t)
    a, witness = await group.join(end.transport), await group.join()
    await a.order("join", group("x"), group("y"))
    await end.bring_about(a)
    told = await log_with(t, witness, a.id, "disconnect")
    before = [entry[3] for entry in told if entry[0] == "disconnecting"]
    after = [entry[3] for entry in told if entry[0] == "disconnect"]
    t.equal(before, [[a.id, group("x"), group("y")]], "the rooms while disconnecting")
    t.equal(after, [[]], "the rooms once disconnected")


@case(
    "sio5.lifecycle.disconnect.rooms-empty",
    covers=["SIO-ROOM-06", "SIO-HS-09"],
    needs=["conformance"],
    variants=TRANSPORTS,
)
async def rooms_empty(t: Bench, transport: Transport) -> None:
    """A socket that is disconnected is in no room any more."""
    group = Group(t)
    a, b = await group.join(transport), await group.join(transport)
    await a.order("join", group("x"))
    await a.leave()
    told = await log_with(t, b, a.id, "disconnect")
    after = [entry[3] for entry in told if entry[0] == "disconnect"]
    t.equal(after, [[]], "the rooms once disconnected")


@case(
    "sio5.lifecycle.order.disconnecting-first",
    covers=["SIO-DISC-03"],
    needs=["conformance", "disconnecting"],
    variants=_ENDS,
)
async def disconnecting_first(t: Bench, end: _End) -> None:
    """``connection``, ``disconnecting`` and ``disconnect`` are told in this order, once each."""
    group = Group(t)
    a, witness = await group.join(end.transport), await group.join()
    await end.bring_about(a)
    told = await log_with(t, witness, a.id, "disconnect")
    kinds = [entry[0] for entry in told if entry[0] in _KINDS]
    t.equal(kinds, list(_KINDS), "what was told")
    reasons = {entry[2] for entry in told if entry[0] in _KINDS[1:]}
    t.equal(len(reasons), 1, "how many different reasons there are")


_KINDS = ("connection", "disconnecting", "disconnect")


@case(
    "sio5.lifecycle.connection-lost.all-namespaces",
    covers=["SIO-DISC-06", "SIO-DISC-03"],
    needs=["conformance", "dynamic-namespaces"],
    variants=TRANSPORTS,
)
async def all_namespaces(t: Bench, transport: Transport) -> None:
    """A connection that ends takes the sockets of all its namespaces along, for one reason."""
    group = Group(t)
    a, witness = await group.join(transport), await group.join()
    second = Member(a.peer, f"{group.nsp}second", "")
    await second.peer.connect(second.nsp)
    await _closes_session(a)
    told = await log_with(t, witness, second.id, "disconnect")
    ends = [entry for entry in await witness.log(a.id, second.id) if entry[0] == "disconnect"]
    ids = [entry[1] for entry in ends]
    reasons = {entry[2] for entry in ends}
    t.equal(sorted(ids), sorted([a.id, second.id]), "the sockets that ended", rule="SIO-DISC-03")
    t.observe("first-told-of-the-end", "joined first" if ids[:1] == [a.id] else "joined later")
    t.check(len(reasons) == 1, "the same reason for both", reasons or told)


@case(
    "sio5.lifecycle.server-disconnects.packet",
    covers=["SIO-DISC-04"],
    needs=["conformance", "app"],
    variants=TRANSPORTS,
)
async def server_disconnects(t: Bench, transport: Transport) -> None:
    """A server that disconnects a socket sends DISCONNECT and keeps the connection."""
    group = Group(t)
    a = await group.join(transport)
    first = a.id
    main = SocketPeer(a.peer.engine, expects_auth=True)
    await main.connect("/")
    await a.order("log", [])
    await a.give("disconnect", False)
    packet = await _next_disconnect(a)
    t.require(packet is not None, f"DISCONNECT in {a.nsp}", packet)
    assert packet is not None
    t.equal(packet.nsp, a.nsp, "the namespace that is disconnected")
    t.equal(packet.data, None, "its payload")
    t.check(await main.alive() is None, "the other namespace as it was", main.closed)
    again = await a.peer.connect(a.nsp)
    t.require(again.type == sio.CONNECT, "another join", again)
    t.check(a.id != first, "another id after another join", a.id)
    await expect_heard(t, a)


@case(
    "sio5.lifecycle.server-disconnects.from-another",
    covers=["SIO-BC-18", "SIO-DISC-04"],
    needs=["conformance", "bulk"],
)
async def from_another(t: Bench) -> None:
    """The sockets of a room can be disconnected; each gets a packet, and the others nothing."""
    group = Group(t)
    a, b, c = await group.three()
    for member in (a, b):
        await member.order("join", group("x"))
    await c.order("disconnect-all", {"whom": "all", "to": [group("x")]}, False)
    for member in (a, b):
        packet = await _next_disconnect(member)
        found = packet is not None and packet.nsp == member.nsp
        t.check(found, "DISCONNECT in the namespace", packet, rule="SIO-DISC-04")
    await expect_heard(t, c)
    for member in (a, b):
        told = await log_with(t, c, member.id, "disconnect")
        reasons = [entry[2] for entry in told if entry[0] == "disconnect"]
        t.equal(reasons, ["server namespace disconnect"], "the reason that is told")
        answer = await member.peer.connect(member.nsp)
        t.equal(answer.type, sio.CONNECT, "type of the answer to another join", rule="SIO-DISC-04")


@case(
    "sio5.lifecycle.server-closes.every-namespace-told",
    covers=["SIO-DISC-05"],
    needs=["conformance", "close", "app"],
    variants=TRANSPORTS,
)
async def server_closes(t: Bench, transport: Transport) -> None:
    """A client that is disconnected altogether gets DISCONNECT for each namespace, then the end."""
    group = Group(t)
    a, witness = await group.join(transport), await group.join()
    main = SocketPeer(a.peer.engine, expects_auth=True)
    await main.connect("/")
    mark = len(a.peer.engine.seen)
    await a.emit("me", group("before"), 1)
    await a.give("disconnect", True)
    await t.expect_closed(a.peer, while_open=witness.peer)
    texts = [str(seen.packet) for seen in a.peer.engine.seen[mark:]]
    told = [text for text in texts if text in ("41", f"41{a.nsp},", f"41{a.nsp}")]
    t.equal(sorted(told), sorted(["41", f"41{a.nsp},"]), "the DISCONNECT packets")
    await _expect_end(t, witness, a.id, "server namespace disconnect", rule="SIO-DISC-05")


@case(
    "sio5.lifecycle.server-hangs-up.not-a-word",
    covers=["SIO-DISC-03", "SIO-DISC-06", "EIO-CL-04"],
    needs=["conformance", "conn-close"],
    variants=TRANSPORTS,
)
async def server_hangs_up(t: Bench, transport: Transport) -> None:
    """A connection that is closed below Socket.IO delivers what it has; each socket is told once.

    Whether a DISCONNECT goes before is left open.
    """
    group = Group(t)
    a, witness = await group.join(transport), await group.join()
    second = Member(a.peer, f"{group.nsp}second", "")
    joined = [a]
    if "dynamic-namespaces" not in t.site.lacking:
        await second.peer.connect(second.nsp)
        joined.append(second)
    mark = len(a.peer.engine.seen)
    emit = f'2{a.nsp},["conf:emit",{{"whom":"me"}},"{group("before")}"]'
    await send_at_once(a.peer, emit, f'2{a.nsp},["conf:close"]')
    if await a.peer.wait_closed(timeout=t.timeout) is None:
        t.inconclusive("the connection was not closed")
    texts = [str(seen.packet) for seen in a.peer.engine.seen[mark:]]
    before = any(group("before") in text for text in texts)
    t.check(before, "what was emitted before the end", texts, rule="EIO-CL-04")
    told = [text for text in texts if text.startswith("41")]
    t.observe("disconnect-for-closed-connection", ", ".join(told) or "none")
    reasons = set()
    for member in joined:
        log = await log_with(t, witness, member.id, "disconnect")
        ends = [entry[2] for entry in log if entry[0] == "disconnect"]
        t.equal(len(ends), 1, f"how often the end of {member.nsp} is told")
        reasons.update(ends)
    t.observe("reason-for-closed-connection", ", ".join(sorted(reasons)))
    t.equal(len(reasons), 1, "how many different reasons there are", rule="SIO-DISC-06")


@case(
    "sio5.lifecycle.leaves-twice.told-once",
    covers=["SIO-DISC-03"],
    needs=["conformance", "bulk"],
)
async def told_once(t: Bench) -> None:
    """Who is disconnected from both sides at the same time ends once."""
    group = Group(t)
    a, witness = await group.join(), await group.join()
    await a.order("join", group("x"))
    await a.leave()
    await witness.order("disconnect-all", {"whom": "all", "to": [group("x")]}, False)
    await witness.order("disconnect-all", {"whom": "all", "to": [a.id]}, True)
    told = await log_with(t, witness, a.id, "disconnect")
    ends = [entry for entry in told if entry[0] == "disconnect"]
    t.equal(len(ends), 1, "how often the end is told")


@case(
    "sio5.lifecycle.new-socket.new-id",
    covers=["SIO-HS-08", "SIO-HS-10"],
    needs=["conformance"],
)
async def new_socket(t: Bench) -> None:
    """Who joins again is a new socket: another id, no room but its own."""
    group = Group(t)
    a = await group.join()
    first = a.id
    await a.order("join", group("x"))
    await a.order("data", {"kept": [1]})
    data = (await a.about()).get("data")
    t.equal(data, {"kept": [1]}, "the data that were given", rule="SIO-HS-10")
    await a.leave()
    await nobody_answers(a.peer)
    answer = await a.peer.connect(a.nsp)
    t.require(answer.type == sio.CONNECT, "another join", answer)
    about = await a.about()
    t.check(a.id != first, "another id", a.id)
    t.equal(about.get("rooms"), [a.id], "the rooms of the new socket")


async def _next_disconnect(member: Member) -> sio.Packet | None:
    """Return the next DISCONNECT packet, ``None`` if the connection ends first."""
    try:
        while (packet := await member.peer.next()).type != sio.DISCONNECT:
            pass
    except Gone:
        return None
    return packet


async def _expect_end(
    t: Bench, witness: Member, id: str, reason: str, *, rule: str | None = None
) -> None:
    told = await log_with(t, witness, id, "disconnect")
    ends: list[Any] = [entry[2] for entry in told if entry[0] == "disconnect"]
    t.equal(ends, [reason], "the reasons told for the end of the socket", rule=rule)
