"""Programs of what clients do, drawn at random, and the smallest one that shows a fault."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, Any, Literal

from sioproto_conformance.peers.eio import Transport
from sioproto_conformance.rooms_model import RESERVED, Whom

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MOST_CLIENTS = 8
_MOST_STEPS = 32

Room = str | int
"""A room of this name, or the own room of the client with this number."""
How = Literal["leaves", "is-disconnected", "is-closed", "is-lost"]


@dataclass(frozen=True)
class Arrive:
    """Another client joins, and then these rooms."""

    transport: Transport
    rooms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Join:
    """A client joins rooms."""

    who: int
    rooms: tuple[str, ...]


@dataclass(frozen=True)
class Leave:
    """A client leaves a room."""

    who: int
    room: str


@dataclass(frozen=True)
class Emit:
    """A client has an event emitted, perhaps one with a reserved name."""

    who: int
    whom: Whom
    to: tuple[Room, ...]
    without: tuple[Room, ...]
    reserved: str | None


@dataclass(frozen=True)
class Ask:
    """A client has others asked for an acknowledgement; some may stay silent."""

    who: int
    whom: Whom
    to: tuple[Room, ...]
    silent: int | None


@dataclass(frozen=True)
class End:
    """A client goes."""

    who: int
    how: How


Step = Arrive | Join | Leave | Emit | Ask | End
Program = tuple[Step, ...]


def programs(lacking: set[str]) -> SearchStrategy[Program]:
    """Return a strategy for programs that a server can run which lacks these features."""
    from hypothesis import strategies as st

    transports: list[Transport] = ["websocket", "polling"]
    offered = st.sampled_from([name for name in transports if name not in lacking])
    who = st.integers(0, MOST_CLIENTS - 1)
    # Few rooms, so that they have members, and some members are in both.
    names = st.sampled_from(["a", "b"])
    some_names = st.sampled_from([("a",), ("a", "b"), ("b",)])
    own_rooms = st.lists(who, min_size=1, max_size=2).map(tuple)
    rooms = st.one_of(st.just(()), some_names, own_rooms, st.builds(add, some_names, own_rooms))
    whom = st.sampled_from(["all", "others", "me"])
    without = st.just(()) if "without" in lacking else rooms
    reserved = st.none() | st.sampled_from(RESERVED)
    ways = ["leaves", "is-disconnected", "is-lost"]
    if "close" not in lacking:
        ways.append("is-closed")
    arrival = st.builds(Arrive, offered, st.one_of(st.just(()), some_names))
    steps: list[SearchStrategy[Any]] = [
        arrival,
        st.builds(Join, who, some_names),
        st.builds(Leave, who, names),
        st.builds(Emit, who, whom, rooms, without, st.none()),
        st.builds(Emit, who, whom, rooms, without, reserved),
        st.builds(End, who, st.sampled_from(ways)),
    ]
    if "acks" not in lacking:
        asked = st.just("me") if "broadcast-acks" in lacking else whom
        # In a namespace of all cases, all would be clients of others too, and such as are gone:
        # who hung up while polling is there until a heartbeat is missed, and answers nothing.
        some_rooms = st.one_of(some_names, own_rooms, st.builds(add, some_names, own_rooms))
        in_rooms = some_rooms if "dynamic-namespaces" in lacking else rooms
        steps.append(st.builds(Ask, who, asked, in_rooms, st.none() | who))
    # Lists that are drawn are short, however long they may be: several are worth the trouble.
    arrivals = st.lists(arrival, max_size=5)
    some = st.lists(st.one_of(steps), max_size=_MOST_STEPS // 4)
    return st.tuples(arrivals, *[some] * 4).map(lambda parts: tuple(chain.from_iterable(parts)))


class _Stop(BaseException):
    """Enough has been tried."""


class Search:
    """Programs one after the other, the next depending on how the one before went.

    Hypothesis looks for a program that fails, and then for the smallest. It wants to call, and so
    it has a thread of its own; whoever runs the programs waits for the next one.

    Args:
        strategy: what is drawn from.
        seed: of the first program; the seeds of the others follow from it.
        most: how many are drawn, those not counted that come once one has failed.
    """

    def __init__(self, strategy: SearchStrategy[Program], *, seed: int, most: int) -> None:
        self._programs: queue.SimpleQueue[Program | None] = queue.SimpleQueue()
        self._verdicts: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, args=(strategy, seed, most), name="programs", daemon=True
        )
        self._thread.start()

    def next(self) -> Program | None:
        """Return the next program, ``None`` if there is none. Blocks for the moment it takes."""
        return self._programs.get()

    def tell(self, failed: bool) -> None:
        """Say how the program went."""
        self._verdicts.put(failed)

    def stop(self) -> None:
        """End the search, whatever it waits for."""
        self._verdicts.put(None)
        self._thread.join()

    def _run(self, strategy: SearchStrategy[Program], seed: int, most: int) -> None:
        try:
            for number in range(most):
                _search(strategy, seed + number, self._try)
        except (AssertionError, _Stop):
            pass
        finally:
            self._programs.put(None)

    def _try(self, program: Program) -> None:
        if not program:
            return
        self._programs.put(program)
        verdict = self._verdicts.get()
        if verdict is None:
            raise _Stop
        assert not verdict


def _search(
    strategy: SearchStrategy[Program], seed: int, attempt: Callable[[Program], None]
) -> None:
    """Draw one program, and if it fails the ones on the way to the smallest.

    Hypothesis begins with the smallest of all, which is empty, and then draws one. It would go on
    with programs that are much like that one, and so it is asked anew for each.
    """
    import hypothesis

    phases = (hypothesis.Phase.generate, hypothesis.Phase.shrink)
    settings = hypothesis.settings(
        max_examples=2,
        database=None,
        deadline=None,
        derandomize=False,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    hypothesis.seed(seed)(settings(hypothesis.given(strategy)(attempt)))()
