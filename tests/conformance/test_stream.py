"""The report as a stream of lines."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from sioproto_conformance import _stream
from sioproto_conformance._data import data_path
from sioproto_conformance._model import Check, Observation, Verdict
from sioproto_conformance.peers.wire import Entry
from tests.conformance.hostile import HEADER
from tests.conformance.support import RULES, make_case, make_result

FIRST = Path(__file__).parent / "data" / "format-1.jsonl"


def _write(path: Path) -> None:
    with _stream.Writer(path) as writer:
        writer.header(HEADER)
        result = make_result(Verdict.FAIL, reason="because")
        result.checks = [Check("T-MUST", False, "this", "that"), Check("T-REF", True, "x", "x")]
        result.observations = [Observation("status", "400")]
        result.transcript = [
            Entry(t=0.5, conn="bad#1", dir="in", layer="ws", data=b"\xff\x1e", size=2, note="n")
        ]
        writer.case(result)
        writer.case(make_result(Verdict.PASS, id="eio4.made.up-too"))
        writer.footer(duration=1.5, exit_code=1, target_exit=None, target_stderr="")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    _write(path)
    report = _stream.read_report(path)
    assert report.header == HEADER
    first, second = report.cases
    assert (first.id, first.verdict, first.reason) == ("eio4.made.up", Verdict.FAIL, "because")
    assert first.checks[0] == Check("T-MUST", False, "this", "that")
    assert first.transcript[0].data == b"\xff\x1e"
    assert (second.id, second.verdict) == ("eio4.made.up-too", Verdict.PASS)
    assert report.footer is not None
    assert report.footer.verdicts["fail"] == report.footer.verdicts["pass"] == 1
    assert (report.footer.checks, report.footer.exit_code) == (2, 1)


def test_a_line_is_written_when_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with _stream.Writer(path) as writer:
        writer.header(HEADER)
        writer.case(make_result(Verdict.PASS))
        assert len(path.read_bytes().splitlines()) == 2


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ([], "footer is missing"),
        ([0], "footer is missing"),
        ([0, 1, 2], "footer is missing"),
        ([1, 2, 3], "line 1: out of place"),
        ([0, 0, 3], "line 2: out of place"),
        ([0, 1, 3, 2], "line 4: out of place"),
    ],
)
def test_a_run_that_is_not_whole_is_refused(tmp_path: Path, keep: list[int], message: str) -> None:
    path = tmp_path / "run.jsonl"
    _write(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[index] for index in keep))
    with pytest.raises(_stream.StreamError, match=message):
        _stream.read_report(path)


@pytest.mark.parametrize("line", ["nonsense", '{"kind":"case"}', '{"kind":"poem"}', "[]"])
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "run.jsonl"
    _write(path)
    path.write_bytes(path.read_bytes() + line.encode() + b"\n")
    with pytest.raises(_stream.StreamError, match="line 5"):
        _stream.read_report(path)


def test_the_published_schema_is_current() -> None:
    """Write it anew with ``sio-conformance schema > conformance/schemas/run.schema.json``."""
    published = (data_path("schemas") / "run.schema.json").read_text("utf-8")
    assert published == _stream.schema_text()
    assert set(json.loads(published)["$defs"]) >= {"Header", "CaseLine", "Footer", "Entry"}


def test_a_report_of_the_first_version_is_read_for_ever(tmp_path: Path) -> None:
    """What is added to the format later has a default; the sample is never written anew."""
    report = _stream.read_report(FIRST)
    assert [line.verdict for line in report.cases] == [Verdict.SKIP, Verdict.INFO, Verdict.PASS]
    last = report.cases[-1]
    assert last.id == "sio5.event.payload-missing.closes[bare,websocket]"
    assert (last.area, last.withheld) == ("sio5.event", False)
    assert [entry.data for entry in last.transcript if entry.dir == "out"][-3:-1] == [
        b'42["message","sentinel-control-1"]',
        b"",
    ]
    assert report.repeat_command(last) == ["sio-conformance", "run", last.id]


def test_what_a_newer_version_adds_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    _write(path)
    header, first, *others = path.read_bytes().splitlines(keepends=True)
    newer = header.replace(b"{", b'{"weather":"fine",', 1)
    path.write_bytes(b"".join([newer, b'{"kind":"poem","text":"roses"}\n', first, *others]))
    assert len(_stream.read_report(path).cases) == 2
    path.write_bytes(header.replace(b'"format":1', b'"format":2') + first + b"".join(others))
    with pytest.raises(_stream.StreamError, match="format 2"):
        _stream.read_report(path)


@pytest.mark.parametrize("torn", [b"", b'{"kind":"case","id":"eio4.ma'])
def test_a_run_that_was_ended_can_be_read_in_part(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "run.jsonl"
    _write(path)
    *begun, _ = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(begun) + torn)
    report = _stream.read_report(path, partial=True)
    assert report.footer is None
    assert [line.id for line in report.cases] == ["eio4.made.up", "eio4.made.up-too"]
    with pytest.raises(_stream.StreamError):
        _stream.read_report(path)


def test_a_report_brings_the_words_that_explain_it(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with _stream.Writer(path) as writer:
        writer.header(HEADER)
        writer.rules(RULES.values())
        result = make_result(Verdict.SKIP)
        result.case = make_case(tags=("security", "close"), needs=("app",))
        result.withheld = True
        writer.case(result)
        writer.footer(duration=1, exit_code=4, target_exit=None, target_stderr="")
    report = _stream.read_report(path)
    rule = report.rules["T-REF"]
    assert (rule.level, rule.origin, rule.broken) == ("MUST", "reference", Verdict.WARN)
    (line,) = report.cases
    assert (line.summary, line.needs, line.tags) == ("A question.", ("app",), ("close", "security"))
    assert line.withheld
    assert report.footer is not None
    assert report.footer.withheld == 1


@pytest.mark.parametrize("path", [FIRST, None], ids=["first", "current"])
def test_every_line_is_what_the_schema_says(tmp_path: Path, path: Path | None) -> None:
    if path is None:
        path = tmp_path / "run.jsonl"
        _write(path)
    validator = jsonschema.Draft202012Validator(json.loads(_stream.schema_text()))
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [list(validator.iter_errors(line)) for line in lines] == [[]] * len(lines)
    lines[1]["verdict"] = "splendid"
    assert not validator.is_valid(lines[1])
