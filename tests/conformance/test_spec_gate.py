"""The gate of the notes is green for notes in order, and red for each single defect.

Each defect is put into a small checkout that is in order otherwise. A gate that lets everything
through looks just like one that has nothing to stop.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sioproto_conformance._model import Case, SuiteError
from sioproto_conformance.broken import Broken
from sioproto_conformance.spec._check import Subject, problems
from sioproto_conformance.spec._evidence import read_kills
from sioproto_conformance.spec._ladder import snapshot_of
from sioproto_conformance.spec._links import read_links
from sioproto_conformance.spec._notes import read_notes
from tests.conformance.support import make_case


def rule(id: str, **fields: object) -> str:
    entry: dict[str, object] = {
        "id": id,
        "statement": "The server answers.",
        "level": "MUST",
        "origin": "text",
        "source": "eio4#upgrade",
        "revisions": [4],
        "role": "server",
        "testable": "wire",
        **fields,
    }
    return "[[rule]]\n" + "".join(f"{key} = {json.dumps(entry[key])}\n" for key in entry)


FILES = {
    "spec_notes/rules/engineio/upgrade.toml": "\n".join(
        [
            rule("EIO-UPS-01"),
            rule("EIO-UPS-02", see=["EIO-UPS-01"]),
            rule("EIO-UPS-03", level="SHOULD", origin="ruling", features=["upgrade"]),
            rule("EIO-UPS-04", testable="no", reason="It takes a telescope."),
            rule("EIO-UPS-05", role="client"),
            rule("EIO-UPS-06", revisions=[3]),
        ]
    ),
    "spec_notes/sources.toml": """
[[source]]
key = "eio4"
title = "The document"
kind = "document"
repository = "socketio/socket.io"
path = "v4.md"
commit = "d2d753f"
anchors = ["upgrade"]
""",
    "spec_notes/rulings.toml": """
[[ruling]]
id = "noop-timing"
question = "When?"
variants = ["now", "later"]
decision = "Later."
reason = "It spins."
rules = ["EIO-UPS-03"]
""",
    "spec_notes/retired.toml": """
[[retired]]
id = "EIO-UPS-90"
reason = "Said twice."
see = ["EIO-UPS-01"]
""",
    "spec_notes/exceptions.toml": """
[[exception]]
rule = "EIO-UPS-02"
reason = "inseparable"
note = "Whatever breaks one breaks the other."
by = "EIO-UPS-01"
""",
    "spec_notes/essays/upgrades.md": """
# Upgrades

When to answer (EIO-UPS-01): see [noop-timing](../rulings.toml), and [this page](upgrades.md#top).
""",
    "sioproto/_session.py": "# A comment on EIO-UPS-01.\n",
    "tests/test_session.py": """
import pytest

pytestmark = [pytest.mark.covers("EIO-UPS-06")]

@pytest.mark.covers("EIO-UPS-01", "EIO-UPS-02")
def test_it():
    pass
""",
    "conformance/results/kills.json": json.dumps(
        {
            "no-answer": {
                "rule": "EIO-UPS-01",
                "case": "eio4.upgrade.probe.answered",
                "verdict": "fail",
                "caught": True,
            }
        }
    ),
}
CASE = make_case("eio4.upgrade.probe.answered[polling]", covers=("EIO-UPS-01", "EIO-UPS-03"))
OTHER_CASE = make_case("eio4.upgrade.other", covers=("EIO-UPS-03",))


class Server:
    """What is broken on purpose here."""

    answers = True


BROKEN = Broken(
    name="no-answer",
    what="No probe is answered.",
    rule="EIO-UPS-01",
    case="eio4.upgrade.probe.answered",
    owner=Server,
    attribute="answers",
    replacement=False,
)


class Checkout:
    """A small project on disk, in order until a test changes something."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cases: list[Case] = [CASE, OTHER_CASE]
        self.broken: list[Broken] = [BROKEN]
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        self.update_snapshot()

    def update_snapshot(self) -> None:
        path = self.root / "spec_notes" / "snapshot.txt"
        path.write_text(snapshot_of(self.subject().standings), "utf-8")

    def subject(self) -> Subject:
        return Subject(
            notes=read_notes(self.root / "spec_notes"),
            links=read_links(self.root, self.cases, self.broken),
            kills=read_kills(self.root / "conformance" / "results" / "kills.json"),
        )

    def problems(self) -> list[str]:
        return problems(self.subject())

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text("utf-8")
        assert old in text, "this would change nothing"
        path.write_text(text.replace(old, new, 1), "utf-8")

    def append(self, name: str, text: str) -> None:
        self.write(name, (self.root / name).read_text("utf-8") + "\n" + text)

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, "utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_notes_in_order_are_green(checkout: Checkout) -> None:
    assert checkout.problems() == []
    standings = checkout.subject().standings
    assert {id: each.rung for id, each in standings.items()} == {
        "EIO-UPS-01": "proven",
        "EIO-UPS-02": "covered",
        "EIO-UPS-03": "covered",
        "EIO-UPS-04": "catalogued",
        "EIO-UPS-05": "catalogued",
        "EIO-UPS-06": "covered",
    }
    assert [id for id, each in standings.items() if each.needs_proof] == [
        "EIO-UPS-01",
        "EIO-UPS-02",
    ]


RULES = "spec_notes/rules/engineio/upgrade.toml"
KILLS = "conformance/results/kills.json"


def _edit(name: str, old: str, new: str) -> Callable[[Checkout], None]:
    return lambda checkout: checkout.edit(name, old, new)


def _append(name: str, text: str) -> Callable[[Checkout], None]:
    return lambda checkout: checkout.append(name, text)


def _broken(**changes: object) -> Callable[[Checkout], None]:
    def change(checkout: Checkout) -> None:
        checkout.broken = [replace(BROKEN, **changes)]  # type: ignore[arg-type]  # by name

    return change


def _second(**changes: object) -> Callable[[Checkout], None]:
    """Another broken server, caught as well, that differs from the first by these."""

    def change(checkout: Checkout) -> None:
        fields = {"what": "No packet is read.", "replacement": None, **changes}
        second = replace(BROKEN, name="another", rule="EIO-UPS-03", **fields)  # type: ignore[arg-type]  # by name
        checkout.broken.append(second)
        kill = {"rule": second.rule, "case": second.case, "verdict": "warn", "caught": True}
        kills = json.loads(FILES[KILLS]) | {"another": kill}
        checkout.write(KILLS, json.dumps(kills))
        checkout.update_snapshot()

    return change


def _case(id: str, *covers: str) -> Callable[[Checkout], None]:
    return lambda checkout: checkout.cases.append(make_case(id, covers=covers))


def _uncovered(checkout: Checkout) -> None:
    checkout.cases = [OTHER_CASE, make_case(CASE.id, covers=("EIO-UPS-03",))]
    checkout.update_snapshot()


def _lost_rule(checkout: Checkout) -> None:
    checkout.edit(RULES, rule("EIO-UPS-05", role="client"), "")


def _shuffle(checkout: Checkout) -> None:
    path = checkout.root / "spec_notes" / "snapshot.txt"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([lines[0], *reversed(lines[1:])]), "utf-8")


DEFECTS: dict[str, tuple[Callable[[Checkout], None], str]] = {
    # Rules
    "no such source": (_edit(RULES, "eio4#upgrade", "eio9#upgrade"), "eio9, which is no source"),
    "no such anchor": (_edit(RULES, "eio4#upgrade", "eio4#downgrade"), "no such anchor"),
    "no such feature": (_edit(RULES, '["upgrade"]', '["teleport"]'), "'teleport'"),
    "untestable without a reason": (_edit(RULES, "It takes a telescope.", ""), "say why"),
    "reason, but testable": (_edit(RULES, '"no"', '"api"'), "say why"),
    "of no revision": (_edit(RULES, "[3]", "[]"), "of no revision"),
    "a source twice": (
        _append("spec_notes/sources.toml", FILES["spec_notes/sources.toml"]),
        "eio4",
    ),
    # Rulings and essays
    "ruling without a ruling": (_edit("spec_notes/rulings.toml", "UPS-03", "UPS-01"), "no ruling"),
    "ruling of no rule": (
        _edit("spec_notes/rulings.toml", '["EIO-UPS-03"', '["EIO-UPS-03", "EIO-UPS-99"'),
        "names EIO-UPS-99, which is no rule",
    ),
    "ruling without rules": (
        _append(
            "spec_notes/rulings.toml",
            FILES["spec_notes/rulings.toml"].replace('"EIO-UPS-03"', "").replace("noop", "x"),
        ),
        "x-timing names no rule",
    ),
    "half a ruling": (_edit("spec_notes/rulings.toml", "It spins.", ""), "leaves something out"),
    "a ruling twice": (
        _append("spec_notes/rulings.toml", FILES["spec_notes/rulings.toml"]),
        "noop-timing is there twice",
    ),
    "no essay tells of a ruling": (
        _edit("spec_notes/essays/upgrades.md", "[noop-timing]", "[noop]"),
        "no essay tells of the ruling noop-timing",
    ),
    "essay on no ruling": (
        _append("spec_notes/essays/upgrades.md", "[moot](../rulings.toml)"),
        "moot, which is no ruling",
    ),
    "link to nowhere": (
        _edit("spec_notes/essays/upgrades.md", "upgrades.md#top", "downgrades.md"),
        "leads to downgrades.md",
    ),
    "essay on no rule": (
        _append("spec_notes/essays/upgrades.md", "See EIO-UPS-99."),
        "names EIO-UPS-99, which is no rule",
    ),
    "essay without a title": (_edit("spec_notes/essays/upgrades.md", "# Up", "Up"), "no title"),
    # Ids
    "a retired id used again": (_append(RULES, rule("EIO-UPS-90")), "used again"),
    "retired twice": (
        _append("spec_notes/retired.toml", FILES["spec_notes/retired.toml"]),
        "retired twice",
    ),
    "retired in favour of nothing": (
        _edit("spec_notes/retired.toml", "UPS-01", "UPS-99"),
        "refers to EIO-UPS-99",
    ),
    "an id that has gone": (_lost_rule, "EIO-UPS-05 has gone"),
    # What names rules
    "orphan in code": (_append("sioproto/_session.py", "# EIO-UPS-99"), "code: sioproto/_session"),
    "orphan marker": (_edit("tests/test_session.py", "UPS-02", "UPS-99"), "tests: tests/test_ses"),
    "orphan marker of a file": (_edit("tests/test_session.py", "UPS-06", "UPS-99"), "UPS-99"),
    "case of no rule": (_case("eio4.upgrade.x", "EIO-UPS-99"), "covers EIO-UPS-99"),
    "case of what cannot be seen": (_case("eio4.upgrade.x", "EIO-UPS-04"), "no peer"),
    # Broken servers
    "breaks no rule": (_broken(rule="EIO-UPS-99"), "breaks EIO-UPS-99"),
    "broken without its case": (_broken(case="eio4.upgrade.lost"), "there is none"),
    "case does not cover the rule": (_broken(case="eio4.upgrade.other"), "does not cover"),
    "one break, two rules": (_second(replacement=False), "are one broken server"),
    "one break under two names": (_second(what=BROKEN.what), "are one broken server"),
    # Results that were kept
    "caught no more": (_edit(KILLS, "true", "false"), "no-answer was not caught"),
    "result of another rule": (_edit(KILLS, "UPS-01", "UPS-02"), "another rule or case"),
    "result of another case": (_edit(KILLS, "answered", "other"), "another rule or case"),
    "result of nobody": (_edit(KILLS, "no-answer", "nobody"), "nobody, which is no broken server"),
    "no result": (_edit(KILLS, "no-answer", "nobody"), "no result was kept"),
    # Proofs
    "MUST without a broken server": (
        lambda checkout: checkout.broken.clear(),
        "EIO-UPS-01 is not proven: no broken server",
    ),
    "MUST without a case": (_uncovered, "EIO-UPS-01 is not proven: no case"),
    "a new MUST": (_append(RULES, rule("EIO-UPS-07")), "EIO-UPS-07 is not proven"),
    "a new MUST of both": (_append(RULES, rule("EIO-UPS-07", role="both")), "UPS-07 is not prov"),
    "a SHOULD that became a MUST": (_edit(RULES, "SHOULD", "MUST"), "EIO-UPS-03 is not proven"),
    "no exception any more": (
        lambda checkout: checkout.write("spec_notes/exceptions.toml", ""),
        "EIO-UPS-02 is not proven",
    ),
    # Exceptions
    "a reason that is none": (
        _edit("spec_notes/exceptions.toml", "inseparable", "no time"),
        "'no time': no such reason",
    ),
    "excepted without a word": (
        _edit("spec_notes/exceptions.toml", "Whatever breaks one breaks the other.", ""),
        "without a word",
    ),
    "excepted behind nothing": (
        _edit("spec_notes/exceptions.toml", 'by = "EIO-UPS-01"', ""),
        "behind nothing",
    ),
    "excepted behind what is not proven": (
        _edit("spec_notes/exceptions.toml", '"EIO-UPS-01"', '"EIO-UPS-03"'),
        "behind EIO-UPS-03: not proven",
    ),
    "excepted twice": (
        _append("spec_notes/exceptions.toml", FILES["spec_notes/exceptions.toml"]),
        "excepted twice",
    ),
    "exception for no rule": (
        _edit("spec_notes/exceptions.toml", "UPS-02", "UPS-99"),
        "excepted, and is no rule",
    ),
    "exception that is not needed": (
        _edit("spec_notes/exceptions.toml", "UPS-02", "UPS-03"),
        "excepted, and needs no proof",
    ),
    "stale exception": (
        _edit("spec_notes/exceptions.toml", "UPS-02", "UPS-01"),
        "the exception is stale",
    ),
    "behind another for another reason": (
        _edit("spec_notes/exceptions.toml", "inseparable", "process"),
        "is not inseparable from it",
    ),
    # The snapshot
    "level changed": (_edit(RULES, "SHOULD", "MAY"), "snapshot.txt is stale"),
    "rule added": (_append(RULES, rule("EIO-UPS-07", level="MAY")), "snapshot.txt is stale"),
    "cover lost": (lambda checkout: checkout.cases.remove(CASE), "snapshot.txt is stale"),
    "code names it no more": (_edit("sioproto/_session.py", "EIO-UPS-01", "it"), "is stale"),
    "lines out of order": (_shuffle, "snapshot.txt is stale"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_each_single_defect_is_red(checkout: Checkout, name: str) -> None:
    defect, message = DEFECTS[name]
    defect(checkout)
    found = checkout.problems()
    assert any(message in problem for problem in found), found


UNREADABLE = {
    "duplicate id": (_append(RULES, rule("EIO-UPS-01")), "EIO-UPS-01 is used twice"),
    "reference to no rule": (_edit(RULES, '["EIO-UPS-01"]', '["EIO-UPS-99"]'), "EIO-UPS-99"),
    "level": (_edit(RULES, '"MUST"', '"OUGHT"'), "OUGHT"),
    "role": (_edit(RULES, '"client"', '"proxy"'), "proxy"),
    "origin": (_edit(RULES, '"text"', '"rumour"'), "rumour"),
    "testable": (_edit(RULES, '"wire"', '"maybe"'), "maybe"),
    "no source": (_edit(RULES, 'source = "eio4#upgrade"', ""), "source"),
    "a field that is none": (_edit(RULES, "source =", 'colour = "red"\nsource ='), "colour"),
    "kind of source": (_edit("spec_notes/sources.toml", '"document"', '"gossip"'), "gossip"),
    "ruling with more": (_append("spec_notes/rulings.toml", 'colour = "red"'), "colour"),
    "no sources": (
        lambda checkout: (checkout.root / "spec_notes/sources.toml").unlink(),
        "sources.toml",
    ),
    "results that are none": (_edit(KILLS, "caught", "seen"), "kills.json"),
    "marker that is computed": (
        _edit("tests/test_session.py", '"EIO-UPS-02"', "TWO"),
        "written out",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_red_as_well(checkout: Checkout, name: str) -> None:
    defect, message = UNREADABLE[name]
    defect(checkout)
    with pytest.raises(SuiteError, match=message):
        checkout.problems()


def test_an_installed_suite_has_neither_code_nor_proofs(checkout: Checkout) -> None:
    subject = checkout.subject()
    links = read_links(None, checkout.cases, checkout.broken)
    installed = replace(subject, links=links, kills={}, whole=False)
    assert problems(installed) == []
    assert problems(replace(installed, whole=True)) != []
