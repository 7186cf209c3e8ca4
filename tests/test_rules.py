"""Rule ids in the library and in the rulings are those of the catalogue."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.project import FILES, ROOT, read

MENTION = re.compile(r"\b(?:EIO|SIO)-[A-Z0-9]+-[0-9]+[a-z]?\b")
ENTRIES = [
    rule
    for path in FILES
    if path.parts[:2] == ("spec_notes", "rules")
    for rule in tomllib.loads(read(path))["rule"]
]
RULES = {rule["id"] for rule in ENTRIES}
OF_A_SERVER = [rule["id"] for rule in ENTRIES if rule["role"] in ("server", "both")]
RULINGS = tomllib.loads((ROOT / "spec_notes" / "rulings.toml").read_text())["ruling"]
DIFFERENCES = read(Path("docs/differences.md"))
CASES = ("conformance", "sioproto_conformance", "cases")
# Rules that nothing shows and no difference explains, each with the reason why that is so.
NOT_SHOWN: dict[str, str] = {}
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


def named_rules() -> set[str]:
    """What is shown by a test or a case, or listed as a difference, directly or by its ruling."""
    shown = [
        path
        for path in FILES
        if path.suffix == ".py"
        and (path.parts[: len(CASES)] == CASES or path.parts[0] == "tests")
        and path.parts[:2] != ("tests", "conformance")  # they show what the suite does
        and path != Path("tests/test_rules.py")
    ]
    named = {id for path in shown for id in MENTION.findall(read(path))}
    named.update(MENTION.findall(DIFFERENCES))
    for ruling in RULINGS:
        if f"`{ruling['id']}`" in DIFFERENCES:
            named.update(ruling["rules"])
    return named


def test_every_rule_of_a_server_is_shown_or_explained() -> None:
    assert all(NOT_SHOWN.values()), "an exception has a reason"
    named = named_rules()
    assert [id for id in OF_A_SERVER if id not in named and id not in NOT_SHOWN] == []
    assert [id for id in NOT_SHOWN if id in named or id not in RULES] == [], "no longer needed"


def test_differences_name_rulings_that_exist() -> None:
    rulings = {ruling["id"] for ruling in RULINGS}
    rows = [line for line in DIFFERENCES.splitlines() if line.startswith("| ")]
    told = [match for row in rows for match in re.findall(r"\| `([a-z0-9-]+)` \|$", row)]
    assert len(told) > 20
    assert [id for id in told if id not in rulings] == []


def test_something_is_looked_at() -> None:
    assert len(OF_A_SERVER) > 300
    assert "SIO-NOT-1" not in named_rules()
    assert len(RULES) > 200
    assert len(RULINGS) == len({ruling["id"] for ruling in RULINGS}) > 20
