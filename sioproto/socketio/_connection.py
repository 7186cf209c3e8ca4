"""One client: its decoder and the namespaces it has joined."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from sioproto._errors import ClosedError, LimitError, LocalProtocolError, RemoteProtocolError
from sioproto.engineio._message import Message
from sioproto.engineio._request import Request
from sioproto.socketio._acks import Reply
from sioproto.socketio._adapter import KeptSocket, Restored
from sioproto.socketio._dialect import dialect_of
from sioproto.socketio._handshake import build_handshake
from sioproto.socketio._outputs import (
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    Disconnecting,
    EventReceived,
    NamespaceRequested,
)
from sioproto.socketio._packet import MISSING, Packet, PacketType
from sioproto.socketio._reasons import DisconnectReason
from sioproto.socketio._recovery import RECOVERABLE

if TYPE_CHECKING:
    from sioproto.socketio._namespace import Namespace
    from sioproto.socketio._server import SocketServer
    from sioproto.socketio._socket import Socket


_EVENT = PacketType.EVENT  # before Python 3.12, to look it up takes eight times as long


class NamespaceRequest:
    """A client's wish to join a namespace that is not registered."""

    __slots__ = ("auth", "connection", "name")

    def __init__(self, connection: Connection, name: str, auth: Mapping[str, Any]) -> None:
        self.connection = connection
        self.name = name
        self.auth = auth
        """What the client sent along."""

    def __repr__(self) -> str:
        return f"<NamespaceRequest {self.name}>"


class Search:
    """An adapter looks for the socket that a client says it had."""

    __slots__ = ("namespace",)

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace


class Connection:
    """What the server knows of one client.

    A namespace is *joined* once its socket is accepted; before that its join is *pending*, and
    whatever else the client sends for it is illegal (SIO-CONN-15). A client that was made to leave
    does not know at once: what it sends until it shows that it does crossed with the DISCONNECT.
    """

    __slots__ = (
        "_attachment_by",
        "_connect_by",
        "_decoder",
        "_ended",
        "_expelled",
        "_joined",
        "_pending",
        "_request",
        "_size",
        "deadline",
        "dialect",
        "server",
        "sid",
        "wake_at",
    )

    def __init__(
        self,
        sid: str,
        request: Request,
        engine_revision: int,
        server: SocketServer[Any],
        now: float,
    ) -> None:
        self.sid = sid
        self.dialect = dialect_of(engine_revision)
        self.server = server
        self._request = request
        self._decoder = server.parser.decoder(max_attachments=server.config.max_attachments)
        self._joined: dict[str, Socket] = {}
        self._pending: dict[str, Socket | NamespaceRequest | Search] = {}
        self._expelled: dict[str, None] = {}  # names, the oldest first
        self._ended = False
        self._size = 0
        self._connect_by = now + server.config.connect_timeout
        self._attachment_by = inf
        self.deadline = self.wake_at = inf
        self._rearm()

    def opened(self) -> None:
        """The session has begun."""
        if self.dialect.joins_main:
            self._ask_to_join(self.server.namespaces["/"], {})

    def _rearm(self) -> None:
        self.deadline = min(self._connect_by, self._attachment_by)
        self.server.deadlines.moved(self)

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        if self._connect_by <= now:
            error = RemoteProtocolError("no namespace joined in time", rule="SIO-CONN-04")
            self.fail(DisconnectReason.FORCED_SERVER_CLOSE, error, now)
        elif self._attachment_by <= now:
            error = RemoteProtocolError("an attachment did not come in time", rule="SIO-BIN-17")
            self.fail(DisconnectReason.FORCED_CLOSE, error, now)

    # Receiving

    def receive(self, message: str | bytes, now: float) -> None:
        """A message arrived."""
        if self._ended:
            return
        self._size += len(message)
        try:
            packet = self._decoder.feed(message)
            if packet is not None:
                self.dialect.adapt(packet)
        except RemoteProtocolError as error:
            self.fail(DisconnectReason.FORCED_CLOSE, error, now)
            return
        if self._decoder.missing:
            self._attachment_by = now + self.server.config.attachment_timeout
            self._rearm()
        elif self._attachment_by != inf:
            self._attachment_by = inf
            self._rearm()
        if packet is not None:
            self._route(packet, now)
            self._size = 0

    def _route(self, packet: Packet, now: float) -> None:
        kind = packet.type
        socket = self._joined.get(packet.namespace)
        if kind is _EVENT and socket is not None:  # as nearly all are
            reply = None if packet.id is None else Reply(packet.id, socket.acknowledge)
            name, *args = packet.data
            self.server.put(EventReceived(socket, name, args, reply, self._size))
        elif kind is PacketType.CONNECT:
            if socket is not None or packet.namespace in self._pending:
                self._illegal("a second CONNECT for a namespace", "SIO-CONN-13", now)
            elif len(self._joined) + len(self._pending) >= self.server.config.max_namespaces:
                limit = LimitError(
                    "too many namespaces", rule="SIO-CONN-18", limit="max_namespaces"
                )
                self.fail(DisconnectReason.FORCED_CLOSE, limit, now)
            else:
                self._expelled.pop(packet.namespace, None)
                self._request_join(packet)
        elif kind is PacketType.CONNECT_ERROR:
            self._illegal("CONNECT_ERROR from a client", "SIO-CONN-17", now)
        elif socket is None and packet.namespace in self._expelled:
            if kind is PacketType.DISCONNECT:  # it wants to leave as well, and sends no more
                del self._expelled[packet.namespace]
        elif socket is None:
            rule = "SIO-CONN-14" if self._joined else "SIO-CONN-03"
            self._illegal(f"{kind.name} for a namespace that is not joined", rule, now)
        elif kind is PacketType.ACK:
            ack = None if packet.id is None else socket.take_ack(packet.id)
            if ack is not None:
                ack.acknowledged(socket, packet.data)
        else:
            self._end(socket, DisconnectReason.CLIENT_NAMESPACE_DISCONNECT, None)

    def _illegal(self, what: str, rule: str, now: float) -> None:
        error = RemoteProtocolError(what, rule=rule)
        self.fail(DisconnectReason.FORCED_SERVER_CLOSE, error, now)

    # Joining

    def _request_join(self, packet: Packet) -> None:
        auth: Mapping[str, Any] = {} if packet.data is MISSING else packet.data
        namespace = self.server.namespaces.get(packet.namespace)
        if namespace is not None:
            self._ask_to_join(namespace, auth)
        elif self.server.config.dynamic_namespaces:
            request = NamespaceRequest(self, packet.namespace, auth)
            self._pending[packet.namespace] = request
            self.server.put(NamespaceRequested(request))
        else:
            self._send_invalid(packet.namespace)

    def _ask_to_join(self, namespace: Namespace, auth: Mapping[str, Any]) -> None:
        if not (namespace.adapter.recovers and self.dialect.tells_id):
            self._offer(namespace, auth, None)
            return
        search = Search(namespace)
        self._pending[namespace.name] = search
        namespace.pending += 1

        def done(kept: Restored | None) -> None:
            if self._pending.get(namespace.name) is search:
                del self._pending[namespace.name]
                namespace.pending -= 1
                self._offer(namespace, auth, kept)
            elif kept is not None:  # the client has gone meanwhile, and may come back once more
                namespace.adapter.keep(kept[0])

        namespace.adapter.restore(auth.get("pid"), auth.get("offset"), done)

    def _offer(self, namespace: Namespace, auth: Mapping[str, Any], kept: Restored | None) -> None:
        handshake = build_handshake(self._request, auth, self.server.wall_clock())
        socket = self.server.new_socket(namespace, self, handshake, kept)
        self._pending[namespace.name] = socket
        namespace.pending += 1
        self.server.put(ConnectRequested(socket))

    def grant(self, request: NamespaceRequest) -> None:
        """Register the namespace that the client asked for."""
        self._take_request(request)
        namespace = self.server.namespaces.get(request.name)
        if namespace is None:
            namespace = self.server.of(request.name)
            namespace.dynamic = True
        self._ask_to_join(namespace, request.auth)

    def deny(self, request: NamespaceRequest) -> None:
        """There is no such namespace (SIO-NSP-02)."""
        self._take_request(request)
        self._send_invalid(request.name)

    def _take_request(self, request: NamespaceRequest) -> None:
        if self._pending.get(request.name) is not request:
            raise ClosedError(f"{request!r} is gone")
        del self._pending[request.name]

    def accept(self, socket: Socket) -> None:
        """Let a socket in, and tell the client (SIO-CONN-02)."""
        self._take_pending(socket)
        namespace = socket.namespace
        self._joined[namespace.name] = socket
        self._connect_by = inf  # and never armed again (SIO-CONN-06)
        self._rearm()
        namespace.add(socket)
        missed = socket.take_missed()
        early = socket.start()
        reply = {"sid": socket.id}
        if socket.pid is not None:
            reply["pid"] = socket.pid
        namespace.adapter.start()
        # What was missed comes first: clients take it for what they got before (SIO-CSR-12).
        self.send([*missed, *self._connect_reply(namespace, reply), *early])
        self.server.put(Connected(socket))

    def reject(self, socket: Socket, message: str, data: Any) -> None:
        """Refuse a socket, and tell the client. The connection stays (SIO-MW-02)."""
        payload = self.dialect.refuse(message, data)
        packet = Packet(PacketType.CONNECT_ERROR, socket.namespace.name, payload)
        messages = socket.namespace.encode(packet)
        self._take_pending(socket)
        socket.stop()
        self.send(messages)
        self.server.vacated(socket.namespace)

    def _take_pending(self, socket: Socket) -> None:
        if self._joined.get(socket.namespace.name) is socket:
            raise LocalProtocolError(f"{socket!r} is accepted already")
        if self._pending.get(socket.namespace.name) is not socket:
            raise ClosedError(f"{socket!r} is gone")
        del self._pending[socket.namespace.name]
        socket.namespace.pending -= 1

    def _connect_reply(self, namespace: Namespace, told: dict[str, str]) -> list[Message]:
        payload = self.dialect.connect(told)
        return namespace.encode(Packet(PacketType.CONNECT, namespace.name, payload))

    def _send_invalid(self, namespace: str) -> None:
        payload = self.dialect.refuse("Invalid namespace", None)
        packet = Packet(PacketType.CONNECT_ERROR, namespace, payload)
        self.send(self.server.namespaces["/"].encode(packet))

    # Sending

    @property
    def writable(self) -> bool:
        """Whether what is sent now could be written at once."""
        return self.server.engine.writable(self.sid)

    def send(self, messages: list[Message]) -> None:
        """Send what is encoded already. Nothing happens if the session is closing."""
        self.server.engine.send_messages(self.sid, messages)

    # The end

    def disconnect(self, socket: Socket) -> None:
        """Make the client leave one namespace (SIO-DISC-04)."""
        namespace = socket.namespace
        self.send(namespace.encode(Packet(PacketType.DISCONNECT, namespace.name)))
        self._expelled[namespace.name] = None
        if len(self._expelled) > self.server.config.max_namespaces:
            del self._expelled[next(iter(self._expelled))]
        self._end(socket, DisconnectReason.SERVER_NAMESPACE_DISCONNECT, None)

    def disconnect_all(self, now: float) -> None:
        """Make the client leave every namespace, then close the connection (SIO-DISC-05)."""
        for socket in list(self._joined.values()):
            self.disconnect(socket)
        self.fail(DisconnectReason.SERVER_NAMESPACE_DISCONNECT, None, now)

    def fail(self, reason: DisconnectReason, error: Exception | None, now: float) -> None:
        """Disconnect every socket, then close the connection. No packet tells the client why.

        An application may do this to a client that passed one of its own limits.
        """
        self.closed(reason, error)
        self.server.engine.close(self.sid, now=now)

    def closed(self, reason: DisconnectReason, error: Exception | None) -> None:
        """The connection has ended: every socket has, in the order of joining (SIO-DISC-06)."""
        if self._ended:
            return
        self._ended = True
        self._expelled.clear()
        self._decoder.reset()
        self.server.deadlines.forget(self)
        pending, self._pending = self._pending, {}
        for waiting in pending.values():
            if isinstance(waiting, NamespaceRequest):
                continue  # whoever answers it is told then
            if isinstance(waiting, Search):
                waiting.namespace.pending -= 1
                self.server.vacated(waiting.namespace)
                continue
            if waiting.recovered:
                _keep(waiting)  # it never got what it missed
            waiting.stop()
            waiting.namespace.pending -= 1
            self.server.put(ConnectAbandoned(waiting))
            self.server.vacated(waiting.namespace)
        for socket in list(self._joined.values()):
            self._end(socket, reason, error)

    def _end(self, socket: Socket, reason: DisconnectReason, error: Exception | None) -> None:
        del self._joined[socket.namespace.name]
        socket.namespace.discard(socket)
        if reason in RECOVERABLE:
            _keep(socket)
        self.server.put(Disconnecting(socket, reason, error))
        for ack in socket.stop():
            ack.lose(socket, "disconnect")
        self.server.put(Disconnected(socket, reason, error))
        self.server.vacated(socket.namespace)


def _keep(socket: Socket) -> None:
    if socket.pid is not None:
        socket.namespace.adapter.keep(
            KeptSocket(socket.id, socket.pid, tuple(socket.rooms), socket.data)
        )
