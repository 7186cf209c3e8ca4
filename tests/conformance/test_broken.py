"""Each server that is broken on purpose is caught by the case that is named for it."""

from __future__ import annotations

import json
import sys
import urllib.request
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from sioproto_conformance._fixture import Settings
from sioproto_conformance._model import Case, Verdict
from sioproto_conformance._registry import all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance._select import select
from sioproto_conformance._target import Launch, Manifest, running
from sioproto_conformance.broken import BROKEN, Broken
from sioproto_conformance.broken._matrix import figures
from sioproto_conformance.broken._trial import cases_in_memory, is_caught, judge
from tests.conformance.test_fixture import fetch
from tests.project import ROOT

KILLS = ROOT / "conformance" / "results" / "kills.json"
MANY = 10
"""By more other cases than this a broken server is caught only if it says why."""
PART = 10
"""One of so many of the other cases is run as well; ``tox -e mutants`` runs them all."""

by_name = pytest.mark.parametrize("name", BROKEN)


def named_cases(broken: Broken) -> list[Case]:
    return select(all_cases(), [broken.case])


@by_name
def test_broken_server_is_caught_by_its_case(name: str) -> None:
    broken = BROKEN[name]
    results = judge(named_cases(broken), broken)
    assert any(is_caught(result, broken.rule) for result in results), [
        (result.case.id, result.verdict, result.reason) for result in results
    ]
    assert Verdict.ERROR not in {result.verdict for result in results}


@pytest.mark.parametrize(
    "settings",
    [dict(items) for items in {tuple(b.settings.items()) for b in BROKEN.values()}],
    ids=str,
)
def test_nothing_is_caught_where_nothing_is_broken(settings: dict[str, Any]) -> None:
    chosen = [broken for broken in BROKEN.values() if broken.settings == settings]
    cases = {case.id: case for broken in chosen for case in named_cases(broken)}
    judged = judge(list(cases.values()), settings=replace(Settings(), **settings))
    results = {result.case.id: result for result in judged}
    for broken in chosen:
        named = [results[case.id] for case in named_cases(broken)]
        assert not [result for result in named if is_caught(result, broken.rule)], broken.name
        assert {result.verdict for result in named} <= {Verdict.PASS, Verdict.INFO}


@pytest.mark.once
@by_name
def test_other_cases_withstand_a_broken_server(name: str) -> None:
    """Whatever a server does, no case fails by a bug of its own."""
    broken = BROKEN[name]
    others = [case for case in cases_in_memory() if case.base != broken.case.partition("[")[0]]
    some = Random(name).sample(others, len({case.base for case in others}) // PART)
    results = judge(some, broken)
    errors = [result for result in results if result.verdict is Verdict.ERROR]
    assert [(result.case.id, result.reason) for result in errors] == []


@by_name
def test_broken_server_names_a_rule_that_its_case_covers(name: str) -> None:
    broken = BROKEN[name]
    assert broken.rule in all_rules()
    assert all(broken.rule in case.covers for case in named_cases(broken))


@by_name
def test_broken_server_says_in_one_sentence_what_is_wrong(name: str) -> None:
    what = BROKEN[name].what
    assert what[0].isupper()
    assert what.endswith(".")
    assert "\n" not in what


@by_name
def test_nothing_stays_broken(name: str) -> None:
    broken = BROKEN[name]
    before = getattr(broken.owner, broken.attribute)
    with broken.broken():
        assert getattr(broken.owner, broken.attribute) is not before
    assert getattr(broken.owner, broken.attribute) is before


def test_no_two_servers_are_broken_in_the_same_place_for_the_same_rule() -> None:
    places = [(broken.rule, id(broken.owner), broken.attribute) for broken in BROKEN.values()]
    assert len(places) == len(set(places))


def test_broken_server_can_be_tried_by_hand() -> None:
    """It is broken, and has the settings that it takes to notice."""
    fixture = (sys.executable, "-m", "sioproto_conformance", "fixture")
    launch = Launch((*fixture, "--broken", "cookie-on-every-answer"))
    with running(Manifest(name="broken", launch=launch)) as target:
        base = f"{target.url}/engine.io/?EIO=4&transport=polling"
        session = f"{base}&sid={json.loads(fetch(base)[1:])['sid']}"
        with urllib.request.urlopen(session, data=b"3", timeout=10) as answer:
            assert answer.headers["set-cookie"].startswith("io=again")


def test_figures_are_those_that_people_read() -> None:
    readme = (ROOT / "conformance" / "README.md").read_text("utf-8")
    assert "\n".join(figures()) in readme


# What is stored of all against all


def test_kill_matrix_is_of_these_servers() -> None:
    """If not, ``tox -e mutants`` writes a new one."""
    stored = json.loads(KILLS.read_text("utf-8"))
    assert {name: (kill["rule"], kill["case"]) for name, kill in stored.items()} == {
        name: (broken.rule, broken.case) for name, broken in BROKEN.items()
    }
    assert all(kill["caught"] for kill in stored.values())


def test_broken_server_that_many_cases_catch_says_why() -> None:
    stored = json.loads(KILLS.read_text("utf-8"))
    many = {name for name, kill in stored.items() if len(kill["also_caught_by"]) > MANY}
    assert many <= {name for name, broken in BROKEN.items() if broken.wide is not None}
