"""``sioproto serve``, and the commands against it, each in a process of its own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

import sioproto
from tests.cli.support import PATIENCE, invoke, run


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "sioproto", "serve", "--port", "0", "--eio3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+) \(Ctrl-C ends it\)\n", line)
        assert match is not None, line
        try:
            yield match[1]
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
        assert process.stderr.read() == ""


def test_echo_chat_and_acknowledgements(server: str) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sioproto",
            "connect",
            f"{server}/room",
            "--wait",
            "30",
            "--count",
            "1",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stderr is not None
        while not other.stderr.readline().startswith("connected"):
            pass
        result = run(
            "connect", f"{server}/room", "--count", "1", input='chat "hi"\nsum? 1 0x02\necho 3\n'
        )
        assert result.returncode == 0, result.stderr
        shown = sorted(result.stdout.splitlines())
        assert shown[0].startswith("< acknowledgement of sum (")
        assert shown[0].endswith("): 1 0x02")
        assert shown[1:] == ["< echo 3"]
        out, _ = other.communicate("", timeout=PATIENCE)
        assert (other.returncode, out) == (0, '< chat "hi"\n')


def test_it_looks_right_to_a_probe(server: str) -> None:
    result = run("probe", server)
    assert result.returncode == 0, result.stdout
    assert "revision 4 and 3" in result.stdout
    assert "any page may read the answers" in result.stdout


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run("serve", "--port", port)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert result.stderr.count("\n") == 1


def test_the_program_tells_its_version_and_its_commands() -> None:
    assert run("--version").stdout == f"sioproto, version {sioproto.__version__}\n"
    help = run("--help")
    assert help.returncode == 0
    for name in ("connect", "decode", "probe", "serve"):
        assert f"  {name} " in help.stdout
        assert "Exit status:" in invoke(name, "--help").stdout
    assert run("nonsense").returncode == 2
