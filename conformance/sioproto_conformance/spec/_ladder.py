"""How far each rule has come."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sioproto_conformance._model import Case, Rule
from sioproto_conformance.broken import Broken
from sioproto_conformance.spec._evidence import Kill
from sioproto_conformance.spec._links import Links
from sioproto_conformance.spec._notes import Exemption, Notes

RUNGS = ("catalogued", "implemented", "covered", "verified", "proven")
_HEADER = (
    "# How far each rule has come. Written by: python -m sioproto_conformance.spec check --update"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One rule and everything that stands behind it."""

    rule: Rule
    code: tuple[str, ...]
    cases: tuple[str, ...]
    tests: tuple[str, ...]
    verified: tuple[str, ...]
    broken: tuple[str, ...]
    """Broken servers that are tagged with it, caught or not."""
    proofs: tuple[str, ...]
    """Those of them that the case named for them caught."""
    exemption: Exemption | None

    @property
    def rungs(self) -> dict[str, bool]:
        """Each rung of the ladder, and whether it is reached."""
        reached = (True, self.code, self.cases or self.tests, self.verified, self.proofs)
        return {rung: bool(there) for rung, there in zip(RUNGS, reached, strict=True)}

    @property
    def rung(self) -> str:
        """The highest rung that is reached."""
        return [rung for rung, there in self.rungs.items() if there][-1]

    @property
    def needs_proof(self) -> bool:
        """Whether the gate asks for a proof."""
        return needs_proof(self.rule)


def needs_proof(rule: Rule) -> bool:
    """Tell whether a rule has to be proven: what a server of today must do, seen from outside."""
    revision = 4 if rule.id.startswith("EIO") else 5
    return (
        rule.level == "MUST"
        and rule.role in ("server", "both")
        and rule.testable == "wire"
        and revision in rule.revisions
    )


def covering(broken: Broken, cases: Iterable[Case]) -> list[Case]:
    """Return the case that is named for a broken server, or all of its variants."""
    return [case for case in cases if broken.case in (case.id, case.base)]


def is_proof(broken: Broken, kill: Kill | None, cases: Iterable[Case]) -> bool:
    """Tell whether the broken server was caught as it should be."""
    return (
        kill is not None
        and kill.caught
        and (kill.rule, kill.case) == (broken.rule, broken.case)
        and any(broken.rule in case.covers for case in covering(broken, cases))
    )


def standings(
    notes: Notes,
    links: Links,
    kills: Mapping[str, Kill],
    verified: Iterable[tuple[str, str]] = (),
) -> dict[str, Standing]:
    """Return how far each rule has come, by its id."""
    passed: dict[str, list[str]] = defaultdict(list)
    for named, by in verified:
        passed[named].append(by)
    exempt = {exemption.rule: exemption for exemption in notes.exemptions}
    found = {}
    for id, rule in notes.rules.items():
        broken = [each for each in links.broken if each.rule == id]
        found[id] = Standing(
            rule=rule,
            code=links.code.get(id, ()),
            cases=tuple(case.id for case in links.cases_of(id)),
            tests=links.tests.get(id, ()),
            verified=tuple(passed.get(id, ())),
            broken=tuple(each.name for each in broken),
            proofs=tuple(
                each.name for each in broken if is_proof(each, kills.get(each.name), links.cases)
            ),
            exemption=exempt.get(id),
        )
    return found


def snapshot_of(all: Mapping[str, Standing]) -> str:
    """Return what is kept under version control: a line for each rule, without what a run adds."""
    lines = [_HEADER]
    for id in sorted(all, key=sort_key):
        standing = all[id]
        rule = standing.rule
        rungs = [rung for rung, there in standing.rungs.items() if there and rung != "verified"][1:]
        revisions = "+".join(str(revision) for revision in rule.revisions)
        exempt = [f"exempt:{standing.exemption.reason}"] if standing.exemption else []
        words = (id, rule.level, rule.origin, rule.role, revisions, rule.testable, *rungs, *exempt)
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def ids_of(snapshot: str) -> list[str]:
    """Return the ids of the rules in a snapshot."""
    lines = [line for line in snapshot.splitlines() if line and not line.startswith("#")]
    return [line.split()[0] for line in lines]


def sort_key(id: str) -> tuple[str, int, str]:
    """Order ids by area and number."""
    area, _, number = id.rpartition("-")
    digits = number.rstrip("abcdefghijklmnopqrstuvwxyz")
    return area, int(digits) if digits.isdigit() else 0, number


def count(all: Iterable[Standing]) -> Counter[str]:
    """Return how many rules reach each rung."""
    counts: Counter[str] = Counter()
    for standing in all:
        counts.update(rung for rung, there in standing.rungs.items() if there)
    return counts
