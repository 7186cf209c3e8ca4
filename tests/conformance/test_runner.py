"""How what happens in a case becomes its verdict."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import cast

import pytest
import trio
import trio.testing

from sioproto_conformance._bench import Bench
from sioproto_conformance._model import RISKY, Case, Verdict
from sioproto_conformance._probe import Survey
from sioproto_conformance._registry import all_cases
from sioproto_conformance._runner import (
    Options,
    Punctuality,
    Result,
    Runner,
    answer_timeout,
)
from sioproto_conformance._target import LaunchError, Target
from sioproto_conformance.peers.wire import Gone, Impossible, NoAnswer, parse_url
from tests.conformance.support import RULES, SITE, make_case, make_survey, passes

Run = Callable[[Bench], Awaitable[None]]


async def fails(t: Bench) -> None:
    t.check(False, "this", "that")


async def warns(t: Bench) -> None:
    t.check(True, "this")
    t.check(False, "this", "that", rule="T-REF")


async def harms(t: Bench) -> None:
    t.check(False, "this", "that", rule="T-ROBUST")


async def observes(t: Bench) -> None:
    t.observe("status", 400)


async def does_nothing(t: Bench) -> None:
    pass


async def ends_early(t: Bench) -> None:
    t.require(False, "this", "that")
    raise AssertionError("not reached")


async def is_left_alone(t: Bench) -> None:
    raise Gone("an answer", "end of stream")


async def is_left_alone_with_a_question(t: Bench) -> None:
    with t.expecting("T-REF"):
        await is_left_alone(t)


async def is_left_alone_in_a_nursery(t: Bench) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(is_left_alone, t)
        await trio.sleep_forever()


async def swallows_a_check(t: Bench) -> None:
    with suppress(BaseException):
        t.require(False, "this", "that")


async def skips(t: Bench) -> None:
    t.skip("not here")


async def cannot(t: Bench) -> None:
    raise Impossible("TLS cannot")


async def gives_up(t: Bench) -> None:
    t.inconclusive("who knows")


async def has_a_bug(t: Bench) -> None:
    t.check(True, "this")
    raise ZeroDivisionError("oops")


async def has_a_bug_in_the_background(t: Bench) -> None:
    t.nursery.start_soon(has_a_bug, t)
    await trio.sleep_forever()


async def names_another_rule(t: Bench) -> None:
    t.check(True, "this", rule="T-OTHER")


async def hangs(t: Bench) -> None:
    await trio.sleep_forever()


async def _run(
    *cases: Case,
    survey: Survey | None = None,
    options: Options | None = None,
    exited: Callable[[], int | None] = lambda: None,
) -> list[Result]:
    reported: list[Result] = []
    runner = Runner(
        survey or make_survey(), RULES, options or Options(), reported.append, exited=exited
    )
    results = await runner.run(cases)
    assert sorted(map(id, reported)) == sorted(map(id, results))
    return results


@pytest.mark.parametrize(
    ("run", "verdict", "reason"),
    [
        (passes, Verdict.PASS, ""),
        (fails, Verdict.FAIL, "T-MUST: expected this; that"),
        (warns, Verdict.WARN, "T-REF: expected this; that"),
        (observes, Verdict.INFO, ""),
        (does_nothing, Verdict.ERROR, "no check"),
        (ends_early, Verdict.FAIL, "T-MUST"),
        (swallows_a_check, Verdict.FAIL, "T-MUST"),
        (is_left_alone, Verdict.WARN, "judges nothing: expected an answer; end of stream"),
        (is_left_alone_in_a_nursery, Verdict.WARN, "end of stream"),
        (is_left_alone_with_a_question, Verdict.WARN, "T-REF: expected an answer; end of stream"),
        (skips, Verdict.SKIP, "not here"),
        (cannot, Verdict.SKIP, "TLS cannot"),
        (gives_up, Verdict.INCONCLUSIVE, "who knows"),
        (has_a_bug, Verdict.ERROR, "ZeroDivisionError: oops"),
        (has_a_bug_in_the_background, Verdict.ERROR, "ZeroDivisionError: oops"),
        (names_another_rule, Verdict.ERROR, "does not cover"),
        (hangs, Verdict.INCONCLUSIVE, "not done after"),
    ],
)
async def test_a_case_ends_in_a_verdict(
    run: Run, verdict: Verdict, reason: str, autojump_clock: trio.testing.MockClock
) -> None:
    (result,) = await _run(make_case(run=run))
    assert result.verdict is verdict
    assert reason in result.reason


@pytest.mark.parametrize(
    ("covers", "verdict", "robustness", "reason"),
    [
        (("T-MUST",), Verdict.FAIL, False, "T-MUST: expected an answer; end of stream"),
        (("T-RULING",), Verdict.INFO, False, "T-RULING: expected an answer; end of stream"),
        (("T-MUST", "T-ROBUST"), Verdict.FAIL, False, "(at stake: T-MUST, T-ROBUST)"),
        (("T-SHOULD", "T-REF"), Verdict.WARN, False, "(at stake: T-SHOULD, T-REF)"),
        (("T-MUST", "T-RULING"), Verdict.WARN, False, "(at stake: T-MUST, T-RULING)"),
        (("T-RULING", "T-MUST"), Verdict.WARN, False, "(at stake: T-RULING, T-MUST)"),
        (("T-ROBUST",), Verdict.FAIL, True, "T-ROBUST: "),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else None,
)
async def test_who_goes_astray_breaks_one_of_several_rules(
    covers: tuple[str, ...], verdict: Verdict, robustness: bool, reason: str
) -> None:
    """It is no worse than all of them say, and no better than the best."""
    (result,) = await _run(make_case(covers=covers, run=is_left_alone))
    assert (result.verdict, result.robustness) == (verdict, robustness)
    assert reason in result.reason
    (check,) = result.checks
    assert check.at_stake == (covers if len(covers) > 1 else ())


async def test_robustness_is_told_apart() -> None:
    harmed, failed = await _run(make_case("eio4.a.b", run=harms), make_case("eio4.a.c", run=fails))
    assert (harmed.verdict, harmed.robustness) == (Verdict.FAIL, True)
    assert (failed.verdict, failed.robustness) == (Verdict.FAIL, False)


async def test_a_case_that_is_not_in_order_is_an_error_and_not_run() -> None:
    (result,) = await _run(make_case(run=passes, problem="covers T-GONE, which is no rule"))
    assert result.verdict is Verdict.ERROR
    assert "T-GONE" in result.reason


async def test_what_the_target_lacks_is_skipped_with_the_reason() -> None:
    survey = make_survey(lacking={"echo": "there is none"})
    needing, other = await _run(
        make_case("eio4.a.b", needs=("echo",)), make_case("eio4.a.c"), survey=survey
    )
    assert (needing.verdict, needing.reason) == (Verdict.SKIP, "needs echo: there is none")
    assert other.verdict is Verdict.PASS


async def test_what_is_claimed_and_not_there_fails() -> None:
    survey = make_survey(lacking={"echo": "there is none", "app": "neither is this"})
    survey = dataclasses.replace(survey, claimed=frozenset({"echo"}))
    claimed, lacking = await _run(
        make_case("eio4.a.b", needs=("echo",)),
        make_case("eio4.a.c", needs=("app",)),
        survey=survey,
    )
    assert (claimed.verdict, claimed.reason) == (Verdict.FAIL, "needs echo: there is none")
    assert lacking.verdict is Verdict.SKIP


async def test_security_is_withheld_unless_asked_for() -> None:
    case = make_case(tags=("security",))
    (withheld,) = await _run(case)
    assert withheld.verdict is Verdict.SKIP
    assert "withheld" in withheld.reason
    (run,) = await _run(case, options=Options(include_security=True))
    assert run.verdict is Verdict.PASS


class Script:
    """A case that does one thing the first time and another from then on; who ran with it?"""

    def __init__(self, first: Run, then: Run) -> None:
        self.runs = [first, then]
        self.count = 0

    async def __call__(self, t: Bench) -> None:
        run = self.runs[min(self.count, 1)]
        self.count += 1
        await run(t)


async def finds_silence(t: Bench) -> None:
    raise NoAnswer("an answer", "nothing came within 2.0 s")


async def test_an_inconclusive_case_is_tried_once_more() -> None:
    lucky, unlucky = Script(gives_up, passes), Script(gives_up, gives_up)
    first, second = await _run(make_case("eio4.a.b", run=lucky), make_case("eio4.a.c", run=unlucky))
    assert (first.verdict, first.attempts, lucky.count) == (Verdict.PASS, 2, 2)
    assert (second.verdict, second.attempts, unlucky.count) == (Verdict.INCONCLUSIVE, 2, 2)


async def test_a_failure_is_not_tried_again() -> None:
    script = Script(fails, passes)
    (result,) = await _run(make_case(run=script))
    assert (result.verdict, script.count) == (Verdict.FAIL, 1)


async def test_silence_of_a_server_that_never_spoke_is_its_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Punctuality, "worst_since", lambda self, began: 0.0)
    script = Script(finds_silence, finds_silence)
    case = make_case(run=script, covers=("T-MUST",))
    (result,) = await _run(case, survey=make_survey(shakes_hands=False))
    assert (result.verdict, script.count) == (Verdict.FAIL, 1)


async def test_silence_on_a_busy_machine_is_listened_to_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Punctuality, "worst_since", lambda self, began: 0.2)
    script = Script(finds_silence, passes)
    (result,) = await _run(make_case(run=script), survey=make_survey(shakes_hands=False))
    assert (result.verdict, script.count) == (Verdict.PASS, 2)


async def test_silence_of_a_server_that_is_gone_proves_nothing() -> None:
    (result,) = await _run(make_case(run=finds_silence), survey=make_survey(shakes_hands=True))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "too busy" in result.reason


async def test_retries_stop_when_they_make_no_difference() -> None:
    scripts = [Script(gives_up, gives_up) for _ in range(10)]
    results = await _run(*(make_case(f"eio4.a.b{n}", run=s) for n, s in enumerate(scripts)))
    assert sum(script.count for script in scripts) == 10 + 4
    assert {result.verdict for result in results} == {Verdict.INCONCLUSIVE}


async def test_no_more_cases_than_jobs_run_at_once_and_serial_ones_alone() -> None:
    running: set[str] = set()
    most = 0
    with_serial: list[int] = []

    async def run(t: Bench) -> None:
        nonlocal most
        running.add(t.case.id)
        most = max(most, len(running))
        if "serial" in t.case.tags:
            with_serial.append(len(running))
        for _ in range(5):
            await trio.testing.wait_all_tasks_blocked()
        running.remove(t.case.id)
        t.check(True, "something")

    cases = [make_case("eio4.s.s", run=run, tags=("serial",))]
    cases += [make_case(f"eio4.a.b{n}", run=run) for n in range(6)]
    results = await _run(*cases, options=Options(jobs=3))
    assert [result.case.id for result in results] == [case.id for case in cases]
    assert most == 3
    assert with_serial == [1]


async def test_the_death_of_the_target_is_told() -> None:
    codes: list[int | None] = [None]

    async def kills(t: Bench) -> None:
        codes[0] = -11
        t.check(False, "this", "that")

    killer, after = await _run(
        make_case("eio4.a.b", run=kills),
        make_case("eio4.a.c", tags=("serial",)),
        exited=lambda: codes[0],
    )
    assert killer.verdict is Verdict.FAIL
    assert "ended with -11 while this case ran" in killer.reason
    assert after.verdict is Verdict.INCONCLUSIVE
    assert "ended with -11 before" in after.reason


def test_a_distant_server_gets_more_time() -> None:
    near = Survey(make_survey().fast, make_survey().slow, {}, 0.001, True)
    far = Survey(make_survey().fast, make_survey().slow, {}, 0.2, True)
    assert answer_timeout(near, Options()) == pytest.approx(2.02)
    assert answer_timeout(far, Options()) == pytest.approx(6.0)
    assert answer_timeout(far, Options(slack=2.0)) == pytest.approx(12.0)


@pytest.mark.parametrize(
    ("late", "runs", "verdict"),
    [
        ((0.3,), [passes], Verdict.PASS),
        ((0.06, 0.0), [fails, passes], Verdict.PASS),
        ((0.06, 0.06), [fails, fails], Verdict.INCONCLUSIVE),
        ((0.0, 0.04), [fails, fails], Verdict.FAIL),
        ((0.0, 0.0), [warns, passes], Verdict.PASS),
        ((0.06, 0.06), [has_a_bug], Verdict.ERROR),
    ],
)
async def test_what_fails_while_the_machine_is_busy_is_inconclusive(
    late: tuple[float, ...],
    runs: list[Run],
    verdict: Verdict,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lateness = list(late)
    monkeypatch.setattr(Punctuality, "worst_since", lambda self, began: lateness.pop(0))
    site = dataclasses.replace(SITE, ping_timeout=0.2)
    script = Script(runs[0], runs[-1])
    case = make_case(run=script, needs=("fast-heartbeat",))
    (result,) = await _run(case, survey=Survey(site, site, {}, 0.001, True))
    assert result.verdict is verdict
    assert script.count == len(runs)
    assert ("this machine was late" in result.reason) is (verdict is Verdict.INCONCLUSIVE)


async def test_being_late_is_noticed() -> None:
    punctuality = Punctuality()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(punctuality.watch)
        await trio.sleep(0.02)
        time.sleep(0.1)  # noqa: ASYNC251  # nothing gets the processor meanwhile: that is the point
        await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    assert punctuality.worst_since(0.0) > 0.08
    assert punctuality.worst_since(trio.current_time()) == 0.0


async def test_being_in_time_is_no_lateness(autojump_clock: trio.testing.MockClock) -> None:
    punctuality = Punctuality()
    with trio.move_on_after(10.0):
        await punctuality.watch()
    assert punctuality.worst_since(0.0) == 0.0


async def test_cases_with_a_fast_heartbeat_wait_for_the_others() -> None:
    order: list[str] = []

    async def run(t: Bench) -> None:
        order.append(t.case.id)
        await trio.testing.wait_all_tasks_blocked()
        order.append(t.case.id)
        t.check(True, "something")

    await _run(
        make_case("eio4.c.serial", run=run, tags=("serial",)),
        make_case("eio4.b.timed", run=run, needs=("fast-heartbeat",)),
        make_case("eio4.a.other", run=run),
    )
    assert order[::2] == ["eio4.a.other", "eio4.b.timed", "eio4.c.serial"]


def test_what_could_harm_a_server_in_use_is_tagged() -> None:
    """``--safe`` goes by tags, and so the areas that are about taking a lot have to have one."""
    risky = [case for case in all_cases() if case.area.endswith((".limits", ".robustness"))]
    assert risky
    assert [case.id for case in risky if RISKY.isdisjoint(case.tags)] == []


@pytest.mark.parametrize(
    ("tag", "options", "spared"),
    [
        ("security", Options(), True),
        ("security", Options(include_security=True), False),
        ("security", Options(include_security=True, safe=True), True),
        ("crash", Options(), False),
        ("crash", Options(safe=True), True),
        ("flood", Options(safe=True), True),
        ("limits", Options(safe=True), True),
        ("close", Options(safe=True), False),
    ],
)
async def test_a_target_is_spared_what_it_is_to_be_spared(
    tag: str, options: Options, spared: bool
) -> None:
    case = make_case(tags=(tag,))
    (result,) = await Runner(make_survey(), RULES, options, lambda result: None).run([case])
    assert (result.verdict is Verdict.SKIP) == result.withheld == spared
    assert result.reason.startswith("withheld: ") == spared


class Mortal:
    """A target whose process can be ended by a case, and started again."""

    def __init__(self, *, starts: bool = True) -> None:
        self.code: int | None = None
        self.launched = 0
        self.starts = starts

    def exited(self) -> int | None:
        return self.code

    @contextmanager
    def launch(self) -> Iterator[Target]:
        if not self.starts:
            raise LaunchError("not today")
        self.launched += 1
        self.code = None
        yield cast("Target", self)

    # What is asked of a target that was started.
    url = "http://127.0.0.1:2"
    slow_url = None
    find = staticmethod(parse_url)
    exit_code = exited

    def complaints(self) -> str:
        return "node:events\n  throw er;\nRangeError: no mask: how rude\n    at somewhere\n"

    def survey(self) -> Survey:
        site = dataclasses.replace(SITE, launch=self.launch)
        return dataclasses.replace(make_survey(), fast=site, slow=site)

    async def run(self, *cases: Case) -> dict[str, Result]:
        results = await _run(*cases, survey=self.survey(), exited=self.exited)
        return {result.case.id: result for result in results}


async def test_a_target_that_has_ended_is_started_again_and_the_culprits_are_found(
    autojump_clock: trio.testing.MockClock,
) -> None:
    target = Mortal()
    ports: set[int] = set()

    async def looks(t: Bench) -> None:
        await trio.sleep(0.1)
        ports.add(t.site.address.port)
        t.check(target.code is None, "it is there")

    async def kills(t: Bench) -> None:
        t.check(True, "this")
        target.code = 7

    names = [f"eio4.a.n{n}" for n in range(20)]
    killers = {"eio4.a.n3", "eio4.a.n12"}
    results = await target.run(
        *(make_case(name, run=kills if name in killers else looks) for name in names)
    )
    assert {id for id, result in results.items() if result.verdict is Verdict.FAIL} == killers
    assert {result.verdict for result in results.values()} == {Verdict.PASS, Verdict.FAIL}
    for id in killers:
        assert results[id].robustness
        first, *rest = results[id].reason.splitlines()
        assert first == "the target ended with 7 when this case alone ran: " + (
            "RangeError: no mask: how rude"
        )
        assert rest[0] == "node:events"
    assert 2 in ports
    assert target.launched > len(killers)


async def test_an_end_that_does_not_come_again_is_not_forgotten(
    autojump_clock: trio.testing.MockClock,
) -> None:
    target = Mortal()

    async def kills_once(t: Bench) -> None:
        if not target.launched:
            target.code = 7
        t.require(target.code is None, "it is there", "gone")

    results = await target.run(make_case("eio4.a.once", run=kills_once), make_case("eio4.a.good"))
    assert results["eio4.a.once"].verdict is Verdict.FAIL
    assert results["eio4.a.once"].reason.endswith("the target ended with 7 while this case ran")
    assert target.launched == 1


async def test_a_case_that_ends_the_target_when_it_is_tried_again_has_failed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    target, runs = Mortal(), 0

    async def kills_later(t: Bench) -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            target.code = 7
        t.inconclusive("who knows")

    results = await target.run(make_case("eio4.a.later", run=kills_later))
    assert results["eio4.a.later"].verdict is Verdict.FAIL
    assert target.launched == 1


async def test_a_target_that_does_not_start_again_leaves_the_rest_open(
    autojump_clock: trio.testing.MockClock,
) -> None:
    target = Mortal(starts=False)

    async def kills(t: Bench) -> None:
        target.code = 7
        t.inconclusive("gone")

    results = await target.run(
        make_case("eio4.a.kills", run=kills),
        make_case("eio4.a.serial", tags=("serial",)),
    )
    assert results["eio4.a.kills"].reason == "gone; the target ended with 7 while this case ran"
    assert results["eio4.a.serial"].reason == "the target had ended with 7 before"
    assert {result.verdict for result in results.values()} == {Verdict.INCONCLUSIVE}
