"""What should come to its end before the serving does."""

from __future__ import annotations

from collections.abc import Callable

from sioproto._app._runtime import Event


class Busy:
    """Counts it. As a context, for its duration.

    Args:
        event: makes an event of the runtime.
    """

    def __init__(self, event: Callable[[], Event]) -> None:
        self._event = event
        self._count = 0
        self._idle: Event | None = None

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *exc_info: object) -> None:
        self.leave()

    def enter(self) -> None:
        """There is one more."""
        self._count += 1

    def leave(self) -> None:
        """There is one less."""
        self._count -= 1
        if not self._count and self._idle is not None:
            self._idle.set()
            self._idle = None

    async def wait_idle(self) -> None:
        """Wait until there is none."""
        while self._count:
            if self._idle is None:
                self._idle = self._event()
            await self._idle.wait()
