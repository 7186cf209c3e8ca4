"""The examples of the README do what the README says they do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import trio

import sioproto
import sioproto.trio
from tests.project import ROOT, read

README = read(Path("README.md"))


def test_core_example_prints_what_the_readme_shows(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(
        r"```python\n(import itertools.*?)```\n\n```text\n(.*?)```", README, re.S
    )
    code, output = example
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == output


async def ask(port: int, method: str, query: str, body: str = "") -> str:
    """The body of the answer to one request on a connection of its own."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        head = f"{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: x\r\n"
        head += f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        await stream.send_all((head + body).encode())
        answer = b"".join([chunk async for chunk in stream])
    assert answer.startswith(b"HTTP/1.1 200 ")
    return answer.partition(b"\r\n\r\n")[2].decode()


async def test_server_example_serves() -> None:
    (example,) = re.findall(
        r"```python\n(import sioproto.trio.*?)\ntrio.run\(.*?```", README, re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    async with trio.open_nursery() as nursery:
        ((_, port),) = await nursery.start(names["io"].serve)
        with trio.fail_after(10):
            sid = json.loads((await ask(port, "GET", ""))[1:])["sid"]
            await ask(port, "POST", f"&sid={sid}", "40")
            assert (await ask(port, "GET", f"&sid={sid}")).startswith("40{")
            await ask(port, "POST", f"&sid={sid}", '4217["chat","hello"]')
            assert await ask(port, "GET", f"&sid={sid}") == '4317["ok"]'
        nursery.cancel_scope.cancel()


async def test_client_example_talks(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(async def talk.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {"sioproto": sioproto}
    exec(compile(example, "README.md", "exec"), names)
    io = sioproto.trio.Server()

    @io.on("connection")
    def connection(socket: sioproto.trio.Socket) -> None:
        @socket.on("chat")
        def chat(text: str) -> str:
            socket.emit("chat", text)
            return f"{socket.handshake.auth['token']}{text}"

    async with trio.open_nursery() as nursery:
        ((host, port),) = await nursery.start(io.serve)
        with trio.fail_after(10):
            nursery.start_soon(names["talk"], f"http://{host}:{port}/")
            shown = ""
            while not shown:
                await trio.lowlevel.checkpoint()
                shown = capsys.readouterr().out
        nursery.cancel_scope.cancel()
    assert shown == "thello chat ['hello']\n"


async def test_the_test_passes() -> None:
    """The one for the server example."""
    names: dict[str, Any] = {}
    for beginning in ("import sioproto.trio", "from sioproto.testing.trio"):
        (code,) = re.findall(rf"```python\n({beginning}.*?)(?:\ntrio\.run.*?)?```", README, re.S)
        exec(compile(code, "README.md", "exec"), names)
    await names["test_chat"](None)


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https:)([^)#]+)\)", README)
    assert "CONTRIBUTING.md" in targets
    for target in targets:
        assert (ROOT / target).stat().st_size, target  # pictures are no text
