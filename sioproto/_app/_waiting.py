"""Tasks that wait for an event of the core."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from sioproto._app._runtime import Event, Runtime
from sioproto._output import Output

T = TypeVar("T", bound=Output)
K = TypeVar("K", bound=Hashable)


class Waiter(Generic[T]):
    """Somebody who waits."""

    __slots__ = ("event", "out")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.out: T | None = None

    def settle(self, out: T) -> None:
        """It is there."""
        self.out = out
        self.event.set()


async def wait_for(waiters: dict[K, Waiter[T]], key: K, runtime: Runtime) -> T:
    """Wait under this key until somebody settles it."""
    waiter = waiters[key] = Waiter(runtime.event())
    try:
        await waiter.event.wait()
    finally:
        del waiters[key]
    assert waiter.out is not None
    return waiter.out
