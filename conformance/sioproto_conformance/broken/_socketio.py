"""Breaks of Socket.IO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sioproto import RemoteProtocolError
from sioproto.socketio import _decoder, _packet
from sioproto.socketio._connection import Connection
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._namespace import Namespace
from sioproto.socketio._packet import Packet, PacketType
from sioproto.socketio._socket import Socket
from sioproto_conformance.broken import broken, replace


@broken(
    "undecodable-packet-ignored",
    rule="SIO-VAL-03",
    case="sio5.event.payload-not-array.closes",
)
def undecodable_packet_ignored() -> None:
    """A message that is no Socket.IO packet is skipped."""

    def feed(original: Callable[..., Any], self: Any, message: Any) -> Any:
        try:
            return original(message)
        except RemoteProtocolError:
            return None

    replace(Decoder, "feed", feed)


@broken(
    "acknowledgement-id-zero-dropped",
    rule="SIO-PKT-06",
    case="sio5.ack.id.same",
)
def acknowledgement_id_zero_dropped() -> None:
    """The id 0 counts as no id."""

    def route(original: Callable[..., None], self: Any, packet: Packet, now: float) -> None:
        packet.id = packet.id or None
        original(packet, now)

    replace(Connection, "_route", route)


@broken(
    "acknowledged-twice",
    rule="SIO-ACK-04",
    case="sio5.ack.once",
)
def acknowledged_twice() -> None:
    """Every acknowledgement is sent twice."""

    def acknowledge(original: Callable[..., None], self: Socket, id: int, args: Any) -> None:
        original(id, args)
        original(id, args)

    replace(Socket, "acknowledge", acknowledge)


@broken(
    "attachments-by-arrival",
    rule="SIO-BIN-09",
    case="sio5.binary.number-decides",
)
def attachments_by_arrival() -> None:
    """Placeholders are filled in the order in which they stand, whatever their number."""

    def fill_in(value: Any, attachments: list[bytes]) -> Any:
        if isinstance(value, list):
            return [fill_in(item, attachments) for item in value]
        if isinstance(value, dict):
            if value.get("_placeholder") is True:
                return attachments.pop(0)
            return {key: fill_in(item, attachments) for key, item in value.items()}
        return value

    setattr(_decoder, "_fill_in", fill_in)  # noqa: B010  # a patch, not an assignment


@broken(
    "disconnect-ignored",
    rule="SIO-DISC-01",
    case="sio5.disconnect.takes-effect",
)
def disconnect_ignored() -> None:
    """A client that leaves a namespace stays in it."""

    def route(original: Callable[..., None], self: Any, packet: Packet, now: float) -> None:
        if packet.type is not PacketType.DISCONNECT:
            original(packet, now)

    replace(Connection, "_route", route)


@broken(
    "event-delivered-twice",
    rule="SIO-EVT-01",
    case="sio5.event.arguments.echoed",
)
def event_delivered_twice() -> None:
    """Every event is delivered twice."""

    def route(original: Callable[..., None], self: Any, packet: Packet, now: float) -> None:
        original(packet, now)
        if packet.type is PacketType.EVENT and packet.id is None:
            original(packet, now)

    replace(Connection, "_route", route)


@broken(
    "namespace-forgotten",
    rule="SIO-PKT-05",
    case="sio5.connect.namespace.answered",
)
def namespace_forgotten() -> None:
    """Whatever is sent is sent for the main namespace."""

    def encode(original: Callable[..., Any], self: Namespace, packet: Packet, *args: Any) -> Any:
        packet.namespace = "/"
        return original(packet, *args)

    replace(Namespace, "encode", encode)


@broken(
    "reserved-names-delivered",
    rule="SIO-VAL-06",
    case="sio5.event.reserved-name.closes",
)
def reserved_names_delivered() -> None:
    """A client may emit what only the server may say."""
    setattr(_packet, "RESERVED_EVENTS", ())  # noqa: B010  # a patch, not an assignment
