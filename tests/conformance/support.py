"""Made-up rules, cases and results for the tests of the suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sioproto_conformance._bench import Bench, Site
from sioproto_conformance._model import Case, Rule, Verdict
from sioproto_conformance._probe import Survey
from sioproto_conformance._runner import Result
from sioproto_conformance.peers.wire import Address

RULES = {
    rule.id: rule
    for rule in (
        Rule("T-MUST", "s", "MUST", "text", (4,), "server", "doc#place", "wire"),
        Rule("T-SHOULD", "s", "SHOULD", "text", (4,), "server", "doc#place", "wire"),
        Rule("T-REF", "s", "MUST", "reference", (4,), "server", "doc#place", "wire"),
        Rule("T-RULING", "s", "MUST", "ruling", (4,), "server", "doc#place", "wire"),
        Rule("T-ROBUST", "s", "MUST", "robustness", (4,), "server", "doc#place", "wire"),
    )
}
# Nothing listens on the discard port; cases that connect have to bring a server.
SITE = Site(Address("127.0.0.1", 9, tls=False), "/engine.io/", "/socket.io/")


async def passes(t: Bench) -> None:
    t.check(True, "something")


def make_case(
    id: str = "eio4.made.up",
    run: Callable[[Bench], Awaitable[None]] = passes,
    *,
    covers: tuple[str, ...] = tuple(RULES),
    needs: tuple[str, ...] = (),
    tags: tuple[str, ...] = (),
    problem: str | None = None,
) -> Case:
    return Case(id, "A question.", covers, needs, frozenset(tags), run, problem)


def make_result(verdict: Verdict, *, id: str = "eio4.made.up", reason: str = "") -> Result:
    return Result(make_case(id), verdict, reason)


def make_survey(*, shakes_hands: bool = True, lacking: dict[str, str] | None = None) -> Survey:
    return Survey(SITE, SITE, lacking or {}, 0.001, shakes_hands)
