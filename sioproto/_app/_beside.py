"""Handlers that run beside the ordered ones of their socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sioproto._app._runtime import Event


class Beside:
    """Tasks of one socket, so many at once and no more.

    Args:
        event: makes an event of the runtime.
        spawn: starts a task.
        limit: most tasks at once.
    """

    __slots__ = ("_change", "_event", "_limit", "_running", "_spawn")

    def __init__(self, event: Callable[[], Event], spawn: Callable[..., None], limit: int) -> None:
        self._event = event
        self._spawn = spawn
        self._limit = limit
        self._running = 0
        self._change: Event | None = None

    async def spawn(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Start a task, once there is room for it."""
        while self._running >= self._limit:
            await self._wait()
        self._running += 1
        self._spawn(self._run, function, *args)

    async def all_done(self) -> None:
        """Wait until none is left."""
        while self._running:
            await self._wait()

    async def _run(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        try:
            await function(*args)
        finally:
            self._running -= 1
            if self._change is not None:
                self._change.set()
                self._change = None

    async def _wait(self) -> None:
        if self._change is None:
            self._change = self._event()
        await self._change.wait()
