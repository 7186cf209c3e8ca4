"""What is wrong with the notes, with what refers to them, and with the proofs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sioproto_conformance.spec._evidence import Kill
from sioproto_conformance.spec._ladder import (
    Standing,
    covering,
    ids_of,
    is_proof,
    needs_proof,
    snapshot_of,
    standings,
)
from sioproto_conformance.spec._links import Links
from sioproto_conformance.spec._notes import FEATURES, REASONS, Notes

_RULINGS = "../rulings.toml"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at."""

    notes: Notes
    links: Links
    kills: Mapping[str, Kill]
    whole: bool = True
    """Whether this is a checkout. An installed suite has neither code, tests nor kept results."""

    @property
    def standings(self) -> dict[str, Standing]:
        """How far each rule has come."""
        return standings(self.notes, self.links, self.kills)


def problems(subject: Subject) -> list[str]:
    """Return what is wrong, one sentence each, in a fixed order."""
    checks: list[Callable[[Subject], Iterable[str]]] = [
        rules_in_order,
        rulings_in_order,
        essays_in_order,
        ids_never_reused,
        nothing_orphaned,
        broken_in_order,
    ]
    if subject.whole:
        checks += [kills_in_order, musts_proven, exemptions_in_order, snapshot_current]
    return [problem for check in checks for problem in check(subject)]


def rules_in_order(subject: Subject) -> Iterator[str]:
    """Each rule has a place that exists, and words that the notes know."""
    places = {source.key: source.anchors for source in subject.notes.sources}
    for key, times in Counter(source.key for source in subject.notes.sources).items():
        if times > 1:
            yield f"the source {key} is there twice"
    ruled = {rule for ruling in subject.notes.rulings for rule in ruling.rules}
    for rule in subject.notes.rules.values():
        key, _, anchor = rule.source.partition("#")
        if key not in places:
            yield f"{rule.id} is from {key}, which is no source"
        elif anchor not in places[key]:
            yield f"{rule.id} is from {rule.source}, and {key} has no such anchor"
        for feature in rule.features:
            if feature not in FEATURES:
                yield f"{rule.id} needs {feature!r}, which is no feature"
        if (rule.testable == "no") != bool(rule.reason):
            yield f"{rule.id} has to say why it cannot be tested, or nothing if it can"
        if rule.origin == "ruling" and rule.id not in ruled:
            yield f"{rule.id} comes from a ruling, and no ruling names it"
        if not rule.revisions:
            yield f"{rule.id} is of no revision"


def rulings_in_order(subject: Subject) -> Iterator[str]:
    """Each ruling has an id of its own, and rules that exist."""
    for id, times in Counter(ruling.id for ruling in subject.notes.rulings).items():
        if times > 1:
            yield f"the ruling {id} is there twice"
    for ruling in subject.notes.rulings:
        if not all((ruling.question, ruling.variants, ruling.decision, ruling.reason)):
            yield f"the ruling {ruling.id} leaves something out"
        if not ruling.rules:
            yield f"the ruling {ruling.id} names no rule"
        for rule in ruling.rules:
            if rule not in subject.notes.rules:
                yield f"the ruling {ruling.id} names {rule}, which is no rule"


def essays_in_order(subject: Subject) -> Iterator[str]:
    """Each ruling is in an essay, and each link leads somewhere."""
    rulings = {ruling.id for ruling in subject.notes.rulings}
    told: set[str] = set()
    for essay in subject.notes.essays:
        if not essay.title:
            yield f"{essay.name} has no title"
        for text, target in essay.links:
            if target == _RULINGS:
                told.add(text)
                if text not in rulings:
                    yield f"{essay.name} tells of {text}, which is no ruling"
            elif "://" not in target and not _leads(subject.notes, target):
                yield f"{essay.name} leads to {target}, which is not there"
        for rule in sorted(essay.mentions - subject.notes.rules.keys()):
            yield f"{essay.name} names {rule}, which is no rule"
    for id in sorted(rulings - told):
        yield f"no essay tells of the ruling {id}"


def _leads(notes: Notes, target: str) -> bool:
    return (notes.folder / "essays" / target.partition("#")[0]).exists()


def ids_never_reused(subject: Subject) -> Iterator[str]:
    """An id that was given away stays, as a rule or as retired."""
    rules = subject.notes.rules
    retired = Counter(entry.id for entry in subject.notes.retired)
    for id, times in retired.items():
        if times > 1:
            yield f"{id} is retired twice"
        if id in rules:
            yield f"{id} is retired, and used again"
    for entry in subject.notes.retired:
        for other in entry.see:
            if other not in rules:
                yield f"the retired {entry.id} refers to {other}, which is no rule"
    for id in ids_of(subject.notes.snapshot):
        if id not in rules and id not in retired:
            yield f"{id} has gone: an id that is not used any more is retired"


def nothing_orphaned(subject: Subject) -> Iterator[str]:
    """Code, tests and cases name rules that exist, and that can be shown so."""
    rules = subject.notes.rules
    for what, found in (("code", subject.links.code), ("tests", subject.links.tests)):
        for id, places in found.items():
            if id not in rules:
                yield f"{what}: {places[0]} names {id}, which is no rule"
    covered = {(case.base, id): None for case in subject.links.cases for id in case.covers}
    for base, id in covered:
        if id not in rules:
            yield f"the case {base} covers {id}, which is no rule"
        elif rules[id].testable in ("api", "no"):
            yield f"the case {base} covers {id}, which no peer is said to see"


def broken_in_order(subject: Subject) -> Iterator[str]:
    """Each broken server breaks one rule, by a break of its own, which its case covers."""
    first: dict[tuple[object, ...], str] = {}
    for broken in subject.links.broken:
        if broken.rule not in subject.notes.rules:
            yield f"the broken server {broken.name} breaks {broken.rule}, which is no rule"
        cases = covering(broken, subject.links.cases)
        if not cases:
            yield f"the broken server {broken.name} names the case {broken.case}: there is none"
        elif not any(broken.rule in case.covers for case in cases):
            yield f"the case of the broken server {broken.name} does not cover {broken.rule}"
        place = (id(broken.owner), broken.attribute)
        for how in (id(broken.replacement), broken.what):
            twin = first.setdefault((*place, how), broken.name)
            if twin != broken.name:
                yield f"{twin} and {broken.name} are one broken server: it proves one rule"
                break


def kills_in_order(subject: Subject) -> Iterator[str]:
    """What was kept of the broken servers is of those that are there, and they were caught."""
    servers = {broken.name: broken for broken in subject.links.broken}
    for name in subject.kills:
        if name not in servers:
            yield f"results were kept of {name}, which is no broken server"
    for name, broken in servers.items():
        kill = subject.kills.get(name)
        if kill is None:
            yield f"no result was kept of the broken server {name}"
        elif (kill.rule, kill.case) != (broken.rule, broken.case):
            yield f"the result of the broken server {name} is of another rule or case"
        elif not kill.caught:
            yield f"the broken server {name} was not caught"


def musts_proven(subject: Subject) -> Iterator[str]:
    """What a server must do, and what can be seen from outside, is proven or exempt."""
    exempt = {exemption.rule for exemption in subject.notes.exemptions}
    for id, standing in subject.standings.items():
        if standing.needs_proof and not standing.proofs and id not in exempt:
            yield f"{id} is not proven: {_lacking(standing, subject)}"


def _lacking(standing: Standing, subject: Subject) -> str:
    if not standing.cases:
        return "no case covers it"
    if not standing.broken:
        return "no broken server breaks it"
    missed = [
        broken.name
        for broken in subject.links.broken
        if broken.rule == standing.rule.id
        and not is_proof(broken, subject.kills.get(broken.name), subject.links.cases)
    ]
    return f"{', '.join(missed)} was not caught"


def exemptions_in_order(subject: Subject) -> Iterator[str]:
    """An exception is for a reason on the list, for a rule that needs it, and while it does."""
    all = subject.standings
    for id, times in Counter(exemption.rule for exemption in subject.notes.exemptions).items():
        if times > 1:
            yield f"{id} is excepted twice"
    for exemption in subject.notes.exemptions:
        standing = all.get(exemption.rule)
        if standing is None:
            yield f"{exemption.rule} is excepted, and is no rule"
        elif not needs_proof(standing.rule):
            yield f"{exemption.rule} is excepted, and needs no proof"
        elif standing.proofs:
            yield f"{exemption.rule} is excepted, and proven: the exception is stale"
        if exemption.reason not in REASONS:
            yield f"{exemption.rule} is excepted for {exemption.reason!r}: no such reason"
        if not exemption.note:
            yield f"{exemption.rule} is excepted without a word on it"
        if exemption.reason == "inseparable":
            other = all.get(exemption.by)
            if other is None or not other.proofs:
                yield f"{exemption.rule} stands behind {exemption.by or 'nothing'}: not proven"
        elif exemption.by:
            yield f"{exemption.rule} stands behind {exemption.by}, and is not inseparable from it"


def snapshot_current(subject: Subject) -> Iterator[str]:
    """The snapshot under version control says how far each rule has come."""
    now = snapshot_of(subject.standings)
    if now == subject.notes.snapshot:
        return
    before = set(subject.notes.snapshot.splitlines())
    changed = [line for line in now.splitlines() if line not in before]
    changed += [f"no more: {line}" for line in before - set(now.splitlines())]
    example = min(changed, default="the order of the lines")
    yield f"snapshot.txt is stale in {len(changed)} lines, e.g. {example}"
