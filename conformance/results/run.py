"""Run the suite against every server that can run here, and write down how they compare.

    python conformance/results/run.py               # all of them
    python conformance/results/run.py ours node-v3  # some, which leaves the other columns out

README.md in this folder says what has to be installed first, and what is written where.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGETS = HERE.parent / "targets"
SCRATCH = HERE.parents[1] / ".sioproto" / "results"

# It ran, whatever it found: conformant, not conformant, inconclusive.
_RAN = (0, 1, 4)


@dataclass(frozen=True)
class Contestant:
    """A column of the matrix."""

    target: str
    """As for ``sio-conformance run``."""
    safe: bool = False
    """Whether weaknesses that are known in public would end it before it has answered."""


CONTESTANTS = {
    "ours": Contestant("built-in"),
    "node": Contestant(str(TARGETS / "node" / "sut.toml")),
    "node-v3": Contestant(str(TARGETS / "node-v3" / "sut.toml"), safe=True),
    "node-v2": Contestant(str(TARGETS / "node-v2" / "sut.toml")),
    "python-socketio": Contestant(str(TARGETS / "python-socketio" / "sut.toml")),
    "python-socketio-aiohttp": Contestant(str(TARGETS / "python-socketio-aiohttp" / "sut.toml")),
}


def conformance(*arguments: str) -> int:
    """Run a command of the suite and return its exit code."""
    command = [sys.executable, "-m", "sioproto_conformance", *arguments]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return done.returncode


def judge(name: str, select: Sequence[str], out: Path) -> None:
    """Run the suite against one contestant and keep the stream."""
    contestant = CONTESTANTS[name]
    began = time.monotonic()
    # Never with --include-security: what others have to fix is told to them, not published.
    options = ["--plain", "--jobs", "8", "--out", str(out)]
    options += ["--safe"] if contestant.safe else []
    code = conformance("run", *options, contestant.target, *select)
    print(f"{name}: {time.monotonic() - began:.0f} s, exit code {code}", flush=True)
    if code not in _RAN:
        sys.exit(f"{name} could not be judged: is it installed? See {HERE / 'README.md'}")


def write(streams: dict[str, Path], into: Path, folder: Path) -> None:
    """Render what the streams say."""
    paths = [str(path) for path in streams.values()]
    tables = ("--summary", str(into / "matrix.md"), "--json", str(into / "matrix.json"))
    codes = [conformance("report", *paths, "--html", str(folder / "site"), *tables)]
    badges = into / "badges"
    badges.mkdir(exist_ok=True)
    for name, path in streams.items():
        codes.append(conformance("report", str(path), "--badge", str(badges / f"{name}.json")))
    if any(codes):
        sys.exit("the report could not be written")


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CONTESTANTS))
    parser.add_argument("--select", action="append", default=[], help="a term; repeatable")
    parser.add_argument("--render", action="store_true", help="only, what was run before")
    parser.add_argument("--into", type=Path, default=HERE, help="for tables and badges")
    parser.add_argument("--folder", type=Path, default=SCRATCH, help="for streams and pages")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in CONTESTANTS]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}")
    given.folder.mkdir(parents=True, exist_ok=True)
    names = given.names or list(CONTESTANTS)
    streams = {name: given.folder / f"{name}.jsonl" for name in names}
    if not given.render:
        for name, out in streams.items():
            judge(name, given.select, out)
    write(streams, given.into, given.folder)
    print(f"pages: {given.folder / 'site' / 'index.html'}")


if __name__ == "__main__":
    main()
