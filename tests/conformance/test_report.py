"""What is made of a run: pages, XML, Markdown, a badge; none of which the server can harm."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import junitparser
import msgspec
import pytest

from sioproto_conformance import report as renderings
from sioproto_conformance._model import Check, Observation, Verdict
from sioproto_conformance._outcome import CONFORMANT, INCONCLUSIVE
from sioproto_conformance._stream import Report, Writer, read_report
from sioproto_conformance._text import pieces, visible
from sioproto_conformance.report._diagram import diagram
from sioproto_conformance.report._junit import legal
from sioproto_conformance.report._markdown import code, escaped
from sioproto_conformance.report._overview import tallies
from tests.conformance.hostile import EVIL, HEADER, TEXT, entry, write_hostile
from tests.conformance.support import RULES, make_case, make_result


@pytest.fixture
def hostile(tmp_path: Path) -> Report:
    path = tmp_path / "hostile.jsonl"
    write_hostile(path)
    return read_report(path)


@pytest.fixture
def unfinished(tmp_path: Path) -> Report:
    path = tmp_path / "unfinished.jsonl"
    write_hostile(path, footer=False)
    return read_report(path, partial=True)


def make_report(
    path: Path,
    verdicts: dict[str, Verdict],
    *,
    name: str = "a server",
    exit_code: int = CONFORMANT,
    values: dict[str, str] | None = None,
    rounds: int = 1,
) -> Report:
    with Writer(path) as writer:
        writer.header(msgspec.structs.replace(HEADER, target=name, repeat=rounds))
        writer.rules(RULES.values())
        for round in range(1, rounds + 1):
            for id, verdict in verdicts.items():
                result = make_result(verdict, id=id, reason="because")
                ok = verdict is not Verdict.FAIL
                result.checks = [Check("T-MUST", ok, "this", "that")]
                result.observations = [Observation("status", (values or {}).get(id, "400"))]
                writer.case(result, round=round)
        writer.footer(duration=1, exit_code=exit_code, target_exit=None, target_stderr="")
    return read_report(path)


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["script"]:
            self.scripts.append(data)
        else:
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for found, value in self.attributes if found == name]


def check_harmless(page: Page) -> None:
    """Nothing but our own script runs, and nothing is loaded."""
    assert page.tags["script"] == len(page.scripts) == 1
    assert page.tags["img"] == 0
    assert [name for name, _ in page.attributes if name.startswith("on") or name == "src"] == []
    assert all(value.startswith(("#", "index.html", "1-", "2-")) for value in page.values("href"))
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    (policy,) = (value for value in page.values("content") if "default-src" in value)
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = [unquote(value[1:]) for value in page.values("href") if value.startswith("#")]
    assert set(links) <= set(ids)
    assert "\x1b" not in page.text
    assert "\x00" not in page.text
    assert "\u202e" not in page.text


def test_a_page_shows_hostile_bytes_and_obeys_none(hostile: Report) -> None:
    page = Page(renderings.html(hostile))
    check_harmless(page)
    assert "<script>document.title='owned'</script><img src=x" in page.text
    assert "{{ 7*7 }}{% raw %} ${7*7}" in page.text
    assert "\\x1b[31m\\x1b]0;title\\x07\\x1e\\x00\\x7f\\xff\\xfe\\r\\n\\u2028\\u202e" in page.text
    assert page.text.count("␞") == 0
    assert page.tags["details"] > len(Verdict)


def test_a_page_tells_all_about_a_case(hostile: Report) -> None:
    text = " ".join(Page(renderings.html(hostile)).text.split())
    assert "T-MUST MUST, text s" in text
    assert "T-REF MUST, reference; broken, it is warn at most" in text
    assert "sio-conformance run 'eio4.made.fail[a,b]'" in text
    assert "GET /engine.io/?EIO=4 HTTP/1.1" in text
    assert "EIO4 MUST 0/1" in text
    assert "not conformant" in text
    assert "The target ended with -11 during the run." in text


def test_a_page_of_rounds_has_each_of_them(tmp_path: Path) -> None:
    report = make_report(tmp_path / "r", {"eio4.a.b": Verdict.PASS}, rounds=3)
    page = Page(renderings.html(report))
    check_harmless(page)
    assert [id for id in page.values("id") if id.startswith("eio4")] == [
        "eio4.a.b",
        "eio4.a.b~2",
        "eio4.a.b~3",
    ]


def test_an_unfinished_run_says_so_everywhere(unfinished: Report) -> None:
    assert "incomplete: the run did not come to its end" in Page(renderings.html(unfinished)).text
    assert "incomplete: the run did not come to its end" in renderings.markdown(unfinished)
    assert json.loads(renderings.badge(unfinished))["message"] == "incomplete"
    suite = next(iter(junitparser.JUnitXml.fromstring(renderings.junit(unfinished))))
    assert [case.name for case in suite][-1] == "the run"
    assert list(suite)[-1].result[0].message == "incomplete: the run did not come to its end"
    assert (
        renderings.github_annotations(unfinished)
        .splitlines()[0]
        .endswith("did not come to its end")
    )


def test_bytes_keep_what_is_text_and_spell_out_the_rest() -> None:
    assert pieces(b"a\x1eb\xff\x00\xc3\xa4") == [
        ("a", False),
        ("\\x1e", True),
        ("b", False),
        ("\\xff\\x00", True),
        ("ä", False),
    ]
    assert pieces("e\u0301\u0301x".encode()) == [
        ("e\u0301", False),
        ("\\u0301", True),
        ("x", False),
    ]
    assert "".join(text for text, _ in pieces(EVIL)).isprintable()
    assert visible("a\u202eb") == "a\\u202eb"


def test_a_diagram_has_a_place_for_each_peer() -> None:
    shown = diagram(
        [
            entry("bad.get#1", "out", "http", b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\nbody"),
            entry("control.ws#2", "in", "ws", b"4\x1e", "text"),
            entry("bad.get#1", "out", "note", note="hung up"),
            entry("http#3", "out", "http", b"not HTTP\r\n\r\n"),
        ]
    )
    assert shown.lanes == ("bad", "control", "http")
    first, second, third, fourth = shown.messages
    assert (first.lane, first.conn, first.kind) == (0, "get#1", "out")
    assert first.first_line == [("GET / HTTP/1.1", False)]
    assert first.headers == [("A: b", False), ("\n", False), ("C: d", False)]
    assert first.body == [("body", False)]
    assert (second.lane, second.kind, second.note) == (1, "in", "text")
    assert second.body == [("4", False), ("\\x1e", True)]
    assert (third.lane, third.kind, third.note) == (0, "note", "hung up")
    assert (fourth.conn, fourth.first_line) == ("#3", [])


def test_many_peers_share_a_place() -> None:
    crowd = [entry(f"gone{number}.ws#{number}", "out", "ws", b"x") for number in range(9)]
    shown = diagram([*crowd, entry("control#9", "out", "ws", b"x")])
    assert shown.lanes == ("gone…", "control")
    assert shown.messages[3].conn == "gone3.ws#3"
    assert diagram([entry(name, "out", "ws", b"x") for name in "abcdefgh"]).lanes == ("all peers",)


def test_junit_can_be_read_again(hostile: Report) -> None:
    text = renderings.junit(hostile)
    ElementTree.fromstring(text)
    (suite,) = junitparser.JUnitXml.fromstring(text)
    cases = {case.name: case for case in suite}
    assert len(cases) == suite.tests == len(Verdict)
    assert (suite.failures, suite.errors, suite.skipped) == (2, 2, 2)
    failed = cases["eio4.made.fail[a,b]"]
    assert failed.classname == "eio4.made"
    (result,) = failed.result
    assert isinstance(result, junitparser.Failure)
    assert "title\u2407\u241e\u2400" in result.message
    assert "sio-conformance run 'eio4.made.fail[a,b]'" in result.text
    properties = failed.child(junitparser.Properties)
    assert [(each.name, each.value) for each in properties][:2] == [
        ("rule", "T-MUST MUST text"),
        ("rule", "T-SHOULD SHOULD text"),
    ]


def test_xml_shows_what_it_cannot_hold() -> None:
    assert legal("a\x1eb\x00\t\n\r\x7f\ufffe\ud800😀ä") == "a␞b␀\t\n␍\x7f\\ufffe\\ud800😀ä"


def test_markdown_shows_hostile_text_and_obeys_none(hostile: Report) -> None:
    for text in (
        renderings.markdown(hostile),
        renderings.matrix_markdown(renderings.Matrix((hostile, hostile))),
    ):
        outside_code = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
        assert not re.search(r"(?<!\\)<", outside_code)
        assert not re.search(r"(?<!\\)\]\(", outside_code)
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert rows
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1
    assert escaped("a|b\n<c>") == "a\\|b \\<c\\>"
    assert code("a`b``c") == "```a`b``c```"
    assert code("`") == "`` ` ``"
    assert code("a|b", in_table=True) == "`a\\|b`"


def test_the_summary_counts_and_lists(tmp_path: Path) -> None:
    verdicts = {
        "eio4.one.a": Verdict.PASS,
        "eio4.one.b": Verdict.FAIL,
        "sio5.two.c": Verdict.SKIP,
    }
    text = renderings.markdown(make_report(tmp_path / "r", verdicts, exit_code=1))
    assert "## a server 2: not conformant" in text
    assert "**EIO4 MUST 0/1**, **SIO5 MUST 1/1**" in text
    assert "| eio4.one | 2 | 1 | 1 | 0 | 0 |" in text
    assert "| **all** | 3 | **1** | **1** | **0** | **1** |" in text
    assert "- **FAIL** `eio4.one.b`: because" in text
    assert "  - T-MUST (MUST, text): s" in text
    assert "  - repeat: `sio-conformance run eio4.one.b`" in text
    assert "- 1 skipped: because" in text


@pytest.mark.parametrize(
    ("verdict", "exit_code", "message", "color"),
    [
        (Verdict.PASS, CONFORMANT, "EIO4 MUST 1/1", "brightgreen"),
        (Verdict.FAIL, 1, "EIO4 MUST 0/1", "red"),
        # Foreseen by the list of known failures, and broken all the same.
        (Verdict.FAIL, CONFORMANT, "EIO4 MUST 0/1", "red"),
        (Verdict.PASS, 1, "EIO4 MUST 1/1", "red"),
        (Verdict.PASS, INCONCLUSIVE, "EIO4 MUST 1/1", "lightgrey"),
    ],
)
def test_the_badge_counts_rules(
    tmp_path: Path, verdict: Verdict, exit_code: int, message: str, color: str
) -> None:
    report = make_report(tmp_path / "r", {"eio4.a.b": verdict}, exit_code=exit_code)
    found = json.loads(renderings.badge(report))
    assert found == {
        "schemaVersion": 1,
        "label": "conformance",
        "message": message,
        "color": color,
    }


def test_a_badge_of_nothing_is_not_green(tmp_path: Path) -> None:
    found = json.loads(renderings.badge(make_report(tmp_path / "r", {})))
    assert (found["message"], found["color"]) == ("nothing", "lightgrey")


def test_only_what_the_protocol_demands_is_tallied(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with Writer(path) as writer:
        writer.header(HEADER)
        writer.rules(RULES.values())
        result = make_result(Verdict.FAIL)
        result.case = make_case("sio5.a.b")
        result.checks = [Check(rule, rule == "T-MUST", "this", "that") for rule in RULES]
        writer.case(result)
        result.checks = [Check("T-MUST", True, "this", "that")]
        writer.case(result)
        result.checks = [Check("T-MUST", False, "this", "that", ("T-MUST", "T-REF"))]
        writer.case(result)
        writer.footer(duration=1, exit_code=1, target_exit=None, target_stderr="")
    assert [str(tally) for tally in tallies(read_report(path))] == ["SIO5 MUST 1/1"]


def test_all_rules_at_stake_are_told(tmp_path: Path) -> None:
    """None is said to be broken, and each is named, wherever people look."""
    path = tmp_path / "r"
    with Writer(path) as writer:
        writer.header(HEADER)
        writer.rules(RULES.values())
        result = make_result(Verdict.WARN)
        result.checks = [Check("T-RULING", False, "this", "gone", ("T-RULING", "T-REF"))]
        writer.case(result)
        writer.footer(duration=1, exit_code=1, target_exit=None, target_stderr="")
    report = read_report(path)
    page = Page(renderings.html(report))
    assert page.text.count("where the case judges nothing") == 2
    for text in (renderings.markdown(report), renderings.junit(report)):
        assert "T-RULING" in text
        assert "T-REF" in text
    assert renderings.Matrix((report,)).dialects == ()


def test_annotations_are_a_line_each(hostile: Report) -> None:
    lines = renderings.github_annotations(hostile).splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error"] * 3 + ["::warning"] * 2
    assert lines[0].startswith("::error title=FAIL eio4.made.fail[a%2Cb]::<script>")
    assert "{%25 raw %25}" in lines[0]
    assert "%0A" in lines[0]


def test_a_matrix_has_a_column_for_each_run(tmp_path: Path) -> None:
    first = make_report(
        tmp_path / "1",
        {"eio4.a.x[1]": Verdict.PASS, "eio4.a.x[2]": Verdict.PASS, "eio4.a.y": Verdict.PASS},
        values={"eio4.a.y": "200"},
    )
    second = make_report(
        tmp_path / "2",
        {"eio4.a.x[1]": Verdict.FAIL, "eio4.a.x[2]": Verdict.FAIL, "eio4.b.z": Verdict.SKIP},
        name="b|server",
        exit_code=1,
    )
    matrix = renderings.Matrix((first, second, first))
    assert matrix.names == ["a server 2", "b|server 2", "a server 2 (2)"]
    found = {row.id: [cell and cell.text for cell in row.cells] for row in matrix.rows}
    assert found == {
        "eio4.a.x[1]": ["pass", "fail", "pass"],
        "eio4.a.x[2]": ["pass", "fail", "pass"],
        "eio4.a.y": ["pass", None, "pass"],
        "eio4.b.z": [None, "skip", None],
    }
    text = renderings.matrix_markdown(matrix, links=["1-a.html", "2-b.html", "3.html"])
    assert "2 of 4 cases are passed by all, or skipped." in text
    assert (
        "| `eio4.a.x[*]` | [pass](1-a.html#eio4.a.x%5B1%5D) | [**fail**](2-b.html#eio4.a.x%5B1%5D)"
        in text
    )
    assert "b\\|server 2" in text
    data = json.loads(renderings.matrix_json(matrix))
    assert data["cases"] == found
    assert data["targets"][1]["rules"] == {"EIO4": [0, 1]}
    assert data["targets"][1]["verdicts"] == {"fail": 2, "skip": 1}


def test_dialects_are_what_nobody_prescribes(tmp_path: Path) -> None:
    reports = [
        make_report(tmp_path / str(number), {"eio4.a.x": Verdict.PASS}, values={"eio4.a.x": value})
        for number, value in enumerate(["400", "400", "500"])
    ]
    (dialect,) = renderings.Matrix(tuple(reports[:2])).dialects
    assert not dialect.differs
    matrix = renderings.Matrix(tuple(reports))
    (dialect,) = matrix.dialects
    assert (dialect.id, dialect.what, dialect.values) == (
        "eio4.a.x",
        "status",
        ("400", "400", "500"),
    )
    assert dialect.differs
    assert "| `eio4.a.x` | status | `400` | `400` | `500` |" in renderings.matrix_markdown(matrix)


def test_a_broken_ruling_is_a_dialect(hostile: Report, tmp_path: Path) -> None:
    report = make_report(tmp_path / "r", {"eio4.made.pass[a,b]": Verdict.PASS})
    matrix = renderings.Matrix((hostile, report))
    values = {d.what: d.values for d in matrix.dialects if d.id == "eio4.made.pass[a,b]"}
    assert values["T-RULING: a refusal"] == (TEXT, "–")


def test_a_matrix_page_is_harmless(hostile: Report, tmp_path: Path) -> None:
    report = make_report(tmp_path / "r", {"eio4.made.pass[a,b]": Verdict.PASS})
    matrix = renderings.Matrix((hostile, report))
    page = Page(renderings.matrix_html(matrix, links=["1-a.html", "2-b.html"]))
    check_harmless(page)
    assert "1-a.html#eio4.made.fail%5Ba%2Cb%5D" in page.values("href")
    assert page.values("data-verdict")[0] == "error"
    check_harmless(Page(renderings.matrix_html(matrix)))
