"""The command line against servers of other projects: the official one, and python-socketio."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.cli.support import PATIENCE, run
from tests.interop.conftest import RunningServer, Serve
from tests.project import ROOT


def report(url: str) -> dict[str, Any]:
    result = run("probe", url, "--json")
    found: dict[str, Any] = json.loads(result.stdout)
    assert result.returncode == (1 if found["wrong"] else 0), result.stderr
    return found


@pytest.fixture(scope="module")
def python_socketio(start: Serve) -> RunningServer:
    return start(sys.executable, str(ROOT / "conformance/targets/python-socketio/server.py"))


def test_the_official_server_is_probed(reference: RunningServer) -> None:
    found = report(reference.url)
    assert found["revisions"] == {"3": True, "4": True}
    assert found["transports"] == {"polling": True, "websocket": True}
    assert (found["upgrade"], found["parser"], found["admitted"]) == (True, "text", True)
    assert found["handshake"]["max_payload"] == 1_000_000
    assert found["wrong"] == []


def test_the_heartbeat_of_the_official_server_is_noticed(serve_reference: Serve) -> None:
    server = serve_reference(port=0, ping_interval=0.3)
    try:
        assert report(server.url)["ping"] is True
    finally:
        server.stop()


def test_python_socketio_is_probed(python_socketio: RunningServer) -> None:
    found = report(python_socketio.url)
    assert found["revisions"] == {"3": False, "4": True}
    assert "unsupported version" in found["refusals"]["3"]
    assert found["transports"] == {"polling": True, "websocket": True}
    assert (found["upgrade"], found["parser"], found["admitted"]) == (True, "text", True)
    assert found["ping"] is True
    # The application for the suite lets everybody in with cookies, which is told.
    (wrong,) = found["wrong"]
    assert wrong.startswith("Any page of any site may connect with the cookies")


@pytest.mark.parametrize(
    "transport", [(), ("--transport", "polling"), ("--transport", "websocket")]
)
def test_a_conversation_with_the_official_server(
    reference: RunningServer, transport: tuple[str, ...]
) -> None:
    result = run(
        "connect",
        f"{reference.url}/?user=ann",
        *transport,
        "--count",
        "2",
        input='echo {"a": [1]} 0x0102\necho-ack? "x" 0xff\n',
    )
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stdout.splitlines() if "acknowledgement" not in line]
    assert lines[0].startswith('< welcome "')
    assert lines[0].endswith(' "ann"')
    assert lines[1] == '< echo {"a": [1]} 0x0102'
    (acknowledgement,) = (line for line in result.stdout.splitlines() if line not in lines)
    assert acknowledgement.endswith('): "x" 0xff')


def test_the_official_server_asks_and_is_answered(reference: RunningServer) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sioproto", "connect", reference.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("ask-me? 7\n")
        process.stdin.flush()
        while not (line := process.stdout.readline()).startswith("< question"):
            assert line
        assert line == "< question 7   (asks for an acknowledgement: /ack 1)\n"
        out, err = process.communicate("/ack 1 8\n", timeout=PATIENCE)
    assert process.returncode == 0, err
    assert out.endswith("): 8\n")


def test_the_official_server_refuses(reference: RunningServer) -> None:
    result = run("connect", reference.url, "--auth", '{"token": "wrong"}', input="echo 1\n")
    assert result.returncode == 4
    assert result.stderr.endswith('the server refused: wrong token {"retry": false}\n')


def test_a_conversation_with_python_socketio(python_socketio: RunningServer) -> None:
    result = run("connect", python_socketio.url, input='message-with-ack? "x" 0x01 {"b": 2}\n')
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith('): "x" 0x01 {"b": 2}\n')
