"""The matrix as HTML, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from sioproto_conformance._model import Verdict
from sioproto_conformance._stream import Report
from sioproto_conformance.report._html import fragment, page
from sioproto_conformance.report._markdown import code, escaped, table
from sioproto_conformance.report._matrix import ABSENT, Dialect, Matrix, Row
from sioproto_conformance.report._overview import count, outcome, shown_verdicts, tallies

_WIDEST = 120


def matrix_html(matrix: Matrix, *, links: Sequence[str] = ()) -> str:
    """Return the page. ``links`` are the URLs of the pages of the runs, in order, if there are."""
    return page(
        "matrix.html",
        title="Conformance: " + ", ".join(matrix.names),
        matrix=matrix,
        names=matrix.names,
        targets=[_about(report) for report in matrix.reports],
        columns=_columns(matrix),
        links=list(links),
        absent=ABSENT,
    )


def matrix_json(matrix: Matrix) -> str:
    """Return the verdicts of each case in the order of the targets, and the dialects."""
    targets = [
        {
            "name": report.header.target,
            "version": report.header.target_version,
            "suite": report.header.suite,
            "python": report.header.python,
            "outcome": outcome(report),
            "rules": {tally.protocol: [tally.kept, tally.checked] for tally in tallies(report)},
            "verdicts": {verdict.value: number for verdict, number in count(report.cases).items()},
        }
        for report in matrix.reports
    ]
    cases = {row.id: [cell.text if cell else None for cell in row.cells] for row in matrix.rows}
    dialects = [
        {"case": dialect.id, "what": dialect.what, "values": list(dialect.values)}
        for dialect in matrix.dialects
        if dialect.differs
    ]
    # A case is a line: what changes from one version to the next can be seen.
    return "".join(
        (
            '{\n"targets": ',
            json.dumps(targets, indent=1, ensure_ascii=False),
            ',\n"cases": {\n',
            ",\n".join(f"{json.dumps(id)}: {json.dumps(found)}" for id, found in cases.items()),
            '\n},\n"dialects": [\n',
            ",\n".join(json.dumps(dialect, ensure_ascii=False) for dialect in dialects),
            "\n]\n}\n",
        )
    )


def matrix_markdown(matrix: Matrix, *, links: Sequence[str] = ()) -> str:
    """Return the tables: how each target did, each case that not all pass, and the dialects."""
    parts = ["## Targets\n", _targets(matrix)]
    loud = [row for row in matrix.rows if not row.is_quiet]
    quiet = len(matrix.rows) - len(loud)
    parts += ["## Cases\n", f"{quiet} of {len(matrix.rows)} cases are passed by all, or skipped.\n"]
    if loud:
        rows = [_row(group, matrix, links) for group in _alike(loud, matrix.rows)]
        parts.append(table(["case", *map(escaped, matrix.names)], rows, numbers=False))
    differing = [dialect for dialect in matrix.dialects if dialect.differs]
    if differing:
        parts += ["## Dialects\n", "Where the protocol leaves a choice, and they differ.\n"]
        rows = [_dialect(*group) for group in _alike_dialects(differing)]
        parts.append(table(["seen by", "what", *map(escaped, matrix.names)], rows, numbers=False))
    return "\n".join(parts)


def _columns(matrix: Matrix) -> list[Verdict]:
    return shown_verdicts(count(line for report in matrix.reports for line in report.cases))


def _about(report: Report) -> Mapping[str, object]:
    counts = count(report.cases)
    return {
        "outcome": outcome(report),
        "tallies": tallies(report),
        "counts": counts,
        "cases": counts.total(),
        "header": report.header,
    }


def _targets(matrix: Matrix) -> str:
    columns = _columns(matrix)
    rows = []
    for name, report in zip(matrix.names, matrix.reports, strict=True):
        counts = count(report.cases)
        rules = ", ".join(str(tally) for tally in tallies(report))
        numbers = [str(counts[verdict]) for verdict in columns]
        rows.append([escaped(name), escaped(outcome(report)), escaped(rules), *numbers])
    return table(["target", "outcome", "rules kept", *columns], rows, numbers=False)


def _alike(rows: Sequence[Row], all_rows: Sequence[Row]) -> Iterable[tuple[str, Row]]:
    """Return rows with a name each, variants that came out alike everywhere as one."""
    sizes: dict[str, int] = {}
    for row in all_rows:
        base = row.id.partition("[")[0]
        sizes[base] = sizes.get(base, 0) + 1
    for base, variants in groupby(rows, key=lambda row: row.id.partition("[")[0]):
        alike: dict[tuple[str | None, ...], list[Row]] = {}
        for row in variants:
            alike.setdefault(tuple(cell.text if cell else None for cell in row.cells), []).append(
                row
            )
        for found in alike.values():
            is_all = len(found) == sizes[base] > 1
            yield f"{base}[*]" if is_all else _name(base, [row.id for row in found]), found[0]


def _row(group: tuple[str, Row], matrix: Matrix, links: Sequence[str]) -> list[str]:
    name, row = group
    cells = []
    for number, cell in enumerate(row.cells):
        if cell is None:
            cells.append(ABSENT)
            continue
        text = cell.text if cell.verdict in ("pass", "skip") else f"**{cell.text}**"
        cells.append(f"[{text}]({links[number]}{fragment(row.id)})" if links else text)
    return [code(name, in_table=True), *cells]


def _alike_dialects(dialects: Sequence[Dialect]) -> Iterable[tuple[str, Dialect]]:
    """Return dialects with a name each, variants with the same values as one."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[Dialect]] = {}
    for dialect in dialects:
        base = dialect.id.partition("[")[0]
        alike.setdefault((base, dialect.what, dialect.values), []).append(dialect)
    for (base, _, _), found in alike.items():
        yield _name(base, [dialect.id for dialect in found]), found[0]


def _name(base: str, ids: Sequence[str]) -> str:
    """Return one name for some variants of a case."""
    if len(ids) == 1:
        return ids[0]
    return f"{base}[{' '.join(id.partition('[')[2].rstrip(']') for id in ids)}]"


def _dialect(name: str, dialect: Dialect) -> list[str]:
    values = [value if len(value) <= _WIDEST else value[:_WIDEST] + "…" for value in dialect.values]
    shown = [value if value == ABSENT else code(value, in_table=True) for value in values]
    return [code(name, in_table=True), escaped(dialect.what), *shown]
