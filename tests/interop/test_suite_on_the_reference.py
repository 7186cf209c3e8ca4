"""The suite is quiet about the reference: what it finds there is known, and explained."""

from __future__ import annotations

from pathlib import Path

from tests.judging import judge


def test_suite_finds_what_is_known_of_the_reference_and_nothing_else(tmp_path: Path) -> None:
    judge("node", tmp_path)
