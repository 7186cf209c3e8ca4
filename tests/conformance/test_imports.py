"""What the suite may import, and when."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sioproto_conformance

PACKAGE = Path(sioproto_conformance.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# The built-in target, and the servers broken on purpose, are ours; everything else must not be
# able to share a mistake with what it judges. The strategies import nothing of the library.
MAY_IMPORT_SIOPROTO = ("_fixture.py", "_orders.py", "_tier2.py", "broken/")
LIGHT = {"__main__.py": set(sys.stdlib_module_names), "_pytest_plugin.py": {"pytest"}}


def _imports(tree: ast.Module, *, at_top: bool) -> Iterator[str]:
    nodes = iter(tree.body) if at_top else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_suite_does_not_import_what_it_judges(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix().startswith(MAY_IMPORT_SIOPROTO):
        return
    names = list(_imports(ast.parse(path.read_text("utf-8")), at_top=False))
    ours = [name for name in names if name.partition(".")[0] == "sioproto"]
    assert [name for name in ours if name != "sioproto.testing.strategies"] == []


@pytest.mark.parametrize("name", LIGHT)
def test_an_entry_point_imports_nothing_heavy_until_it_is_used(name: str) -> None:
    tree = ast.parse((PACKAGE / name).read_text("utf-8"))
    allowed = LIGHT[name] | set(sys.stdlib_module_names)
    assert {found.partition(".")[0] for found in _imports(tree, at_top=True)} <= allowed
