"""The nursery of all tasks of some applications, their clocks, and the end in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from sioproto._app._busy import Busy
from sioproto._app._endpoint import Endpoint
from sioproto.trio._patience import Patience
from sioproto.trio._readers import Readers


class Hosting:
    """What goes on while some applications are served, wherever their clients come from.

    Args:
        endpoints: of the applications.
        shutdown_timeout: longest time that closing in order may take, in seconds.
    """

    def __init__(self, endpoints: Sequence[Endpoint], shutdown_timeout: float) -> None:
        self._endpoints = endpoints
        self._shutdown_timeout = shutdown_timeout
        self.busy = Busy(trio.Event)
        """Counts what should come to its end before the serving does."""
        self.patience = Patience()
        """Ends waits whose time is up."""
        self.readers = Readers(self.busy, self.spawn)
        """Read from connections, all in one task."""
        self._accepting = trio.CancelScope()
        self._tasks: trio.Nursery | None = None

    async def run(
        self,
        accept: Callable[[trio.Nursery], Awaitable[object]],
        started: Callable[[], None],
    ) -> None:
        """Serve until cancelled, then end in order.

        Args:
            accept: takes clients in until it is cancelled, each in a task of the nursery given.
            started: called once everything runs.

        Raises:
            LocalProtocolError: an application serves or served already.
            ExceptionGroup: of one ``ExceptionGroup``, of what tasks raised.
        """
        for endpoint in self._endpoints:
            endpoint.application.check()
        async with trio.open_nursery() as outer:
            tasks: trio.Nursery = await outer.start(self._run_tasks, accept)
            started()
            try:
                await trio.sleep_forever()
            finally:
                if not tasks.cancel_scope.cancel_called:
                    self._shut_down(tasks)

    def spawn(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Start a task of the driver, while it serves."""
        assert self._tasks is not None
        self._tasks.start_soon(function, *args)

    async def _run_tasks(
        self,
        accept: Callable[[trio.Nursery], Awaitable[object]],
        *,
        task_status: trio.TaskStatus[trio.Nursery],
    ) -> None:
        """The home of all tasks, which no cancellation reaches before they have come to an end."""
        # Once cancelled, ``started`` would leave the tasks where no cancellation reaches them.
        await trio.lowlevel.checkpoint_if_cancelled()
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as tasks:
                self._tasks = tasks
                tasks.start_soon(self.patience.run)
                tasks.start_soon(self.readers.run)
                runtime = TrioRuntime(tasks, self.busy)
                for endpoint in self._endpoints:
                    endpoint.application.start(runtime, endpoint.wake, endpoint.flush)
                    tasks.start_soon(endpoint.run_clock)
                tasks.start_soon(self._accept, accept, tasks)
                task_status.started(tasks)

    async def _accept(
        self, accept: Callable[[trio.Nursery], Awaitable[object]], tasks: trio.Nursery
    ) -> None:
        with self._accepting:
            await accept(tasks)

    def _shut_down(self, tasks: trio.Nursery) -> None:
        self._accepting.cancel()
        for endpoint in self._endpoints:
            endpoint.call(endpoint.core.shutdown)
        tasks.cancel_scope.deadline = trio.current_time() + self._shutdown_timeout
        tasks.start_soon(self._end_when_idle, tasks)

    async def _end_when_idle(self, tasks: trio.Nursery) -> None:
        await self.busy.wait_idle()
        tasks.cancel_scope.cancel()


class TrioRuntime:
    """What trio lends to an application."""

    def __init__(self, nursery: trio.Nursery, busy: Busy) -> None:
        self._nursery = nursery
        self._busy = busy

    def spawn(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Start a task."""
        self._nursery.start_soon(self._run, function, args)

    def event(self) -> trio.Event:
        """Make an event."""
        return trio.Event()

    def timeout(self, seconds: float) -> trio.CancelScope:
        """A context whose body is cancelled after so many seconds."""
        return trio.move_on_after(seconds)

    def clock(self) -> float:
        """Seconds."""
        return trio.current_time()

    async def _run(self, function: Callable[..., Awaitable[object]], args: Any) -> None:
        with self._busy:
            await function(*args)
