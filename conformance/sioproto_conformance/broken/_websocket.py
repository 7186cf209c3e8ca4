"""Breaks of the WebSocket transport."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from wsproto.frame_protocol import CloseReason, ParseFailed

from sioproto import DecodeError
from sioproto._app._websocket import WebSocketToken
from sioproto.engineio._dialect import REVISION_4
from sioproto.engineio._message import WsFrame
from sioproto.engineio._packet import decode_packet
from sioproto.engineio._request import Request
from sioproto.engineio._session import Session
from sioproto.trio import _websocket
from sioproto.trio._deflate import Inflater
from sioproto.trio._frames import FrameReader, Violation
from sioproto.trio._http import HttpConnection
from sioproto.trio._websocket import WebSocket
from sioproto.trio._wire import Lost
from sioproto_conformance.broken import Original, break_by, broken

# The handshake

break_by(
    Request,
    "wants_websocket",
    property(lambda self: self.header("connection") == "Upgrade" and self.header("upgrade")),
    name="connection-not-read-as-a-list",
    what="A request for a WebSocket is told by the whole header, not by one of its tokens.",
    rule="EIO-WS-12",
    case="eio4.http.websocket-headers.read-as-http[connection-as-list]",
)


@broken(
    HttpConnection,
    "_upgrade",
    rule="EIO-SEC-03",
    case="eio4.robustness.reset-while-refused.harms-nobody[unknown-session]",
)
async def crash_when_a_refusal_finds_nobody(original: Original, self: Any, *args: Any) -> None:
    """The process ends if a client has gone before its WebSocket is refused."""
    try:
        await original(self, *args)
    except Lost:
        raise RuntimeError("the client has gone") from None


@broken(
    WebSocket,
    "_read",
    rule="EIO-SEC-02",
    case="eio4.robustness.illegal-frame-behind-request.harms-nobody[new-session,no-frame]",
)
async def crash_when_an_illegal_frame_is_early(original: Original, self: Any, data: bytes) -> None:
    """The process ends if a frame right behind the request for a WebSocket is illegal."""
    await original(self, data)
    if self._broken and data:
        raise RuntimeError("no frame")


@broken(
    WebSocket,
    "run",
    rule="EIO-HS-12b",
    case="eio4.upgrade.frames-behind-request.read",
)
async def early_frames_lost(original: Original, self: Any, opening: bytes, received: bytes) -> None:
    """What comes right behind the request for a WebSocket is thrown away."""
    await original(self, opening, b"")


# Messages


@broken(
    REVISION_4,
    "frames",
    rule="EIO-WS-01",
    case="eio4.websocket.many-frames-at-once.echoed",
    wide="Whatever the server says in one go, two answers or more, is one message.",
)
def batch_sent_as_payload(original: Original, messages: Any, base64: bool) -> Any:
    """Texts that leave together are one WebSocket message, joined like a payload."""
    payloads = [frame.payload for frame in original(messages, base64)]
    if len(payloads) < 2 or not all(isinstance(payload, str) for payload in payloads):
        return [WsFrame(payload) for payload in payloads]
    return [WsFrame("\x1e".join(payloads))]


@broken(
    FrameReader,
    "_take",
    rule="EIO-WS-01b",
    case="eio4.websocket.fragments.put-together[two]",
)
def last_of_the_fragments_cut(original: Original, self: Any, opcode: Any) -> Any:
    """A message in fragments loses its end."""
    fragments = self._fragments
    message = original(self, opcode)
    return message[:-1] if fragments > 1 else message


@broken(
    Session,
    "ws_frame",
    rule="EIO-WS-02",
    case="eio4.message.empty-binary.echoed[websocket]",
)
def empty_binary_frame_ignored(
    original: Original, self: Any, ws: Any, frame: str | bytes, now: float
) -> None:
    """A binary frame without a byte is passed over."""
    if frame != b"":
        original(self, ws, frame, now)


@broken(
    Session,
    "ws_frame",
    rule="EIO-WS-04",
    case="eio4.websocket.invalid-packet.closes-session",
)
def undecodable_frame_ignored(
    original: Original, self: Any, ws: Any, frame: str | bytes, now: float
) -> None:
    """A WebSocket message that is no packet is passed over."""
    try:
        decode_packet(frame)
    except DecodeError:
        return
    original(self, ws, frame, now)


@broken(
    _websocket,
    "pong_frame",
    rule="EIO-WS-09",
    case="eio4.websocket.ping-frame.answered[text]",
)
def pong_frame_without_the_data(original: Original, payload: bytes) -> Any:
    """A ping frame is answered by an empty pong frame."""
    return original(b"")


@broken(
    FrameReader,
    "_collect",
    rule="EIO-SEC-12",
    case="eio4.robustness.tiny-fragments.bounded",
)
def fragments_beyond_the_limit_lost(
    original: Original, self: Any, piece: Any, finished: bool
) -> None:
    """Of a message in very many fragments, the last ones are thrown away."""
    if self._fragments < self._max_fragments:
        original(self, piece, finished)


# The end


@broken(
    WebSocketToken,
    "_begin_closing",
    rule="EIO-WS-07b",
    case="eio4.websocket.close-frame.answered[normal]",
)
def close_frame_not_answered(original: Original, self: Any, code: Any) -> None:
    """A client that closes its WebSocket is hung up on."""
    if self._retired and not self._broken:
        self._end()
    original(self, code)


def _bears(original: Original, self: Any, data: bytes, code: CloseReason) -> Iterator[Any]:
    """Read on behind a violation that would end the WebSocket with this code."""
    try:
        yield from original(self, data)
    except Violation as violation:
        if violation.code != code:
            raise


@broken(
    FrameReader,
    "feed",
    rule="EIO-WS-08",
    case="eio4.websocket.illegal-frame.closes-session[unmasked]",
)
def illegal_frame_ignored(original: Original, self: Any, data: bytes) -> Iterator[Any]:
    """A frame that WebSocket does not allow is passed over."""
    return _bears(original, self, data, CloseReason.PROTOCOL_ERROR)


@broken(
    FrameReader,
    "feed",
    rule="EIO-WS-08c",
    case="eio4.websocket.text-not-utf8.closes-session[stray-byte]",
)
def text_that_is_not_utf8_ignored(original: Original, self: Any, data: bytes) -> Iterator[Any]:
    """A text message that is not UTF-8 is passed over."""
    return _bears(original, self, data, CloseReason.INVALID_FRAME_PAYLOAD_DATA)


@broken(
    FrameReader,
    "_check_size",
    rule="EIO-WS-08d",
    case="eio4.limits.frame-over-limit.closes-session[text]",
)
def message_of_any_size_taken(original: Original, self: Any, piece: Any) -> None:
    """A WebSocket message over maxPayload is delivered."""
    with suppress(Violation):
        original(self, piece)


# Compression


@broken(
    Inflater,
    "_inflate",
    rule="EIO-SEC-12b",
    case="eio4.compression.bomb.closes-session",
    deflate=True,
)
def bomb_cut_off_at_the_limit(original: Original, self: Any, data: bytes) -> Any:
    """What a compressed message has beyond the limit is thrown away, and the rest delivered."""
    try:
        return b"" if self._size < 0 else original(self, data)
    except Violation:
        self._size = -1
        self._context = zlib.decompressobj(-self._bits)
        return b"too large"


@broken(
    Inflater,
    "_inflate",
    rule="EIO-HC-05c",
    case="eio4.compression.garbage.closes-session",
    deflate=True,
)
def compressed_garbage_ignored(original: Original, self: Any, data: bytes) -> Any:
    """A compressed message that cannot be inflated is taken for an empty one."""
    try:
        return b"" if self._size < 0 else original(self, data)
    except ParseFailed:
        self._size = -1
        self._context = zlib.decompressobj(-self._bits)
        return b""


@broken(
    Inflater,
    "frame_inbound_complete",
    rule="EIO-HC-05b",
    case="eio4.compression.websocket-message.echoed[small,whole]",
    deflate=True,
)
def takeover_forgotten(original: Original, self: Any, proto: Any, fin: bool) -> Any:
    """What a message may refer to is forgotten once a message has been read."""
    rest = original(self, proto, fin)
    if fin:
        self._context = None
    return rest
