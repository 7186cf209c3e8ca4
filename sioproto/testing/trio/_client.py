"""A Socket.IO client, and what it has in common with others on the same connection."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from sioproto._errors import AckTimeout, ClosedError, ConnectionRefused, LocalProtocolError
from sioproto.socketio import (
    MISSING,
    RESERVED_EVENTS,
    Packet,
    PacketType,
    Parser,
    Reply,
)
from sioproto.testing.trio._connection import Connection
from sioproto.testing.trio._peer import Arriving, Peer, told_by_server
from sioproto.testing.trio._waiting import Done
from sioproto.trio import Socket

_NO_LIMIT = 10**9


class Event:
    """An event from the server. Equal to another of the same name and arguments.

    Args:
        name: of the event.
        args: of the event.
        reply: acknowledges it.
    """

    __match_args__ = ("name", "args")
    __slots__ = ("args", "name", "reply")
    __hash__ = None  # type: ignore[assignment]  # arguments may be lists: mypy wants it annotated

    def __init__(self, name: str | int | float, *args: Any, reply: Reply | None = None) -> None:
        self.name = name
        self.args = args
        """What a listener of the official client would be called with."""
        self.reply = reply
        """``reply(*values)`` acknowledges; None if the server asked for no acknowledgement."""

    def __repr__(self) -> str:
        return f"Event({', '.join(map(repr, (self.name, *self.args)))})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return (self.name, self.args) == (other.name, other.args)


class Answer:
    """An event on its way to the server that asks for an acknowledgement. Await it for the answer:
    None, the value, or a tuple of the values.

    Raises:
        AckTimeout: none came in time.
        ClosedError: the client was disconnected before it came.
    """

    def __init__(self, client: Client, name: str | int | float, timeout: float | None) -> None:
        self._client = client
        self._name = name
        self._timeout = timeout
        self._values: list[Any] | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        __tracebackhide__ = True
        values = await self._client._wait_for_answer(
            lambda: self._values, self._name, self._timeout
        )
        return tuple(values) if len(values) > 1 else values[0] if values else None


class Client(Peer[Event]):
    """A client in one namespace. Made by :meth:`ServerUnderTest.connect` and :meth:`join`."""

    def __init__(self, link: Link, namespace: str, auth: Mapping[str, Any] | None) -> None:
        super().__init__(link.connection, link.timeout)
        self._link = link
        self._auth = auth
        self._brought_pid: str | None = None
        self._answers: dict[int, Answer] = {}
        self._next_id = 0
        self._socket: Socket | None = None
        self.namespace = namespace
        """Begins with a slash."""
        self.id: str = ""
        """Id of the socket, as both sides know it."""
        self.pid: str | None = None
        """The private id with which the client could be recovered, if the server does that."""
        self.offset: str | None = None
        """Of the last event that can be recovered. It is the last argument of that event."""

    def __repr__(self) -> str:
        return f"<Client {self.namespace} {self.id} {self._state()}>"

    @property
    def socket(self) -> Socket:
        """The server's side of it: the socket that the handlers have."""
        assert self._socket is not None, "the client was let in"
        return self._socket

    @property
    def recovered(self) -> bool:
        """Whether the server knew the client again."""
        return self.pid is not None and self.pid == self._brought_pid

    def emit(self, name: str | int | float, *args: Any) -> Done:
        """Emit an event that asks for no acknowledgement.

        Raises:
            ClosedError: the client is not connected.
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        self._emit(name, args, None)
        return self._done()

    def request(self, name: str | int | float, *args: Any, timeout: float | None = None) -> Answer:
        """Emit an event now, and await its acknowledgement when you like.

        Args:
            name: of the event.
            args: of the event.
            timeout: seconds to wait, from when the answer is awaited.

        Raises:
            ClosedError: the client is not connected.
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        answer = Answer(self, name, timeout)
        self._emit(name, args, self._next_id)
        self._answers[self._next_id] = answer
        self._next_id += 1
        return answer

    async def receive(
        self, name: str | int | float | None = None, *, timeout: float | None = None
    ) -> Event:
        """Take the next event, waiting for it if need be.

        Args:
            name: take the next event of this name, and leave others for later.
            timeout: seconds to wait.

        Raises:
            ExpectationFailed: none came in time, or none will.
        """
        __tracebackhide__ = True
        if name is None:
            return await self._inbox.take(lambda event: True, "event", timeout)
        return await self._inbox.take(lambda event: event.name == name, f"event {name!r}", timeout)

    def join(
        self,
        namespace: str,
        *,
        auth: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Joining:
        """Join another namespace over the same connection: see :meth:`ServerUnderTest.connect`.

        Raises:
            ClosedError: the connection has ended.
            LocalProtocolError: there is a client in this namespace on this connection.
        """
        if self._connection.ended:
            raise ClosedError(self._describe())
        return self._link.join(namespace, auth, timeout)

    def reconnect(self, *, timeout: float | None = None) -> Joining:
        """Connect anew, as the official client does: the same request, namespace and auth, and what
        it takes to be recovered.

        Raises:
            LocalProtocolError: the client is still connected.
        """
        if self.reason is None:
            raise LocalProtocolError("lose the connection first")
        return self._link.again(self, timeout)

    def disconnect(self) -> Done:
        """Leave the namespace, and close the connection if no other client is on it.

        Does nothing if the client has left.
        """
        if self.reason is None:
            if self._answered:
                self._send(PacketType.DISCONNECT)
            self._leave("io client disconnect")
        return self._done()

    # What the link calls

    def _ask(self) -> None:
        auth = dict(self._auth or {})
        if self._brought_pid is not None:
            auth = {"pid": self._brought_pid, "offset": self.offset, **auth}
        self._send(PacketType.CONNECT, auth or MISSING)

    def _receive(self, packet: Packet) -> None:
        data = packet.data
        match packet.type:
            case PacketType.EVENT:
                self._take_event(packet)
            case PacketType.ACK:
                answer = self._answers.pop(packet.id, None) if packet.id is not None else None
                if answer is not None:
                    answer._values = data
                    self._inbox.note(f"acknowledgement of {answer._name!r}: {data!r}")
            case PacketType.CONNECT:
                self.id = data["sid"]
                self.pid = data.get("pid")
                self.sid = self._link.sid
                self._socket = self._link.take_socket(self.id)
                self._answered = True
                self._inbox.wake()
            case PacketType.CONNECT_ERROR:
                self._refusal = ConnectionRefused(data["message"], data.get("data"))
                self._leave("connection refused")
            case _:
                self._leave("io server disconnect")

    def _take_event(self, packet: Packet) -> None:
        name, *args = packet.data
        if self._link.recovers and args and isinstance(args[-1], str):
            self.offset = args[-1]
        reply = None if packet.id is None else Reply(packet.id, self._acknowledge)
        self._inbox.put(Event(name, *args, reply=reply))

    def _leave(self, reason: str) -> None:
        self._end(reason)
        self._link.left(self)

    def _acknowledge(self, id: int, args: tuple[Any, ...]) -> None:
        self._check_connected()
        self._send(PacketType.ACK, list(args), id)

    def _emit(self, name: str | int | float, args: tuple[Any, ...], id: int | None) -> None:
        if name in RESERVED_EVENTS:
            raise LocalProtocolError(f'"{name}" is a reserved event name')
        self._check_connected()
        self._send(PacketType.EVENT, [name, *args], id)

    def _send(self, kind: PacketType, data: Any = MISSING, id: int | None = None) -> None:
        self._link.send(Packet(kind, self.namespace, data, id))

    async def _wait_for_answer(
        self, find: Callable[[], list[Any] | None], name: str | int | float, timeout: float | None
    ) -> list[Any]:
        __tracebackhide__ = True
        seconds = self._timeout if timeout is None else timeout
        inbox = self._inbox
        await inbox.until(lambda: find() is not None or inbox.ended, seconds)
        values = find()
        if values is not None:
            return values
        what = f"no acknowledgement of {name!r}"
        if inbox.ended:
            raise ClosedError(inbox.account(what))
        raise AckTimeout(inbox.account(f"{what} came within {seconds:g} seconds"))

    def _describe(self) -> str:
        line = f'client "{self.id}" in {self.namespace} {self._state()}'
        if self._socket is not None and self._socket._end is not None:
            end = self._socket._end
            line += told_by_server(end.reason, end.details)
        return line


Joining = Arriving[Client]
"""What :meth:`ServerUnderTest.connect` and :meth:`Client.join` return."""


class Link:
    """A connection and the clients on it.

    Args:
        connect: makes another connection from the same place.
        take_socket: gives the server's socket of an id.
        parser: encodes and decodes packets.
        recovers: whether the server's events carry offsets.
        timeout: seconds that clients wait unless they are told otherwise.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        take_socket: Callable[[str], Socket | None],
        parser: Parser,
        *,
        recovers: bool,
        timeout: float,
    ) -> None:
        self._connect = connect
        self.take_socket = take_socket
        self._parser = parser
        self.recovers = recovers
        self.timeout = timeout
        self.connection = connect()
        self.sid = ""
        self._decoder = parser.decoder(max_attachments=_NO_LIMIT)
        self._clients: dict[str, Client] = {}

    def join(
        self,
        namespace: str,
        auth: Mapping[str, Any] | None,
        timeout: float | None,
        before: Client | None = None,
    ) -> Joining:
        """Let a client ask for a namespace."""
        if not namespace.startswith("/"):
            namespace = f"/{namespace}"
        if namespace in self._clients:
            raise LocalProtocolError(f"there is a client in {namespace} on this connection")
        client = Client(self, namespace, auth)
        if before is not None:
            client._brought_pid, client.offset = before.pid, before.offset
        self._clients[namespace] = client
        if self.connection.ended:
            client._leave("transport error")
        else:
            client._ask()
        return Joining(client, self.timeout if timeout is None else timeout)

    def again(self, client: Client, timeout: float | None) -> Joining:
        """Let a client come back on a new connection."""
        link = Link(
            self._connect,
            self.take_socket,
            self._parser,
            recovers=self.recovers,
            timeout=self.timeout,
        )
        link.open()
        return link.join(client.namespace, client._auth, timeout, before=client)

    def open(self) -> None:
        """Open the connection."""
        self.connection.open(self)

    def send(self, packet: Packet) -> None:
        """Send a packet."""
        for message in self._parser.encode(packet):
            self.connection.put(f"4{message}" if isinstance(message, str) else message)

    def left(self, client: Client) -> None:
        """A client has left."""
        self._clients.pop(client.namespace, None)
        if not self._clients and not self.connection.ended:
            self.connection.put(None)

    # What the connection calls

    def _opened(self, sid: str) -> None:
        """The session is open."""
        self.sid = sid

    def _message(self, data: str | bytes) -> None:
        """A part of a packet arrived."""
        packet = self._decoder.feed(data)
        if packet is not None and packet.namespace in self._clients:
            self._clients[packet.namespace]._receive(packet)

    def _ended(self, reason: str) -> None:
        """The connection has ended."""
        for client in list(self._clients.values()):
            client._leave(reason)
