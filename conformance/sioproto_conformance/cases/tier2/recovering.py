"""What an application finds of a socket whose connection was lost, and what the client missed."""

from __future__ import annotations

from typing import Any

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.sio5._steps import same, shown
from sioproto_conformance.cases.tier2._members import Group, Member, expect_heard, log_with
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.recovery import RecoveringPeer

_NEEDS = ("conformance", "recovery")


@case(
    "sio5.recovering.rooms-and-data.back",
    covers=["SIO-CSR-11", "SIO-HS-13"],
    needs=_NEEDS,
)
async def rooms_and_data(t: Bench) -> None:
    """A recovered socket has its id, its rooms and its data, and says that it is recovered."""
    group = Group(t, recovering=True)
    a, witness = await group.join(), await group.join()
    await a.order("join", group("x"), group("y"))
    await a.order("data", {"kept": [1, "é"]})
    ticket = await _lose(t, group, a, witness)
    back = await group.join(auth=ticket)
    about = await back.about()
    t.equal(back.id, a.id, "the id by the answer to CONNECT")
    t.equal(about.get("id"), a.id, "the id by the application")
    t.equal(about.get("recovered"), True, "recovered", rule="SIO-HS-13")
    t.equal(set(about.get("rooms", ())), {a.id, group("x"), group("y")}, "the rooms")
    t.check(same(about.get("data"), {"kept": [1, "é"]}), "the data", shown(about.get("data")))
    await witness.emit("all", group("event"), 1, to=[group("y")])
    await expect_heard(t, back, [group("event"), 1])


@case(
    "sio5.recovering.middleware.skipped",
    covers=["SIO-MW-11", "SIO-CSR-11"],
    needs=[*_NEEDS, "middleware"],
)
async def middleware_skipped(t: Bench) -> None:
    """The middleware of a namespace does not run for a socket that is recovered."""
    group = Group(t, recovering=True)
    a, witness = await group.join(), await group.join()
    ticket = await _lose(t, group, a, witness)
    back, answer = await group.knock(auth={**ticket, "refuse": ["no"]})
    t.require(answer.type == sio.CONNECT, "to be let in, though middleware would refuse", answer)
    t.equal(back.id, a.id, "the id")
    _, answer = await group.knock(auth={"pid": "nobody", "offset": "never", "refuse": ["no"]})
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer to who is not recovered")


@case(
    "sio5.recovering.missed.as-of-rooms",
    covers=["SIO-CSR-13", "SIO-CSR-12"],
    needs=_NEEDS,
)
async def as_of_rooms(t: Bench) -> None:
    """What was missed is what would have been received, in order, by the rooms of that time."""
    group = Group(t, recovering=True)
    a, witness = await group.join(), await group.join()
    await a.order("join", group("x"))
    ticket = await _lose(t, group, a, witness)
    mine, other = [group("x")], [group("other")]
    await witness.emit("all", group("event"), 1)
    await witness.emit("all", group("event"), 2, to=mine)
    await witness.emit("all", group("event"), 3, to=other)
    if "without" not in t.site.lacking:
        await witness.emit("all", group("event"), 4, without=mine)
    await witness.emit("all", group("event"), 5, to=[a.id])
    await witness.emit("others", group("event"), 6, b"\x00\xff")
    await witness.emit("all", group("event"), 7, to=[*other, *mine])
    back = await group.join(auth=ticket)
    t.equal(back.id, a.id, "the id", rule="SIO-CSR-12")
    missed: list[list[Any]] = [[1], [2], [5], [6, b"\x00\xff"], [7]]
    await expect_heard(t, back, *([group("event"), *args] for args in missed))


@case(
    "sio5.recovering.missed.not-kept",
    covers=["SIO-CSR-05", "SIO-CSR-13"],
    needs=[*_NEEDS, "volatile", "broadcast-acks"],
)
async def not_kept(t: Bench) -> None:
    """Volatile events, and events that ask for an acknowledgement, are not kept for anybody."""
    group = Group(t, recovering=True)
    a, witness = await group.join(), await group.join()
    await a.order("join", group("x"))
    ticket = await _lose(t, group, a, witness)
    await witness.emit("all", group("event"), 1, to=[group("x")], volatile=True)
    await witness.order("ask", {"whom": "all", "to": [group("x")]}, 100, group("question"), 2)
    await witness.emit("all", group("event"), 3, to=[group("x")])
    back = await group.join(auth=ticket)
    t.equal(back.id, a.id, "the id", rule="SIO-CSR-13")
    await expect_heard(t, back, [group("event"), 3])


@case(
    "sio5.recovering.server-disconnects.not-kept",
    covers=["SIO-CSR-07"],
    needs=_NEEDS,
)
async def server_disconnects(t: Bench) -> None:
    """A socket that the server disconnected is not kept: who returns is somebody else."""
    group = Group(t, recovering=True)
    a, witness = await group.join(), await group.join()
    await a.order("join", group("x"))
    ticket = await _ticket(group, a)
    await a.give("disconnect", False)
    await log_with(t, witness, a.id, "disconnect")
    back = await group.join(auth=ticket)
    about = await back.about()
    t.check(back.id != a.id, "another id", back.id)
    t.equal(about.get("recovered"), False, "recovered")
    t.equal(about.get("rooms"), [back.id], "the rooms")


async def _ticket(group: Group, member: Member) -> dict[str, Any]:
    """Let a client see one event, and return what it takes to come back behind that."""
    await member.emit("me", group("seen"), 0)
    await member.heard()
    peer = member.peer
    assert isinstance(peer, RecoveringPeer)
    return dict(peer.ticket(member.nsp)) if peer.offsets else {"pid": peer.pids[member.nsp]}


async def _lose(t: Bench, group: Group, member: Member, witness: Member) -> dict[str, Any]:
    """Lose a client's connection, wait until the server knows, and return the way back."""
    ticket = await _ticket(group, member)
    await member.peer.engine.hang_up()
    await log_with(t, witness, member.id, "disconnect")
    return ticket
