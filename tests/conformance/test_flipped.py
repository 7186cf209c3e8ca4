"""A case whose expectation is turned round has to fail against the server that is right.

If it passes all the same, its check is not recorded, or the verdict does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, groupby
from random import Random

import pytest

from sioproto_conformance._bench import Bench
from sioproto_conformance._fixture import Settings
from sioproto_conformance._model import Case, Verdict
from sioproto_conformance._runner import Result
from sioproto_conformance.broken._trial import CAUGHT, cases_in_memory, judge

EVERYTHING = Settings(cors="*", cookie=True, deflate=True)
OPEN = {"eio4.payload.octet-stream.answered"}
"""Cases that our server does not pass: it does what a ruling, but no text, forbids."""


def one_variant_of_each(area: str) -> list[Case]:
    cases = [case for case in cases_in_memory() if case.area == area]
    groups = [(base, list(alike)) for base, alike in groupby(cases, key=lambda case: case.base)]
    return [Random(base).choice(alike) for base, alike in groups]


def flipped(
    monkeypatch: pytest.MonkeyPatch, sound: list[Result]
) -> Iterator[tuple[str, int, Verdict]]:
    """Yield each case, each of its checks by number, and the verdict with that one inverted."""
    original = Bench.check
    for number in count():
        left = [result.case for result in sound if len(result.checks) > number]
        if not left:
            return

        def check(
            bench: Bench,
            ok: bool,
            expected: str,
            actual: object = None,
            *,
            rule: str | None = None,
            number: int = number,
        ) -> bool:
            turned = not ok if len(bench.findings.checks) == number else ok
            return original(bench, turned, expected, actual, rule=rule)

        with monkeypatch.context() as patch:
            patch.setattr(Bench, "check", check)
            for result in judge(left, settings=EVERYTHING):
                yield result.case.id, number, result.verdict


@pytest.mark.once
@pytest.mark.parametrize("area", dict.fromkeys(case.area for case in cases_in_memory()))
def test_inverted_check_fails(area: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [case for case in one_variant_of_each(area) if case.id not in OPEN]
    sound = judge(cases, settings=EVERYTHING)
    assert {result.case.id for result in sound if result.verdict is not Verdict.PASS} == set()
    unnoticed = [
        (id, number, verdict)
        for id, number, verdict in flipped(monkeypatch, sound)
        if verdict not in CAUGHT
    ]
    assert unnoticed == []


def test_verdicts_do_not_depend_on_chance() -> None:
    """Twenty runs, in each of which other tasks happen to come first."""
    cases = one_variant_of_each("eio4.heartbeat")
    runs = [judge(cases, seed=seed) for seed in range(20)]
    for results in zip(*runs, strict=True):
        assert {result.verdict for result in results} == {Verdict.PASS}, results[0].case.id
