"""Waiting for what a client receives: bounded, and with a full account of what came instead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

import trio
import trio.testing

T = TypeVar("T")
R = TypeVar("R")

_MAX_TOLD = 20
_MAX_WIDTH = 300


class ExpectationFailed(AssertionError):
    """What a test waited for did not come, or something came that should not.

    The message lists what the client received so far, the latest last.
    """


async def settle(seconds: float) -> None:
    """Wait until everything has run that can run without time passing.

    Raises:
        ExpectationFailed: something goes on running for so long.
    """
    __tracebackhide__ = True
    with trio.move_on_after(seconds):
        await trio.testing.wait_all_tasks_blocked()
        return
    raise ExpectationFailed(f"some task has not come to wait for anything in {seconds:g} seconds")


class Done:
    """Something that a client has done. Await it to let the server do what follows at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __await__(self) -> Generator[Any, Any, None]:
        return settle(self._seconds).__await__()


class _Received(Generic[T]):
    """One thing that a client received."""

    __slots__ = ("item", "taken", "text")

    def __init__(self, item: T | None, text: str) -> None:
        self.item = item
        self.text = text
        self.taken = item is None  # nobody takes it


class Inbox(Generic[T]):
    """What a client has received, and who waits for more of it.

    Args:
        describe: a line about the client.
        timeout: seconds that a wait may take unless it says otherwise.
    """

    def __init__(self, describe: Callable[[], str], timeout: float) -> None:
        self._describe = describe
        self._timeout = timeout
        self._untaken: deque[_Received[T]] = deque()
        self._told: deque[_Received[T]] = deque(maxlen=_MAX_TOLD)
        self._news = trio.Event()
        self.ended = False
        """Nothing more will come."""

    def put(self, item: T) -> None:
        """Something arrived that can be taken."""
        received = _Received(item, repr(item))
        self._untaken.append(received)
        self._told.append(received)
        self.wake()

    def note(self, text: str) -> None:
        """Something arrived that is not there to be taken."""
        self._told.append(_Received[T](None, text))
        self.wake()

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self.wake()

    def wake(self) -> None:
        """Let those who wait look again."""
        self._news.set()
        self._news = trio.Event()

    async def take(self, fits: Callable[[T], bool], what: str, timeout: float | None) -> T:
        """Wait for the first item that fits, and take it.

        Raises:
            ExpectationFailed: it did not come in time, or never will.
        """
        __tracebackhide__ = True
        return await self.wait(lambda: self._pop(fits), what, timeout)

    def _pop(self, fits: Callable[[T], bool]) -> T | None:
        for received in self._untaken:
            item = received.item
            if item is not None and fits(item):
                self._untaken.remove(received)
                received.taken = True
                return item
        return None

    async def wait(self, find: Callable[[], R | None], what: str, timeout: float | None) -> R:
        """Wait until ``find`` has found something. It looks whenever something has happened.

        Raises:
            ExpectationFailed: it did not in time, or never will.
        """
        __tracebackhide__ = True
        seconds = self._timeout if timeout is None else timeout
        found: R | None = None

        def look() -> bool:
            nonlocal found
            if found is None:
                found = find()
            return found is not None or self.ended

        await trio.lowlevel.checkpoint()
        await self.until(look, seconds)
        if found is not None:
            return found
        within = "any more" if self.ended else f"within {seconds:g} seconds"
        raise ExpectationFailed(self.account(f"no {what} came {within}"))

    async def until(self, look: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``look`` sees what it looks for. False if that took too long."""
        with trio.move_on_after(seconds):
            while not look():
                await self._news.wait()
        return look()

    async def refuse(self, seconds: float) -> None:
        """Make sure that there is nothing to take, now and for so many seconds.

        Raises:
            ExpectationFailed: there is.
        """
        __tracebackhide__ = True
        if seconds:
            await self.until(lambda: bool(self._untaken), seconds)
        if not self._untaken:
            await settle(self._timeout)
        if self._untaken:
            raise ExpectationFailed(self.account(f"{self._untaken[0].text} came"))

    def account(self, summary: str) -> str:
        """The summary, and what has been received."""
        lines = [summary, f"  {self._describe()}"]
        if not self._told:
            lines.append("  nothing was received so far")
        else:
            lines.append("  received so far, the latest last:")
        for received in self._told:
            text = received.text
            if len(text) > _MAX_WIDTH:
                text = f"{text[:_MAX_WIDTH]}... ({len(text)} characters)"
            lines.append(f"    {text}{'' if received.taken else '  <- not taken'}")
        return "\n".join(lines)
