"""Serving: listeners, endpoints, the nursery of all tasks, and the end in order."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import trio

from sioproto._app._base import Application
from sioproto.trio._config import ConnectionConfig
from sioproto.trio._endpoint import Endpoint
from sioproto.trio._http import Fallback, HttpConnection

Listener = trio.abc.Listener[Any]
Address = tuple[str, int]


async def serve(
    *applications: Application,
    host: str | None = "127.0.0.1",
    port: int = 0,
    ssl_context: ssl.SSLContext | None = None,
    listeners: Sequence[Listener] | None = None,
    fallback: Fallback | None = None,
    config: ConnectionConfig | None = None,
    task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve several applications on the same listeners, for ever.

    Each request goes to the first application whose path its target begins with. Cancelling the
    call closes every session in order: clients are told, handlers see ``server shutting down``, and
    what is written is flushed, all of it within ``config.shutdown_timeout``.

    Args:
        applications: servers, each with a path of its own.
        host: address or name to listen on; None for all interfaces.
        port: to listen on; 0 for any free one.
        ssl_context: for TLS.
        listeners: listened on instead of ``host`` and ``port``. They are closed at the end.
        fallback: an async function that answers requests no application serves; if it returns None,
            as if there
            is none, the answer is 404.
        config: limits and times of connections.
        task_status: ``await nursery.start(...)`` returns the addresses that are listened on.

    Raises:
        OSError: the address cannot be listened on.
        LocalProtocolError: an application serves or served already.
        ExceptionGroup: what a handler raised, unless a hook took it.
    """
    if listeners is None:
        listeners = await trio.open_tcp_listeners(port, host=host)
    if ssl_context is not None:
        # Many clients close without saying so in TLS first, as HTTP allows.
        listeners = [
            trio.SSLListener(listener, ssl_context, https_compatible=True) for listener in listeners
        ]
    hosting = _Hosting(applications, fallback, config or ConnectionConfig())
    try:
        await hosting.run(listeners, task_status)
    finally:
        with trio.CancelScope(shield=True):  # closing a listener waits for nothing
            for listener in listeners:
                await listener.aclose()


class TrioRuntime:
    """What trio lends to an application."""

    def __init__(self, nursery: trio.Nursery, busy: _Busy) -> None:
        self._nursery = nursery
        self._busy = busy

    def spawn(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Start a task."""
        self._nursery.start_soon(self._run, function, args)

    def event(self) -> trio.Event:
        """Make an event."""
        return trio.Event()

    def timeout(self, seconds: float) -> AbstractContextManager[object]:
        """A context whose body is cancelled after so many seconds."""
        return trio.move_on_after(seconds)

    def clock(self) -> float:
        """Seconds."""
        return trio.current_time()

    async def _run(self, function: Callable[..., Awaitable[object]], args: Any) -> None:
        with self._busy.one():
            await function(*args)


class _Busy:
    """Counts what should come to its end before the serving does."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = trio.Event()

    @contextmanager
    def one(self) -> Iterator[None]:
        """One more, while this context lasts."""
        if not self._count:
            self._idle = trio.Event()
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until there is none."""
        if self._count:
            await self._idle.wait()


class _Hosting:
    """One call of ``serve``."""

    def __init__(
        self,
        applications: Sequence[Application],
        fallback: Fallback | None,
        config: ConnectionConfig,
    ) -> None:
        self._endpoints = [Endpoint(application) for application in applications]
        self._fallback = fallback
        self._config = config
        self._busy = _Busy()
        self._accepting = trio.CancelScope()

    async def run(
        self, listeners: Sequence[Listener], task_status: trio.TaskStatus[list[Address]]
    ) -> None:
        """Serve until cancelled, then end in order."""
        async with trio.open_nursery() as outer:
            tasks: trio.Nursery = await outer.start(self._run_tasks, listeners)
            task_status.started(list(_addresses(listeners)))
            try:
                await trio.sleep_forever()
            finally:
                if not tasks.cancel_scope.cancel_called:
                    self._shut_down(tasks)

    async def _run_tasks(
        self, listeners: Sequence[Listener], task_status: trio.TaskStatus[trio.Nursery]
    ) -> None:
        """The home of all tasks, which no cancellation reaches before they have come to an end."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as tasks:
                runtime = TrioRuntime(tasks, self._busy)
                for endpoint in self._endpoints:
                    endpoint.application.start(runtime, endpoint.wake, endpoint.flush)
                    tasks.start_soon(endpoint.run_clock)
                tasks.start_soon(self._accept, listeners, tasks)
                task_status.started(tasks)

    async def _accept(self, listeners: Sequence[Listener], tasks: trio.Nursery) -> None:
        with self._accepting:
            await trio.serve_listeners(self._serve_stream, list(listeners), handler_nursery=tasks)

    def _shut_down(self, tasks: trio.Nursery) -> None:
        self._accepting.cancel()
        for endpoint in self._endpoints:
            endpoint.call(endpoint.core.shutdown)
        tasks.cancel_scope.deadline = trio.current_time() + self._config.shutdown_timeout
        tasks.start_soon(self._end_when_idle, tasks)

    async def _end_when_idle(self, tasks: trio.Nursery) -> None:
        await self._busy.wait_idle()
        tasks.cancel_scope.cancel()

    async def _serve_stream(self, stream: trio.abc.Stream) -> None:
        connection = HttpConnection(
            stream, self._find_endpoint, self._fallback, self._config, self._busy.one
        )
        await connection.run()

    def _find_endpoint(self, target: str) -> Endpoint | None:
        for endpoint in self._endpoints:
            if endpoint.core.serves(target):
                return endpoint
        return None


def _addresses(listeners: Sequence[Listener]) -> Iterator[Address]:
    for listener in listeners:
        if isinstance(listener, trio.SSLListener):
            listener = listener.transport_listener
        if isinstance(listener, trio.SocketListener):
            name = listener.socket.getsockname()
            if isinstance(name, tuple):
                yield name[0], name[1]
