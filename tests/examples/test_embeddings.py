"""The examples that embed the core: each does all that its surroundings allow, and starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.judging import judge
from tests.project import ROOT


@pytest.mark.parametrize("name", ["asyncio-streams", "wsgi-threads"])
def test_suite_finds_what_the_surroundings_forbid_and_nothing_else(
    name: str, tmp_path: Path
) -> None:
    judge(name, tmp_path)


@pytest.mark.parametrize("name", ["asyncio_streams", "wsgi_threads"])
def test_example_starts(name: str) -> None:
    """Its application is served as well, not only what the suite wants."""
    code = (
        f"from examples.embeddings import {name}\n"
        "from tests.examples.clients import talk_to\n"
        f"talk_to({name})\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
