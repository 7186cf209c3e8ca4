"""The report: JSON Lines, a header, a line per case, a footer without which it is not whole."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from sioproto_conformance._model import Check, Observation, Rule, Verdict, area_of
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
    argument: str | None = None
    """What named the target on the command line, ``None`` for the one that comes with the suite."""
    safe: bool = False
    """Whether what could harm a server in use was withheld."""
    include_security: bool = False
    """Whether the cases tagged ``security`` were run as well."""


class RuleLine(_Line, frozen=True, tag="rule"):
    """A rule that one of the cases covers, as this version of the suite has it."""

    id: str
    statement: str
    level: str
    origin: str
    broken: Verdict
    """The verdict of a case that finds it broken."""


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
    summary: str = ""
    """What the case asks."""
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    withheld: bool = False
    """Whether it was skipped because it could harm a server that is not one's own."""

    @property
    def area(self) -> str:
        """The first two parts of the id."""
        return area_of(self.id)


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
    withheld: int = 0
    """How many cases were skipped because they could harm a server that is not one's own."""


Line = Header | RuleLine | CaseLine | Footer


class _AnyLine(msgspec.Struct, frozen=True):
    kind: str


_KINDS = ("header", "rule", "case", "footer")


@dataclass(frozen=True, slots=True)
class Report:
    """A run, read back."""

    header: Header
    cases: tuple[CaseLine, ...]
    footer: Footer | None
    """``None`` if the run did not come to its end."""
    rules: Mapping[str, RuleLine] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The target and its version."""
        return f"{self.header.target} {self.header.target_version}".strip()

    def repeat_command(self, line: CaseLine) -> list[str]:
        """Return the command that runs this case again."""
        extra = ["--include-security"] if "security" in line.tags else []
        return [*repeat_command(self.header), *extra, line.id]


def repeat_command(header: Header) -> list[str]:
    """Return the command that runs the cases named behind it as this run did."""
    command = ["sio-conformance", "run"]
    if header.argument is not None:
        command.append(header.argument)
    if header.seed != "0":
        command += ["--seed", header.seed]
    return command


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
        self._withheld = 0

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

    def rules(self, rules: Iterable[Rule]) -> None:
        """Write the rules that the cases cover, so that a report can be read by itself."""
        for rule in rules:
            broken = rule.verdict_when_broken
            self._write(RuleLine(rule.id, rule.statement, rule.level, rule.origin, broken))

    def case(self, result: Result, *, round: int = 1) -> None:
        """Write the line of a result."""
        self._counts[result.verdict] += 1
        self._checks += len(result.checks)
        self._withheld += result.withheld
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
                summary=result.case.summary,
                needs=result.case.needs,
                tags=tuple(sorted(result.case.tags)),
                withheld=result.withheld,
            )
        )

    def footer(
        self, *, duration: float, exit_code: int, target_exit: int | None, target_stderr: str
    ) -> None:
        """Write the last line."""
        verdicts = {verdict.value: self._counts[verdict] for verdict in Verdict}
        seconds = round_seconds(duration)
        self._write(
            Footer(
                verdicts=verdicts,
                checks=self._checks,
                duration=seconds,
                exit_code=exit_code,
                target_exit=target_exit,
                target_stderr=target_stderr,
                withheld=self._withheld,
            )
        )

    def _write(self, line: Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()


def round_seconds(seconds: float) -> float:
    """Return the seconds with as many digits as mean something."""
    return round(seconds, 6)


def read_report(path: Path, *, partial: bool = False) -> Report:
    """Return a run that was written to its end; with ``partial`` also one that was not.

    What a newer version of the suite has added to the format is passed over.

    Raises ``StreamError`` if the file is not a report, or if the footer is missing.
    """
    header: Header | None = None
    rules: dict[str, RuleLine] = {}
    cases: list[CaseLine] = []
    footer: Footer | None = None
    for number, line in enumerate(_lines(path, partial=partial), 1):
        if footer is not None:
            raise StreamError(f"{path}, line {number}: out of place")
        try:
            if msgspec.json.decode(line, type=_AnyLine).kind not in _KINDS:
                continue
            decoded = msgspec.json.decode(line, type=Line)
        except msgspec.DecodeError as error:
            raise StreamError(f"{path}, line {number}: {error}") from error
        if (number == 1) != isinstance(decoded, Header):
            raise StreamError(f"{path}, line {number}: out of place")
        match decoded:
            case Header():
                header = decoded
                if header.format != FORMAT:
                    raise StreamError(f"{path}: format {header.format} is none that is known")
            case RuleLine():
                rules[decoded.id] = decoded
            case CaseLine():
                cases.append(decoded)
            case Footer():
                footer = decoded
    if header is None:
        raise StreamError(f"{path}: the run was not finished, its footer is missing")
    if footer is None and not partial:
        raise StreamError(f"{path}: the run was not finished, its footer is missing")
    return Report(header, tuple(cases), footer, rules)


def _lines(path: Path, *, partial: bool) -> list[bytes]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StreamError(f"{path}: {error}") from error
    lines = data.split(b"\n")
    last = lines[-1]
    # A line that was being written when the run was ended.
    is_torn = partial and not _is_json(last)
    return lines[:-1] if is_torn or not last else lines


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True
