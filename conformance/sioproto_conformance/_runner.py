"""Runs cases: in parallel where they can be, each with its bench, every wait bounded."""

from __future__ import annotations

import os
import re
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import trio

from sioproto_conformance._bench import Bench, Finished, Inconclusive, Skipped
from sioproto_conformance._model import (
    RISKY,
    SECURITY,
    Case,
    Check,
    Observation,
    Rule,
    Verdict,
    judge,
    verdict_of,
)
from sioproto_conformance._probe import Survey
from sioproto_conformance._standing import Standing
from sioproto_conformance.peers.wire import Entry, Impossible, PeerError

_ANSWER_TIMEOUT = 2.0
# A distant server needs a few round trips for what a near one answers at once.
_ROUND_TRIPS = 20
# No case needs anything near this; it is the net under a case that hangs through a bug of its own.
_CASE_TIMEOUT = 30.0
# A case that takes longer than this waits for something that does not come. Then another may work,
# up to a limit: on a machine that is too busy every case takes longer.
_WORKING_TIME = 0.4
_WAITING_PER_JOB = 4
# So many retried cases in a row that come out as before, and it is not chance any more.
_FUTILE_RETRIES = 4
_LAST_BREATH = 0.02

# A machine on which a process waits this many seconds for its turn is busy.
_BUSY = 0.1
# A pong that is late by this part of the time it may take, or by less, is in time all the same.
_TOO_LATE = 0.25
_OPEN_TO_DOUBT = (Verdict.FAIL, Verdict.WARN, Verdict.INFO)

# What the runtimes of most languages write in front of the message of an error that ends them.
_ERROR = re.compile(r"^(\S+ )*[A-Za-z.:]*(Error|Exception|panic(ked)?|fatal)\b.*:", re.IGNORECASE)

FAST_HEARTBEAT = "fast-heartbeat"
"""The need of cases that a machine under load would disturb."""
SERIAL = "serial"
"""The tag of cases that would disturb others, or be disturbed by them."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to run."""

    jobs: int = 16
    """Cases that work at once. Those that merely wait do not count, up to three more for each."""
    slack: float = 1.0
    seed: str = "0"
    include_security: bool = False
    safe: bool = False
    """Whether to withhold what is risky, and what tries how much the target can take."""


@dataclass
class Result:
    """What one case found out."""

    case: Case
    verdict: Verdict
    reason: str = ""
    checks: list[Check] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    transcript: list[Entry] = field(default_factory=list)
    duration: float = 0.0
    attempts: int = 1
    robustness: bool = False
    """Whether a broken rule is one of robustness or security."""
    timed_out: bool = False
    """Whether silence decided, and may have been due to a busy machine."""
    expectation: str = ""
    """Why this was expected, from the list of known failures."""
    withheld: bool = False
    """Whether it was not run lest it should harm somebody else's server."""
    target_ended: Literal["before", "meanwhile"] | None = None
    """When the process of the target ended, if it had when the case was over."""


def default_slack() -> float:
    """Return the factor on every time limit that suits this machine: twice as much in CI."""
    return 2.0 if os.environ.get("CI") else 1.0


def answer_timeout(survey: Survey, options: Options) -> float:
    """Return how many seconds a case waits for an answer."""
    return options.slack * (_ANSWER_TIMEOUT + _ROUND_TRIPS * survey.round_trip)


class Runner:
    """Runs cases against one surveyed target.

    ``report`` is called with each result that stands, in the order in which the cases end;
    ``exited`` tells how the target's process ended, ``None`` while it runs. One that has ended is
    started again where that is possible, and the case that ends it is looked for.
    """

    def __init__(
        self,
        survey: Survey,
        rules: Mapping[str, Rule],
        options: Options,
        report: Callable[[Result], None],
        *,
        exited: Callable[[], int | None] = lambda: None,
        started: Callable[[Case], None] = lambda case: None,
    ) -> None:
        self._standing = Standing(survey, exited)
        self._rules = rules
        self._options = options
        self._report = report
        self._started = started
        self._working = trio.CapacityLimiter(options.jobs)
        self._punctuality = Punctuality()
        self._open = trio.CapacityLimiter(options.jobs * _WAITING_PER_JOB)

    async def run(self, cases: Sequence[Case]) -> list[Result]:
        """Run the cases and return their results in the order of the cases."""
        results: dict[str, Result] = {}
        doubtful: list[Result] = []

        def settle(result: Result) -> None:
            results[result.case.id] = result
            self._report(result)

        def sort(result: Result) -> None:
            if _is_doubtful(result):
                doubtful.append(result)
            else:
                settle(result)

        async with trio.open_nursery() as watching:
            watching.start_soon(self._punctuality.watch)
            try:
                for batch in _batches(cases):
                    await self._run_batch(batch, sort, settle)
                await self._retry(doubtful, settle)
            finally:
                await self._standing.end()
            watching.cancel_scope.cancel()
        return [results[case.id] for case in cases]

    async def _run_batch(
        self,
        batch: Sequence[Case],
        sort: Callable[[Result], None],
        settle: Callable[[Result], None],
    ) -> None:
        """Run cases side by side, however often they end the target."""
        while batch:
            cut_short: list[Result] = []
            await self._run_together(batch, partial(_sort_out, cut_short, sort))
            if not cut_short or not await self._standing.start_again():
                for result in cut_short:
                    settle(result)
                return
            suspects = [result for result in cut_short if result.target_ended == "meanwhile"]
            again: list[Result] = []
            if await self._find_culprits([result.case for result in suspects], again):
                suspects = again
            for result in suspects:
                settle(result)
            batch = [result.case for result in cut_short if result.target_ended == "before"]

    async def _run_together(self, cases: Sequence[Case], done: Callable[[Result], None]) -> None:
        async def run_one(case: Case) -> None:
            done(await self._run_in_turn(case))

        async with trio.open_nursery() as nursery:
            for case in cases:
                nursery.start_soon(run_one, case)

    async def _find_culprits(self, cases: Sequence[Case], results: list[Result]) -> bool:
        """Run the cases again, by halves for as long as the target ends; tell whether one ends it.

        Only a case that ends it while nothing else runs has failed by that.
        """
        found: list[Result] = []
        await self._run_together(cases, found.append)
        code = self._standing.exited()
        for result in found:
            result.attempts += 1
        if code is None or (len(cases) > 1 and not await self._standing.start_again()):
            results += found
            return False
        if len(cases) == 1:
            self._blame(found[0], code)
            results += found
            await self._standing.start_again()
            return True
        half = len(cases) // 2
        guilty = [await self._find_culprits(part, results) for part in (cases[:half], cases[half:])]
        return any(guilty)

    def _blame(self, result: Result, code: int) -> None:
        """Make the result that of the case that has ended the target, all alone."""
        result.verdict, result.robustness = Verdict.FAIL, True
        result.reason = f"the target ended with {code} when this case alone ran"
        said = self._standing.last_words()
        if said:
            result.reason += f": {_most_telling(said)}\n{said}"

    async def _run_in_turn(self, case: Case) -> Result:
        async with self._open, trio.open_nursery() as nursery:
            await nursery.start(self._work_for_a_while)
            result = await self.run_case(case)
            nursery.cancel_scope.cancel()
        return result

    async def _work_for_a_while(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Hold one of the jobs until cancelled, or until the case can only be waiting."""
        async with self._working:
            task_status.started()
            await trio.sleep(_WORKING_TIME)

    async def _retry(self, doubtful: list[Result], settle: Callable[[Result], None]) -> None:
        """Run each case once more, alone, until it is clear that it makes no difference."""
        futile: Counter[Verdict] = Counter()
        for first in doubtful:
            if futile[first.verdict] >= _FUTILE_RETRIES or self._standing.exited() is not None:
                settle(first)
                continue
            second = await self.run_case(first.case)
            second.attempts = 2
            futile[first.verdict] += 1
            if second.verdict != first.verdict:
                futile[first.verdict] = 0
            code = self._standing.exited()
            if code is not None and second.target_ended == "meanwhile":
                self._blame(second, code)
                await self._standing.start_again()
            settle(second)

    async def run_case(self, case: Case) -> Result:
        """Run one case now and return what it found out."""
        self._started(case)
        if case.problem is not None:
            return Result(case, Verdict.ERROR, f"the case is not in order: it {case.problem}")
        reason = self._withheld(case)
        if reason is not None:
            return Result(case, Verdict.SKIP, f"withheld: {reason}", withheld=True)
        survey = self._standing.survey
        for need in case.needs:
            if need in survey.lacking:
                # Whoever declares what is not there is not let off with a skip.
                verdict = Verdict.FAIL if need in survey.claimed else Verdict.SKIP
                return Result(case, verdict, f"needs {need}: {survey.lacking[need]}")
        code = self._standing.exited()
        if code is not None:
            reason = f"the target had ended with {code} before"
            return Result(case, Verdict.INCONCLUSIVE, reason, target_ended="before")
        began = time.perf_counter()
        result = await self._run_on_bench(case)
        result.duration = time.perf_counter() - began
        if result.verdict is not Verdict.PASS:
            # The connections of a process are closed before it is known to have ended.
            await trio.sleep(_LAST_BREATH)
        code = self._standing.exited()
        if code is not None:
            result.target_ended = "meanwhile"
            if result.verdict is not Verdict.PASS:
                ended = f"the target ended with {code} while this case ran"
                result.reason = f"{result.reason}; {ended}" if result.reason else ended
        return result

    def _withheld(self, case: Case) -> str | None:
        """Return why this target is spared the case, if it is."""
        if self._options.safe and not RISKY.isdisjoint(case.tags):
            return "it is not run with --safe"
        if SECURITY in case.tags and not self._options.include_security:
            return "it is run with --include-security only"
        return None

    async def _run_on_bench(self, case: Case) -> Result:
        survey = self._standing.survey
        site = survey.fast if FAST_HEARTBEAT in case.needs else survey.slow
        timeout = answer_timeout(survey, self._options)
        ending: Ending | None = None
        began = trio.current_time()
        bench = Bench(case, site, timeout=timeout, seed=self._options.seed)
        limit = _CASE_TIMEOUT * timeout / _ANSWER_TIMEOUT
        try:
            async with bench.open():
                with trio.move_on_after(limit) as scope:
                    ending = await _end_of(bench, survey.shakes_hands)
                if scope.cancelled_caught:
                    ending = Ending(Verdict.INCONCLUSIVE, f"not done after {limit:.0f} s")
        except Exception as error:
            ending = _bug(_first_leaf(error))
        assert ending is not None
        result = self._result(bench, ending)
        late = self._punctuality.worst_since(began)
        # Silence of a server that answers others, on a machine that has time, is no accident.
        result.timed_out = result.timed_out and late > _BUSY
        if result.verdict in _OPEN_TO_DOUBT and late > _TOO_LATE * site.ping_timeout:
            result.verdict = Verdict.INCONCLUSIVE
            result.reason = f"this machine was late by {late:.2f} s at times; {result.reason}"
        return result

    def _result(self, bench: Bench, ending: Ending) -> Result:
        findings = bench.findings
        verdict, reason = ending.verdict, ending.reason
        broken = [check for check in findings.checks if not check.ok]
        if verdict is None:
            verdict = judge(findings.checks, findings.observations, self._rules)
            if verdict is Verdict.ERROR:
                reason = "the case recorded no check"
            elif broken:
                reason = _worst_reason(broken, self._rules)
        return Result(
            case=bench.case,
            verdict=verdict,
            reason=reason,
            checks=findings.checks,
            observations=findings.observations,
            transcript=bench.transcript.entries,
            robustness=any(
                all(self._rules[rule].guards_robustness for rule in check.rules) for check in broken
            ),
            timed_out=findings.timed_out,
        )


def _batches(cases: Sequence[Case]) -> list[list[Case]]:
    """Return what may run side by side: most cases, the ones that need punctuality, single ones.

    Where a pong has 200 ms, a peer that gets no processor for that long is closed with good reason.
    """
    serial = [[case] for case in cases if SERIAL in case.tags]
    parallel = [case for case in cases if SERIAL not in case.tags]
    punctual = [case for case in parallel if FAST_HEARTBEAT in case.needs]
    return [[case for case in parallel if case not in punctual], punctual, *serial]


def _sort_out(cut_short: list[Result], sort: Callable[[Result], None], result: Result) -> None:
    if result.target_ended is None:
        sort(result)
    else:
        cut_short.append(result)


def _most_telling(said: str) -> str:
    """Return the line of a complaint that names what happened, as far as one can tell."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if _ERROR.search(line)), lines[-1])


def _is_doubtful(result: Result) -> bool:
    """Tell whether the case is worth a second run, alone."""
    if result.verdict is Verdict.INCONCLUSIVE or result.timed_out:
        return True
    return FAST_HEARTBEAT in result.case.needs and result.verdict in _OPEN_TO_DOUBT


class Punctuality:
    """How late this process gets the processor."""

    _EVERY = 0.01

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []

    async def watch(self) -> None:
        """Keep an eye on it until cancelled."""
        while True:
            due = trio.current_time() + self._EVERY
            await trio.sleep_until(due)
            now = trio.current_time()
            if now - due > self._EVERY:
                self._late.append((now, now - due))

    def worst_since(self, began: float) -> float:
        """Return by how many seconds it was late at worst, 0 if never by much."""
        return max((late for at, late in reversed(self._late) if at >= began), default=0.0)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the function of a case ended; without a verdict the checks decide."""

    verdict: Verdict | None = None
    reason: str = ""


async def _end_of(bench: Bench, shakes_hands: bool) -> Ending:
    try:
        await bench.case.run(bench)
    except Exception as error:
        ending = _ending_by(_first_leaf(error), bench)
    else:
        ending = Ending()
    found = bench.findings
    silent = found.timed_out and not found.others_waited
    if silent and shakes_hands and not await bench.responsive():
        return Ending(Verdict.INCONCLUSIVE, "nothing came in time, as the server is too busy")
    return ending


def _ending_by(error: Exception, bench: Bench) -> Ending:
    if isinstance(error, (Skipped, Impossible)):
        return Ending(Verdict.SKIP, str(error))
    if isinstance(error, Inconclusive):
        return Ending(Verdict.INCONCLUSIVE, str(error))
    if isinstance(error, PeerError):
        bench.astray(error)
    elif not isinstance(error, Finished):
        return _bug(error)
    return Ending()


def _first_leaf(error: Exception) -> Exception:
    """Return what a nursery of the case wrapped up: the first of several ends the case."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _bug(error: Exception) -> Ending:
    """Anything else that is raised is a bug of the suite, which must not end the whole run."""
    trace = "".join(traceback.format_exception(error)[-2:]).strip()
    return Ending(Verdict.ERROR, f"{type(error).__name__}: {error}\n{trace}")


def _worst_reason(broken: Sequence[Check], rules: Mapping[str, Rule]) -> str:
    order = (Verdict.FAIL, Verdict.WARN, Verdict.INFO)
    return min(broken, key=lambda check: order.index(verdict_of(check, rules))).finding
