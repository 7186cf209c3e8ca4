"""The cases as a list for machines: JSON Lines, one object for each case."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from sioproto_conformance._model import Case, Level, Rule


class ListedCase(msgspec.Struct, frozen=True):
    """A case, as far as it is known before it runs. The names are those of a report."""

    id: str
    summary: str
    """What the case asks."""
    rules: tuple[str, ...]
    """Those that it covers."""
    levels: tuple[Level | None, ...]
    """Their levels, in the same order; ``null`` for a rule that nobody knows."""
    needs: tuple[str, ...]
    """Features without which a server is not asked."""
    tags: tuple[str, ...]


def listed(case: Case, rules: Mapping[str, Rule]) -> str:
    """Return the line of a case."""
    line = ListedCase(
        id=case.id,
        summary=case.summary,
        rules=case.covers,
        levels=tuple(rules[id].level if id in rules else None for id in case.covers),
        needs=case.needs,
        tags=tuple(sorted(case.tags)),
    )
    return msgspec.json.encode(line).decode()


def schema_text() -> str:
    """Return the JSON Schema of a line, as the file in the suite's data has it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of sio-conformance list --json",
        **msgspec.json.schema(ListedCase),
    }
    return json.dumps(schema, indent=2) + "\n"
