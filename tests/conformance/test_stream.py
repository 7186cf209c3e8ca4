"""The report as a stream of lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sioproto_conformance import _stream
from sioproto_conformance._data import data_path
from sioproto_conformance._model import Check, Observation, Verdict
from sioproto_conformance.peers.wire import Entry
from tests.conformance.support import make_result

HEADER = _stream.Header(
    format=_stream.FORMAT,
    suite="1",
    python="CPython",
    target="a server",
    target_version="2",
    url="http://127.0.0.1:1",
    slow_url=None,
    command=("sio-conformance", "run"),
    started="2026-01-01T00:00:00+00:00",
    cases=2,
    seed="0",
    slack=1.0,
    jobs=4,
    repeat=1,
    round_trip=0.001,
    lacking={},
)


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
