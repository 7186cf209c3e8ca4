"""Whatever state a session and its sockets are in, and whatever happens then: never an exception.

The product is that of every shape of a session, every standing of the sockets on it, and every
kind of fact. Plain runs take each fact in some of the situations, long runs (``tox -e soak``) in
all. What a fact may carry besides the samples of ``facts``, and what several facts do, is left to
hypothesis.

After each, the driver has held every effect against the token contract, no deadline is in the past,
every socket has lived a legal life, and a session that has closed is gone with all that was its.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness import PROGRAMS
from tests.property.facts import BINARIES, FACTS, PACKETS, Fact, send_body, send_frames
from tests.property.worlds import STANDINGS, Shape, World, shapes

SHAPES = [*shapes(), *shapes("pong"), *shapes("held")]
STEP = max(1, 1_600 // PROGRAMS)
"""One fact of so many is taken in each situation, another one in each."""


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_fact_in_every_state(shape: Shape) -> None:
    # What a session waits for has nothing to do with the sockets on it.
    for number, standing in enumerate(("joined",) if shape.waiting else STANDINGS):
        for name, fact in FACTS[(SHAPES.index(shape) + number) % STEP :: STEP]:
            try:
                world = World(shape, standing)
                fact(world)
                world.check()
            except BaseException as error:
                error.add_note(f"{shape}; {standing}; {name}")
                raise


json_like = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_placeholder", "num", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)
headers = st.sampled_from(["0", "1", "2", "3", "51-", "52-", "61-", "4"])
packets = st.builds(
    lambda header, namespace, id, payload: f"4{header}{namespace}{id}{json.dumps(payload)}",
    headers,
    st.sampled_from(["", "/,", "/custom,", "/unknown,"]),
    st.sampled_from(["", "0", "1", "9007199254740992"]),
    json_like,
)
texts = st.sampled_from(PACKETS) | packets | st.text(max_size=6)
frames = texts | st.sampled_from(BINARIES) | st.binary(max_size=4)


@settings(max_examples=PROGRAMS)
@given(
    st.sampled_from(SHAPES),
    st.sampled_from(STANDINGS),
    st.lists(
        st.sampled_from(FACTS).map(lambda named: named[1])
        | st.tuples(st.sampled_from(["transport", "candidate"]), st.lists(frames, max_size=4))
        | st.lists(texts | st.binary(max_size=6), max_size=4),
        max_size=5,
    ),
)
def test_several_facts_with_any_content(
    shape: Shape, standing: str, facts: list[Fact | tuple[str, list[str | bytes]] | list[Any]]
) -> None:
    world = World(shape, standing)
    for fact in facts:
        if isinstance(fact, tuple):
            send_frames(world, *fact)
        elif isinstance(fact, list):
            parts = (
                part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
                for part in fact
            )
            send_body(world, b"\x1e".join(parts))
        else:
            fact(world)
    world.check()


def test_the_product_is_not_empty() -> None:
    assert len(set(SHAPES)) == len(SHAPES) > 100
    assert len({name for name, _ in FACTS}) == len(FACTS) > 200
