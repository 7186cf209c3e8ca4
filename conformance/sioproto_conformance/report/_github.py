"""Annotations: lines on standard output that GitHub shows beside a change."""

from __future__ import annotations

from sioproto_conformance._model import Verdict
from sioproto_conformance._stream import Report
from sioproto_conformance._text import visible
from sioproto_conformance.report._overview import INCOMPLETE, unexpected

# GitHub shows ten of each kind for a step.
_MOST = 10
_ERRORS = (Verdict.FAIL, Verdict.XPASS, Verdict.ERROR)


def github_annotations(report: Report) -> str:
    """Return a workflow command for each of the worst results."""
    lines = []
    if report.footer is None:
        lines.append(f"::error title={_property(report.name)}::{_text(INCOMPLETE)}")
    for line in unexpected(report)[:_MOST]:
        kind = "error" if line.verdict in _ERRORS else "warning"
        title = _property(f"{line.verdict.upper()} {line.id}")
        lines.append(f"::{kind} title={title}::{_text(line.expectation or line.reason)}")
    return "".join(f"{line}\n" for line in lines)


def _text(text: str) -> str:
    escaped = "\n".join(visible(line) for line in text.split("\n"))
    return escaped.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
