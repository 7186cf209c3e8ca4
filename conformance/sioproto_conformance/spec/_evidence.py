"""Results that were kept: runs of the suite, runs of the tests, and what caught broken servers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import msgspec

from sioproto_conformance._model import SuiteError, Verdict
from sioproto_conformance._stream import StreamError, read_report
from sioproto_conformance.spec._links import MARKER


class Kill(msgspec.Struct, frozen=True):
    """What the case that is named for a broken server said of it."""

    rule: str
    case: str
    verdict: str
    caught: bool


def read_kills(path: Path) -> Mapping[str, Kill]:
    """Return by the names of the broken servers what was kept; nothing if there is no such file.

    Raises ``SuiteError`` for a malformed file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Kill])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise SuiteError(f"{path.name}: {error}") from error


def verified_by_runs(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Yield each rule that a passing case checked, with the case and what it ran against.

    Raises ``SuiteError`` for a file that is no whole report.
    """
    for path in paths:
        try:
            report = read_report(path)
        except StreamError as error:
            raise SuiteError(str(error)) from error
        target = f"{report.header.target} {report.header.target_version}".strip()
        for case in report.cases:
            if case.verdict is Verdict.PASS:
                for rule in dict.fromkeys(check.rule for check in case.checks if check.ok):
                    yield rule, f"{case.id} against {target}"


def verified_by_tests(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Yield each rule that a passing test is marked with, and the test, from JUnit's XML.

    Raises ``SuiteError`` for a file that is none.
    """
    for path in paths:
        try:
            # The file is the project's own, written by pytest a moment ago.
            root = ElementTree.parse(path).getroot()
        except (OSError, ElementTree.ParseError) as error:
            raise SuiteError(f"{path.name}: {error}") from error
        for test in root.iter("testcase"):
            if any(test.find(kind) is not None for kind in ("failure", "error", "skipped")):
                continue
            name = f"{test.get('classname', '')}::{test.get('name', '')}"
            for entry in test.iter("property"):
                if entry.get("name") == MARKER:
                    yield entry.get("value", ""), name
