"""The deadline heap, against a naive minimum."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from sioproto._deadlines import SPARE, Deadlines


class Thing:
    def __init__(self) -> None:
        self.deadline = inf
        self.wake_at = inf


steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 7), st.integers(0, 50)),
        st.tuples(st.just("off"), st.integers(0, 7), st.just(0)),
        st.tuples(st.just("forget"), st.integers(0, 7), st.just(0)),
        st.tuples(st.just("due"), st.just(0), st.integers(0, 10)),
    ),
    max_size=60,
)


@given(steps)
def test_early_but_never_late(program: list[tuple[str, int, int]]) -> None:
    deadlines: Deadlines[Thing] = Deadlines()
    things = [Thing() for _ in range(8)]
    now = 0.0
    for step, index, number in program:
        thing = things[index]
        if step == "set":
            thing.deadline = now + 1 + number
            deadlines.moved(thing)
        elif step == "off":
            thing.deadline = inf
            deadlines.moved(thing)
        elif step == "forget":
            deadlines.forget(thing)
        else:
            now += number
            due = {id(thing) for thing in things if thing.deadline <= now}
            popped = set()
            while (thing_due := deadlines.pop_due(now)) is not None:
                popped.add(id(thing_due))
                thing_due.deadline = inf
                deadlines.moved(thing_due)
            assert popped == due
        earliest = min(thing.deadline for thing in things)
        following = deadlines.next()
        assert (following if following is not None else inf) <= earliest


def test_equal_deadlines_come_in_the_order_they_were_armed() -> None:
    deadlines: Deadlines[Thing] = Deadlines()
    things = [Thing() for _ in range(5)]
    for thing in things:
        thing.deadline = 1.0
        deadlines.moved(thing)
    popped = []
    while (thing_due := deadlines.pop_due(1.0)) is not None:
        popped.append(thing_due)
        thing_due.deadline = inf
    assert popped == things


def test_things_that_come_and_go_leave_little_behind() -> None:
    deadlines: Deadlines[Thing] = Deadlines()
    for _ in range(10_000):
        thing = Thing()
        thing.deadline = 1e9
        deadlines.moved(thing)
        deadlines.forget(thing)
        assert len(deadlines) <= SPARE + 1


def test_putting_off_costs_no_entry() -> None:
    deadlines: Deadlines[Thing] = Deadlines()
    thing = Thing()
    for moment in range(1000):
        thing.deadline = 10.0 + moment
        deadlines.moved(thing)
    assert len(deadlines) == 1
