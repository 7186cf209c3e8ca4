"""Rooms."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.sio5._steps import nobody_answers
from sioproto_conformance.cases.tier2._members import Group, expect_heard
from sioproto_conformance.peers.eio import TRANSPORTS, Transport


@case(
    "sio5.rooms.own-room.joined",
    covers=["SIO-ROOM-01", "SIO-CONN-11"],
    needs=["conformance"],
    variants=TRANSPORTS,
)
async def own_room_joined(t: Bench, transport: Transport) -> None:
    """A socket is in the room of the id that its client knows, and is reached there alone."""
    group = Group(t)
    a, b, c = await group.three(transport)
    about = await b.about()
    t.equal(about.get("id"), b.id, "the id by the application", rule="SIO-CONN-11")
    t.equal(about.get("rooms"), [b.id], "the rooms of the socket")
    await a.emit("all", group("private"), 1, to=[b.id])
    await expect_heard(t, b, [group("private"), 1])
    for other in (a, c):
        await expect_heard(t, other)


@case("sio5.rooms.join.at-once", covers=["SIO-ROOM-02"], needs=["conformance"], variants=TRANSPORTS)
async def join_at_once(t: Bench, transport: Transport) -> None:
    """Joining and leaving takes effect at once, and nothing of it is on the wire."""
    group = Group(t)
    a, b, _ = await group.three(transport)
    await a.order("join", group("x"), group("y"))
    joined = {a.id, group("x"), group("y")}
    t.equal(set(await a.rooms()), joined, "the rooms after joining two")
    await b.emit("all", group("event"), 1, to=[group("y")])
    await expect_heard(t, a, [group("event"), 1])
    await a.order("leave", group("y"))
    t.equal(set(await a.rooms()), joined - {group("y")}, "the rooms after leaving one")
    await b.emit("all", group("event"), 2, to=[group("y")])
    await b.emit("all", group("event"), 3, to=[group("x")])
    await expect_heard(t, a, [group("event"), 3])
    await expect_heard(t, b)
    t.equal(set(await b.rooms()), {b.id}, "the rooms of another socket")


@case("sio5.rooms.join-twice.once-in", covers=["SIO-ROOM-03"], needs=["conformance"])
async def join_twice(t: Bench) -> None:
    """Who joins a room twice is in it once, and out of it after leaving once."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    await a.order("join", group("x"), group("x"))
    await a.order("join", group("x"))
    rooms = await a.rooms()
    t.equal(rooms.count(group("x")), 1, "how often the room is among the rooms")
    await b.emit("all", group("event"), 1, to=[group("x")])
    await expect_heard(t, a, [group("event"), 1])
    await a.order("leave", group("x"))
    t.equal(await a.rooms(), [a.id], "the rooms after leaving")
    await b.emit("all", group("event"), 2, to=[group("x")])
    await expect_heard(t, a)


@case("sio5.rooms.leave-unknown.no-effect", covers=["SIO-ROOM-03"], needs=["conformance"])
async def leave_unknown(t: Bench) -> None:
    """Leaving a room that one is not in, or that is not there, has no effect."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    await b.order("join", group("x"))
    await a.order("leave", group("x"))
    await a.order("leave", group("nowhere"))
    t.equal(await a.rooms(), [a.id], "the rooms of who left")
    t.equal(await b.rooms(), [b.id, group("x")], "the rooms of who is in")
    await a.emit("all", group("event"), 1, to=[group("x")])
    await expect_heard(t, b, [group("event"), 1])


@case("sio5.rooms.order.of-joining", covers=["SIO-ROOM-10"], needs=["conformance"])
async def order_of_joining(t: Bench) -> None:
    """The rooms of a socket are in the order in which it joined them."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    names = [group(word) for word in ("m", "z", "a", "b")]
    await b.order("join", *names[::-1])
    for name in names:
        await a.order("join", name)
    t.equal(await a.rooms(), [a.id, *names], "the rooms")
    await a.order("leave", names[1])
    await a.order("join", names[1])
    rejoined = [a.id, names[0], names[2], names[3], names[1]]
    t.equal(await a.rooms(), rejoined, "the rooms after leaving one and joining it again")


@case("sio5.rooms.empty-name.is-a-name", covers=["SIO-ROOM-09"], needs=["conformance"])
async def empty_name(t: Bench) -> None:
    """The empty string names a room like any other."""
    group = Group(t)
    a, b, c = await group.three()
    await b.order("join", "")
    await a.emit("all", group("event"), 1, to=[""])
    await expect_heard(t, b, [group("event"), 1])
    for other in (a, c):
        await expect_heard(t, other)


@case("sio5.rooms.named-like-an-id.ordinary", covers=["SIO-ROOM-11"], needs=["conformance"])
async def named_like_an_id(t: Bench) -> None:
    """The room of a socket's id is a room like any other: somebody else may join it."""
    group = Group(t)
    a, b, c = await group.three()
    await b.order("join", a.id)
    await c.emit("all", group("event"), 1, to=[a.id])
    for member in (a, b):
        await expect_heard(t, member, [group("event"), 1])
    await expect_heard(t, c)


@case(
    "sio5.rooms.own-room-left.still-reached",
    covers=["SIO-ROOM-12", "SIO-BC-07"],
    needs=["conformance"],
)
async def own_room_left(t: Bench) -> None:
    """A socket in no room gets what everybody gets, and still not what it broadcasts itself."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    await a.order("leave", a.id)
    t.equal(await a.rooms(), [], "the rooms after leaving the own one")
    await b.emit("all", group("event"), 1)
    await expect_heard(t, a, [group("event"), 1])
    await a.emit("others", group("event"), 2)
    await expect_heard(t, a, rule="SIO-BC-07")
    await expect_heard(t, b, [group("event"), 1], [group("event"), 2])


@case(
    "sio5.rooms.namespaces.apart",
    covers=["SIO-NSP-14"],
    needs=["conformance", "dynamic-namespaces"],
)
async def namespaces_apart(t: Bench) -> None:
    """A room of one namespace has nothing to do with the room of the same name in another."""
    group = Group(t)
    elsewhere = f"{group.nsp}elsewhere"
    here, there = await group.join(), await group.join(nsp=elsewhere)
    both = await group.join()
    await both.peer.connect(elsewhere)
    for member in (here, there):
        await member.order("join", group("x"))
    await here.emit("all", group("event"), 1, to=[group("x")])
    await expect_heard(t, here, [group("event"), 1])
    await expect_heard(t, there)
    await there.emit("all", group("event"), 2, to=[group("x")])
    await expect_heard(t, there, [group("event"), 2])
    for member in (here, both):
        await expect_heard(t, member)


@case(
    "sio5.rooms.changes.told-in-order",
    covers=["SIO-ROOM-05", "SIO-ROOM-04"],
    needs=["conformance", "room-log"],
)
async def changes_told(t: Bench) -> None:
    """A room is created with its first member and deleted with its last, and that is told."""
    group = Group(t)
    a, b, c = await group.three()
    room = group("x")
    await a.order("join", room)
    await b.order("join", room)
    await a.order("leave", room)
    in_between = [["create", room], ["join", room, a.id], ["join", room, b.id]]
    in_between.append(["leave", room, a.id])
    t.equal(await c.log(room), in_between, "what was told while somebody is in")
    await b.order("leave", room)
    end = [*in_between, ["leave", room, b.id], ["delete", room]]
    t.equal(await c.log(room), end, "what was told until nobody was in")
    await c.order("join", room)
    again = [*end, ["create", room], ["join", room, c.id]]
    t.equal(await c.log(room), again, "what is told of a room that is there again")


@case(
    "sio5.rooms.no-change.not-told",
    covers=["SIO-ROOM-03"],
    needs=["conformance", "room-log"],
)
async def no_change_not_told(t: Bench) -> None:
    """Joining a room twice, and leaving one that a socket is not in, is told to nobody."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    room = group("x")
    await a.order("join", room)
    await a.order("join", room)
    await b.order("leave", room)
    await b.order("leave", group("nowhere"))
    told = await a.log(room, group("nowhere"))
    t.equal(told, [["create", room], ["join", room, a.id]], "what was told")


@case(
    "sio5.rooms.end.left-and-deleted",
    covers=["SIO-ROOM-04"],
    needs=["conformance", "room-log"],
)
async def end_left_and_deleted(t: Bench) -> None:
    """With the end of its last member a room is gone, the socket's own one too."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    room = group("x")
    await a.order("join", room)
    await a.leave()
    await nobody_answers(a.peer)
    told = await b.log(room)
    t.equal(told[-2:], [["leave", room, a.id], ["delete", room]], "what was told at last")
    told = await b.log(a.id)
    t.check(["delete", a.id] in told, "the own room deleted", told)
