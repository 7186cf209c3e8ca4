"""The small pieces of the application API: calling functions, bounding what waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import Any

import pytest
import trio
import trio.testing

from sioproto import LocalProtocolError
from sioproto._app._backlog import ITEM_OVERHEAD, Backlog
from sioproto._app._calling import Listener, arity, invoke
from sioproto._app._client_inbox import MAX_NEWS, ClientInbox
from sioproto._app._config import AppConfig
from sioproto._app._inbox import FAIR_SHARE, Inbox
from sioproto.engineio import PingReceived, ServerConfig
from sioproto.trio import Server


class Runtime:
    """A runtime that has only events."""

    def spawn(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        raise NotImplementedError

    def event(self) -> trio.Event:
        return trio.Event()

    def timeout(self, seconds: float) -> trio.CancelScope:
        raise NotImplementedError

    def clock(self) -> float:
        raise NotImplementedError


class Object:
    def __call__(self, a: int, b: int = 0) -> None: ...

    def method(self, a: int) -> None: ...


def decorated(a: int) -> None: ...


decorated.__wrapped__ = lambda a, b: None  # type: ignore[attr-defined]  # as functools.wraps does


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: None, (0, 0)),
        (lambda a: None, (1, 1)),
        (lambda a, b=1, c=2: None, (1, 3)),
        (lambda *args: None, (0, inf)),
        (lambda a, *args: None, (1, inf)),
        (lambda a, *, key=1: None, (1, 1)),
        (lambda a, **kwargs: None, (1, 1)),
        (Object(), (1, 2)),
        (Object().method, (1, 1)),
        (partial(lambda a, b: None, 1), (1, 1)),
        (decorated, (2, 2)),
    ],
)
def test_how_many_arguments_a_function_takes(
    function: Callable[..., Any], expected: tuple[int, float]
) -> None:
    assert arity(function) == expected
    listener = Listener(function)
    assert [count for count in range(5) if listener.fits(count)] == [
        count for count in range(5) if expected[0] <= count <= expected[1]
    ]


def test_a_built_in_function_may_not_tell() -> None:
    assert Listener(int).fits(1)
    assert Listener([].append).fits(1)


async def test_plain_and_async_functions_are_called_alike() -> None:
    async def wait(value: int) -> int:
        await trio.lowlevel.checkpoint()
        return value

    assert await invoke(wait, 1) == 1
    assert await invoke(lambda value: value, 2) == 2
    assert await invoke(partial(wait, 3)) == 3


def backlog_of(pause_input: int, max_input: int) -> Backlog:
    config = AppConfig(pause_input=pause_input, max_input=max_input)
    return Backlog(Runtime(), config, lambda held: None)


async def passes(backlog: Backlog) -> bool:
    """Whether the client may be read now."""
    with trio.move_on_after(0):
        await backlog.wait()
        return True
    return False


async def test_news_are_taken_in_order_and_once() -> None:
    inbox = ClientInbox(Runtime(), backlog_of(10_000, 10_000), 4 * ITEM_OVERHEAD)
    news = [PingReceived(str(number)) for number in range(6)]
    assert inbox.put(news[0], is_news=True)
    inbox.watch()
    for each in news[1:3]:
        assert inbox.put(each, is_news=True)
    event = PingReceived("an event")
    assert inbox.put(event)
    assert not inbox.dropped
    for each in news[3:]:  # more than is kept
        assert inbox.put(each, is_news=True)
    assert inbox.dropped
    for each in news[:2]:
        assert await inbox.wait()
        assert inbox.take() == (each, False)
    inbox.claim()
    taken = []
    for _ in range(7):
        assert await inbox.wait()
        taken.append(inbox.take())
    assert taken == [
        (news[0], True),
        (news[1], True),
        (news[2], False),
        (event, False),
        *((each, False) for each in news[3:]),
    ]


async def test_news_that_nobody_takes_are_bounded() -> None:
    inbox = ClientInbox(Runtime(), backlog_of(10_000, 10_000), 1000)
    for _ in range(2 * MAX_NEWS):
        assert inbox.put(PingReceived("unwatched"), is_news=True)
    inbox.watch()
    puts = [inbox.put(PingReceived("watched"), is_news=True) for _ in range(MAX_NEWS)]
    assert puts[0]
    assert not puts[-1]


async def test_a_client_is_paused_past_the_soft_limit() -> None:
    backlog = backlog_of(1000, 10_000)
    size = 500 - ITEM_OVERHEAD
    assert backlog.add(size)
    assert backlog.add(size)
    assert not backlog.judge()
    assert backlog.add(size)
    assert backlog.judge()
    assert repr(backlog) == "<Backlog of 1500, paused>"
    assert not await passes(backlog)
    backlog.take(size)
    assert await passes(backlog)
    assert repr(backlog) == "<Backlog of 1000>"


async def test_empty_items_count_too() -> None:
    backlog = backlog_of(1000, 10_000)
    for _ in range(1000 // ITEM_OVERHEAD + 1):
        backlog.add(0)
    assert backlog.judge()


async def test_waiting_ends_when_there_is_room() -> None:
    backlog = backlog_of(1000, 10_000)
    backlog.add(1000)
    backlog.add(1000)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(backlog.wait)
        await trio.testing.wait_all_tasks_blocked()
        backlog.take(1000)
        await trio.testing.wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 2
        backlog.take(1000)


async def test_an_awaited_acknowledgement_lets_reading_go_on() -> None:
    backlog = backlog_of(1000, 10_000)
    backlog.add(1000)
    assert backlog.judge()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(backlog.wait)
        await trio.testing.wait_all_tasks_blocked()
        backlog.acknowledgement_awaited()
    assert not backlog.judge()
    backlog.acknowledgement_settled()
    assert backlog.judge()


def test_the_hard_limit_is_for_those_who_go_on() -> None:
    backlog = backlog_of(1000, 5000)
    # One read may bring any amount.
    for _ in range(10):
        assert backlog.add(1000)
    assert backlog.judge()
    assert not backlog.add(1)
    for _ in range(10):
        backlog.take(1000)
    assert backlog.add(1)


async def test_a_client_that_has_gone_holds_nobody() -> None:
    backlog = backlog_of(1000, 5000)
    backlog.add(2000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(backlog.wait)
        await trio.testing.wait_all_tasks_blocked()
        backlog.close()
    assert not backlog.judge()


async def test_an_inbox_is_taken_in_order_up_to_its_end() -> None:
    backlog = backlog_of(10_000, 10_000)
    inbox: Inbox[int] = Inbox(Runtime(), backlog)
    taken: list[int | None] = []

    async def take() -> None:
        while (item := await inbox.next()) is not None:
            taken.append(item)
        taken.append(None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        nursery.start_soon(inbox.wait_for_end)
        for number in range(3):
            assert inbox.put(number, 10)
            await trio.testing.wait_all_tasks_blocked()
        inbox.put(3, 10)
        inbox.put(4, 10)
        inbox.end()
    assert taken == [0, 1, 2, 3, 4, None]
    assert await inbox.next() is None
    assert repr(backlog) == "<Backlog of 0>"


async def test_what_nobody_takes_is_given_back() -> None:
    backlog = backlog_of(1000, 10_000)
    inbox: Inbox[int] = Inbox(Runtime(), backlog)
    for number in range(10):
        inbox.put(number, 1000)
    assert backlog.judge()
    inbox.drop()
    assert (len(inbox), backlog.judge()) == (0, False)


async def test_a_full_inbox_does_not_starve_other_tasks() -> None:
    inbox: Inbox[int] = Inbox(Runtime(), backlog_of(10**6, 10**6))
    for number in range(10 * FAIR_SHARE):
        inbox.put(number, 1)
    inbox.end()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        while await inbox.next() is not None:
            pass
        nursery.cancel_scope.cancel()
    assert turns > 4


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"pause_input": 0}, "pause_input"),
        ({"pause_input": 10, "max_input": 9}, "max_input"),
        ({"middleware_timeout": 0}, "middleware_timeout"),
        ({"disconnecting_timeout": 0}, "disconnecting_timeout"),
        ({"disconnecting_timeout": inf}, "disconnecting_timeout"),
    ],
)
def test_nonsense_in_the_configuration_is_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"AppConfig.{field} must be"):
        AppConfig(**values)


async def test_a_transport_that_no_driver_carries_is_not_offered() -> None:
    config = ServerConfig(transports=("polling", "websocket", "webtransport"))
    io = Server(engine=config)
    with pytest.raises(LocalProtocolError, match="webtransport"):
        await io.serve()
