"""Known failures: cases that are run all the same, and have to fail as they are known to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

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
