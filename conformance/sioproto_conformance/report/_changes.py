"""What is not in a run as it was in another."""

from __future__ import annotations

from dataclasses import dataclass

from sioproto_conformance._model import Verdict
from sioproto_conformance._stream import Report
from sioproto_conformance.report._matrix import ABSENT, WORSE, Cell, Matrix


@dataclass(frozen=True, slots=True)
class Change:
    """A case with another verdict than before."""

    id: str
    old: str
    new: str
    worse: bool
    reason: str
    """Of the new verdict."""

    @property
    def is_gone(self) -> bool:
        """Whether the case is not in the new run."""
        return self.new == ABSENT


def changes(old: Report, new: Report) -> list[Change]:
    """Return the cases whose verdict changed, in the order of areas.

    A new case of which there is nothing to say, as it passes or is skipped, is no change.
    """
    found = []
    for row in Matrix((old, new)).rows:
        before, after = row.cells
        if before is not None and after is not None and before.text == after.text:
            continue
        if before is None and after is not None and _rank(after) <= WORSE.index(Verdict.SKIP):
            continue
        found.append(
            Change(
                row.id,
                before.text if before else ABSENT,
                after.text if after else ABSENT,
                _rank(after) > _rank(before, new_case=True),
                after.reason if after else "",
            )
        )
    return found


def _rank(cell: Cell | None, *, new_case: bool = False) -> int:
    """Return how bad a cell is. What is not there any more is like skipped; what is new, passed."""
    if cell is None:
        return WORSE.index(Verdict.PASS if new_case else Verdict.SKIP)
    return WORSE.index(Verdict(cell.verdict))
