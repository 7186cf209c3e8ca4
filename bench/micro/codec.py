"""Codecs side by side, round by round: those of Python here, and that of JavaScript in Node.

    python -m bench.micro.codec ROUNDS SLICE_MS

Prints a line of JSON: rows of codec, work, operation, round, nanoseconds. What they encode is
compared first.
"""

from __future__ import annotations

import importlib
import itertools
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from bench.micro import work
from bench.micro.adapters import MODULES, Operations

OPERATIONS = ("encode", "decode")


class Codec(Protocol):
    """Something to measure."""

    label: str

    def nanoseconds(self, name: str, operation: str, times: int) -> int:
        """How long it takes to do one operation on a piece of work so many times."""


class PythonCodec:
    """One of the adapters.

    Raises:
        AssertionError: what it encodes or decodes is not what it has to be.
    """

    def __init__(self, module: str) -> None:
        adapter = importlib.import_module(f"bench.micro.adapters.{module}")
        self.label: str = adapter.LABEL
        self._operations: dict[str, Operations] = {}
        for name in work.WORK:
            self._operations[name] = adapter.operations(name)
            if self._operations[name].checked:
                check(self._operations[name], name)

    def nanoseconds(self, name: str, operation: str, times: int) -> int:
        """See :class:`Codec`."""
        run = getattr(self._operations[name], operation)
        rounds = range(times)
        began = time.thread_time_ns()
        for _ in rounds:
            run()
        return time.thread_time_ns() - began


def check(operations: Operations, name: str) -> None:
    """Compare results with what they have to be, byte by byte.

    Raises:
        AssertionError: they differ.
    """
    wanted = work.wire(name, ascii=operations.escapes)
    encoded = operations.encode()
    if isinstance(wanted, str):
        encoded = encoded.decode() if isinstance(encoded, bytes) else encoded
    assert encoded == wanted, f"{name}: {encoded!r} is not {wanted!r}"
    decoded = operations.decode()
    assert decoded == work.WORK[name], f"{name}: {decoded!r}"


class NodeCodec:
    """socket.io's parser in a process of its own."""

    label = "socket.io on Node"

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(Path(__file__).with_name("codec.cjs"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        texts = {name: value for name, value in work.WORK.items() if name != "two attachments"}
        for name, wire in self._ask({"work": texts}).items():
            shown = wire
            if isinstance(wire, list):
                shown = [x if isinstance(x, str) else bytes.fromhex(x["hex"]) for x in wire]
            assert shown == work.wire(name), f"{name} is {shown!r} in JavaScript"

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def nanoseconds(self, name: str, operation: str, times: int) -> int:
        """See :class:`Codec`."""
        asked = {"name": name, "operation": operation, "times": times}
        return int(self._ask(asked))

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(5)


def calibrated(codec: Codec, name: str, operation: str, slice_ns: float) -> int:
    """How many times fit into a slice, once everything is warm."""
    for _ in range(2):
        codec.nanoseconds(name, operation, 3_000 if isinstance(codec, NodeCodec) else 200)
    return max(10, int(slice_ns * 200 / max(1, codec.nanoseconds(name, operation, 200))))


def main(rounds: int, slice_ms: float) -> None:
    node = NodeCodec()
    codecs: list[Codec] = [*map(PythonCodec, MODULES), node]
    jobs = list(itertools.product(work.WORK, OPERATIONS))
    times = {
        (codec.label, name, operation): calibrated(codec, name, operation, slice_ms * 1e6)
        for name, operation in jobs
        for codec in codecs
    }
    rows = []
    for number in range(rounds):
        for name, operation in jobs:
            for codec in random.sample(codecs, len(codecs)):
                count = times[codec.label, name, operation]
                spent = codec.nanoseconds(name, operation, count) / count
                rows.append([codec.label, name, operation, number, spent])
    node.end()
    print(json.dumps(rows))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
