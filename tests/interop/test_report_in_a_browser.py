"""The pages about a run, looked at with a browser: hostile bytes in them, and no network."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sioproto_conformance import report as renderings
from sioproto_conformance._stream import read_report
from tests.conformance.hostile import write_hostile
from tests.interop.peers import NODE_FOLDER, find_chromium, find_node

TIMEOUT = 300


def test_pages_work_and_obey_nothing_that_a_server_has_sent(tmp_path: Path) -> None:
    write_hostile(tmp_path / "run.jsonl")
    report = read_report(tmp_path / "run.jsonl")
    page, index = tmp_path / "1-run.html", tmp_path / "index.html"
    page.write_text(renderings.html(report, matrix=index.name), "utf-8")
    matrix = renderings.Matrix((report, report))
    index.write_text(renderings.matrix_html(matrix, links=[page.name, page.name]), "utf-8")
    script = [find_node(), str(NODE_FOLDER / "report.mjs"), find_chromium()]
    done = subprocess.run(
        [*script, page.as_uri(), index.as_uri(), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert len(list(tmp_path.glob("*.png"))) == 12
