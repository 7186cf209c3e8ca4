"""The suite is quiet about the reference: what it finds there is known, and explained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.project import ROOT

TARGET = ROOT / "conformance" / "targets" / "node"


def test_suite_finds_what_is_known_of_the_reference_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sioproto_conformance", "run", str(TARGET / "target.toml")]
    options = ["--plain", "-k", str(TARGET / "known.toml"), "--out", str(tmp_path / "run.jsonl")]
    done = subprocess.run(
        command + options, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
