"""Starting the server under test, and ending it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct

from sioproto_conformance._target import (
    Launch,
    LaunchError,
    Manifest,
    ManifestError,
    Stop,
    read_manifest,
    running,
)

FEATURES = frozenset({"echo", "websocket"})
READY = 'import sys, time; print(\'{"url": "http://127.0.0.1:1"}\', flush=True); '


def _python(code: str, *, ready_timeout: float = 10.0) -> Manifest:
    return Manifest(name="t", launch=Launch(("{python}", "-c", code), ready_timeout))


def test_a_manifest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sut.toml"
    path.write_text(
        'name = "n"\nversion = "1"\nissues = "https://example.org"\n'
        '[launch]\ncommand = ["node", "x.js"]\nready-timeout = 3.5\n'
        '[paths]\nsocket = "/ws/"\n[features]\necho = false\n',
        "utf-8",
    )
    manifest = read_manifest(path, known_features=FEATURES)
    assert manifest.launch == Launch(("node", "x.js"), 3.5)
    assert (manifest.paths.engine, manifest.paths.socket) == ("/engine.io/", "/ws/")
    assert manifest.features == {"echo": False}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('version = "1"\nurl = "http://h:1"\n', "name"),
        ('name = "n"\n', r"either a url or a \[launch\]"),
        ('name = "n"\nurl = "http://h:1"\n[launch]\ncommand = ["x"]\n', "either a url"),
        ('name = "n"\n[launch]\ncommand = []\n', "command is empty"),
        ('name = "n"\nurl = "http://h:1"\ncolour = 1\n', "colour"),
        ('name = "n"\nurl = "ftp://h:1"\n', "not a URL like"),
        ('name = "n"\nurl = "http://h:1/path"\n', "of the table .paths. in a manifest"),
        (
            'name = "n"\nurl = "http://h:1"\n[features]\nluck = true\n',
            "feature 'luck'.* are echo, websocket",
        ),
        ('name = "n"\nurl = "http://h:1"\n[stop]\nsignal = "SIGLUCK"\n', "signal 'SIGLUCK'"),
        ('name = "n', "sut.toml"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "sut.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ManifestError, match=message):
        read_manifest(path, known_features=FEATURES)


def test_a_target_runs_while_it_is_needed(tmp_path: Path) -> None:
    code = READY + "print(open('here').read(), file=sys.stderr, flush=True); time.sleep(60)"
    (tmp_path / "here").write_text("in its folder", "utf-8")
    with running(_python(code), folder=tmp_path) as target:
        assert target.url == "http://127.0.0.1:1"
        assert target.slow_url is None
        assert target.exit_code() is None
        process = target.process
        assert process is not None
        deadline = time.monotonic() + 10
        while "in its folder" not in target.complaints():
            assert time.monotonic() < deadline
    assert process.returncode == -signal.SIGTERM


@pytest.mark.skipif(os.name != "posix", reason="signals are a POSIX matter")
def test_a_target_is_ended_by_the_signal_of_its_manifest(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        # Not by print, in the middle of which it may be called.
        "signal.signal(signal.SIGINT, lambda *args: (os.write(1, b'[1, 2]\\n'), sys.exit(7))); "
    )
    manifest = replace_struct(_python(code + READY + "time.sleep(60)"), stop=Stop(signal="SIGINT"))
    with running(manifest, folder=tmp_path) as target:
        assert target.stop() == 7
        assert list(target.said) == ["[1, 2]"]
        assert target.stop() == 7


def test_a_target_is_ended_by_the_command_of_its_manifest(tmp_path: Path) -> None:
    code = READY + "import os; [time.sleep(0.01) for _ in iter(lambda: os.path.exists('end'), 1)]"
    command = ("sh", "-c", "echo {pid} > end")
    manifest = replace_struct(_python(code), stop=Stop(command=command))
    with running(manifest, folder=tmp_path) as target:
        assert target.process is not None
        assert target.stop() == 0
        assert (tmp_path / "end").read_text("utf-8") == f"{target.process.pid}\n"


def test_whatever_a_target_prints_does_not_block_it(tmp_path: Path) -> None:
    code = READY + "print('x' * 1_000_000, flush=True); print('done', file=sys.stderr)"
    with running(_python(code), folder=tmp_path) as target:
        assert target.process is not None
        assert target.process.wait(10) == 0


@pytest.mark.skipif(os.name != "posix", reason="process groups are a POSIX matter")
def test_what_a_target_has_started_ends_with_it(tmp_path: Path) -> None:
    child = "import time; time.sleep(60)"
    code = (
        "import subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}]); "
        "print(child.pid, file=sys.stderr, flush=True); " + READY + "time.sleep(60)"
    )
    with running(_python(code), folder=tmp_path) as target:
        pid = int(target.complaints())
        os.kill(pid, 0)
    # Nobody but the init process of this machine can reap the orphan, in its own time.
    deadline = time.monotonic() + 10
    while _runs(pid):
        assert time.monotonic() < deadline


def _runs(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('no luck')", r"ended with 1 at once\nno luck"),
        ("print('hello')", r'ended with 0 at once; it has to print {"url": .* printed:\nhello'),
        ('print(\'{"url": "nowhere"}\')', "not a URL like"),
        ("print('{\"port\": 3000}')", "instead of its URL"),
    ],
)
def test_a_target_that_does_not_get_ready_is_reported(
    tmp_path: Path, code: str, message: str
) -> None:
    with pytest.raises(LaunchError, match=message), running(_python(code), folder=tmp_path):
        pytest.fail("not ready")


def test_a_greeting_before_the_line_that_counts_is_passed_over(tmp_path: Path) -> None:
    with running(_python("print('Server 1.0'); print(); " + READY), folder=tmp_path) as target:
        assert target.url == "http://127.0.0.1:1"


def test_a_target_that_talks_of_other_things_is_told_what_is_missing(tmp_path: Path) -> None:
    code = "import time; print('listening on 3000', flush=True); time.sleep(60)"
    message = r"within 0\.5 s; it has to print .*, and printed:\nlistening on 3000"
    target = _python(code, ready_timeout=0.5)
    with pytest.raises(LaunchError, match=message), running(target, folder=tmp_path):
        pytest.fail("not ready")


def test_a_target_that_stays_silent_is_ended(tmp_path: Path) -> None:
    silent = _python("import time; time.sleep(60)", ready_timeout=0.2)
    with pytest.raises(LaunchError, match=r"within 0\.2 s"), running(silent, folder=tmp_path):
        pytest.fail("not ready")


def test_a_command_that_is_not_there_is_reported(tmp_path: Path) -> None:
    manifest = Manifest(name="t", launch=Launch(("no-such-command",)))
    with pytest.raises(LaunchError, match="cannot be started"), running(manifest, folder=tmp_path):
        pytest.fail("not ready")


def test_a_url_is_taken_as_it_is() -> None:
    with running(Manifest(name="t", url="http://h:1", slow_url="http://h:2")) as target:
        assert (target.url, target.slow_url, target.exit_code()) == (
            "http://h:1",
            "http://h:2",
            None,
        )
