"""A deadline and what to do then."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from sioproto._deadlines import Deadlines


class Alarm:
    """Calls a function, with the time, once the deadline has come; then it is off again."""

    __slots__ = ("_action", "_deadlines", "deadline", "wake_at")

    def __init__(self, deadlines: Deadlines[Alarm], action: Callable[[float], None]) -> None:
        self.deadline = self.wake_at = inf
        self._deadlines = deadlines
        self._action = action

    @property
    def on(self) -> bool:
        """Whether it is waiting for its time."""
        return self.deadline != inf

    def set(self, when: float) -> None:
        """Call at this time, and not when it was set to before."""
        self.deadline = when
        self._deadlines.moved(self)

    def clear(self) -> None:
        """Do not call."""
        if self.on:
            self._deadlines.forget(self)

    def handle_timeout(self, now: float) -> None:
        """The time has come."""
        self.deadline = inf
        self._action(now)
