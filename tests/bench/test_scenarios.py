"""The kinds of work and the servers, as data, and what has to be there to measure them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.goals import GOALS, Measure
from bench.micro.work import WORK
from bench.preparing import HERE, PROGRAMS, Missing, Workshop
from bench.scenarios import BY_NAME, NODE, OWN, SCENARIOS, SERVERS
from tests.project import ROOT


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(SCENARIOS)
    assert len({server.label for server in SERVERS}) == len(SERVERS)


def test_scenarios_are_in_words_that_the_load_generator_knows() -> None:
    source = (HERE / "load" / "wsload.c").read_text()
    options = set(re.findall(r'\{"(\w+)", &opt', source)) | {"mode"}
    modes = set(re.findall(r"^ \*   (\w+)  +\S", source, re.MULTILINE))
    assert {"echo", "rate", "bcast", "poll"} <= modes
    for scenario in SCENARIOS:
        words = dict(word.split("=") for word in scenario.load.split())
        assert set(words) <= options, scenario
        assert scenario.secure or words["mode"] in modes, scenario


def test_servers_are_there() -> None:
    workshop = Workshop(Path("build"))
    for server in SERVERS:
        for command in (server.command, server.secure_command):
            words = workshop.command(command, 1234) if command else ["1234"]
            assert "1234" in words
            assert not any("{" in word for word in words)
            for word in words:
                if word.startswith(str(HERE / "servers")):
                    assert Path(word).is_file()
        assert server.cannot <= BY_NAME.keys()


def test_tls_is_measured_with_ours_and_the_others() -> None:
    able = {server.label for server in SERVERS if server.secure_command}
    assert {OWN, NODE} <= able
    assert any(scenario.secure for scenario in SCENARIOS)


def test_goals_are_about_what_is_measured_in_a_quick_run() -> None:
    for goal in GOALS:
        if goal.measure in (Measure.SPEED, Measure.MEDIAN_LATENCY):
            assert BY_NAME[goal.work].quick
        elif goal.measure is not Measure.MEMORY:
            assert goal.work in WORK


def test_programs_have_their_sources() -> None:
    found = {path.name for path in (HERE / "load").glob("*.c")}
    assert found == {source for sources in PROGRAMS.values() for source in sources}


def test_node_packages_are_pinned_and_locked() -> None:
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    locked = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert wanted["socket.io"] == "4.8.4"
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version


def test_the_bench_measures_what_a_checkout_installs() -> None:
    tox = (ROOT / "tox.ini").read_text()
    assert "-r bench/requirements.txt" in tox
    pins = (HERE / "requirements.txt").read_text()
    assert "python-socketio==5.18.1" in pins


@pytest.mark.parametrize(("tool", "word"), [("cc", "C compiler"), ("node", "Node.js")])
def test_what_is_missing_is_said_in_one_sentence(
    tool: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def which(name: str) -> str | None:
        return None if name == tool else f"/usr/bin/{name}"

    def run(*args: object, **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 0)

    monkeypatch.setattr(shutil, "which", which)
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Missing, match=word) as missing:
        Workshop(tmp_path / "build").prepare()
    assert str(missing.value).count(". ") == 0
