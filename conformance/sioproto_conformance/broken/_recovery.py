"""Breaks of the recovery of lost connections."""

from __future__ import annotations

from typing import Any

from sioproto._app._server import SocketApplication
from sioproto.socketio import _connection, _recovery
from sioproto.socketio._packet import Packet
from sioproto.socketio._reasons import DisconnectReason
from sioproto.socketio._recovery import RECOVERABLE, RecoveringAdapter
from sioproto.socketio._server import SocketServer
from sioproto_conformance.broken import Original, break_by, broken


@broken(
    SocketServer,
    "new_socket",
    rule="SIO-CSR-02",
    case="sio5.recovery.connect.private-id[main,websocket]",
)
def private_id_is_public(original: Original, self: Any, *args: Any) -> Any:
    """The private id of a socket is the id that everybody knows."""
    socket = original(self, *args)
    if socket.pid is not None:
        socket.make_recoverable(socket.id)
    return socket


@broken(
    RecoveringAdapter,
    "_remember",
    rule="SIO-CSR-03",
    case="sio5.recovery.event.has-offset[websocket]",
    wide="Every case of recovery begins with an offset.",
)
def events_without_offset(
    original: Original, self: Any, packet: Packet, target: Any, only: Any, flags: Any
) -> Any:
    """What is kept for those who are cut off goes to the others without an offset."""
    original(self, packet, target, only, flags)
    return self._encode(packet, flags.compress)


break_by(
    _connection,
    "RECOVERABLE",
    (*RECOVERABLE, DisconnectReason.CLIENT_NAMESPACE_DISCONNECT),
    name="kept-though-it-left",
    what="A socket whose client has left its namespace is kept, as if it had been cut off.",
    rule="SIO-CSR-07",
    case="sio5.recovery.ended-by-client.new-socket[namespace-left]",
)


@broken(
    _recovery,
    "_number",
    rule="SIO-CSR-10",
    case="sio5.recovery.wrong-claim.new-socket[offset-unknown]",
)
def every_offset_is_known(original: Original, offset: str) -> int:
    """A client with an offset that nobody gave it is recovered, and gets everything again."""
    number = original(offset)
    return 0 if number is None else number


@broken(
    SocketServer,
    "new_socket",
    rule="SIO-CSR-11",
    case="sio5.recovery.custom-namespace.recovered",
)
def recovered_under_another_id(
    original: Original, self: Any, namespace: Any, connection: Any, handshake: Any, kept: Any
) -> Any:
    """A socket that is recovered has another id than before."""
    socket = original(self, namespace, connection, handshake, kept)
    if kept is not None:
        socket._id = self._new_id()
    return socket


break_by(
    SocketApplication,
    "skips_middlewares",
    False,
    name="recovered-through-middleware",
    what="The middleware runs for a socket that is recovered, too.",
    rule="SIO-MW-11",
    case="sio5.recovering.middleware.skipped",
)
