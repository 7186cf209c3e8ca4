"""Each server that is broken on purpose is caught by the case that is named for it."""

from __future__ import annotations

import sys
from itertools import chain

import pytest
import trio

from sioproto_conformance._model import Verdict
from sioproto_conformance._probe import survey
from sioproto_conformance._registry import all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance._runner import Options, Result, Runner
from sioproto_conformance._select import select
from sioproto_conformance._target import Launch, Manifest, Target, running
from sioproto_conformance.broken import BROKEN

CAUGHT = {Verdict.FAIL, Verdict.WARN, Verdict.INFO}
ATTEMPTS = 5
"""So often a case is run that cannot judge, because this machine was busy with something else."""


def judge(broken: str | None, selection: list[str], options: tuple[str, ...] = ()) -> list[Result]:
    """Run cases against our server, broken or not."""
    command = [sys.executable, "-m", "sioproto_conformance", "fixture", *options]
    if broken is not None:
        command += ["--broken", broken]
    manifest = Manifest(name=broken or "unbroken", launch=Launch(tuple(command)))

    async def run(target: Target) -> list[Result]:
        runner = Runner(
            await survey(target), all_rules(), Options(include_security=True), lambda result: None
        )
        return await runner.run(select(all_cases(), selection))

    with running(manifest) as target:
        return trio.run(run, target)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_server_is_caught_by_its_case(name: str) -> None:
    for _ in range(ATTEMPTS):
        results = judge(name, [BROKEN[name].case], BROKEN[name].options)
        if not any(result.verdict is Verdict.INCONCLUSIVE for result in results):
            break
    assert CAUGHT & {result.verdict for result in results}, [
        (result.case.id, result.verdict, result.reason) for result in results
    ]
    assert not {Verdict.ERROR} & {result.verdict for result in results}


def test_unbroken_server_passes_the_same_cases() -> None:
    options = dict.fromkeys(broken.options for broken in BROKEN.values())
    cases = sorted({broken.case for broken in BROKEN.values()})
    for _ in range(ATTEMPTS):
        results = judge(None, cases, tuple(chain.from_iterable(options)))
        if not any(result.verdict is Verdict.INCONCLUSIVE for result in results):
            break
    assert {result.verdict for result in results} == {Verdict.PASS}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_server_names_a_rule_that_its_case_covers(name: str) -> None:
    broken = BROKEN[name]
    assert broken.rule in all_rules()
    assert any(broken.rule in case.covers for case in select(all_cases(), [broken.case]))
