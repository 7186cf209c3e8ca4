"""The table of differences from other parsers names rules that exist."""

from __future__ import annotations

import tomllib

import pytest

from fuzzing import FOLDER
from fuzzing.cases import FORMATS
from sioproto_conformance._rules import all_rules

DIFFERENCES = tomllib.loads((FOLDER / "differences.toml").read_text("utf-8"))["difference"]
PARSERS = {
    "engine.io-parser 2",
    "engine.io-parser 5",
    "python-engineio",
    "python-socketio",
    "socket.io-parser 3.3",
    "socket.io-parser 3.4",
    "socket.io-parser 4.2",
}


@pytest.mark.parametrize("entry", DIFFERENCES, ids=[entry["how"] for entry in DIFFERENCES])
def test_a_difference_is_explained_by_rules(entry: dict[str, object]) -> None:
    assert set(entry) == {"parsers", "format", "how", "rules", "reason"}
    assert set(entry["parsers"]) <= PARSERS  # type: ignore[call-overload] # the table is untyped
    assert entry["format"] in {"*", *(kind.name for kind in FORMATS)}
    assert str(entry["how"]).startswith(
        ("only they take it: ", "only we take it: ", "values differ: ")
    )
    assert entry["rules"]
    assert [rule for rule in entry["rules"] if rule not in all_rules()] == []  # type: ignore[attr-defined] # as above
    assert str(entry["reason"]).endswith(".")


def test_none_explains_everything() -> None:
    for entry in DIFFERENCES:
        assert entry["how"].rstrip("*") not in ("only they take it: ", "only we take it: ")
