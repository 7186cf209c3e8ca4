"""Events of the Socket.IO server machine. Its effects are the engine's, passed through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sioproto._output import Event, output
from sioproto.socketio._reasons import DisconnectReason

if TYPE_CHECKING:
    from sioproto.socketio._acks import Reply
    from sioproto.socketio._connection import NamespaceRequest
    from sioproto.socketio._namespace import Namespace
    from sioproto.socketio._socket import Socket


@output
class NamespaceRequested(Event):
    """A client wants to join a namespace that is not registered.

    Comes only if the configuration asks for it. Answer with ``server.grant(request)`` or ``deny``.
    """

    request: NamespaceRequest


@output
class NamespaceRemoved(Event):
    """A namespace is no longer registered, and no more is heard of its sockets.

    Also comes for one that was granted, if its clients have gone before they were asked about.
    """

    namespace: Namespace


@output
class ConnectRequested(Event):
    """A client wants to join a namespace. Answer with ``server.accept(socket)`` or ``reject``."""

    socket: Socket


@output
class ConnectAbandoned(Event):
    """The client went before its request was answered. The last event about ``socket``."""

    socket: Socket


@output
class Connected(Event):
    """A socket joined its namespace: it has its own room, and the client has been told its id."""

    socket: Socket


@dataclass(slots=True)
class EventReceived(Event):
    """A client emitted an event.

    Unlike other outputs it belongs to whoever receives it: middleware may rename it and change its
    arguments.
    """

    socket: Socket
    name: str | int | float
    """Numbers are legal event names (SIO-VAL-05)."""
    args: list[Any]
    reply: Reply | None
    """What acknowledges the event, if the client asked for that."""
    size: int
    """Characters and bytes that it took on the wire: for whoever bounds what waits."""


@output
class AckReceived(Event):
    """A client acknowledged what ``emit_with_ack`` sent."""

    socket: Socket
    id: int
    args: list[Any]


@output
class AckFailed(Event):
    """An acknowledgement will not come.

    Exactly one of this and ``AckReceived`` follows each request.
    """

    socket: Socket
    id: int
    why: Literal["timeout", "disconnect"]


@output
class BroadcastAcked(Event):
    """All recipients of a broadcast have acknowledged it, or will not. Follows once for each."""

    namespace: Namespace
    id: int
    responses: list[Any]
    """The first argument of each acknowledgement, None if it had none, in order of arrival."""
    missing: tuple[str, ...]
    """Ids of the sockets that did not answer in time, or have gone."""
    missing_elsewhere: int = 0
    """How many sockets of other servers did not answer in time, as far as that is known."""


@output
class ServersAnswered(Event):
    """All other servers have answered a server-side event, or will not. Follows once for each."""

    namespace: Namespace
    id: int
    responses: list[Any]
    """One value of each, in order of arrival."""
    missing: int
    """How many did not answer in time."""


@output
class ServerEventReceived(Event):
    """Another server of the cluster emitted a server-side event (SIO-BC-19)."""

    namespace: Namespace
    name: str
    args: list[Any]
    reply: Reply | None
    """What answers it with one value, if an answer is wanted."""


@output
class RoomCreated(Event):
    """A room got its first member. Room events come only if the configuration asks for them."""

    namespace: Namespace
    room: str


@output
class RoomJoined(Event):
    """A socket joined a room."""

    namespace: Namespace
    room: str
    id: str


@output
class RoomLeft(Event):
    """A socket left a room."""

    namespace: Namespace
    room: str
    id: str


@output
class RoomDeleted(Event):
    """A room lost its last member."""

    namespace: Namespace
    room: str


@output
class Disconnecting(Event):
    """A socket is leaving. It no longer receives, but ``socket.rooms`` still shows its rooms."""

    socket: Socket
    reason: DisconnectReason
    details: Exception | None
    """Which rule or limit, if there is more to say than the reason."""


@output
class Disconnected(Event):
    """A socket has left; ``socket.rooms`` is empty. The last event about it."""

    socket: Socket
    reason: DisconnectReason
    details: Exception | None
