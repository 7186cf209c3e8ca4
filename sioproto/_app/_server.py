"""A Socket.IO server as an application sees it, over any runtime."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar, overload

from sioproto import engineio, socketio
from sioproto._app._audience import Audience
from sioproto._app._base import Application, new_id
from sioproto._app._broadcast import Broadcast
from sioproto._app._calling import invoke
from sioproto._app._config import AppConfig
from sioproto._app._namespace import Namespace, ParentNamespace
from sioproto._app._socket import Socket
from sioproto._app._task import serve_server_event
from sioproto._app._waiting import Waiter, wait_for
from sioproto._errors import ClosedError, LimitError
from sioproto.socketio import (
    AckFailed,
    AckReceived,
    BroadcastAcked,
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    Disconnecting,
    DisconnectReason,
    EventReceived,
    NamespaceRemoved,
    NamespaceRequest,
    NamespaceRequested,
    RoomCreated,
    RoomDeleted,
    RoomJoined,
    RoomLeft,
    ServerEventReceived,
    ServersAnswered,
    SocketServer,
    SocketStatistics,
)
from sioproto.socketio import Namespace as CoreNamespace

F = TypeVar("F", bound=Callable[..., Any])

_NAMESPACE_ONLY = (
    DisconnectReason.CLIENT_NAMESPACE_DISCONNECT,
    DisconnectReason.SERVER_NAMESPACE_DISCONNECT,
)


class SocketApplication(Application, Audience):
    """A Socket.IO server with middleware and handlers.

    Args:
        engine: limits and times of the Engine.IO layer; its path is ``/socket.io/`` unless given.
        config: limits and times of the Socket.IO layer.
        app: limits of what handlers may leave waiting.
        allow_request: called with each request for a new session; refuses it by raising
            ``ConnectionRefused``, whose message the client gets to read. Whatever else it raises
            refuses the request too, and goes to ``on_error``.
        response_headers: called for each answer that is no error with the request and with whether
            the answer opens a session; returns headers to add.
        parser: encodes and decodes packets, the same as all clients use.
        adapter: makes the adapter of each namespace, for a cluster of servers: see
            :class:`sioproto.socketio.Adapter`.
    """

    core: SocketServer[Any]

    def __init__(
        self,
        *,
        engine: engineio.ServerConfig | None = None,
        config: socketio.ServerConfig | None = None,
        app: AppConfig | None = None,
        allow_request: Callable[[engineio.Request], object] | None = None,
        response_headers: engineio.ResponseHeaders | None = None,
        parser: socketio.Parser | None = None,
        adapter: socketio.AdapterFactory | None = None,
    ) -> None:
        super().__init__(app)
        self.core = SocketServer(
            engineio.EngineServer(
                engine or engineio.ServerConfig(path="/socket.io/"),
                new_sid=new_id,
                wake=self._wake,
                allow_request=allow_request,
                response_headers=response_headers,
            ),
            replace(config or socketio.ServerConfig(), dynamic_namespaces=True),
            new_id=new_id,
            wall_clock=time.time,
            socket_class=Socket,
            parser=parser,
            adapter=adapter,
        )
        self._namespaces: dict[str, Namespace] = {}
        self._parents: list[ParentNamespace] = []
        self._broadcasts: dict[tuple[CoreNamespace, int], Waiter[BroadcastAcked]] = {}
        self._server_requests: dict[tuple[CoreNamespace, int], Waiter[ServersAnswered]] = {}
        self._root = self.of("/")
        self.handlers = {
            engineio.SessionUpgraded: _nothing,
            engineio.HookFailed: self.hook_failed,
            NamespaceRequested: self._namespace_requested,
            NamespaceRemoved: self._namespace_removed,
            ConnectRequested: self._connect_requested,
            ConnectAbandoned: self._connect_abandoned,
            Connected: _nothing,
            EventReceived: self._event_received,
            AckReceived: self._ack_received,
            AckFailed: self._ack_failed,
            BroadcastAcked: self._broadcast_acked,
            ServersAnswered: self._servers_answered,
            ServerEventReceived: self._server_event_received,
            RoomCreated: lambda out: self._room_changed("create", out.namespace, out.room),
            RoomJoined: lambda out: self._room_changed("join", out.namespace, out.room, out.id),
            RoomLeft: lambda out: self._room_changed("leave", out.namespace, out.room, out.id),
            RoomDeleted: lambda out: self._room_changed("delete", out.namespace, out.room),
            Disconnecting: self._disconnecting,
            Disconnected: _nothing,  # the handlers are told by the socket's task
        }

    # What users call

    @overload
    def of(self, name: str) -> Namespace: ...

    @overload
    def of(
        self, name: re.Pattern[str] | Callable[[str, Mapping[str, Any]], Any]
    ) -> ParentNamespace: ...

    def of(
        self, name: str | re.Pattern[str] | Callable[[str, Mapping[str, Any]], Any]
    ) -> Namespace | ParentNamespace:
        """The namespace of this name, served from now on. A leading slash may be missing.

        With a pattern, or a plain or async function of name and auth, namespaces are made when a
        client asks for one that the pattern matches in full, or for which the function returns
        true. Candidates are tried in the order of the calls; what has been registered by name comes
        first.

        Raises:
            LocalProtocolError: the name holds a comma, which the protocol cannot express.
        """
        if not isinstance(name, str):
            parent = ParentNamespace(_matcher(name) if isinstance(name, re.Pattern) else name)
            self._parents.append(parent)
            return parent
        core = self.core.of(name)
        namespace = self._namespaces.get(core.name)
        if namespace is None or namespace._core is not core:
            namespace = self._namespaces[core.name] = Namespace(core, self)
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

    def on_room(self, change: str) -> Callable[[F], F]:
        """Decorator: see :meth:`Namespace.on_room`."""
        return self._root.on_room(change)

    def on_server_side(self, name: str) -> Callable[[F], F]:
        """Decorator: see :meth:`Namespace.on_server_side`."""
        return self._root.on_server_side(name)

    def to(self, *rooms: str) -> Broadcast:
        """Everybody in these rooms of ``/``; without rooms, everybody."""
        return self._root.to(*rooms)

    def server_side_emit(self, name: str, *args: Any) -> None:
        """See :meth:`Namespace.server_side_emit`."""
        self._root.server_side_emit(name, *args)

    async def server_side_request(self, name: str, *args: Any, timeout: float) -> list[Any]:
        """See :meth:`Namespace.server_side_request`."""
        return await self._root.server_side_request(name, *args, timeout=timeout)

    def statistics(self) -> SocketStatistics:
        """Count what is held. Takes time in proportion to the number of sessions."""
        return self.core.statistics()

    # What sockets and their tasks call

    @property
    def has_error_hook(self) -> bool:
        """Whether exceptions of handlers go to a hook."""
        return self._error_hook is not None

    @property
    def skips_middlewares(self) -> bool:
        """Whether sockets that were recovered skip the middleware (SIO-CSR-11)."""
        recovery = self.core.config.recovery
        return recovery is not None and recovery.skip_middlewares

    def engine(self) -> engineio.EngineServer[Any]:
        """The engine of the core."""
        return self.core.engine

    def buffered(self, sid: str) -> int:
        """How much waits for a client to fetch it."""
        return self.core.engine.buffered(sid)

    def end_client(self, socket: Socket, reason: DisconnectReason, error: Exception) -> None:
        """End the connection of a client, with all its sockets."""
        socket.connection.fail(reason, error, self.now())

    async def acknowledged_by_all(self, namespace: CoreNamespace, id: int) -> BroadcastAcked:
        """Wait until a broadcast has been acknowledged, or will not be."""
        return await wait_for(self._broadcasts, (namespace, id), self.runtime)

    async def answered_by_all(self, namespace: CoreNamespace, id: int) -> ServersAnswered:
        """Wait until the other servers have answered, or will not."""
        return await wait_for(self._server_requests, (namespace, id), self.runtime)

    # Events of the core

    def _namespace_requested(self, out: NamespaceRequested) -> None:
        if self._parents:
            self.spawn(self._find_parent, out.request)
            return
        with suppress(ClosedError):  # what came with it has ended the connection
            self.core.deny(out.request)

    async def _find_parent(self, request: NamespaceRequest) -> None:
        parent = failure = None
        try:
            with self.runtime.timeout(self.app_config.middleware_timeout):
                for candidate in list(self._parents):
                    if await invoke(candidate.accepts, request.name, request.auth):
                        parent = candidate
                        break
        except Exception as error:
            failure = error
        with suppress(ClosedError):  # the client has gone meanwhile
            if parent is None:
                self.core.deny(request)
            else:
                self._grant(request, parent)
        if failure is not None:
            await self.failed(failure, None)

    def _namespace_removed(self, out: NamespaceRemoved) -> None:
        name = out.namespace.name
        namespace = self._namespaces.get(name)
        if namespace is None or namespace._core is not out.namespace:
            return  # there is another one already
        del self._namespaces[name]
        for parent in self._parents:
            if parent.children.get(name) is namespace:
                del parent.children[name]

    def namespace_of(self, core: CoreNamespace) -> Namespace:
        """Where somebody wants to join, though it may be gone by now, and the client with it."""
        namespace = self._namespaces.get(core.name)
        if namespace is None or namespace._core is not core:
            namespace = Namespace(core, self)
            if self.core.namespaces.get(core.name) is core:
                self._namespaces[core.name] = namespace
        return namespace

    def _grant(self, request: NamespaceRequest, parent: ParentNamespace) -> None:
        self.core.grant(request)
        before = self._namespaces.get(request.name)
        namespace = self.of(request.name)
        if namespace is not before:
            parent.adopt(namespace)

    def _broadcast_acked(self, out: BroadcastAcked) -> None:
        waiter = self._broadcasts.get((out.namespace, out.id))
        if waiter is not None:
            waiter.settle(out)

    def _servers_answered(self, out: ServersAnswered) -> None:
        waiter = self._server_requests.get((out.namespace, out.id))
        if waiter is not None:
            waiter.settle(out)

    def _server_event_received(self, out: ServerEventReceived) -> None:
        namespace = self._namespaces.get(out.namespace.name)
        if namespace is not None and namespace.server_side.get(out.name):
            self.spawn(serve_server_event, self, namespace, out)

    def _room_changed(self, change: str, core: CoreNamespace, *args: str) -> None:
        namespace = self._namespaces.get(core.name)
        if namespace is None:
            return
        for listener in namespace.room_changes.get(change):
            try:
                listener.function(*args)
            except Exception as error:
                self.spawn(self.failed, error, None)

    def _connect_requested(self, out: ConnectRequested) -> None:
        socket = out.socket
        assert isinstance(socket, Socket)
        socket._attach(self, self.enter_backlog(socket.sid))
        self._call_on(socket)

    def _call_on(self, socket: Socket) -> None:
        """It is its turn, unless its handlers are being called."""
        if not socket._at_work:
            socket._at_work = True
            self._due.append(socket)

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
        self._call_on(socket)

    def _ack_received(self, out: AckReceived) -> None:
        assert isinstance(out.socket, Socket)
        out.socket._acknowledged(out)

    def _ack_failed(self, out: AckFailed) -> None:
        assert isinstance(out.socket, Socket)
        out.socket._not_acknowledged(out)

    def _disconnecting(self, out: Disconnecting) -> None:
        assert isinstance(out.socket, Socket)
        out.socket._leaving(out)
        self._call_on(out.socket)
        if out.reason not in _NAMESPACE_ONLY:
            out.socket._backlog.close()


def _matcher(pattern: re.Pattern[str]) -> Callable[[str, Mapping[str, Any]], bool]:
    return lambda name, auth: pattern.fullmatch(name) is not None


def _nothing(out: object) -> None:
    """An event that leaves nothing to do."""
