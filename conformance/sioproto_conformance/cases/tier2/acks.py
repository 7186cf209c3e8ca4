"""Acknowledgements that the server asks for, and those that it gives late."""

from __future__ import annotations

from typing import Any

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.sio5._steps import nobody_answers, same, shown
from sioproto_conformance.cases.tier2._members import Group, Member, expect_heard
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport

_LONG = 20_000
_SHORT = 150


@case(
    "sio5.asking.answer.handed-over",
    covers=["SIO-ACK-09", "SIO-ACK-01"],
    needs=["conformance", "acks"],
    variants=TRANSPORTS,
)
async def answer_handed_over(t: Bench, transport: Transport) -> None:
    """An event that asks carries an id, and whoever waits for the answer gets it in time."""
    group = Group(t)
    a = await group.join(transport)
    asked = await _ask(a, "me", _LONG, group("question"), 1, "2")
    t.check(asked.id is not None, "an event with an id", asked, rule="SIO-ACK-01")
    t.check(same(asked.data, [group("question"), 1, "2"]), "the event and its arguments", asked)
    await a.answer(asked, "answer")
    await _expect_outcome(t, a, True, ["answer"])


@case("sio5.asking.values.all", covers=["SIO-ACK-10"], needs=["conformance", "acks"])
async def values_all(t: Bench) -> None:
    """All values of an acknowledgement are handed over, and unchanged."""
    group = Group(t)
    a = await group.join()
    values = ["é日😀", {"deep": [None, 1.5, False]}, 3]
    await a.answer(await _ask(a, "me", _LONG, group("question")), *values)
    await _expect_outcome(t, a, True, values)


@case(
    "sio5.asking.binary.both-ways",
    covers=["SIO-ACK-08"],
    needs=["conformance", "acks"],
    variants=TRANSPORTS,
)
async def binary_both_ways(t: Bench, transport: Transport) -> None:
    """An event that asks may have attachments, and so may its acknowledgement."""
    group = Group(t)
    a = await group.join(transport)
    asked = await _ask(a, "me", _LONG, group("question"), b"\x00\xff", {"deep": b""})
    right = asked.type == sio.BINARY_EVENT and asked.id is not None
    wanted = [group("question"), b"\x00\xff", {"deep": b""}]
    t.check(right and same(asked.data, wanted), f"an event that asks, {shown(wanted)}", asked)
    await a.answer(asked, {"deep": [b"\x01\x02"]}, "text")
    await _expect_outcome(t, a, True, [{"deep": [b"\x01\x02"]}, "text"])


@case("sio5.asking.silence.given-up", covers=["SIO-ACK-09"], needs=["conformance", "acks"])
async def silence_given_up(t: Bench) -> None:
    """An acknowledgement that does not come is given up in time; one that comes late is ignored."""
    group = Group(t)
    a = await group.join()
    asked = await _ask(a, "me", _SHORT, group("question"), 1)
    await _expect_outcome(t, a, False, [])
    await a.answer(asked, "late")
    second = await _ask(a, "me", _LONG, group("question"), 2)
    await a.answer(asked, "too late")
    await a.answer(second, "in time")
    await _expect_outcome(t, a, True, ["in time"])
    await expect_heard(t, a)


@case(
    "sio5.asking.twice-answered.first-counts", covers=["SIO-ACK-05"], needs=["conformance", "acks"]
)
async def twice_answered(t: Bench) -> None:
    """Of two acknowledgements with one id the first counts; the second one harms nobody."""
    group = Group(t)
    a = await group.join()
    asked = await _ask(a, "me", _LONG, group("question"))
    await a.answer(asked, "first")
    await a.answer(asked, "second")
    await _expect_outcome(t, a, True, ["first"])
    await expect_heard(t, a)


@case("sio5.asking.out-of-order.told-apart", covers=["SIO-ACK-02"], needs=["conformance", "acks"])
async def out_of_order(t: Bench) -> None:
    """Several questions that are open have different ids, and are answered in any order."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    members = (a, b, a, b)
    asked = [await _ask(m, "me", _LONG, group("question"), n) for n, m in enumerate(members)]
    for one, other in ((0, 2), (1, 3)):
        t.check(asked[one].id != asked[other].id, "another id for each question", asked[other])
    for number in (2, 3, 0, 1):
        await members[number].answer(asked[number], f"answer {number}")
        await _expect_outcome(t, members[number], True, [f"answer {number}"])


@case(
    "sio5.asking.stranger.cannot-answer",
    covers=["SIO-ACK-06"],
    needs=["conformance", "acks"],
)
async def stranger_cannot_answer(t: Bench) -> None:
    """Only the client that was asked can answer: the same id from another one means nothing."""
    group = Group(t)
    a, b = await group.join(), await group.join()
    asked = await _ask(a, "me", _LONG, group("question"))
    await b.answer(asked, "from a stranger")
    await expect_heard(t, b)
    await a.answer(asked, "mine")
    await _expect_outcome(t, a, True, ["mine"])


@case("sio5.asking.ids.count-up", covers=["SIO-ACK-06"], needs=["conformance", "acks"])
async def ids_count_up(t: Bench) -> None:
    """The ids of a server grow from question to question."""
    group = Group(t)
    a = await group.join()
    ids: list[int] = []
    for number in range(3):
        asked = await _ask(a, "me", _LONG, group("question"), number)
        ids.append(-1 if asked.id is None else asked.id)
        await a.answer(asked, number)
        await _expect_outcome(t, a, True, [number])
    t.check(ids == sorted(set(ids)), "ids that grow", ids)


@case(
    "sio5.asking.acknowledgement.no-event",
    covers=["SIO-ACK-15"],
    needs=["conformance", "acks"],
)
async def acknowledgement_no_event(t: Bench) -> None:
    """An acknowledgement is no event: what listens to all events does not see it."""
    group = Group(t)
    a = await group.join()
    await a.answer(await _ask(a, "me", _LONG, group("question")), "conf:answer", 1)
    await _expect_outcome(t, a, True, ["conf:answer", 1])
    await a.peer.emit(group("event"), "after", nsp=a.nsp)
    t.equal(await a.received(), [[group("event"), "after"]], "the events that were seen")


@case(
    "sio5.asking.late.after-leaving",
    covers=["SIO-ACK-12"],
    needs=["conformance"],
)
async def late_after_leaving(t: Bench) -> None:
    """An application may acknowledge an event after its client has left the namespace."""
    group = Group(t)
    a = await group.join()
    await a.peer.emit("conf:late", 300, nsp=a.nsp, id=_OUTCOME)
    await a.order("log", [])
    await a.leave()
    before = await nobody_answers(a.peer)
    if any(packet.id == _OUTCOME for packet in before):
        t.inconclusive("the application acknowledged before its client had left")
    packet = await a.next_ack(_OUTCOME)
    right = packet.type == sio.ACK and packet.nsp == a.nsp
    t.check(right, "an acknowledgement in the namespace that was left", packet)


@case(
    "sio5.asking.acknowledged-twice.sent-once",
    covers=["SIO-ACK-04"],
    needs=["conformance", "acks-twice"],
    variants=TRANSPORTS,
)
async def acknowledged_twice(t: Bench, transport: Transport) -> None:
    """Where an application acknowledges an event twice, its client gets the first one only."""
    group = Group(t)
    a = await group.join(transport)
    await a.peer.emit("twice", nsp=a.nsp, id=_OUTCOME)
    heard = [(packet.type, packet.id, packet.data) for packet in await a.heard()]
    wanted = [(sio.ACK, _OUTCOME, ["first"])]
    t.check(heard == wanted, "one acknowledgement, the first", heard)


@case(
    "sio5.asking-many.answers.all-handed-over",
    covers=["SIO-BC-11", "SIO-BC-15"],
    needs=["conformance", "broadcast-acks"],
    variants=TRANSPORTS,
)
async def answers_of_all(t: Bench, transport: Transport) -> None:
    """When all have answered, the first value of each is handed over in order of arrival."""
    group = Group(t)
    a, b, c = await group.three(transport)
    for member in (a, b, c):
        await member.order("join", group("x"))
    await _give_ask(a, "others", _LONG, group("question"), 1, to=[group("x")])
    asked = {member.id: await member.next_event() for member in (b, c)}
    ids = {packet.id for packet in asked.values()}
    t.check(len(ids) == 1 and None not in ids, "one id for all", ids, rule="SIO-BC-15")
    await c.answer(asked[c.id], "from c", "second value")
    await c.answer(asked[c.id], "from c again")
    await expect_heard(t, c)
    await b.answer(asked[b.id], "from b")
    await _expect_outcome(t, a, True, ["from c", "from b"])


@case(
    "sio5.asking-many.silence.answers-so-far",
    covers=["SIO-BC-12"],
    needs=["conformance", "broadcast-acks"],
)
async def answers_so_far(t: Bench) -> None:
    """When the time is up, whoever asked gets the answers that did come, and that some did not."""
    group = Group(t)
    a, b, c = await group.three()
    for member in (b, c):
        await member.order("join", group("x"))
    # Time enough for the one who answers, on a busy machine as well.
    await _give_ask(a, "all", int(500 * t.timeout), group("question"), to=[group("x")])
    await b.answer(await b.next_event(), {"from": "b"})
    await c.next_event()
    await _expect_outcome(t, a, False, [{"from": "b"}])


@case(
    "sio5.asking-many.one-leaves.incomplete",
    covers=["SIO-BC-12"],
    needs=["conformance", "broadcast-acks"],
)
async def one_leaves(t: Bench) -> None:
    """Who leaves without an answer is missing: the others' answers are handed over as such."""
    group = Group(t)
    a, b, c = await group.three()
    for member in (b, c):
        await member.order("join", group("x"))
    # Time enough for the one who answers, on a busy machine as well.
    await _give_ask(a, "all", int(500 * t.timeout), group("question"), to=[group("x")])
    await b.answer(await b.next_event(), "from b")
    await c.next_event()
    await c.leave()
    await _expect_outcome(t, a, False, ["from b"])


@case(
    "sio5.asking-many.nobody.settled-at-once",
    covers=["SIO-BC-14"],
    needs=["conformance", "broadcast-acks"],
)
async def nobody_asked(t: Bench) -> None:
    """A broadcast that asks nobody is settled at once, with no answers."""
    group = Group(t)
    a = await group.join()
    began = trio.current_time()
    await _give_ask(a, "all", _LONG, group("question"), to=[group("nobody")])
    await _expect_outcome(t, a, True, [])
    took = trio.current_time() - began
    t.check(took < _LONG / 2000, "an outcome long before the time is up", f"after {took:.1f} s")


async def _give_ask(
    member: Member, whom: str, timeout: int, name: str, *args: Any, **rooms: Any
) -> None:
    """Have a question asked. The order is acknowledged with the outcome."""
    text, attachments = sio.encode_packet(
        sio.EVENT,
        ["conf:ask", {"whom": whom, **rooms}, timeout, name, *args],
        nsp=member.nsp,
        id=_OUTCOME,
    )
    await member.peer.send(text, *attachments)


async def _ask(member: Member, whom: str, timeout: int, name: str, *args: Any) -> sio.Packet:
    """Have a question asked and return it as it arrives at the client that gave the order."""
    await _give_ask(member, whom, timeout, name, *args)
    return await member.next_event()


async def _expect_outcome(t: Bench, member: Member, complete: bool, answers: list[Any]) -> None:
    """Compare what whoever asked is told with what it should be."""
    outcome = await member.next_ack(_OUTCOME)
    whether = "all answers in time" if complete else "not all answers in time"
    t.check(same(outcome.data, [[complete, answers]]), f"{whether}: {shown(answers)}", outcome)


_OUTCOME = 1_000_000
