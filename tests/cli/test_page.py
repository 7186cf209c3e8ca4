"""``docs/cli.md``: what it shows is what is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.cli.support import invoke
from tests.project import read

PAGE = read(Path("docs/cli.md"))


def test_examples_of_decode_are_what_it_says() -> None:
    examples = re.findall(r"```text\n\$ sioproto (decode .*)\n([^`]*)```", PAGE)
    assert len(examples) == 2
    for command, shown in examples:
        assert invoke(*shlex.split(command)).stdout == shown


def test_exit_statuses_are_those_of_the_help() -> None:
    for name in ("connect", "probe"):
        section = PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| (\d) \| (.*) \|$", section, re.MULTILINE)
        assert rows
        for status, words in rows:
            assert f"  {status}  {words}\n" in invoke(name, "--help").stdout


def test_options_that_are_named_exist() -> None:
    helps = "".join(
        invoke(name, "--help").stdout for name in ("connect", "probe", "decode", "serve")
    )
    named = set(re.findall(r"--[a-z][a-z0-9-]*", PAGE.replace("--help", "")))
    assert len(named) > 10
    assert {option for option in named if option not in helps} == set()
