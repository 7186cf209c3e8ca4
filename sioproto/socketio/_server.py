"""The Socket.IO server machine: an engine, the connections on it, and the namespaces."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Generic, Protocol

from sioproto._deadlines import Deadlines
from sioproto._errors import LocalProtocolError
from sioproto._output import Output, output
from sioproto.engineio._outputs import MessageReceived, SessionClosed, SessionOpened, X
from sioproto.engineio._request import Request
from sioproto.engineio._server import EngineServer
from sioproto.engineio._statistics import EngineStatistics
from sioproto.socketio._adapter import Adapter, AdapterFactory, LocalAdapter, Restored
from sioproto.socketio._config import ServerConfig
from sioproto.socketio._connection import Connection, NamespaceRequest
from sioproto.socketio._dialect import computed_id
from sioproto.socketio._handshake import Handshake
from sioproto.socketio._namespace import Namespace
from sioproto.socketio._outputs import Disconnected, NamespaceRemoved
from sioproto.socketio._parser import Parser, TextParser
from sioproto.socketio._reasons import DisconnectReason
from sioproto.socketio._recovery import RecoveringAdapter
from sioproto.socketio._socket import Socket


@output
class SocketStatistics:
    """How much a :class:`SocketServer` holds."""

    connections: int
    sockets: int
    namespaces: int
    timers: int
    """Entries in the deadline heap, superseded ones included."""
    engine: EngineStatistics


class Timed(Protocol):
    """Whatever wants to be called when a time has come."""

    deadline: float
    wake_at: float

    def handle_timeout(self, now: float) -> None: ...


class SocketServer(Generic[X]):
    """The server side of Socket.IO: of revision 5, and of 4 if the engine allows what carries it.

    It wraps an engine and has the same facts. Effects of the engine pass through; its events become
    Socket.IO events at once, inside the fact.

    Args:
        engine: carries the connections; used by this server alone.
        config: limits and times.
        new_id: makes socket ids; the own room of each socket is named by it (SIO-CONN-09).
        wall_clock: seconds since 1970, for ``handshake.time`` and ``handshake.issued``.
        socket_class: what sockets are made of, so that a runtime can give them methods of its own.
        parser: encodes and decodes packets; :class:`TextParser` unless given.
        adapter: makes the adapter of each namespace. The default is a :class:`LocalAdapter`, or a
            :class:`RecoveringAdapter` if the configuration asks for recovery.
    """

    def __init__(
        self,
        engine: EngineServer[X],
        config: ServerConfig | None = None,
        *,
        new_id: Callable[[], str],
        wall_clock: Callable[[], float],
        socket_class: type[Socket] = Socket,
        parser: Parser | None = None,
        adapter: AdapterFactory | None = None,
    ) -> None:
        self.engine = engine
        self.config = config or ServerConfig()
        self.parser = parser or TextParser()
        self.wall_clock = wall_clock
        self.deadlines: Deadlines[Timed] = Deadlines()
        self._new_id = new_id
        self._socket_class = socket_class
        self._make_adapter = adapter
        self._connections: dict[str, Connection] = {}
        self._namespaces: dict[str, Namespace] = {}
        self.namespaces: Mapping[str, Namespace] = MappingProxyType(self._namespaces)
        """The registered namespaces by name. A live view."""
        self._queue: deque[Output] = deque()
        self.of("/")

    # Facts: those of the engine

    def http_request(self, exchange: X, request: Request, *, now: float) -> None:
        """See :meth:`EngineServer.http_request`."""
        self.engine.http_request(exchange, request, now=now)
        self._pump(now)

    def http_body(self, exchange: X, data: bytes, *, now: float) -> None:
        """See :meth:`EngineServer.http_body`."""
        self.engine.http_body(exchange, data, now=now)
        self._pump(now)

    def http_aborted(self, exchange: X, *, now: float) -> None:
        """See :meth:`EngineServer.http_aborted`."""
        self.engine.http_aborted(exchange, now=now)
        self._pump(now)

    def ws_connected(self, ws: X, request: Request, *, now: float) -> None:
        """See :meth:`EngineServer.ws_connected`."""
        self.engine.ws_connected(ws, request, now=now)
        self._pump(now)

    def ws_text(self, ws: X, text: str, *, now: float) -> None:
        """See :meth:`EngineServer.ws_text`."""
        self.engine.ws_text(ws, text, now=now)
        self._pump(now)

    def ws_binary(self, ws: X, data: bytes, *, now: float) -> None:
        """See :meth:`EngineServer.ws_binary`."""
        self.engine.ws_binary(ws, data, now=now)
        self._pump(now)

    def ws_sent(self, ws: X, *, now: float) -> None:
        """See :meth:`EngineServer.ws_sent`."""
        self.engine.ws_sent(ws, now=now)
        self._pump(now)

    def ws_closed(self, ws: X, *, now: float, error: Exception | None = None) -> None:
        """See :meth:`EngineServer.ws_closed`."""
        self.engine.ws_closed(ws, now=now, error=error)
        self._pump(now)

    def wt_connected(self, stream: X, request: Request, *, now: float) -> None:
        """See :meth:`EngineServer.wt_connected`."""
        self.engine.wt_connected(stream, request, now=now)
        self._pump(now)

    def wt_data(self, stream: X, data: bytes, *, now: float) -> None:
        """See :meth:`EngineServer.wt_data`."""
        self.engine.wt_data(stream, data, now=now)
        self._pump(now)

    def wt_sent(self, stream: X, *, now: float) -> None:
        """See :meth:`EngineServer.wt_sent`."""
        self.engine.wt_sent(stream, now=now)
        self._pump(now)

    def wt_closed(self, stream: X, *, now: float, error: Exception | None = None) -> None:
        """See :meth:`EngineServer.wt_closed`."""
        self.engine.wt_closed(stream, now=now, error=error)
        self._pump(now)

    def handle_timeout(self, *, now: float) -> None:
        """See :meth:`EngineServer.handle_timeout`."""
        self.engine.handle_timeout(now=now)
        self._pump(now)
        while (thing := self.deadlines.pop_due(now)) is not None:
            thing.handle_timeout(now)
            self.deadlines.moved(thing)
        self._pump(now)

    # Commands

    def of(self, name: str) -> Namespace:
        """The namespace of this name, registered if it is new. A leading slash may be missing.

        Raises:
            LocalProtocolError: the name holds a comma, which the text encoding cannot express.
        """
        if "," in name:
            raise LocalProtocolError(f"a namespace cannot have a comma in its name: {name!r}")
        name = _full(name)
        namespace = self._namespaces.get(name)
        if namespace is None:
            namespace = self._namespaces[name] = Namespace(name, self)
        return namespace

    def grant(self, request: NamespaceRequest) -> None:
        """Answer ``NamespaceRequested``: register the namespace; ``ConnectRequested`` follows.

        Raises:
            ClosedError: the client has gone, or was answered before.
        """
        request.connection.grant(request)

    def deny(self, request: NamespaceRequest) -> None:
        """Answer ``NamespaceRequested``: there is no such namespace.

        Raises:
            ClosedError: the client has gone, or was answered before.
        """
        request.connection.deny(request)

    def remove(self, name: str) -> None:
        """Unregister a namespace, if it is there. A leading slash may be missing.

        Raises:
            LocalProtocolError: it is the main one, or somebody is in it or waits to be let in.
        """
        name = _full(name)
        namespace = self._namespaces.get(name)
        if name == "/":
            raise LocalProtocolError("the main namespace stays")
        if namespace is not None and (namespace.sockets or namespace.pending):
            raise LocalProtocolError(f"{namespace!r} is in use")
        if namespace is not None:
            self._drop(namespace)

    def accept(self, socket: Socket) -> None:
        """Answer ``ConnectRequested``: let the socket in.

        Raises:
            ClosedError: the client has gone.
            LocalProtocolError: it was accepted before.
        """
        socket.connection.accept(socket)

    def reject(self, socket: Socket, message: str, data: Any = None) -> None:
        """Answer ``ConnectRequested``: refuse the socket.

        Raises:
            ClosedError: the client has gone.
            LocalProtocolError: it was accepted before, or ``data`` cannot be expressed in JSON.
        """
        socket.connection.reject(socket, message, data)

    def shutdown(self, *, now: float) -> None:
        """Close every session, in the order in which they were opened, and open no more.

        Clients get no DISCONNECT packet, so that they try to come back (SIO-DISC-10).
        """
        for connection in list(self._connections.values()):
            connection.closed(DisconnectReason.SERVER_SHUTTING_DOWN, None)
        self.engine.shutdown(now=now)
        for namespace in self._namespaces.values():
            namespace.adapter.close()
            self.deadlines.forget(namespace.adapter)

    # Queries and the drain

    def serves(self, target: str) -> bool:
        """Whether requests for this target are this endpoint's."""
        return self.engine.serves(target)

    def buffered(self, socket: Socket) -> int:
        """How much waits for the client to fetch it; 0 once it has gone."""
        return self.engine.buffered(socket.sid)

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` is wanted next. May be early, never late."""
        mine, engines = self.deadlines.next(), self.engine.next_deadline()
        if mine is None or engines is None:
            return engines if mine is None else mine
        return min(mine, engines)

    def statistics(self) -> SocketStatistics:
        """Count what is held. Takes time in proportion to the number of sessions."""
        return SocketStatistics(
            connections=len(self._connections),
            sockets=sum(len(namespace.sockets) for namespace in self._namespaces.values()),
            namespaces=len(self._namespaces),
            timers=len(self.deadlines),
            engine=self.engine.statistics(),
        )

    def outputs(self) -> Iterator[Output]:
        """Yield effects and events until there are none, including those caused while iterating."""
        queue = self._queue
        while True:
            while queue:
                out = queue.popleft()
                if type(out) is Disconnected:
                    out.socket.forget_rooms()
                yield out
            engines = self.engine.next_output()
            if engines is not None:
                self._take(engines, None)
            elif not queue:
                return

    # What connections and sockets ask of the server

    def put(self, out: Output) -> None:
        """Queue an output."""
        self._queue.append(out)
        self.engine.notify()

    def make_adapter(self, namespace: Namespace) -> Adapter:
        """Make the adapter of a namespace."""
        if self._make_adapter is not None:
            return self._make_adapter(namespace)
        if self.config.recovery is not None:
            return RecoveringAdapter(namespace, self.config.recovery)
        return LocalAdapter(namespace)

    def new_socket(
        self,
        namespace: Namespace,
        connection: Connection,
        handshake: Handshake,
        kept: Restored | None,
    ) -> Socket:
        """Make the socket of a client that wants to join, like the one that was kept if any was."""
        if not connection.dialect.tells_id:
            id = computed_id(namespace.name, connection.sid)
            return self._socket_class(id, namespace, connection, handshake)
        id = self._new_id() if kept is None else kept[0].id
        socket = self._socket_class(id, namespace, connection, handshake)
        if kept is not None:
            socket.resume(*kept)
        elif namespace.adapter.recovers:
            socket.make_recoverable(self._new_id())
        return socket

    def vacated(self, namespace: Namespace) -> None:
        """A client has left a namespace, or was not let in."""
        if (
            namespace.dynamic
            and self.config.remove_empty_namespaces
            and not namespace.sockets
            and not namespace.pending
        ):
            self._drop(namespace)

    # Inside

    def _drop(self, namespace: Namespace) -> None:
        if self._namespaces.pop(namespace.name, None) is not None:
            namespace.adapter.close()
            self.deadlines.forget(namespace.adapter)
            self.put(NamespaceRemoved(namespace))

    def _pump(self, now: float) -> None:
        while (out := self.engine.take()) is not None:
            self._take(out, now)

    def _take(self, out: Output, now: float | None) -> None:
        """Turn an output of the engine into ours.

        ``now`` is known inside a fact, which is where sessions open and messages arrive.
        """
        if isinstance(out, MessageReceived):
            assert now is not None
            self._connections[out.sid].receive(out.data, now)
        elif isinstance(out, SessionOpened):
            assert now is not None
            connection = Connection(out.sid, out.request, out.revision, self, now)
            self._connections[out.sid] = connection
            connection.opened()
        elif isinstance(out, SessionClosed):
            connection = self._connections.pop(out.sid)
            connection.closed(DisconnectReason(out.reason.value), out.error)
        else:
            self._queue.append(out)


def _full(name: str) -> str:
    return name if name.startswith("/") else "/" + name
