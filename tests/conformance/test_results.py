"""The command that compares servers, on two columns of a few cases."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sioproto_conformance._stream import read_report
from tests.project import ROOT, read

FOLDER = ROOT / "conformance" / "results"


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("results", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "results", module)
    spec.loader.exec_module(module)
    return module


def test_servers_are_compared(
    results: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = results.CONTESTANTS["ours"]
    monkeypatch.setitem(results.CONTESTANTS, "again", ours)
    folder = tmp_path / "scratch"
    arguments = ["ours", "again", "--select", "eio4.close", "--into", str(tmp_path)]
    results.main([*arguments, "--folder", str(folder)])
    data = json.loads((tmp_path / "matrix.json").read_text("utf-8"))
    assert [target["name"] for target in data["targets"]] == ["sioproto (built in)"] * 2
    assert set(map(tuple, data["cases"].values())) == {("pass", "pass")}
    assert "eio4.close" not in (tmp_path / "matrix.md").read_text("utf-8").partition("Dialects")[0]
    badge = json.loads((tmp_path / "badges" / "again.json").read_text("utf-8"))
    assert badge["color"] == "brightgreen"
    assert len(list((folder / "site").iterdir())) == 3
    (tmp_path / "matrix.md").unlink()
    results.main(["ours", "--render", "--into", str(tmp_path), "--folder", str(folder)])
    assert (tmp_path / "matrix.md").exists()
    assert read_report(folder / "ours.jsonl").header.argument is None


def test_a_server_that_is_not_installed_is_told(
    results: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(results.CONTESTANTS, "gone", results.Contestant("http://127.0.0.1:1"))
    with pytest.raises(SystemExit, match="gone could not be judged: is it installed"):
        results.main(["gone", "--into", str(tmp_path), "--folder", str(tmp_path)])
    with pytest.raises(SystemExit):
        results.main(["nobody"])


def test_every_server_is_there_and_told_of(results: ModuleType) -> None:
    text = read(FOLDER.relative_to(ROOT) / "README.md")
    for name, contestant in results.CONTESTANTS.items():
        assert f"| `{name}` |" in text
        assert contestant.target == "built-in" or Path(contestant.target).parent.is_dir()


def test_what_is_kept_holds_nothing_about_security() -> None:
    """Cases tagged ``security`` have no verdict on the servers of others."""
    data = json.loads(read(FOLDER.relative_to(ROOT) / "matrix.json"))
    others = [i for i, t in enumerate(data["targets"]) if not t["name"].startswith("sioproto")]
    assert others
    from sioproto_conformance._registry import all_cases

    for case in all_cases():
        if "security" in case.tags and case.id in data["cases"]:
            verdicts = [data["cases"][case.id][number] for number in others]
            assert set(verdicts) <= {"skip", None}, case.id
