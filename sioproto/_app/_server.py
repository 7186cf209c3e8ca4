"""A Socket.IO server as an application sees it, over any runtime."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from sioproto import engineio, socketio
from sioproto._app._base import Application, new_id
from sioproto._app._config import AppConfig
from sioproto._app._namespace import Namespace
from sioproto._app._socket import Socket
from sioproto._app._task import serve_socket
from sioproto._errors import LimitError
from sioproto.socketio import (
    AckFailed,
    AckReceived,
    BroadcastOperator,
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    Disconnecting,
    DisconnectReason,
    EventReceived,
    SocketServer,
    SocketStatistics,
)

F = TypeVar("F", bound=Callable[..., Any])

_NAMESPACE_ONLY = (
    DisconnectReason.CLIENT_NAMESPACE_DISCONNECT,
    DisconnectReason.SERVER_NAMESPACE_DISCONNECT,
)


class SocketApplication(Application):
    """A Socket.IO server with middleware and handlers.

    Args:
        engine: limits and times of the Engine.IO layer; its path is ``/socket.io/`` unless given.
        config: limits and times of the Socket.IO layer.
        app: limits of what handlers may leave waiting.
        allow_request: called with each request for a new session; refuses it by raising
            ``ConnectionRefused``, whose message the client gets to read.
    """

    core: SocketServer[Any]

    def __init__(
        self,
        *,
        engine: engineio.ServerConfig | None = None,
        config: socketio.ServerConfig | None = None,
        app: AppConfig | None = None,
        allow_request: Callable[[engineio.Request], object] | None = None,
    ) -> None:
        super().__init__(app)
        self.core = SocketServer(
            engineio.EngineServer(
                engine or engineio.ServerConfig(path="/socket.io/"),
                new_sid=new_id,
                wake=self._wake,
                allow_request=allow_request,
            ),
            config,
            new_id=new_id,
            wall_clock=time.time,
            socket_class=Socket,
        )
        self._namespaces: dict[str, Namespace] = {}
        self._root = self.of("/")
        self.handlers = {
            engineio.SessionUpgraded: _nothing,
            ConnectRequested: self._connect_requested,
            ConnectAbandoned: self._connect_abandoned,
            Connected: _nothing,
            EventReceived: self._event_received,
            AckReceived: self._ack_received,
            AckFailed: self._ack_failed,
            Disconnecting: self._disconnecting,
            Disconnected: _nothing,  # the rooms are empty once the handlers are told
        }

    # What users call

    def of(self, name: str) -> Namespace:
        """The namespace of this name, served from now on. A leading slash may be missing.

        Raises:
            LocalProtocolError: the name holds a comma, which the protocol cannot express.
        """
        core = self.core.of(name)
        namespace = self._namespaces.get(core.name)
        if namespace is None:
            namespace = self._namespaces[core.name] = Namespace(core)
        return namespace

    def use(self, middleware: F) -> F:
        """Decorator: see :meth:`Namespace.use`."""
        return self._root.use(middleware)

    def on(self, name: str) -> Callable[[F], F]:
        """Decorator: see :meth:`Namespace.on`."""
        return self._root.on(name)

    def once(self, name: str) -> Callable[[F], F]:
        """Decorator: see :meth:`Namespace.once`."""
        return self._root.once(name)

    def off(self, name: str, function: Callable[..., Any] | None = None) -> None:
        """See :meth:`Namespace.off`."""
        self._root.off(name, function)

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to every socket in ``/``: see :meth:`Namespace.emit`."""
        self._root.emit(name, *args)

    def send(self, *args: Any) -> None:
        """Emit an event named ``message`` to every socket in ``/``: see :meth:`Namespace.send`."""
        self._root.send(*args)

    def to(self, *rooms: str) -> BroadcastOperator:
        """Everybody in these rooms of ``/``."""
        return self._root.to(*rooms)

    def in_(self, *rooms: str) -> BroadcastOperator:
        """Another name for ``to``."""
        return self._root.to(*rooms)

    def except_(self, *rooms: str) -> BroadcastOperator:
        """Everybody in ``/`` who is in none of these rooms."""
        return self._root.except_(*rooms)

    def statistics(self) -> SocketStatistics:
        """Count what is held. Takes time in proportion to the number of sessions."""
        return self.core.statistics()

    # What sockets and their tasks call

    @property
    def has_error_hook(self) -> bool:
        """Whether exceptions of handlers go to a hook."""
        return self._error_hook is not None

    def engine(self) -> engineio.EngineServer[Any]:
        """The engine of the core."""
        return self.core.engine

    def buffered(self, sid: str) -> int:
        """How much waits for a client to fetch it."""
        return self.core.engine.buffered(sid)

    def end_client(self, socket: Socket, reason: DisconnectReason, error: Exception) -> None:
        """End the connection of a client, with all its sockets."""
        socket.connection.fail(reason, error, self.now())

    # Events of the core

    def _connect_requested(self, out: ConnectRequested) -> None:
        socket = out.socket
        assert isinstance(socket, Socket)
        socket._attach(self, self.enter_backlog(socket.sid))
        namespace = self.of(socket.namespace.name)
        self.runtime.spawn(serve_socket, self, namespace, socket)

    def _connect_abandoned(self, out: ConnectAbandoned) -> None:
        assert isinstance(out.socket, Socket)
        out.socket._abandoned()

    def _event_received(self, out: EventReceived) -> None:
        socket = out.socket
        assert isinstance(socket, Socket)
        self._read_for = socket._backlog
        if not socket._inbox.put(out, out.size):
            error = LimitError(
                "the client sends faster than its events are handled",
                rule="SIO-ROB-01",
                limit="max_input",
            )
            self.end_client(socket, DisconnectReason.FORCED_CLOSE, error)

    def _ack_received(self, out: AckReceived) -> None:
        assert isinstance(out.socket, Socket)
        out.socket._acknowledged(out)

    def _ack_failed(self, out: AckFailed) -> None:
        assert isinstance(out.socket, Socket)
        out.socket._not_acknowledged(out)

    def _disconnecting(self, out: Disconnecting) -> None:
        assert isinstance(out.socket, Socket)
        out.socket._leaving(out)
        if out.reason not in _NAMESPACE_ONLY:
            out.socket._backlog.close()


def _nothing(out: object) -> None:
    """An event that leaves nothing to do."""
