"""The commands ``report`` and ``diff``, which work on runs that are over."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from sioproto_conformance import report as renderings
from sioproto_conformance._cli_common import exiting
from sioproto_conformance._outcome import CONFORMANT, INCONCLUSIVE, NOT_CONFORMANT
from sioproto_conformance._stream import Report, read_report
from sioproto_conformance._text import visible
from sioproto_conformance.report._changes import changes

# If more are not there, nobody wants to hear of each.
_GONE_SHOWN = 20
_RUN = click.Path(path_type=Path, dir_okay=False, exists=True)
_FILE = click.Path(path_type=Path, dir_okay=False)


def rendering_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name what is to be written."""
    options = (
        click.option("--html", type=click.Path(path_type=Path), help="Write a page."),
        click.option("--junit", type=_FILE, help="Write JUnit XML."),
        click.option("--summary", type=_FILE, help="Write a summary in Markdown."),
        click.option("--badge", type=_FILE, help="Write the JSON of a badge, for shields.io."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def write_renderings(
    report: Report,
    *,
    html: Path | None = None,
    junit: Path | None = None,
    summary: Path | None = None,
    badge: Path | None = None,
) -> None:
    """Write what is asked for of one run."""
    written: Sequence[tuple[Path | None, Callable[[Report], str]]] = (
        (html, renderings.html),
        (junit, renderings.junit),
        (summary, renderings.markdown),
        (badge, renderings.badge),
    )
    for path, render in written:
        if path is not None:
            _write(path, render(report))


@click.command()
@click.argument("runs", metavar="RUN.JSONL...", nargs=-1, required=True, type=_RUN)
@rendering_options
@click.option("--json", type=_FILE, help="Write the verdicts of several runs as JSON.")
@click.option("--github", is_flag=True, help="Print annotations for GitHub.")
def report(
    runs: tuple[Path, ...],
    html: Path | None,
    junit: Path | None,
    summary: Path | None,
    badge: Path | None,
    json: Path | None,
    github: bool,
) -> None:
    """Render runs that are over: one, or several side by side as a matrix.

    Without an option the summary is printed. --html of several runs names a folder, for the matrix
    in index.html and a page for each run; as a file it is the matrix alone. --junit and --badge
    are of one run.

    Exits with 4 if one of the runs was not finished; what there is of it is rendered all the same.
    """
    with exiting():
        reports = [read_report(path, partial=True) for path in runs]
    several = len(reports) > 1
    if several and (junit is not None or badge is not None or github):
        raise click.UsageError("--junit, --badge and --github are of one run")
    if several or json is not None or (html is not None and not _is_file(html)):
        _write_matrix(reports, html=html, summary=summary, json=json)
        if not several:
            write_renderings(reports[0], junit=junit, badge=badge)
    else:
        write_renderings(reports[0], html=html, junit=junit, summary=summary, badge=badge)
    if github:
        click.echo(renderings.github_annotations(reports[0]), nl=False)
    elif all(path is None for path in (html, junit, summary, badge, json)):
        text = renderings.matrix_markdown(renderings.Matrix(tuple(reports)))
        click.echo(text if several else renderings.markdown(reports[0]), nl=False)
    complete = all(report.footer is not None for report in reports)
    for path, found in zip(runs, reports, strict=True):
        if found.footer is None:
            click.echo(f"{path}: the run was not finished, its footer is missing", err=True)
    sys.exit(CONFORMANT if complete else INCONCLUSIVE)


def _write_matrix(
    reports: Sequence[Report], *, html: Path | None, summary: Path | None, json: Path | None
) -> None:
    matrix = renderings.Matrix(tuple(reports))
    if html is not None and _is_file(html):
        _write(html, renderings.matrix_html(matrix))
    elif html is not None:
        html.mkdir(parents=True, exist_ok=True)
        pages = _page_names(matrix.names)
        for report, name in zip(reports, pages, strict=True):
            _write(html / name, renderings.html(report, matrix="index.html"))
        _write(html / "index.html", renderings.matrix_html(matrix, links=pages))
    if summary is not None:
        _write(summary, renderings.matrix_markdown(matrix))
    if json is not None:
        _write(json, renderings.matrix_json(matrix))


def _page_names(names: Sequence[str]) -> list[str]:
    """Return a name for the page of each run, in letters that need no escape anywhere."""
    slugs = [re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:80] for name in names]
    return [f"{number}-{slug}.html" for number, slug in enumerate(slugs, 1)]


def _is_file(html: Path) -> bool:
    return html.suffix == ".html"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise click.UsageError(str(error)) from error


@click.command()
@click.argument("old", type=_RUN)
@click.argument("new", type=_RUN)
def diff(old: Path, new: Path) -> None:
    """Show the cases whose verdict is not the same in two runs.

    Exits with 0 if none is worse than it was, with 1 otherwise: worse is also what is skipped or
    missing now, and had passed. A case that is new counts unless it passes or is skipped.
    """
    with exiting():
        before, after = read_report(old), read_report(new)
    found = changes(before, after)
    gone = [change for change in found if change.is_gone]
    if len(gone) > _GONE_SHOWN:
        click.echo(f"{len(gone)} cases are not in {new}: was it a selection?")
    for change in found:
        if change.is_gone and len(gone) > _GONE_SHOWN:
            continue
        sign = "!" if change.worse else " "
        reason = f"  {visible(change.reason)}" if change.reason else ""
        click.echo(f"{sign} {change.id}: {change.old} → {change.new}{reason}")
    worse = sum(change.worse for change in found)
    click.echo(f"{len(found)} changed, {worse} for the worse")
    sys.exit(NOT_CONFORMANT if worse else CONFORMANT)
