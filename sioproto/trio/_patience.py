"""How long connections may keep the server waiting: one timer for all of them."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import trio

from sioproto._deadlines import Deadlines


class Patience:
    """The task that ends waits whose time is up.

    Most deadlines are put off again and again, and never come. As deadlines of trio's scopes each
    such move would cost more than the rest of a wait.
    """

    def __init__(self) -> None:
        self._waits: Deadlines[Wait] = Deadlines()
        self._alarm = trio.CancelScope()

    async def run(self) -> None:
        """Watch the time, for ever."""
        while True:
            with trio.CancelScope(deadline=self._next()) as self._alarm:
                await trio.sleep_forever()
            while (wait := self._waits.pop_due(trio.current_time())) is not None:
                wait.expired()

    def moved(self, wait: Wait) -> None:
        """A deadline has changed."""
        self._waits.moved(wait)
        if wait.deadline < self._alarm.deadline:
            self._alarm.deadline = wait.deadline

    def forget(self, wait: Wait) -> None:
        """It has ended."""
        self._waits.forget(wait)

    def _next(self) -> float:
        deadline = self._waits.next()
        return inf if deadline is None else deadline


class Wait:
    """One wait, whose deadline may be moved.

    Args:
        patience: whose task ends it.
        expired: called when the time is up.
    """

    __slots__ = ("_patience", "deadline", "expired", "wake_at")

    def __init__(self, patience: Patience, expired: Callable[[], None]) -> None:
        self._patience = patience
        self.expired = expired
        self.deadline = self.wake_at = inf

    def until(self, deadline: float) -> None:
        """It expires then, by trio's clock; ``inf`` for never."""
        self.deadline = deadline
        if deadline != inf:
            self._patience.moved(self)

    def end(self) -> None:
        """It never expires."""
        self._patience.forget(self)
