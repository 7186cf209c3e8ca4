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
        for rule in _read_file(path, name):
            if rule.id in rules:
                raise SuiteError(f"{name}: the rule id {rule.id} is used twice")
            rules[rule.id] = rule
    _check_references(rules)
    return rules


def _read_file(path: Path, name: str) -> list[Rule]:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=_RuleFile).rule
    except (msgspec.DecodeError, OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{name}: {error}") from error


def _check_references(rules: Mapping[str, Rule]) -> None:
    for rule in rules.values():
        for other in rule.see:
            if other not in rules:
                raise SuiteError(f"the rule {rule.id} refers to {other}, which does not exist")


_ADDED: dict[str, Rule] = {}


def add_rules(path: Path) -> None:
    """Add the rules of a TOML file, which are those of somebody else's cases.

    Raises ``SuiteError`` if the file is not in order, or has an id that is taken.
    """
    for rule in _read_file(path, str(path)):
        if rule.id in all_rules():
            raise SuiteError(f"{path}: the rule id {rule.id} is used twice")
        _ADDED[rule.id] = rule
        all_rules.cache_clear()
    _check_references(all_rules())


@functools.cache
def all_rules() -> Mapping[str, Rule]:
    """Return the suite's own rules by id, and those that were added to them."""
    return read_rules(data_path("spec_notes") / "rules") | _ADDED
