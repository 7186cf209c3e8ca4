"""The command line: what it runs, what it says, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from sioproto_conformance import _cli, _cli_run, _listing
from sioproto_conformance._bench import Bench
from sioproto_conformance._data import data_path
from sioproto_conformance._model import Verdict
from sioproto_conformance._outcome import exit_code
from sioproto_conformance._registry import all_cases
from sioproto_conformance._stream import read_report
from tests.conformance.support import RULES, make_case

Invoke = Callable[..., Result]


async def fails(t: Bench) -> None:
    t.check(False, "this", "that")


async def warns(t: Bench) -> None:
    t.check(False, "this", "that", rule="T-REF")


async def gives_up(t: Bench) -> None:
    t.inconclusive("who knows")


async def has_a_bug(t: Bench) -> None:
    raise ZeroDivisionError


async def skips(t: Bench) -> None:
    t.skip("not here")


CASES = [
    make_case("eio4.good.one"),
    make_case("eio4.good.two", tags=("limits",)),
    make_case("eio4.bad.fails", run=fails),
    make_case("eio4.bad.warns", run=warns),
    make_case("eio4.odd.gives-up", run=gives_up),
    make_case("eio4.odd.has-a-bug", run=has_a_bug),
    make_case("eio4.odd.skips", run=skips),
]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """Run the command with made-up cases, in a folder of its own."""
    for module in (_cli, _cli_run):
        monkeypatch.setattr(module, "all_cases", lambda: CASES)
        monkeypatch.setattr(module, "all_rules", lambda: RULES)
    monkeypatch.chdir(tmp_path)
    # The target has to be there, and to be looked at; what it answers is of no account.
    command = [sys.executable, "-m", "sioproto_conformance.zero_pass", "slams"]
    Path("sut.toml").write_text(
        f'name = "made up"\nversion = "3"\n[launch]\ncommand = {json.dumps(command)}\n', "utf-8"
    )

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(_cli.main, arguments)

    return run


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["eio4.good"], 0),
        (["eio4.good", "eio4.bad.fails"], 1),
        (["eio4.bad.warns"], 0),
        (["eio4.bad.warns", "--strict"], 1),
        (["eio4.good", "eio4.odd.gives-up"], 4),
        (["eio4.good", "eio4.odd.gives-up", "--allow-inconclusive"], 0),
        (["eio4.odd.gives-up", "--allow-inconclusive"], 4),
        (["eio4.good", "eio4.odd.has-a-bug"], 4),
        (["eio4.good", "eio4.odd.has-a-bug", "--allow-inconclusive"], 4),
        (["eio4.bad.fails", "eio4.odd.has-a-bug"], 1),
        (["eio4.odd.skips"], 4),
        (["eio4.good", "eio4.odd.skips"], 0),
        (["eio4.nonsense"], 2),
        (["+nonsense"], 2),
        (["--nonsense"], 2),
        (["eio4.good", "--jobs", "0"], 2),
        (["eio4.good", "--slack", "0"], 2),
        (["eio4.good", "--repeat", "0"], 2),
        (["eio4.good", "-limits"], 0),
        (["eio4.good.two", "-limits"], 2),
    ],
)
def test_the_exit_code_says_how_it_went(invoke: Invoke, arguments: list[str], code: int) -> None:
    result = invoke("run", "sut.toml", "--plain", *arguments)
    assert result.exit_code == code, result.output
    report = Path("sio-conformance.jsonl")
    assert report.exists() == (code != 2)
    if code != 2:
        footer = read_report(report).footer
        assert footer is not None
        assert footer.exit_code == code


def test_what_was_found_is_said_and_written(invoke: Invoke) -> None:
    result = invoke("run", "sut.toml", "--plain", "--out", "my.jsonl", "eio4.good", "eio4.bad")
    lines = result.output.splitlines()
    assert "FAIL   eio4.bad.fails  T-MUST: expected this; that" in lines
    assert "  repeat    sio-conformance run sut.toml eio4.bad.fails" in lines
    assert lines[-2].startswith("made up 3: 4 cases, 4 checks, ")
    assert lines[-2].endswith(" s: not conformant")
    assert lines[-1] == "report: my.jsonl"
    report = read_report(Path("my.jsonl"))
    assert (report.header.target, report.header.target_version) == ("made up", "3")
    assert report.header.cases == len(report.cases) == 4
    assert report.footer is not None
    assert report.footer.verdicts["pass"] == 2
    assert report.footer.target_exit is None


def test_a_known_failure_is_foreseen_until_it_passes(invoke: Invoke) -> None:
    entry = '[[expect]]\ncases = ["{}"]\nis = "fail"\nreason = "it is known"\n'
    run = ("run", "sut.toml", "--plain", "-k", "known.toml")
    Path("known.toml").write_text(entry.format("eio4.bad.fails"), "utf-8")
    result = invoke(*run, "eio4.bad.fails", "eio4.good")
    assert result.exit_code == 0, result.output
    assert "known to fail: eio4.bad.fails: it is known" in result.output
    Path("known.toml").write_text(entry.format("eio4.good.one"), "utf-8")
    result = invoke(*run, "eio4.good")
    assert result.exit_code == 5
    assert "XPASS  eio4.good.one" in result.output
    Path("known.toml").write_text(entry.format("eio4.gone.*"), "utf-8")
    result = invoke(*run, "eio4.good")
    assert result.exit_code == 5
    assert "'eio4.gone.*' matches no case" in result.output
    Path("known.toml").write_text("nonsense", "utf-8")
    assert invoke(*run, "eio4.good").exit_code == 2


def test_a_known_failure_may_be_one_of_some_versions(invoke: Invoke) -> None:
    entry = '[[expect]]\ncases = ["eio4.bad.fails"]\nis = "fail"\nreason = "r"\nversions = "{}"\n'
    run = ("run", "sut.toml", "--plain", "-k", "known.toml", "eio4.bad.fails", "eio4.good")
    for versions, code in (("<4", 0), (">=4", 1), ("four", 2)):
        Path("known.toml").write_text(entry.format(versions), "utf-8")
        result = invoke(*run)
        assert result.exit_code == code, result.output


def test_a_server_in_use_can_be_spared(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [*CASES[:2], make_case("eio4.good.attack", tags=("security",))]
    monkeypatch.setattr(_cli_run, "all_cases", lambda: cases)
    for options, spared in (
        ([], {"eio4.good.attack"}),
        (["--include-security"], set()),
        (["--safe"], {"eio4.good.attack", "eio4.good.two"}),
        (["--safe", "--include-security"], {"eio4.good.attack", "eio4.good.two"}),
    ):
        assert invoke("run", "sut.toml", "--plain", *options).exit_code == 0
        report = read_report(Path("sio-conformance.jsonl"))
        withheld = {line.id for line in report.cases if line.withheld}
        assert withheld == spared
        assert {line.id for line in report.cases if line.verdict is Verdict.SKIP} == spared
        assert report.footer is not None
        assert report.footer.withheld == len(spared)


def test_the_header_says_how_it_was_run(invoke: Invoke) -> None:
    options = ["--jobs", "3", "--seed", "x y", "--slack", "1.5", "--repeat", "2", "--safe"]
    assert invoke("run", "sut.toml", "--plain", *options, "eio4.good.one").exit_code == 0
    report = read_report(Path("sio-conformance.jsonl"))
    header = report.header
    assert (header.jobs, header.seed, header.slack, header.repeat) == (3, "x y", 1.5, 2)
    assert (header.argument, header.safe, header.include_security) == ("sut.toml", True, False)
    assert len(report.cases) == 2
    command = report.repeat_command(report.cases[0])
    assert command[1:] == ["run", "sut.toml", "--seed", "x y", "eio4.good.one"]


def test_what_changes_from_round_to_round_is_told(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = iter([True, False, True])

    async def wavers(t: Bench) -> None:
        t.check(next(verdicts), "this", "that")

    monkeypatch.setattr(_cli_run, "all_cases", lambda: [make_case("eio4.a.wavers", run=wavers)])
    result = invoke("run", "sut.toml", "--plain", "--repeat", "3")
    assert result.exit_code == 1
    assert "not the same every time: eio4.a.wavers: pass 2, fail 1" in result.output
    report = read_report(Path("sio-conformance.jsonl"))
    assert [(line.round, line.verdict) for line in report.cases] == [
        (1, Verdict.PASS),
        (2, Verdict.FAIL),
        (3, Verdict.PASS),
    ]


@pytest.mark.parametrize(
    ("target", "text", "code", "message"),
    [
        ("gone.toml", None, 2, "No such file"),
        ("bad.toml", 'name = "x"\n', 2, "either a url or a"),
        ("ftp://host", None, 2, "not a URL like"),
        ("localhost:3000", None, 2, "'localhost:3000' is not a URL like http://"),
        ("http://127.0.0.1:9/path", None, 2, "more than a server"),
        ("http://127.0.0.1:1", None, 3, "refused"),
        ("a.toml", 'name = "x"\n[launch]\ncommand = ["no-such-command"]\n', 3, "cannot be started"),
        ("a.toml", 'name = "x"\n[launch]\ncommand = ["{python}", "-c", "0"]\n', 3, "ended with 0"),
    ],
)
def test_a_target_that_is_not_there_has_its_code(
    invoke: Invoke, target: str, text: str | None, code: int, message: str
) -> None:
    if text is not None:
        Path(target).write_text(text, "utf-8")
    result = invoke("run", target, "eio4.good")
    assert result.exit_code == code, result.output
    assert message in result.output
    assert not Path("sio-conformance.jsonl").exists()


def test_cases_are_listed(invoke: Invoke) -> None:
    assert invoke("list", "eio4.good").output.splitlines() == [
        f"eio4.good.one  {' '.join(RULES)}",
        f"eio4.good.two  {' '.join(RULES)} +limits",
    ]
    assert invoke("list", "eio4.good", "-limits").output.count("\n") == 1
    assert invoke("list", "nothing").exit_code == 2


def test_list_for_machines() -> None:
    """Each line is what the schema says; an option among terms that look like options."""
    runner = CliRunner()
    printed = runner.invoke(_cli.main, ["list", "--json", "sio5.outgoing", "-limits"])
    lines = [json.loads(line) for line in printed.output.splitlines()]
    validator = jsonschema.Draft202012Validator(json.loads(_listing.schema_text()))
    assert [list(validator.iter_errors(line)) for line in lines] == [[]] * len(lines)
    assert lines[-1] == {
        "id": "sio5.outgoing.acknowledgement.not-seen",
        "summary": "An event that asks is seen without what it asks for; an acknowledgement is not"
        " seen.",
        "rules": ["SIO-EVT-09", "SIO-ACK-15"],
        "levels": ["MUST", "MUST"],
        "needs": ["conformance", "outgoing", "acks", "eio4"],
        "tags": [],
    }
    assert not validator.is_valid({**lines[0], "levels": ["PERHAPS"]})
    assert printed.output.count("\n") == len(lines) > 1


def test_the_published_schema_of_the_list_is_current() -> None:
    """Write it anew: ``sio-conformance schema list > conformance/schemas/list.schema.json``."""
    published = (data_path("schemas") / "list.schema.json").read_text("utf-8")
    assert published == CliRunner().invoke(_cli.main, ["schema", "list"]).output


def test_every_case_can_be_explained() -> None:
    id = all_cases()[0].id
    result = CliRunner().invoke(_cli.main, ["explain", id])
    assert result.exit_code == 0
    assert all_cases()[0].summary.splitlines()[0] in result.output
    assert all_cases()[0].covers[0] in result.output
    assert CliRunner().invoke(_cli.main, ["explain", "nothing"]).exit_code == 2


def test_contract_and_schema_are_printed() -> None:
    contract = CliRunner().invoke(_cli.main, ["contract"])
    assert "message-with-ack" in contract.output
    schema = CliRunner().invoke(_cli.main, ["schema"])
    assert json.loads(schema.output)["$defs"]


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    # A module of that name which cannot be imported stands for one that is not installed.
    (tmp_path / "click.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'click'\", name='click')", "utf-8"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    result = subprocess.run(
        [sys.executable, "-m", "sioproto_conformance", "run"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr == "sio-conformance needs click: pip install 'sioproto[conformance]'\n"


def test_the_exit_codes_are_those_of_the_help() -> None:
    help = CliRunner().invoke(_cli.main, ["--help"]).output
    for code in ("0 conformant", "1 not conformant", "2 wrong usage", "3 the target"):
        assert code in help
    assert exit_code(set(), stale=False, strict=False, allow_inconclusive=True) == 4
    verdicts = {Verdict.XPASS, Verdict.INCONCLUSIVE}
    assert exit_code(verdicts, stale=False, strict=False, allow_inconclusive=False) == 5


def test_an_interrupted_run_says_where_the_rest_is(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_interrupted(t: Bench) -> None:
        t.check(True, "this")
        raise KeyboardInterrupt

    cases = [CASES[0], make_case("eio4.odd.interrupted", run=is_interrupted, tags=("serial",))]
    monkeypatch.setattr(_cli_run, "all_cases", lambda: cases)
    result = invoke("run", "sut.toml", "--plain", "--out", "my.jsonl")
    assert result.exit_code == 130
    assert result.output.splitlines()[-1] == (
        "sio-conformance: interrupted; my.jsonl holds what is known so far: "
        "sio-conformance report my.jsonl --html PATH"
    )
    assert [case.id for case in read_report(Path("my.jsonl"), partial=True).cases] == [CASES[0].id]
