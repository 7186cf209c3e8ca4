"""Judging our own server, broken or not, in this process and in virtual time.

Every case gets a server of its own, so that a verdict depends on nothing but the case and
the break.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import trio
import trio.testing

from sioproto.trio import _wire, serve
from sioproto_conformance._fixture import Settings, endpoints
from sioproto_conformance._memory import MemoryAddress, MemoryListener
from sioproto_conformance._model import Case, Verdict
from sioproto_conformance._probe import survey
from sioproto_conformance._registry import all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance._runner import Options, Result, Runner
from sioproto_conformance._target import Manifest, Target
from sioproto_conformance.broken import Broken

CAUGHT = (Verdict.FAIL, Verdict.WARN, Verdict.INFO)
"""The verdicts of a case in which a check did not hold."""

# Nothing takes this long on a clock that jumps, but for what would wait for ever.
_PATIENCE = 10_000

_URLS = ("memory:fast", "memory:slow")


def cases_in_memory() -> list[Case]:
    """Return all cases but those that start a process, or search in a thread, for which a clock
    that jumps does not wait."""
    return [case for case in all_cases() if "model" not in case.tags and "stop" not in case.needs]


class Server:
    """Our server on a network in memory, with the two endpoints of the built-in target."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listeners: dict[str, MemoryListener] = {}
        self.crash: BaseException | None = None
        """What ended it, if anything did."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve while the context lasts, with nothing left from before."""
        self.crash = None
        self._listeners = {url: MemoryListener() for url in _URLS}
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve)
            yield
            nursery.cancel_scope.cancel()

    async def _serve(self) -> None:
        made, config = endpoints(self._settings)
        try:
            async with trio.open_nursery() as nursery:
                for applications, listener in zip(made, self._listeners.values(), strict=True):
                    nursery.start_soon(
                        partial(serve, *applications, listeners=[listener], config=config)
                    )
        except BaseExceptionGroup as group:
            # As a process that ends, which is noticed from outside, and ends nothing here.
            cancelled, self.crash = group.split(trio.Cancelled)
            if cancelled is not None:
                raise cancelled from None

    def exit_code(self) -> int | None:
        """Return with what its process would have ended, ``None`` while it runs."""
        return None if self.crash is None else 1

    def find(self, url: str) -> MemoryAddress:
        """Return where an endpoint listens."""

        async def connect() -> trio.abc.Stream:
            return await self._listeners[url].connect()

        return MemoryAddress(url, 80, False, connect)


def judge(
    cases: Sequence[Case],
    broken: Broken | None = None,
    settings: Settings | None = None,
    *,
    seed: int = 0,
    after: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Run cases against our server, and return what they found out, in their order.

    ``settings`` replace those that a broken server asks for itself; ``after`` is called when a case
    has ended, with what it found out.
    """
    with ExitStack() as stack:
        if broken is not None:
            settings = settings or replace(Settings(), **broken.settings)
            stack.enter_context(broken.broken())
        chance = stack.enter_context(_scheduling())
        # There are no addresses in memory, and applications are told where a client is.
        stack.enter_context(patch.object(_wire, "_peer_address", lambda stream: "127.0.0.1"))
        return trio.run(
            _judge,
            cases,
            settings or Settings(),
            lambda case: chance.seed(f"{seed} {case.id}"),
            after,
            clock=trio.testing.MockClock(autojump_threshold=0),
        )


async def _judge(
    cases: Sequence[Case],
    settings: Settings,
    before: Callable[[Case], None],
    after: Callable[[Result], None],
) -> list[Result]:
    server = Server(settings)
    fast, slow = _URLS
    target = Target(Manifest(name="in process", url=fast), fast, slow, built_in=True)
    target.find = server.find
    async with server.serving():
        found = await survey(target)
    runner = Runner(
        found,
        all_rules(),
        Options(include_security=True),
        lambda result: None,
        exited=server.exit_code,
    )
    results: list[Result] = []
    for case in cases:
        before(case)
        with trio.fail_after(_PATIENCE):
            async with server.serving():
                results.append(await runner.run_case(case))
        after(results[-1])
    return results


def is_caught(result: Result, rule: str) -> bool:
    """Tell whether a case has noticed that this rule is broken, and not only that something is."""
    noticed = any(check.rules == (rule,) and not check.ok for check in result.checks)
    return noticed and result.verdict in CAUGHT


@contextmanager
def _scheduling() -> Iterator[random.Random]:
    """Let trio choose which of several tasks runs first by this, which the caller seeds for each
    case: it goes the same way whatever ran before it.

    There is no public way to ask for that; Hypothesis and pytest-trio go this one too.
    """
    names = vars(trio._core._run)
    chance = random.Random(0)
    wanted = {"_ALLOW_DETERMINISTIC_SCHEDULING": True, "_r": chance}
    before = {name: names[name] for name in wanted}
    names.update(wanted)
    try:
        yield chance
    finally:
        names.update(before)
