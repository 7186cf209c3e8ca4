"""From rows to figures, verdicts and tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench import goals, report, run
from bench.figures import Figures, Spread, spread
from bench.preparing import HERE
from bench.scenarios import AIOHTTP, NODE, OWN, OWN_OFF, F, R

COSTS = {OWN: 10.0, OWN_OFF: 20.0, NODE: 8.0, R: 40.0, AIOHTTP: 50.0, F: 30.0}


def row(scenario: str, server: str, number: int, **more: Any) -> dict[str, Any]:
    cost = COSTS[server] * (1 + number / 10)  # the machine becomes slower, for everybody
    figures = {"cpu_us": cost, "rate": 1e6 / cost, "p50_us": cost, "p99_us": 2 * cost, "n": 1_000}
    head = {"scenario": scenario, "server": server, "round": number, "calm": True, "foreign": 0.0}
    return {**head, **figures, **more}


def stored() -> list[dict[str, Any]]:
    """What a run of three rounds may come to."""
    rows = [
        row(scenario, server, number)
        for scenario in ("echo50", "echo50w16", "bcast500", "rate2000", "tls50")
        for server in COSTS
        for number in range(3)
    ]
    rows += [
        {"scenario": "memory", "server": server, "round": 0, "kib": kib, "total_mib": 50.0}
        for server, kib in ((OWN, 15.0), (OWN_OFF, 18.0), (R, 40.0))
    ]
    for label, nanoseconds in (("sioproto", 1_000.0), ("json", 1_000.0)):
        rows += [
            {"scenario": "codec", "row": [label, "100 B", operation, 0, nanoseconds]}
            for operation in ("encode", "decode")
        ]
    rows += [{"scenario": "core", "row": ["broadcast", size, 0, 3_000.0]} for size in (10, 10_000)]
    return rows


def goal(name: str) -> goals.Goal:
    [found] = [goal for goal in goals.GOALS if name in (goal.work, goal.name)]
    return found


def test_ratios_are_taken_within_a_round() -> None:
    figures = Figures(stored())
    found = figures.speed("echo50", OWN, R)
    assert found is not None
    assert (found.median, found.low, found.high) == pytest.approx((4.0, 4.0, 4.0))
    assert figures.speed("echo500", OWN, R) is None


def test_a_round_that_only_one_of_them_had_does_not_count() -> None:
    rows = [row("echo50", OWN, 0), row("echo50", OWN, 1), row("echo50", R, 1, cpu_us=22.0)]
    found = Figures(rows).speed("echo50", OWN, R)
    assert found is not None
    assert found.low == found.high == pytest.approx(2.0)


def test_slices_that_went_wrong_do_not_count() -> None:
    rows = [row("echo50", OWN, 0), row("echo50", OWN, 1, error="3 mismatches, 0 errors")]
    assert len(Figures(rows).good("echo50", OWN)) == 1
    text = report.report([rows[1]], [])
    assert "3 mismatches, 0 errors" in text


def test_latencies_come_from_calm_slices_if_there_are_any() -> None:
    rows = [row("rate2000", OWN, 0, calm=False, p50_us=9.0), row("rate2000", OWN, 1, p50_us=1.0)]
    assert Figures(rows).values("rate2000", OWN, "p50_us") == [1.0]
    assert Figures(rows[:1]).values("rate2000", OWN, "p50_us") == [9.0]
    assert len(Figures(rows).values("rate2000", OWN, "cpu_us")) == 2


def test_spread() -> None:
    assert spread([]) is None
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


@pytest.mark.parametrize(
    ("work", "server", "verdict"),
    [
        ("echo50", OWN, goals.AIM),  # 4 R, 0.8 of Node
        ("echo50", OWN_OFF, goals.HOLD),  # 2 R
        ("echo50w16", OWN, goals.HOLD),  # 4 R, but 0.8 of Node
        ("echo50w16", OWN_OFF, goals.MISSED),
        ("bcast500", OWN, goals.MISSED),
        ("rate2000", OWN, goals.AIM),
        ("memory", OWN, goals.AIM),
        ("memory", OWN_OFF, goals.HOLD),
        ("decode 100 B", OWN, goals.AIM),
        ("encode 100 B", OWN, goals.HOLD),
        ("decode 2 KB", OWN, goals.NOT_MEASURED),
        ("connect", OWN, goals.NOT_MEASURED),
    ],
)
def test_verdicts(work: str, server: str, verdict: str) -> None:
    assert goals.verdict(Figures(stored()), goal(work), server) == verdict


def test_a_goal_that_depends_on_two_needs_both() -> None:
    rows = [found for found in stored() if found.get("server") != NODE]
    assert goals.verdict(Figures(rows), goal("echo50")) == goals.NOT_MEASURED


def test_every_goal_is_stricter_than_what_it_holds() -> None:
    for found in goals.GOALS:
        holds = {bound.of: bound.factor for bound in found.hold}
        for bound in found.aim:
            if bound.of in holds:
                better = bound.factor >= holds[bound.of]
                assert better == (found.measure is goals.Measure.SPEED), found


def test_report_has_a_row_for_every_goal_and_every_server() -> None:
    text = report.report(stored(), ["a machine"])
    assert "- a machine" in text
    for found in goals.GOALS:
        assert f"| {found.name} |" in text
    assert (
        "| echo, 50 connections | 4.00 R, 0.80 Node, 3.00 F | 2.00 R, 0.40 Node, 1.50 F |"
        " 1.60 R | 2.30 R, 0.60 Node | aim reached | held |"
    ) in text
    assert f"| {AIOHTTP} | 55.0 (50.0 to 60.0) |" in text
    assert "| broadcast, recipients: 10,000 | 3.00 (3.00 to 3.00) |" in text


def test_tables_have_as_many_cells_in_every_row() -> None:
    width = 0
    for line in report.report(stored(), []).splitlines():
        cells = line.count(" | ") if line.startswith("|") else 0
        if not cells:
            width = 0
        elif not line.startswith("| ---"):
            assert width in (0, cells), line
            width = cells


def test_earlier_rows_are_reported_and_written_into_the_readme(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n\n{run.BEGIN}\n\nyesterday\n\n{run.END}\n\nafter\n")
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.md").write_text("all of it")
    for _ in range(2):  # again and again
        run.renew_readme(readme, out, stored(), ["a machine"])
    text = readme.read_text()
    assert text.startswith(f"before\n\n{run.BEGIN}\n")
    assert text.endswith(f"{run.END}\n\nafter\n")
    assert text.count("| echo, 50 connections |") == 1
    assert "yesterday" not in text
    assert (tmp_path / "results" / "report.md").read_text() == "all of it"


def test_a_readme_without_a_place_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing here")
    with pytest.raises(SystemExit):
        run.renew_readme(readme, tmp_path, stored(), [])
    assert readme.read_text() == "nothing here"


def test_our_readme_has_the_place() -> None:
    text = (HERE / "README.md").read_text(encoding="utf-8")
    assert 0 < text.index(run.BEGIN) < text.index(run.END)


def test_rounds_of_earlier_runs_are_not_mixed_up() -> None:
    assert run.of_earlier_run(row("echo50", OWN, 2), 1)["round"] == 1_002
    codec = {"scenario": "codec", "row": ["json", "100 B", "encode", 2, 5.0]}
    assert run.of_earlier_run(codec, 3)["row"] == ["json", "100 B", "encode", 3_002, 5.0]


def test_command_reports_without_measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "draw", lambda figures, to: to.write_bytes(b"a picture"))
    earlier = tmp_path / "rows.json"
    earlier.write_text(json.dumps({"about": ["a machine"], "rows": stored()}))
    arguments = ["--report-only", "--add", str(earlier), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(run.main, arguments)
    assert done.exit_code == 0, done.output
    assert "- a machine" in done.output
    assert (tmp_path / "out" / run.PICTURE).read_bytes() == b"a picture"
    kept = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert len(kept["rows"]) == len(stored())
