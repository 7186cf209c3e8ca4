"""The program on the page *Testing an application* passes its own tests."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

import sioproto.testing.trio
from sioproto.testing.trio import (
    Client,
    EngineClient,
    EngineServerUnderTest,
    ServerUnderTest,
    serving,
)
from sioproto.trio import Server
from tests.project import read

pytest_plugins = ["pytester"]

PAGE = read(Path("docs/testing.md"))
PROGRAM = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))


def test_the_program_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), *filter(None, sys.path)]))
    pytester.makeini("[pytest]\ntrio_mode = true\nfilterwarnings = error")
    pytester.makepyfile(test_program=PROGRAM)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=PROGRAM.count("async def test_"))


async def test_the_page_names_what_there_is() -> None:
    async with serving(Server()) as server:
        for who, real in (("client", await server.connect()), ("server", server)):
            names = set(re.findall(rf"`(?:await |async with )?{who}\.(\w+)", PAGE))
            assert len(names) >= 2
            for name in names - {"session"}:
                assert hasattr(real, name), f"{who}.{name}"


def test_the_page_names_all_that_is_public() -> None:
    for name in sioproto.testing.trio.__all__:
        assert re.search(rf"`{name}\b", PAGE), name


@pytest.mark.parametrize(
    ("mine", "others"), [(EngineClient, Client), (EngineServerUnderTest, ServerUnderTest)]
)
def test_both_layers_are_tested_alike(mine: type, others: type) -> None:
    """What a client or server of Engine.IO has, one of Socket.IO has by the same name."""
    names = {name for name in dir(mine) if not name.startswith("_")}
    assert names - {"session", "send"} <= set(dir(others))
