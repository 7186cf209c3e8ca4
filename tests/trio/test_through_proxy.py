"""Clients and servers through a network that is bad on purpose, in memory and virtual time.

``python tests/soak.py proxy`` has more of it, over TCP. What fails here is told with its seed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from sioproto.engineio._outbox import Outbox as EngineOutbox
from sioproto.socketio._client_queue import RetryQueue
from sioproto.socketio._client_socket import ClientSocket
from sioproto.socketio._recovery import RecoveringAdapter
from tests.trio.proxy import Proxy, Weather
from tests.trio.through_proxy import Run
from tests.trio.witness import TO_ALL, Judge, Outbox, Witness, payload_of

Clock = trio.testing.MockClock
FINE = Weather(delay=0.001, life=1e9, refused=0.0, calm=1e9)
AWFUL = Weather(life=3.0, calm=4.0, hang=8.0)


@pytest.fixture(autouse=True)
def the_same_each_time() -> Iterator[None]:
    """The order of tasks is by chance, and so is the jitter of reconnections."""
    before = random.getstate()
    random.seed(0)
    trio._core._run._r.seed(0)
    yield
    random.setstate(before)


async def run(seed: int, seconds: float = 10.0, **options: Any) -> Run:
    """A short run in memory."""
    run = Run(seed, pace=4.0, **options)
    try:
        await run.run(seconds, memory=True)
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise
    return run


async def test_what_is_promised_holds(autojump_clock: Clock) -> None:
    """SIO-CBUF-09, SIO-CSR-10: at least once if acknowledged, at most once unless retried, and no
    gap where a client is recovered."""
    figures: Counter[str] = Counter()
    for seed in range(3):
        figures.update((await run(seed, 15.0)).figures)
    assert figures["cut"] + figures["hangs"] >= 40
    for name in ("stalls", "upgrades", "recoveries", "repeats", "acknowledged", "heard"):
        assert figures[name] > 0, name
    assert figures["reconnections"] > figures["recoveries"]


async def test_everything_arrives_once_in_good_weather(autojump_clock: Clock) -> None:
    figures = (await run(0, weather=FINE)).figures
    assert figures["arrived"] == figures["sent"] > 200
    assert figures["visits"] == 12
    assert figures["upgrades"] == 4
    assert figures["repeats"] == figures["reconnections"] == figures["cut"] == 0


# The tests are tested: what breaks a promise is found


async def test_a_lost_event_is_found(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = EngineOutbox.take_payload

    def lose(outbox: EngineOutbox, *arguments: Any) -> Any:
        taken = take(outbox, *arguments)
        return taken[:3]

    monkeypatch.setattr(EngineOutbox, "take_payload", lose)
    with pytest.raises(AssertionError, match="is not what was sent as number"):
        await run(0, weather=AWFUL)


async def test_an_event_that_is_sent_twice_is_found(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = ClientSocket._flush

    def flush_twice(socket: ClientSocket) -> None:
        kept = dict(socket._kept)
        flush(socket)
        socket._kept = kept
        flush(socket)

    monkeypatch.setattr(ClientSocket, "_flush", flush_twice)
    with pytest.raises(AssertionError, match="is sent once more than allowed"):
        await run(0, weather=AWFUL)


async def test_a_repeat_without_reason_is_found(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged = RetryQueue.acknowledged

    def again(queue: RetryQueue, args: list[Any]) -> None:
        queue.send_first(0.0)
        acknowledged(queue, args)

    monkeypatch.setattr(RetryQueue, "acknowledged", again)
    with pytest.raises(AssertionError, match="is sent again too early"):
        await run(0, weather=AWFUL)


@pytest.mark.parametrize("step", [-1, 1])
async def test_a_replay_of_too_much_or_too_little_is_found(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    since = RecoveringAdapter._since

    def shifted(adapter: RecoveringAdapter, number: int, kept: Any) -> Any:
        return since(adapter, number + step, kept)

    monkeypatch.setattr(RecoveringAdapter, "_since", shifted)
    with pytest.raises(AssertionError, match="was meant"):
        await run(5, weather=AWFUL)


async def test_a_server_that_never_recovers_is_found(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(adapter: RecoveringAdapter, pid: object, offset: object) -> None:
        pass

    monkeypatch.setattr(RecoveringAdapter, "_find", nothing)
    with pytest.raises(AssertionError, match=r"came back, .*, and is not known"):
        await run(0, weather=AWFUL)


def sends(number: int, when: float = 0.0, on: str = "a") -> Callable[[Witness], None]:
    return lambda witness: witness.sends(number, (on, on), when)


def arrives(number: int, on: str = "a") -> Callable[[Witness], None]:
    return lambda witness: witness.arrives(number, payload_of(number), (on, on))


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([sends(1), arrives(1), lambda w: w.acknowledged(1), sends(2), arrives(2)], ""),
        ([sends(1), sends(1, 2.0), arrives(1), arrives(1)], ""),
        ([sends(1), sends(1, 0.1, "b"), arrives(1, "b"), arrives(1)], ""),
        ([sends(1), lambda w: w.acknowledged(1)], "never arrived"),
        ([sends(1), arrives(1), lambda w: w.acknowledged(1), sends(1, 9.0)], "though acknowledged"),
        ([sends(1), sends(1, 1.0)], "too early"),
        ([sends(1), sends(1, 2.0), sends(1, 4.0)], "once more than allowed"),
        ([lambda w: w.is_fleeting(1), sends(1), sends(1, 2.0)], "once more than allowed"),
        ([sends(1), arrives(1), arrives(1)], "arrives 2 times, sent 1 times"),
        ([sends(1), sends(2), arrives(2)], "is not what was sent"),
        ([sends(1), arrives(1, "b")], "is not what was sent"),
        ([sends(1), lambda w: w.arrives(1, "x", ("a", "a"))], "another payload"),
        ([lambda w: w.hears(1, payload_of(1)), lambda w: w.hears(1, payload_of(1))], "again"),
        ([lambda w: w.answered(1)], "never heard"),
        ([lambda w: w.connects("x", True)], "was [] before"),
        ([lambda w: w.connects("x", False), lambda w: w.receives("y", 1, "1")], "for y"),
    ],
)
def test_the_witness(steps: list[Callable[[Witness], None]], words: str) -> None:
    judge = Judge()
    witness = Witness("it", 1, 2.0, Outbox(), judge)
    for step in steps:
        step(witness)
    assert judge.failed == len(judge.failures)
    assert bool(judge.failed) is bool(words)
    assert words in "".join(judge.failures)


@pytest.mark.parametrize(
    ("received", "complete", "good"),
    [
        ([1, 3, 4, 5], True, True),
        ([3, 4, 5], True, True),  # it came later
        ([1, 3], False, True),
        ([1, 3], True, False),
        ([1, 4], False, False),
        ([1, 3, 3], False, False),
        ([3, 1], False, False),
        ([], False, True),
        ([], True, False),
    ],
)
def test_the_judgement_of_a_life(received: list[int], complete: bool, good: bool) -> None:
    judge, outbox = Judge(), Outbox()
    for target, number in ((TO_ALL, 1), ("you", 2), ("me", 3), (TO_ALL, 4), ("me", 5), ("you", 6)):
        outbox.add(target, number, 0.0)
    witness = Witness("it", 0, 2.0, outbox, judge)
    witness.connects("me", False)
    for number in received:
        witness.receives("me", number, payload_of(number))
    witness.lives[0].judge(outbox, judge, complete=complete)
    assert (not judge.failed) is good


async def test_the_proxy_stalls_and_hangs_and_tears(autojump_clock: Clock) -> None:
    """What passes is a prefix of what was sent, and all of it unless the connection was cut."""
    whole, torn, late = 0, 0, 0
    for seed in range(60):
        servers: list[trio.abc.Stream] = []

        async def open_server(servers: list[trio.abc.Stream] = servers) -> trio.abc.Stream:
            near, far = trio.testing.memory_stream_pair()
            servers.append(far)
            return near

        proxy = Proxy(Random(seed), Weather(refused=0.0), open_server)
        client, its = trio.testing.memory_stream_pair()
        began = trio.current_time()
        received = b""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(proxy.serve, its)
            try:
                for index in range(100):
                    await client.send_all(bytes((index,)) * 30)
                    await trio.sleep(0.1)
                await client.send_eof()
            except trio.BrokenResourceError:
                pass
            (server,) = servers
            try:
                while data := await server.receive_some():
                    received += data
            except trio.BrokenResourceError:
                pass
            await server.aclose()
        assert b"".join(bytes((index,)) * 30 for index in range(100)).startswith(received)
        cut = proxy.counts["cut"] + proxy.counts["hangs"]
        whole += len(received) == 3_000
        torn += len(received) % 30 != 0
        late += trio.current_time() > began + 14
        assert cut or len(received) == 3_000
    assert whole > 5
    assert torn > 3
    assert late > 3
