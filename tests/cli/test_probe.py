"""``sioproto probe``: what it says of good servers, odd ones, and none."""

from __future__ import annotations

import json
import ssl
import threading
import tomllib
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import trio
import trustme

import sioproto
from sioproto.engineio import CookieConfig, CorsConfig, ServerConfig
from sioproto.socketio import MsgpackParser
from sioproto.trio import EngineServer, Server, Session, Socket
from sioproto_conformance._registry import NEEDS
from sioproto_conformance._target import read_manifest
from tests.cli.support import application, closed_port, http, in_a_thread, invoke, raw, silent


def engine(**options: Any) -> ServerConfig:
    return ServerConfig(path="/socket.io/", **options)


def report(*arguments: str, code: int = 0) -> dict[str, Any]:
    result = invoke("probe", *arguments, "--json")
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def open_packet(**changes: Any) -> str:
    fields = {
        "sid": "a-session-id",
        "upgrades": [],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1000000,
        **changes,
    }
    return "0" + json.dumps(fields)


# Our server


def test_a_good_server() -> None:
    with in_a_thread(application(Server())) as url:
        result = invoke("probe", url)
        assert result.exit_code == 0, result.output
        lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
        assert lines[0] == f"{url} (Engine.IO at /socket.io/)"
        assert lines[1].startswith("Engine.IO revision 4; not 3 (Unsupported protocol version")
        assert "transports polling, websocket" in lines
        assert "upgrade works" in lines
        assert "maxPayload 1,000,000 bytes" in lines
        assert "Socket.IO yes; / lets one in" in lines
        assert "CORS no page of another origin may read the answers" in lines
        assert "cookies none" in lines
        assert lines[-1] == "all in all nothing looks wrong"
        assert not any(line != line.rstrip() for line in result.stdout.splitlines())


def test_what_a_program_gets() -> None:
    io = Server(
        engine=engine(
            allow_eio3=True,
            ping_interval=0.1,
            ping_timeout=7.0,
            max_payload=5_000,
            cookie=CookieConfig(),
            cors=CorsConfig(origin="https://example.org"),
        )
    )
    with in_a_thread(application(io)) as url:
        found = report(url)
    assert found["trouble"] is None
    assert found["revisions"] == {"3": True, "4": True}
    assert found["transports"] == {"polling": True, "websocket": True}
    assert found["upgrade"] is True
    assert found["ping"] is True
    assert found["handshake"] == {
        "upgrades": ["websocket"],
        "ping_interval": 0.1,
        "ping_timeout": 7.0,
        "max_payload": 5_000,
    }
    assert (found["socketio"], found["parser"], found["admitted"]) == (True, "text", True)
    assert found["cors"]["allow-origin"] == "https://example.org"
    # What a cookie holds is a secret.
    assert found["cookies"] == ["io; Path=/; HttpOnly; SameSite=Lax"]
    assert found["wrong"] == []


def test_nothing_is_left_behind() -> None:
    opened: list[str] = []
    ended = threading.Semaphore(0)

    async def handle(session: Session) -> None:
        opened.append(session.sid)
        async for _ in session:
            pass
        ended.release()

    with in_a_thread(application(EngineServer(handle, config=engine()))) as url:
        report(url, "--timeout", "1", code=1)
        assert 3 <= len(opened) <= 6
        for _ in opened:  # long before the heartbeat would end them
            assert ended.acquire(timeout=10)


def test_a_namespace_that_refuses_and_one_that_wants_to_know_who_comes() -> None:
    io = Server()

    @io.of("/private").use
    def check(socket: Socket) -> None:
        if socket.handshake.auth != {"token": "t"}:
            raise sioproto.ConnectionRefused("who are you?")

    with in_a_thread(application(io)) as url:
        found = report(f"{url}/private")
        assert (found["admitted"], found["refusal"]) == (False, "who are you?")
        assert "refuses: who are you?" in invoke("probe", f"{url}/private").output
        found = report(f"{url}/private", "--auth", '{"token": "t"}')
        assert (found["admitted"], found["refusal"]) == (True, None)
        assert report(f"{url}/nowhere")["refusal"] == "Invalid namespace"


def test_a_server_that_has_only_polling() -> None:
    io = Server(engine=engine(transports=("polling",)))
    with in_a_thread(application(io)) as url:
        found = report(url)
    assert found["transports"] == {"polling": True, "websocket": False}
    assert found["upgrade"] is False
    assert found["wrong"] == []  # it does not offer what it does not have


def test_a_server_that_has_only_websocket() -> None:
    io = Server(engine=engine(transports=("websocket",)))
    with in_a_thread(application(io)) as url:
        found = report(url)
    assert found["transports"] == {"polling": False, "websocket": True}
    assert (found["socketio"], found["upgrade"], found["wrong"]) == (True, None, [])


def test_messagepack_is_recognized() -> None:
    with in_a_thread(application(Server(parser=MsgpackParser()))) as url:
        found = report(url)
    assert (found["parser"], found["admitted"], found["upgrade"]) == ("msgpack", True, True)


@pytest.mark.parametrize("echo", [False, True])
def test_engine_io_without_socket_io(echo: bool) -> None:
    async def handle(session: Session) -> None:
        async for message in session:
            if echo:  # even a CONNECT packet, which is no answer to it
                session.send(message)

    with in_a_thread(application(EngineServer(handle, config=engine()))) as url:
        found = report(url, "--timeout", "1", code=1)
    assert found["socketio"] is False
    assert found["upgrade"] is True
    assert found["wrong"] == ["Engine.IO is there, but no Socket.IO on top of it answers."]


def test_a_manifest_is_one_for_the_suite(tmp_path: Path) -> None:
    io = Server(engine=engine(ping_interval=0.1, ping_timeout=0.2, transports=("polling",)))
    with in_a_thread(application(io)) as url:
        result = invoke("probe", url, "--manifest")
    assert result.exit_code == 0
    path = tmp_path / "sut.toml"
    path.write_text(result.stdout, encoding="utf-8")
    known = frozenset(tomllib.loads(result.stdout)["features"]) & frozenset(NEEDS)
    manifest = read_manifest(path, known_features=known)
    assert (manifest.url, manifest.paths.socket) == (url, "/socket.io/")
    assert manifest.features == {
        "echo": False,
        "fast-heartbeat": True,
        "polling": True,
        "upgrade": False,
        "websocket": False,
    }


def test_a_server_of_older_clients_alone() -> None:
    hello = open_packet(upgrades=["websocket"])

    def answer(line: str) -> tuple[str, str]:
        if "EIO=4" in line:
            return "400 Bad Request", '{"code":5,"message":"Unsupported protocol version"}'
        if "transport=websocket" in line:
            return "400 Bad Request", ""
        if line.startswith("POST"):
            return "200 OK", "ok"
        if "sid=" in line:
            return "200 OK", "1:6"
        return "200 OK", f"{len(hello)}:{hello}2:40"

    with in_a_thread(http(answer)) as url:
        found = report(url, code=1)
    assert found["revisions"] == {"3": True, "4": False}
    assert found["refusals"] == {"4": "Unsupported protocol version"}
    assert (found["socketio"], found["admitted"]) == (True, True)
    (wrong,) = found["wrong"]
    assert "does not pass WebSockets on" in wrong


def test_tls() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with in_a_thread(application(Server(), ssl_context=context)) as url:
        url = url.replace("http:", "https:")
        assert "the certificate is not accepted" in fails(url)
        found = report(url, "--insecure")
        assert (found["upgrade"], found["admitted"], found["wrong"]) == (True, True, [])
        assert 'url = "https:' in invoke("probe", url, "--insecure", "--manifest").stdout
        result = invoke("connect", url, input="hello\n")
        assert result.exit_code == 3
        assert "the certificate is not accepted" in result.stderr
        result = invoke("connect", url, "--insecure", input="hello\n")
        assert result.exit_code == 0, result.output


# Servers that look wrong


def test_cors_for_everybody_with_cookies_looks_wrong() -> None:
    io = Server(engine=engine(cors=CorsConfig(origin=lambda origin: True, credentials=True)))
    with in_a_thread(application(io)) as url:
        (wrong,) = report(url, code=1)["wrong"]
        assert wrong.startswith("Any page of any site may connect with the cookies")
        assert "looks wrong" in invoke("probe", url).output


def test_a_session_that_is_unknown_on_the_next_connection_looks_wrong() -> None:
    def answer(line: str) -> tuple[str, str]:
        if "sid=" in line or "EIO=3" in line:
            return "400 Bad Request", '{"code":1,"message":"Session ID unknown"}'
        return "200 OK", open_packet()

    with in_a_thread(http(answer)) as url:
        found = report(url, code=1)
    assert "Sticky sessions are needed" in found["wrong"][0]


def test_a_proxy_that_passes_no_websocket_on_looks_wrong() -> None:
    def answer(line: str) -> tuple[str, str]:
        if "transport=websocket" in line or "EIO=3" in line:
            return "400 Bad Request", "no"
        if line.startswith("POST"):
            return "200 OK", "ok"
        if "sid=a-session-id" in line:
            return "200 OK", '40{"sid":"x"}'
        if "sid=" in line:
            return "200 OK", "6"
        return "200 OK", open_packet(upgrades=["websocket"])

    with in_a_thread(http(answer)) as url:
        found = report(url, code=1)
    assert found["socketio"] is True
    upgrade, unknown = found["wrong"]
    assert "does not pass WebSockets on" in upgrade
    assert "HTTP status 200 instead of 400" in unknown


@pytest.mark.parametrize(
    ("headers", "wrong"),
    [
        ("set-cookie: io=secret; SameSite=None", "SameSite=None without Secure"),
        (
            "access-control-allow-origin: *\r\naccess-control-allow-credentials: true",
            "which browsers refuse together",
        ),
        ("access-control-allow-origin: https://a.org, https://b.org", "several origins"),
    ],
)
def test_headers_that_look_wrong(headers: str, wrong: str) -> None:
    def answer(line: str) -> tuple[str, str]:
        if "EIO=3" in line or "transport=websocket" in line:
            return "400 Bad Request", ""
        if line.startswith("POST"):
            return "200 OK", "ok"
        if "sid=a-session-id" in line:
            return "200 OK", '40{"sid":"x"}'
        if "sid=" in line:
            return "400 Bad Request", ""
        return f"200 OK\r\n{headers}", open_packet()

    with in_a_thread(http(answer)) as url:
        (text,) = report(url, code=1)["wrong"]
    assert wrong in text
    assert "secret" not in text


# No server


def fails(url: str, *arguments: str) -> str:
    result = invoke("probe", url, *arguments)
    assert (result.exit_code, result.stdout) == (3, ""), result.output
    assert result.stderr.count("\n") == 1
    assert invoke("probe", url, "--json", *arguments).exit_code == 3
    return result.stderr


def test_a_closed_port() -> None:
    port = closed_port()
    assert fails(f"http://127.0.0.1:{port}").endswith(
        f": no connection to 127.0.0.1:{port}: Connection refused\n"
    )


def test_a_server_that_says_nothing_costs_one_timeout() -> None:
    with in_a_thread(raw(silent)) as url:
        began = monotonic()
        result = invoke("probe", url, "--timeout", "0.3")
        assert monotonic() - began < 3
    assert result.exit_code == 3
    assert "answers nothing within 0.3 s" in result.stderr


@pytest.mark.parametrize(
    ("head", "body", "words"),
    [
        ("200 OK", "<html>hello</html>", "not from an Engine.IO server"),
        (
            "404 Not Found",
            "<html>no</html>",
            "at /socket.io/ (HTTP status 404): --path names",
        ),
        ("301 Moved\r\nlocation: https://example.org/socket.io/?EIO=4", "", "redirects to https:"),
        ("403 Forbidden", '{"code":4,"message":"not you"}', "refused: not you"),
        ("503 Unavailable", "<html>later</html>", "HTTP status 503"),
        ("200 OK", '0{"sid":""}', "the open packet has no usable sid"),
        ("200 OK", "0{nonsense", "the open packet is no JSON object"),
    ],
)
def test_a_web_server_that_is_none_of_ours(head: str, body: str, words: str) -> None:
    with in_a_thread(http(lambda line: (head, body))) as url:
        assert words in fails(url)


def test_a_server_of_another_protocol() -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await stream.send_all(b"SSH-2.0-x\r\n")
        await silent(stream)

    with in_a_thread(raw(handle)) as url:
        words = fails(url, "--timeout", "0.3")
        assert "does not answer in HTTP: it says 'SSH-2.0-x" in words
        assert "does not speak TLS" in fails(url.replace("http:", "https:"))


def test_a_server_that_hangs_up() -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()

    with in_a_thread(raw(handle)) as url:
        authority = url.partition("//")[2]
        assert fails(url) == f"{url}: {authority} hung up without an answer\n"


def test_an_answer_that_never_ends_is_not_kept() -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 65_536)

    with in_a_thread(raw(handle)) as url:
        assert "not from an Engine.IO server" in fails(url)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("ftp://127.0.0.1",),
        ("http://user:password@127.0.0.1",),
        ("http://127.0.0.1:99999",),
        ("http://[bad",),
        ("http://127.0.0.1:1", "--path", "socket.io"),
        ("http://127.0.0.1:1", "--auth", "[1]"),
        ("http://127.0.0.1:1", "--auth", "nonsense"),
        ("http://127.0.0.1:1", "--header", "nonsense"),
        ("http://127.0.0.1:1", "--header", "a: b\r\nc: d"),
        ("http://127.0.0.1:1", "--json", "--manifest"),
        ("http://127.0.0.1:1", "--timeout", "0"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    result = invoke("probe", *arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_the_exit_statuses_are_those_of_the_help() -> None:
    help = invoke("probe", "--help").stdout
    for words in ("0  a server that", "1  something looks", "2  wrong usage", "3  there is no"):
        assert words in help
