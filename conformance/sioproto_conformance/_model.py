"""The nouns of the suite: rules, cases, checks and verdicts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from sioproto_conformance._bench import Bench

Level = Literal["MUST", "SHOULD", "MAY"]
Origin = Literal[
    "text",
    "implied",
    "example",
    "manual",
    "official-suite",
    "reference",
    "ruling",
    "robustness",
    "security",
]
Testable = Literal["wire", "vector", "api", "no"]


class SuiteError(Exception):
    """The suite itself is at fault: a case, a rule or a data file that is not in order."""


class Verdict(StrEnum):
    """What a case found out. The last three only arise from a list of known failures."""

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    INFO = "info"
    SKIP = "skip"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    XFAIL = "xfail"
    XPASS = "xpass"
    FLAKY = "flaky"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One obligation of the protocol, in our own words, and where it comes from."""

    id: str
    statement: str
    level: Level
    origin: Origin
    revisions: tuple[int, ...]
    role: Literal["server", "client", "both"]
    source: str
    """Where it was read: ``key#anchor``, a source of the notes and a place in it."""
    testable: Testable
    """By a peer on the network, by bytes given to a codec, by an application, or not at all."""
    reason: str = ""
    """Why it cannot be tested, if it cannot."""
    features: tuple[str, ...] = ()
    """What an implementation has to have for the rule to say anything about it."""
    see: tuple[str, ...] = ()

    @property
    def guards_robustness(self) -> bool:
        """Whether breaking it is counted under the heading of its own, robustness."""
        return self.origin in ("robustness", "security")

    @property
    def verdict_when_broken(self) -> Verdict:
        """The verdict of a case whose check of this rule fails.

        Only the protocol's own text can make a server fail; what merely describes the reference
        implementation, or settles what the text leaves open, warns or informs.
        """
        if self.guards_robustness:
            return Verdict.FAIL
        if self.origin == "ruling" or self.level == "MAY":
            return Verdict.INFO
        if self.origin in ("text", "implied", "example") and self.level == "MUST":
            return Verdict.FAIL
        return Verdict.WARN


SECURITY = "security"
"""The tag of cases that are run against one's own server only."""
RISKY = frozenset({SECURITY, "crash", "flood", "limits"})
"""The tags of cases that a server in use had better be spared, as they send more than is decent."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question put to a server."""

    id: str
    summary: str
    covers: tuple[str, ...]
    needs: tuple[str, ...]
    tags: frozenset[str]
    run: Callable[[Bench], Awaitable[None]]
    problem: str | None = None
    """Why this case cannot be run at all, when the suite has a bug."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """What its checks are charged to instead of rules that are not those of its protocol."""

    @property
    def protocol(self) -> str:
        """``eio4``, ``sio5``, ..."""
        return self.id.partition(".")[0]

    @property
    def base(self) -> str:
        """The id without its variant."""
        return self.id.partition("[")[0]

    @property
    def area(self) -> str:
        """The first two parts of the id, e.g. ``eio4.polling``."""
        return area_of(self.id)


def area_of(id: str) -> str:
    """Return the area of the case with this id."""
    return ".".join(id.split(".")[:2])


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One comparison that a case made, held or not."""

    rule: str
    ok: bool
    expected: str
    actual: str
    at_stake: tuple[str, ...] = ()
    """Rules one of which is broken, nobody knows which: the server went astray where the case
    judges nothing. ``rule`` is the first of them."""

    @property
    def rules(self) -> tuple[str, ...]:
        """What it is about: one rule, or those at stake."""
        return self.at_stake or (self.rule,)

    @property
    def finding(self) -> str:
        """What was expected of which rule, and what came."""
        found = f"expected {self.expected}; {self.actual}"
        if self.at_stake:
            at_stake = ", ".join(self.at_stake)
            return f"astray where the case judges nothing: {found} (at stake: {at_stake})"
        return f"{self.rule}: {found}"


class Observation(msgspec.Struct, frozen=True):
    """Something worth knowing about a server that no rule decides."""

    name: str
    value: str


_WORST_FIRST = (Verdict.FAIL, Verdict.WARN, Verdict.INFO)


def verdict_of(broken: Check, rules: Mapping[str, Rule]) -> Verdict:
    """Return the verdict of a case for a check that did not hold.

    Where several rules are at stake it is theirs if they all have the same, else ``WARN``: that
    none of them is kept is not known.
    """
    found = {rules[rule].verdict_when_broken for rule in broken.rules}
    return found.pop() if len(found) == 1 else Verdict.WARN


def judge(
    checks: Iterable[Check], observations: Iterable[Observation], rules: Mapping[str, Rule]
) -> Verdict:
    """Return the verdict of a case that ran to its end.

    The worst check decides. A case that checked nothing has found nothing out: ``INFO`` if
    it observed something, else ``ERROR``.
    """
    made = list(checks)
    broken = {verdict_of(check, rules) for check in made if not check.ok}
    for verdict in _WORST_FIRST:
        if verdict in broken:
            return verdict
    if made:
        return Verdict.PASS
    return Verdict.INFO if list(observations) else Verdict.ERROR
