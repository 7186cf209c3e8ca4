"""The target while it is judged: where it is now, and how it is started again when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import trio

from sioproto_conformance._probe import Survey
from sioproto_conformance._target import LaunchError, Target

_LAUNCHES = 60
_SAID_SHOWN = 1500


class Standing:
    """One target, which may be a second or third process of the same command by now.

    A server that ends at the first case it cannot stand would otherwise tell its maintainer of one
    mistake a run. ``exited`` tells how the first process ended, ``None`` while it runs.
    """

    def __init__(self, survey: Survey, exited: Callable[[], int | None]) -> None:
        self.survey = survey
        self.exited = exited
        self.launches = 0
        self._running: AbstractContextManager[Target] | None = None
        self._said: Callable[[], str] = lambda: ""

    def last_words(self) -> str:
        """Return the end of what this process wrote to standard error, if that is known."""
        return self._said().strip()[-_SAID_SHOWN:]

    async def start_again(self) -> bool:
        """Start another process in place of one that has ended; tell whether that was possible."""
        launch = self.survey.slow.launch
        if launch is None or "stop" in self.survey.lacking or self.launches >= _LAUNCHES:
            return False
        await self.end()
        self.launches += 1
        running = launch()
        try:
            target = await trio.to_thread.run_sync(running.__enter__)
        except LaunchError:
            return False
        self._running = running
        self.exited, self._said = target.exit_code, target.complaints
        fast = target.find(target.url)
        slow = fast if target.slow_url is None else target.find(target.slow_url)
        self.survey = replace(
            self.survey,
            fast=replace(self.survey.fast, address=fast),
            slow=replace(self.survey.slow, address=slow),
        )
        return True

    async def end(self) -> None:
        """End the process that was started here, if one was."""
        running, self._running = self._running, None
        if running is not None:
            self.exited = _ended(self.exited())
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(running.__exit__, None, None, None)


def _ended(code: int | None) -> Callable[[], int | None]:
    return lambda: code
