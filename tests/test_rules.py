"""Rule ids in the library and in the rulings are those of the catalogue."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.project import FILES, ROOT, read

MENTION = re.compile(r"\b(?:EIO|SIO)-[A-Z0-9]+-[0-9]+[a-z]?\b")
RULES = {
    rule["id"]
    for path in FILES
    if path.parts[:2] == ("spec_notes", "rules")
    for rule in tomllib.loads(read(path))["rule"]
}
RULINGS = tomllib.loads((ROOT / "spec_notes" / "rulings.toml").read_text())["ruling"]
LIBRARY = [path for path in FILES if path.parts[0] == "sioproto" and path.suffix == ".py"]


@pytest.mark.parametrize("path", LIBRARY, ids=str)
def test_rules_named_in_the_library_exist(path: Path) -> None:
    assert [id for id in MENTION.findall(read(path)) if id not in RULES] == []


@pytest.mark.parametrize("ruling", RULINGS, ids=[ruling["id"] for ruling in RULINGS])
def test_rulings_are_complete_and_name_rules_that_exist(ruling: dict[str, object]) -> None:
    assert set(ruling) == {"id", "question", "variants", "decision", "reason", "rules"}
    assert all(ruling.values())
    rules = ruling["rules"]
    assert isinstance(rules, list)
    assert [id for id in rules if id not in RULES] == []


def test_something_is_looked_at() -> None:
    assert len(RULES) > 200
    assert len(RULINGS) == len({ruling["id"] for ruling in RULINGS}) > 20
