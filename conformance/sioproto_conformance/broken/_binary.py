"""Breaks of attachments."""

from __future__ import annotations

import json
from typing import Any

from sioproto import DecodeError
from sioproto.engineio._session import Session
from sioproto.socketio import _decoder, _packet, _parser
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._packet import Packet, PacketType
from sioproto.socketio._server import SocketServer
from sioproto_conformance.broken import Original, broken

# Sent


@broken(
    _parser,
    "encode_packet",
    rule="SIO-BIN-04",
    case="sio5.binary.echoed[official-suite,websocket]",
    wide="Every case with two attachments gets one of them twice.",
)
def every_placeholder_has_number_zero(original: Original, *args: Any) -> Any:
    """All placeholders of a packet stand for the first attachment."""
    text, attachments = original(*args)
    for number in range(len(attachments)):
        text = text.replace(f'"num":{number}}}', '"num":0}')
    return text, attachments


@broken(
    _parser,
    "encode_packet",
    rule="SIO-BIN-05",
    case="sio5.binary.echoed[one,websocket]",
    wide="Every case with attachments awaits them behind an event that says how many.",
)
def attachments_not_announced(original: Original, *args: Any) -> Any:
    """A packet with attachments does not say so."""
    text, attachments = original(*args)
    kind = {"5": "2", "6": "3"}.get(text[0])
    return (text if kind is None else kind + text.partition("-")[2]), attachments


@broken(
    _parser,
    "encode_packet",
    rule="SIO-BIN-06",
    case="sio5.binary.echoed[official-suite,polling]",
    wide="Every case with two attachments gets them the wrong way round.",
)
def attachments_backwards(original: Original, *args: Any) -> Any:
    """The last attachment is sent first."""
    text, attachments = original(*args)
    return text, attachments[::-1]


@broken(
    _parser,
    "encode_packet",
    rule="SIO-BIN-21",
    case="sio5.binary.acknowledged[zero,websocket]",
)
def binary_acknowledged_by_an_event(original: Original, *args: Any) -> Any:
    """An acknowledgement with attachments has the type of an event with attachments."""
    text, attachments = original(*args)
    return ("5" + text[1:] if text[0] == "6" else text), attachments


@broken(
    _parser,
    "encode_packet",
    rule="SIO-ACK-08",
    case="sio5.binary.acknowledged[official-suite,websocket]",
)
def binary_acknowledged_without_id(original: Original, packet: Packet, codec: Any) -> Any:
    """An acknowledgement with attachments loses its id."""
    text, attachments = original(packet, codec)
    return (text.replace(f"-{packet.id}[", "-[", 1) if attachments else text), attachments


@broken(
    Session,
    "_take_buffer",
    rule="SIO-PKT-10",
    case="sio5.binary.burst.contiguous[polling]",
    wide="Cases that have bytes beside text ask for the order of both.",
)
def texts_overtake_attachments(original: Original, self: Any) -> Any:
    """Of what leaves together, texts leave first."""
    return sorted(original(self), key=lambda message: isinstance(message.packet, bytes))


# Received


@broken(
    SocketServer,
    "http_body",
    rule="SIO-PKT-03",
    case="sio5.binary.arrival.any-batch[apart]",
)
def attachments_in_the_same_post(
    original: Original, self: Any, exchange: Any, data: bytes, *, now: float
) -> None:
    """Over polling, a packet has to come in one POST with its attachments."""
    session = self.engine._exchanges.get(exchange)
    original(self, exchange, data, now=now)
    if session is not None and session.sid in self._connections:
        self._connections[session.sid]._decoder.reset()


@broken(
    Decoder,
    "feed",
    rule="SIO-PKT-04",
    case="sio5.binary.custom-namespace.accepted[websocket]",
)
def namespace_behind_a_count_refused(original: Original, self: Any, message: Any) -> Any:
    """A packet with attachments may not name its namespace."""
    if message[:1] in ("5", "6") and "-/" in message:
        raise DecodeError("a namespace", rule="SIO-PKT-04")
    return original(self, message)


@broken(
    Decoder,
    "feed",
    rule="SIO-BIN-07",
    case="sio5.binary.empty.echoed[websocket]",
)
def empty_attachment_refused(original: Original, self: Any, message: Any) -> Any:
    """An attachment without a byte closes the connection."""
    if message == b"":
        raise DecodeError("an empty attachment", rule="SIO-BIN-07")
    return original(self, message)


@broken(
    _decoder,
    "_fill_in",
    rule="SIO-BIN-08",
    case="sio5.binary.placeholder-almost.untouched[one]",
)
def almost_a_placeholder_filled_in(original: Original, value: Any, attachments: Any) -> None:
    """Whatever a language takes for true makes a placeholder."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict) and item.get("_placeholder"):
            item["_placeholder"] = True
    original(value, attachments)


@broken(
    Decoder,
    "_attachment",
    rule="SIO-BIN-09",
    case="sio5.binary.number-decides[websocket]",
)
def attachments_by_arrival(original: Original, self: Any, data: bytes) -> Any:
    """Placeholders are filled in the order in which they stand, whatever their number."""
    if self._packet is not None and not self._attachments:
        self._packet.data = _renumbered(self._packet.data)
    return original(self, data)


def _renumbered(data: Any) -> Any:
    """Number the placeholders as they stand."""
    numbers = iter(range(100))

    def renumber(value: dict[str, Any]) -> dict[str, Any]:
        return value | {"num": next(numbers)} if value.get("_placeholder") is True else value

    return json.loads(json.dumps(data), object_hook=renumber)


@broken(
    _packet,
    "_count",
    rule="SIO-BIN-10",
    case="sio5.binary.too-many.closes[eleven,websocket]",
)
def any_number_of_attachments(original: Original, digits: str, limit: int) -> Any:
    """A packet may announce a thousand attachments."""
    return original(digits, 1000)


@broken(
    _decoder,
    "_stands_for",
    rule="SIO-BIN-11",
    case="sio5.binary.attachment.used-freely[repeated,websocket]",
)
def attachment_used_once_only(original: Original, value: Any, attachments: Any) -> Any:
    """An attachment that is used twice closes the connection."""
    filled = original(value, attachments)
    if filled is None:
        raise DecodeError("an attachment used twice", rule="SIO-BIN-11")
    attachments[value["num"]] = None
    return filled


@broken(
    _decoder,
    "_stands_for",
    rule="SIO-BIN-13",
    case="sio5.binary.placeholder-number.closes[past-end,websocket]",
)
def unknown_attachment_is_null(original: Original, value: Any, attachments: Any) -> Any:
    """A placeholder for an attachment that is not there is filled with null."""
    try:
        return original(value, attachments)
    except DecodeError:
        return None


@broken(
    Decoder,
    "feed",
    rule="SIO-BIN-15",
    case="sio5.binary.text-between.closes[event,websocket]",
)
def text_between_taken(original: Original, self: Any, message: Any) -> Any:
    """A text while attachments are missing is taken, and the packet begun forgotten."""
    if isinstance(message, str):
        self.reset()
    return original(self, message)


@broken(
    Decoder,
    "feed",
    rule="SIO-BIN-16",
    case="sio5.binary.unannounced.closes[some,websocket]",
)
def unannounced_attachment_ignored(original: Original, self: Any, message: Any) -> Any:
    """A binary message that no packet announced is passed over."""
    if isinstance(message, bytes) and self._packet is None:
        return None
    return original(self, message)


@broken(
    Decoder,
    "feed",
    rule="SIO-VAL-09",
    case="sio5.binary.payload-judged-first.closes[object,websocket]",
)
def payload_judged_with_the_attachments(original: Original, self: Any, message: Any) -> Any:
    """A packet with attachments is not judged before they are there."""
    try:
        return original(self, message)
    except DecodeError as error:
        if message[:1] not in ("5", "6") or not str(error.rule).startswith("SIO-VAL"):
            raise
    self._packet, self.missing = Packet(PacketType.ACK, data=[]), 1
    return None


@broken(
    Decoder,
    "feed",
    rule="SIO-DEC-05",
    case="sio5.binary.count-malformed.closes[no-dash,websocket]",
)
def malformed_count_ignored(original: Original, self: Any, message: Any) -> Any:
    """A packet whose attachment count is malformed is passed over."""
    try:
        return original(self, message)
    except DecodeError as error:
        if error.rule != "SIO-DEC-05":
            raise
        return None
