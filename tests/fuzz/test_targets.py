"""Each fuzz target holds its invariant: on its corpus, on examples of hypothesis, at the worst."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings

from fuzzing import FOLDER
from fuzzing.bounds import Budget, Cost, TooExpensive, growth, measure
from run import MergeFailed, fuzz, merge, ready_test
from tests.fuzz.targets import TARGETS, inputs, load
from tests.harness import PROGRAMS

MACHINES = [name for name in TARGETS if name.endswith("_machine")]
README = " ".join((FOLDER / "README.md").read_text("utf-8").split())
QUADRATIC = 32
"""By so much at least an input of eight times the size takes longer if time is quadratic."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_a_program_whose_invariant_is_told(name: str) -> None:
    """libFuzzer starts it again by its path: as an argument of Python it would do nothing."""
    path = FOLDER / f"{name}.py"
    source = path.read_text("utf-8")
    assert source.startswith("#!/usr/bin/env python3\n")
    assert path.stat().st_mode & stat.S_IXUSR
    sentence = " ".join((ast.get_docstring(ast.parse(source)) or "").split())
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0, "one sentence"
    assert f"| `{name}` | {sentence} |" in README


@pytest.mark.parametrize("name", TARGETS)
def test_corpus_and_seeds(name: str) -> None:
    target = load(name)
    units = list(target.corpus_units())
    assert len(units) >= 10
    assert all(len(unit) <= 1024 for unit in units)
    for data in inputs(target, changed=200):
        target.run(data)


@pytest.mark.parametrize("name", TARGETS)
def test_examples(name: str) -> None:
    target = load(name)

    @settings(max_examples=PROGRAMS)
    @given(target.examples())
    def check(data: bytes) -> None:
        target.run(data)

    check()


WORST = [(name, what) for name in TARGETS for what in load(name).worst]


@pytest.mark.parametrize(("name", "what"), WORST)
def test_the_worst_stays_within_its_budget(name: str, what: str) -> None:
    target = load(name)
    made = target.worst[what]
    for size in (100, 700) if name in MACHINES else (100, 2_000, 8_000):
        target.check_cost(made(size))
    target.judge(made(100 if name in MACHINES else 2_000))


@pytest.mark.parametrize(("name", "what"), [case for case in WORST if case[0] not in MACHINES])
def test_time_grows_with_the_input_and_no_faster(name: str, what: str) -> None:
    target = load(name)
    # What else goes on on a machine can make one try look slow, never all of them.
    tries = (growth(target.decode, target.worst[what], 2_000) for _ in range(4))
    assert any(ratio < QUADRATIC for ratio in tries)


# The tests see what they are for


def test_growth_sees_what_is_quadratic() -> None:
    def shift(data: bytes) -> None:
        while data:
            data = data[64:]

    assert growth(shift, lambda size: b"x" * size, 32_000) > QUADRATIC


def test_budgets_see_what_costs_too_much() -> None:
    budget = Budget(operations=1, memory=1, first_operations=10, first_memory=10)
    budget.check(5, Cost(operations=15, memory=15))
    for cost in (Cost(operations=16, memory=0), Cost(operations=0, memory=16)):
        with pytest.raises(TooExpensive):
            budget.check(5, cost)


def test_costs_are_the_same_each_time() -> None:
    target = load("socket_decoder")
    data = target.worst["placeholders"](1_000)
    costs = [measure(lambda: target.decode(data)).operations for _ in range(3)]
    assert costs[0] > 20
    assert len(set(costs)) == 1


# The program that runs them

Programs = Callable[[str], Path]


@pytest.fixture
def program(tmp_path: Path) -> Programs:
    """Makes a program that stands in for a target."""

    def make(body: str) -> Path:
        path = tmp_path / "stand_in.py"
        path.write_text(f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\n{body}\n")
        path.chmod(0o755)
        return path

    return make


def folders(tmp_path: Path) -> tuple[Path, Path]:
    source, into = tmp_path / "source", tmp_path / "into"
    source.mkdir()
    into.mkdir()
    (source / "one").write_bytes(b"1")
    return source, into


def test_a_merge_that_leaves_nothing_fails(program: Programs, tmp_path: Path) -> None:
    source, into = folders(tmp_path)
    with pytest.raises(MergeFailed, match="merging 1 inputs left none"):
        merge(program("pass"), into, [source])


def test_a_merge_that_ends_badly_fails(program: Programs, tmp_path: Path) -> None:
    source, into = folders(tmp_path)
    with pytest.raises(MergeFailed, match="ended with 3"):
        merge(program("print('no'); sys.exit(3)"), into, [source])


def test_a_merge_that_works_counts(program: Programs, tmp_path: Path) -> None:
    source, into = folders(tmp_path)
    body = "_, what, into, source = sys.argv\nassert what == '-merge=1'\n"
    body += "(Path(into) / 'x').write_bytes((Path(source) / 'one').read_bytes())"
    assert merge(program(body), into, [source]) == 1


def test_a_target_that_does_not_run_is_no_success(
    program: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("print('No module named atheris')")
    monkeypatch.setattr("run.FOLDER", tmp_path)
    with pytest.raises(SystemExit, match="did not run"):
        fuzz("stand_in", 1, tmp_path / "work")


def test_a_crash_becomes_a_ready_test(
    program: Programs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = """
options = dict(argument[1:].split("=", 1) for argument in sys.argv[1:] if argument[0] == "-")
if "minimize_crash" in options:
    Path(options["exact_artifact_path"]).write_bytes(b"x")
else:
    Path(options["artifact_prefix"], "crash-1").write_bytes(b"xxx")
    print("#9 NEW cov: 7 ft: 8 corp: 2/2b", "stat::number_of_executed_units: 10", sep="\\n")
"""
    program(body)
    monkeypatch.setattr("run.FOLDER", tmp_path)
    summary = fuzz("stand_in", 1, tmp_path / "work")
    assert (summary.executions, summary.coverage, summary.features) == (10, 7, 8)
    assert len(summary.crashes) == 1
    assert ready_test("stand_in", b"x") in capsys.readouterr().out


def test_a_ready_test_is_one() -> None:
    names: dict[str, Callable[[], None]] = {}
    exec(ready_test("engine_packet", b"\x004hello"), names)
    (test,) = (value for name, value in names.items() if name.startswith("test_engine_packet_"))
    test()


def test_a_target_takes_files_without_libfuzzer(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"\x004hello")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(FOLDER / "engine_packet.py"), "--once", str(path)]
    subprocess.run(command, check=True, env=environment)
