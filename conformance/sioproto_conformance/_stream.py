"""The report: JSON Lines, a header, a line per case, a footer without which it is not whole."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from sioproto_conformance._model import Check, Observation, Verdict
from sioproto_conformance._runner import Result
from sioproto_conformance.peers.wire import Entry

FORMAT = 1


class StreamError(Exception):
    """The file is not a report, or not a whole one."""


class _Line(msgspec.Struct, frozen=True, tag_field="kind"):
    pass


class Header(_Line, frozen=True, tag="header"):
    """What was run against what."""

    format: int
    suite: str
    """Version of the suite."""
    python: str
    target: str
    target_version: str
    url: str
    slow_url: str | None
    command: tuple[str, ...]
    started: str
    """ISO 8601, UTC."""
    cases: int
    """How many were selected."""
    seed: str
    slack: float
    jobs: int
    repeat: int
    round_trip: float
    """Seconds that a handshake took at rest."""
    lacking: dict[str, str]
    """Features that the target lacks, and how that is known."""


class CaseLine(_Line, frozen=True, tag="case"):
    """What one case found out."""

    id: str
    verdict: Verdict
    reason: str
    rules: tuple[str, ...]
    robustness: bool
    checks: tuple[Check, ...]
    observations: tuple[Observation, ...]
    duration: float
    """Seconds."""
    attempts: int
    round: int
    """1, 2, ... when the run is repeated."""
    expectation: str
    """Why the list of known failures has it."""
    transcript: tuple[Entry, ...]


class Footer(_Line, frozen=True, tag="footer"):
    """How it ended."""

    verdicts: dict[str, int]
    checks: int
    duration: float
    """Seconds."""
    exit_code: int
    target_exit: int | None
    """How the process of the target ended, ``None`` if it was running to the end."""
    target_stderr: str


Line = Header | CaseLine | Footer


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run, read back."""

    header: Header
    cases: tuple[CaseLine, ...]
    footer: Footer


def schema_text() -> str:
    """Return the JSON Schema of a line, as the file in the suite's data has it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a sio-conformance report",
        **msgspec.json.schema(Line),
    }
    return json.dumps(schema, indent=2) + "\n"


def suite_version() -> str:
    """Return the version that is installed, or ``unknown`` in a bare checkout."""
    try:
        return importlib.metadata.version("sioproto")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def now() -> str:
    """Return the time of day for a header."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def python_version() -> str:
    """Return the Python that runs the suite."""
    return f"{platform.python_implementation()} {platform.python_version()}"


class Writer:
    """Writes each line as soon as it is known, so that an aborted run leaves what it found."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] = path.open("wb")
        self._counts: Counter[str] = Counter()
        self._checks = 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def header(self, header: Header) -> None:
        """Write the first line."""
        self._write(header)

    def case(self, result: Result, *, round: int = 1) -> None:
        """Write the line of a result."""
        self._counts[result.verdict] += 1
        self._checks += len(result.checks)
        self._write(
            CaseLine(
                id=result.case.id,
                verdict=result.verdict,
                reason=result.reason,
                rules=result.case.covers,
                robustness=result.robustness,
                checks=tuple(result.checks),
                observations=tuple(result.observations),
                duration=round_seconds(result.duration),
                attempts=result.attempts,
                round=round,
                expectation=result.expectation,
                transcript=tuple(result.transcript),
            )
        )

    def footer(
        self, *, duration: float, exit_code: int, target_exit: int | None, target_stderr: str
    ) -> None:
        """Write the last line."""
        verdicts = {verdict.value: self._counts[verdict] for verdict in Verdict}
        seconds = round_seconds(duration)
        self._write(Footer(verdicts, self._checks, seconds, exit_code, target_exit, target_stderr))

    def _write(self, line: Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()


def round_seconds(seconds: float) -> float:
    """Return the seconds with as many digits as mean something."""
    return round(seconds, 6)


def read_report(path: Path) -> Report:
    """Return a run that was written to its end.

    Raises ``StreamError`` if the file is not a report, or if the footer is missing.
    """
    header: Header | None = None
    cases: list[CaseLine] = []
    footer: Footer | None = None
    for number, line in enumerate(_lines(path), 1):
        try:
            decoded = msgspec.json.decode(line, type=Line)
        except msgspec.DecodeError as error:
            raise StreamError(f"{path}, line {number}: {error}") from error
        if (number == 1) != isinstance(decoded, Header) or footer is not None:
            raise StreamError(f"{path}, line {number}: out of place")
        if isinstance(decoded, Header):
            header = decoded
        elif isinstance(decoded, CaseLine):
            cases.append(decoded)
        else:
            footer = decoded
    if header is None or footer is None:
        raise StreamError(f"{path}: the run was not finished, its footer is missing")
    return Report(header, tuple(cases), footer)


def _lines(path: Path) -> Iterable[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise StreamError(f"{path}: {error}") from error
