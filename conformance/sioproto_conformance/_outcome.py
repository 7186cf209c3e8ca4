"""What the verdicts of a run come to: its exit code, and that in words."""

from __future__ import annotations

from sioproto_conformance._model import Verdict

CONFORMANT = 0
NOT_CONFORMANT = 1
USAGE = 2
NOT_REACHABLE = 3
INCONCLUSIVE = 4
STALE = 5
INTERRUPTED = 130
"""What a shell makes of SIGINT."""

MEANING = {
    CONFORMANT: "conformant",
    NOT_CONFORMANT: "not conformant",
    INCONCLUSIVE: "inconclusive",
    STALE: "the list of known failures is out of date",
}
"""What the end of a run means, by its exit code."""


def exit_code(
    verdicts: set[Verdict], *, stale: bool, strict: bool, allow_inconclusive: bool
) -> int:
    """Return the exit code for a run with these verdicts."""
    if Verdict.FAIL in verdicts or (strict and Verdict.WARN in verdicts):
        return NOT_CONFORMANT
    if stale or Verdict.XPASS in verdicts:
        return STALE
    if Verdict.ERROR in verdicts:
        return INCONCLUSIVE
    if Verdict.INCONCLUSIVE in verdicts and not allow_inconclusive:
        return INCONCLUSIVE
    # A run in which nothing was found out has not shown that the target conforms.
    nothing_known = verdicts <= {Verdict.SKIP, Verdict.INCONCLUSIVE}
    return INCONCLUSIVE if nothing_known else CONFORMANT
