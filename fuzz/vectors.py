#!/usr/bin/env python3
"""Make the test vectors anew: ``python fuzz/vectors.py``, or ``--check`` whether they are current.

A vector is one input of a codec, whether it is valid, the rules that say so, and what it decodes
to. Candidates are the seeds of the fuzz targets and changes of them that are the same at every run.
Of candidates with the same rules and outcome that take the same ways through the plain decoders,
only the shortest is kept: two that nothing tells apart test nothing more.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import random
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from fuzzing import ROOT
from fuzzing.cases import FORMATS, Case, Format

FOLDER = ROOT / "conformance" / "vectors"
CHANGES = 6_000
"""So many changed inputs are looked at, of each format."""
LONGEST = 160
"""Most bytes of an input: whoever reads vectors can read no longer ones."""
BUCKETS = (1, 2, 3, 4, 8, 16, 32)

Ways = frozenset[tuple[str, int, int]]


@dataclass
class _Tracer:
    """Which lines of the plain decoders follow which, and how often, roughly."""

    seen: dict[tuple[str, int], int] = field(default_factory=dict)
    last: int = 0

    def __call__(self, frame: Any, event: str, argument: Any) -> Any:
        code: CodeType = frame.f_code
        if event == "call" and "/fuzzing/plain" not in code.co_filename:
            return None
        if event == "line":
            key = (code.co_qualname, frame.f_lineno - code.co_firstlineno)
            self.seen[key] = self.seen.get(key, 0) + 1
        return self

    def ways(self) -> Ways:
        """What tells one input from another."""
        return frozenset(
            (name, line, max(bucket for bucket in BUCKETS if bucket <= count))
            for (name, line), count in self.seen.items()
        )


def traced(kind: Format, data: bytes) -> tuple[bool, Ways]:
    """Whether a plain decoder takes an input, and which ways it took."""
    tracer = _Tracer()
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        taken = kind.plainly(data)
    finally:
        sys.settrace(before)
    return taken, tracer.ways()


def candidates(kind: Format, changes: int = CHANGES) -> Iterator[bytes]:
    """Inputs of a format, always the same ones."""
    target = importlib.import_module(kind.target).TARGET
    known: list[bytes] = []
    for data in [*kind.examples, *target.seeds()]:
        taken = kind.take(data)
        if taken is not None and len(taken) <= LONGEST and taken not in known:
            known.append(taken)
    yield from known
    dice = random.Random(kind.name)
    for _ in range(changes):
        data = bytearray(dice.choice(known))
        for _ in range(dice.choice((1, 1, 1, 2))):
            at = dice.randrange(len(data) + 1)
            match dice.randrange(4):
                case 0:
                    data[at:at] = dice.choice(kind.pieces)
                case 1:
                    del data[at : at + dice.choice((1, 1, 2, 5))]
                case 2:
                    data[at : at + 1] = dice.choice(kind.pieces)
                case _:
                    other = dice.choice(known)
                    begin = dice.randrange(len(other) + 1)
                    data[at:at] = other[begin : begin + dice.choice((1, 4, 20))]
        if len(data) <= LONGEST:
            yield bytes(data)


def vectors(kind: Format) -> list[dict[str, Any]]:
    """The vectors of a format."""
    best: dict[tuple[Any, ...], tuple[int, bytes, Case]] = {}
    for data in candidates(kind):
        if not kind.readable(data):
            continue
        case = kind.judge(data)
        taken, ways = traced(kind, data)
        assert taken == case.accepted, f"{kind.name}: {data!r}"
        key = (case.outcome, case.rules, case.accepted, ways)
        rank = (len(data), data, case)
        if key not in best or rank[:2] < best[key][:2]:
            best[key] = rank
    kept = sorted(best.values(), key=lambda rank: rank[:2])
    return [
        {"id": f"{kind.name}.{hashlib.sha1(data).hexdigest()[:10]}", **case.as_json(kind, data)}
        for _, data, case in kept
    ]


def written(kind: Format, found: Iterable[dict[str, Any]]) -> str:
    """The text of a file of vectors: one a line, so that changes can be read."""
    head = {"format": kind.name, "describes": kind.describes}
    lines = [json.dumps(vector, ensure_ascii=True) for vector in found]
    start = json.dumps(head, ensure_ascii=True)[:-1]
    return f'{start}, "vectors": [\n' + ",\n".join(lines) + "\n]}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it would")
    options = parser.parse_args()
    total = 0
    stale = []
    for kind in FORMATS:
        found = vectors(kind)
        total += len(found)
        text = written(kind, found)
        path = FOLDER / f"{kind.name}.json"
        if options.check:
            if not path.exists() or path.read_text("utf-8") != text:
                stale.append(kind.name)
        else:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        print(f"{kind.name}: {len(found)}")
    print(f"{total} vectors")
    if stale:
        sys.exit(f"not current: {', '.join(stale)}")


if __name__ == "__main__":
    main()
