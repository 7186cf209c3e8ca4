"""The fuzz targets, for the tests of them."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator

from fuzzing.target import Target
from run import TARGETS

__all__ = ("TARGETS", "inputs", "load")


def load(name: str) -> Target:
    """A target by name."""
    target = importlib.import_module(name).TARGET
    assert isinstance(target, Target)
    return target


def inputs(target: Target, changed: int) -> Iterator[bytes]:
    """What is tried first, seeds and corpus, and then so many changes of it, always the same."""
    known = [*target.seeds(), *target.corpus_units()]
    yield from known
    dice = random.Random(target.name)
    for _ in range(changed):
        data = bytearray(dice.choice(known))
        for _ in range(dice.choice((1, 1, 2, 4))):
            at = dice.randrange(len(data) + 1)
            match dice.randrange(5):
                case 0:
                    data[at:at] = dice.randbytes(1)
                case 1:
                    del data[at : at + dice.choice((1, 1, 3))]
                case 2:
                    data[at : at + 1] = dice.choice(b'0123456789-/,[]{}":b=').to_bytes()
                case 3:
                    other = dice.choice(known)
                    begin = dice.randrange(len(other) + 1)
                    data[at:at] = other[begin : begin + dice.choice((2, 8, 60))]
                case _:
                    data[at : at + 1] = dice.randbytes(1)
        yield bytes(data)
