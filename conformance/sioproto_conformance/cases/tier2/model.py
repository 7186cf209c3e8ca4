"""Random programs of clients, held to a model of what rooms and broadcasts mean."""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.sio5._steps import nobody_answers, same, shown
from sioproto_conformance.cases.tier2._members import Group, Member, fresh_mark, log_with
from sioproto_conformance.cases.tier2._programs import (
    MOST_CLIENTS,
    Arrive,
    Ask,
    Emit,
    End,
    Join,
    Leave,
    Program,
    Room,
    Search,
    Step,
    programs,
)
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.wire import NoAnswer, PeerError, Transcript
from sioproto_conformance.rooms_model import NamespaceModel

_MOST_PROGRAMS = 20
_SECONDS = 4.0
# Once a program has failed, finding the smallest that does is worth more.
_SECONDS_TO_SHRINK = 10.0
_NO_ANSWER = 150
_OUTCOME = 1_000_000
_ENDS = ("connection", "disconnecting", "disconnect")


@dataclass
class _Fault(Exception):
    """The server does something else than the model."""

    rule: str
    expected: str
    actual: str


@case(
    "sio5.model.programs.as-modelled",
    covers=[
        "SIO-BC-03",
        "SIO-BC-01",
        "SIO-BC-04",
        "SIO-ROOM-02",
        "SIO-ROOM-06",
        "SIO-DISC-03",
        "SIO-DISC-04",
        "SIO-EVT-05",
        "SIO-BC-11",
        "SIO-BC-12",
    ],
    needs=["conformance"],
    tags=["model"],
)
async def as_modelled(t: Bench) -> None:
    """Random programs of joining, leaving, broadcasting, asking and ending do what they should.

    Up to eight clients at once. Of the programs that fail, the smallest that was found is shown.
    """
    if importlib.util.find_spec("hypothesis") is None:
        t.skip("needs hypothesis, which is not installed")
    if "hypothesis" not in sys.modules:
        await trio.to_thread.run_sync(importlib.import_module, "hypothesis")
    strategy = programs(set(t.site.lacking))
    search = Search(strategy, seed=t.random.getrandbits(64), most=_MOST_PROGRAMS)
    try:
        await _try_all(t, search)
    finally:
        search.stop()


async def _try_all(t: Bench, search: Search) -> None:
    until, count = trio.current_time() + _SECONDS, 0
    smallest: tuple[Program, _Fault, Transcript] | None = None
    while (program := search.next()) is not None:
        if trio.current_time() > until:
            break
        fault, transcript, silence = await _attempt(t, program)
        if silence:
            # A machine that is too busy is silent as well.
            fault, transcript, silence = await _attempt(t, program)
            t.findings.timed_out = t.findings.timed_out or silence
        count += 1
        if fault is not None and smallest is None:
            until = trio.current_time() + _SECONDS_TO_SHRINK
        if fault is not None and (smallest is None or _size(program) <= _size(smallest[0])):
            smallest = (program, fault, transcript)
        search.tell(fault is not None)
    t.observe("programs", count)
    if smallest is None:
        if not count:
            t.inconclusive("no program was drawn in time")
        t.check(True, "programs that do as the model says", f"{count} programs")
        return
    program, fault, t.transcript = smallest
    t.check(False, f"{fault.expected}, after: {_told(program)}", fault.actual, rule=fault.rule)


def _size(program: Program) -> tuple[int, int]:
    return len(program), len(repr(program))


async def _attempt(t: Bench, program: Program) -> tuple[_Fault | None, Transcript, bool]:
    """Run one program on connections of its own.

    Returns what was not as modelled, what passed, and whether something was waited for in vain.
    """
    bench = Bench(t.case, t.site, timeout=t.timeout)
    fault: _Fault | None = None
    silence = False
    async with bench.open():
        try:
            await _Run(bench, fresh_mark()).run(program)
        except _Fault as found:
            fault = found
        except PeerError as error:
            fault = _Fault(t.case.covers[0], error.expected, error.actual)
            silence = isinstance(error, NoAnswer)
    return fault, bench.transcript, silence


class _Run:
    """A program under way: the clients, and their models."""

    def __init__(self, t: Bench, mark: str) -> None:
        self._t = t
        self._group = Group(t, mark)
        self._model = NamespaceModel()
        # The first one never goes: it is who is asked about those that do.
        self._present: list[Member] = []
        self._ever: list[Member] = []
        self._lacking = t.site.lacking

    async def run(self, program: Program) -> None:
        """Take each step, and compare. Raises ``_Fault``, ``PeerError``."""
        await self._take(0, Arrive("polling" if "websocket" in self._lacking else "websocket"))
        for number, step in enumerate(program, 1):
            await self._take(number, step)
        for member in self._present:
            await self._compare(member)

    async def _take(self, number: int, step: Step) -> None:
        match step:
            case Arrive(transport, rooms) if len(self._present) < MOST_CLIENTS:
                member = await self._group.join(transport)
                self._present.append(member)
                self._ever.append(member)
                self._model.connect(member.id)
                if rooms:
                    await self._join(member, rooms)
            case Join(who, rooms):
                await self._join(self._who(who), rooms)
            case Leave(who, room):
                member = self._who(who)
                await member.order("leave", self._group(room))
                self._model.rooms.leave(member.id, self._group(room))
            case Emit():
                await self._emit(number, step)
            case Ask():
                await self._ask(number, step)
            case End(who) if len(self._present) > 1:
                await self._end(self._present[1 + who % (len(self._present) - 1)], step)

    async def _join(self, member: Member, rooms: Sequence[str]) -> None:
        await member.order("join", *map(self._group, rooms))
        for room in rooms:
            self._model.rooms.join(member.id, self._group(room))

    def _who(self, number: int) -> Member:
        return self._present[number % len(self._present)]

    def _rooms(self, rooms: Sequence[Room]) -> list[str]:
        """Return names; a number stands for the own room of a client, here or gone."""
        return [
            self._group(room) if isinstance(room, str) else self._ever[room % len(self._ever)].id
            for room in rooms
        ]

    async def _emit(self, number: int, step: Emit) -> None:
        member = self._who(step.who)
        to, without = self._rooms(step.to), self._rooms(step.without)
        event = [step.reserved or self._group("event"), number]
        rooms = {} if step.whom == "me" else {"to": to}
        if step.whom != "me" and without:
            rooms["without"] = without
        refusal = await member.order("emit", {"whom": step.whom, **rooms}, *event)
        audience = self._model.audience(member.id, step.whom, to, without)
        allowed = self._model.emit(audience, event)
        if (refusal is None) != allowed:
            expected = "no error where it was emitted" if allowed else "an error for this name"
            raise _Fault("SIO-EVT-05", expected, shown(refusal))

    async def _ask(self, number: int, step: Ask) -> None:
        member, to = self._who(step.who), self._rooms(step.to)
        rooms = {} if step.whom == "me" else {"to": to}
        audience = self._model.audience(member.id, step.whom, to, [])
        asked = [one for one in self._present if one.id in audience]
        silent = None if step.silent is None else self._who(step.silent)
        complete = silent not in asked
        question = [self._group("question"), number]
        timeout = math.ceil(self._t.timeout * 4000) if complete else _NO_ANSWER
        whom = {"whom": step.whom, **rooms}
        await member.peer.emit(
            "conf:ask", whom, timeout, *question, nsp=member.nsp, id=_OUTCOME + number
        )
        answers: list[Any] = []
        for one in asked:
            packet = await one.next_asked(question)
            if one is not silent:
                answers.append(f"{one.name} {number}")
                await one.answer(packet, answers[-1])
        outcome = await member.next_ack(_OUTCOME + number)
        wanted = [[complete, sorted(answers)]]
        came = outcome.data
        if isinstance(came, list) and came and isinstance(came[0], list) and len(came[0]) == 2:
            came = [[came[0][0], sorted(came[0][1], key=repr)]]
        if not complete and isinstance(came, list):
            # An answer that took too long on a busy machine is not among them.
            wanted = [[False, [one for one in sorted(answers) if one in str(came)]]]
        if not same(came, wanted):
            rule = "SIO-BC-11" if complete else "SIO-BC-12"
            raise _Fault(rule, f"{member.name} is told {shown(wanted[0])}", shown(outcome.data))

    async def _end(self, member: Member, step: End) -> None:
        await self._compare(member)
        self._present.remove(member)
        match step.how:
            case "leaves":
                await member.leave()
                await nobody_answers(member.peer)
            case "is-disconnected" | "is-closed":
                await member.give("disconnect", step.how == "is-closed")
                packet = await member.peer.next()
                while packet.type in (sio.ACK, sio.BINARY_ACK):
                    packet = await member.peer.next()
                if packet.type != sio.DISCONNECT or packet.nsp != member.nsp:
                    raise _Fault("SIO-DISC-04", f"DISCONNECT for {member.name}", str(packet))
            case "is-lost":
                if member.peer.engine.ws is None:
                    await member.peer.engine.send("1")
                await member.peer.engine.hang_up()
        self._model.disconnect(member.id)
        told = await log_with(self._t, self._present[0], member.id, "disconnect")
        came = [self._entry(entry) for entry in told if entry[0] in _ENDS]
        wanted = [
            [kind, *(sorted(rooms) for rooms in rest)]
            for kind, *rest in self._model.told[member.id]
        ]
        rule = "SIO-ROOM-06"
        if [entry[0] for entry in came] != [entry[0] for entry in wanted]:
            rule = "SIO-DISC-03"
        if "disconnecting" in self._lacking:
            came, wanted = [entry[:1] for entry in came], [["connection"], ["disconnect"]]
        if not same(came, wanted):
            raise _Fault(rule, f"{member.name} is told of by {shown(wanted)}", shown(came))

    def _entry(self, entry: list[Any]) -> list[Any]:
        """Return the kind of an entry, and the rooms if it has any."""
        rooms = [sorted(entry[3])] if len(entry) > 3 and isinstance(entry[3], list) else []
        return [entry[0], *rooms]

    async def _compare(self, member: Member) -> None:
        """Hold what a client has received, and its rooms, to the model."""
        rooms = await member.rooms()
        heard = member.taken()
        came = [packet.data for packet in heard if packet.type == sio.EVENT and packet.id is None]
        others = [packet for packet in heard if packet.type != sio.EVENT or packet.id is not None]
        wanted = self._model.heard[member.id]
        self._model.heard[member.id] = []
        if others or not same(came, wanted):
            twice = len(came) != len({repr(event) for event in came})
            rule = "SIO-BC-04" if twice else "SIO-BC-03"
            seen = ", ".join(str(packet) for packet in heard) or "nothing"
            raise _Fault(rule, f"{member.name} receives {shown(wanted)} and no more", seen)
        expected = self._model.rooms.rooms[member.id]
        if sorted(rooms) != sorted(expected):
            raise _Fault("SIO-ROOM-02", f"{member.name} in {shown(expected)}", shown(rooms))


def _told(program: Program) -> str:
    """Return a program in words."""
    return "; ".join(["client 0 joins by websocket", *map(_words, program)])


def _words(step: Step) -> str:
    match step:
        case Arrive(transport, rooms):
            joins = f" and joins {' and '.join(rooms)}" if rooms else ""
            return f"another client arrives by {transport}{joins}"
        case Join(who, rooms):
            return f"{who} joins {' and '.join(rooms)}"
        case Leave(who, room):
            return f"{who} leaves {room}"
        case Emit(who, whom, to, without, reserved):
            what = f"emits {reserved!r}" if reserved else "emits"
            excepted = f" without {_list(without)}" if without else ""
            return f"{who} {what} to {whom}{f' in {_list(to)}' if to else ''}{excepted}"
        case Ask(who, whom, to, silent):
            quiet = "" if silent is None else f", {silent} silent"
            return f"{who} asks {whom}{f' in {_list(to)}' if to else ''}{quiet}"
        case End(who, how):
            return f"{who} {how}"


def _list(rooms: Sequence[Room]) -> str:
    names = (room if isinstance(room, str) else f"the room of {room}" for room in rooms)
    return " and ".join(names)
