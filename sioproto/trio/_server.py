"""The two servers that an application makes: Socket.IO, and bare Engine.IO."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import trio

from sioproto._app._base import Application
from sioproto._app._engine import EngineApplication
from sioproto._app._server import SocketApplication
from sioproto.trio._config import ConnectionConfig
from sioproto.trio._http import Fallback
from sioproto.trio._serve import Address, Listener, serve


class _Served(Application):
    """What both servers can do on trio."""

    async def serve(
        self,
        *,
        host: str | None = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        listeners: Sequence[Listener] | None = None,
        fallback: Fallback | None = None,
        config: ConnectionConfig | None = None,
        task_status: trio.TaskStatus[list[Address]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve this server alone, until cancelled: see :func:`sioproto.trio.serve`."""
        await serve(
            self,
            host=host,
            port=port,
            ssl_context=ssl_context,
            listeners=listeners,
            fallback=fallback,
            config=config,
            task_status=task_status,
        )


class Server(SocketApplication, _Served):
    """A Socket.IO server on trio.

    ``on``, ``once``, ``off``, ``use``, ``emit``, ``send``, ``to``, ``in_``, ``except_`` and
    ``volatile`` are those of the namespace ``/``; ``of`` gives others.

    Args:
        engine: limits and times of the Engine.IO layer; its path is ``/socket.io/`` unless given.
        config: limits and times of the Socket.IO layer.
        app: limits of what handlers may leave waiting.
        allow_request: called with each request for a new session; refuses it by raising
            ``ConnectionRefused``, whose message the client gets to read. Whatever else it raises
            refuses the request too, and goes to ``on_error``.
        response_headers: called for each answer that is no error with the request and with whether
            the answer opens a session; returns headers to add. What it raises goes to ``on_error``.
        parser: encodes and decodes packets, the same as all clients use.
        adapter: makes the adapter of each namespace.
    """


class EngineServer(EngineApplication, _Served):
    """A bare Engine.IO server on trio, with one async function for each session.

    Args:
        handler: called with each new :class:`Session`, in a task of its own. When it returns, the
            session is closed; when the session ends, the iteration over it does.
        config: limits and times.
        app: limits of what handlers may leave waiting.
        allow_request: called with each request for a new session; refuses it by raising
            ``ConnectionRefused``, whose message the client gets to read. Whatever else it raises
            refuses the request too, and goes to ``on_error``.
        response_headers: called for each answer that is no error with the request and with whether
            the answer opens a session; returns headers to add. What it raises goes to ``on_error``.
    """
