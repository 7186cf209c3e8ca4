"""What the application API asks of the runtime below it: four calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Event(Protocol):
    """A flag that tasks can wait for. Once set, it stays set."""

    def set(self) -> None:
        """Wake all who wait, and let all who come later pass."""

    async def wait(self) -> None:
        """Return once it is set, but give other tasks a chance to run in any case."""


class Timeout(Protocol):
    """A running limit of time, whose body can also be ended by hand."""

    deadline: float
    """When the body is cut short, by the runtime's clock. It may be moved, also into the past."""

    def cancel(self) -> None:
        """Cut the body short now."""


class Runtime(Protocol):
    """Tasks and time."""

    def spawn(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Start a task that whoever serves owns: what it raises ends the serving."""

    def event(self) -> Event:
        """Make an event."""

    def timeout(self, seconds: float) -> AbstractContextManager[Timeout]:
        """A context that cuts its body short after so many seconds; ``inf`` is allowed."""

    def clock(self) -> float:
        """Seconds of a clock that never goes back, the one whose ``now`` the core is told."""
