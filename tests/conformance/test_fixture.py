"""The built-in target and its settings."""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from base64 import b64decode, b64encode
from typing import Any

import msgpack
import pytest
from click.testing import CliRunner

from sioproto_conformance._cli import main
from sioproto_conformance._target import Launch, Manifest, running
from tests.project import ROOT

OPTIONS = ("--max-payload", "100", "--ping-interval", "7", "--transports", "polling", "--recovery")


def fetch(url: str, body: bytes | None = None) -> str:
    with urllib.request.urlopen(url, data=body, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def test_settings_reach_both_applications() -> None:
    command = (sys.executable, "-m", "sioproto_conformance", "fixture", *OPTIONS)
    with running(Manifest(name="settings", launch=Launch(command))) as target:
        assert target.slow_url is not None
        opened: dict[str, Any] = {}
        for url, interval in ((target.url, 7000), (target.slow_url, 25000)):
            for path in ("engine.io", "socket.io"):
                base = f"{url}/{path}/?EIO=4&transport=polling"
                opened = json.loads(fetch(base)[1:])
                assert opened["pingInterval"] == interval
                assert opened["maxPayload"] == 100
                assert opened["upgrades"] == []
        session = f"{target.slow_url}/socket.io/?EIO=4&transport=polling&sid={opened['sid']}"
        assert fetch(session, b"40") == "ok"
        reply, event = fetch(session).split("\x1e")
        assert set(json.loads(reply[2:])) == {"sid", "pid"}
        assert json.loads(event[2:])[:2] == ["auth", {}]
        with pytest.raises(urllib.error.HTTPError, match="413"):
            fetch(session, b"4" * 101)


def test_messagepack() -> None:
    """Packets of Socket.IO are binary then; those of Engine.IO are what they were."""
    command = (sys.executable, "-m", "sioproto_conformance", "fixture", "--msgpack")
    with running(Manifest(name="msgpack", launch=Launch(command))) as target:
        base = f"{target.slow_url}/socket.io/?EIO=4&transport=polling"
        session = f"{base}&sid={json.loads(fetch(base)[1:])['sid']}"
        connect = msgpack.packb({"type": 0, "nsp": "/"})
        assert fetch(session, b"b" + b64encode(connect)) == "ok"
        packets = [msgpack.unpackb(b64decode(part[1:])) for part in fetch(session).split("\x1e")]
        assert [packet["type"] for packet in packets] == [0, 2]
        assert packets[1]["data"] == ["auth", {}]


def test_older_revision_is_served_if_asked_for() -> None:
    command = (sys.executable, "-m", "sioproto_conformance", "fixture", "--eio3", "--jsonp")
    with running(Manifest(name="older", launch=Launch(command))) as target:
        for path in ("engine.io", "socket.io"):
            base = f"{target.slow_url}/{path}/?EIO=3&transport=polling"
            length, _, packet = fetch(base).partition(":")
            assert int(length) == len(packet)
            script = fetch(f"{base}&j=5")
            assert script.startswith("___eio[5](")
            payload = json.loads(script.removeprefix("___eio[5](").removesuffix(");"))
            session = f"{base}&sid={json.loads(payload.partition(':')[2][1:])['sid']}"
            if path == "socket.io":
                assert fetch(session) == '___eio[5]("2:4013:42[\\"auth\\",{}]");'
            else:
                assert fetch(session, b"d=6%3A4hello") == "ok"
                assert fetch(session) == '___eio[5]("6:4hello");'


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        (("--ping-interval", "0"), "ping_interval"),
        (("--connect-timeout", "-1"), "connect_timeout"),
        (("--max-payload", "0"), "max_payload"),
        (("--transports", "telepathy"), "transports"),
        (("--cors", "somewhere"), "origin"),
        (("--broken", "nothing"), "nothing"),
    ],
)
def test_nonsense_is_refused_by_name(option: tuple[str, str], complaint: str) -> None:
    result = CliRunner().invoke(main, ["fixture", *option])
    assert result.exit_code == 2
    assert complaint in result.output


def test_settings_of_http_reach_both_applications() -> None:
    options = ("--cors", "https://a.example", "--cookie", "--deflate")
    command = (sys.executable, "-m", "sioproto_conformance", "fixture", *options)
    with running(Manifest(name="settings", launch=Launch(command))) as target:
        for path in ("engine.io", "socket.io"):
            base = f"{target.url}/{path}/?EIO=4&transport="
            with urllib.request.urlopen(f"{base}polling", timeout=10) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
                assert answer.headers["Set-Cookie"].startswith("io=")
            host, port = target.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(
                    f"GET /{path}/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n".encode()
                )
                received = connection.recv(4096).lower()
                assert b"\r\nsec-websocket-extensions: permessage-deflate\r\n" in received


# Others copy them: each file is a page.
APPLICATIONS = (
    "sioproto_conformance/_orders.py",
    "sioproto_conformance/_tier2.py",
    "targets/node/*.cjs",
    "targets/node-tier1.cjs",
    "targets/node-v2/*.cjs",
    "targets/node-v3/*.cjs",
    "targets/embedding.py",
    "targets/python-socketio/*.py",
    "targets/python-socketio-aiohttp/*.py",
)


@pytest.mark.parametrize("pattern", APPLICATIONS)
def test_applications_of_the_contract_are_below_a_hundred_lines(pattern: str) -> None:
    found = list((ROOT / "conformance").glob(pattern))
    assert found
    for path in found:
        assert len(path.read_text("utf-8").splitlines()) < 100, path.name
