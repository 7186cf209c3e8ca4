"""Breaks of what an application is told, and of what it decides: joining, events, the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sioproto._app import _server as app_server
from sioproto._app import _task
from sioproto._app._server import SocketApplication
from sioproto._app._socket import Socket as AppSocket
from sioproto.engineio import EngineServer
from sioproto.socketio import _connection
from sioproto.socketio._acks import Reply
from sioproto.socketio._connection import Connection
from sioproto.socketio._namespace import Namespace
from sioproto.socketio._packet import Packet, PacketType
from sioproto.socketio._reasons import DisconnectReason
from sioproto.socketio._server import SocketServer
from sioproto.socketio._socket import Socket, SocketState
from sioproto_conformance.broken import Original, break_by, broken

# Joining


@broken(_task, "_admit", rule="SIO-MW-01", case="sio5.middleware.wait.answer-when-through")
async def let_in_at_once(original: Original, app: Any, namespace: Any, socket: Any) -> bool:
    """Clients are let in without the middleware."""
    middlewares, namespace.middlewares = namespace.middlewares, []
    try:
        return bool(await original(app, namespace, socket))
    finally:
        namespace.middlewares = middlewares


@broken(
    Connection,
    "reject",
    rule="SIO-MW-02",
    case="sio5.middleware.refusal.message-and-data[message]",
)
def refusal_without_its_words(
    original: Original, self: Any, socket: Any, message: str, data: Any
) -> None:
    """Whoever is refused is not told why."""
    original(self, socket, "refused", data)


@broken(
    Connection,
    "_offer",
    rule="SIO-MW-04",
    case="sio5.broadcast.during-middleware.not-reached",
)
def reached_before_let_in(
    original: Original, self: Any, namespace: Namespace, auth: Any, kept: Any
) -> None:
    """What is emitted while the middleware of a client runs reaches it when it is let in."""
    original(self, namespace, auth, kept)
    socket = self._pending[namespace.name]
    namespace.add(socket)


@broken(
    _task,
    "_admit",
    rule="SIO-MW-09",
    case="sio5.middleware.refusal.others-untouched[websocket]",
)
async def middleware_of_others_run(
    original: Original, app: Any, namespace: Any, socket: Any
) -> bool:
    """The middleware of every namespace runs for each."""
    own = namespace.middlewares
    others = [each for other in app._namespaces.values() for each in other.middlewares]
    namespace.middlewares = list(dict.fromkeys([*own, *others]))
    try:
        return bool(await original(app, namespace, socket))
    finally:
        namespace.middlewares = own


@broken(
    _task,
    "_refuse_late",
    rule="SIO-MW-06",
    case="sio5.middleware.hangs.refused",
)
async def left_waiting_for_middleware(original: Original, app: Any, socket: Any) -> None:
    """A client whose middleware takes too long gets no answer."""


@broken(_task, "_reject", rule="SIO-MW-07", case="sio5.middleware.raises.refused")
def internals_told(original: Original, app: Any, socket: Any, message: str, data: Any) -> None:
    """A client whose middleware raises reads what its application knows."""
    knows = f"{message}: {socket.handshake.auth}" if message == "internal error" else message
    original(app, socket, knows, data)


def _any_match(pattern: Any) -> Any:
    return lambda name, auth: True


@broken(
    SocketApplication,
    "_find_parent",
    rule="SIO-NSP-04",
    case="sio5.dynamic-namespace.matching.joined[websocket]",
)
async def first_request_denied(original: Original, self: Any, request: Any) -> None:
    """Whoever asks first for a namespace whose name matches is refused."""
    asked = vars(self).setdefault("asked", set())
    if request.name in asked:
        await original(self, request)
    else:
        asked.add(request.name)
        self.core.deny(request)


break_by(
    app_server,
    "_matcher",
    _any_match,
    name="pattern-matches-everything",
    what="A namespace is made for each client that asks for one, whatever its name.",
    rule="SIO-NSP-05",
    case="sio5.dynamic-namespace.no-match.refused[empty-word]",
    wide="Cases that ask for a namespace that is nowhere are let into it.",
)


# What is known of a socket


@broken(
    Connection,
    "_connect_reply",
    rule="SIO-CONN-11",
    case="sio5.rooms.own-room.joined[websocket]",
    wide="No client knows the name of its own room.",
)
def another_id_told(
    original: Original, self: Any, namespace: Namespace, told: Mapping[str, str]
) -> Any:
    """A client is told another id than the one that its server knows it by."""
    return original(self, namespace, {**told, "sid": told["sid"][::-1]})


@broken(
    _connection, "build_handshake", rule="SIO-HS-01", case="sio5.handshake.fields.there[websocket]"
)
def handshake_without_address(original: Original, *args: Any) -> Any:
    """The handshake has no address."""
    return replace(original(*args), address=None)


@broken(
    _connection,
    "build_handshake",
    rule="SIO-HS-02",
    case="sio5.handshake.request.of-session[websocket]",
)
def handshake_without_query(original: Original, *args: Any) -> Any:
    """The handshake has no query, whatever the request that opened the session had."""
    return replace(original(*args), query={})


@broken(
    _connection,
    "build_handshake",
    rule="SIO-HS-04",
    case="sio5.handshake.request.of-session[websocket]",
)
def always_secure(original: Original, *args: Any) -> Any:
    """The handshake says of every connection that it is encrypted."""
    return replace(original(*args), secure=True)


@broken(
    SocketServer,
    "new_socket",
    rule="SIO-HS-08",
    case="sio5.lifecycle.new-socket.new-id",
    wide="Every case that tells a new socket from the one before does so by the id.",
)
def same_id_on_one_connection(
    original: Original, self: Any, namespace: Namespace, connection: Any, *rest: Any
) -> Any:
    """A client that joins again on the same connection has the same id again."""
    socket = original(self, namespace, connection, *rest)
    socket._id = (connection.sid[::-1] + namespace.name.replace("/", "_"))[:20].ljust(20, "_")
    return socket


break_by(
    Socket,
    "data",
    property(lambda self: {}, lambda self, value: None),
    name="data-not-kept",
    what="What an application keeps with a socket is gone when it looks again.",
    rule="SIO-HS-10",
    case="sio5.lifecycle.new-socket.new-id",
)
break_by(
    Socket,
    "recovered",
    property(lambda self: True),
    name="always-recovered",
    what="Every socket says that it was recovered.",
    rule="SIO-HS-13",
    case="sio5.socket.state.connected",
)


# Events


@broken(
    Namespace,
    "event",
    rule="SIO-EVT-05",
    case="sio5.emitting.reserved-name.refused[connect]",
)
def reserved_names_emitted(
    original: Original, self: Any, name: Any, args: tuple[Any, ...]
) -> Packet:
    """An event with a reserved name is emitted like any other."""
    return Packet(PacketType.EVENT, self.name, [name, *args])


@broken(AppSocket, "send", rule="SIO-EVT-07", case="sio5.emitting.send.is-message")
def sent_under_another_name(original: Original, self: Any, *args: Any) -> None:
    """What is sent without a name arrives as an event named `msg`."""
    self.emit("msg", *args)


@broken(
    _task,
    "_show",
    rule="SIO-EVT-08",
    case="sio5.receiving.catch-all.before-listeners",
)
async def listened_events_not_shown(original: Original, socket: Any, event: Any) -> None:
    """What listens to all events does not see those that have a listener."""
    if not socket._listeners.get(event.name):
        await original(socket, event)


@broken(
    AppSocket,
    "deliver",
    rule="SIO-EVT-09",
    case="sio5.outgoing.broadcast.seen-by-each",
)
def broadcasts_not_seen_to_go_out(
    original: Original, self: Any, messages: Any, packet: Packet
) -> None:
    """What listens to outgoing events does not see broadcasts."""
    Socket.deliver(self, messages, packet)


@broken(Reply, "__call__", rule="SIO-ACK-04", case="sio5.asking.acknowledged-twice.sent-once")
def acknowledged_as_often_as_told(original: Original, self: Any, *args: Any) -> bool:
    """An application that acknowledges an event twice has it acknowledged twice."""
    send = self._send
    original(self, *args)
    self._send = send
    return True


@broken(_task, "_pass_on", rule="SIO-EVT-11", case="sio5.event-middleware.changes.seen")
async def changes_lost(original: Original, socket: Any, event: Any) -> None:
    """What the middleware of a socket changes, the listeners do not see."""
    name, args = event.name, event.args
    await original(socket, event)
    event.name, event.args = name, args


@broken(
    _task,
    "_pass_on",
    rule="SIO-EVT-12",
    case="sio5.event-middleware.refused.dropped[websocket]",
)
async def refused_event_ends_the_client(original: Original, socket: Any, event: Any) -> None:
    """A client whose event is refused loses its connection."""
    try:
        await original(socket, event)
    except _task._Refused:
        socket.disconnect(close=True)
        raise


@broken(
    Connection,
    "_end",
    rule="SIO-EVT-15",
    case="sio5.broadcast.after-leaving.not-reached[websocket]",
)
def reached_after_leaving(
    original: Original, self: Any, socket: Any, reason: Any, error: Any
) -> None:
    """What is emitted to everybody reaches those who have left, as long as they are connected."""
    original(self, socket, reason, error)
    if not self._ended:
        socket._state = SocketState.CONNECTED
        socket.namespace.add(socket)


# The end


@broken(
    Connection,
    "_end",
    rule="SIO-DISC-03",
    case="sio5.lifecycle.reason.told[client-leaves]",
)
def one_reason_for_every_end(
    original: Original, self: Any, socket: Any, reason: Any, error: Any
) -> None:
    """Whatever ends a socket, the application is told that the transport was closed."""
    original(self, socket, DisconnectReason.TRANSPORT_CLOSE, error)


@broken(
    Connection,
    "disconnect",
    rule="SIO-DISC-04",
    case="sio5.lifecycle.server-disconnects.packet[websocket]",
)
def disconnected_without_a_word(original: Original, self: Any, socket: Any) -> None:
    """A client that the server disconnects is not told."""
    self._end(socket, DisconnectReason.SERVER_NAMESPACE_DISCONNECT, None)


@broken(
    Connection,
    "disconnect_all",
    rule="SIO-DISC-05",
    case="sio5.lifecycle.server-closes.every-namespace-told[websocket]",
)
def closed_without_a_word(original: Original, self: Any, now: float) -> None:
    """A client that the server disconnects altogether gets no DISCONNECT before the end."""
    self.fail(DisconnectReason.SERVER_NAMESPACE_DISCONNECT, None, now)


@broken(
    Connection,
    "_end",
    rule="SIO-DISC-06",
    case="sio5.lifecycle.connection-lost.all-namespaces[websocket]",
)
def only_the_last_told_the_reason(
    original: Original, self: Any, socket: Any, reason: Any, error: Any
) -> None:
    """All sockets of a connection that ends but the last are told of another reason."""
    last = len(self._joined) == 1
    original(self, socket, reason if last else DisconnectReason.TRANSPORT_ERROR, error)


@broken(
    EngineServer,
    "close",
    rule="EIO-CL-04",
    case="sio5.lifecycle.server-hangs-up.not-a-word",
)
def buffered_events_discarded(
    original: Original, self: Any, sid: str, *, now: float, discard: bool = False
) -> None:
    """What is buffered when an application closes a session is lost."""
    original(self, sid, now=now, discard=True)


@broken(
    AppSocket,
    "_forget_rooms",
    rule="SIO-ROOM-06",
    case="sio5.lifecycle.rooms.full-then-empty[client-leaves]",
)
def rooms_full_after_the_end(original: Original, self: Any) -> None:
    """The rooms of a socket are as full when it is disconnected as before."""
