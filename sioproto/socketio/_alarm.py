"""A deadline and what to do then."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from sioproto._deadlines import Deadlines


class AlarmClock:
    """The alarms of one client.

    Args:
        notify: called when one is set, since the driver may have to wake earlier.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._deadlines: Deadlines[Alarm] = Deadlines()

    def __len__(self) -> int:
        """How many entries its heap holds, superseded ones included."""
        return len(self._deadlines)

    def moved(self, alarm: Alarm) -> None:
        """An alarm was set."""
        self._deadlines.moved(alarm)
        self._notify()

    def forget(self, alarm: Alarm) -> None:
        """An alarm was cleared."""
        self._deadlines.forget(alarm)

    def next(self) -> float | None:
        """The time of the first alarm, or earlier."""
        return self._deadlines.next()

    def ring(self, now: float) -> None:
        """Call what is due."""
        while (alarm := self._deadlines.pop_due(now)) is not None:
            alarm.handle_timeout(now)
            self._deadlines.moved(alarm)


class Alarm:
    """Calls a function, with the time, once the deadline has come; then it is off again.

    Args:
        clock: what it is set by.
        action: what is called.
    """

    __slots__ = ("_action", "_clock", "deadline", "wake_at")

    def __init__(self, clock: AlarmClock, action: Callable[[float], None]) -> None:
        self.deadline = self.wake_at = inf
        self._clock = clock
        self._action = action

    @property
    def on(self) -> bool:
        """Whether it is waiting for its time."""
        return self.deadline != inf

    def set(self, when: float) -> None:
        """Call at this time, and not when it was set to before."""
        self.deadline = when
        self._clock.moved(self)

    def clear(self) -> None:
        """Do not call."""
        if self.on:
            self._clock.forget(self)

    def handle_timeout(self, now: float) -> None:
        """The time has come."""
        self.deadline = inf
        self._action(now)
