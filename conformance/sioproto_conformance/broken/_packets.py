"""Breaks of the packets of Engine.IO."""

from __future__ import annotations

from typing import Any

from sioproto import DecodeError
from sioproto.engineio import _packet
from sioproto.engineio._dialect import REVISION_4
from sioproto.engineio._packet import Packet, PacketType
from sioproto.engineio._session import Session
from sioproto_conformance.broken import Original, broken


@broken(
    Session,
    "_receive",
    rule="EIO-PKT-01",
    case="eio4.message.two-sessions.kept-apart",
    wide="Most cases send a text and look at what comes back.",
)
def type_counts_as_data(
    original: Original, self: Any, kind: PacketType, data: str | bytes, now: float
) -> None:
    """The type of a message is handed on with its data."""
    if kind is PacketType.MESSAGE and isinstance(data, str):
        data = "4" + data
    original(self, kind, data, now)


@broken(
    Session,
    "_receive",
    rule="EIO-PKT-02",
    case="eio4.message.empty-text.echoed[polling]",
    wide="Every packet without data is passed over, pings and close packets of clients among them.",
)
def empty_message_ignored(
    original: Original, self: Any, kind: PacketType, data: str | bytes, now: float
) -> None:
    """A message without data is passed over."""
    original(self, PacketType.NOOP if data == "" else kind, data, now)


@broken(
    _packet,
    "_decode_text",
    rule="EIO-PKT-03",
    case="eio4.packet.invalid.closes-session[websocket,digit-7]",
    wide="Cases about what becomes of a session that breaks the protocol break it in this way.",
)
def unknown_type_ignored(original: Original, text: str) -> Packet:
    """A packet of an unknown type is passed over."""
    try:
        packet: Packet = original(text)
    except DecodeError:
        if not text:
            raise
        return Packet(PacketType.NOOP)
    return packet


@broken(
    REVISION_4,
    "frames",
    rule="EIO-PKT-04",
    case="eio4.message.binary.echoed[websocket,four-bytes]",
    wide="Every attachment is a binary message.",
)
def binary_sent_as_text(original: Original, messages: Any, base64: bool) -> Any:
    """Over WebSocket too, binary messages are sent as base64."""
    return original(messages, True)


@broken(
    _packet,
    "_decode_base64",
    rule="EIO-PKT-06",
    case="eio4.message.empty-binary.echoed[polling]",
    wide="The bytes that cases send by polling include none at all.",
)
def empty_base64_refused(original: Original, text: str) -> Any:
    """A binary message without a byte is taken for broken base64."""
    if not text:
        raise DecodeError("no base64", rule="EIO-PKT-06")
    return original(text)


@broken(
    _packet,
    "_decode_base64",
    rule="EIO-PKT-09",
    case="eio4.message.loose-base64.read[no-padding]",
)
def padding_required(original: Original, text: str) -> Any:
    """Base64 without its padding is refused."""
    if len(text) % 4:
        raise DecodeError("base64 without padding", rule="EIO-PKT-09")
    return original(text)


@broken(
    Session,
    "ws_frame",
    rule="EIO-PKT-12",
    case="eio4.message.record-separator.kept",
)
def frame_read_as_payload(
    original: Original, self: Any, ws: Any, frame: str | bytes, now: float
) -> None:
    """A WebSocket message is split at U+001E."""
    for part in [frame] if isinstance(frame, bytes) else frame.split("\x1e"):
        original(self, ws, part, now)


@broken(
    Session,
    "_receive",
    rule="EIO-PKT-13",
    case="eio4.packet.without-effect.ignored[websocket,noop]",
)
def noop_answered(original: Original, self: Any, kind: PacketType, *args: Any) -> None:
    """A noop from the client is echoed like a message."""
    original(self, PacketType.MESSAGE if kind is PacketType.NOOP else kind, *args)


@broken(
    Session,
    "_misuse",
    rule="EIO-PKT-14",
    case="eio4.packet.ping-from-client.closes-session[websocket,bare]",
)
def ping_from_client_ignored(original: Original, self: Any, what: str, rule: str) -> None:
    """A ping from the client is passed over."""
    if rule != "EIO-PKT-14":
        original(self, what, rule)
