"""``sioproto.asgi`` under real ASGI servers, judged by the suite: what fails is theirs, and known.

Each of them runs the applications of the built-in target, which were written for trio.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judging import judge


@pytest.mark.parametrize(
    "name", ["uvicorn-websockets", "uvicorn-sansio", "uvicorn-wsproto", "hypercorn-trio"]
)
def test_suite_finds_what_the_server_itself_forbids_and_nothing_else(
    name: str, tmp_path: Path
) -> None:
    judge(name, tmp_path)
