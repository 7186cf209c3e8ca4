"""Reading the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from sioproto_conformance._data import data_path
from sioproto_conformance._model import SuiteError
from sioproto_conformance._rules import all_rules, read_rules

RULE = """
[[rule]]
id = "T-1"
statement = "The server answers."
level = "MUST"
origin = "text"
revisions = [4]
role = "server"
source = "doc#place"
testable = "wire"
"""


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / "engineio" / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def test_rules_of_all_files_are_read(tmp_path: Path) -> None:
    other = RULE.replace("T-1", "T-2") + 'see = ["T-1"]\n'
    rules = read_rules(_write(tmp_path, a=RULE, b=other))
    assert list(rules) == ["T-1", "T-2"]
    assert rules["T-2"].see == ("T-1",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RULE.replace("MUST", "must"), "level"),
        (RULE.replace('"text"', '"rumour"'), "origin"),
        (RULE + 'colour = "red"\n', "colour"),
        (RULE.replace("statement", "# "), "statement"),
        (RULE + RULE, "used twice"),
        (RULE + 'see = ["T-9"]\n', "refers to T-9"),
        ("rule = [", "a.toml"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        read_rules(_write(tmp_path, a=text))


def test_a_rule_is_one_sentence_that_ends() -> None:
    assert all_rules()
    for rule in all_rules().values():
        assert rule.statement.strip().endswith("."), rule.id
        assert "\n" not in rule.statement, rule.id


def test_data_that_nobody_has_is_a_bug() -> None:
    assert data_path("spec_notes").is_dir()
    with pytest.raises(KeyError):
        data_path("secrets")
