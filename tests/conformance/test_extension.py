"""Cases of one's own, from a distribution that names them as an entry point."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sioproto_conformance import extension
from sioproto_conformance._stream import read_report

MODULE = '''
from pathlib import Path
from sioproto_conformance.extension import TRANSPORTS, Bench, Transport, add_rules, case

add_rules(Path(__file__).with_name("acme.toml"))

@case("acme1.echo.greeting.comes-back", covers=["ACME-1"], needs=["app"], variants=TRANSPORTS)
async def greeting(t: Bench, transport: Transport) -> None:
    """A greeting comes back."""
    peer = await t.sio.connect(transport)
    await peer.emit("message", "hello")
    packet = await peer.next()
    t.equal(packet.data, ["message-back", "hello"], "the greeting")
'''
RULES = """
[[rule]]
id = "ACME-1"
statement = "A greeting is answered by the same greeting."
level = "MUST"
origin = "text"
source = "acme#greetings"
revisions = [5]
role = "server"
testable = "wire"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Install a distribution by hand: this is all that it takes for its metadata to be found."""
    (tmp_path / "acme.py").write_text(MODULE, "utf-8")
    (tmp_path / "acme.toml").write_text(RULES, "utf-8")
    metadata = tmp_path / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n", "utf-8")
    group = "[sioproto_conformance.cases]\nacme = acme\n"
    (metadata / "entry_points.txt").write_text(group, "utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sioproto_conformance", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_cases_of_ones_own_are_cases_like_any_other(folder: Path) -> None:
    listed = run(folder, "list", "ACME-1")
    assert listed.stdout.splitlines() == [
        "acme1.echo.greeting.comes-back[polling]  ACME-1 needs:app",
        "acme1.echo.greeting.comes-back[websocket]  ACME-1 needs:app",
    ]
    explained = run(folder, "explain", "acme1.echo.greeting.comes-back[polling]")
    assert "A greeting is answered by the same greeting." in explained.stdout
    done = run(folder, "run", "--plain", "acme1", "--summary", "s.md")
    assert done.returncode == 0, done.stdout + done.stderr
    report = read_report(folder / "sio-conformance.jsonl")
    assert [line.verdict.value for line in report.cases] == ["pass", "pass"]
    assert report.rules["ACME-1"].level == "MUST"
    assert "ACME1 MUST 1/1" in (folder / "s.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("acme.py", "ACME-1", "ACME-2", "covers ACME-2, which is no rule"),
        ("acme.py", "acme1.echo.greeting", "Acme", "is no id for a case"),
        ("acme.py", "import Path", "import Nonsense", "the cases of acme (acme): ImportError"),
        ("acme.toml", "ACME-1", "SIO-EVT-01", "the rule id SIO-EVT-01 is used twice"),
        ("acme.toml", '"MUST"', '"MAYBE"', "acme.toml: Invalid enum value 'MAYBE'"),
    ],
)
def test_an_extension_that_is_not_in_order_is_named(
    folder: Path, file: str, old: str, new: str, message: str
) -> None:
    path = folder / file
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    done = run(folder, "run", "--plain", "acme1")
    assert done.returncode == 4, done.stdout + done.stderr
    assert message in done.stdout + done.stderr


def test_the_public_names_are_there_and_in_order() -> None:
    names = extension.__all__
    assert [name for name in names if not hasattr(extension, name)] == []
    assert names == sorted(
        names, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )


def test_the_example_of_the_docstring_is_in_order(folder: Path) -> None:
    """Whoever copies it has a case, and a rule, as they are listed."""
    assert extension.__doc__ is not None
    _, module, rules = re.split(r"\n(?=    from pathlib|    \[\[rule)", extension.__doc__)
    for name, text in (("acme.py", module), ("rules.toml", rules)):
        lines = itertools.takewhile(lambda line: line[:1] in ("", " "), text.splitlines())
        (folder / name).write_text(textwrap.dedent("\n".join(lines)), "utf-8")
    assert run(folder, "list", "ACME-1").stdout.splitlines() == [
        "acme1.greeting.first-event.sent[polling]  ACME-1",
        "acme1.greeting.first-event.sent[websocket]  ACME-1",
    ]
