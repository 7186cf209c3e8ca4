"""Known failures have to go on failing as they are known to."""

from __future__ import annotations

from pathlib import Path

import pytest

from sioproto_conformance._known import (
    Expectation,
    KnownError,
    applicable,
    apply_known,
    check_overlap,
    read_known,
    stale_patterns,
)
from sioproto_conformance._model import Verdict
from tests.conformance.support import make_case, make_result


def _applied(verdict: Verdict, how: str, *, match: str = "", reason: str = "still open") -> Verdict:
    entry = Expectation(("eio4.made.*",), "known", how, match, "https://example.org/1")  # type: ignore[arg-type]  # parametrised
    result = make_result(verdict, reason=reason)
    apply_known(result, [entry])
    return result.verdict


@pytest.mark.parametrize(
    ("verdict", "how", "becomes"),
    [
        (Verdict.FAIL, "fail", Verdict.XFAIL),
        (Verdict.PASS, "fail", Verdict.XPASS),
        (Verdict.INFO, "fail", Verdict.XPASS),
        (Verdict.WARN, "fail", Verdict.XPASS),
        (Verdict.SKIP, "fail", Verdict.SKIP),
        (Verdict.INCONCLUSIVE, "fail", Verdict.INCONCLUSIVE),
        (Verdict.ERROR, "fail", Verdict.ERROR),
        (Verdict.WARN, "warn", Verdict.XFAIL),
        (Verdict.FAIL, "warn", Verdict.FAIL),
        (Verdict.PASS, "warn", Verdict.XPASS),
        (Verdict.PASS, "flaky", Verdict.FLAKY),
        (Verdict.FAIL, "flaky", Verdict.FLAKY),
        (Verdict.ERROR, "flaky", Verdict.ERROR),
    ],
)
def test_a_verdict_meets_an_expectation(verdict: Verdict, how: str, becomes: Verdict) -> None:
    assert _applied(verdict, how) is becomes


def test_another_failure_is_not_the_known_one() -> None:
    assert _applied(Verdict.FAIL, "fail", match="still open") is Verdict.XFAIL
    assert _applied(Verdict.FAIL, "fail", match="still open", reason="crash") is Verdict.FAIL


def test_a_case_without_an_entry_is_left_alone() -> None:
    result = make_result(Verdict.FAIL, id="sio5.other.case")
    apply_known(result, [Expectation(("eio4.*",), "known", "fail")])
    assert (result.verdict, result.expectation) == (Verdict.FAIL, "")


def test_the_reason_is_told() -> None:
    result = make_result(Verdict.FAIL)
    apply_known(
        result, [Expectation(("eio4.made.up",), "why", "fail", url="https://example.org/1")]
    )
    assert result.expectation == "why https://example.org/1"


def test_a_pattern_without_a_case_is_stale() -> None:
    known = [Expectation(("eio4.made.up", "eio4.gone.*"), "known", "fail")]
    assert stale_patterns(known, [make_case()]) == ["eio4.gone.*"]


def test_two_entries_for_one_case_are_an_error() -> None:
    known = [Expectation((glob,), "known", "fail") for glob in ("eio4.*", "eio4.made.*")]
    with pytest.raises(KnownError, match=r"about eio4\.made\.up"):
        check_overlap(known, [make_case()])


def test_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text('[[expect]]\ncases = ["a.*"]\nis = "fail"\nreason = "r"\n', "utf-8")
    assert read_known(path) == (Expectation(("a.*",), "r", "fail"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[expect]]\ncases = ["a"]\nis = "fail"\n', "reason"),
        ('[[expect]]\ncases = ["a"]\nis = "sad"\nreason = "r"\n', "sad"),
        ("[[expected]]\n", "expected"),
        ("expect", "known.toml"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "known.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(KnownError, match=message):
        read_known(path)


@pytest.mark.parametrize(
    ("versions", "version", "holds"),
    [
        ("", "5.1", True),
        ("", "", True),
        (">=5.1", "5.1", True),
        (">=5.1", "5.1.0", True),
        (">=5.1", "5.0.9", False),
        (">=5.1", "v5.10", True),
        (">=5.1", "5.1.0-beta.2", False),
        (">=5.1.0-beta.2", "5.1.0-beta.10", True),
        (">=5.1.0-beta.2", "5.1.0rc1", True),
        (">=5.1, <6", "5.9.9", True),
        (">=5.1,<6", "6.0", False),
        ("==5", "5.0.0+build7", True),
        ("!=5", "5.0.1", True),
        (">5", "5.0", False),
        ("<=5", "5", True),
    ],
)
def test_an_entry_may_be_about_some_versions(versions: str, version: str, holds: bool) -> None:
    known = [Expectation(("a.*",), "r", "fail", versions=versions)]
    assert applicable(known, version=version) == (tuple(known) if holds else ())


@pytest.mark.parametrize(
    ("versions", "version", "message"),
    [
        (">=5", "", "not known"),
        (">=5", "main", "no version"),
        ("5", "5", "no range"),
        (">=5,", "5", "no range"),
        ("~=5", "5", "no range"),
    ],
)
def test_versions_that_cannot_be_compared_are_an_error(
    versions: str, version: str, message: str
) -> None:
    with pytest.raises(KnownError, match=message):
        applicable([Expectation(("a.*",), "r", "fail", versions=versions)], version=version)
