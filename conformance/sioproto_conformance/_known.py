"""Known failures: cases that are run all the same, and have to fail as they are known to."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from sioproto_conformance._model import Case, Verdict
from sioproto_conformance._runner import Result
from sioproto_conformance._select import matches_glob

_AS_EXPECTED = {
    "fail": (Verdict.FAIL,),
    "warn": (Verdict.WARN,),
    "flaky": (Verdict.PASS, Verdict.FAIL, Verdict.WARN, Verdict.INFO, Verdict.INCONCLUSIVE),
}
# What says nothing about the server leaves an expectation as it was.
_SILENT = (Verdict.SKIP, Verdict.ERROR, Verdict.INCONCLUSIVE)


class KnownError(Exception):
    """The list of known failures is not in order."""


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the list."""

    cases: tuple[str, ...]
    """Ids or globs."""
    reason: str
    how: Literal["fail", "warn", "flaky"] = msgspec.field(name="is")
    match: str = ""
    """A text that the reason of the failure has to contain."""
    url: str = ""
    """Where it is tracked."""
    versions: str = ""
    """Those of the target that it is about, as in ``>=5.1,<6``; all of them without it."""

    def covers(self, case: Case) -> bool:
        """Tell whether this entry is about the case."""
        return any(matches_glob(pattern, case.id) for pattern in self.cases)


class _KnownFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    expect: tuple[Expectation, ...] = ()


def read_known(path: Path) -> tuple[Expectation, ...]:
    """Return the entries of a TOML file. Raises ``KnownError``."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=_KnownFile).expect
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise KnownError(f"{path}: {error}") from error


def applicable(known: Sequence[Expectation], *, version: str) -> tuple[Expectation, ...]:
    """Return the entries that are about this version of the target.

    Raises ``KnownError`` if that cannot be told.
    """
    if not version and any(entry.versions for entry in known):
        raise KnownError("some entries name versions, and that of the target is not known")
    return tuple(entry for entry in known if _in_range(version, entry.versions))


_COMPARE: dict[str, Callable[[tuple[Any, ...], tuple[Any, ...]], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
_BOUND = re.compile(r"\s*(<=?|>=?|==|!=)\s*([0-9][^\s,]*)\s*")


def _in_range(version: str, bounds: str) -> bool:
    found = [_BOUND.fullmatch(bound) for bound in bounds.split(",")] if bounds else []
    held = []
    for bound in found:
        if bound is None:
            raise KnownError(f"{bounds!r} is no range of versions like '>=5.1,<6'")
        held.append(_COMPARE[bound[1]](_ordered(version), _ordered(bound[2])))
    return all(held)


def _ordered(version: str) -> tuple[Any, ...]:
    """Return what orders versions: by their numbers, one that is not final before the final one."""
    match = re.match(r"v?([0-9]+(?:\.[0-9]+)*)(.*)", version)
    if match is None:
        raise KnownError(f"{version!r} is no version that has an order")
    numbers = [int(number) for number in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    # What is behind a plus sign tells builds of one version apart.
    suffix = match[2].partition("+")[0]
    return (numbers, not suffix, [_piece(piece) for piece in re.findall(r"[0-9]+|[a-z]+", suffix)])


def _piece(piece: str) -> tuple[bool, int, str]:
    return (False, int(piece), "") if piece.isdecimal() else (True, 0, piece)


def stale_patterns(known: Sequence[Expectation], cases: Sequence[Case]) -> list[str]:
    """Return the patterns that match no case of the whole suite."""
    return [
        pattern
        for entry in known
        for pattern in entry.cases
        if not any(matches_glob(pattern, case.id) for case in cases)
    ]


def check_overlap(known: Sequence[Expectation], cases: Sequence[Case]) -> None:
    """Raise ``KnownError`` if two entries are about the same case."""
    for case in cases:
        if sum(entry.covers(case) for entry in known) > 1:
            raise KnownError(f"two entries are about {case.id}")


def apply_known(result: Result, known: Sequence[Expectation]) -> None:
    """Change the verdict of a result that its entry foresees, or that refutes it."""
    entry = next((entry for entry in known if entry.covers(result.case)), None)
    if entry is None:
        return
    if result.verdict in _AS_EXPECTED[entry.how]:
        if entry.how == "flaky":
            result.verdict = Verdict.FLAKY
        elif entry.match in result.reason:
            result.verdict = Verdict.XFAIL
        else:
            result.reason += f" (known to fail, but with {entry.match!r})"
            return
        result.expectation = f"{entry.reason} {entry.url}".strip()
    elif result.verdict not in _SILENT and not _worse(result.verdict, entry):
        result.verdict = Verdict.XPASS
        result.expectation = f"known to {entry.how}: {entry.reason}"


def _worse(verdict: Verdict, entry: Expectation) -> bool:
    return entry.how == "warn" and verdict is Verdict.FAIL
