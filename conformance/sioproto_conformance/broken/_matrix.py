"""Which cases notice which broken server: all against all."""

from __future__ import annotations

import functools
import gc
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from random import Random
from typing import Any, get_args

from sioproto_conformance._fixture import Settings
from sioproto_conformance._model import Case, Level, Origin, Verdict
from sioproto_conformance._registry import all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance._runner import Result
from sioproto_conformance._select import select
from sioproto_conformance.broken import BROKEN
from sioproto_conformance.broken._reach import Place, Reach
from sioproto_conformance.broken._trial import CAUGHT, cases_in_memory, is_caught, judge

Kill = dict[str, Any]


def kills(
    names: Sequence[str], *, variants: int | None = None, jobs: int | None = None
) -> Iterator[tuple[str, Kill]]:
    """Yield for each broken server who notices it, in the order given.

    Args:
        names: of the broken servers.
        variants: so many of each case are run, chosen once for all; ``None`` for all of them. Of
            the case that a broken server names, all of those that it names are.
        jobs: processes that work side by side; ``None`` for one for each processor.
    """
    # The others start from nothing: a break must not be inherited.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_begin) as pool:
        yield from zip(names, pool.map(partial(_kill, variants=variants), names), strict=True)


def figures() -> list[str]:
    """Count the broken servers by the origin and the level of their rules: a table in Markdown."""
    counts = Counter(
        (all_rules()[broken.rule].origin, all_rules()[broken.rule].level)
        for broken in BROKEN.values()
    )
    levels = get_args(Level)
    lines = [f"| origin | {' | '.join(levels)} |", f"|---|{'---|' * len(levels)}"]
    for origin in get_args(Origin):
        row = [str(counts[origin, level] or "") for level in levels]
        lines.append(f"| {origin} | {' | '.join(row)} |")
    totals = [str(sum(counts[origin, level] for origin in get_args(Origin))) for level in levels]
    return [*lines, f"| all {len(BROKEN)} | {' | '.join(totals)} |"]


def _begin() -> None:
    """What was imported stays, so there is no need to look through it for garbage: a quarter less
    work, measured."""
    gc.collect()
    gc.freeze()


def _kill(name: str, *, variants: int | None) -> Kill:
    broken = BROKEN[name]
    named = judge(select(all_cases(), [broken.case]), broken)
    sound = _sound(tuple(sorted(broken.settings.items())), variants)
    others = [
        case
        for case in _some(variants)
        if case.base != named[0].case.base
        and sound[case.id].verdict not in CAUGHT
        and _REACH.may_notice(broken, sound[case.id].called)
    ]
    caught_by = {result.case.base for result in judge(others, broken) if result.verdict in CAUGHT}
    kill: Kill = {
        "rule": broken.rule,
        "case": broken.case,
        "verdict": str(_worst(named)),
        "caught": any(is_caught(result, broken.rule) for result in named),
        "also_caught_by": sorted(caught_by),
    }
    return kill if broken.wide is None else {**kill, "wide": broken.wide}


_REACH = Reach(BROKEN.values())


@dataclass(frozen=True, slots=True)
class _Sound:
    """What a case found out about the server that is not broken, and what it got it to do."""

    verdict: Verdict
    called: frozenset[Place]


@functools.cache
def _sound(settings: tuple[tuple[str, Any], ...], variants: int | None) -> Mapping[str, _Sound]:
    found: dict[str, _Sound] = {}

    def after(result: Result) -> None:
        found[result.case.id] = _Sound(result.verdict, _REACH.take())

    with _REACH.watching():
        judge(_some(variants), settings=replace(Settings(), **dict(settings)), after=after)
    return found


def _some(variants: int | None) -> list[Case]:
    """All cases, or of each some variants, always the same."""
    chosen: list[Case] = []
    for base, alike in groupby(cases_in_memory(), key=lambda case: case.base):
        group = list(alike)
        if variants is not None and variants < len(group):
            group = Random(base).sample(group, variants)
        chosen += group
    return chosen


def _worst(results: Iterable[Result]) -> Verdict:
    """Fail before warn before info, and what is none of these last."""
    verdicts = {result.verdict for result in results}
    return next((verdict for verdict in CAUGHT if verdict in verdicts), min(verdicts))
