"""Connection state recovery: who was cut off finds the socket as it was left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import NAMESPACES, echoes, nobody_answers, shown
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport
from sioproto_conformance.peers.recovery import RecoveringPeer

_AGAIN_AFTER = 0.03


async def _open(t: Bench, transport: Transport = "websocket", name: str = "peer") -> RecoveringPeer:
    peer = await t.recovery.open(transport, name=name)
    assert isinstance(peer, RecoveringPeer)
    return peer


async def _connect(
    t: Bench, transport: Transport = "websocket", *, nsp: str = "/", name: str = "peer"
) -> RecoveringPeer:
    peer = await t.recovery.connect(transport, nsp=nsp, name=name)
    assert isinstance(peer, RecoveringPeer)
    return peer


async def _return(t: Bench, ticket: dict[str, Any], sid: str, *, nsp: str = "/") -> RecoveringPeer:
    """Return with a ticket until the server has seen that the old connection is gone.

    Gives up when the time for an answer has passed, with the last socket that was had.
    """
    until = trio.current_time() + t.timeout
    while True:
        peer = await _open(t, name="back")
        answer = await peer.connect(nsp, ticket)
        t.require(answer.type == sio.CONNECT, "an answer to CONNECT", answer)
        if peer.sids[nsp] == sid or trio.current_time() > until:
            return peer
        await trio.sleep(_AGAIN_AFTER)


@case(
    "sio5.recovery.connect.private-id",
    covers=["SIO-CSR-02", "SIO-CONN-08"],
    needs=["recovery", "app"],
    variants=across(NAMESPACES, TRANSPORTS),
)
async def connect_private_id(t: Bench, variant: tuple[str, Transport]) -> None:
    """The answer to a CONNECT has a private id besides, which no other socket has."""
    nsp, transport = variant
    peers = [await _connect(t, transport, nsp=nsp, name=f"peer{number}") for number in range(3)]
    for peer in peers:
        pid = peer.pids.get(nsp)
        t.check(isinstance(pid, str) and len(pid) >= 16, "a private id", repr(pid))
    ids = [identity for peer in peers for identity in (peer.pids.get(nsp), peer.sids[nsp])]
    t.equal(len(set(ids)), len(ids), "number of different ids")


@case("sio5.recovery.off.no-private-id", covers=["SIO-CSR-19"], needs=["app"])
async def off_no_private_id(t: Bench) -> None:
    """Where there is no recovery, what a client says is its private id is auth like any other."""
    peer = await t.sio.open()
    auth = {"pid": "foo", "offset": "bar"}
    answer = await peer.connect("/", auth)
    t.require(isinstance(answer.data, dict), "an object in the answer", answer)
    if "pid" in answer.data:
        t.skip("the application of the contract has recovery on")
    t.equal(peer.auth.get("/"), auth, "auth")


@case(
    "sio5.recovery.event.has-offset",
    covers=["SIO-CSR-03", "SIO-CSR-04"],
    needs=["recovery", "app"],
    variants=TRANSPORTS,
)
async def event_has_offset(t: Bench, transport: Transport) -> None:
    """Every event, with attachments or without, has an offset as its last argument."""
    peer = await _connect(t, transport)
    sent: list[list[Any]] = [[1], [{"a": [True]}, None], [b"\x01\x02"], [], [b""]]
    for number, args in enumerate(sent):
        await peer.emit("message", *args)
        packet = await peer.next()
        expected = ["message-back", *args]
        t.equal(packet.data, expected, "event without its offset")
        t.equal(len(peer.offsets), number + 2, "number of offsets")
    t.equal(len(set(peer.offsets)), len(peer.offsets), "different offsets", rule="SIO-CSR-04")


@case(
    "sio5.recovery.acknowledgement.no-offset",
    covers=["SIO-CSR-05"],
    needs=["recovery", "app"],
    variants=TRANSPORTS,
)
async def acknowledgement_no_offset(t: Bench, transport: Transport) -> None:
    """An acknowledgement is not recovered, and has no offset."""
    peer = await _connect(t, transport)
    await peer.emit("message-with-ack", 1, id=7)
    packet = await peer.next()
    t.check(packet.type == sio.ACK and packet.id == 7, "the acknowledgement", packet)
    t.equal(packet.data, [1], "its values")


async def _abort(t: Bench, peer: RecoveringPeer) -> None:
    # A poll has to be pending for its loss to be noticed: it is sent before this is answered.
    await t.eio.get(t.eio.query(sid="nobody"))
    await peer.engine.hang_up()


async def _reset(t: Bench, peer: RecoveringPeer) -> None:
    assert peer.engine.ws is not None
    await peer.engine.ws.wire.reset()


async def _close_frame(t: Bench, peer: RecoveringPeer) -> None:
    assert peer.engine.ws is not None
    await peer.engine.ws.send_close(1000)
    # A server may wait for the end of the connection itself.
    await peer.wait_closed(timeout=t.timeout)
    await peer.engine.ws.abort()


async def _close_packet(t: Bench, peer: RecoveringPeer) -> None:
    await peer.engine.send("1")


async def _illegal_frame(t: Bench, peer: RecoveringPeer) -> None:
    assert peer.engine.ws is not None
    await peer.engine.ws.send_frame(0x3, b"x")


async def _garbage(t: Bench, peer: RecoveringPeer) -> None:
    await peer.send("abc")


_Drop = Callable[[Bench, RecoveringPeer], Awaitable[None]]

_LOSSES: dict[str, tuple[Transport, _Drop]] = {
    "websocket-dropped": ("websocket", _abort),
    "websocket-reset": ("websocket", _reset),
    "websocket-close-frame": ("websocket", _close_frame),
    "websocket-illegal-frame": ("websocket", _illegal_frame),
    "undecodable-packet": ("websocket", _garbage),
    "poll-dropped": ("polling", _abort),
    "close-packet": ("polling", _close_packet),
}


@case(
    "sio5.recovery.lost-connection.recovered",
    covers=["SIO-CSR-07", "SIO-CSR-11"],
    needs=["recovery", "app"],
    variants=_LOSSES,
)
async def lost_connection_recovered(t: Bench, variant: tuple[Transport, _Drop]) -> None:
    """Who lost the connection and returns in time is the same socket, with both its ids."""
    transport, drop = variant
    peer = await _connect(t, transport)
    await echoes(t, peer, "before", rule="SIO-CSR-11")
    await drop(t, peer)
    back = await _return(t, peer.ticket(), peer.sids["/"])
    t.equal(back.sids["/"], peer.sids["/"], "session id")
    t.equal(back.pids.get("/"), peer.pids["/"], "private id", rule="SIO-CSR-11")
    await echoes(t, back, "after", rule="SIO-CSR-11")


@case(
    "sio5.recovery.custom-namespace.recovered",
    covers=["SIO-CSR-11"],
    needs=["recovery", "app"],
)
async def custom_namespace_recovered(t: Bench) -> None:
    """Each namespace is recovered by its own private id and offset."""
    peer = await _connect(t, nsp="/custom")
    await _abort(t, peer)
    back = await _return(t, peer.ticket("/custom"), peer.sids["/custom"], nsp="/custom")
    t.equal(back.sids["/custom"], peer.sids["/custom"], "session id")
    t.equal(back.pids.get("/custom"), peer.pids["/custom"], "private id")


@case(
    "sio5.recovery.missed-events.replayed",
    covers=["SIO-CSR-13", "SIO-CSR-12", "SIO-CSR-03", "SIO-CSR-11"],
    needs=["recovery", "app"],
    variants=TRANSPORTS,
)
async def missed_events_replayed(t: Bench, transport: Transport) -> None:
    """What came behind the offset is sent again, in order, as it was, before the answer."""
    peer = await _connect(t, transport)
    seen = peer.offsets[-1]
    sent: list[list[Any]] = [["one"], [{"two": [2]}], [b"\x03\x04"], ["four"]]
    for args in sent:
        await peer.emit("message", *args)
        await peer.next()
    missed = peer.offsets[1:]
    await _abort(t, peer)
    back = await _return(t, peer.ticket(offset=seen), peer.sids["/"])
    t.require(back.sids["/"] == peer.sids["/"], "recovered", back.sids["/"], rule="SIO-CSR-11")
    replayed = [packet.data for packet in await back.sentinel()]
    expected = [["message-back", *args] for args in sent]
    t.equal(replayed, expected, f"the events {shown(expected)}")
    again = [offset for offset in back.offsets if offset in missed]
    t.equal(again, missed, "offsets", rule="SIO-CSR-03")
    packets = [str(one.packet) for one in back.engine.seen]
    answer = next(n for n, packet in enumerate(packets) if packet.startswith("40"))
    events = [n for n, packet in enumerate(packets) if "message-back" in packet][: len(sent)]
    before = all(n < answer for n in events)
    t.check(before, "all of them before the answer to CONNECT", packets, rule="SIO-CSR-12")


@case(
    "sio5.recovery.seen-events.not-replayed",
    covers=["SIO-CSR-13", "SIO-CSR-11"],
    needs=["recovery", "app"],
)
async def seen_events_not_replayed(t: Bench) -> None:
    """What the client has seen, its acknowledgements included, does not come again."""
    peer = await _connect(t)
    await echoes(t, peer, "seen", rule="SIO-CSR-11")
    await peer.emit("message-with-ack", "seen", id=1)
    await peer.next()
    await _abort(t, peer)
    back = await _return(t, peer.ticket(), peer.sids["/"])
    t.require(back.sids["/"] == peer.sids["/"], "recovered", back.sids["/"], rule="SIO-CSR-11")
    await t.nothing_more(back)


@case(
    "sio5.recovery.ticket.seen-by-application",
    covers=["SIO-CSR-17", "SIO-CSR-11"],
    needs=["recovery", "app"],
)
async def ticket_seen_by_application(t: Bench) -> None:
    """The application sees what the client returned with among its credentials."""
    peer = await _connect(t)
    await _abort(t, peer)
    auth = {"token": "x", **peer.ticket()}
    back = await _return(t, auth, peer.sids["/"])
    t.require(back.sids["/"] == peer.sids["/"], "recovered", back.sids["/"], rule="SIO-CSR-11")
    t.equal(back.auth.get("/"), auth, "auth")


@case(
    "sio5.recovery.ended-by-client.new-socket",
    covers=["SIO-CSR-07"],
    needs=["recovery", "app"],
    variants={"namespace-left": "41", "undecodable-engine-packet": "abc"},
)
async def ended_by_client_new_socket(t: Bench, packet: str) -> None:
    """A socket that its client left, or whose engine session broke the protocol, is not kept."""
    peer = await _connect(t)
    await echoes(t, peer, "before")
    await peer.engine.send(packet)
    if packet == "41":
        # What leaves and joins again at once is a question of its own (SIO-CONN-25).
        await nobody_answers(peer)
        answer = await peer.connect("/", peer.ticket())
        t.require(answer.type == sio.CONNECT, "an answer to CONNECT", answer)
        # The peer's own ids are those of the new join by now.
        t.check(len(set(_ids(peer, "sid"))) == 2, "another session id", _ids(peer, "sid"))
        t.check(len(set(_ids(peer, "pid"))) == 2, "another private id", _ids(peer, "pid"))
        return
    if await peer.wait_closed(timeout=t.timeout) is None:
        t.inconclusive("the session is still open")
    back = await _open(t, name="back")
    await back.connect("/", peer.ticket())
    t.check(back.sids["/"] != peer.sids["/"], "another session id", back.sids["/"])


def _ids(peer: RecoveringPeer, key: str) -> list[str]:
    packets = [str(seen.packet) for seen in peer.engine.seen]
    answers = [sio.decode_header(text[1:])[0].data for text in packets if text.startswith("40{")]
    return [answer[key] for answer in answers]


_CLAIMS: dict[str, dict[str, Any]] = {
    "unknown": {"pid": "foo", "offset": "bar"},
    "inherited-names": {"pid": "__proto__", "offset": "constructor"},
    "offset-missing": {"pid": True},
    "pid-missing": {"offset": True},
    "pid-number": {"pid": 1, "offset": True},
    "pid-object": {"pid": {"a": 1}, "offset": True},
    "offset-number": {"pid": True, "offset": 7},
    "offset-list": {"pid": True, "offset": ["x"]},
    "offset-unknown": {"pid": True, "offset": "no-such-offset"},
    "empty": {"pid": "", "offset": ""},
}
"""What clients claim; True stands for the right value."""


@case(
    "sio5.recovery.wrong-claim.new-socket",
    covers=["SIO-CSR-10", "SIO-CSR-09"],
    needs=["recovery", "app"],
    variants=_CLAIMS,
)
async def wrong_claim_new_socket(t: Bench, claim: dict[str, Any]) -> None:
    """A client whose claim does not hold joins as a new socket, without an error."""
    peer = await _connect(t)
    right = peer.ticket()
    # The right ticket, used last, tells that the old connection was known to be gone.
    await _abort(t, peer)
    ticket = {name: right[name] if value is True else value for name, value in claim.items()}
    back = await _open(t, name="back")
    answer = await back.connect("/", ticket)
    t.require(answer.type == sio.CONNECT, "an answer to CONNECT", answer)
    t.check(back.sids["/"] != peer.sids["/"], "another session id", back.sids["/"])
    t.check(back.pids.get("/") != peer.pids["/"], "another private id", back.pids)
    await echoes(t, back, "at home")
    owner = await _return(t, right, peer.sids["/"])
    same_one = owner.sids["/"] == peer.sids["/"]
    t.check(same_one, "the right claim still good", owner.sids["/"], rule="SIO-CSR-10")


@case(
    "sio5.recovery.open-connection.not-taken-over",
    covers=["SIO-CSR-10"],
    needs=["recovery", "app"],
    tags=["security"],
)
async def open_connection_not_taken_over(t: Bench) -> None:
    """While the connection of a socket is open, nobody recovers it, and it goes on."""
    peer = await _connect(t)
    thief = await _open(t, name="thief")
    await thief.connect("/", peer.ticket())
    t.check(thief.sids["/"] != peer.sids["/"], "another session id", thief.sids["/"])
    await echoes(t, thief, "of the thief")
    await echoes(t, peer, "of the owner")
    await t.nothing_more(peer)


@case(
    "sio5.recovery.other-namespace.new-socket",
    covers=["SIO-CSR-10"],
    needs=["recovery", "app"],
)
async def other_namespace_new_socket(t: Bench) -> None:
    """The private id of one namespace is unknown in another."""
    peer = await _connect(t)
    await _abort(t, peer)
    back = await _open(t, name="back")
    answer = await back.connect("/custom", peer.ticket())
    t.require(answer.type == sio.CONNECT, "an answer to CONNECT", answer)
    t.check(back.sids["/custom"] != peer.sids["/"], "another session id", back.sids["/custom"])
    t.check(back.pids["/custom"] != peer.pids["/"], "another private id", back.pids["/custom"])


@case(
    "sio5.recovery.claim-again.new-socket",
    covers=["SIO-CSR-16", "SIO-CSR-11"],
    needs=["recovery", "app"],
    variants={"while-open": False, "after-the-next-loss": True},
)
async def claim_again_new_socket(t: Bench, lost: bool) -> None:
    """A private id is good for one recovery at a time: two sockets never have one id."""
    peer = await _connect(t)
    ticket = peer.ticket()
    await _abort(t, peer)
    first = await _return(t, ticket, peer.sids["/"])
    t.require(first.sids["/"] == peer.sids["/"], "recovered", first.sids["/"], rule="SIO-CSR-11")
    if lost:
        await echoes(t, first, "again", rule="SIO-CSR-11")
        await _abort(t, first)
        second = await _return(t, first.ticket(), peer.sids["/"])
        same_one = second.sids["/"] == peer.sids["/"]
        t.check(same_one, "recovered once more", second.sids["/"], rule="SIO-CSR-11")
        return
    second = await _open(t, name="second")
    await second.connect("/", ticket)
    t.check(second.sids["/"] != first.sids["/"], "another session id", second.sids["/"])
