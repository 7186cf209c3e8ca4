"""Letting the conformance suite loose on a target of the repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.project import ROOT

TARGETS = ROOT / "conformance" / "targets"


def judge(name: str, folder: Path) -> None:
    """Run the whole suite, and fail with what it prints unless all it finds is known."""
    target = TARGETS / name
    command = [sys.executable, "-m", "sioproto_conformance", "run", str(target / "sut.toml")]
    options = ["--plain", "--out", str(folder / "run.jsonl")]
    if (target / "known.toml").is_file():
        options += ["-k", str(target / "known.toml")]
    done = subprocess.run(
        command + options, capture_output=True, text=True, check=False, timeout=300, cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr
