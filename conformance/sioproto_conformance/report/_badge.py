"""The badge: the JSON that the endpoint badges of shields.io are made from."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sioproto_conformance._outcome import CONFORMANT, NOT_CONFORMANT
from sioproto_conformance._stream import Report
from sioproto_conformance.report._overview import tallies

_LABEL = "conformance"


def badge(report: Report) -> str:
    """Return a badge like ``EIO4 MUST 58/58``: counts of rules say more than a percentage."""
    message = ", ".join(str(tally) for tally in tallies(report))
    color = _color(report)
    if report.footer is None:
        message = "incomplete"
    fields = {"schemaVersion": 1, "label": _LABEL, "message": message or "nothing", "color": color}
    return json.dumps(fields, indent=2) + "\n"


def _color(report: Report) -> str:
    if report.footer is None:
        return "lightgrey"
    found: Sequence[bool] = [tally.kept == tally.checked for tally in tallies(report)]
    if report.footer.exit_code == NOT_CONFORMANT or not all(found):
        return "red"
    return "brightgreen" if report.footer.exit_code == CONFORMANT and found else "lightgrey"
