"""What the driver makes of headers: subprotocols, bytes beyond ASCII, functions that fail."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from sioproto.engineio import CorsConfig, Request, ServerConfig
from sioproto.trio import EngineServer, Server, Session
from sioproto.trio._websocket import choose_subprotocol
from tests.trio.support import POLLING, WEBSOCKET, Client, open_polling, request_bytes, serving


async def echo(session: Session) -> None:
    async for data in session:
        session.send(data)


@pytest.mark.covers("EIO-HC-06")
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["foo, bar"], "foo"),
        ([" foo"], "foo"),
        (["foo", "bar"], "foo"),
        ([], None),
        ([""], None),
        ([", foo"], None),
        (["f o o"], None),
        (["foo\r\nx: y"], None),
    ],
)
def test_the_first_subprotocol_is_chosen(offered: list[str], chosen: str | None) -> None:
    """EIO-HC-06"""
    headers = [("sec-websocket-protocol", value) for value in offered]
    assert choose_subprotocol([("host", "x"), *headers]) == chosen


@pytest.mark.covers("EIO-HC-06", "EIO-HDR-05")
async def test_headers_of_the_core_are_on_101(autojump_clock: trio.testing.MockClock) -> None:
    """EIO-HC-06, EIO-HDR-05, EIO-CORS-03"""
    server = EngineServer(
        echo,
        config=ServerConfig(cors=CorsConfig(origin=("https://a.example",))),
        response_headers=lambda request, opens: [("X-All", "1")],
    )
    async with serving(server) as listener:
        offer = "sec-websocket-protocol: foo, bar\r\norigin: https://a.example\r\n"
        answer = await Client(listener.connect()).upgrade(WEBSOCKET, headers=offer)
        assert answer.status == 101
        assert answer.headers["sec-websocket-protocol"] == "foo"
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert answer.headers["x-all"] == "1"
        assert "sec-websocket-extensions" not in answer.headers


@pytest.mark.covers("EIO-ERR-11")
async def test_bytes_beyond_ascii_come_back_as_they_were(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """EIO-ERR-11, EIO-CORS-03"""
    config = ServerConfig(cors=CorsConfig(origin=lambda origin: True))
    async with serving(EngineServer(echo, config=config)) as listener:
        client = Client(listener.connect())
        head = request_bytes("GET", POLLING, headers="origin: http://?\r\n")
        await client.send(head.replace(b"?\r\n", b"\xe9\r\n"))
        received = bytes(await client.stream.receive_some())
        assert received.startswith(b"HTTP/1.1 200 ")
        assert b"\r\naccess-control-allow-origin: http://\xe9\r\n" in received


async def test_a_preflight_is_answered(autojump_clock: trio.testing.MockClock) -> None:
    """EIO-CORS-02"""
    for status in (200, 204):
        config = ServerConfig(cors=CorsConfig(preflight_status=status))
        async with serving(EngineServer(echo, config=config)) as listener:
            client = Client(listener.connect())
            for _ in range(2):  # the connection is kept
                answer = await client.request("OPTIONS", f"{POLLING}&sid=x")
                assert (answer.status, answer.body) == (status, b"")
                assert answer.headers["access-control-allow-origin"] == "*"
                assert answer.headers.get("content-length") == (None if status == 204 else "0")


def _raising(request: Request, opens: bool) -> list[tuple[str, str]]:
    raise LookupError("nothing there")


@pytest.mark.covers("EIO-HDR-04")
@pytest.mark.parametrize("kind", ["engine", "socket"])
async def test_what_a_function_for_headers_raises_goes_to_the_error_hook(
    kind: str, autojump_clock: trio.testing.MockClock
) -> None:
    """EIO-HDR-04: and the session is opened all the same."""
    server: Any
    if kind == "engine":
        server = EngineServer(echo, response_headers=_raising)
    else:
        server = Server(response_headers=_raising)
    failures: list[Exception] = []
    server.on_error(lambda error, owner: failures.append(error))
    async with serving(server) as listener:
        await open_polling(Client(listener.connect()), POLLING.replace("engine", kind))
        await trio.testing.wait_all_tasks_blocked()
    assert [type(error) for error in failures] == [LookupError]


@pytest.mark.covers("EIO-HDR-04")
async def test_without_a_hook_it_ends_the_serving(autojump_clock: trio.testing.MockClock) -> None:
    """EIO-HDR-04: like any other exception of a handler."""
    with pytest.RaisesGroup(LookupError, flatten_subgroups=True):
        async with serving(EngineServer(echo, response_headers=_raising)) as listener:
            await Client(listener.connect()).send_request("GET", POLLING)
            await trio.sleep_forever()
