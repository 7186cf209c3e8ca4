"""The suite as items of pytest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]

NAME = "sioproto_conformance"
CASES = """
from sioproto_conformance import _registry, _rules
from tests.conformance.support import RULES, make_case

async def passes(t):
    t.check(True, "something")
async def fails(t):
    t.check(False, "this", "that")
async def warns(t):
    t.check(False, "this", "that", rule="T-REF")
async def skips(t):
    t.skip("not here")
async def gives_up(t):
    t.inconclusive("who knows")

CASES = [
    make_case("eio4.a.passes", run=passes),
    make_case("eio4.a.fails", run=fails),
    make_case("eio4.a.warns", run=warns),
    make_case("eio4.a.skips", run=skips),
    make_case("eio4.a.gives-up", run=gives_up),
]
_registry.all_cases = lambda: CASES
_rules.all_rules = lambda: RULES
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest with made-up cases, against a server that is there and no more."""
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), *filter(None, sys.path)]))
    command = [sys.executable, "-m", "sioproto_conformance.zero_pass", "slams"]
    manifest = f'name = "made up"\n[launch]\ncommand = {json.dumps(command)}\n'
    (pytester.path / "sut.toml").write_text(manifest, "utf-8")
    pytester.makeconftest(CASES)
    installed = any(point.name == NAME for point in entry_points(group="pytest11"))
    plugin = [] if installed else ["-p", f"{NAME}._pytest_plugin"]

    def run_pytest(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess(*plugin, "-p", "no:cacheprovider", *arguments)

    return run_pytest


def test_each_case_is_an_item_with_its_verdict(run: Run) -> None:
    result = run("--sio-target", "sut.toml", "-v")
    result.assert_outcomes(passed=2, failed=2, skipped=1)
    result.stdout.fnmatch_lines_random(
        [
            "sio-conformance::eio4.a.passes PASSED*",
            "sio-conformance::eio4.a.warns PASSED*",
            "sio-conformance::eio4.a.skips SKIPPED*",
            "FAIL eio4.a.fails",
            "T-MUST: expected this; that",
            "INCONCLUSIVE eio4.a.gives-up",
        ]
    )


def test_cases_can_be_chosen_both_ways(run: Run) -> None:
    result = run("--sio-target", "sut.toml", "--sio-select", "eio4.a.passes")
    result.assert_outcomes(passed=1)
    result = run("--sio-target", "sut.toml", "-k", "skips or passes")
    result.assert_outcomes(passed=1, skipped=1, deselected=3)
    result = run("--sio-target", "sut.toml", "--sio-select", "nonsense")
    result.stderr.fnmatch_lines(["*'nonsense' selects nothing*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_known_failures_are_expected(run: Run, pytester: pytest.Pytester) -> None:
    known = '[[expect]]\ncases = ["{}"]\nis = "fail"\nreason = "known"\n'
    (pytester.path / "known.toml").write_text(known.format("eio4.a.fails"), "utf-8")
    arguments = ("--sio-target", "sut.toml", "--sio-known", "known.toml")
    run(*arguments, "--sio-select", "eio4.a.fails").assert_outcomes(xfailed=1)
    (pytester.path / "known.toml").write_text(known.format("eio4.a.passes"), "utf-8")
    result = run(*arguments, "--sio-select", "eio4.a.passes")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["XPASS eio4.a.passes", "known to fail: known"])


def test_a_target_that_is_not_there_fails_the_items(run: Run) -> None:
    result = run("--sio-target", "http://127.0.0.1:1", "--sio-select", "eio4.a.passes")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*refused*"])


def test_nothing_is_added_without_the_option(run: Run) -> None:
    assert run().ret == pytest.ExitCode.NO_TESTS_COLLECTED
