"""What comes from the wire is shown, and does nothing."""

from __future__ import annotations

from typing import Any

import pytest

from sioproto_conformance._model import Check, Verdict
from sioproto_conformance._terminal import Terminal
from sioproto_conformance._text import entry_text, printable, wire_summary
from sioproto_conformance.peers.wire import Entry
from tests.conformance.support import RULES, make_result

HOSTILE = (
    b"[red]x[/red] \x1b[31m\x1b]0;title\x07 \x1e\x00\xff\r\n \xe2\x80\xa8 \xe2\x80\xae \xc3\xa4"
)


def _entry(data: bytes, **fields: Any) -> Entry:
    usual: dict[str, Any] = {
        "t": 0.5,
        "conn": "bad#1",
        "dir": "in",
        "layer": "ws",
        "size": len(data),
    }
    return Entry(data=data, **(usual | fields))


def test_bytes_become_text_that_a_terminal_just_shows() -> None:
    shown = printable(HOSTILE)
    assert shown.isprintable()
    assert shown.startswith(
        "[red]x[/red] \\x1b[31m\\x1b]0;title\\x07 \\x1e\\x00\\xff\\r\\n \\u2028"
    )
    assert shown.endswith("ä")
    assert printable(b"x" * 101) == "x" * 100 + "…"


def test_an_entry_is_a_line() -> None:
    assert entry_text(_entry(b"4a", note="text")) == "  0.500 bad#1          ← 4a (text)"
    request = b"POST /x HTTP/1.1\r\nHost: y\r\n\r\n4a\x1e4b"
    line = entry_text(_entry(request, dir="out", layer="http"))
    assert line == "  0.500 bad#1          → POST /x HTTP/1.1 | 4a\\x1e4b"
    assert "(5000 bytes)" in entry_text(_entry(b"x" * 10, size=5000))
    assert entry_text(_entry(b"", layer="note", note="hung up")).endswith("· hung up")


def test_the_last_bytes_of_both_ways_are_summed_up() -> None:
    entries = [_entry(b"0{}"), _entry(b"abc", dir="out"), _entry(b"", note="close 1000")]
    assert wire_summary(entries) == "bad#1 → abc  bad#1 ← (close 1000)"


@pytest.mark.parametrize("number", [1, 40])
def test_a_failure_is_shown_with_rule_bytes_and_command(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(plain=True, total=number, rules=RULES)
    result = make_result(Verdict.FAIL, id="eio4.made.up[object]", reason="T-MUST: [bold]")
    result.checks = [Check("T-MUST", False, "this", "[red]that[/red]")]
    result.transcript = [_entry(HOSTILE)]
    with terminal:
        for _ in range(number):
            terminal.started(result.case)
            terminal.result(result)
    terminal.summary([result] * number, repeat_with=["sio-conformance", "run", "x.toml"])
    out = capsys.readouterr().out
    first_line = out.splitlines()[0]
    assert first_line.startswith(
        "FAIL   eio4.made.up[object]  T-MUST: [bold]  [bad#1 ← [red]x[/red]"
    )
    assert "sio-conformance run x.toml 'eio4.made.up[object]'" in out
    assert ("[red]that[/red]" in out) == (number == 1)
    assert "\x1b" not in out


def test_all_rules_at_stake_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    result = make_result(Verdict.WARN)
    result.checks = [Check("T-MUST", False, "an answer", "gone", ("T-MUST", "T-REF"))]
    Terminal(plain=True, total=1, rules=RULES).summary([result], repeat_with=["run"])
    out = capsys.readouterr().out
    assert "  at stake  T-MUST, MUST, text: " in out
    assert "  at stake  T-REF, MUST, reference: " in out
    assert "  expected  an answer" in out
    assert "rule  " not in out


def test_the_table_counts_by_area(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(plain=True, total=3, rules=RULES)
    results = [
        make_result(Verdict.PASS, id="eio4.one.a"),
        make_result(Verdict.PASS, id="eio4.one.b"),
        make_result(Verdict.SKIP, id="sio5.two.a", reason="needs echo"),
    ]
    for result in results:
        terminal.result(result)
    terminal.summary(results, repeat_with=[])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines == [
        ["area", "cases", "pass", "fail", "warn", "skip"],
        ["eio4.one", "2", "2", "·", "·", "·"],
        ["sio5.two", "1", "·", "·", "·", "1"],
        ["all", "3", "2", "0", "0", "1"],
        ["skipped", "1:", "needs", "echo"],
    ]
