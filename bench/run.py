"""Measure this project beside its peers, in one run, in turns. `bench/README.md` tells how."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

# Behind what is installed: what is measured is that.
sys.path.append(str(Path(__file__).parent.parent))

from bench.figures import Figures
from bench.machine import cpus, description
from bench.preparing import HERE, Missing, Workshop
from bench.report import goals, report
from bench.running import DidNotStart, Row
from bench.scenarios import BY_NAME, OWN, SCENARIOS, SERVERS, Scenario, Server
from bench.sections import FULL, QUICK, Bench

BEGIN = "<!-- figures: `python bench/run.py --update-readme` writes what is between these lines -->"
END = "<!-- end of figures -->"
PICTURE = "bench.png"
PACKAGES = (
    "sioproto",
    "python-socketio",
    "python-engineio",
    "uvicorn",
    "uvloop",
    "httptools",
    "aiohttp",
    "websockets",
    "trio",
    "h11",
    "wsproto",
    "orjson",
    "msgspec",
)


@click.command(help=__doc__)
@click.option("--full", is_flag=True, help="Many rounds, under 15 minutes, instead of one.")
@click.option("--rounds", type=int, help="Of slices, at most.")
@click.option("--budget", type=float, help="Seconds for all of it, if not the usual.")
@click.option("--scenarios", default="", help="Names, with commas; `none` for codecs and core.")
@click.option("--servers", default="", help="Parts of labels, with commas.")
@click.option(
    "--build",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(tempfile.gettempdir(), "sioproto-bench"),
    help="Folder for all that is made for a run.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the results; in that of --build unless given.",
)
@click.option(
    "--add",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Rows of an earlier run, to be reported together with these.",
)
@click.option("--report-only", is_flag=True, help="Measure nothing: report what --add names.")
@click.option("--update-readme", is_flag=True, help="Write the figures into bench/README.md.")
def main(
    full: bool,
    rounds: int | None,
    budget: float | None,
    scenarios: str,
    servers: str,
    build: Path,
    out: Path | None,
    add: Sequence[Path],
    report_only: bool,
    update_readme: bool,
) -> None:
    workshop = Workshop(build.absolute())
    rows: list[Row] = []
    about: list[str] = []
    if not report_only:
        plan = FULL if full else QUICK
        plan = replace(plan, rounds=rounds or plan.rounds, budget=budget or plan.budget)
        bench = Bench(workshop, plan, lambda line: click.echo(line, err=True))
        try:
            cpus()
            workshop.prepare()
            bench.measure(chosen_scenarios(scenarios, full), chosen_servers(servers))
        except (Missing, DidNotStart, RuntimeError) as error:
            raise SystemExit(str(error)) from error
        rows, about = bench.rows, [*versions(workshop), *bench.notes]
    for number, path in enumerate(add, 1):
        earlier = json.loads(path.read_text())
        rows += [of_earlier_run(row, number) for row in earlier["rows"]]
        about = about or earlier["about"]
    folder = out or workshop.folder / "results"
    write(folder, rows, about)
    if update_readme:
        renew_readme(HERE / "README.md", folder, rows, about)


def chosen_scenarios(names: str, full: bool) -> list[Scenario]:
    """Those that were asked for."""
    if not names:
        return [scenario for scenario in SCENARIOS if full or scenario.quick]
    if names == "none":
        return []
    unknown = set(names.split(",")) - BY_NAME.keys()
    if unknown:
        raise click.UsageError(f"there is no scenario {', '.join(sorted(unknown))}")
    return [BY_NAME[name] for name in names.split(",")]


def chosen_servers(parts: str) -> list[Server]:
    """Those whose labels have one of these in it."""
    wanted = [part.strip().lower() for part in parts.split(",")]
    return [server for server in SERVERS if any(part in server.label.lower() for part in wanted)]


def versions(workshop: Workshop) -> list[str]:
    """What was measured, and on what."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    for package in ("socket.io", "engine.io", "ws"):
        path = workshop.folder / "node_modules" / package / "package.json"
        if path.exists():
            found.append(f"{package} {json.loads(path.read_text())['version']}")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    python = ".".join(map(str, sys.version_info[:3]))
    return [
        f"{description()}; one CPU for the server, another for the load.",
        f"Python {python}, Node {node.stdout.strip().removeprefix('v')}.",
        f"{', '.join(found)}.",
    ]


def of_earlier_run(row: Row, number: int) -> Row:
    """A row whose round is not mistaken for one of this run."""
    if "row" in row:
        *head, round, nanoseconds = row["row"]
        return {**row, "row": [*head, round + 1_000 * number, nanoseconds]}
    return {**row, "round": row["round"] + 1_000 * number}


def draw(figures: Figures, to: Path) -> None:
    """Draw the picture. It takes a second to import what draws."""
    from bench.plot import draw

    draw(figures, to)


def write(folder: Path, rows: list[Row], about: list[str]) -> None:
    """Write rows, report and picture, and print the report."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.json").write_text(json.dumps({"about": about, "rows": rows}))
    text = report(rows, about)
    (folder / "report.md").write_text(text + "\n")
    if any(row.get("server") == OWN for row in rows):
        draw(Figures(rows), folder / PICTURE)
    click.echo(text)
    click.echo(f"rows.json, report.md and {PICTURE} are in {folder}", err=True)


def renew_readme(readme: Path, folder: Path, rows: list[Row], about: list[str]) -> None:
    """Replace the figures in the README, and the picture and the rows beside it."""
    text = readme.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{readme} has no place for the figures.")
    lines = [f"![what each server does for a second of its CPU](results/{PICTURE})", ""]
    lines += [*goals(Figures(rows)), *(f"- {sentence}" for sentence in about), ""]
    lines += ["All tables: [results/report.md](results/report.md).", ""]
    readme.write_text("\n".join([head + BEGIN, "", *lines]) + END + tail, encoding="utf-8")
    results = readme.parent / "results"
    results.mkdir(exist_ok=True)
    for name in ("report.md", PICTURE):
        if (folder / name).exists() and folder.resolve() != results.resolve():
            (results / name).write_bytes((folder / name).read_bytes())


if __name__ == "__main__":
    main()
