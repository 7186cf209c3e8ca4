"""Servers that speak nothing of the protocol pass nothing."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from sioproto_conformance._memory import MemoryAddress, MemoryListener
from sioproto_conformance._model import Case, Verdict
from sioproto_conformance._probe import Unreachable, survey
from sioproto_conformance._registry import all_cases
from sioproto_conformance._rules import all_rules
from sioproto_conformance._runner import Options, Result, Runner
from sioproto_conformance._select import select
from sioproto_conformance._target import Manifest, Target
from sioproto_conformance.broken._trial import cases_in_memory
from sioproto_conformance.zero_pass import SERVERS, Handler, serve, serving

# What each of them passes for a reason that has been looked at. A case that turns up here without
# one can be satisfied by a server that does not speak the protocol: mend the case.
MAY_PASS: dict[str, set[str]] = {name: set() for name in SERVERS}
# To open a WebSocket and a session on it is all that these ask for, and all that these servers do.
_OPENING = {
    "eio3.handshake.websocket.switches",
    "eio4.handshake.websocket.switches",
    "eio4.http.websocket-headers.read-as-http[connection-as-list]",
    "eio4.http.websocket-headers.read-as-http[names-in-lower-case]",
    "eio4.http.websocket-headers.read-as-http[token-in-mixed-case]",
    "eio4.http.websocket-headers.read-as-http[unknown-extension]",
}
MAY_PASS["opens-and-hangs-up"] = MAY_PASS["opens-and-is-silent"] = _OPENING

URL = "memory:"
PATIENCE = 1_000_000


async def _judge(handler: Handler, cases: list[Case]) -> list[Result]:
    listener = MemoryListener()
    target = Target(Manifest(name="zero", url=URL), URL)
    target.find = lambda url: MemoryAddress("memory", 80, False, listener.connect)
    options = Options(include_security=True)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, handler, listener)
            runner = Runner(await survey(target), all_rules(), options, lambda result: None)
            results = [await runner.run_case(case) for case in cases]
            nursery.cancel_scope.cancel()
    return results


@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_that_does_not_speak_the_protocol_passes_nothing(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    results = await _judge(SERVERS[name], cases_in_memory())
    passed = {result.case.id for result in results if result.verdict is Verdict.PASS}
    assert passed == MAY_PASS[name]
    # Nor does it get away by being told to lack everything, or by a bug of the suite.
    verdicts = {result.verdict for result in results}
    assert Verdict.ERROR not in verdicts
    assert Verdict.FAIL in verdicts


async def test_over_a_real_connection_it_is_the_same() -> None:
    cases = select(all_cases(), ["eio4.handshake.polling.one-open-packet"])
    async with serving(SERVERS["yes"]) as url:
        found = await survey(Target(Manifest(name="yes", url=url), url))
        (result,) = await Runner(found, all_rules(), Options(), lambda result: None).run(cases)
    assert result.verdict is Verdict.FAIL


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with serving(SERVERS["yes"]) as url:
        pass
    with pytest.raises(Unreachable, match="refused"):
        await survey(Target(Manifest(name="gone", url=url), url))
