"""HTML: one file that needs nothing else, safe to open whatever a server has sent."""

from __future__ import annotations

import base64
import functools
import hashlib
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from sioproto_conformance._model import Verdict
from sioproto_conformance._stream import CaseLine, Report
from sioproto_conformance._text import visible
from sioproto_conformance.report._diagram import diagram
from sioproto_conformance.report._overview import (
    by_area,
    in_order,
    outcome,
    shown_verdicts,
    skip_reasons,
    tallies,
    unexpected,
)

_FOLDER = Path(__file__).parent / "templates"


def html(report: Report, *, matrix: str | None = None) -> str:
    """Return the page of one run. ``matrix`` is the URL of the page that compares it, if any."""
    areas = by_area(report)
    total: Counter[Verdict] = sum(areas.values(), Counter())
    return page(
        "run.html",
        title=f"{report.name}: {outcome(report)}",
        report=report,
        header=report.header,
        footer=report.footer,
        outcome=outcome(report),
        tallies=tallies(report),
        areas=areas,
        total=total,
        columns=shown_verdicts(total),
        lines=in_order(report.cases),
        unexpected=unexpected(report),
        skip_reasons=skip_reasons(report.cases),
        matrix=matrix,
    )


def page(template: str, **values: Any) -> str:
    """Return a page from one of the templates."""
    return _environment().get_template(template).render(values)


def anchor(line: CaseLine) -> str:
    """Return the id of the element about this result."""
    return line.id if line.round == 1 else f"{line.id}~{line.round}"


def fragment(id: str) -> str:
    """Return what leads to the element with this id."""
    return "#" + quote(id, safe="")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((_FOLDER / name).read_text("utf-8") for name in ("style.css", "script.js"))
    environment.globals |= _globals(style, script)
    environment.filters |= {
        "anchor": anchor,
        "fragment": fragment,
        "shell": shlex.join,
        "visible": visible,
        "first_line": lambda text: text.partition("\n")[0],
        "visible_lines": lambda text: "\n".join(visible(line) for line in text.split("\n")),
    }
    return environment


def _globals(style: str, script: str) -> Mapping[str, Any]:
    # Ours, and the only things in a page that are not escaped. The policy lets nothing else run.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        "style": Markup(style),
        "script": Markup(script),
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        "diagram": diagram,
        "Verdict": Verdict,
    }
