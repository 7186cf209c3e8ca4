"""Breaks of events and acknowledgements."""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakKeyDictionary

import trio

from sioproto import DecodeError, RemoteProtocolError, _json
from sioproto._app import _task
from sioproto._json import StrictJson
from sioproto.socketio import EventReceived, _packet, _parser
from sioproto.socketio._connection import Connection
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._namespace import Namespace
from sioproto.socketio._packet import MISSING, Packet, PacketType
from sioproto.socketio._server import SocketServer
from sioproto.socketio._socket import Socket
from sioproto.trio._wire import Wire
from sioproto_conformance.broken import Original, break_by, broken

# Events


@broken(
    Connection,
    "_route",
    rule="SIO-EVT-01",
    case="sio5.event.arguments.echoed[none,websocket]",
    wide="Every event that asks for no acknowledgement is answered twice.",
)
def event_delivered_twice(original: Original, self: Any, packet: Packet, now: float) -> None:
    """Every event is delivered twice."""
    original(self, packet, now)
    if packet.type is PacketType.EVENT and packet.id is None:
        original(self, packet, now)


@broken(
    SocketServer,
    "put",
    rule="SIO-EVT-02",
    case="sio5.event.burst.in-order[polling]",
)
def latest_event_first(original: Original, self: Any, out: Any) -> None:
    """Of events that arrive together, the latest is delivered first."""
    original(self, out)
    if isinstance(out, EventReceived):
        self._queue.rotate(1)


@broken(
    Connection,
    "_route",
    rule="SIO-EVT-13",
    case="sio5.event.error-as-name.harmless",
)
def event_named_error_closes(original: Original, self: Any, packet: Packet, now: float) -> None:
    """An event named error ends its connection."""
    if packet.type is PacketType.EVENT and packet.data[0] == "error":
        self._illegal("error", "SIO-EVT-13", now)
    else:
        original(self, packet, now)


@broken(
    _task,
    "_handle",
    rule="SIO-EVT-19",
    case="sio5.event.unknown-name.ignored[with-id,websocket]",
)
async def unheard_event_acknowledged(
    original: Original, app: Any, socket: Any, event: EventReceived, *args: Any
) -> None:
    """An event that nobody listens to is acknowledged all the same."""
    await original(app, socket, event, *args)
    if event.reply is not None and not socket._listeners.get(event.name):
        event.reply()


@broken(
    Decoder,
    "feed",
    rule="SIO-VAL-03",
    case="sio5.event.payload-not-array.closes[object,websocket]",
)
def event_without_array_ignored(original: Original, self: Any, message: Any) -> Any:
    """An event whose payload is no array is passed over."""
    return _ignoring("SIO-VAL-03", original, self, message)


def _ignoring(rule: str, original: Original, decoder: Decoder, message: Any) -> Any:
    """Take a message, and pass it over if it breaks this rule."""
    try:
        return original(decoder, message)
    except RemoteProtocolError as error:
        if error.rule != rule:
            raise
        return None


@broken(
    _packet,
    "_check_payload",
    rule="SIO-VAL-04",
    case="sio5.event.payload-missing.closes[bare,websocket]",
)
def event_without_payload_taken(original: Original, packet: Packet) -> None:
    """An event without payload is one that has no name."""
    if packet.type is PacketType.EVENT and packet.data is MISSING:
        packet.data = [""]
    original(packet)


@broken(
    _packet,
    "_check_payload",
    rule="SIO-VAL-05",
    case="sio5.event.number-as-name.accepted[integer]",
)
def number_as_name_refused(original: Original, packet: Packet) -> None:
    """An event whose name is a number closes the connection."""
    original(packet)
    if packet.type is PacketType.EVENT and not isinstance(packet.data[0], str):
        raise DecodeError("a number", rule="SIO-VAL-05")


break_by(
    _packet,
    "_RESERVED",
    frozenset(),
    name="reserved-names-delivered",
    what="A client may emit what only the server may say.",
    rule="SIO-VAL-06",
    case="sio5.event.reserved-name.closes[connect,websocket]",
)


@broken(
    _packet,
    "_check_payload",
    rule="SIO-VAL-11",
    case="sio5.event.name-of-wrong-type.closes[null,websocket]",
)
def any_name_made_text(original: Original, packet: Packet) -> None:
    """The name of an event is made text, whatever it is."""
    if packet.type is PacketType.EVENT and isinstance(packet.data, list) and packet.data:
        packet.data[0] = str(packet.data[0])
    original(packet)


# Acknowledgements


@broken(
    Socket,
    "acknowledge",
    rule="SIO-ACK-02",
    case="sio5.ack.id.same[one,websocket]",
    wide="Whoever awaits an acknowledgement awaits it by its id.",
)
def next_id_acknowledged(original: Original, self: Any, id: int, args: Any) -> None:
    """An acknowledgement has the next id."""
    original(self, id + 1, args)


@broken(
    Namespace,
    "encode",
    rule="SIO-ACK-03",
    case="sio5.ack.values.same[one,websocket]",
    wide="Most acknowledgements have one value.",
)
def one_value_without_its_array(original: Original, self: Any, packet: Packet, *args: Any) -> Any:
    """An acknowledgement of one value has no array around it."""
    if packet.type is PacketType.ACK and len(packet.data) == 1:
        packet.data = packet.data[0]
    return original(self, packet, *args)


@broken(
    Socket,
    "acknowledge",
    rule="SIO-ACK-04",
    case="sio5.ack.once[websocket]",
    wide="Every case that awaits an acknowledgement, and nothing behind it, gets another one.",
)
def acknowledged_twice(original: Original, self: Any, id: int, args: Any) -> None:
    """Every acknowledgement is sent twice."""
    original(self, id, args)
    original(self, id, args)


@broken(
    Connection,
    "_route",
    rule="SIO-ACK-05",
    case="sio5.ack.nobody-waits.ignored[unknown,websocket]",
)
def stray_acknowledgement_closes(original: Original, self: Any, packet: Packet, now: float) -> None:
    """An acknowledgement that nobody waits for closes the connection."""
    socket = self._joined.get(packet.namespace)
    if packet.type is PacketType.ACK and socket is not None and packet.id not in socket._acks:
        self._illegal("a stray acknowledgement", "SIO-ACK-05", now)
    else:
        original(self, packet, now)


@broken(
    Connection,
    "_route",
    rule="SIO-ACK-02",
    case="sio5.ack.id.same[zero,websocket]",
)
def id_zero_dropped(original: Original, self: Any, packet: Packet, now: float) -> None:
    """The id 0 counts as no id."""
    packet.id = packet.id or None
    original(self, packet, now)


@broken(
    _parser,
    "encode_packet",
    rule="SIO-PKT-06",
    case="sio5.ack.id.same[official-suite,websocket]",
)
def id_padded(original: Original, *args: Any) -> Any:
    """The id of an acknowledgement is written with a leading zero."""
    text, attachments = original(*args)
    return re.sub(r"^3(\d+\[)", r"30\1", text), attachments


@broken(
    _packet,
    "_check_payload",
    rule="SIO-VAL-10",
    case="sio5.ack.reserved-name-inside.ignored[connect]",
)
def reserved_name_inside_refused(original: Original, packet: Packet) -> None:
    """An acknowledgement whose first value is a reserved name closes the connection."""
    original(packet)
    if packet.type is PacketType.ACK and packet.data[:1] in (["connect"], ["disconnect"]):
        raise DecodeError("a reserved name", rule="SIO-VAL-10")


@broken(
    _packet,
    "_check_payload",
    rule="SIO-VAL-12",
    case="sio5.ack.payload-not-array.closes[object,websocket]",
)
def acknowledgement_of_any_type(original: Original, packet: Packet) -> None:
    """The payload of an acknowledgement may be anything."""
    if packet.type is not PacketType.ACK:
        original(packet)


@broken(
    Decoder,
    "feed",
    rule="SIO-DEC-11",
    case="sio5.ack.id.leading-zeros",
)
def leading_zeros_refused(original: Original, self: Any, message: Any) -> Any:
    """An acknowledgement id with leading zeros closes the connection."""
    if isinstance(message, str) and re.match("[23]0[0-9]", message):
        raise DecodeError("leading zeros", rule="SIO-DEC-11")
    return original(self, message)


@broken(
    Decoder,
    "feed",
    rule="SIO-DEC-13",
    case="sio5.ack.id.not-digits.closes[letters,websocket]",
)
def what_is_no_id_skipped(original: Original, self: Any, message: Any) -> Any:
    """What stands where an id could stand, and is none, is passed over."""
    try:
        return original(self, message)
    except DecodeError:
        if message[:1] != "2" or "[" not in message:
            raise
    return original(self, "2" + message[message.index("[") :])


# Packets of any type


@broken(
    Decoder,
    "feed",
    rule="SIO-DEC-01",
    case="sio5.packet.unknown-type.closes[seven,websocket]",
)
def unknown_type_ignored_by_socketio(original: Original, self: Any, message: Any) -> Any:
    """A packet of an unknown type is passed over."""
    return _ignoring("SIO-DEC-01", original, self, message) if message else original(self, message)


@broken(
    Decoder,
    "feed",
    rule="SIO-DEC-04",
    case="sio5.packet.empty.closes[joined,websocket]",
)
def empty_packet_ignored(original: Original, self: Any, message: Any) -> Any:
    """A message without a body is passed over."""
    return None if message == "" else original(self, message)


@broken(
    _json,
    "_refuse",
    rule="SIO-DEC-17",
    case="sio5.event.not-strict-json.closes[nan]",
)
def not_a_number_is_null(original: Original, name: str) -> None:
    """NaN and Infinity are taken for null."""


@broken(
    StrictJson,
    "dumps",
    rule="SIO-PKT-08",
    case="sio5.event.unicode.echoed[latin,websocket]",
    wide="Arguments, names and credentials of many cases have text beyond ASCII.",
)
def text_beyond_ascii_replaced(original: Original, self: Any, *args: Any) -> str:
    """What is sent has question marks in place of characters beyond ASCII."""
    text: str = original(self, *args)
    return text.encode("ascii", "replace").decode()


# Whoever is left alone

break_by(
    _json,
    "_SURROGATE",
    re.compile("(?!)"),
    name="crash-when-a-surrogate-is-sent",
    what="The process ends if it has to send half of a character.",
    rule="SIO-ROB-01",
    case="sio5.robustness.hostile-packet.costs-nobody-else[surrogate,websocket]",
)


@broken(
    Decoder,
    "feed",
    rule="SIO-ROB-02",
    case="sio5.robustness.hard-json.has-consequence[number-too-large,websocket]",
)
def number_too_large_ignored(original: Original, self: Any, message: Any) -> Any:
    """An event with a number that is too large is passed over."""
    if "e400" in str(message[-10:]):
        return None
    return original(self, message)


@broken(
    Wire,
    "receive",
    rule="SIO-ROB-03",
    case="sio5.robustness.long-field.costs-nobody-else[id]",
)
async def long_packet_keeps_everybody_waiting(original: Original, self: Any) -> bytes:
    """While a very long packet is read, nobody else is served."""
    data: bytes = await original(self)
    server = trio.lowlevel.current_task().parent_nursery
    assert server is not None
    if len(data) > 10_000:
        _busy[server] = trio.current_time() + 60
    await trio.sleep_until(_busy.get(server, 0))
    return data


# By the nursery of a server's connections: the next case has a server of its own.
_busy: WeakKeyDictionary[trio.Nursery, float] = WeakKeyDictionary()


break_by(
    _packet,
    "MAX_ID",
    2**31,
    name="ids-of-32-bits",
    what="An acknowledgement id beyond 32 bits is out of range.",
    rule="SIO-DEC-12",
    case="sio5.ack.id.largest-exact[websocket]",
)
