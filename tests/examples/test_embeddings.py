"""The examples that embed the core: each does all that its surroundings allow, and starts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType

import asyncio_streams
import pytest
import wsgi_threads

from tests.examples.clients import talk_to
from tests.judging import judge


@pytest.mark.parametrize("name", ["asyncio-streams", "wsgi-threads"])
def test_suite_finds_what_the_surroundings_forbid_and_nothing_else(
    name: str, tmp_path: Path
) -> None:
    judge(name, tmp_path)


@pytest.mark.parametrize("example", [asyncio_streams, wsgi_threads], ids=lambda each: each.__name__)
def test_application_of_the_example_works(example: ModuleType) -> None:
    talk_to(example)


def test_a_malformed_head_behind_a_head_request_is_answered() -> None:
    async def ask() -> bytes:
        async with asyncio_streams.serving([], 0) as url:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\nno request\r\n\r\n")
            answers = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return answers

    assert asyncio.run(ask()).endswith(b"\r\n\r\nmalformed request")
