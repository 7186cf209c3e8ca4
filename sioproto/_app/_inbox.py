"""The untaken input of one handler task, in order."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from sioproto._app._backlog import Backlog
from sioproto._app._runtime import Event, Runtime

T = TypeVar("T")

FAIR_SHARE = 64
"""So many items may be taken in a row before other tasks get a chance to run."""


class Inbox(Generic[T]):
    """A queue from the one who reads to the one who handles. It has an end."""

    __slots__ = ("_backlog", "_items", "_runtime", "_taken", "_woken", "ended")

    def __init__(self, runtime: Runtime, backlog: Backlog) -> None:
        self._runtime = runtime
        self._backlog = backlog
        self._items: deque[tuple[T, int]] = deque()
        self._woken: Event | None = None
        self._taken = 0
        self.ended = False
        """Whether nothing more will come. What came before can still be taken."""

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, size: int) -> bool:
        """Append. False if the client has sent more than it may: end it."""
        self._items.append((item, size))
        self._wake()
        return self._backlog.add(size)

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._wake()

    def drop(self) -> None:
        """Nobody will take what is left."""
        while self._items:
            self._backlog.take(self._items.popleft()[1])

    def take(self) -> T:
        """Take the next item, which is there."""
        item, size = self._items.popleft()
        self._backlog.take(size)
        return item

    async def next(self) -> T | None:
        """Take the next item; None after the end."""
        while not self._items:
            if self.ended:
                return None
            await self._wait()
        self._taken += 1
        if self._taken % FAIR_SHARE == 0:
            await self.pause()
            if not self._items:  # another task took it meanwhile
                return await self.next()
        return self.take()

    async def pause(self) -> None:
        """Let others run."""
        pause = self._runtime.event()
        pause.set()
        await pause.wait()

    async def wait_for_end(self) -> None:
        """Wait until nothing more will come."""
        while not self.ended:
            await self._wait()

    async def _wait(self) -> None:
        if self._woken is None:
            self._woken = self._runtime.event()
        await self._woken.wait()

    def _wake(self) -> None:
        if self._woken is not None:
            self._woken.set()
            self._woken = None
