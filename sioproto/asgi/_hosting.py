"""The task group of all tasks of an application, its clock, and the end in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc

from sioproto._app._base import Application
from sioproto._app._busy import Busy
from sioproto._app._endpoint import Endpoint


class AnyioRuntime:
    """What anyio lends to an application."""

    def __init__(self, tasks: anyio.abc.TaskGroup, busy: Busy) -> None:
        self._tasks = tasks
        self._busy = busy
        self.ended = False
        """Whether tasks have an owner no more."""

    def spawn(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Start a task, unless the serving has ended: it has no owner then."""
        if self.ended:
            return
        self._tasks.start_soon(self._run, function, args)

    def event(self) -> anyio.Event:
        """Make an event."""
        return anyio.Event()

    def timeout(self, seconds: float) -> anyio.CancelScope:
        """A context whose body is cancelled after so many seconds."""
        return anyio.move_on_after(seconds)

    def clock(self) -> float:
        """Seconds."""
        return anyio.current_time()

    async def _run(self, function: Callable[..., Awaitable[object]], args: Any) -> None:
        with self._busy:
            await function(*args)


class Hosting:
    """What goes on while an application is served, wherever its requests come from.

    Args:
        application: which is served.
        shutdown_timeout: longest time that closing in order may take, in seconds.
    """

    def __init__(self, application: Application, shutdown_timeout: float) -> None:
        self.endpoint = Endpoint(application)
        self.busy = Busy(anyio.Event)
        """Counts what should come to its end before the serving does."""
        self.open = True
        """Whether requests are still taken."""
        self._shutdown_timeout = shutdown_timeout
        self._tasks: anyio.abc.TaskGroup | None = None
        self._runtime: AnyioRuntime | None = None
        self._ended = anyio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the context lasts, then end in order.

        Raises:
            LocalProtocolError: the application serves or served already.
            ExceptionGroup: of one ``ExceptionGroup``, of what tasks raised.
        """
        self.endpoint.application.check()
        async with anyio.create_task_group() as outer:
            await outer.start(self._run_tasks)
            try:
                yield
            finally:
                self._shut_down()

    async def end(self) -> None:
        """End in order, and wait for it. The context may then be left."""
        self._shut_down()
        await self._ended.wait()

    async def _run_tasks(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """The home of all tasks, which no cancellation reaches before they have come to an end."""
        try:
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as self._tasks:
                    self._runtime = runtime = AnyioRuntime(self._tasks, self.busy)
                    self.endpoint.application.start(
                        runtime, self.endpoint.wake, self.endpoint.flush
                    )
                    self._tasks.start_soon(self.endpoint.run_clock)
                    task_status.started()
        finally:
            if self._runtime is not None:
                self._runtime.ended = True
            if self.open:
                # A task has failed. Requests and WebSockets are the ASGI server's tasks: without
                # a clock, they would wait for ever.
                self.open = False
                self.endpoint.call(self.endpoint.core.shutdown)
            self._ended.set()

    def _shut_down(self) -> None:
        tasks = self._tasks
        if self.open and tasks is not None and not tasks.cancel_scope.cancel_called:
            self.open = False
            self.endpoint.call(self.endpoint.core.shutdown)
            tasks.cancel_scope.deadline = anyio.current_time() + self._shutdown_timeout
            tasks.start_soon(self._end_when_idle, tasks)

    async def _end_when_idle(self, tasks: anyio.abc.TaskGroup) -> None:
        await self.busy.wait_idle()
        tasks.cancel_scope.cancel()
