"""The program on the page *Server* does what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from sioproto.socketio import RESERVED_EVENTS
from sioproto.trio import AppConfig, ConnectionConfig
from tests.app.support import Clock
from tests.project import read
from tests.trio.support import Client, SocketClient, connect, serving

PAGE = read(Path("docs/server.md"))
PROGRAM = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
ANN = '{"token":"t0k3n"}'


@pytest.fixture
def program() -> dict[str, Any]:
    """The names that the program defines."""
    names: dict[str, Any] = {}
    exec(compile(PROGRAM, "docs/server.md", "exec"), names)
    return names


async def test_strangers_are_refused(program: dict[str, Any], autojump_clock: Clock) -> None:
    async with serving(program["io"]) as listener:
        client = SocketClient(Client(listener.connect()))
        assert await client.open() == '4{"message":"unknown user","data":{"retry":false}}'
        assert (await client.join(auth='{"token":["t0k3n"]}')).startswith("4")
        assert (await client.join(auth=ANN)).startswith("0")


async def test_events_pass_everything_that_the_page_registers(
    program: dict[str, Any], autojump_clock: Clock
) -> None:
    trace = program["TRACE"]
    async with serving(program["io"]) as listener:
        one, two = [await connect(listener, auth=ANN) for _ in range(2)]
        await one.say('21["chat","hello"]')
        assert await one.hear() == '31["ok"]'
        assert await two.hear() == '2["chat","ann","hello"]'
        assert trace == [("ann", "sent", "chat"), ("ann", "was sent", "chat")]
        trace.clear()
        for event in ('["chat",5]', '["chat"]'):
            await one.say(f"22{event}")
            assert await one.hear() == '32["a chat is one text"]'
        assert [entry[1:] for entry in trace] == [
            ("sent", "chat"),
            ("failed", "ConnectionRefused"),
        ] * 2
        trace.clear()
        for answer, verdict in (("42", "right"), ("41", "wrong"), (None, "too slow")):
            await one.say('23["guess"]')
            question = await one.hear()
            assert question.endswith('["question","6 * 7?"]')
            if answer:
                await one.say(f"3{question[1 : question.index('[')]}[{answer}]")
            assert await one.hear() == f'33["{verdict}"]'
        assert trace == [("ann", "sent", "guess"), ("ann", "was sent", "question")] * 3
        trace.clear()
        await one.say("1")
        assert await two.hear() == '2["left","ann"]'
        await trio.testing.wait_all_tasks_blocked()
        assert trace == [
            ("ann", "was sent", "left"),
            ("ann", "left", "client namespace disconnect"),
        ]


async def test_the_program_serves(program: dict[str, Any]) -> None:
    async with trio.open_nursery() as nursery:
        ((host, port),) = await nursery.start(program["io"].serve)
        assert host == "127.0.0.1"
        with trio.fail_after(10):
            stream = await trio.open_tcp_stream(host, port)
            async with stream:
                answer = await Client(stream).request("GET", "/socket.io/?EIO=4&transport=polling")
        assert json.loads(answer.body[1:])["sid"]
        nursery.cancel_scope.cancel()


def test_names_and_numbers_on_the_page_are_those_of_the_code() -> None:
    (sentence,) = re.findall(r"names are reserved: (.*?)\.", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(RESERVED_EVENTS)
    times = re.findall(r"`(\w+)\.(\w+)`\s+seconds, (\d+) unless", PAGE)
    assert len(times) == 3
    configs = {"AppConfig": AppConfig(), "ConnectionConfig": ConnectionConfig()}
    for config, field, seconds in times:
        assert getattr(configs[config], field) == int(seconds)


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(#([^)]+)\)", PAGE)
    headings = {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", PAGE, re.M)}
    assert targets
    assert set(targets) <= headings
