"""``sio-conformance fuzz`` against a server that stands it, and one that does not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings

from sioproto_conformance._cli import main
from sioproto_conformance._fuzz import Attack, Step, attacks, is_loopback

# Whoever sends a noop, or the end of an upgrade that was none, ends the sessions of all.
FRAGILE = """
from sioproto.engineio import EngineServer
from sioproto_conformance import _fixture

receive = EngineServer.ws_text

def ws_text(self, ws, text, *, now):
    receive(self, ws, text, now=now)
    if text.startswith(("5", "6")):
        for sid in list(self._sessions):
            self.close(sid, now=now, discard=True)

EngineServer.ws_text = ws_text
"""
SERVE = """
from sioproto_conformance import _fixture
_fixture.serve(_fixture.Settings(ping_interval=20.0, ping_timeout=20.0, connect_timeout=20.0,
    max_payload=1_000_000, transports=("polling", "websocket"), recovery=False, msgpack=False,
    cors=None, cookie=False, deflate=False, eio3=False, jsonp=False), port=0, broken=None)
"""


@contextmanager
def serving(before: str = "") -> Iterator[str]:
    """A server in a process of its own."""
    command = [sys.executable, "-c", before + SERVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def fuzz(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["fuzz", *arguments])


def test_what_harms_others_is_found_and_made_small() -> None:
    with serving(FRAGILE) as url:
        result = fuzz(url, "--attacks", "400", "--seconds", "60")
    assert result.exit_code == 1, result.output
    assert "another session was harmed" in result.output
    assert "What passed:" in result.output
    skeleton = result.output.partition("As a case:")[2]
    compile(skeleton, "<case>", "exec")
    sent = [line for line in skeleton.splitlines() if "bad.send" in line]
    assert len(sent) == 1, "one packet is enough"
    assert "('5" in sent[0] or "('6" in sent[0]


def test_a_server_that_stands_it() -> None:
    with serving() as url:
        result = fuzz(url, "--attacks", "30", "--seconds", "20", "--seed", "1")
    assert result.exit_code == 0, result.output
    assert "nothing was found" in result.output
    assert ", seed 1" in result.output


def test_only_this_machine_unless_told_otherwise() -> None:
    result = fuzz("http://192.0.2.1:80")
    assert result.exit_code == 2
    assert "--i-own-this-server" in result.output


def test_nobody_there() -> None:
    result = fuzz("http://127.0.0.1:9")
    assert result.exit_code == 3
    assert fuzz("ftp://x").exit_code == 2


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_what_is_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@settings(max_examples=100)
@given(attacks())
def test_attacks_can_be_written_down(attack: Attack) -> None:
    compile(attack.skeleton("trouble"), "<case>", "exec")
    if attack.transport == "websocket":
        assert all(step.kind == "send" for step in attack.steps)


def test_every_step_is_written_down() -> None:
    kinds = ("send", "post", "probe", "beside", "switch", "drop")
    attack = Attack("polling", True, tuple(Step(kind, "x") for kind in kinds))
    skeleton = attack.skeleton("trouble")
    assert all(Step(kind, "x").code().splitlines()[0] in skeleton for kind in kinds)
    assert "bad.send('40')" in skeleton
