"""What a server does with all sockets that a broadcast would reach."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.sio5._steps import nobody_answers
from sioproto_conformance.cases.tier2._members import Group, expect_heard


@case("sio5.bulk.members.fetched", covers=["SIO-BC-17"], needs=["conformance", "bulk"])
async def members_fetched(t: Bench) -> None:
    """The sockets that a broadcast would reach can be fetched, each once."""
    group = Group(t)
    a, b, c = await group.three()
    x, y = group("x"), group("y")
    await a.order("join", x, y)
    await b.order("join", y)
    found = await c.order("members", {"whom": "all", "to": [x, y]})
    t.equal(sorted(found), sorted([a.id, b.id]), "the members of two rooms")
    found = await a.order("members", {"whom": "others", "to": [x, y]})
    t.equal(found, [b.id], "the other members")
    found = await a.order("members", {"whom": "all", "to": [group("nobody")]})
    t.equal(found, [], "the members of a room that is not there")
    await b.leave()
    await nobody_answers(b.peer)
    found = await c.order("members", {"whom": "all", "to": [y]})
    t.equal(found, [a.id], "the members after one has left the namespace")


@case(
    "sio5.bulk.members.without",
    covers=["SIO-BC-17", "SIO-BC-03"],
    needs=["conformance", "bulk", "without"],
)
async def members_without(t: Bench) -> None:
    """Those in an excepted room are not fetched."""
    group = Group(t)
    a, b, c = await group.three()
    for member in (a, b, c):
        await member.order("join", group("x"))
    await b.order("join", group("y"))
    found = await a.order(
        "members", {"whom": "all", "to": [group("x")], "without": [group("y"), c.id]}
    )
    t.equal(found, [a.id], "the members that are left")


@case("sio5.bulk.join-and-leave.all", covers=["SIO-BC-18"], needs=["conformance", "bulk"])
async def join_and_leave(t: Bench) -> None:
    """All sockets of a room can be put into another and taken out of it; the others stay."""
    group = Group(t)
    a, b, c = await group.three()
    x, y = group("x"), group("y")
    for member in (a, b):
        await member.order("join", x)
    await c.order("join-all", {"whom": "all", "to": [x]}, y)
    for member, rooms in ((a, {a.id, x, y}), (b, {b.id, x, y}), (c, {c.id})):
        t.equal(set(await member.rooms()), rooms, f"the rooms of {member.name}")
    await c.emit("all", group("event"), 1, to=[y])
    await c.order("leave-all", {"whom": "all", "to": [y]}, x)
    await c.order("leave-all", {"whom": "all", "to": [a.id]}, y)
    await c.emit("all", group("event"), 2, to=[x])
    await c.emit("all", group("event"), 3, to=[y])
    await expect_heard(t, a, [group("event"), 1])
    await expect_heard(t, b, [group("event"), 1], [group("event"), 3])
    await expect_heard(t, c)


@case("sio5.bulk.others.not-me", covers=["SIO-BC-18", "SIO-BC-06"], needs=["conformance", "bulk"])
async def others_not_me(t: Bench) -> None:
    """What a socket does to the others in its room it does not do to itself."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    for member in (a, b):
        await member.order("join", group("x"))
    await a.order("join-all", {"whom": "others", "to": [group("x")]}, group("y"))
    t.equal(set(await b.rooms()), {b.id, group("x"), group("y")}, "the rooms of the other")
    mine = set(await a.rooms())
    t.equal(mine, {a.id, group("x")}, "the rooms of the socket itself", rule="SIO-BC-06")
