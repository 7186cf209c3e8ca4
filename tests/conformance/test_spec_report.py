"""The command line of the notes, the ladder as a page and as JSON, and the project's own notes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sioproto_conformance._model import Check, Verdict
from sioproto_conformance._stream import FORMAT, CaseLine, Footer, Header
from sioproto_conformance.spec import _cli
from sioproto_conformance.spec._evidence import verified_by_runs, verified_by_tests
from sioproto_conformance.spec._ladder import RUNGS
from tests.conformance.test_spec_gate import BROKEN, RULES, Checkout, rule
from tests.project import ROOT

pytest_plugins = ["pytester"]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    checkout = Checkout(tmp_path)
    monkeypatch.setattr(_cli, "all_cases", lambda: checkout.cases)
    monkeypatch.setattr(_cli, "BROKEN", {BROKEN.name: BROKEN})
    return checkout


def invoke(checkout: Checkout, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(_cli.main, [command, "--root", str(checkout.root), *arguments])


def test_check_says_that_all_is_well(checkout: Checkout) -> None:
    result = invoke(checkout, "check")
    assert result.exit_code == 0
    assert result.output == (
        "6 rules, 1 rulings; 1 of 2 that have to be are proven; 1 excepted; 0 problems\n"
    )


def test_check_fails_and_says_why(checkout: Checkout) -> None:
    checkout.append(RULES, rule("EIO-UPS-07"))
    result = invoke(checkout, "check")
    assert result.exit_code == 1
    assert "EIO-UPS-07 is not proven: no case covers it\n" in result.output
    assert "2 problems" in result.output


def test_check_says_what_it_cannot_read(checkout: Checkout) -> None:
    checkout.append(RULES, rule("EIO-UPS-01"))
    result = invoke(checkout, "check")
    assert result.exit_code == 1
    assert "Error: engineio/upgrade.toml: the rule id EIO-UPS-01 is used twice" in result.output


def test_update_writes_the_snapshot_and_hides_nothing_else(checkout: Checkout) -> None:
    checkout.append(RULES, rule("EIO-UPS-07"))
    result = invoke(checkout, "check", "--update")
    assert result.exit_code == 1
    assert "stale" not in result.output
    assert "EIO-UPS-07 is not proven" in result.output
    assert "EIO-UPS-07 MUST text server 4 wire\n" in (
        checkout.root / "spec_notes" / "snapshot.txt"
    ).read_text("utf-8")


def test_update_does_not_forget_an_id(checkout: Checkout) -> None:
    before = (checkout.root / "spec_notes" / "snapshot.txt").read_text("utf-8")
    checkout.edit(RULES, rule("EIO-UPS-05", role="client"), "")
    result = invoke(checkout, "check", "--update")
    assert result.exit_code == 1
    assert "EIO-UPS-05 has gone" in result.output
    assert (checkout.root / "spec_notes" / "snapshot.txt").read_text("utf-8") == before


def test_without_a_checkout_the_installed_notes_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(_cli.main, ["check"])
    assert result.exit_code == 0, result.output
    assert "no checkout: neither code nor tests nor proofs were looked at" in result.output
    assert CliRunner().invoke(_cli.main, ["check", "--update"]).exit_code == 1


def run_of(path: Path, *cases: tuple[str, Verdict, bool]) -> Path:
    """A run in which cases checked EIO-UPS-01."""
    import msgspec

    header = Header(
        format=FORMAT,
        suite="1",
        python="3",
        target="somebody's",
        target_version="2.0",
        url="http://127.0.0.1:1",
        slow_url=None,
        command=(),
        started="",
        cases=len(cases),
        seed="",
        slack=1,
        jobs=1,
        repeat=1,
        round_trip=0,
        lacking={},
    )
    lines: list[Header | CaseLine | Footer] = [header]
    for id, verdict, ok in cases:
        checks = (Check("EIO-UPS-01", ok, "this", "that"),)
        lines.append(CaseLine(id, verdict, "", ("X",), False, checks, (), 0, 1, 1, "", ()))
    lines.append(Footer({}, 0, 0, 0, None, ""))
    path.write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
    return path


def test_a_run_verifies_what_passed_and_was_checked(tmp_path: Path) -> None:
    run = run_of(
        tmp_path / "run.jsonl",
        ("good", Verdict.PASS, True),
        ("bad", Verdict.FAIL, True),
        ("odd", Verdict.PASS, False),
    )
    assert list(verified_by_runs([run])) == [("EIO-UPS-01", "good against somebody's 2.0")]


def test_tests_verify_what_passed_and_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    marked = '<properties><property name="covers" value="EIO-UPS-0{}"/></properties>'
    cases = "".join(
        f'<testcase classname="t" name="{name}">{inside}{marked.format(number)}</testcase>'
        for number, (name, inside) in enumerate(
            {"good": "", "bad": "<failure/>", "ill": "<error/>", "out": "<skipped/>"}.items(), 1
        )
    )
    path.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>", "utf-8")
    assert list(verified_by_tests([path])) == [("EIO-UPS-01", "t::good")]


def test_the_marker_reaches_the_xml_of_the_tests(pytester: pytest.Pytester) -> None:
    """By the hook of tests/conftest.py, which is used here as it is."""
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    pytester.makeini("[pytest]\nmarkers = covers(*ids): x")
    pytester.makepyfile(
        "import pytest\n@pytest.mark.covers('EIO-UPS-01', 'EIO-UPS-02')\ndef test_it(): pass\n"
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "--junitxml=out.xml").assert_outcomes(
        passed=1
    )
    assert [id for id, _ in verified_by_tests([pytester.path / "out.xml"])] == [
        "EIO-UPS-01",
        "EIO-UPS-02",
    ]


def test_report_writes_a_page_and_json(checkout: Checkout) -> None:
    run = run_of(checkout.root / "run.jsonl", ("eio4.upgrade.probe", Verdict.PASS, True))
    page, data = checkout.root / "ladder.html", checkout.root / "ladder.json"
    result = invoke(checkout, "report", "--run", str(run), "--html", str(page), "--json", str(data))
    assert result.exit_code == 0, result.output
    assert "excepted as inseparable: 1\n" in result.output
    assert "excepted as process: 0\n" in result.output
    ladder = json.loads(data.read_text("utf-8"))
    assert ladder["counts"]["all"] == dict(zip(RUNGS, (6, 1, 4, 1, 1), strict=True))
    first = ladder["rules"][0]
    assert first["id"] == "EIO-UPS-01"
    assert first["verified"] == ["eio4.upgrade.probe against somebody's 2.0"]
    assert first["proofs"] == ["no-answer"]
    html = page.read_text("utf-8")
    assert 'id="EIO-UPS-01"' in html
    assert "blob/d2d753f/v4.md#upgrade" in html
    assert "The notes are in order" in html
    assert "://" not in html.replace("https://github.com/", ""), "it needs no network"


def test_what_stands_in_the_notes_is_text_on_the_page(checkout: Checkout) -> None:
    checkout.edit(RULES, "The server answers.", "<script>alert(1)</script> & \\u0000.")
    page = checkout.root / "ladder.html"
    assert invoke(checkout, "report", "--html", str(page)).exit_code == 0
    html = page.read_text("utf-8")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in html


def test_report_says_what_it_cannot_read(checkout: Checkout) -> None:
    missing = invoke(checkout, "report", "--run", str(checkout.root / "none.jsonl"))
    assert missing.exit_code == 1
    assert "none.jsonl" in missing.output
    (checkout.root / "bad.xml").write_text("<testsuites>", "utf-8")
    bad = invoke(checkout, "report", "--tests", str(checkout.root / "bad.xml"))
    assert bad.exit_code == 1
    assert "bad.xml" in bad.output


def test_the_project_itself_is_in_order() -> None:
    """The gate: ``python -m sioproto_conformance.spec check`` says the same, and how many."""
    result = CliRunner().invoke(_cli.main, ["check", "--root", str(ROOT)])
    assert result.exit_code == 0, result.output
