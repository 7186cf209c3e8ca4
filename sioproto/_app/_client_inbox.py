"""What happened to one socket of a client, until somebody takes it."""

from __future__ import annotations

from collections import deque

from sioproto._app._backlog import ITEM_OVERHEAD, Backlog
from sioproto._app._runtime import Event, Runtime
from sioproto._output import Output

FAIR_SHARE = 64
"""So many items may be taken in a row before other tasks get a chance to run."""


class ClientInbox:
    """A queue from the one who reads to the one who handles.

    Until somebody *claims* it, by a listener or by iteration, it keeps the first so many items and
    drops the others: a client that only talks should not have to listen.

    Args:
        runtime: tasks and time.
        backlog: counts what is not taken, once the inbox is claimed.
        limit: how much is kept before that, in characters and bytes.
    """

    def __init__(self, runtime: Runtime, backlog: Backlog, limit: int) -> None:
        self._runtime = runtime
        self._backlog = backlog
        self._limit = limit
        self._items: deque[tuple[Output, int]] = deque()
        self._held = 0
        self._taken = 0
        self._woken: Event | None = None
        self.claimed = False
        self.dropped = False
        """Whether items were dropped because nobody had claimed them."""
        self.ended = False

    def claim(self) -> None:
        """Somebody takes what is here, and what will come."""
        if not self.claimed:
            self.claimed = True
            for _, size in self._items:
                self._backlog.add(size)

    def put(self, item: Output, size: int = 0) -> bool:
        """Append. False if the server has sent more than it may: end the connection."""
        if self.claimed:
            self._items.append((item, size))
            self.wake()
            return self._backlog.add(size)
        self._held += size + ITEM_OVERHEAD
        if self._held <= self._limit:
            self._items.append((item, size))
        else:
            self.dropped = True
        return True

    def end(self) -> None:
        """Nothing more will come. What came before can still be taken."""
        self.ended = True
        self.wake()

    def wake(self) -> None:
        """Let who waits look again."""
        if self._woken is not None:
            self._woken.set()
            self._woken = None

    async def wait(self) -> bool:
        """Wait for an item, or to be woken. Whether there is an item."""
        if self._items:
            self._taken += 1
            if self._taken % FAIR_SHARE == 0:
                pause = self._runtime.event()
                pause.set()
                await pause.wait()
        elif not self.ended:
            if self._woken is None:
                self._woken = self._runtime.event()
            await self._woken.wait()
        return bool(self._items)

    def take(self) -> Output:
        """Take the item that is there."""
        item, size = self._items.popleft()
        self._backlog.take(size)
        return item
