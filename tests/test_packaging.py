"""What people install: the wheel, the sdist, the editable checkout, each in a bare environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import sioproto
from tests.project import FILES, ROOT

DATA_NAMES = ("contract.md", "schemas", "spec_notes", "vectors")
# Run inside an environment: what the suite's data function finds, as text by relative path.
LIST_DATA = f"""
import json
from pathlib import Path
from sioproto_conformance._data import data_path
found = {{}}
for name in {DATA_NAMES!r}:
    top = Path(data_path(name))
    for path in [top, *top.rglob("*")]:
        if path.is_file():
            key = str(Path(name, path.relative_to(top)))
            found[key] = path.read_text(encoding="utf-8")
print(json.dumps(found))
"""
# Names of loaded modules that come neither from the standard library nor from us.
FOREIGN_MODULES = """
import sys
print(sorted({
    name.partition(".")[0]
    for name, module in sys.modules.items()
    if "site-packages" in (getattr(module, "__file__", None) or "")
    and name.partition(".")[0] not in ("sioproto", "sioproto_conformance")
}))
"""


def output_of(command: list[str], cwd: Path | None = None) -> str:
    """Standard output of a command that has to succeed."""
    result = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@dataclass(frozen=True)
class Environment:
    """A virtual environment that has nothing but what a test puts there."""

    folder: Path

    @property
    def programs(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    def install(self, wheel: Path) -> None:
        """Install without an index: it works only if nothing else is needed."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.programs / "python")]
        options = ["--no-index", "--quiet", "--disable-pip-version-check"]
        output_of([*pip, "install", *options, str(wheel)])

    def run(self, code: str) -> str:
        """Standard output of some code, in isolated mode and with warnings as errors."""
        return output_of([str(self.programs / "python"), "-I", "-W", "error", "-c", code])


def new_environment(folder: Path, wheel: Path) -> Environment:
    venv.create(folder, symlinks=True)
    environment = Environment(folder)
    environment.install(wheel)
    return environment


def build(out: Path, source: Path, hook: str) -> Path:
    """Call a hook of the build backend on a source tree, as ``pip`` would."""
    code = f"import sys, hatchling.build as b; print(b.{hook}(sys.argv[1]))"
    return out / output_of([sys.executable, "-c", code, str(out)], cwd=source).split()[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    return build(folder, ROOT, "build_wheel")


@pytest.fixture(scope="module")
def sdist(folder: Path) -> Path:
    return build(folder, ROOT, "build_sdist")


@pytest.fixture(scope="module")
def unpacked_sdist(folder: Path, sdist: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "sdist", filter="data")
    (unpacked,) = (folder / "sdist").iterdir()
    return unpacked


@pytest.fixture(scope="module")
def bare(folder: Path, wheel: Path) -> Environment:
    """The wheel without any extra."""
    return new_environment(folder / "bare", wheel)


def data_of_checkout() -> dict[str, str]:
    homes = {
        "contract.md": "conformance",
        "schemas": "conformance",
        "spec_notes": "",
        "vectors": "conformance",
    }
    found = {}
    for name, home in homes.items():
        top = ROOT / home / name
        for path in [top, *top.rglob("*")]:
            if path.is_file():
                found[str(path.relative_to(ROOT / home))] = path.read_text(encoding="utf-8")
    return found


def test_core_needs_the_standard_library_alone(bare: Environment) -> None:
    code = "import sioproto, sioproto.engineio, sioproto.socketio\n" + FOREIGN_MODULES
    assert bare.run(code) == "[]"


def test_the_package_for_tests_needs_nothing_by_itself(bare: Environment) -> None:
    assert bare.run("import sioproto.testing\n" + FOREIGN_MODULES) == "[]"


def test_the_test_client_needs_trio_and_no_more() -> None:
    """Not the extra ``testing``. What ``trio.testing`` imports is trio's business."""
    code = (
        "import sioproto.trio, trio.testing, sys; before = set(sys.modules)\n"
        "import sioproto.testing.trio\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))\n"
        "print('hypothesis' in sys.modules)"
    )
    assert output_of([sys.executable, "-c", code]).splitlines() == ["['sioproto']", "False"]


def test_installed_version_is_the_one_of_the_source(bare: Environment) -> None:
    code = (
        "import importlib.metadata, sioproto\n"
        "print(importlib.metadata.version('sioproto'), sioproto.__version__)"
    )
    assert bare.run(code).split() == [sioproto.__version__] * 2


@pytest.mark.parametrize(
    ("program", "extra"),
    [("sio-conformance", "sioproto[conformance]"), ("sioproto", "sioproto[cli]")],
)
@pytest.mark.parametrize("arguments", [[], ["run"], ["list"], ["--help"]], ids=str)
def test_command_without_its_extra_says_what_to_install(
    bare: Environment, program: str, extra: str, arguments: list[str]
) -> None:
    command = [str(bare.programs / program), *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert extra in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_pytest_plugin_imports_nothing_until_used() -> None:
    """It is loaded by every pytest of an environment that has the distribution."""
    code = (
        "import pytest, sys; before = set(sys.modules)\n"
        "import sioproto_conformance._pytest_plugin\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    assert output_of([sys.executable, "-c", code]) == "['sioproto_conformance']"


def test_wheel_holds_types_and_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "sioproto/py.typed" in names
    assert "sioproto_conformance/_data/contract.md" in names
    assert "sioproto_conformance/report/templates/run.html" in names
    assert {name.partition("/")[0] for name in names} == {
        "sioproto",
        "sioproto_conformance",
        f"sioproto-{sioproto.__version__}.dist-info",
    }


def test_sdist_holds_every_file_of_the_project(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert [str(path) for path in FILES if str(path) not in names] == []
    assert {"LICENSE", ".gitignore"} <= names


def test_data_is_found_in_the_wheel(bare: Environment) -> None:
    assert json.loads(bare.run(LIST_DATA)) == data_of_checkout()


def test_data_is_found_in_a_wheel_made_from_the_sdist(folder: Path, unpacked_sdist: Path) -> None:
    out = folder / "from-sdist"
    out.mkdir()
    wheel = build(out, unpacked_sdist, "build_wheel")
    environment = new_environment(folder / "sdist-env", wheel)
    assert json.loads(environment.run(LIST_DATA)) == data_of_checkout()


def test_data_beside_the_running_package_wins(
    bare: Environment, unpacked_sdist: Path, tmp_path: Path
) -> None:
    """An edited checkout is not answered from a copy that was installed earlier."""
    checkout = shutil.copytree(unpacked_sdist, tmp_path / "checkout")
    (checkout / "conformance/contract.md").write_text("edited", encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(checkout / 'conformance')!r})\n{LIST_DATA}"
    assert json.loads(bare.run(code)) == data_of_checkout() | {"contract.md": "edited"}


def test_data_is_found_in_an_editable_install(folder: Path) -> None:
    out = folder / "editable"
    out.mkdir()
    environment = new_environment(folder / "editable-env", build(out, ROOT, "build_editable"))
    assert json.loads(environment.run(LIST_DATA)) == data_of_checkout()
    where = environment.run("import sioproto; print(sioproto.__file__)")
    assert Path(where) == ROOT / "sioproto/__init__.py"
