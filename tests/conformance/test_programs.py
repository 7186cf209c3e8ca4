"""Random programs catch servers that are broken in ways that only several clients can show."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from sioproto._app import _task
from sioproto.socketio import _namespace
from sioproto.socketio._acks import BroadcastAnswers
from sioproto.socketio._adapter import LocalAdapter
from sioproto.socketio._adapter import Target as Meant
from sioproto.socketio._socket import Socket
from sioproto_conformance import _runner
from sioproto_conformance._model import Verdict
from sioproto_conformance._registry import all_cases
from sioproto_conformance._runner import Result
from sioproto_conformance._select import select
from sioproto_conformance.broken._trial import judge
from sioproto_conformance.cases.tier2 import model
from sioproto_conformance.cases.tier2._programs import (
    Arrive,
    Ask,
    Emit,
    End,
    Program,
    Search,
    programs,
)

CASE = "sio5.model.programs.as-modelled"

Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest program is to be found, however long that takes on the clock that jumps."""
    monkeypatch.setattr(model, "_SECONDS", math.inf)
    monkeypatch.setattr(model, "_SECONDS_TO_SHRINK", math.inf)
    monkeypatch.setattr(_runner, "_CASE_TIMEOUT", 5_000)


def result_now() -> Result:
    """Run the case against our server, as it is at this moment."""
    (result,) = judge(select(all_cases(), [CASE]))
    return result


def everybody_twice(patch: pytest.MonkeyPatch) -> None:
    """Who is in two of the chosen rooms gets a broadcast twice."""

    def select(self: LocalAdapter, target: Meant) -> list[str]:
        chosen = [id for room in target.rooms for id in self.index.members(room)]
        left_out = [id for room in target.except_rooms for id in self.index.members(room)]
        left_out += target.except_ids
        ids = chosen if target.rooms else self._sockets
        return [id for id in ids if id not in left_out]

    patch.setattr(LocalAdapter, "_select", select)


def rooms_intersect(patch: pytest.MonkeyPatch) -> None:
    """Only who is in all of the chosen rooms gets a broadcast."""
    original = LocalAdapter._select

    def select(self: LocalAdapter, target: Meant) -> list[str]:
        members = [self.index.members(room) for room in target.rooms]
        return [id for id in original(self, target) if all(id in room for room in members)]

    patch.setattr(LocalAdapter, "_select", select)


def exceptions_ignored(patch: pytest.MonkeyPatch) -> None:
    """Excepted rooms are not excepted."""
    original = LocalAdapter._select

    def select(self: LocalAdapter, target: Meant) -> Any:
        return original(self, Meant(target.rooms, (), target.except_ids))

    patch.setattr(LocalAdapter, "_select", select)


def sender_included(patch: pytest.MonkeyPatch) -> None:
    """What a socket broadcasts reaches itself."""
    original = LocalAdapter._select

    def select(self: LocalAdapter, target: Meant) -> Any:
        return original(self, Meant(target.rooms, target.except_rooms))

    patch.setattr(LocalAdapter, "_select", select)


def unknown_room_is_everybody(patch: pytest.MonkeyPatch) -> None:
    """A broadcast to rooms without members goes to everybody."""
    original = LocalAdapter._select

    def select(self: LocalAdapter, target: Meant) -> Any:
        found = list(original(self, target))
        return found or original(self, Meant((), target.except_rooms, target.except_ids))

    patch.setattr(LocalAdapter, "_select", select)


def leaving_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Nobody can leave a room."""
    patch.setattr(LocalAdapter, "leave", lambda self, id, room: None)


def second_room_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Of several rooms that are joined at once the first one counts."""
    original = LocalAdapter.join
    patch.setattr(LocalAdapter, "join", lambda self, id, rooms: original(self, id, [*rooms][:1]))


def end_told_without_rooms(patch: pytest.MonkeyPatch) -> None:
    """Rooms are empty while a socket is disconnecting already."""
    original = _task._say_goodbye

    async def say_goodbye(app: Any, socket: Any) -> None:
        socket._forget_rooms()
        await original(app, socket)

    patch.setattr(_task, "_say_goodbye", say_goodbye)


def end_told_twice(patch: pytest.MonkeyPatch) -> None:
    """The application is told twice that a socket is gone."""
    original = _task._tell

    async def tell(app: Any, socket: Any, name: str) -> None:
        await original(app, socket, name)
        if name == "disconnect":
            await original(app, socket, name)

    patch.setattr(_task, "_tell", tell)


def first_answer_settles(patch: pytest.MonkeyPatch) -> None:
    """A question to several is given up with the first answer."""
    original = BroadcastAnswers.acknowledged

    def acknowledged(self: BroadcastAnswers, socket: Socket, args: list[Any]) -> None:
        original(self, socket, args)
        if self._waiting:
            self.handle_timeout(0)

    patch.setattr(BroadcastAnswers, "acknowledged", acknowledged)


def reserved_names_emitted(patch: pytest.MonkeyPatch) -> None:
    """An application may emit what only the protocol may say."""
    patch.setattr(_namespace, "RESERVED_EVENTS", ())


# With the number of steps, client 0 being there from the start, that it takes to show each.
BREAKS: dict[Patch, int] = {
    everybody_twice: 2,
    rooms_intersect: 1,
    exceptions_ignored: 1,
    sender_included: 1,
    unknown_room_is_everybody: 1,
    leaving_forgotten: 2,
    second_room_forgotten: 1,
    end_told_without_rooms: 2,
    end_told_twice: 2,
    first_answer_settles: 2,
    reserved_names_emitted: 1,
}


def test_the_server_that_is_not_broken_passes() -> None:
    result = result_now()
    assert (result.verdict, result.reason) == (Verdict.PASS, "")
    (observed,) = result.observations
    assert (observed.name, observed.value) == ("programs", str(model._MOST_PROGRAMS))


@pytest.mark.parametrize("patch", BREAKS, ids=lambda patch: patch.__name__)
def test_a_broken_server_is_caught_by_a_small_program(
    patch: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch(monkeypatch)
    result = result_now()
    assert result.verdict is Verdict.WARN
    (check,) = result.checks
    _, _, program = check.expected.partition(", after: client 0 joins by websocket; ")
    # What does not matter may stay where the search has no more time.
    assert BREAKS[patch] <= len(program.split("; ")) <= BREAKS[patch] + 2, check.expected
    # What passed on the wire is that of the smallest program alone.
    clients = {entry.conn.partition(".")[0] for entry in result.transcript}
    assert len(clients) == 1 + program.count("another client arrives")
    assert any(b"conf:" in entry.data for entry in result.transcript)


def drawn(seed: int) -> list[Program]:
    """The first programs, and what follows if the fifth fails, and all after it."""
    search = Search(programs(set()), seed=seed, most=5)
    found = []
    while (program := search.next()) is not None:
        found.append(program)
        search.tell(len(found) >= 5)
    search.stop()
    return found


def test_a_seed_draws_the_same_programs_again() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1)[:5] != drawn(1_000)[:5]


def test_the_smallest_program_that_fails_is_found() -> None:
    search = Search(programs(set()), seed=1, most=40)
    failing: list[Program] = []
    while (program := search.next()) is not None:
        failed = any(isinstance(step, Emit) and step.without for step in program)
        if failed:
            failing.append(program)
        search.tell(failed)
    search.stop()
    assert failing[-1] == (Emit(0, "all", (), ("a",), None),)


def test_a_search_can_be_given_up() -> None:
    search = Search(programs(set()), seed=1, most=10)
    assert search.next() is not None
    search.stop()
    assert search.next() is None


def test_programs_ask_for_nothing_that_is_lacking() -> None:
    lacking = {"without", "close", "acks", "polling"}
    search = Search(programs(lacking), seed=1, most=40)
    while (program := search.next()) is not None:
        search.tell(False)
        for step in program:
            assert not isinstance(step, Ask)
            assert not (isinstance(step, Arrive) and step.transport == "polling")
            assert not (isinstance(step, Emit) and step.without)
            assert not (isinstance(step, End) and step.how == "is-closed")
    search.stop()


def test_in_a_namespace_that_is_shared_only_rooms_are_asked() -> None:
    """Others have clients there as well, and some of them do not answer any more."""
    for lacking, asks_all in (({"dynamic-namespaces"}, False), (set[str](), True)):
        search = Search(programs(lacking), seed=1, most=60)
        asked = []
        while (program := search.next()) is not None:
            asked += [step for step in program if isinstance(step, Ask) and step.whom != "me"]
            search.tell(False)
        search.stop()
        assert asked
        assert any(not step.to for step in asked) == asks_all
