"""The commands that work on runs that are over, and the options of ``run`` that do the same."""

from __future__ import annotations

import json
from pathlib import Path

import junitparser
import pytest
from click.testing import CliRunner, Result

from sioproto_conformance import _cli, _cli_run
from sioproto_conformance import report as renderings
from sioproto_conformance._model import Verdict
from sioproto_conformance._stream import read_report
from tests.conformance.hostile import write_hostile
from tests.conformance.support import RULES, make_case
from tests.conformance.test_report import make_report


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(_cli.main, arguments)


FILES = ("--html", "r.html", "--junit", "r.xml", "--summary", "r.md", "--badge", "r.json")


def test_a_run_is_rendered_as_its_report_is_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cli_run, "all_cases", lambda: [make_case()])
    monkeypatch.setattr(_cli_run, "all_rules", lambda: RULES)
    result = invoke("run", "--plain", *FILES)
    assert result.exit_code == 0, result.output
    names = [Path(name) for name in FILES[1::2]]
    written = [path.read_bytes() for path in names]
    for path in names:
        path.unlink()
    assert invoke("report", "sio-conformance.jsonl", *FILES).exit_code == 0
    assert [path.read_bytes() for path in names] == written
    assert b"eio4.made.up" in written[0]
    assert json.loads(written[3])["message"] == "EIO4 MUST 1/1"


def test_a_report_is_rendered() -> None:
    write_hostile(Path("run.jsonl"))
    report = read_report(Path("run.jsonl"))
    result = invoke("report", "run.jsonl", *FILES)
    assert (result.exit_code, result.output) == (0, "")
    assert Path("r.html").read_text("utf-8") == renderings.html(report)
    assert Path("r.md").read_text("utf-8") == renderings.markdown(report)
    assert len(next(iter(junitparser.JUnitXml.fromfile("r.xml")))) == len(Verdict)
    assert invoke("report", "run.jsonl").output == renderings.markdown(report)
    annotations = invoke("report", "run.jsonl", "--github").output
    assert annotations == renderings.github_annotations(report)


@pytest.mark.parametrize("option", [("--html", "r.html"), ("--badge", "r.json"), ("--github",), ()])
def test_what_is_not_complete_has_its_code(option: tuple[str, ...]) -> None:
    write_hostile(Path("run.jsonl"), footer=False)
    result = invoke("report", "run.jsonl", *option)
    assert result.exit_code == 4
    assert "run.jsonl: the run was not finished" in result.output
    assert len(option) < 2 or Path(option[1]).exists()
    write_hostile(Path("whole.jsonl"))
    assert invoke("report", "whole.jsonl", "run.jsonl").exit_code == 4
    assert invoke("diff", "whole.jsonl", "run.jsonl").exit_code == 4


def test_what_is_no_report_is_refused() -> None:
    Path("run.jsonl").write_text("nonsense\n", "utf-8")
    result = invoke("report", "run.jsonl", "--html", "r.html")
    assert result.exit_code == 4
    assert "run.jsonl, line 1" in result.output
    assert not Path("r.html").exists()
    assert invoke("report").exit_code == 2
    assert invoke("report", "gone.jsonl").exit_code == 2


def test_several_runs_become_a_matrix() -> None:
    make_report(Path("1.jsonl"), {"eio4.a.x": Verdict.PASS}, name="One / Server")
    make_report(Path("2.jsonl"), {"eio4.a.x": Verdict.FAIL}, name="..", exit_code=1)
    runs = ("1.jsonl", "2.jsonl")
    result = invoke("report", *runs, "--html", "site", "--summary", "m.md", "--json", "m.json")
    assert (result.exit_code, result.output) == (0, "")
    pages = sorted(path.name for path in Path("site").iterdir())
    assert pages == ["1-one-server-2.html", "2-2.html", "index.html"]
    index = Path("site/index.html").read_text("utf-8")
    assert 'href="2-2.html#eio4.a.x"' in index
    assert 'href="index.html"' in Path("site/2-2.html").read_text("utf-8")
    assert json.loads(Path("m.json").read_text("utf-8"))["cases"] == {"eio4.a.x": ["pass", "fail"]}
    assert invoke("report", *runs).output == Path("m.md").read_text("utf-8")
    assert invoke("report", *runs, "--html", "alone.html").exit_code == 0
    assert "1-one" not in Path("alone.html").read_text("utf-8")
    for option in (("--junit", "x"), ("--badge", "x"), ("--github",)):
        assert invoke("report", *runs, *option).exit_code == 2
    assert invoke("report", *runs, "--summary", "gone/m.md").exit_code == 2


def test_a_folder_may_hold_a_single_run() -> None:
    make_report(Path("1.jsonl"), {"eio4.a.x": Verdict.PASS})
    options = ("--html", "site", "--badge", "b.json", "--json", "m.json")
    assert invoke("report", "1.jsonl", *options).exit_code == 0
    assert Path("site/index.html").exists()
    assert Path("b.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "line", "code"),
    [
        ({"a": "pass"}, {"a": "pass"}, None, 0),
        ({"a": "pass"}, {"a": "fail"}, "! a: pass → fail  because", 1),
        ({"a": "fail"}, {"a": "pass"}, "  a: fail → pass", 0),
        ({"a": "warn"}, {"a": "info"}, "  a: warn → info", 0),
        ({"a": "info"}, {"a": "warn"}, "! a: info → warn", 1),
        ({"a": "pass"}, {"a": "skip"}, "! a: pass → skip", 1),
        ({"a": "fail"}, {"a": "skip"}, "  a: fail → skip", 0),
        ({"a": "pass"}, {}, "! a: pass → –", 1),
        ({"a": "skip"}, {}, "  a: skip → –", 0),
        ({}, {"a": "pass"}, None, 0),
        ({}, {"a": "skip"}, None, 0),
        ({}, {"a": "warn"}, "! a: – → warn", 1),
        ({}, {"a": "fail"}, "! a: – → fail", 1),
        ({"a": "xfail"}, {"a": "xpass"}, "! a: xfail → xpass", 1),
        ({"a": "error"}, {"a": "inconclusive"}, "  a: error → inconclusive", 0),
    ],
)
def test_a_difference_is_shown_and_weighed(
    old: dict[str, str], new: dict[str, str], line: str | None, code: int
) -> None:
    for path, verdicts in (("old", old), ("new", new)):
        ids = {f"eio4.made.{id}": Verdict(verdict) for id, verdict in verdicts.items()}
        make_report(Path(path), ids | {"eio4.made.same": Verdict.WARN})
    result = invoke("diff", "old", "new")
    lines = result.output.splitlines()
    assert result.exit_code == code
    assert lines[-1] == f"{int(line is not None)} changed, {code} for the worse"
    assert len(lines) == 1 + (line is not None)
    if line is not None:
        assert lines[0].startswith(line.replace(" a:", " eio4.made.a:"))


def test_what_a_selection_left_out_is_counted_and_not_listed() -> None:
    ids = {f"eio4.made.n{number}": Verdict.PASS for number in range(30)}
    make_report(Path("old"), ids)
    make_report(Path("new"), {"eio4.made.n1": Verdict.FAIL})
    result = invoke("diff", "old", "new")
    assert result.exit_code == 1
    first, second, last = result.output.splitlines()
    assert first == "29 cases are not in new: was it a selection?"
    assert second.startswith("! eio4.made.n1: pass → fail")
    assert last == "30 changed, 30 for the worse"
