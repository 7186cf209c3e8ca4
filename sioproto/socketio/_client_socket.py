"""The socket of a client: itself in one namespace of one server."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from sioproto._errors import (
    ClosedError,
    ConnectionFailed,
    ConnectionRefused,
    LimitError,
    LocalProtocolError,
)
from sioproto.engineio._message import Message
from sioproto.socketio._acks import Reply, check_timeout
from sioproto.socketio._alarm import Alarm
from sioproto.socketio._client_outputs import (
    AuthRequested,
    ClientConnected,
    ClientConnectFailed,
    ClientDisconnected,
    ClientEventReceived,
)
from sioproto.socketio._client_queue import (
    Kept,
    Request,
    Retried,
    RetryQueue,
    Waiting,
    frozen,
    size_of,
)
from sioproto.socketio._client_reasons import ClientDisconnectReason
from sioproto.socketio._packet import MISSING, RESERVED_EVENTS, Packet, PacketType

if TYPE_CHECKING:
    from sioproto.socketio._client import SocketClient

Auth = Mapping[str, Any]


class ClientSocket:
    """One namespace as its client sees it. It outlives connections.

    It is *active* while it is connected or will be without a further command. What is emitted while
    it is not connected waits for it to connect.
    """

    def __init__(self, name: str, client: SocketClient) -> None:
        self._name = name
        self._client = client
        self._auth: Auth | None = None
        self._asks = False
        self._active = False
        self._id: str | None = None
        self._recovered = False
        # CONNECT was sent on this connection, and is not answered.
        self._asked = False
        self._rejoin_at = -inf
        self._left_here = False  # on this connection
        self._alarm = Alarm(client.alarms, self._join_or_give_up)
        self._pid: str | None = None
        self._offset: str | None = None
        self._connection = 0
        self._early: list[tuple[Packet, int]] = []
        self._early_size = 0
        self._kept: dict[Kept, None] = {}
        self._kept_size = 0
        self._acks: dict[int, Waiting] = {}
        self._last_ack_id = -1
        self._queue = RetryQueue(self, client.config.retries)

    def __repr__(self) -> str:
        if self._id is not None:
            state = f"connected as {self._id}"
        else:
            state = "connecting" if self._active else "disconnected"
        return f"<{type(self).__name__} {state} in {self._name}>"

    # What it is

    @property
    def namespace(self) -> str:
        """The name of its namespace."""
        return self._name

    @property
    def client(self) -> SocketClient:
        """What connects it, and others, to the server."""
        return self._client

    @property
    def id(self) -> str | None:
        """The id that the server knows too; None while it is not connected (SIO-CLI-19)."""
        return self._id

    @property
    def connected(self) -> bool:
        """Whether it is in its namespace now."""
        return self._id is not None

    @property
    def active(self) -> bool:
        """Whether it is connected, or will be without a further command (SIO-CLI-11)."""
        return self._active

    @property
    def recovered(self) -> bool:
        """Whether the server took it for the one that was cut off, the last time it connected."""
        return self._recovered

    @property
    def auth(self) -> Auth | None:
        """What is sent along when it joins."""
        return self._auth

    @property
    def asked(self) -> bool:
        """Whether an answer to its wish to join is to come."""
        return self._asked

    @property
    def waiting(self) -> int:
        """How many events wait for it to connect, or for their turn to be retried."""
        return len(self._kept) + len(self._queue)

    # Commands: connecting

    def set_auth(self, auth: Auth | None, *, ask: bool = False) -> None:
        """Say what is sent along when it joins, from the next time on (SIO-CLI-02).

        Args:
            auth: a JSON object; None for nothing.
            ask: put out ``AuthRequested`` instead, each time.

        Raises:
            LocalProtocolError: ``auth`` is no mapping, or cannot be expressed in JSON; to a server
                of revision 4, it is no text, or something for the main namespace.
        """
        if auth is not None or ask:
            self._encode_connect({} if auth is None else auth)
        self._auth = None if auth is None else frozen(dict(auth))
        self._asks = ask

    def connect(self, *, now: float) -> None:
        """Become active: join the namespace, on a connection that is opened if need be.

        Does nothing if it is active.
        """
        if not self._active:
            self._active = True
            self._client.activated(self, now)

    def authenticate(self, auth: Auth | None, *, now: float) -> None:
        """Answer ``AuthRequested``.

        Raises:
            ClosedError: it is not wanted any more.
            LocalProtocolError: ``auth`` is no mapping, or cannot be expressed in JSON.
        """
        if not self._active or self.connected or self._asked or not self._client.open:
            raise ClosedError(f"{self!r} does not ask")
        self._send_connect(auth, now)

    def disconnect(self, *, now: float) -> None:
        """Leave, and close the connection if no other socket is active (SIO-CLI-10).

        Does nothing if it is not active. What waits to be sent goes on waiting.
        """
        if not self._active:
            return
        was_connected = self.connected
        if was_connected:
            self._send(Packet(PacketType.DISCONNECT, self._name))
            self._rejoin_at = now + self._client.config.rejoin_delay
            self._left_here = True
        self._leave()
        self._client.deactivated(now)
        if was_connected:
            self._client.put(
                ClientDisconnected(self, ClientDisconnectReason.IO_CLIENT_DISCONNECT, None, False)
            )
        self._lose_acks()

    # Commands: sending

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to the server.

        It is sent at once, or when the socket connects: before anything that is emitted later
        (SIO-CBUF-01). With ``retries`` it is sent until it is acknowledged.

        Raises:
            LocalProtocolError: the name is reserved, the arguments cannot be expressed, or more
                than ``max_buffer`` would wait.
        """
        packet = self._event(name, args)
        messages = self._client.encode(packet)
        if self._client.config.retries:
            self._retry(packet, messages, None, self._client.config.ack_timeout)
        elif self.connected:
            self._send_event(messages, packet.data)
        else:
            self._keep(messages, packet.data)

    @property
    def volatile(self) -> VolatileClientSocket:
        """Emits that are dropped unless they can be written at once (SIO-CBUF-04)."""
        return VolatileClientSocket(self)

    def emit_volatile(self, name: str | int | float, args: tuple[Any, ...]) -> None:
        """See :attr:`volatile`."""
        packet = self._event(name, args)
        messages = self._client.encode(packet)
        if self.connected and self._client.engine.writable:
            self._send_event(messages, packet.data)

    def emit_with_ack(
        self, name: str | int | float, *args: Any, timeout: float | None = None, now: float
    ) -> int:
        """Emit an event that asks for an acknowledgement.

        Exactly one of ``ClientAckReceived`` and ``ClientAckFailed`` follows, with the id that is
        returned. With ``retries`` the time is that of each attempt.

        Args:
            name: of the event.
            args: of the event.
            timeout: seconds to wait; ``ack_timeout`` unless given.
            now: seconds.

        Raises:
            LocalProtocolError: as for ``emit``, ``timeout`` is no number of seconds, or
                ``max_pending_acks`` are pending.
        """
        config = self._client.config
        if len(self._acks) + len(self._queue) >= config.max_pending_acks:
            raise LocalProtocolError("max_pending_acks acknowledgements are pending")
        timeout = config.ack_timeout if timeout is None else timeout
        check_timeout(timeout)
        packet = self._event(name, args)
        id = self._last_ack_id + 1
        packet.id = id
        messages = self._client.encode(packet)
        if config.retries:
            request = self._client.new_request_id()
            self._retry(packet, messages, request, timeout)
            return request
        kept = None if self.connected else self._keep(messages, packet.data)
        self._last_ack_id = id
        waiting = Request(self, id, now + timeout)
        waiting.kept = kept
        self._acks[id] = waiting
        if kept is None:
            self._send_event(messages, packet.data)
        return id

    def _event(self, name: str | int | float, args: tuple[Any, ...]) -> Packet:
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            raise LocalProtocolError(f"an event name is text or a number, not {name!r}")
        if name in RESERVED_EVENTS:
            raise LocalProtocolError(f'"{name}" is a reserved event name')
        return Packet(PacketType.EVENT, self._name, [name, *args])

    def _retry(
        self, packet: Packet, messages: list[Message], request: int | None, timeout: float
    ) -> None:
        size = size_of(messages)
        self._check_room(size)
        self._queue.add(Retried(frozen(packet.data), request, timeout, size))

    def _keep(self, messages: list[Message], data: list[Any]) -> Kept:
        size = size_of(messages)
        self._check_room(size)
        kept = Kept(messages, data)
        self._kept[kept] = None
        self._kept_size += size
        return kept

    def _check_room(self, size: int) -> None:
        if self._kept_size + self._queue.size + size > self._client.config.max_buffer:
            raise LocalProtocolError("max_buffer characters and bytes wait to be sent")

    def _send(self, packet: Packet) -> None:
        self._client.engine.send_messages(self._client.encode(packet))

    def _send_event(self, messages: list[Message], data: list[Any]) -> None:
        """Send an event that is encoded already. ``data`` is its name and its arguments."""
        self._client.engine.send_messages(messages)

    # What the client, its queue and its requests call

    def send_retried(self, data: list[Any], waiting: Waiting) -> int:
        """Send an event under a new id (SIO-CBUF-09)."""
        self._last_ack_id += 1
        id = self._last_ack_id
        packet = Packet(PacketType.EVENT, self._name, data, id)
        self._acks[id] = waiting
        self._send_event(self._client.encode(packet), data)
        return id

    def take_ack(self, id: int) -> Waiting | None:
        """What waits for an acknowledgement, and then does no longer."""
        return self._acks.pop(id, None)

    def forget(self, kept: Kept) -> None:
        """An event that waits for the socket to connect is not wanted any more."""
        del self._kept[kept]
        self._kept_size -= size_of(kept.messages)

    def join(self, now: float) -> None:
        """The connection is open: ask to join."""
        self._early, self._early_size = [], 0
        self._ask_to_join(now)

    def join_again(self, now: float) -> None:
        """It is active once more, on a connection that is open already."""
        if self._asked:  # the answer to the last request is still to come (SIO-CLI-14)
            self._alarm.set(now + self._client.config.connect_timeout)
        elif now < self._rejoin_at:
            self._alarm.set(self._rejoin_at)
        else:
            self._ask_to_join(now)

    def receive(self, packet: Packet, size: int, now: float) -> None:
        """A packet for this namespace arrived. What nobody asked for is ignored (SIO-EVT-22)."""
        kind = packet.type
        if kind is PacketType.CONNECT:
            self._joined(packet, now)
        elif self.connected:
            if kind is PacketType.EVENT:
                self._deliver(packet, size)
            elif kind is PacketType.ACK:
                waiting = None if packet.id is None else self.take_ack(packet.id)
                if waiting is not None:
                    waiting.acknowledged(packet.data)
            elif kind is PacketType.DISCONNECT:
                self._sent_away(now)
            elif kind is PacketType.CONNECT_ERROR and self._client.dialect.tells_errors:
                data = [] if packet.data is MISSING else [packet.data]
                self._deliver(Packet(PacketType.EVENT, self._name, ["error", *data]), size)
        elif self._asked:
            if kind is PacketType.EVENT:
                self._receive_early(packet, size)
            elif kind in (PacketType.CONNECT_ERROR, PacketType.DISCONNECT):
                self._refused(packet, now)

    def connection_failed(self, error: ConnectionFailed, will_retry: bool) -> None:
        """There is no connection."""
        if self._active:
            self._active = will_retry
            self._client.put(ClientConnectFailed(self, error, will_retry))

    def connection_lost(
        self, reason: ClientDisconnectReason, details: Exception | None, will_retry: bool
    ) -> None:
        """The connection has ended."""
        self._asked = self._left_here = False
        self._rejoin_at = -inf
        self._alarm.clear()
        self._early, self._early_size = [], 0  # the next connection brings them again, or never
        if not self._active:
            return
        self._active = will_retry
        if self.connected:
            self._id = None
            self._client.put(ClientDisconnected(self, reason, details, will_retry))
        else:
            error = ConnectionFailed(f"the connection ended before {self._name} was joined")
            error.__cause__ = details
            self._client.put(ClientConnectFailed(self, error, will_retry))
        self._lose_acks()

    # Joining

    def _ask_to_join(self, now: float) -> None:
        if self._client.is_let_in(self._name):
            self._await_answer(now)
            self._client.claim_main(self, now)
        elif self._asks:
            self._alarm.set(now + self._client.config.connect_timeout)
            self._client.put(AuthRequested(self))
        else:
            self._send_connect(self._auth, now)

    def _encode_connect(self, auth: Auth | None) -> list[Message]:
        if auth is not None and not isinstance(auth, Mapping):
            raise LocalProtocolError(f"auth is a mapping, not {type(auth).__name__}")
        fields: dict[str, Any] = {}
        if self._pid is not None:  # the application's own keys win (SIO-CSR-08)
            fields["pid"] = self._pid
            if self._offset is not None:
                fields["offset"] = self._offset
        fields.update(auth or {})
        asked = None if auth is None and not fields else fields
        return self._client.encode(self._client.dialect.ask(self._name, asked))

    def _send_connect(self, auth: Auth | None, now: float) -> None:
        messages = self._encode_connect(auth)
        self._await_answer(now)
        self._client.engine.send_messages(messages)

    def _await_answer(self, now: float) -> None:
        self._asked = True
        self._alarm.set(now + self._client.config.connect_timeout)

    def _join_or_give_up(self, now: float) -> None:
        """The alarm: it is time to join again, or the answer takes too long."""
        if not self._asked and self._rejoin_at != -inf:
            self._rejoin_at = -inf
            self._ask_to_join(now)
            return
        error = ConnectionFailed(f"{self._name} was not joined in time")
        error.__cause__ = LimitError(
            "no answer to CONNECT", rule="SIO-CLI-15", limit="connect_timeout"
        )
        self._fail(error, now)

    def _fail(self, error: ConnectionFailed | ConnectionRefused, now: float) -> None:
        self._leave()
        self._client.put(ClientConnectFailed(self, error, False))
        self._client.deactivated(now)

    def _joined(self, packet: Packet, now: float) -> None:
        dialect = self._client.dialect
        sid, pid = dialect.read_admission(packet.data, self._name, self._client.session_id)
        if not self._active:
            if self._asked and sid is not None:  # it left before the answer came
                self._asked = False
                self._send(Packet(PacketType.DISCONNECT, self._name))
                self._rejoin_at = now + self._client.config.rejoin_delay
                self._left_here = True
            return
        if not self._asked and not self.connected:
            return
        if not sid:  # as servers of Socket.IO 2 answer (SIO-CLI-04)
            if not self._asked:
                return  # it has its id
            error = ConnectionFailed(
                "the server gives no socket id: it speaks revision 4 of the protocol "
                f"(Socket.IO 2 or older), and this client speaks revision {dialect.revision}"
            )
            self._asked = False
            self._fail(error, now)
            return
        self._asked = False
        self._alarm.clear()
        self._id = sid
        self._connection += 1
        self._recovered = pid is not None and pid == self._pid
        self._pid = pid
        if not self._recovered:
            self._offset = None
        early, self._early, self._early_size = self._early, [], 0
        for event, size in early:  # before the connection is announced (SIO-CLI-07)
            self._deliver(event, size)
        self._flush()
        self._queue.send_first(now)
        self._client.put(ClientConnected(self, self._recovered))

    def _flush(self) -> None:
        """Send what has waited, before anything that is emitted from now on (SIO-CBUF-01)."""
        kept, self._kept, self._kept_size = self._kept, {}, 0
        for waiting in self._acks.values():
            if isinstance(waiting, Request):
                waiting.kept = None
        for event in kept:
            self._send_event(event.messages, event.data)

    def _refused(self, packet: Packet, now: float) -> None:
        self._asked = False
        if self._active:
            self._fail(self._client.dialect.read_refusal(packet.data), now)

    # Receiving

    def _receive_early(self, packet: Packet, size: int) -> None:
        """An event came before the answer to CONNECT: middleware, or recovery, sent it.

        If this is not the first time on this connection, it may as well be for the socket that left
        before: an event too few is better than one of somebody else's.
        """
        if self._active and not self._left_here:
            self._early.append((packet, size))
            self._early_size += size
            if self._early_size > self._client.config.max_buffer:
                self._client.fail(
                    LimitError(
                        "too many events before the socket joined",
                        rule="SIO-CLI-07",
                        limit="max_buffer",
                    )
                )

    def _deliver(self, packet: Packet, size: int) -> None:
        name, *args = packet.data
        reply = None
        if packet.id is not None:
            connection = self._connection

            def acknowledge(id: int, args: tuple[Any, ...]) -> None:
                messages = self._client.encode(Packet(PacketType.ACK, self._name, list(args), id))
                if self.connected and self._connection == connection:
                    self._client.engine.send_messages(messages)

            reply = Reply(packet.id, acknowledge)
        elif self._pid is not None and args and isinstance(args[-1], str):
            # Whether it is an offset cannot be told; what asks for an answer has none (SIO-CSR-15).
            self._offset = args[-1]
        self._client.put(ClientEventReceived(self, name, args, reply, size))

    # The end

    def _leave(self) -> None:
        """Become inactive. Nothing is left that the server could recover."""
        self._active = False
        self._id = None
        self._pid = self._offset = None
        self._alarm.clear()
        self._early, self._early_size = [], 0

    def _sent_away(self, now: float) -> None:
        self._leave()
        reason = ClientDisconnectReason.IO_SERVER_DISCONNECT
        self._client.put(ClientDisconnected(self, reason, None, False))
        self._lose_acks()
        self._client.deactivated(now)

    def _lose_acks(self) -> None:
        """What was sent and not acknowledged will not be. What is not sent yet may be."""
        for id, waiting in list(self._acks.items()):
            unsent = isinstance(waiting, Request) and waiting.kept is not None
            # Several ids may be of one event, which forgets them all at once.
            if not unsent and self.take_ack(id) is not None:
                waiting.lost()


class VolatileClientSocket:
    """Emits that are dropped unless they can be written at once."""

    __slots__ = ("_socket",)

    def __init__(self, socket: ClientSocket) -> None:
        self._socket = socket

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event, with all of its attachments or not at all. It is never retried.

        Raises:
            LocalProtocolError: as for ``ClientSocket.emit``, also if it is dropped.
        """
        self._socket.emit_volatile(name, args)
