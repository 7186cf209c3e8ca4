"""permessage-deflate (RFC 7692): what is agreed on, and messages in both directions.

wsproto has this extension too, but inflates without any limit: a message that is small on the wire
could take a thousand times its size before anybody looked. So the agreement, the outbound side, and
the inbound side as an extension of wsproto are our own.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wsproto.extensions import Extension
from wsproto.frame_protocol import (
    CloseReason,
    FrameDecoder,
    FrameProtocol,
    Opcode,
    ParseFailed,
    RsvBits,
)

from sioproto._config import check_config, is_count
from sioproto.engineio import WsFrame
from sioproto.trio._frames import build_frame, frame_bytes, too_big

NAME = "permessage-deflate"

_LARGEST_WINDOW = 15
_SMALLEST_WINDOW = 9  # RFC 7692 has 8 as well, which zlib cannot write
_BITS: Mapping[str | None, int] = {str(bits): bits for bits in range(8, _LARGEST_WINDOW + 1)}
_PARAMETERS = {
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
}

_COMPRESSED = 0x40
"""The reserved bit that marks the first frame of a compressed message."""
_TAIL = b"\x00\x00\xff\xff"
"""Ends every compressed message, and is not sent."""
_FINAL_BLOCK = b"\x03\x00"
"""Ends a DEFLATE stream that is between two blocks, and no other."""
_MAX_STREAMS = 16
"""More DEFLATE streams that end within one message are a waste of everybody's time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeflateConfig:
    """How WebSocket messages are compressed. The defaults are the reference's.

    A secret in a message that somebody else can add to, and whose length he sees, can be guessed
    bit by bit. Send such messages with ``compress`` off.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    threshold: int = 1024
    """Bytes: messages smaller than this are sent as they are."""
    level: int = 6
    """From 1, the fastest, to 9, the smallest."""
    memory_level: int = 8
    """From 1, the least memory for a compressor, to 9, the fastest."""
    server_max_window_bits: int = 15
    """From 9 to 15: how far back what is sent may refer, as a power of two."""
    client_max_window_bits: int = 15
    """From 9 to 15: how far back what is received may refer. Less than 15 declines clients that
    cannot be told."""
    server_no_context_takeover: bool = False
    """Whether each message that is sent is compressed on its own: larger, but once for all who
    receive it, and without a compressor for each connection, which takes about 260 kB."""
    client_no_context_takeover: bool = False
    """Whether each message that is received was compressed on its own. Saves the window of each
    connection, 32 kB."""

    def __post_init__(self) -> None:
        rules: dict[str, tuple[bool, str]] = {
            "threshold": (is_count(self.threshold, 0), "a number of bytes"),
            "level": (is_count(self.level) and self.level <= 9, "from 1 to 9"),
            "memory_level": (is_count(self.memory_level) and self.memory_level <= 9, "from 1 to 9"),
        }
        for field in ("server_max_window_bits", "client_max_window_bits"):
            bits = getattr(self, field)
            fits = is_count(bits, _SMALLEST_WINDOW) and bits <= _LARGEST_WINDOW
            rules[field] = (fits, f"from {_SMALLEST_WINDOW} to {_LARGEST_WINDOW}")
        for field in ("server_no_context_takeover", "client_no_context_takeover"):
            rules[field] = (isinstance(getattr(self, field), bool), "True or False")
        check_config(self, **rules)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides keep to."""

    config: DeflateConfig
    answer: str
    """The value of ``Sec-WebSocket-Extensions`` in the answer."""
    server_bits: int
    client_bits: int
    server_takeover: bool
    client_takeover: bool


def agree(config: DeflateConfig, headers: Iterable[tuple[str, str]]) -> Agreement | None:
    """Accept the first offer of a client that can be kept to; None if there is none.

    Names of headers are in lower case.
    """
    for name, value in headers:
        if name == "sec-websocket-extensions":
            for offer in value.split(","):
                extension, *parameters = (part.strip() for part in offer.split(";"))
                if extension == NAME and (agreement := _accept(config, parameters)) is not None:
                    return agreement
    return None


def _accept(config: DeflateConfig, parameters: list[str]) -> Agreement | None:
    """Accept one offer, unless it is malformed or asks for what cannot be done."""
    offered: dict[str, str | None] = {}
    for parameter in parameters:
        name, equals, value = (part.strip() for part in parameter.partition("="))
        if name not in _PARAMETERS or name in offered:
            return None
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        offered[name] = value if equals else None
    answer = [NAME]
    takeover: list[bool] = []
    for name in ("server_no_context_takeover", "client_no_context_takeover"):
        if offered.get(name) is not None:
            return None  # it has no value
        without = name in offered or getattr(config, name)
        takeover.append(not without)
        if without:
            answer.append(name)

    server_bits = config.server_max_window_bits
    if "server_max_window_bits" in offered:
        server_bits = min(server_bits, _BITS.get(offered["server_max_window_bits"], 0))
        if server_bits < _SMALLEST_WINDOW:
            return None
    if "server_max_window_bits" in offered or server_bits < _LARGEST_WINDOW:
        answer.append(f"server_max_window_bits={server_bits}")

    client_bits = _LARGEST_WINDOW
    if "client_max_window_bits" in offered:
        wanted = offered["client_max_window_bits"]
        if wanted is not None and wanted not in _BITS:
            return None
        client_bits = _BITS.get(wanted, _LARGEST_WINDOW)
    if config.client_max_window_bits < client_bits:
        if "client_max_window_bits" not in offered:
            return None  # the client does not know how to keep to less
        client_bits = config.client_max_window_bits
        answer.append(f"client_max_window_bits={client_bits}")
    return Agreement(config, "; ".join(answer), server_bits, client_bits, *takeover)


class Deflater:
    """The outbound side of one WebSocket."""

    def __init__(self, agreement: Agreement) -> None:
        self._config = agreement.config
        self._bits = agreement.server_bits
        self._takeover = agreement.server_takeover
        self._context: zlib._Compress | None = None

    def frame_bytes(self, frame: WsFrame) -> bytes:
        """The bytes of a message in one frame, compressed if that is allowed and worth it."""
        plain = frame_bytes(frame)
        if not frame.compress or len(plain) < self._config.threshold:
            return plain
        payload = memoryview(plain)[{126: 4, 127: 10}.get(plain[1], 2) :]
        if len(payload) < self._config.threshold:
            return plain
        if self._takeover:
            if self._context is None:
                self._context = self._compressor()
            return self._compress(self._context, plain, payload)
        # Compressed on its own, it is the same for everybody with the same window.
        data: bytes | None = frame.cache.get(self._bits)
        if data is None:
            data = self._compress(self._compressor(), plain, payload)
            if len(data) >= len(plain):
                data = plain
            frame.cache[self._bits] = data
        return data

    def _compressor(self) -> zlib._Compress:
        config = self._config
        return zlib.compressobj(config.level, zlib.DEFLATED, -self._bits, config.memory_level)

    def _compress(self, context: zlib._Compress, plain: bytes, payload: memoryview) -> bytes:
        data = context.compress(payload) + context.flush(zlib.Z_SYNC_FLUSH)
        return build_frame(plain[0] | _COMPRESSED, data[: -len(_TAIL)])


class Inflater(Extension):
    """The inbound side of one WebSocket.

    Args:
        agreement: what the client keeps to.
        limit: most bytes in a message, inflated. Never is more than that inflated at once.
    """

    name = NAME

    def __init__(self, agreement: Agreement, limit: int) -> None:
        self._bits = max(agreement.client_bits, _SMALLEST_WINDOW)
        self._takeover = agreement.client_takeover
        self._limit = limit
        self._context: zlib._Decompress | None = None
        self._in_control_frame = False
        self._in_message = False
        self._compressed = False
        self._size = 0
        self._streams = 0

    def enabled(self) -> bool:
        """It is there because both sides agreed."""
        return True

    def offer(self) -> bool | str:
        """Only a client makes offers."""
        return False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        """A frame begins; asked again if its header has come in part only.

        The first of a message may be marked as compressed, and no other frame may.
        """
        self._in_control_frame = opcode.iscontrol()
        begins = not self._in_control_frame and opcode is not Opcode.CONTINUATION
        if begins:
            if self._in_message:
                return CloseReason.PROTOCOL_ERROR
            self._compressed = rsv.rsv1
        return RsvBits(begins, False, False)

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        """A part of the payload of a frame."""
        if self._in_control_frame or not self._compressed:
            return data
        return self._inflate(data)

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        """A frame ends, and with it perhaps a message."""
        if self._in_control_frame:
            return None
        self._in_message = not fin
        if not fin or not self._compressed:
            return None
        # If anything comes of the tail, it was taken for a part of a block.
        if self._inflate(_TAIL) or not self._is_complete():
            raise _broken("a compressed message is cut off")
        if not self._takeover:
            self._context = None
        self._compressed = False
        self._size = self._streams = 0
        return None

    def _inflate(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        while True:
            if self._context is None:
                self._context = zlib.decompressobj(-self._bits)
            try:
                # One byte more than may be shows that there is more.
                part = self._context.decompress(data, self._limit - self._size + 1)
            except zlib.error:
                raise _broken("a compressed message is no DEFLATE data") from None
            self._size += len(part)
            if self._size > self._limit:
                raise too_big(self._limit)
            parts.append(part)
            if not self._context.eof:
                return b"".join(parts)
            data = self._context.unused_data
            self._context = None
            self._streams += 1
            if self._streams > _MAX_STREAMS:
                raise _broken("a compressed message in too many DEFLATE streams")
            if not data:
                return b"".join(parts)

    def _is_complete(self) -> bool:
        """Whether the data so far ends where a block does. zlib does not say: it is tried."""
        if self._context is None:
            return False
        trial = self._context.copy() if self._takeover else self._context
        try:
            trial.decompress(_FINAL_BLOCK)
        except zlib.error:
            return False
        return trial.eof


def _broken(message: str) -> ParseFailed:
    return ParseFailed(message, CloseReason.INVALID_FRAME_PAYLOAD_DATA)
