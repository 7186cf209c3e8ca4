"""What happened to one socket of a client, until somebody takes it."""

from __future__ import annotations

from collections import deque

from sioproto._app._backlog import ITEM_OVERHEAD, Backlog
from sioproto._app._runtime import Event, Runtime
from sioproto._output import Output

FAIR_SHARE = 64
"""So many items may be taken in a row before other tasks get a chance to run."""

MAX_NEWS = 1_000
"""So much may happen to a socket while its listeners are busy."""


class _Entry:
    """An item of the queue."""

    __slots__ = ("is_kept", "is_news", "item", "size", "told")

    def __init__(self, item: Output, size: int, is_news: bool) -> None:
        self.item = item
        self.size = size
        self.is_news = is_news
        self.is_kept = True
        self.told = False


class ClientInbox:
    """A queue from the one who reads to the one who handles.

    Until somebody *claims* it, by a listener of events or by iteration, it keeps the first so many
    items and drops the others: a client that only talks should not have to listen. Who *watches* it
    before that takes the *news* alone, what happened to the socket itself; it stays in the queue
    for whoever claims that.

    Args:
        runtime: tasks and time.
        backlog: counts what is not taken, once the inbox is claimed.
        limit: how much is kept before that, in characters and bytes.
    """

    def __init__(self, runtime: Runtime, backlog: Backlog, limit: int) -> None:
        self._runtime = runtime
        self._backlog = backlog
        self._limit = limit
        self._items: deque[_Entry] = deque()
        self._news: deque[_Entry] = deque()
        self._held = 0
        self._taken = 0
        self._woken: Event | None = None
        self.watched = False
        self.claimed = False
        self.dropped = False
        """Whether items were dropped because nobody had claimed them."""
        self.ended = False

    def claim(self) -> None:
        """Somebody takes what is here, and what will come."""
        if not self.claimed:
            self.claimed = True
            self._items += (entry for entry in self._news if not entry.is_kept)
            self._news.clear()
            for entry in self._items:
                self._backlog.add(entry.size)
            self.wake()

    def watch(self) -> None:
        """Somebody takes the news that are here, and that will come."""
        if not self.watched:
            self.watched = True
            if not self.claimed:
                self._news += (entry for entry in self._items if entry.is_news)

    def put(self, item: Output, size: int = 0, *, is_news: bool = False) -> bool:
        """Append. False if more has come than may wait: end the connection."""
        entry = _Entry(item, size, is_news)
        if self.claimed:
            self._items.append(entry)
            self.wake()
            return self._backlog.add(size)
        self._held += size + ITEM_OVERHEAD
        if self._held <= self._limit:
            self._items.append(entry)
        else:
            self.dropped = True
            entry.is_kept = False
        if is_news and self.watched:
            self._news.append(entry)
            self.wake()
        return len(self._news) <= MAX_NEWS

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
        """Wait for an item, or to be woken. Whether there is an item: if nobody claimed the queue,
        a piece of news."""
        if self._ready:
            self._taken += 1
            if self._taken % FAIR_SHARE == 0:
                pause = self._runtime.event()
                pause.set()
                await pause.wait()
        elif not self.ended:
            if self._woken is None:
                self._woken = self._runtime.event()
            await self._woken.wait()
        return bool(self._ready)

    @property
    def _ready(self) -> deque[_Entry]:
        return self._items if self.claimed else self._news

    def take(self) -> tuple[Output, bool]:
        """Take the item that is there, and whether it is news that was taken before."""
        entry = self._ready.popleft()
        told, entry.told = entry.told, True
        if self.claimed:
            self._backlog.take(entry.size)
        return entry.item, told
