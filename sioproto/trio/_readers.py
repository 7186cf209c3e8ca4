"""Reading from many connections in one task, which calls the handlers, too.

A task that waits for its own connection costs a pass of the scheduler and a call of the kernel for
every read: a tenth of a short exchange. Here one task at a time waits for all connections together,
on a set of the kernel's that is readable as soon as any of them is. It reads, and calls handlers,
without switching tasks. When a handler pauses, that task stays with it, and another one takes over.
"""

from __future__ import annotations

import select
import sys
from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Protocol

import trio

from sioproto._app._steps import InSteps

if TYPE_CHECKING:
    from sioproto._app._base import Application, TakesTurns
    from sioproto._app._busy import Busy

BATCH = 64
"""So many connections are read in a row before other tasks get a chance to run."""


class Reader(Protocol):
    """Somebody who reads from a connection."""

    context: Context
    """In which its handlers are called."""

    @property
    def application(self) -> Application:
        """Whose handlers they are."""

    @abstractmethod
    def read(self) -> deque[TakesTurns]:
        """There is something to read. Returns whose turn it then is."""


class Readers:
    """All those who read, and the tasks that lead them.

    Args:
        busy: counts handlers that have paused.
        spawn: starts a task.
    """

    def __init__(
        self, busy: Busy, spawn: Callable[[Callable[[], Awaitable[object]]], None]
    ) -> None:
        self._busy = busy
        self._spawn = spawn
        self._readers: dict[int, Reader] = {}
        # ``sys.platform`` rather than a look into ``select``: type checkers understand it.
        self._ready = select.epoll() if sys.platform == "linux" else None
        self._leader: object | None = None
        self._spare: trio.Event | None = None

    @property
    def usable(self) -> bool:
        """Whether the system has such sets."""
        return self._ready is not None

    def add(self, fd: int, reader: Reader) -> None:
        """Have a reader called whenever there is something to read, until it is removed."""
        assert self._ready is not None
        self._readers[fd] = reader
        self._ready.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        """It is not called any more. Not after the file is closed, whose number may be reused."""
        assert self._ready is not None
        del self._readers[fd]
        self._ready.unregister(fd)

    def close(self) -> None:
        """Nobody waits for anything any more."""
        if self._ready is not None:
            self._ready.close()

    async def run(self) -> None:
        """Lead, be at the disposal of the next leader who pauses, lead again, and so on."""
        if self._ready is None:
            return
        while True:
            await self._lead(self._ready)
            # Others lead since a handler has paused that this task called.
            if self._spare is not None:
                return
            self._spare = trio.Event()
            await self._spare.wait()

    def _hand_over(self) -> None:
        self._leader = None
        if self._spare is not None:
            self._spare.set()
            self._spare = None
        else:
            self._spawn(self.run)

    async def _lead(self, ready: select.epoll) -> None:
        me = self._leader = object()
        while True:
            await trio.lowlevel.wait_readable(ready.fileno())
            for fd, _ in ready.poll(0, BATCH):
                reader = self._readers.get(fd)
                if reader is None:  # one before it in the row has removed it
                    continue
                due = reader.read()
                while due:
                    application = reader.application
                    turn = due.popleft()._take_turn()
                    steps = InSteps(application.flusher, turn, reader.context)
                    if steps.begin():
                        continue
                    application.start_turns(due)
                    self._hand_over()
                    with self._busy:
                        await steps
                    break
                if self._leader is not me:
                    return
