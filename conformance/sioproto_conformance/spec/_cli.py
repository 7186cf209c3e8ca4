"""The command line of the notes: ``check`` and ``report``."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import click

from sioproto_conformance._data import data_path
from sioproto_conformance._model import SuiteError
from sioproto_conformance._registry import all_cases
from sioproto_conformance.broken import BROKEN
from sioproto_conformance.spec._check import Subject, problems
from sioproto_conformance.spec._evidence import read_kills, verified_by_runs, verified_by_tests
from sioproto_conformance.spec._ladder import RUNGS, needs_proof, snapshot_of, standings
from sioproto_conformance.spec._links import read_links
from sioproto_conformance.spec._notes import read_notes
from sioproto_conformance.spec._report import exemptions_by_reason, summary, to_html, to_json

KILLS = Path("conformance", "results", "kills.json")
_FILE = click.Path(path_type=Path, dir_okay=False)


def read_subject(root: Path) -> Subject:
    """Return the notes and what refers to them, of a checkout or of an installed suite.

    Raises ``SuiteError`` for what cannot be read.
    """
    whole = (root / "spec_notes").is_dir() and (root / "sioproto").is_dir()
    return Subject(
        notes=read_notes(root / "spec_notes" if whole else data_path("spec_notes")),
        links=read_links(root if whole else None, all_cases(), BROKEN.values()),
        kills=read_kills(root / KILLS) if whole else {},
        whole=whole,
    )


def _subject(root: Path) -> Subject:
    try:
        return read_subject(root)
    except SuiteError as error:
        raise click.ClickException(str(error)) from error


_root = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The checkout to look at.  [default: this folder; elsewhere, the installed notes]",
)


@click.group()
def main() -> None:
    """The notes on the protocols, and what stands behind each rule."""


@main.command()
@_root
@click.option("--update", is_flag=True, help="Write the snapshot.")
def check(root: Path, update: bool) -> None:
    """Look for what is wrong with the notes, and for rules without a proof."""
    subject = _subject(root)
    if update:
        if not subject.whole:
            raise click.ClickException("there is no checkout here whose snapshot could be written")
        lost = [problem for problem in problems(subject) if "has gone" in problem]
        if lost:
            raise click.ClickException("; ".join(lost))
        snapshot = subject.notes.folder / "snapshot.txt"
        snapshot.write_text(snapshot_of(subject.standings), "utf-8")
        subject = _subject(root)
    found = problems(subject)
    for problem in found:
        click.echo(problem)
    rules = subject.notes.rules.values()
    proven = [each for each in subject.standings.values() if each.needs_proof and each.proofs]
    click.echo(
        f"{len(rules)} rules, {len(subject.notes.rulings)} rulings; "
        f"{len(proven)} of {sum(map(needs_proof, rules))} that have to be are proven; "
        f"{len(subject.notes.exemptions)} excepted; "
        f"{len(found)} problem{'' if len(found) == 1 else 's'}"
    )
    if not subject.whole:
        click.echo("no checkout: neither code nor tests nor proofs were looked at")
    if found:
        raise SystemExit(1)


@main.command()
@_root
@click.option("--run", "runs", multiple=True, type=_FILE, help="A run of the suite, JSON Lines.")
@click.option("--tests", multiple=True, type=_FILE, help="A run of the tests, JUnit's XML.")
@click.option("--html", type=_FILE, help="Write the ladder as a page.")
@click.option("--json", "json_", type=_FILE, help="Write the ladder as JSON.")
def report(
    root: Path,
    runs: tuple[Path, ...],
    tests: tuple[Path, ...],
    html: Path | None,
    json_: Path | None,
) -> None:
    """Say how far each rule has come."""
    subject = _subject(root)
    try:
        verified = list(chain(verified_by_runs(runs), verified_by_tests(tests)))
    except SuiteError as error:
        raise click.ClickException(str(error)) from error
    all = standings(subject.notes, subject.links, subject.kills, verified)
    if html is not None:
        html.write_text(to_html(subject.notes, all, problems(subject)), "utf-8")
    if json_ is not None:
        json_.write_bytes(to_json(subject.notes, all))
    rows = summary(all)
    width = max(len(name) for name, _ in rows)
    click.echo("".join([" " * width, *(f"{rung:>13}" for rung in RUNGS)]))
    for name, counts in rows:
        click.echo("".join([name.ljust(width), *(f"{number:>13}" for number in counts)]))
    for reason, number in exemptions_by_reason(subject.notes).items():
        click.echo(f"excepted as {reason}: {number}")
