"""The action for GitHub: against its published schema, and its steps run as the shell would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import junitparser
import pytest
from ruamel.yaml import YAML

from sioproto_conformance._stream import read_report
from tests.project import ROOT

ACTION = ROOT / "conformance" / "action.yml"
_EXPRESSION = re.compile(r"\$\{\{ *([a-zA-Z_.-]+) *\}\}")


def action() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(ACTION.read_text("utf-8"))
    return loaded


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-actions",
    ]
    return subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)


def test_it_is_what_the_published_schema_says() -> None:
    done = check_schema(ACTION)
    assert done.returncode == 0, done.stdout


def test_the_schema_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "action.yml"
    path.write_text(ACTION.read_text("utf-8").replace("shell: bash", "shells: bash"), "utf-8")
    assert check_schema(path).returncode == 1


@dataclass
class Job:
    """As much of GitHub's runner as the steps of the action need."""

    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def run(self, inputs: dict[str, str]) -> int:
        """Run the steps that are shell, but for the installation, and return the last exit code."""
        loaded = action()
        defaults = {name: about.get("default", "") for name, about in loaded["inputs"].items()}
        self.values = {f"inputs.{name}": text for name, text in (defaults | inputs).items()}
        self.values["github.action_path"] = str(ACTION.parent)
        self._install()
        code = 0
        for step in loaded["runs"]["steps"]:
            if "run" in step and step["name"] != "Install the suite" and code == 0:
                code = self._step(step)
        return code

    def _install(self) -> None:
        """Put this suite where the step that installs it, from an index, would put it."""
        programs = self.folder / "temp" / "sio-conformance" / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        program = programs / "sio-conformance"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sioproto_conformance "$@"\n')
        program.chmod(0o755)

    def _step(self, step: Mapping[str, Any]) -> int:
        output = self.folder / "output"
        output.write_text("")
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
        }
        environment |= {name: self._filled(text) for name, text in step.get("env", {}).items()}
        # As the runner does for `shell: bash`. No expression may stand in the script itself.
        assert "${{" not in step["run"]
        script = self.folder / "script.sh"
        script.write_text(step["run"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        self.output += done.stdout + done.stderr
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            self.values[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode

    def _filled(self, text: str) -> str:
        return _EXPRESSION.sub(lambda found: self.values[found[1]], text)


def test_a_conformant_server_passes_and_leaves_its_report(tmp_path: Path) -> None:
    job = Job(tmp_path)
    inputs = {"target": "built-in", "select": "eio4.packet eio4.close", "options": "--seed 7"}
    assert job.run(inputs) == 0, job.output
    folder = tmp_path / "sio-conformance"
    names = {"run.jsonl", "report.html", "junit.xml", "summary.md", "badge.json"}
    assert {path.name for path in folder.iterdir()} == names
    report = read_report(folder / "run.jsonl")
    assert report.header.seed == "7"
    assert {line.area for line in report.cases} == {"eio4.packet", "eio4.close"}
    assert (tmp_path / "summary").read_bytes() == (folder / "summary.md").read_bytes()
    assert "conformant" in (tmp_path / "summary").read_text("utf-8")
    assert json.loads((folder / "badge.json").read_text())["color"] == "brightgreen"
    assert len(next(iter(junitparser.JUnitXml.fromfile(str(folder / "junit.xml"))))) > 30


def test_a_failure_fails_the_last_step_and_is_annotated(tmp_path: Path) -> None:
    fixture = [sys.executable, "-m", "sioproto_conformance", "fixture"]
    command = [*fixture, "--broken", "acknowledged-twice"]
    manifest = f'name = "b"\n[launch]\ncommand = {json.dumps(command)}\n'
    (tmp_path / "sut.toml").write_text(manifest, "utf-8")
    job = Job(tmp_path)
    assert job.run({"target": "sut.toml", "select": "sio5.ack.once", "report": "my report"}) == 1
    assert "::error title=FAIL sio5.ack.once" in job.output
    assert "not conformant" in (tmp_path / "summary").read_text("utf-8")
    assert (tmp_path / "my report" / "report.html").exists()
    (tmp_path / "known.toml").write_text(
        '[[expect]]\ncases = ["sio5.ack.once*"]\nis = "fail"\nreason = "r"\n', "utf-8"
    )
    known = {"target": "sut.toml", "select": "sio5.ack.once*", "known": "known.toml"}
    assert job.run(known) == 0, job.output


@pytest.mark.parametrize("text", ["eio4.nonsense", "$(touch owned)", "`touch owned`; touch owned"])
def test_inputs_are_words_and_no_shell(tmp_path: Path, text: str) -> None:
    job = Job(tmp_path)
    assert job.run({"target": "built-in", "select": text}) == 2
    assert "selects nothing" in job.output
    assert not list(tmp_path.rglob("owned"))
    assert not (tmp_path / "summary").exists()


def test_what_it_installs_is_there() -> None:
    """The step that needs an index: its path leads to this project, and to an extra it has."""
    (step,) = (each for each in action()["runs"]["steps"] if each.get("name", "")[:7] == "Install")
    suite = step["env"]["SUITE"].replace("${{ github.action_path }}", str(ACTION.parent))
    assert Path(suite).resolve() == ROOT
    assert '"$SUITE[conformance]"' in step["run"]
    assert "conformance = [" in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_readme_uses_it_as_it_is() -> None:
    """Its example finds the action where it says that it puts it, and knows its inputs."""
    readme = (ROOT / "conformance" / "README.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    _, checkout, use = YAML(typ="safe").load(block)["steps"]
    assert use["uses"] == f"./{checkout['with']['path']}/{ACTION.parent.relative_to(ROOT)}"
    inputs = action()["inputs"]
    assert use["with"].keys() <= inputs.keys()
    assert {name for name, about in inputs.items() if about.get("required")} <= use["with"].keys()
