"""The program on the page *Client* does what the page says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from sioproto import ConnectionRefused
from sioproto.socketio import ClientDisconnectReason
from sioproto.trio import Server, Socket
from tests.project import read

PAGE = read(Path("docs/client.md"))
PROGRAM = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))


def server() -> Server:
    """What the program expects of a server."""
    io = Server()
    chat, news = io.of("/chat"), io.of("/news")

    @chat.use
    def authenticate(socket: Socket) -> None:
        if socket.handshake.auth.get("token") != "t0k3n":
            raise ConnectionRefused("unknown user", data={"retry": False})

    @chat.on("connection")
    def connection(socket: Socket) -> None:
        socket.on("sum")(lambda a, b: a + b)

        @socket.on("count to")
        async def count_to(number: int) -> None:
            for value in range(1, number):
                socket.emit("number", value)
            assert await socket.request("number", number, timeout=5) == "heard"

        @socket.on("ask me")
        async def ask_me(text: str) -> Any:
            return await socket.request("question", text, timeout=5)

    @news.on("connection")
    def connection_of_news(socket: Socket) -> None:
        socket.on("latest")(lambda: "nothing new")

    return io


@asynccontextmanager
async def program() -> AsyncIterator[dict[str, Any]]:
    """The names that the program defines, with a server at its URL."""
    names: dict[str, Any] = {}
    exec(compile(PROGRAM, "docs/client.md", "exec"), names)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(60):
            ((host, port),) = await nursery.start(server().serve)
            names["URL"] = f"http://{host}:{port}"
            yield names
        nursery.cancel_scope.cancel()


async def test_connecting() -> None:
    async with program() as names:
        assert await names["say_hello"]() == 3
        assert await names["try_to_say_hello"]() == 3
        good = names["URL"]
        names["URL"] = "http://127.0.0.1:1"
        words, cause = await names["try_to_say_hello"]()
        assert "connection failed" in words
        assert isinstance(cause, ConnectionRefusedError)
        names["URL"] = good + "/not"
        assert await names["try_to_say_hello"]() == ("Invalid namespace", None)


async def test_receiving() -> None:
    async with program() as names:
        assert await names["hear"](3) == [("number", 1), ("number", 2), ("number", 3)]
        log: list[str] = []
        assert await names["answer_questions"](log) == "why indeed"
        assert log == ["question", "io client disconnect"]


async def test_namespaces_and_streams() -> None:
    async with program() as names:
        assert await names["in_two_namespaces"]() == ("nothing new", True)
        assert await names["through"](trio.open_tcp_stream) == "websocket"


def test_reasons_are_all_there() -> None:
    told = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    assert told == [str(reason) for reason in ClientDisconnectReason]


def test_events_of_the_connection_are_all_there() -> None:
    from sioproto._app._manager import EVENTS

    section = PAGE.partition("`socket.manager` is the connection.")[2].partition("A socket")[0]
    assert sorted(re.findall(r"`(\w+)`", section)) == sorted(EVENTS)


@pytest.mark.parametrize("name", ["sioproto.engineio.ClientConfig", "ClientConnectionConfig"])
def test_configurations_are_named(name: str) -> None:
    assert name in PAGE
