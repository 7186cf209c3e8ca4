"""What names a rule: code by a comment or docstring, tests by a marker, cases, broken servers."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sioproto_conformance._model import Case, SuiteError
from sioproto_conformance.broken import Broken
from sioproto_conformance.spec._notes import MENTION

MARKER = "covers"


@dataclass(frozen=True, slots=True)
class Links:
    """Who names which rule. A place in a file is ``path:line``."""

    code: Mapping[str, tuple[str, ...]]
    tests: Mapping[str, tuple[str, ...]]
    """By the marker ``covers``; a test is ``path::name``."""
    cases: tuple[Case, ...]
    broken: tuple[Broken, ...]

    def cases_of(self, rule: str) -> list[Case]:
        """Return the cases that cover the rule."""
        return [case for case in self.cases if rule in case.covers]


def read_links(root: Path | None, cases: Iterable[Case], broken: Iterable[Broken]) -> Links:
    """Return what names rules in a checkout, or in the suite alone if there is none.

    Raises ``SuiteError`` for a marker whose arguments cannot be read off the source.
    """
    return Links(
        code=_code(root) if root else {},
        tests=_tests(root) if root else {},
        cases=tuple(cases),
        broken=tuple(broken),
    )


def _python(root: Path, folder: str) -> Iterator[tuple[str, str]]:
    for path in sorted((root / folder).rglob("*.py")):
        relative = path.relative_to(root)
        if "node_modules" not in relative.parts:
            yield relative.as_posix(), path.read_text("utf-8")


def _code(root: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, text in _python(root, "sioproto"):
        for number, line in enumerate(text.splitlines(), 1):
            for rule in dict.fromkeys(MENTION.findall(line)):
                found[rule].append(f"{name}:{number}")
    return {rule: tuple(places) for rule, places in found.items()}


def _tests(root: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, text in _python(root, "tests"):
        if f".{MARKER}(" not in text:
            continue
        for test, rule in _marked(name, ast.parse(text)):
            if test not in found[rule]:
                found[rule].append(test)
    return {rule: tuple(tests) for rule, tests in found.items()}


def _marked(file: str, tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                for rule in _arguments(file, decorator):
                    yield f"{file}::{node.name}", rule
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            marks = node.value.elts if isinstance(node.value, ast.List) else [node.value]
            for mark in marks:
                for rule in _arguments(file, mark):
                    yield file, rule


def _arguments(file: str, mark: ast.expr) -> Iterator[str]:
    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == f"pytest.mark.{MARKER}":
        for argument in mark.args:
            if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                raise SuiteError(f"{file}:{mark.lineno}: a marker takes ids, written out")
            yield argument.value
