"""The rules that the cases check, read from the notes on the protocol."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import msgspec

from sioproto_conformance._data import data_path
from sioproto_conformance._model import Rule, SuiteError


class _RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: list[Rule]


def read_rules(folder: Path) -> dict[str, Rule]:
    """Return the rules of all ``<protocol>/<area>.toml`` files below ``folder``, by id.

    Raises ``SuiteError`` for a malformed file, an id used twice and a reference to no rule.
    """
    rules: dict[str, Rule] = {}
    for path in sorted(folder.glob("*/*.toml")):
        name = path.relative_to(folder).as_posix()
        try:
            entries = msgspec.toml.decode(path.read_bytes(), type=_RuleFile).rule
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SuiteError(f"{name}: {error}") from error
        for rule in entries:
            if rule.id in rules:
                raise SuiteError(f"{name}: the rule id {rule.id} is used twice")
            rules[rule.id] = rule
    for rule in rules.values():
        for other in rule.see:
            if other not in rules:
                raise SuiteError(f"the rule {rule.id} refers to {other}, which does not exist")
    return rules


@functools.cache
def all_rules() -> Mapping[str, Rule]:
    """Return the suite's own rules by id."""
    return read_rules(data_path("spec_notes") / "rules")
