"""Choosing cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from sioproto_conformance._select import SelectionError, matches_glob, select
from tests.conformance.support import make_case

CASES = [
    make_case("eio4.polling.overlapping-get.closes", covers=("EIO-POLL-04",), tags=("close",)),
    make_case("eio4.polling.post.answered", covers=("EIO-POLL-05",)),
    make_case("eio4.upgrade.probe.answered", covers=("EIO-UPS-01",), tags=("close", "serial")),
    make_case("sio5.event.payload.closes[object]", covers=("SIO-VAL-03",), tags=("close",)),
    make_case("sio5.event.payload.closes[string]", covers=("SIO-VAL-03",), tags=("limits",)),
]
IDS = [case.id for case in CASES]


@pytest.mark.parametrize(
    ("terms", "chosen"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([IDS[3]], [3]),
        (["sio5.event.payload.closes"], [3, 4]),
        (["eio4"], [0, 1, 2]),
        (["eio4.polling"], [0, 1]),
        (["*.closes*"], [0, 3, 4]),
        (["sio5.*[object]"], [3]),
        (["EIO-UPS-01", "EIO-POLL-04"], [0, 2]),
        (["sio5", "eio4.upgrade"], [2, 3, 4]),
        (["+close"], [0, 2, 3]),
        (["+close", "-serial"], [0, 3]),
        (["eio4", "-close"], [1]),
    ],
)
def test_terms_select(terms: list[str], chosen: list[int]) -> None:
    assert [case.id for case in select(CASES, terms)] == [IDS[index] for index in chosen]


def test_a_file_holds_terms(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_text("# what we care about\neio4.upgrade  # and this\n\n-limits\nsio5\n", "utf-8")
    assert [case.id for case in select(CASES, [f"@{path}"])] == [IDS[2], IDS[3]]


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("eio4.poling", "selects nothing; did you mean eio4.polling"),
        ("eio4.pol", "selects nothing"),
        ("EIO-POLL-4", "did you mean EIO-POLL-04"),
        ("eio3.*", "selects nothing"),
        ("+clsoe", "no case has the tag 'clsoe'; did you mean close"),
        ("-nonsense", "no case has the tag"),
        ("@/does/not/exist", "No such file"),
    ],
)
def test_a_term_that_selects_nothing_is_an_error(term: str, message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        select(CASES, ["sio5", term])


def test_a_selection_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(SelectionError, match="no case is left"):
        select(CASES, ["eio4.polling", "+serial"])


def test_brackets_of_a_glob_are_brackets() -> None:
    assert matches_glob("a.*[x]", "a.b[x]")
    assert not matches_glob("a.[bx]", "a.b")
    assert matches_glob("a.?", "a.b")
