"""``sioproto connect``: conversations in a pipe, what is typed, and exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
import trio

import sioproto
from sioproto._cli._connect import _name
from sioproto._cli._typed import Command, Emission, TypingError, parse_typed, typed_pairs
from sioproto.engineio import ServerConfig
from sioproto.trio import EngineServer, Server, Session, Socket
from tests.cli.support import application, closed_port, http, in_a_thread, invoke, raw, silent

# What is typed


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("hello", Emission("hello", (), False)),
        (
            '  hello {"a": 1} "x" 2.5 null [true]',
            Emission("hello", ({"a": 1}, "x", 2.5, None, [True]), False),
        ),
        ("hello 0x 0x00fF", Emission("hello", (b"", b"\x00\xff"), False)),
        ("sum? 1 2", Emission("sum", (1, 2), True)),
        ("sum?", Emission("sum", (), True)),
        ('"two words"? 1', Emission("two words", (1,), True)),
        ('"/slash"', Emission("/slash", (), False)),
        ("été 1", Emission("été", (1,), False)),
        ("1 2", Emission("1", (2,), False)),
        ("/ack 3 1 0x02", Command("ack", (3, 1, b"\x02"))),
        (" /quit ", Command("quit", ())),
        ("", None),
        ("   \t", None),
        ("# hello", None),
    ],
)
def test_a_line_is_understood(line: str, typed: object) -> None:
    assert parse_typed(line) == typed


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("hello world", 7, 'text goes in quotes, as in "world"'),
        ("hello {a: 1}", 8, "not JSON: Expecting property name"),
        ("hello 1 0x1", 9, "pairs of 0-9 and a-f"),
        ("hello NaN", 7, "NaN is not JSON"),
        ("hello -Infinity", 7, "-Infinity is not JSON"),
        ('hello "x', 7, "not JSON: Unterminated string"),
        ('hello"x"', 6, "a blank must follow the name"),
        ('"hello"1', 8, "a blank or ? must follow the name"),
        ("?", 1, "begins with its name"),
        ("disconnect", 1, "reserved"),
        ("/nonsense", 1, "the commands are /ack, /help"),
        ("/ack", 5, "followed by the number"),
        ("/ack true", 5, "followed by the number"),
        ("/quit 1", 7, "nothing follows /quit"),
        ("deep " + "[" * 100_000, 6, "too deep"),
    ],
)
def test_a_line_that_is_not_understood(line: str, column: int, words: str) -> None:
    with pytest.raises(TypingError, match=r"^column ") as caught:
        parse_typed(line)
    assert words in caught.value.message
    assert caught.value.column == column


@pytest.mark.parametrize("name", ["hello", "two words", "/slash", "a?", '"', "#x", "", "\x1b[2J"])
def test_a_name_is_shown_as_it_is_typed(name: str) -> None:
    assert "\x1b" not in _name(name)
    if name.isprintable():
        assert parse_typed(f"{_name(name)} 1") == Emission(name, (1,), False)


def test_headers_are_understood() -> None:
    assert typed_pairs(["A: b", "c:d: e"]) == [("a", "b"), ("c", "d: e")]
    for wrong in ("", "a", ": b", "a b: c", "a: b\r\nc: d", "a: \u20ac"):
        with pytest.raises(ValueError, match="header"):
            typed_pairs([wrong])


# In a pipe


class Heard:
    """What the server saw."""

    def __init__(self) -> None:
        self.handshakes: list[Any] = []
        self.events: list[tuple[Any, ...]] = []
        self.answers: list[Any] = []


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def url(heard: Heard) -> Iterator[str]:
    io = Server()

    async def connection(socket: Socket) -> None:
        heard.handshakes.append(socket.handshake)
        if "greet" in socket.handshake.query:
            socket.emit("welcome")

        @socket.on_any
        def came(name: str, *args: Any) -> None:
            heard.events.append((name, *args))

        @socket.on("echo")
        def echo(*args: Any) -> Any:
            socket.emit("echo", *args)
            return args

        @socket.on("quiz", concurrent=True)
        async def quiz() -> None:
            heard.answers.append(await socket.request("question", "2 + 2?", timeout=5))
            socket.emit("thanks")

        @socket.on("leave")
        def leave() -> None:
            socket.disconnect()

        @socket.on("mute", concurrent=True)
        async def mute() -> None:
            await trio.sleep_forever()

    io.on("connection")(connection)
    io.of("/admin").on("connection")(connection)

    @io.of("/admin").use
    def check(socket: Socket) -> None:
        if socket.handshake.auth.get("token") != "t":
            raise sioproto.ConnectionRefused("who are you?", data={"retry": False})

    with in_a_thread(application(io)) as url:
        yield url


@pytest.mark.parametrize(
    "transport", [(), ("--transport", "polling"), ("--transport", "websocket")]
)
def test_events_and_acknowledgements(url: str, heard: Heard, transport: tuple[str, ...]) -> None:
    lines = 'note {"a": 1}\n\n# a comment\necho? "x" 0x0102\nnote 2\n'
    result = invoke("connect", url, *transport, input=lines)
    assert result.exit_code == 0, result.output
    # An event and an acknowledgement that come together are shown in either order.
    acknowledgement, event = sorted(result.stdout.splitlines())
    assert event == '< echo "x" 0x0102'
    assert acknowledgement.startswith("< acknowledgement of echo (")
    assert acknowledgement.endswith('): "x" 0x0102')
    assert "connected: namespace /, id " in result.stderr
    assert heard.events == [("note", {"a": 1}), ("echo", "x", b"\1\2"), ("note", 2)]


def test_what_a_program_gets(url: str) -> None:
    result = invoke("connect", url, "--json", input="echo? 0x01")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    states = [line["state"] for line in lines if "state" in line]
    assert states[0] == "connected"
    assert {"event": "echo", "args": [{"hex": "01"}], "ack": None} in lines
    (acknowledgement,) = (line for line in lines if "ack_of" in line)
    assert acknowledgement["args"] == [{"hex": "01"}]
    assert acknowledgement["seconds"] >= 0


def test_namespace_auth_query_and_headers(url: str, heard: Heard) -> None:
    result = invoke(
        "connect",
        f"{url}/admin?color=red",
        "--auth",
        '{"token": "t"}',
        "-H",
        "X-Team: blue",
        input="note\n",
    )
    assert result.exit_code == 0, result.output
    (handshake,) = heard.handshakes
    assert handshake.query["color"] == "red"
    assert handshake.headers["x-team"] == "blue"
    assert heard.events == [("note",)]


def test_path_that_is_usual_elsewhere() -> None:
    io = Server(engine=ServerConfig(path="/engine.io/"))
    with in_a_thread(application(io)) as url:
        assert invoke("connect", url, "--path", "/engine.io/", input="").exit_code == 0
        result = invoke("connect", url, input="")
    assert result.exit_code == 3
    assert "HTTP status 404" in result.stderr


def test_an_older_server() -> None:
    seen: list[Any] = []
    io = Server(engine=ServerConfig(path="/socket.io/", allow_eio3=True))

    @io.of("/chat").on("connection")
    def connection(socket: Socket) -> None:
        seen.append((socket.handshake.query["EIO"], dict(socket.handshake.auth)))
        socket.on("echo")(lambda *args: args)

    with in_a_thread(application(io)) as url:
        auth = ("--auth", '{"token": "t"}')
        result = invoke("connect", f"{url}/chat", "--eio3", *auth, input="echo? 1 0xff")
        assert result.exit_code == 0, result.output
        assert result.stdout.rstrip().endswith("1 0xff")
        assert seen == [("3", {"token": "t"})]
        result = invoke("connect", url, "--eio3", *auth, input="")
        assert result.exit_code == 2
        assert "query of the URL" in result.stderr


def test_a_client_that_is_refused(url: str) -> None:
    result = invoke("connect", f"{url}/admin", input="note\n")
    assert result.exit_code == 4
    assert result.stderr.splitlines()[-1] == 'the server refused: who are you? {"retry": false}'


def test_wrong_lines_are_told_and_the_others_are_sent(url: str, heard: Heard) -> None:
    result = invoke("connect", url, input="note 1\nnote one\n/nonsense\n/ack 7\nnote 2\n")
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if line.startswith("line ")]
    assert told[0].startswith("line 2, column 6: ")
    assert told[1].startswith("line 3, column 1: ")
    assert told[2] == "line 4, no event number 7 waits for an acknowledgement"
    assert heard.events == [("note", 1), ("note", 2)]


def test_an_acknowledgement_that_does_not_come(url: str) -> None:
    result = invoke("connect", url, "--timeout", "1", input="mute?\necho 1\n")
    assert result.exit_code == 1
    assert "no acknowledgement of mute: none within 1 s" in result.stderr
    assert result.stdout == "< echo 1\n"


def test_events_are_counted(url: str) -> None:
    result = invoke("connect", url, "--count", "2", input="echo 1\necho 2\n")
    assert (result.exit_code, result.stdout) == (0, "< echo 1\n< echo 2\n")
    began = monotonic()
    result = invoke("connect", url, "--count", "3", "--timeout", "0.5", input="echo 1\n")
    assert monotonic() - began < 5
    assert result.exit_code == 1
    assert "1 of 3 events came in time" in result.stderr


@pytest.mark.parametrize("attempt", range(5))
def test_an_event_that_comes_at_once_is_not_lost(url: str, attempt: int) -> None:
    result = invoke("connect", f"{url}/?greet", "--count", "1", "--timeout", "5", input="")
    assert (result.exit_code, result.stdout) == (0, "< welcome\n"), result.stderr


def test_input_may_end_early(url: str) -> None:
    began = monotonic()
    result = invoke("connect", url, "--wait", "60", input="note 1\n/quit\nnote 2\n")
    assert monotonic() - began < 30
    assert result.exit_code == 0


def test_a_server_that_disconnects_its_client(url: str) -> None:
    result = invoke("connect", url, "--wait", "60", input="leave\n")
    assert result.exit_code == 1
    assert "disconnected: io server disconnect" in result.stderr


def test_the_end_of_the_connection_is_the_end_though_the_input_goes_on(url: str) -> None:
    with talking(url) as process:
        assert process.stdin is not None
        process.stdin.write("leave\n")
        process.stdin.flush()
        assert process.wait(20) == 1
        assert process.stderr is not None
        err = process.stderr.read()
    assert err.endswith("the server has disconnected this client\n")


def test_a_question_of_the_server_is_answered(url: str, heard: Heard) -> None:
    with talking(url, "--count", "2") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("quiz\n")
        process.stdin.flush()
        asked = process.stdout.readline()
        assert asked == '< question "2 + 2?"   (asks for an acknowledgement: /ack 1)\n'
        out, err = process.communicate("/ack 1 4\n", timeout=20)
    assert (process.returncode, out) == (0, "< thanks\n"), err
    assert heard.answers == [4]


def talking(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sioproto", "connect", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_connection_that_is_lost_is_made_again() -> None:
    port = closed_port()
    with in_a_thread(application(Server(), port=port)) as url:
        process = talking(url, "--wait", "60", "--transport", "websocket")
        assert process.stderr is not None
        assert "connecting to" in process.stderr.readline()
        assert process.stderr.readline().startswith("connected: ")
    with process:
        assert process.stderr.readline().startswith("disconnected: transport ")
        assert process.stderr.readline() == "connecting again: attempt 1\n"
        with in_a_thread(application(Server(), port=port)):
            meanwhile = ("failed: ", "connecting again")
            while (line := process.stderr.readline()).startswith(meanwhile):
                pass
            assert line.startswith("connected again: ")
            _, err = process.communicate("/quit\n", timeout=20)
    assert process.returncode == 0, err


def test_a_connection_that_is_lost_for_good() -> None:
    with in_a_thread(application(Server())) as url:
        process = talking(url, "--no-reconnect", "--wait", "60")
        assert process.stderr is not None
        assert "connecting to" in process.stderr.readline()
        assert process.stderr.readline().startswith("connected: ")
    with process:
        out, err = process.communicate("", timeout=20)
    assert (process.returncode, out) == (1, "")
    assert "the connection was lost" in err
    assert "Traceback" not in err


# No server


def fails(url: str, *arguments: str) -> str:
    result = invoke("connect", url, *arguments, input="hello\n")
    assert (result.exit_code, result.stdout) == (3, ""), result.output
    assert result.stderr.startswith("connecting to ")
    (line,) = result.stderr.splitlines()[1:]
    return line


def test_a_closed_port() -> None:
    port = closed_port()
    assert fails(f"127.0.0.1:{port}") == f"no connection to 127.0.0.1:{port}: Connection refused"


def test_a_server_that_says_nothing() -> None:
    with in_a_thread(raw(silent)) as url:
        assert fails(url, "--timeout", "0.3") == "the server did not answer in time"


@pytest.mark.parametrize(
    ("head", "body", "words"),
    [
        ("200 OK", "<html>hello</html>", "not from an Engine.IO server"),
        ("404 Not Found", "", "answers at /socket.io/ (HTTP status 404): --path names another"),
        ("502 Bad Gateway", "bad gateway", "the server refused: bad gateway (HTTP status 502)"),
        ("200 OK", '89:0{"sid":"x","upgrades":[]}', "revision 3 of Engine.IO"),
    ],
)
def test_a_server_that_is_none_of_ours(head: str, body: str, words: str) -> None:
    with in_a_thread(http(lambda line: (head, body))) as url:
        assert words in fails(url)


@pytest.mark.parametrize(
    ("answer", "transport", "words"),
    [
        (b"", "polling", "{} hung up without an answer"),
        (b"", "websocket", "{} hung up without an answer"),
        (b"HTTP/1.1 200 OK\r\nconte", "polling", "{} does not answer in HTTP: "),
        (b"\0\1hello\r\n\r\n", "polling", "{} does not answer in HTTP: illegal status line: '"),
        (b"SSH-2.0-x\r\n\r\n", "websocket", "{} does not answer in HTTP: illegal status line: '"),
    ],
)
def test_a_server_of_another_protocol(answer: bytes, transport: str, words: str) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        if answer:
            await stream.send_all(answer)

    with in_a_thread(raw(handle)) as url:
        authority = url.partition("//")[2]
        assert fails(url, "--transport", transport).startswith(words.format(authority))


def test_a_server_without_tls(url: str) -> None:
    words = fails(url.replace("http:", "https:"))
    assert words.endswith(" does not speak TLS as expected: wrong version number")


def test_engine_io_without_socket_io() -> None:
    async def handle(session: Session) -> None:
        async for _ in session:
            pass

    server = EngineServer(handle, config=ServerConfig(path="/socket.io/"))
    with in_a_thread(application(server)) as url:
        assert fails(url, "--timeout", "0.5")


@pytest.mark.skipif(os.name != "posix", reason="a pseudo terminal is a thing of POSIX")
def test_a_terminal(url: str, heard: Heard) -> None:
    import pty

    keyboard, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "sioproto", "connect", url],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
        )
        os.close(terminal)
        screen = b""

        def until(wanted: bytes) -> None:
            nonlocal screen
            while wanted not in screen:
                data = os.read(keyboard, 10_000)
                assert data, screen
                screen += data

        until(b"/help tells more")
        os.write(keyboard, b"hello world\n")
        until(b"text goes in quotes")
        os.write(keyboard, b"echo? 1\n/status\n")
        until(b"< echo 1")
        until(b"acknowledgement of echo")
        until(b"connected to / as ")
        os.write(keyboard, b"/quit\n")
        assert process.wait(20) == 0
    finally:
        os.close(keyboard)
    assert b"Traceback" not in screen
    assert heard.events == [("echo", 1)]
