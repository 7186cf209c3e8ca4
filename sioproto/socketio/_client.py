"""The Socket.IO client machine: an engine, the sockets on it, and the reconnection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from sioproto._errors import (
    ConnectionFailed,
    LocalProtocolError,
    RemoteProtocolError,
)
from sioproto._output import Output, output
from sioproto.engineio._client import EngineClient, EngineClientStatistics
from sioproto.engineio._client_config import Pairs
from sioproto.engineio._client_outputs import Opened, OpenFailed
from sioproto.engineio._message import Message, messages_of
from sioproto.engineio._outputs import CloseReason, MessageReceived, SessionClosed
from sioproto.socketio._alarm import Alarm, AlarmClock
from sioproto.socketio._backoff import Backoff
from sioproto.socketio._client_config import ClientConfig
from sioproto.socketio._client_main import MainNamespace
from sioproto.socketio._client_outputs import (
    ManagerClosed,
    ManagerOpened,
    ManagerOpenFailed,
    ReconnectAttempted,
    ReconnectFailed,
    ReconnectScheduled,
)
from sioproto.socketio._client_reasons import ClientDisconnectReason
from sioproto.socketio._client_socket import ClientSocket
from sioproto.socketio._dialect import dialect_of
from sioproto.socketio._packet import Packet
from sioproto.socketio._parser import Parser, TextParser

_REASONS = {
    CloseReason.TRANSPORT_CLOSE: ClientDisconnectReason.TRANSPORT_CLOSE,
    CloseReason.TRANSPORT_ERROR: ClientDisconnectReason.TRANSPORT_ERROR,
    CloseReason.PING_TIMEOUT: ClientDisconnectReason.PING_TIMEOUT,
    # On this side it is Socket.IO's garbage that is called a parse error.
    CloseReason.PARSE_ERROR: ClientDisconnectReason.TRANSPORT_ERROR,
    CloseReason.FORCED_CLOSE: ClientDisconnectReason.FORCED_CLOSE,
}


@output
class SocketClientStatistics:
    """How much a :class:`SocketClient` holds."""

    sockets: int
    active: int
    waiting: int
    """Events that wait for their socket to connect, or for their turn to be retried."""
    timers: int
    """Entries in the deadline heap, superseded ones included."""
    engine: EngineClientStatistics


class SocketClient:
    """The client side of Socket.IO: sockets in namespaces, over one connection.

    It speaks revision 5, or 4 if its engine speaks revision 3 of Engine.IO. It wraps the engine and
    has the same facts. Effects of the engine pass through; its events become Socket.IO events at
    once, inside the fact.

    Args:
        engine: carries the connection; used by this client alone.
        config: limits, times and manners.
        random: a number from 0 to 1, by chance: jitter of the reconnection.
        parser: encodes and decodes packets, like that of the server; :class:`TextParser` unless
            given.
        socket_class: what sockets are made of, so that a runtime can give them methods of its own.
    """

    def __init__(
        self,
        engine: EngineClient,
        config: ClientConfig | None = None,
        *,
        random: Callable[[], float],
        parser: Parser | None = None,
        socket_class: type[ClientSocket] = ClientSocket,
    ) -> None:
        self.engine = engine
        self.config = config or ClientConfig()
        self.dialect = dialect_of(engine.config.revision)
        self.alarms = AlarmClock(engine.notify)
        self._parser = parser or TextParser()
        self._decoder = self._parser.decoder(max_attachments=self.config.max_attachments)
        self._socket_class = socket_class
        self._sockets: dict[str, ClientSocket] = {}
        self.sockets: Mapping[str, ClientSocket] = MappingProxyType(self._sockets)
        """The sockets by the names of their namespaces. A live view."""
        self._backoff = Backoff(self.config, random)
        self._attempt = 0
        self._opened_once = False
        self._reconnection = Alarm(self.alarms, self._reconnect)
        self._attachments = Alarm(self.alarms, self._attachment_late)
        self._main = MainNamespace()
        self.session_id = ""
        """That of the engine's last session: also while what came with its end is handled."""
        self._verdict: Exception | None = None
        self._closing = False
        self._size = 0
        self._requests = -1
        self._queue: deque[Output] = deque()

    # Facts: those of the engine

    def http_response(
        self, exchange: int, status: int, headers: Pairs, body: bytes, *, now: float
    ) -> None:
        """See :meth:`EngineClient.http_response`."""
        self.engine.http_response(exchange, status, headers, body, now=now)
        self._pump(now)

    def http_failed(self, exchange: int, error: Exception, *, now: float) -> None:
        """See :meth:`EngineClient.http_failed`."""
        self.engine.http_failed(exchange, error, now=now)
        self._pump(now)

    def ws_opened(self, ws: int, headers: Pairs = (), *, now: float) -> None:
        """See :meth:`EngineClient.ws_opened`."""
        self.engine.ws_opened(ws, headers, now=now)
        self._pump(now)

    def ws_refused(self, ws: int, status: int, headers: Pairs, body: bytes, *, now: float) -> None:
        """See :meth:`EngineClient.ws_refused`."""
        self.engine.ws_refused(ws, status, headers, body, now=now)
        self._pump(now)

    def ws_text(self, ws: int, text: str, *, now: float) -> None:
        """See :meth:`EngineClient.ws_text`."""
        self.engine.ws_text(ws, text, now=now)
        self._pump(now)

    def ws_binary(self, ws: int, data: bytes, *, now: float) -> None:
        """See :meth:`EngineClient.ws_binary`."""
        self.engine.ws_binary(ws, data, now=now)
        self._pump(now)

    def ws_sent(self, ws: int, *, now: float) -> None:
        """See :meth:`EngineClient.ws_sent`."""
        self.engine.ws_sent(ws, now=now)
        self._pump(now)

    def ws_closed(self, ws: int, *, now: float, error: Exception | None = None) -> None:
        """See :meth:`EngineClient.ws_closed`."""
        self.engine.ws_closed(ws, now=now, error=error)
        self._pump(now)

    def handle_timeout(self, *, now: float) -> None:
        """See :meth:`EngineClient.handle_timeout`."""
        self.engine.handle_timeout(now=now)
        self._pump(now)
        self.alarms.ring(now)
        self._pump(now)

    # Commands

    def of(self, name: str) -> ClientSocket:
        """The socket in the namespace of this name, made if it is new. A leading slash may be
        missing.

        A new one is not active: see ``connect``.

        Raises:
            LocalProtocolError: the name holds a comma, which the text encoding cannot express, or
                in revision 4 a question mark.
        """
        for separator in self.dialect.separators:
            if separator in name:
                raise LocalProtocolError(f"a namespace cannot have {separator!r} in its name")
        name = name if name.startswith("/") else "/" + name
        socket = self._sockets.get(name)
        if socket is None:
            socket = self._sockets[name] = self._socket_class(name, self)
        return socket

    def close(self, *, now: float) -> None:
        """Disconnect every socket, and close the connection. ``connect`` of a socket opens it."""
        for socket in list(self._sockets.values()):
            socket.disconnect(now=now)
        self.deactivated(now)

    def fail(self, error: Exception) -> None:
        """End the connection at once, for what the server did to the application. Sockets see
        ``forced close``, and reconnect."""
        self.engine.fail(error)

    # Queries and the drain

    @property
    def open(self) -> bool:
        """Whether the connection is open."""
        return self.engine.sid is not None and not self.engine.opening

    @property
    def reconnecting(self) -> bool:
        """Whether the connection is to be opened again, or being so."""
        return self._reconnection.on or (self._attempt > 0 and self.engine.opening)

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` is wanted next. May be early, never late."""
        mine, engines = self.alarms.next(), self.engine.next_deadline()
        if mine is None or engines is None:
            return engines if mine is None else mine
        return min(mine, engines)

    def statistics(self) -> SocketClientStatistics:
        """Count what is held."""
        sockets = self._sockets.values()
        return SocketClientStatistics(
            sockets=len(sockets),
            active=sum(socket.active for socket in sockets),
            waiting=sum(socket.waiting for socket in sockets),
            timers=len(self.alarms),
            engine=self.engine.statistics(),
        )

    def outputs(self) -> Iterator[Output]:
        """Yield effects and events until there are none, including those caused while iterating."""
        queue = self._queue
        while True:
            while queue:
                yield queue.popleft()
            out = self.engine.next_output()
            if out is not None:
                self._take(out, self.engine.now)
            elif not queue:
                return

    # What sockets ask of the client

    def put(self, out: Output) -> None:
        """Queue an output."""
        self._queue.append(out)
        self.engine.notify()

    def encode(self, packet: Packet) -> list[Message]:
        """Encode a packet into the messages that carry it."""
        return messages_of(self._parser.encode(packet))

    def new_request_id(self) -> int:
        """An id for a request whose acknowledgement may have many."""
        self._requests += 1
        return self._requests

    def activated(self, socket: ClientSocket, now: float) -> None:
        """A socket wants to join."""
        if self.open:
            socket.join_again(now)
        elif not self.engine.opening and not self._reconnection.on:  # no second loop (SIO-REC-09)
            self._attempt = 0
            self._opened_once = False
            self._backoff.reset()
            self._open(now)
        self._pump(now)

    def deactivated(self, now: float) -> None:
        """A socket has left. Without any, no connection is needed (SIO-MUX-05)."""
        if any(socket.active for socket in self._sockets.values()):
            return
        self._reconnection.clear()
        self._closing = True
        self.engine.close(now=now)
        self._pump(now)
        self._closing = False

    def is_let_in(self, name: str) -> bool:
        """Whether the server lets this client into a namespace that it need not ask for."""
        return name == "/" and self._main.open

    def claim_main(self, socket: ClientSocket, now: float) -> None:
        """A socket waits for that. It may have happened already."""
        if (packet := self._main.take()) is not None:
            socket.receive(packet, 0, now)

    # Inside: the connection

    def _open(self, now: float) -> None:
        self._decoder.reset()
        self._size = 0
        self._verdict = None
        self.engine.open(now=now)

    def _reconnect(self, now: float) -> None:
        self._attempt = self._backoff.attempts
        self.put(ReconnectAttempted(self._attempt))
        self._open(now)
        self._pump(now)

    def _opened(self, out: Opened, now: float) -> None:
        attempt, self._attempt = self._attempt, 0
        self.session_id = out.sid
        self._main = MainNamespace(open=self.dialect.joins_main)
        self._opened_once = True
        self._backoff.reset()
        self.put(ManagerOpened(out.sid, attempt))
        for socket in list(self._sockets.values()):
            if socket.active:
                socket.join(now)

    def _open_failed(self, error: ConnectionFailed, now: float) -> None:
        may_retry = self.config.reconnection and (self._opened_once or self.config.retry_first)
        will_retry = may_retry and self._attempts_left()
        for socket in list(self._sockets.values()):
            socket.connection_failed(error, will_retry)
        self.put(ManagerOpenFailed(error, self._attempt, will_retry))
        if will_retry:
            self._schedule(now)
        elif may_retry:
            self.put(ReconnectFailed(self._backoff.attempts))

    def _closed(self, out: SessionClosed, now: float) -> None:
        self._attachments.clear()
        verdict = self._verdict
        reason, details = _REASONS[out.reason], out.error
        if verdict is not None:
            reason, details = ClientDisconnectReason.PARSE_ERROR, verdict
        will_retry = self.config.reconnection and not self._closing
        for socket in list(self._sockets.values()):
            socket.connection_lost(reason, details, will_retry)
        self.put(ManagerClosed(reason, details, will_retry))
        if will_retry:
            self._schedule(now)

    def _attempts_left(self) -> bool:
        limit = self.config.reconnection_attempts
        return limit is None or self._backoff.attempts < limit

    def _schedule(self, now: float) -> None:
        delay = self._backoff.next()
        self.put(ReconnectScheduled(self._backoff.attempts, delay))
        self._reconnection.set(now + delay)

    # Inside: receiving

    def _pump(self, now: float) -> None:
        while (out := self.engine.take()) is not None:
            self._take(out, now)

    def _take(self, out: Output, now: float) -> None:
        """Turn an output of the engine into ours."""
        if isinstance(out, MessageReceived):
            self._receive(out.data, now)
        elif isinstance(out, Opened):
            self._opened(out, now)
        elif isinstance(out, OpenFailed):
            self._open_failed(out.error, now)
        elif isinstance(out, SessionClosed):
            self._closed(out, now)
        else:
            self._queue.append(out)

    def _receive(self, message: str | bytes, now: float) -> None:
        if self._verdict is not None:
            return  # it came with what could not be decoded (SIO-CLI-13)
        self._size += len(message)
        try:
            packet = self._decoder.feed(message)
        except RemoteProtocolError as error:
            self._fail_to_decode(error)
            return
        if self._decoder.missing:
            self._attachments.set(now + self.config.attachment_timeout)
        else:
            self._attachments.clear()
        if packet is not None:
            size, self._size = self._size, 0
            socket = self._sockets.get(packet.namespace)
            if self._main.open and packet.namespace == "/":
                self._main.receive(packet, socket is not None and socket.asked)
            if socket is not None:
                socket.receive(packet, size, now)

    def _attachment_late(self, now: float) -> None:
        self._fail_to_decode(
            RemoteProtocolError("an attachment did not come in time", rule="SIO-BIN-17")
        )

    def _fail_to_decode(self, error: RemoteProtocolError) -> None:
        self._verdict = error
        self.engine.fail(error)
