"""Broadcasts: who gets them, and what."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.sio5._steps import placeholders, same, shown
from sioproto_conformance.cases.tier2._members import Group, Member, expect_heard
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport
from sioproto_conformance.peers.sio import SocketPeer

_NESTED = ["é日😀", 1.5, None, {"deep": [True, {}]}]


@case(
    "sio5.broadcast.namespace.reaches-all-once",
    covers=["SIO-BC-01"],
    needs=["conformance"],
    variants=TRANSPORTS,
)
async def reaches_all(t: Bench, transport: Transport) -> None:
    """What is emitted to a namespace reaches everybody in it once, who asked for it included."""
    group = Group(t)
    members = await group.three(transport)
    await members[0].emit("all", group("event"), *_NESTED)
    for member in members:
        await expect_heard(t, member, [group("event"), *_NESTED])


@case(
    "sio5.broadcast.namespace.no-other",
    covers=["SIO-NSP-14"],
    needs=["app", "conformance"],
)
async def no_other_namespace(t: Bench) -> None:
    """Who has joined another namespace only is not reached."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    outsider = await t.sio.connect(name="outsider")
    await a.emit("all", group("event"), 1)
    await expect_heard(t, b, [group("event"), 1])
    await t.nothing_more(outsider)


@case(
    "sio5.broadcast.others.not-sender",
    covers=["SIO-BC-02"],
    needs=["conformance"],
    variants=TRANSPORTS,
)
async def others(t: Bench, transport: Transport) -> None:
    """What a socket broadcasts reaches everybody else once, and not itself."""
    group = Group(t)
    a, b, c = await group.three(transport)
    await a.emit("others", group("event"), *_NESTED)
    await expect_heard(t, a)
    for other in (b, c):
        await expect_heard(t, other, [group("event"), *_NESTED])


@case(
    "sio5.broadcast.rooms.union-once",
    covers=["SIO-BC-03", "SIO-BC-04"],
    needs=["conformance"],
    variants=TRANSPORTS,
)
async def union_once(t: Bench, transport: Transport) -> None:
    """Rooms add up, and who is in several of them gets the event once."""
    group = Group(t)
    a, b, c = await group.three(transport)
    nobody = await group.join(transport)
    x, y = group("x"), group("y")
    await a.order("join", x)
    await b.order("join", y)
    await c.order("join", x, y)
    await nobody.order("join", group("z"))
    await nobody.emit("all", group("event"), 1, to=[x, y])
    await expect_heard(t, c, [group("event"), 1], rule="SIO-BC-04")
    for member in (a, b):
        await expect_heard(t, member, [group("event"), 1])
    await expect_heard(t, nobody)


@case("sio5.broadcast.one-room.members-only", covers=["SIO-BC-03"], needs=["conformance"])
async def members_only(t: Bench) -> None:
    """A broadcast to a room reaches its members, and one to a room without any nobody."""
    group = Group(t)
    a, b, c = await group.three()
    await a.order("join", group("x"))
    await b.order("join", group("y"))
    await c.emit("all", group("event"), 1, to=[group("x")])
    await c.emit("all", group("event"), 2, to=[group("nobody")])
    await expect_heard(t, a, [group("event"), 1])
    for other in (b, c):
        await expect_heard(t, other)


@case("sio5.broadcast.room.not-sender", covers=["SIO-BC-06"], needs=["conformance"])
async def room_not_sender(t: Bench) -> None:
    """What a socket broadcasts to a room that it is in reaches the others there alone."""
    group = Group(t)
    a, b, c = await group.three()
    for member in (a, b):
        await member.order("join", group("x"), group("y"))
    await a.emit("others", group("event"), 1, to=[group("x"), group("y")])
    await a.emit("others", group("event"), 2, to=[a.id])
    await expect_heard(t, a)
    await expect_heard(t, b, [group("event"), 1])
    await expect_heard(t, c)


@case("sio5.broadcast.room.sender-with-all", covers=["SIO-BC-01"], needs=["conformance"])
async def sender_with_all(t: Bench) -> None:
    """What the namespace emits to a room reaches the socket that asked for it too."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    for member in (a, b):
        await member.order("join", group("x"))
    await a.emit("all", group("event"), 1, to=[group("x")])
    for member in (a, b):
        await expect_heard(t, member, [group("event"), 1])


@case(
    "sio5.broadcast.without.left-out",
    covers=["SIO-BC-03"],
    needs=["conformance", "without"],
    variants=TRANSPORTS,
)
async def left_out(t: Bench, transport: Transport) -> None:
    """Who is in an excepted room is left out, though in a chosen one too."""
    group = Group(t)
    a, b, c = await group.three(transport)
    d = await group.join(transport)
    x, y, z = group("x"), group("y"), group("z")
    await a.order("join", x)
    await b.order("join", y)
    await c.order("join", x, y, z)
    await d.emit("all", group("event"), 1, to=[x, y], without=[z, group("nobody")])
    await d.emit("all", group("event"), 2, without=[z, x])
    await d.emit("all", group("event"), 3, to=[x], without=[x])
    await d.emit("others", group("event"), 4, without=[b.id])
    await expect_heard(t, a, [group("event"), 1], [group("event"), 4])
    await expect_heard(t, b, [group("event"), 1], [group("event"), 2])
    await expect_heard(t, c, [group("event"), 4])
    await expect_heard(t, d, [group("event"), 2])


@case("sio5.broadcast.empty-list.everybody", covers=["SIO-BC-05"], needs=["conformance"])
async def empty_list(t: Bench) -> None:
    """A broadcast with an empty list of rooms is one to everybody."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    await a.emit("all", group("event"), 1, to=[])
    await a.emit("others", group("event"), 2, to=[])
    await expect_heard(t, a, [group("event"), 1])
    await expect_heard(t, b, [group("event"), 1], [group("event"), 2])


@case(
    "sio5.broadcast.binary.complete",
    covers=["SIO-BIN-02", "SIO-BC-01"],
    needs=["conformance"],
    variants=TRANSPORTS,
)
async def binary_complete(t: Bench, transport: Transport) -> None:
    """A broadcast with bytes reaches everybody with all of its attachments, numbered from 0."""
    group = Group(t)
    members = await group.three(transport)
    args = [b"\x00\x01", {"deep": [b"", "text", b"\xff" * 300]}]
    for member in members:
        await member.order("join", group("x"))
    await members[0].emit("all", group("event"), *args, to=[group("x")])
    for member in members:
        heard = await member.heard()
        came = ", ".join(str(packet) for packet in heard) or "nothing"
        wanted = [group("event"), *args]
        right = [packet.type for packet in heard] == [sio.BINARY_EVENT]
        right = right and same(heard[0].data, wanted)
        t.check(right, f"{member.name} receives {shown(wanted)}", came)
        if right:
            t.equal(placeholders(heard[0]), [0, 1, 2], "the numbers of the placeholders")


@case("sio5.broadcast.recipients.same-bytes", covers=["SIO-BC-09"], needs=["conformance"])
async def same_bytes(t: Bench) -> None:
    """All recipients of a broadcast get the same bytes."""
    group = Group(t)
    members = await group.three()
    await members[0].emit("all", group("event"), *_NESTED)
    raw = {packet.raw for member in members for packet in await member.heard()}
    t.equal(len(raw), 1, "how many different packets there are")


@case(
    "sio5.broadcast.transports.all-reached",
    covers=["SIO-BC-01"],
    needs=["conformance", "polling", "websocket", "upgrade"],
)
async def transports_mixed(t: Bench) -> None:
    """Who polls, who uses a WebSocket and who was upgraded get the same broadcasts in order."""
    group = Group(t)
    members = [await group.join("polling"), await group.join("websocket")]
    upgraded = await group.join("polling")
    await upgraded.peer.upgrade()
    members.append(upgraded)
    for member in members:
        await member.order("join", group("x"))
    events = [[group("event"), number, *([b"\x00"] * (number % 2))] for number in range(10)]
    for number, (name, *args) in enumerate(events):
        await members[number % 3].emit("all", str(name), *args, to=[group("x")])
    for member in members:
        await expect_heard(t, member, *events)


@case("sio5.broadcast.many.in-order", covers=["SIO-EVT-02"], needs=["conformance"])
async def in_order(t: Bench) -> None:
    """Broadcasts of one sender arrive in the order in which they were made."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    for number in range(30):
        whom = ("all", "others")[number % 2]
        await a.emit("all" if whom == "all" else "others", group("event"), number)
    await expect_heard(t, b, *([group("event"), number] for number in range(30)))
    await expect_heard(t, a, *([group("event"), number] for number in range(0, 30, 2)))


@case(
    "sio5.broadcast.during-middleware.not-reached",
    covers=["SIO-MW-04", "SIO-BC-01"],
    needs=["conformance", "middleware"],
)
async def during_middleware(t: Bench) -> None:
    """A client whose middleware still runs is reached by nothing."""
    group = Group(t)
    a = await group.join()
    waiting = await group.approach()
    await waiting.peer.send(f'0{waiting.nsp},{{"wait":400}}')
    await a.emit("all", group("event"), 1)
    await a.emit("others", group("event"), 2)
    await expect_heard(t, a, [group("event"), 1], rule="SIO-BC-01")
    if any(str(seen.packet).startswith("40") for seen in waiting.peer.engine.seen):
        t.inconclusive("the orders took longer than the middleware")
    answer = await waiting.peer.connect_answer(waiting.nsp)
    t.equal(answer.type, sio.CONNECT, "type of the answer when the middleware is through")
    await expect_heard(t, waiting)
    await a.emit("all", group("event"), 3)
    await expect_heard(t, waiting, [group("event"), 3], rule="SIO-BC-01")


@case(
    "sio5.broadcast.after-leaving.not-reached",
    covers=["SIO-EVT-15", "SIO-EVT-14"],
    needs=["conformance", "app"],
    variants=TRANSPORTS,
)
async def after_leaving(t: Bench, transport: Transport) -> None:
    """Who has left the namespace gets nothing more of it, though the connection is still there."""
    group = Group(t)
    a, b = await group.join(transport), await group.join(transport)
    await b.order("join", group("x"))
    id = b.id
    await b.leave()
    both = SocketPeer(b.peer.engine, expects_auth=True)
    await both.connect("/")
    await a.emit("all", group("event"), 1)
    await a.emit("all", group("event"), 2, to=[group("x")])
    await a.emit("all", group("event"), 3, to=[id])
    before = [packet for packet in await both.sentinel() if not b.is_noise(packet)]
    came = ", ".join(str(packet) for packet in before)
    t.check(not before, "nothing from the namespace that was left", came or None)
    await expect_heard(t, a, [group("event"), 1])


@case(
    "sio5.broadcast.after-end.harmless",
    covers=["SIO-EVT-15", "SIO-BC-01"],
    needs=["conformance"],
    variants=TRANSPORTS,
)
async def after_end(t: Bench, transport: Transport) -> None:
    """A recipient that has hung up disturbs no broadcast."""
    group = Group(t)
    a, b, c = await group.three(transport)
    await b.peer.engine.hang_up()
    for number in range(5):
        await a.emit("all", group("event"), number)
    for member in (a, c):
        await expect_heard(t, member, *([group("event"), number] for number in range(5)))


@case(
    "sio5.broadcast.volatile.dropped",
    covers=["SIO-EVT-17"],
    needs=["conformance", "volatile", "polling"],
    variants={"me": "me", "all": "all"},
)
async def volatile_dropped(t: Bench, whom: str) -> None:
    """A volatile event is dropped where nothing can be written, and arrives elsewhere."""
    group = Group(t)
    polling, control = await group.join("polling"), await group.join("websocket")
    await polling.order("join", group("x"))
    await control.order("join", group("x"))
    rooms = {"to": [group("x")]} if whom == "all" else {}
    order = {"whom": whom, "volatile": True, **rooms}
    # No poll is pending when the order comes, so that nothing can be written.
    await _stop_polling(polling)
    await polling.give("emit", order, group("event"), 1)
    polling.peer.engine.start_polling()
    heard = await polling.heard()
    came = ", ".join(str(packet) for packet in heard)
    t.check(not heard, "the event dropped while no poll is pending", came or None)
    if whom == "all":
        await expect_heard(t, control, [group("event"), 1])
    else:
        await control.order("emit", order, group("event"), 2)
        await expect_heard(t, control, [group("event"), 2])


async def _stop_polling(member: Member) -> None:
    """Let no poll be pending: the last one is answered by what an order brings."""
    engine = member.peer.engine
    await member.give("late", 100)
    await engine.pause_polling()
