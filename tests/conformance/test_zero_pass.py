"""Servers that speak nothing of the protocol pass nothing."""

from __future__ import annotations

import pytest

from sioproto_conformance._model import Case, Verdict
from sioproto_conformance._probe import Unreachable, survey
from sioproto_conformance._registry import all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance._runner import Options, Result, Runner
from sioproto_conformance._target import Manifest, Target
from sioproto_conformance.zero_pass import SERVERS, serving

# What each of them passes for a reason that has been looked at. A case that turns up here without
# one can be satisfied by a server that does not speak the protocol: mend the case.
MAY_PASS: dict[str, set[str]] = {name: set() for name in SERVERS}


async def _judge(name: str, cases: list[Case]) -> list[Result]:
    # Of the silent one every answer has to be waited for. It never comes, however short the wait.
    slack = 0.1 if name == "silent" else 1.0
    options = Options(jobs=32, slack=slack, include_security=True)
    async with serving(SERVERS[name]) as url:
        target = Target(Manifest(name=name, url=url), url)
        found = await survey(target, slack=slack)
        return await Runner(found, all_rules(), options, lambda result: None).run(cases)


@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_that_does_not_speak_the_protocol_passes_nothing(name: str) -> None:
    results = await _judge(name, all_cases())
    passed = {result.case.id for result in results if result.verdict is Verdict.PASS}
    assert passed == MAY_PASS[name]
    # Nor does it get away by being told to lack everything, or by a bug of the suite.
    verdicts = {result.verdict for result in results}
    assert Verdict.ERROR not in verdicts
    assert Verdict.FAIL in verdicts


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with serving(SERVERS["yes"]) as url:
        pass
    with pytest.raises(Unreachable, match="refused"):
        await survey(Target(Manifest(name="gone", url=url), url))
