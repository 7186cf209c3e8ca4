"""What the long run with mixed load concludes from what it saw."""

from __future__ import annotations

from typing import Any

import pytest

from tests.soak_load import KINDS, grown, result_of, wrong_with

FINE = '{"n": 10, "rate": 5.0, "errors": 0, "mismatch": 0, "p99_us": 1.0}'


def state(**more: int) -> dict[str, int]:
    return {"sessions": 1, "sockets": 1, "tasks": 8, "timers": 3, "kib": 40_000, **more}


def test_shares_make_a_whole() -> None:
    assert sum(kind.share for kind in KINDS) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kept", "complaints"),
    [
        ([state(), state(), state()], 0),
        ([state(), state(tasks=9, kib=41_000), state(kib=42_000)], 0),
        ([state(), state(), state(sessions=2)], 1),
        ([state(), state(sockets=3), state()], 1),
        ([state(), state(), state(tasks=9)], 1),
        ([state(), state(), state(kib=50_000)], 1),
        ([state(kib=10_000), state(), state()], 0),
    ],
)
def test_growth_is_seen(kept: list[dict[str, int]], complaints: int) -> None:
    assert len(grown(kept)) == complaints


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({}, False),
        ({"errors": 1}, True),
        ({"mismatch": 1}, True),
        ({"n": 0}, True),
        ({"sent": 10, "counted": 10}, False),
        ({"sent": 10, "counted": 9}, True),
        ({"error": "too slow"}, True),
    ],
)
def test_what_went_wrong_is_seen(more: dict[str, Any], wrong: bool) -> None:
    row = {"n": 1, "errors": 0, "mismatch": 0, **more}
    assert bool(wrong_with(row)) is wrong


def test_answers_of_the_load_generator() -> None:
    assert wrong_with(result_of(FINE, "", 0)) == ""
    assert "status 1" in wrong_with(result_of("", "", 1))
    assert wrong_with(result_of(FINE, "wsload: too slow\n", 1)) == "wsload: too slow"
