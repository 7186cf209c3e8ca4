"""What tasks of the application leave to send, sent at once when they pause."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
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
        paused: is called the first time.
    """

    __slots__ = ("_coroutine", "_flusher", "_paused")

    def __init__(
        self,
        flusher: Flusher,
        coroutine: Coroutine[Any, Any, Any],
        paused: Callable[[], None] | None = None,
    ) -> None:
        self._flusher = flusher
        self._coroutine = coroutine
        self._paused = paused

    def __await__(self) -> Generator[Any, Any, Any]:
        flusher = self._flusher
        go_on: Callable[[Any], Any] = self._coroutine.send
        told: Any = None
        while True:
            flusher.begin()
            try:
                awaited = go_on(told)
            except StopIteration as stop:
                return stop.value
            finally:
                flusher.end()
            if self._paused is not None:
                self._paused()
                self._paused = None
            try:
                told = yield awaited
                go_on = self._coroutine.send
            except BaseException as error:  # for the coroutine, whatever it is
                told = error
                go_on = self._coroutine.throw


async def run_in_steps(
    flusher: Flusher, function: Callable[..., Coroutine[Any, Any, object]], *args: Any
) -> None:
    """Call an async function, and flush whenever it pauses."""
    await InSteps(flusher, function(*args))
