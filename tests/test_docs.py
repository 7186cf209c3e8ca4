"""Pages in docs/ name what exists, with the defaults that it has."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import sioproto.engineio
import sioproto.socketio
import sioproto.testing.strategies
import sioproto.trio
from tests.project import FILES, ROOT, read

PAGES = [path for path in FILES if path.parts[0] == "docs" and path.suffix == ".md"]
CONFIGS: dict[str, type[Any]] = {
    "sioproto.engineio.ServerConfig": sioproto.engineio.ServerConfig,
    "sioproto.socketio.ServerConfig": sioproto.socketio.ServerConfig,
    "sioproto.trio.AppConfig": sioproto.trio.AppConfig,
    "sioproto.engineio.ClientConfig": sioproto.engineio.ClientConfig,
    "sioproto.socketio.ClientConfig": sioproto.socketio.ClientConfig,
    "sioproto.trio.ClientConnectionConfig": sioproto.trio.ClientConnectionConfig,
}

LIMITS = ("int", "int | None", "float")
"""Types of fields that are limits or times, not manners."""


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", read(path)):
        assert (ROOT / path.parent / link).exists(), link


def test_the_index_has_every_page() -> None:
    linked = re.findall(r"\]\(([^)]+)\)", read(Path("docs/README.md")))
    assert sorted(linked) == sorted(path.name for path in PAGES if path.name != "README.md")


@pytest.mark.parametrize("name", ["http", "limits", "older-clients", "pair", "parsers", "recovery"])
def test_programs_run(name: str) -> None:
    names: dict[str, Any] = {}
    for program in re.findall(r"```python\n(.*?)```", read(Path(f"docs/{name}.md")), re.DOTALL):
        exec(compile(program, f"docs/{name}.md", "exec"), names)


@pytest.mark.parametrize(
    ("config", "title"),
    [
        (sioproto.engineio.CorsConfig, "field"),
        (sioproto.engineio.HttpCompressionConfig, "`HttpCompressionConfig`"),
        (sioproto.trio.DeflateConfig, "`DeflateConfig`"),
    ],
)
def test_tables_of_configurations_are_complete(config: type[Any], title: str) -> None:
    table = read(Path("docs/http.md")).partition(f"| {title} | default |")[2].partition("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]*)`? \|", table, re.MULTILINE))
    assert list(told) == [field.name for field in fields(config)]
    for field in fields(config):
        if isinstance(field.default, tuple):
            assert told[field.name] == (", ".join(field.default) or "none")
        else:
            assert told[field.name].strip('"') == str(field.default)


@pytest.mark.parametrize(
    ("title", "telling"), [("One event, step by step", "430[5]"), ("The client", "ClientConnected")]
)
def test_cores_are_driven_step_by_step(title: str, telling: str) -> None:
    section = read(Path("docs/embedding.md")).partition(f"## {title}\n")[2]
    program = section.partition("```python\n")[2].partition("```")[0]
    assert telling in program
    exec(compile(program, "docs/embedding.md", "exec"), {})


def test_asgi_page_is_one_program() -> None:
    blocks = re.findall(r"```python\n(.*?)```", read(Path("docs/asgi.md")), re.DOTALL)
    assert len(blocks) == 3
    exec(compile("\n".join(blocks), "docs/asgi.md", "exec"), {})


@pytest.mark.parametrize("name", CONFIGS)
def test_limits_have_the_defaults_that_the_page_says(name: str) -> None:
    section = read(Path("docs/limits.md")).partition(f"## `{name}`")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", section, re.MULTILINE)
    defaults = {field.name: field.default for field in fields(CONFIGS[name])}
    told: dict[str, str] = {}
    for names, values in rows:
        told.update(zip(re.findall(r"`(\w+)`", names), values.split(", "), strict=False))
    numbers = 0
    for field, text in told.items():
        assert field in defaults
        number = re.match(r"[0-9,.]+", text)
        if number:
            numbers += 1
            assert float(number[0].replace(",", "")) == defaults[field], field
    assert numbers >= 4
    if "Client" in name:
        limits = {field.name for field in fields(CONFIGS[name]) if field.type in LIMITS}
        assert set(told) == limits - {"revision"}


def test_reasons_are_all_there() -> None:
    of_server, _, of_both = read(Path("docs/reasons.md")).partition("## On both sides")
    reasons = sorted(str(reason) for reason in sioproto.socketio.DisconnectReason)
    for table in (of_server, of_both):
        assert sorted(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == reasons
    columns = re.findall(r"^\| `[^`]+` \| ([^|]+) \|", of_both, re.MULTILINE)
    clients = {reason for column in columns for reason in re.findall(r"`([^`]+)`", column)}
    known = {str(reason) for reason in sioproto.socketio.ClientDisconnectReason}
    assert clients == known - {"parse error"}  # between our machines, nobody sends garbage


def test_strategies_and_networks_are_all_there() -> None:
    page = read(Path("docs/pair.md"))
    for name in sioproto.testing.strategies.__all__:
        assert f"`{name}()`" in page, name
    for field in fields(sioproto.testing.Network):
        assert f"`{field.name}`" in page, field.name
    for name in sioproto.testing.__all__:
        if name not in ("Fault", "TraceEntry"):
            assert name in page, name
