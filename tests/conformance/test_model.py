"""Verdicts follow the origin of the rule."""

from __future__ import annotations

import pytest

from sioproto_conformance._model import Check, Observation, Rule, Verdict, judge
from tests.conformance.support import RULES

BROKEN = {
    ("text", "MUST"): Verdict.FAIL,
    ("text", "SHOULD"): Verdict.WARN,
    ("text", "MAY"): Verdict.INFO,
    ("implied", "MUST"): Verdict.FAIL,
    ("manual", "MUST"): Verdict.WARN,
    ("official-suite", "MUST"): Verdict.WARN,
    ("reference", "MUST"): Verdict.WARN,
    ("ruling", "MUST"): Verdict.INFO,
    ("ruling", "SHOULD"): Verdict.INFO,
    ("robustness", "MUST"): Verdict.FAIL,
    ("security", "SHOULD"): Verdict.FAIL,
}


@pytest.mark.parametrize(("origin", "level"), BROKEN)
def test_a_broken_rule_weighs_as_much_as_its_origin(origin: str, level: str) -> None:
    rule = Rule("R", "s", level, origin, (4,), "server", "doc#place", "wire")  # type: ignore[arg-type]  # parametrised
    assert rule.verdict_when_broken is BROKEN[origin, level]
    assert rule.guards_robustness is (origin in ("robustness", "security"))


def _checks(**outcomes: bool) -> list[Check]:
    return [Check(f"T-{rule}", ok, "e", "a") for rule, ok in outcomes.items()]


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ({"MUST": True, "SHOULD": True}, Verdict.PASS),
        ({"MUST": False, "SHOULD": False}, Verdict.FAIL),
        ({"MUST": True, "SHOULD": False, "RULING": False}, Verdict.WARN),
        ({"RULING": False}, Verdict.INFO),
        ({"ROBUST": False, "REF": False}, Verdict.FAIL),
    ],
)
def test_the_worst_broken_rule_decides(outcomes: dict[str, bool], verdict: Verdict) -> None:
    assert judge(_checks(**outcomes), [], RULES) is verdict


def test_nothing_checked_is_no_pass() -> None:
    assert judge([], [], RULES) is Verdict.ERROR
    assert judge([], [Observation("name", "value")], RULES) is Verdict.INFO
    assert judge(_checks(MUST=True), [Observation("name", "value")], RULES) is Verdict.PASS
