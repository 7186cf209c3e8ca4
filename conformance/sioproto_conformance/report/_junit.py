"""JUnit XML, for what shows the results of tests."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

import junitparser

from sioproto_conformance._model import Verdict
from sioproto_conformance._stream import CaseLine, Report
from sioproto_conformance._text import transcript_lines
from sioproto_conformance.report._overview import INCOMPLETE, in_order, outcome

# XML 1.0 has no way to write these, not even escaped.
_ILLEGAL = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FAILURES = (Verdict.FAIL, Verdict.XPASS)
_ERRORS = (Verdict.ERROR, Verdict.INCONCLUSIVE)


def junit(report: Report) -> str:
    """Return one test suite, with a test case for each case and its rules as properties."""
    suite = junitparser.TestSuite(legal(report.name))
    suite.timestamp = report.header.started
    for name, value in _about(report):
        suite.add_property(name, legal(value))
    suite.add_testcases([_test_case(report, line) for line in in_order(report.cases)])
    if report.footer is None:
        missing = junitparser.TestCase("the run", classname="sio-conformance", time=0)
        missing.result = [junitparser.Error(INCOMPLETE)]
        suite.add_testcase(missing)
    suite.update_statistics()
    suites = junitparser.JUnitXml("sio-conformance")
    suites.add_testsuite(suite)
    text: bytes = suites.tostring()
    return text.decode()


def legal(text: str) -> str:
    """Return text in which what XML cannot hold is shown by a symbol: ``␞`` for U+001E."""
    return _ILLEGAL.sub(_symbol, text)


def _symbol(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else match[0].encode("unicode_escape").decode()


def _about(report: Report) -> Iterable[tuple[str, str]]:
    header = report.header
    yield "outcome", outcome(report)
    yield "suite", header.suite
    yield "url", header.url
    yield "seed", header.seed
    yield "command", shlex.join(header.command)


def _test_case(report: Report, line: CaseLine) -> junitparser.TestCase:
    name = line.id if line.round == 1 else f"{line.id} (round {line.round})"
    case = junitparser.TestCase(legal(name), classname=legal(line.area), time=line.duration)
    properties = junitparser.Properties()
    for rule in line.rules:
        known = report.rules.get(rule)
        value = f"{rule} {known.level} {known.origin}" if known else rule
        properties.add_property(junitparser.Property("rule", legal(value)))
    properties.add_property(junitparser.Property("verdict", line.verdict.value))
    case.append(properties)
    result = _result(line)
    if result is not None:
        result.text = legal(_text(report, line))
        case.result = [result]
    return case


def _result(line: CaseLine) -> junitparser.Failure | junitparser.Error | junitparser.Skipped | None:
    reason = legal(line.expectation or line.reason)
    if line.verdict in _FAILURES:
        return junitparser.Failure(reason, line.verdict.value)
    if line.verdict in _ERRORS:
        return junitparser.Error(reason, line.verdict.value)
    if line.verdict in (Verdict.SKIP, Verdict.XFAIL):
        return junitparser.Skipped(reason, line.verdict.value)
    return None


def _text(report: Report, line: CaseLine) -> str:
    parts = [line.reason]
    for check in line.checks:
        if not check.ok:
            for id in check.rules:
                rule = report.rules.get(id)
                parts.append(f"{id}: {rule.statement}" if rule else id)
            parts += [f"  expected  {check.expected}", f"  got       {check.actual}"]
    parts += transcript_lines(line.transcript)
    return "\n".join([*parts, shlex.join(report.repeat_command(line))])
