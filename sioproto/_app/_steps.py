"""What tasks of the application leave to send, sent at once when they pause."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any


class Flusher:
    """Knows whether there is something to drain, and who will do it.

    While a task of the application runs, nobody is told: all that it leaves until it pauses, or
    ends, is one drain. What others leave, ``wake`` is called for.

    Args:
        wake: has the core drained soon.
        flush: drains it at once.
    """

    def __init__(self, wake: Callable[[], None], flush: Callable[[], None]) -> None:
        self._wake = wake
        self._flush = flush
        self._stepping = False
        self._wanted = False

    def want(self) -> None:
        """There is something to drain."""
        if self._stepping:
            self._wanted = True
        else:
            self._wake()

    def begin(self) -> None:
        """A task goes on."""
        self._stepping = True

    def end(self) -> None:
        """It has paused, or ended."""
        self._stepping = False
        if self._wanted:
            self._wanted = False
            self._flush()


class InSteps:
    """A coroutine whose every pause is told to a flusher.

    Waking the clock's task instead for what a handler sends costs a switch of tasks, which is a
    third of the time of a short answer.

    Args:
        flusher: is told.
        coroutine: runs when this is awaited.
        context: in which it runs, if not in that of the task.
    """

    __slots__ = ("_awaited", "_begun", "_context", "_coroutine", "_flusher")

    def __init__(
        self,
        flusher: Flusher,
        coroutine: Coroutine[Any, Any, Any],
        context: Context | None = None,
    ) -> None:
        self._flusher = flusher
        self._coroutine = coroutine
        self._context = context
        self._begun = False
        self._awaited: Any = None

    def begin(self) -> bool:
        """Let it run without awaiting it. False if it pauses: then this must be awaited at once."""
        self._begun = True
        return self._go_on(self._coroutine.send, None)

    def _go_on(self, how: Callable[[Any], Any], told: Any) -> bool:
        """Let it run until it pauses. Whether it has come to its end instead."""
        self._flusher.begin()
        try:
            self._awaited = how(told) if self._context is None else self._context.run(how, told)
        except StopIteration:
            return True
        finally:
            self._flusher.end()
        return False

    def __await__(self) -> Generator[Any, Any, None]:
        coroutine = self._coroutine
        ended = not self._begun and self.begin()
        while not ended:
            how: Callable[[Any], Any] = coroutine.send
            try:
                told = yield self._awaited
            except BaseException as error:  # for the coroutine, whatever it is
                how, told = coroutine.throw, error
            ended = self._go_on(how, told)


async def run_in_steps(
    flusher: Flusher, function: Callable[..., Coroutine[Any, Any, object]], *args: Any
) -> None:
    """Call an async function, and flush whenever it pauses."""
    await InSteps(flusher, function(*args))
