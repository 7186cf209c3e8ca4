"""Events of the Socket.IO client machine. Its effects are the engine's, passed through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sioproto._errors import ConnectionFailed, ConnectionRefused
from sioproto._output import Event, output
from sioproto.socketio._acks import Reply
from sioproto.socketio._client_reasons import ClientDisconnectReason

if TYPE_CHECKING:
    from sioproto.socketio._client_socket import ClientSocket


# Of sockets


@output
class AuthRequested(Event):
    """A socket is about to join its namespace and was told to ask for what to send along.

    Answer with ``socket.authenticate(auth, now=...)``.
    """

    socket: ClientSocket


@output
class ClientConnected(Event):
    """A socket has joined its namespace. ``ClientDisconnected`` follows, sooner or later."""

    socket: ClientSocket
    recovered: bool
    """Whether the server took it for the one that was cut off (SIO-CSR-14)."""


@output
class ClientConnectFailed(Event):
    """A socket could not join."""

    socket: ClientSocket
    error: ConnectionRefused | ConnectionFailed
    will_retry: bool
    """Whether it stays active: another attempt follows without a command."""


@output
class ClientEventReceived(Event):
    """The server emitted an event."""

    socket: ClientSocket
    name: str | int | float
    args: list[Any]
    reply: Reply | None
    """What acknowledges the event, if the server asked for that. Without effect once the connection
    that brought it is gone (SIO-ACK-13)."""
    size: int
    """Characters and bytes that it took on the wire: for whoever bounds what waits."""


@output
class ClientAckReceived(Event):
    """The server acknowledged what ``emit_with_ack`` sent."""

    socket: ClientSocket
    id: int
    args: list[Any]


@output
class ClientAckFailed(Event):
    """An acknowledgement will not come.

    Exactly one of this and ``ClientAckReceived`` follows each request.
    """

    socket: ClientSocket
    id: int
    why: Literal["timeout", "disconnect"]


@output
class ClientDisconnected(Event):
    """A socket that was connected is so no longer."""

    socket: ClientSocket
    reason: ClientDisconnectReason
    details: Exception | None
    """Which rule or limit, or which failure, if there is more to say than the reason."""
    will_retry: bool
    """Whether it stays active: it connects again without a command."""


# Of the connection that all sockets share (SIO-CLI-17)


@output
class ManagerOpened(Event):
    """The connection is open: its sockets ask to join."""

    sid: str
    attempt: int
    """The attempts to reconnect that it took; 0 if it was not lost before."""


@output
class ManagerOpenFailed(Event):
    """The connection could not be opened."""

    error: ConnectionFailed
    attempt: int
    """Which attempt to reconnect this was; 0 for the first connection."""
    will_retry: bool


@output
class ManagerClosed(Event):
    """The connection has ended."""

    reason: ClientDisconnectReason
    details: Exception | None
    will_retry: bool


@output
class ReconnectScheduled(Event):
    """The connection will be opened again after a while."""

    attempt: int
    """Which attempt this will be, from 1."""
    delay: float
    """Seconds."""


@output
class ReconnectAttempted(Event):
    """The connection is being opened again."""

    attempt: int


@output
class ReconnectFailed(Event):
    """All attempts have failed. A socket's ``connect`` starts anew."""

    attempts: int
