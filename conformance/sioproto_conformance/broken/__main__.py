"""Let all cases loose on all broken servers, and store who notices which."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sioproto_conformance.broken import BROKEN
from sioproto_conformance.broken._matrix import kills

_MANY = 10


def main() -> None:
    """Run the command. It fails if a broken server is not caught by the case that is named for it,
    or by more than ten others without a reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="broken servers; all of them if none is named")
    parser.add_argument("--out", type=Path, help="the file to write, in JSON")
    parser.add_argument("--variants", type=int, help="of each case; all of them if not given")
    parser.add_argument("--jobs", type=int, help="processes; one for each processor if not given")
    options = parser.parse_args()
    names = sorted(options.names or BROKEN)
    if unknown := set(names) - set(BROKEN):
        parser.error(f"no broken server is called {', '.join(sorted(unknown))}")
    found = {}
    if options.names and options.out is not None and options.out.exists():
        # What is not tried again stays as it was.
        stored = json.loads(options.out.read_text("utf-8"))
        found = {name: kill for name, kill in stored.items() if name in BROKEN}
    wrong = 0
    for done, (name, kill) in enumerate(
        kills(names, variants=options.variants, jobs=options.jobs), start=1
    ):
        found[name] = kill
        others = len(kill["also_caught_by"])
        told = f"caught, also by {others}" if kill["caught"] else f"NOT CAUGHT: {kill['verdict']}"
        if others > _MANY and "wide" not in kill:
            told += ", which is too many without a reason"
        wrong += "CAUGHT:" in told or "too many" in told
        print(f"{done}/{len(names)} {name}: {told}", flush=True)
        if options.out is not None:
            text = json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(text + "\n", "utf-8")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
