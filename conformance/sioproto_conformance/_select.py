"""Which cases to run, from what people type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from sioproto_conformance._model import Case

_RULE = re.compile(r"[A-Z]+-.+")
_SUGGESTIONS = 3


class SelectionError(Exception):
    """What was asked for selects nothing."""


def select(cases: Sequence[Case], terms: Iterable[str]) -> list[Case]:
    """Return the cases that the terms select, in the order of ``cases``.

    A term is an id, the first parts of one (``eio4.upgrade``), a glob (``sio5.*.closes*``), a rule
    id, or ``@file`` with one term a line. Together they select what any of them does; none select
    everything. ``+tag`` keeps those with the tag, ``-tag`` those without.

    Raises ``SelectionError`` for a term that selects nothing, and if nothing is left.
    """
    names: list[str] = []
    kept: list[str] = []
    dropped: list[str] = []
    for term in _expanded(terms):
        if term.startswith("+"):
            kept.append(term[1:])
        elif term.startswith("-"):
            dropped.append(term[1:])
        else:
            names.append(term)
    tags = {tag for case in cases for tag in case.tags}
    for tag in (*kept, *dropped):
        if tag not in tags:
            raise SelectionError(f"no case has the tag {tag!r}{_suggest(tag, tags)}")
    matched: set[str] = set()
    for name in names:
        found = {case.id for case in cases if _matches(case, name)}
        if not found:
            raise SelectionError(f"{name!r} selects nothing{_suggest(name, _known(cases))}")
        matched |= found
    selected = [
        case
        for case in cases
        if (not names or case.id in matched)
        and case.tags.issuperset(kept)
        and case.tags.isdisjoint(dropped)
    ]
    if not selected:
        raise SelectionError("no case is left by this selection")
    return selected


def matches_glob(pattern: str, text: str) -> bool:
    """Tell whether ``*`` and ``?`` match; brackets, which ids have, stand for themselves."""
    parts = (re.escape(part) for part in re.split(r"([*?])", pattern))
    wild = {re.escape("*"): ".*", re.escape("?"): "."}
    return re.fullmatch("".join(wild.get(part, part) for part in parts), text) is not None


def _matches(case: Case, name: str) -> bool:
    if case.id == name or name in case.covers:
        return True
    if "*" in name or "?" in name:
        return matches_glob(name, case.id)
    return case.id.startswith((f"{name}.", f"{name}["))


def _expanded(terms: Iterable[str]) -> list[str]:
    expanded: list[str] = []
    for term in terms:
        if not term.startswith("@"):
            expanded.append(term)
            continue
        try:
            text = Path(term[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SelectionError(f"{term}: {error}") from error
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        expanded += [line for line in lines if line]
    return expanded


def _known(cases: Iterable[Case]) -> set[str]:
    known: set[str] = set()
    for case in cases:
        known.update((case.id, case.base, case.area, *case.covers))
    return known


def _suggest(name: str, known: Collection[str]) -> str:
    # A rule is no near miss of a case, however alike the letters are.
    alike = [
        other for other in sorted(known) if bool(_RULE.match(other)) == bool(_RULE.match(name))
    ]
    near = difflib.get_close_matches(name, alike, _SUGGESTIONS)
    return f"; did you mean {' or '.join(near)}?" if near else ""
