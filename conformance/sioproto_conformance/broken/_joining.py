"""Breaks of joining and leaving namespaces."""

from __future__ import annotations

import re
from math import inf
from typing import Any

from sioproto import DecodeError
from sioproto.socketio import _packet, _parser
from sioproto.socketio._connection import Connection, Search
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._dialect import REVISION_5
from sioproto.socketio._namespace import Namespace
from sioproto.socketio._packet import MISSING, Packet, PacketType
from sioproto.socketio._reasons import DisconnectReason
from sioproto.socketio._server import SocketServer
from sioproto_conformance.broken import Original, broken

# Joining


@broken(
    Connection,
    "opened",
    rule="SIO-CONN-01",
    case="sio5.connect.nothing-implicit[websocket]",
    wide="Every client is told something before it asks.",
)
def greeted_unasked(original: Original, self: Any) -> None:
    """Whoever opens a connection is told that it is in the main namespace."""
    self.send(self._connect_reply(self.server.namespaces["/"], {"sid": self.sid}))
    original(self)


@broken(
    Connection,
    "_connect_reply",
    rule="SIO-CONN-02",
    case="sio5.connect.namespace.answered[main,websocket]",
    wide="Whoever is meant by its id, or compares ids, has none.",
)
def joined_without_session_id(original: Original, self: Any, namespace: Any, told: Any) -> Any:
    """The answer to CONNECT has no session id."""
    return original(self, namespace, {})


@broken(
    Connection,
    "_route",
    rule="SIO-CONN-03",
    case="sio5.connect.other-packet-first.closes[event,websocket]",
)
def other_first_packet_ignored(original: Original, self: Any, packet: Packet, now: float) -> None:
    """What a client sends before its first CONNECT is passed over."""
    if packet.type is PacketType.CONNECT or self._joined or self._connect_by == inf:
        original(self, packet, now)


@broken(
    Connection,
    "handle_timeout",
    rule="SIO-CONN-04",
    case="sio5.connect.no-namespace.times-out[silent]",
)
def connection_without_namespace_kept(original: Original, self: Any, now: float) -> None:
    """A client that joins no namespace may stay."""
    if self._connect_by <= now:
        self._connect_by = inf
        self._rearm()
    else:
        original(self, now)


@broken(
    Connection,
    "_request_join",
    rule="SIO-CONN-07",
    case="sio5.connect.auth.reaches-application[main,token]",
    wide="Applications of tier 2 are told by credentials how to treat a client.",
)
def credentials_lost(original: Original, self: Any, packet: Packet) -> None:
    """The application sees empty credentials, whatever the client sends."""
    packet.data = MISSING
    original(self, packet)


@broken(
    Connection,
    "_connect_reply",
    rule="SIO-CONN-08",
    case="sio5.connect.namespace.answered[custom,polling]",
)
def joined_with_another_key(original: Original, self: Any, namespace: Any, told: Any) -> Any:
    """The answer to CONNECT says more than it should."""
    return original(self, namespace, {**told, "namespace": namespace.name})


@broken(
    SocketServer,
    "new_socket",
    rule="SIO-CONN-10",
    case="sio5.connect.session-id.own",
)
def session_id_of_the_engine(original: Original, self: Any, *args: Any) -> Any:
    """A socket has the id of the Engine.IO session that carries it."""
    socket = original(self, *args)
    if socket.namespace.name == "/":
        socket._id = socket.sid
    return socket


@broken(
    Connection,
    "_route",
    rule="SIO-CONN-13",
    case="sio5.connect.twice.closes[main,websocket]",
)
def second_connect_ignored(original: Original, self: Any, packet: Packet, now: float) -> None:
    """A second CONNECT for a namespace is passed over."""
    if packet.type is not PacketType.CONNECT or packet.namespace not in self._joined:
        original(self, packet, now)


@broken(
    Connection,
    "_route",
    rule="SIO-CONN-14",
    case="sio5.namespace.not-joined.closes[event,websocket]",
)
def packet_for_no_namespace_ignored(
    original: Original, self: Any, packet: Packet, now: float
) -> None:
    """A packet for a namespace that is not joined is passed over."""
    joining = packet.type in (PacketType.CONNECT, PacketType.CONNECT_ERROR)
    if joining or not self._joined or packet.namespace in self._joined:
        original(self, packet, now)


@broken(
    Connection,
    "_route",
    rule="SIO-CONN-17",
    case="sio5.connect.error-from-client.closes[main,websocket]",
)
def connect_error_ignored(original: Original, self: Any, packet: Packet, now: float) -> None:
    """A CONNECT_ERROR from a client is passed over."""
    if packet.type is not PacketType.CONNECT_ERROR:
        original(self, packet, now)


@broken(
    Connection,
    "_request_join",
    rule="SIO-CONN-18",
    case="sio5.namespace.two-on-one-connection[main-first,websocket]",
    wide="Every case with two namespaces needs the second.",
)
def one_namespace_only(original: Original, self: Any, packet: Packet) -> None:
    """A client that is in a namespace is refused in every other."""
    if self._joined:
        self._send_invalid(packet.namespace)
    else:
        original(self, packet)


@broken(
    Connection,
    "_end",
    rule="SIO-CONN-19",
    case="sio5.connect.again.new-session-id[main,websocket]",
)
def left_for_good(
    original: Original, self: Any, socket: Any, reason: DisconnectReason, error: Any
) -> None:
    """Who leaves a namespace cannot come back on the same connection."""
    original(self, socket, reason, error)
    if reason is DisconnectReason.CLIENT_NAMESPACE_DISCONNECT:
        self._pending[socket.namespace.name] = Search(socket.namespace)


@broken(
    Connection,
    "_send_invalid",
    rule="SIO-CONN-20",
    case="sio5.namespace.refused-join.repeated[websocket]",
)
def refused_for_good(original: Original, self: Any, namespace: str) -> None:
    """Who was refused in a namespace is closed for trying again."""
    original(self, namespace)
    self._pending[namespace] = Search(self.server.namespaces["/"])


@broken(
    Connection,
    "_request_join",
    rule="SIO-CONN-24",
    case="sio5.connect.no-auth.is-empty[main]",
)
def guests_get_credentials(original: Original, self: Any, packet: Packet) -> None:
    """A CONNECT without payload reaches the application with made-up credentials."""
    if packet.data is MISSING:
        packet.data = {"token": "guest"}
    original(self, packet)


@broken(
    _packet,
    "_check_payload",
    rule="SIO-VAL-01",
    case="sio5.connect.auth-not-object.closes[array,websocket]",
)
def credentials_of_any_type(original: Original, packet: Packet) -> None:
    """A CONNECT whose payload is no object is taken for one without."""
    if packet.type is PacketType.CONNECT and not isinstance(packet.data, dict):
        packet.data = MISSING
    original(packet)


@broken(
    Decoder,
    "feed",
    rule="SIO-DEC-09",
    case="sio5.connect.malformed.closes[word]",
)
def text_behind_connect_ignored(original: Original, self: Any, message: str | bytes) -> Any:
    """What stands behind CONNECT and makes no sense is passed over."""
    try:
        return original(self, message)
    except DecodeError as error:
        if message[:1] != "0" or error.rule == "SIO-VAL-01":
            raise
        return Packet(PacketType.CONNECT)


# Names


@broken(
    _parser,
    "encode_packet",
    rule="SIO-PKT-05",
    case="sio5.connect.namespace.answered[main,websocket]",
    wide="Cases that look at the text of an answer in the main namespace find a name in it.",
)
def main_namespace_written_out(original: Original, *args: Any) -> Any:
    """What is sent for the main namespace names it."""
    text, attachments = original(*args)
    head = re.match(r"[0-4]|[56]\d+-", text)
    if head is not None and text[head.end() : head.end() + 1] != "/":
        text = f"{head[0]}/,{text[head.end() :]}"
    return text, attachments


@broken(
    Namespace,
    "encode",
    rule="SIO-CONN-02",
    case="sio5.connect.namespace.answered[custom,websocket]",
    wide="Whoever joins another namespace waits in vain to be told so.",
)
def namespace_forgotten(original: Original, self: Any, packet: Packet, *args: Any) -> Any:
    """Whatever is sent is sent for the main namespace."""
    packet.namespace = "/"
    return original(self, packet, *args)


@broken(
    REVISION_5,
    "refuse",
    rule="SIO-NSP-02",
    case="sio5.namespace.unknown.refused[comma,websocket]",
)
def refusal_in_other_words(original: Original, message: str, data: Any) -> Any:
    """The refusal of an unknown namespace has another message."""
    return original("No such namespace", data)


@broken(
    Connection,
    "_route",
    rule="SIO-NSP-14",
    case="sio5.namespace.events.isolated[websocket]",
)
def events_of_all_namespaces_together(
    original: Original, self: Any, packet: Packet, now: float
) -> None:
    """An event in any namespace reaches the listeners of the main one."""
    if packet.type is PacketType.EVENT and packet.namespace in self._joined:
        packet.namespace = "/" if "/" in self._joined else packet.namespace
    original(self, packet, now)


@broken(
    Decoder,
    "feed",
    rule="SIO-DEC-06",
    case="sio5.namespace.comma.optional[websocket]",
)
def comma_required(original: Original, self: Any, message: str | bytes) -> Any:
    """A namespace without the comma behind it is refused."""
    if isinstance(message, str) and message[1:2] == "/" and "," not in message:
        raise DecodeError("no comma", rule="SIO-DEC-06")
    return original(self, message)


@broken(
    Decoder,
    "feed",
    rule="SIO-DEC-08",
    case="sio5.namespace.main.written-out[comma,websocket]",
)
def main_namespace_not_known_by_name(original: Original, self: Any, message: Any) -> Any:
    """The main namespace cannot be written out: it is another one then."""
    if message[1:2] == "/" and message[2:3] in (",", ""):
        message = f"{message[0]}/main{message[2:]}"
    return original(self, message)


@broken(
    Connection,
    "_route",
    rule="SIO-DEC-10",
    case="sio5.namespace.name.verbatim[upper-case]",
)
def names_in_lower_case(original: Original, self: Any, packet: Packet, now: float) -> None:
    """Names of namespaces are told apart without regard to case."""
    packet.namespace = packet.namespace.lower()
    original(self, packet, now)


# Leaving


@broken(
    Connection,
    "_route",
    rule="SIO-DISC-01",
    case="sio5.disconnect.takes-effect[websocket]",
    wide="Cases about what becomes of a client that leaves make it leave in this way.",
)
def disconnect_ignored(original: Original, self: Any, packet: Packet, now: float) -> None:
    """A client that leaves a namespace stays in it."""
    if packet.type is not PacketType.DISCONNECT:
        original(self, packet, now)


@broken(
    Connection,
    "_end",
    rule="SIO-DISC-02",
    case="sio5.disconnect.not-answered[main,websocket]",
)
def disconnect_answered(
    original: Original, self: Any, socket: Any, reason: DisconnectReason, error: Any
) -> None:
    """DISCONNECT is answered by DISCONNECT."""
    original(self, socket, reason, error)
    if reason is DisconnectReason.CLIENT_NAMESPACE_DISCONNECT:
        name = socket.namespace.name
        self.send(socket.namespace.encode(Packet(PacketType.DISCONNECT, name)))


@broken(
    Connection,
    "_route",
    rule="SIO-EVT-04",
    case="sio5.disconnect.event-at-once.not-delivered[websocket]",
)
def left_only_with_the_next_read(original: Original, self: Any, packet: Packet, now: float) -> None:
    """What arrives together with a DISCONNECT is still delivered."""
    socket = self._joined.get(packet.namespace)
    left = None if socket is None else socket.data.get("left")
    if left is not None and left < now:
        original(self, Packet(PacketType.DISCONNECT, packet.namespace), now)
    elif socket is not None and packet.type is PacketType.DISCONNECT:
        socket.data["left"] = now
        return
    original(self, packet, now)


@broken(
    _packet,
    "_check_payload",
    rule="SIO-VAL-02",
    case="sio5.disconnect.payload.closes[object,websocket]",
)
def payload_of_disconnect_ignored(original: Original, packet: Packet) -> None:
    """A DISCONNECT may carry a payload."""
    if packet.type is not PacketType.DISCONNECT:
        original(packet)


@broken(
    Connection,
    "fail",
    rule="SIO-DISC-07",
    case="sio5.event.payload-missing.closes[bare,websocket]",
    wide="Every violation is answered, and every case of one looks at that.",
)
def disconnect_before_the_close(original: Original, self: Any, *args: Any) -> None:
    """A client that breaks the protocol is sent DISCONNECT before it is closed."""
    for socket in self._joined.values():
        name = socket.namespace.name
        self.send(socket.namespace.encode(Packet(PacketType.DISCONNECT, name)))
    original(self, *args)
