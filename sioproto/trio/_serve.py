"""Serving on the network: listeners, and whose request it is."""

from __future__ import annotations

import errno
import logging
import os
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import trio

from sioproto._app._base import Application
from sioproto._app._endpoint import Endpoint
from sioproto.trio._config import ConnectionConfig
from sioproto.trio._hosting import Hosting
from sioproto.trio._http import Fallback, HttpConnection
from sioproto.trio._tls import SecureWire
from sioproto.trio._wire import Wire

_LOGGER = logging.getLogger(__name__)

# Of files or of memory: it is there again when other connections have ended.
_OUT_OF_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
_TRY_AGAIN = 0.1

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
    serving = _Serving(applications, fallback, config or ConnectionConfig(), ssl_context)
    try:
        await serving.run(listeners, task_status)
    finally:
        with trio.CancelScope(shield=True):  # closing a listener waits for nothing
            for listener in listeners:
                await listener.aclose()


class _Serving:
    """One call of ``serve``."""

    def __init__(
        self,
        applications: Sequence[Application],
        fallback: Fallback | None,
        config: ConnectionConfig,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._endpoints = [Endpoint(application) for application in applications]
        self._fallback = fallback
        self._config = config
        self._ssl_context = ssl_context
        self._hosting = Hosting(self._endpoints, config.shutdown_timeout)

    async def run(
        self, listeners: Sequence[Listener], task_status: trio.TaskStatus[list[Address]]
    ) -> None:
        """Serve until cancelled, then end in order."""

        async def accept(tasks: trio.Nursery) -> None:
            async with trio.open_nursery() as nursery:
                for listener in listeners:
                    nursery.start_soon(self._accept, listener, tasks)

        await self._hosting.run(
            accept, started=lambda: task_status.started(list(_addresses(listeners)))
        )

    async def _accept(self, listener: Listener, tasks: trio.Nursery) -> None:
        """Accept for ever. What trio has for that closes each connection in a scope and a pass of
        the scheduler of its own, which is a tenth of a short one's cost."""
        async with listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    if error.errno not in _OUT_OF_ROOM:
                        raise
                    _LOGGER.error("no connection can be accepted: %s", error)
                    await trio.sleep(_TRY_AGAIN)
                else:
                    tasks.start_soon(self._serve_stream, stream)

    async def _serve_stream(self, stream: trio.abc.Stream) -> None:
        wire = self._wire(stream)
        try:
            connection = HttpConnection(
                wire, self._find_endpoint, self._fallback, self._config, self._hosting
            )
            await connection.run()
        finally:
            await wire.close()

    def _wire(self, stream: trio.abc.Stream) -> Wire:
        context, fast = self._ssl_context, self._config.fast_lanes
        if context is None:
            return Wire(stream, fast=fast)
        if fast and isinstance(stream, trio.SocketStream) and os.name == "posix":
            return SecureWire(stream, context)
        # Many clients close without saying so in TLS first, as HTTP allows.
        secure = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        return Wire(secure, fast=fast)

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
