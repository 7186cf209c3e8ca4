#!/usr/bin/env python3
"""Run a fuzz target under libFuzzer: ``tox -e fuzz -- TARGET --seconds N``.

What it finds goes to ``.fuzz/TARGET``: a crash is minimised and printed as a ready test; inputs
that reached something new stay there for the next run, and ``--keep`` merges them into the corpus.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzzing import FOLDER, ROOT
from fuzzing.target import MAX_LENGTH

NOT_TARGETS = {"run", "vectors", "differential"}
TARGETS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NOT_TARGETS)
SLOWEST = 25
"""Seconds that one input may take."""
MEMORY = 2048
"""Megabytes that a run may take."""
MINIMISING = 60
"""Seconds to make a crash small."""
KEPT_LENGTH = 1024
"""Longest input that the corpus takes."""

_COVERAGE = re.compile(r"\bcov: (\d+) ft: (\d+) corp: (\d+)/")
_EXECUTED = re.compile(r"stat::number_of_executed_units: +(\d+)")


class MergeFailed(Exception):
    """The corpus could not be merged."""


@dataclass(frozen=True)
class Summary:
    """What a run did."""

    target: str
    seconds: float
    executions: int
    coverage: int
    features: int
    crashes: tuple[Path, ...]

    def __str__(self) -> str:
        return (
            f"| {self.target} | {self.seconds:.0f} s | {self.executions:,} | {self.coverage:,} |"
            f" {self.features:,} | {len(self.crashes)} |"
        )


def libfuzzer(program: Path, arguments: Sequence[str], *, show: bool = False) -> tuple[int, str]:
    """Start a target by its path, as libFuzzer wants to start it again for some of its work.

    Returns its exit code and what it said.
    """
    python = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((python, os.environ.get("PATH", ""))),
        "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT)))),
    }
    said: list[str] = []
    with subprocess.Popen(
        [str(program), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if show and (line.startswith("#") or "==" in line):
                print(line, end="", file=sys.stderr, flush=True)
        code = process.wait()
    return code, "".join(said)


def merge(program: Path, into: Path, sources: Sequence[Path]) -> int:
    """Merge inputs by coverage into an empty folder, and say how many there are.

    Raises ``MergeFailed`` if nothing comes of something, as when a program ignores the request.
    """
    given = sum(1 for source in sources if source.is_dir() for _ in source.iterdir())
    code, said = libfuzzer(program, ["-merge=1", str(into), *map(str, sources)])
    kept = sum(1 for _ in into.iterdir())
    if code != 0:
        raise MergeFailed(f"{program.name}: merging ended with {code}\n{said[-2000:]}")
    if given and not kept:
        raise MergeFailed(f"{program.name}: merging {given} inputs left none")
    return kept


def minimise(program: Path, crash: Path) -> Path:
    """Make a crash smaller. Returns the smallest found, perhaps the one given."""
    smallest = crash.with_suffix(".min")
    options = ["-minimize_crash=1", f"-max_total_time={MINIMISING}", "-runs=20000"]
    libfuzzer(program, [*options, f"-exact_artifact_path={smallest}", str(crash)])
    return smallest if smallest.exists() else crash


def ready_test(target: str, crash: bytes) -> str:
    """A regression test for an input."""
    name = hashlib.sha1(crash).hexdigest()[:8]
    return (
        f"def test_{target}_{name}() -> None:\n"
        f"    import {target}\n\n"
        f"    {target}.TARGET.run({crash!r})\n"
    )


def fuzz(target: str, seconds: float, work: Path) -> Summary:
    """Run a target for a while, with its corpus and with what earlier runs found."""
    program = FOLDER / f"{target}.py"
    found, crashes = work / "found", work / "crashes"
    found.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    before = set(crashes.iterdir())
    arguments = [
        str(found),
        str(FOLDER / "corpus" / target),
        f"-max_total_time={seconds:.0f}",
        f"-artifact_prefix={crashes}/",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-max_len={MAX_LENGTH}",
        "-print_final_stats=1",
    ]
    _, said = libfuzzer(program, arguments, show=True)
    executed = _EXECUTED.search(said)
    if executed is None:
        sys.exit(f"{target} did not run:\n{said[-4000:]}")
    coverage = _COVERAGE.findall(said)
    reached = max((tuple(map(int, numbers)) for numbers in coverage), default=(0, 0, 0))
    new = sorted(set(crashes.iterdir()) - before)
    for crash in new:
        small = minimise(program, crash)
        print(said[said.find("=== Uncaught") :][:4000])
        print(f"{small}\n\n{ready_test(target, small.read_bytes())}")
    return Summary(target, seconds, int(executed[1]), reached[0], reached[1], tuple(new))


def keep(target: str, work: Path) -> int:
    """Make the corpus anew out of itself, the seeds and what was found, minimised by coverage."""
    program = FOLDER / f"{target}.py"
    corpus = FOLDER / "corpus" / target
    with tempfile.TemporaryDirectory() as folder:
        seeds, merged, short = (Path(folder, name) for name in ("seeds", "merged", "short"))
        for path in (seeds, merged, short):
            path.mkdir()
        for seed in _seeds(target):
            (seeds / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
        for source in (corpus, work / "found"):
            for path in source.iterdir() if source.is_dir() else ():
                if path.stat().st_size <= KEPT_LENGTH:
                    shutil.copy(path, short)
        merge(program, merged, [seeds, short])
        if corpus.is_dir():
            for path in corpus.iterdir():
                path.unlink()
        corpus.mkdir(parents=True, exist_ok=True)
        for path in merged.iterdir():
            data = path.read_bytes()
            (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)
    return sum(1 for _ in corpus.iterdir())


def _seeds(target: str) -> list[bytes]:
    import importlib

    return list(importlib.import_module(target).TARGET.seeds())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="tox -e fuzz --", description=__doc__)
    parser.add_argument("target", choices=[*TARGETS, "all"], nargs="?", default="all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--keep", action="store_true", help="merge what was found into the corpus")
    options = parser.parse_args(arguments)
    crashed = False
    summaries = []
    for target in TARGETS if options.target == "all" else [options.target]:
        work = ROOT / ".fuzz" / target
        summary = fuzz(target, options.seconds, work)
        summaries.append(summary)
        crashed |= bool(summary.crashes)
        if options.keep:
            try:
                print(f"{target}: the corpus has {keep(target, work)} inputs", flush=True)
            except MergeFailed as error:
                sys.exit(str(error))
    print("| target | time | executions | coverage | features | crashes |")
    print("| --- | --- | --- | --- | --- | --- |")
    for summary in summaries:
        print(summary)
    sys.exit(crashed)


if __name__ == "__main__":
    main()
