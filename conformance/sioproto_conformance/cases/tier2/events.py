"""Events that the server emits, and events as an application sees them."""

from __future__ import annotations

from typing import Any

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import same, shown
from sioproto_conformance.cases.tier2._members import Group, expect_heard, log_with
from sioproto_conformance.peers.eio import TRANSPORTS, Transport
from sioproto_conformance.peers.wire import Gone

_ARGUMENTS: dict[str, list[Any]] = {
    "none": [],
    "scalars": [1, -2.5, "text", True, False, None],
    "unicode": ["é日😀 \u2028 \x1e \x00"],
    "nested": [{"a": [{"b": [[], {}]}]}],
    "binary": [b"\x00\xff", {"deep": [b"", "text"]}],
}
_RESERVED = (
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
)
_NOT_RESERVED = ("connection", "new_namespace", "error", "message", "ping", "auth")


@case(
    "sio5.emitting.arguments.unchanged",
    covers=["SIO-EVT-01"],
    needs=["conformance"],
    variants=across(_ARGUMENTS, TRANSPORTS),
)
async def arguments_unchanged(t: Bench, variant: tuple[list[Any], Transport]) -> None:
    """What an application emits arrives once, with its name and all arguments unchanged."""
    args, transport = variant
    group = Group(t)
    a = await group.join(transport)
    await a.emit("me", group("event"), *args)
    await expect_heard(t, a, [group("event"), *args])


@case(
    "sio5.receiving.arguments.unchanged",
    covers=["SIO-EVT-01", "SIO-EVT-08"],
    needs=["conformance"],
    variants=across(_ARGUMENTS, TRANSPORTS),
)
async def received_unchanged(t: Bench, variant: tuple[list[Any], Transport]) -> None:
    """What a client emits reaches the application once, unchanged, though nobody listens to it."""
    args, transport = variant
    group = Group(t)
    a = await group.join(transport)
    await a.peer.emit(group("event"), *args, nsp=a.nsp)
    received = await a.received()
    wanted = [[group("event"), *args]]
    t.check(same(received, wanted), f"the application sees {shown(wanted)}", shown(received))
    await expect_heard(t, a, rule="SIO-EVT-08")


@case(
    "sio5.receiving.many.in-order",
    covers=["SIO-EVT-02", "SIO-EVT-01"],
    needs=["conformance"],
    variants=TRANSPORTS,
)
async def received_in_order(t: Bench, transport: Transport) -> None:
    """Events of a client reach the application in the order in which they were sent."""
    group = Group(t)
    a = await group.join(transport)
    numbers = list(range(40))
    for number in numbers:
        await a.peer.emit(group("event"), number, nsp=a.nsp)
    received = [event[1] for event in await a.received()]
    t.equal(sorted(received), numbers, "the numbers that arrived", rule="SIO-EVT-01")
    t.equal(received, numbers, "the numbers in the order of arrival")


@case(
    "sio5.emitting.burst.in-order",
    covers=["SIO-EVT-02"],
    needs=["conformance"],
    variants=TRANSPORTS,
)
async def burst_in_order(t: Bench, transport: Transport) -> None:
    """Events that are emitted in a row arrive in that order, each once."""
    group = Group(t)
    a = await group.join(transport)
    await a.order("burst", 100, 0)
    await expect_heard(t, a, *(["burst", number] for number in range(100)))


@case(
    "sio5.emitting.during-upgrade.in-order",
    covers=["SIO-EVT-02", "SIO-EVT-01"],
    needs=["conformance", "upgrade", "polling", "websocket"],
)
async def during_upgrade(t: Bench) -> None:
    """Events that are emitted while the transport is upgraded arrive once each, in order."""
    group = Group(t)
    a = await group.join("polling")
    count = 40
    await a.give("burst", count, 5)
    first = await a.next_event()
    await a.peer.upgrade()
    events = [first]
    try:
        while len(events) < count:
            events.append(await a.next_event())
    except Gone as gone:
        t.inconclusive(f"the upgrade failed: {gone}")
    numbers = [event.data[1] for event in events if event.data[0] == "burst"]
    t.equal(sorted(numbers), list(range(count)), "the numbers that arrived", rule="SIO-EVT-01")
    t.equal(numbers, list(range(count)), "the numbers in the order of arrival")
    await expect_heard(t, a)


@case(
    "sio5.emitting.reserved-name.refused",
    covers=["SIO-EVT-05"],
    needs=["conformance"],
    variants={name.lower().replace("_", "-"): name for name in _RESERVED},
)
async def reserved_name_refused(t: Bench, name: str) -> None:
    """Emitting an event with a reserved name is refused where it is emitted; nothing is sent."""
    group = Group(t)
    a = await group.join()
    for whom, refusal in (
        ("a socket", await a.emit("me", name, 1)),
        ("a room", await a.emit("all", name, 1, to=[a.id])),
    ):
        refused = isinstance(refusal, str)
        t.check(refused, f"an error where it was emitted to {whom}", shown(refusal))
    await expect_heard(t, a)


@case(
    "sio5.emitting.other-name.allowed",
    covers=["SIO-EVT-06"],
    needs=["conformance"],
    variants={name.replace("_", "-"): name for name in _NOT_RESERVED},
)
async def other_name_allowed(t: Bench, name: str) -> None:
    """Names that mean something elsewhere are names of events like others."""
    group = Group(t)
    a = await group.join()
    refusal = await a.emit("me", name, 1)
    t.check(refusal is None, "no error where it was emitted", shown(refusal))
    await expect_heard(t, a, [name, 1])


@case(
    "sio5.emitting.send.is-message",
    covers=["SIO-EVT-07"],
    needs=["conformance"],
)
async def send_is_message(t: Bench) -> None:
    """To send is to emit an event named ``message``."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    await a.order("send", "one", 2)
    await expect_heard(t, a, ["message", "one", 2])
    await expect_heard(t, b)


@case(
    "sio5.receiving.catch-all.before-listeners",
    covers=["SIO-EVT-08"],
    needs=["conformance", "catch-all"],
)
async def catch_all(t: Bench) -> None:
    """What listens to all events sees those that have a listener too, and before it."""
    group = Group(t)
    a = await group.join()
    await a.order("join", group("x"))
    seen = await a.order("seen")
    wanted = [["conf:join", group("x")], ["conf:seen"]]
    t.equal(seen.get("received"), wanted, "what was seen by then")


@case(
    "sio5.event-middleware.refused.dropped",
    covers=["SIO-EVT-12", "SIO-EVT-08"],
    needs=["conformance", "event-middleware"],
    variants=TRANSPORTS,
)
async def refused_dropped(t: Bench, transport: Transport) -> None:
    """An event that middleware refuses gets no acknowledgement, and the connection stays."""
    group = Group(t)
    a = await group.join(transport)
    await a.peer.emit("refuse", 1, nsp=a.nsp, id=5)
    await a.peer.emit("refuse", 2, nsp=a.nsp)
    with t.expecting("SIO-EVT-12"):
        await expect_heard(t, a)
    received = await a.received()
    t.equal(received, [["refuse", 1], ["refuse", 2]], "what was seen before", rule="SIO-EVT-08")


@case(
    "sio5.event-middleware.refused.told",
    covers=["SIO-EVT-12"],
    needs=["conformance", "event-middleware", "error-log"],
)
async def refused_told(t: Bench) -> None:
    """The application is told once that its middleware has refused an event, and why."""
    group = Group(t)
    a = await group.join()
    await a.peer.emit("refuse", 1, nsp=a.nsp)
    told = [entry for entry in await log_with(t, a, a.id, "error") if entry[0] == "error"]
    t.equal(told, [["error", a.id, "not wanted"]], "what was told")


@case(
    "sio5.event-middleware.changes.seen",
    covers=["SIO-EVT-11", "SIO-EVT-08"],
    needs=["conformance", "event-middleware"],
)
async def changes_seen(t: Bench) -> None:
    """What middleware makes of an event is what its listener gets."""
    group = Group(t)
    a = await group.join()
    await a.peer.emit("wrap", "x", {"y": [1]}, nsp=a.nsp)
    await expect_heard(t, a, ["message", "wrap", "x", {"y": [1]}])
    received = await a.received()
    t.equal(received, [["wrap", "x", {"y": [1]}]], "what was seen before", rule="SIO-EVT-08")


@case(
    "sio5.outgoing.events.seen",
    covers=["SIO-EVT-09"],
    needs=["conformance", "outgoing"],
    variants=TRANSPORTS,
)
async def outgoing_seen(t: Bench, transport: Transport) -> None:
    """What listens to outgoing events sees each once, with all arguments, as the client gets it."""
    group = Group(t)
    a = await group.join(transport)
    args: list[Any] = [1, "é", {"deep": [b"\x00\xff"]}]
    await a.emit("me", group("first"), *args)
    await a.emit("me", group("second"))
    wanted = [[group("first"), *args], [group("second")]]
    await expect_heard(t, a, *wanted, rule="SIO-EVT-09")
    sent = await a.sent()
    t.check(same(sent, wanted), f"the application sees {shown(wanted)}", shown(sent))


@case(
    "sio5.outgoing.broadcast.seen-by-each",
    covers=["SIO-EVT-09"],
    needs=["conformance", "outgoing"],
)
async def broadcast_seen_by_each(t: Bench) -> None:
    """A broadcast is seen to go out to each whom it reaches, and to nobody else."""
    group = Group(t)
    a, b, c = await group.three()
    for member in (b, c):
        await member.order("join", group("x"))
    event: list[Any] = [group("event"), 1]
    await a.emit("all", *event, to=[group("x")])
    for member, wanted in ((a, []), (b, [event]), (c, [event])):
        sent = await member.sent()
        t.check(same(sent, wanted), f"{shown(wanted)} for {member.name}", shown(sent))


@case(
    "sio5.outgoing.acknowledgement.not-seen",
    covers=["SIO-EVT-09", "SIO-ACK-15"],
    needs=["conformance", "outgoing", "acks"],
)
async def acknowledgement_not_seen(t: Bench) -> None:
    """An event that asks is seen without what it asks for; an acknowledgement is not seen."""
    group = Group(t)
    a = await group.join()
    await a.give("ask", {"whom": "me"}, 20_000, group("question"), 1)
    asked = await a.next_asked([group("question"), 1])
    await a.answer(asked, "answer")
    sent = await a.sent()
    t.check(same(sent, [[group("question"), 1]]), "the event that asks, and no more", shown(sent))
