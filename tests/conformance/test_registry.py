"""Declaring cases, and the cases that are declared."""

from __future__ import annotations

from typing import Any

import pytest

from sioproto_conformance._bench import Bench, Site
from sioproto_conformance._model import SuiteError
from sioproto_conformance._registry import NEEDS, Registry, across, all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance.peers.wire import Address
from tests.conformance.support import RULES


async def documented(t: Any) -> None:
    """A question."""


async def documented_variant(t: Any, value: object) -> None:
    """A question."""
    t.append(value)


async def undocumented(t: Any) -> None:
    pass


GOOD: dict[str, Any] = {"id": "eio4.area.subject", "covers": ["T-MUST"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "eio4.area"}, "no id"),
        ({"id": "eio4.area.Subject"}, "no id"),
        ({"id": "eio4.area.subject-"}, "no id"),
        ({"covers": []}, "covers no rule"),
        ({"needs": ["luck"]}, "nobody knows"),
        ({"variants": {"Two Words": 1}}, "no name for a variant"),
    ],
)
def test_a_declaration_that_is_wrong_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        Registry().case(**(GOOD | change))(documented)


def test_a_case_says_what_it_asks() -> None:
    with pytest.raises(SuiteError, match="no docstring"):
        Registry().case(**GOOD)(undocumented)


def test_an_id_is_used_once() -> None:
    registry = Registry()
    registry.case(**GOOD)(documented)
    with pytest.raises(SuiteError, match="two cases"):
        registry.case(**GOOD)(documented)


async def test_each_variant_is_a_case_with_its_value() -> None:
    registry = Registry()
    registry.case(**GOOD, variants={"one": 1, "two": 2})(documented_variant)
    first, second = registry.cases(RULES)
    assert (first.id, second.id) == ("eio4.area.subject[one]", "eio4.area.subject[two]")
    seen: list[int] = []
    await second.run(seen)  # type: ignore[arg-type]  # a list serves as the bench here
    assert seen == [2]


def test_an_unknown_rule_makes_the_case_unfit() -> None:
    registry = Registry()
    registry.case("eio4.area.good", covers=["T-MUST"])(documented)
    registry.case("eio4.area.bad", covers=["T-MUST", "T-GONE"])(documented)
    good, bad = registry.cases(RULES)
    assert good.problem is None
    assert bad.problem == "covers T-GONE, which is no rule"


def test_axes_multiply() -> None:
    assert across({"a": 1, "b": 2}, {"x": 3}) == {"a,x": (1, 3), "b,x": (2, 3)}


def test_every_case_of_the_suite_is_in_order() -> None:
    cases = all_cases()
    assert [case.id for case in cases if case.problem] == []
    assert {need for case in cases for need in case.needs} <= set(NEEDS)
    assert len({case.id for case in cases}) == len(cases)


def test_every_case_covers_rules_of_its_protocol_for_servers() -> None:
    rules = all_rules()
    ids = {case.id for case in all_cases()}
    newer = {"eio3": "eio4", "sio4": "sio5"}
    for case in all_cases():
        prefix = {"eio": "EIO-", "sio": "SIO-"}[case.protocol[:3]]
        revision = int(case.protocol[3:])
        own = [rules[id] for id in case.covers if id.startswith(prefix)]
        assert own, case.id
        # What is asked of the newer revision in the same way holds in the older one too.
        same = case.id.replace(case.protocol, newer.get(case.protocol, "none"), 1) in ids
        for rule in own:
            assert revision in rule.revisions or same, (case.id, rule.id)
            assert rule.role in ("server", "both"), (case.id, rule.id)


def test_what_is_asked_in_another_protocol_too_is_a_case_of_its_own() -> None:
    registry = Registry()

    @registry.case("eio4.area.subject", covers=["X"], needs=["polling"], also="eio3")
    async def plain(bench: object) -> None:
        """Says what."""

    @registry.case("sio5.area.subject", covers=["X"], variants={"a": 1}, also="sio4")
    async def varied(bench: object, value: int) -> None:
        """Says what."""

    found = {case.id: case.needs for case in registry.cases({})}
    assert found == {
        "eio4.area.subject": ("polling", "eio4"),
        "eio3.area.subject": ("polling", "eio3"),
        "sio5.area.subject[a]": ("eio4",),
        "sio4.area.subject[a]": ("sio4",),
    }


async def test_a_rule_of_one_protocol_has_a_stand_in_in_the_other() -> None:
    registry = Registry()

    @registry.case("sio5.area.subject", covers=["A", "B"], also="sio4", stand_ins={"A": "C"})
    async def asked(bench: Bench) -> None:
        """Says what."""
        bench.check(False, "by default")
        bench.check(False, "by name", rule="A")
        bench.check(True, "another", rule="B")

    charged = {}
    for case in registry.cases({}):
        bench = Bench(case, Site(Address("127.0.0.1", 1, tls=False), None, None), timeout=1)
        await case.run(bench)
        charged[case.id] = (case.covers, [check.rule for check in bench.findings.checks])
    assert charged == {
        "sio5.area.subject": (("A", "B"), ["A", "A", "B"]),
        "sio4.area.subject": (("C", "B"), ["C", "C", "B"]),
    }


@pytest.mark.parametrize("also", [None, "sio4"])
def test_a_stand_in_is_for_a_rule_that_is_covered_and_for_another_protocol(
    also: str | None,
) -> None:
    async def asked(bench: object) -> None:
        """Says what."""

    declare = Registry().case(
        "sio5.area.subject", covers=["A" if also is None else "B"], also=also, stand_ins={"A": "C"}
    )
    with pytest.raises(SuiteError, match="stand-ins"):
        declare(asked)
