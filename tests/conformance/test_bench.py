"""What a case may conclude, and what it may not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import trio
import trio.testing

from sioproto_conformance._bench import Bench, Finished, Inconclusive
from sioproto_conformance._fixture import Settings
from sioproto_conformance._model import RISKY, Check, Verdict
from sioproto_conformance._select import select
from sioproto_conformance.broken._trial import cases_in_memory, judge
from sioproto_conformance.peers.eio import Closed
from sioproto_conformance.peers.wire import Gone
from tests.conformance.support import SITE, make_case

NEVER = 1000.0
# Without a heartbeat to look out for, a session has this long to close.
TIMEOUT = 2.0


@dataclass
class FakePeer:
    """A session that closes after some time, and that takes some time to show that it lives."""

    name: str
    closes_after: float = NEVER
    answers_after: float = 0.01
    closed: Closed | None = None

    async def wait_closed(self, *, timeout: float) -> Closed | None:
        await trio.sleep(min(timeout, self.closes_after))
        if self.closes_after <= timeout:
            self.closed = Closed("close frame", 1000)
        return self.closed

    async def alive(self) -> str | None:
        if self.closes_after < NEVER:
            return "closed: end of stream"
        await trio.sleep(self.answers_after)
        return None


def _bench() -> Bench:
    return Bench(make_case(covers=("T-MUST", "T-REF")), SITE, timeout=TIMEOUT)


async def _expect_closed(bad: FakePeer, control: FakePeer) -> Check:
    bench = _bench()
    await bench.expect_closed(bad, while_open=control)
    (check,) = bench.findings.checks
    return check


async def test_closed_while_the_control_lives_is_proof(
    autojump_clock: trio.testing.MockClock,
) -> None:
    check = await _expect_closed(FakePeer("bad", closes_after=1.0), FakePeer("control"))
    assert check.ok
    assert "close frame" in check.actual


async def test_still_open_is_a_failure(autojump_clock: trio.testing.MockClock) -> None:
    began = trio.current_time()
    check = await _expect_closed(FakePeer("bad"), FakePeer("control"))
    assert (check.ok, check.actual) == (False, "still open after 2.0 s")
    assert trio.current_time() - began < 2 * TIMEOUT


async def test_still_open_may_be_due_to_a_busy_machine(
    autojump_clock: trio.testing.MockClock,
) -> None:
    bench = _bench()
    await bench.expect_closed(FakePeer("bad", closes_after=0.1), while_open=FakePeer("control"))
    assert not bench.findings.timed_out
    await bench.expect_closed(FakePeer("bad"), while_open=FakePeer("control"))
    assert bench.findings.timed_out


async def test_closed_too_late_is_still_open(autojump_clock: trio.testing.MockClock) -> None:
    assert not (await _expect_closed(FakePeer("bad", closes_after=2.1), FakePeer("control"))).ok


async def test_a_control_that_died_proves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(Inconclusive, match="control session died too"):
        await _expect_closed(FakePeer("bad", closes_after=0.1), FakePeer("control", 0.1))


async def test_a_session_that_could_not_be_asked_proves_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    bad = FakePeer("bad")
    bad.closed = Closed("a poll failed", by_silence=True)
    with pytest.raises(Inconclusive, match="bad could not be asked"):
        await _expect_closed(bad, FakePeer("control"))


async def test_a_busy_server_may_just_have_had_no_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    slow = FakePeer("control", answers_after=1.0)
    with pytest.raises(Inconclusive, match="too slow"):
        await _expect_closed(FakePeer("bad"), slow)
    assert (await _expect_closed(FakePeer("bad", closes_after=1.0), slow)).ok


async def test_checks_are_recorded_whatever_becomes_of_the_case() -> None:
    bench = _bench()
    assert bench.check(True, "this")
    assert not bench.check(False, "that", "other", rule="T-REF")
    with pytest.raises(Finished):
        bench.require(False, "more", 7)
    assert bench.findings.checks == [
        Check("T-MUST", True, "this", "as expected"),
        Check("T-REF", False, "that", "other"),
        Check("T-MUST", False, "more", "7"),
    ]


async def test_a_check_names_a_rule_that_the_case_covers() -> None:
    with pytest.raises(LookupError, match="T-RULING"):
        _bench().check(True, "this", rule="T-RULING")


@pytest.mark.parametrize(
    ("actual", "expected"), [(True, 1), (1, True), (1.0, 1), ("1", 1), (b"", "")]
)
async def test_equal_compares_types_too(actual: object, expected: object) -> None:
    bench = _bench()
    assert not bench.equal(actual, expected, "it")
    assert bench.equal(actual, actual, "it")


async def test_a_wait_in_vain_is_charged_to_the_rule_named() -> None:
    bench = _bench()
    with pytest.raises(Finished), bench.expecting("T-REF"):
        raise Gone("an answer", "end of stream")
    assert bench.findings.checks == [Check("T-REF", False, "an answer", "end of stream")]
    assert not bench.findings.timed_out


async def test_what_is_drawn_at_random_depends_on_seed_and_case_alone() -> None:
    def draw(id: str, seed: str) -> float:
        return Bench(make_case(id), SITE, timeout=1, seed=seed).random.random()

    assert draw("eio4.a.b", "1") == draw("eio4.a.b", "1")
    assert len({draw("eio4.a.b", "1"), draw("eio4.a.b", "2"), draw("eio4.a.c", "1")}) == 3


def test_no_session_sends_more_than_the_server_says_that_it_takes() -> None:
    """A small maxPayload is a choice (EIO-HS-07): what exceeds it is no question to that server."""
    cases = [case for case in cases_in_memory() if RISKY.isdisjoint(case.tags)]
    chosen = select(cases, ["eio4.message", "sio5.binary", "sio5.event", "eio4.compression"])
    results = judge(chosen, settings=Settings(max_payload=30_000))
    bad = [result for result in results if result.verdict not in (Verdict.PASS, Verdict.SKIP)]
    assert [(result.case.id, result.reason) for result in bad] == []
    spared = {result.case.base for result in results if "maxPayload is 30000" in result.reason}
    assert spared == {
        "eio4.message.binary.echoed",
        "sio5.binary.echoed",
        "sio5.event.arguments.echoed",
    }
