"""The ladder for people and for programs: HTML and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import jinja2
import msgspec

from sioproto_conformance._stream import now, suite_version
from sioproto_conformance.spec._ladder import RUNGS, Standing, count, needs_proof, sort_key
from sioproto_conformance.spec._notes import FEATURES, REASONS, Notes

PROTOCOLS = {"EIO": "Engine.IO", "SIO": "Socket.IO"}
_TESTABLE = {
    "wire": "by a peer on the network",
    "vector": "by bytes given to a codec",
    "api": "by an application",
    "no": "not at all",
}


def summary(all: Mapping[str, Standing]) -> list[tuple[str, list[int]]]:
    """Return for groups of rules how many there are on each rung."""
    groups: list[tuple[str, list[Standing]]] = [("all", list(all.values()))]
    for prefix, name in PROTOCOLS.items():
        own = [each for each in all.values() if each.rule.id.startswith(prefix)]
        groups.append((f"{name}, servers", [each for each in own if each.rule.role != "client"]))
        groups.append((f"{name}, clients", [each for each in own if each.rule.role != "server"]))
        groups.append((f"{name}, to be proven", [each for each in own if each.needs_proof]))
    rows = []
    for name, members in groups:
        counts = count(members)
        rows.append((name, [counts[rung] for rung in RUNGS]))
    return rows


def exemptions_by_reason(notes: Notes) -> dict[str, int]:
    """Return for each reason on the list how many rules are excepted for it."""
    return {reason: sum(each.reason == reason for each in notes.exemptions) for reason in REASONS}


def to_json(notes: Notes, all: Mapping[str, Standing]) -> bytes:
    """Return the whole ladder as JSON, for programs."""
    document = {
        "format": 1,
        "suite": suite_version(),
        "written": now(),
        "counts": {name: dict(zip(RUNGS, counts, strict=True)) for name, counts in summary(all)},
        "exceptions": exemptions_by_reason(notes),
        "rules": [_plain(all[id]) for id in sorted(all, key=sort_key)],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _plain(standing: Standing) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(standing.rule),
        "rungs": standing.rungs,
        "needs_proof": standing.needs_proof,
        "code": standing.code,
        "cases": standing.cases,
        "tests": standing.tests,
        "verified": standing.verified,
        "broken": standing.broken,
        "proofs": standing.proofs,
        "exception": standing.exemption,
    }


def to_html(notes: Notes, all: Mapping[str, Standing], problems: Sequence[str]) -> str:
    """Return the ladder as one page, which needs nothing but a browser."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sioproto_conformance.spec", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sources = {source.key: source for source in notes.sources}
    essays = {
        text: essay for essay in notes.essays for text, target in essay.links if "ruling" in target
    }
    return environment.get_template("report.html.j2").render(
        rungs=RUNGS,
        summary=summary(all),
        exemptions=exemptions_by_reason(notes),
        reasons=REASONS,
        features=FEATURES,
        testable=_TESTABLE,
        problems=problems,
        areas=_areas(all.values()),
        sources=sources,
        rulings=notes.rulings,
        rulings_of={
            id: [ruling.id for ruling in notes.rulings if id in ruling.rules] for id in all
        },
        essays=essays,
        gated=sum(needs_proof(rule) for rule in notes.rules.values()),
        version=suite_version(),
        written=now(),
    )


def _areas(all: Iterable[Standing]) -> list[tuple[str, list[Standing]]]:
    ordered = sorted(all, key=lambda each: sort_key(each.rule.id))
    return [
        (area, list(members))
        for area, members in groupby(ordered, lambda each: each.rule.id.rpartition("-")[0])
    ]
