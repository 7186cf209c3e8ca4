"""WebSocket frames: reading them with wsproto, within limits, and writing them by hand.

Nearly all traffic is whole messages in one short frame each. Those are read by hand, which takes a
tenth of the time; every other frame goes to wsproto, which stays the authority.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO

from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameProtocol, Opcode, ParseFailed

from sioproto._errors import LimitError, RemoteProtocolError
from sioproto.engineio import WsFrame

TEXT, BINARY, CLOSE = Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE
"""For what every message passes: before Python 3.12, looking them up takes eight times as long."""

Received = tuple[Opcode, str | bytes]


class Violation(Exception):
    """The peer broke the rules of WebSocket or passed a limit.

    Args:
        error: what it did.
        code: with which the WebSocket is closed.
    """

    def __init__(self, error: RemoteProtocolError, code: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.code = code


def too_big(limit: int) -> Violation:
    """A message of more than ``limit`` bytes."""
    error = LimitError(
        f"a message of more than {limit} bytes", rule="EIO-WS-08", limit="max_payload"
    )
    return Violation(error, CloseReason.MESSAGE_TOO_BIG)


class FrameReader:
    """Turns the bytes of one WebSocket into whole messages.

    Args:
        limit: most bytes in a message.
        max_fragments: most frames that a message may come in.
        extensions: those that were agreed on.
        client: whether it is a client that reads.
        fast: whether simple frames may be read by hand.
    """

    def __init__(
        self,
        limit: int,
        max_fragments: int,
        extensions: Sequence[Extension] = (),
        *,
        client: bool = False,
        fast: bool = True,
    ) -> None:
        self._fast = fast
        self._mask_bit = 0 if client else 0x80
        self._data = b""
        self._head = b""  # of a frame that wsproto reads, as far as it has come
        self._owed = 0  # bytes of its payload that have yet to come
        self._in_pieces = False  # a fragmented message has begun
        self._closed = False
        self._client = client
        self._extensions = extensions
        self._frames: FrameProtocol | None = None  # until there is something for it
        self._limit = limit
        self._max_fragments = max_fragments
        self._fragments = 0
        self._size = 0
        # Lists of fragments could take 50 times the size of what is in them.
        self._text = StringIO()
        self._binary = bytearray()

    def feed(self, data: bytes) -> Iterator[Received]:
        """Yield messages, and the payloads of pings and of the close frame.

        Iteration may be broken off: the next call goes on there.

        Raises:
            Violation: behind all that was well. Nothing can be fed any more.
        """
        if self._data:
            data = self._data + data
        position, size = 0, len(data)
        try:
            while position < size and not self._closed:  # wsproto looks at nothing behind it, too
                if self._owed:
                    piece = data[position : position + self._owed]
                    self._owed -= len(piece)
                else:
                    if self._fast and not self._in_pieces and not self._head:
                        simple = read_simple(data, position, self._mask_bit, self._limit)
                        if simple is not None:
                            opcode, payload, position = simple
                            self._closed = opcode is CLOSE
                            yield opcode, payload
                            continue
                    piece = self._read_head(data, position)
                position += len(piece)
                yield from self._feed_wsproto(piece)
        finally:
            self._data = data[position:]  # whoever has had enough for now comes back for it

    def _read_head(self, data: bytes, position: int) -> bytes:
        """What of the head of a frame is there: wsproto gets it, and its end has to be known."""
        piece = data[position : position + _head_size(self._head) - len(self._head)]
        head = self._head + piece
        if len(head) < _head_size(head):
            self._head = head
            return piece
        self._head = b""
        self._owed = _payload_size(head)
        opcode, final = head[0] & 0x0F, bool(head[0] & 0x80)
        if opcode < Opcode.CLOSE:
            self._in_pieces = not final
        return piece

    def _feed_wsproto(self, data: bytes) -> Iterator[Received]:
        frames = self._frames
        if frames is None:
            extensions = list(self._extensions)
            frames = self._frames = FrameProtocol(client=self._client, extensions=extensions)
        frames.receive_bytes(data)
        try:
            for opcode, payload, frame_finished, message_finished in frames.received_frames():
                if isinstance(payload, tuple):
                    self._closed = True
                    code = payload[0]
                    no_code = code == CloseReason.NO_STATUS_RCVD
                    yield opcode, b"" if no_code else code.to_bytes(2, "big")
                elif opcode is Opcode.PING:
                    yield opcode, payload
                elif opcode is Opcode.PONG:
                    pass
                elif message_finished and not self._fragments and not self._size:
                    self._check_size(payload)
                    self._size = 0
                    yield opcode, payload
                else:
                    self._collect(payload, frame_finished)
                    if message_finished:
                        yield opcode, self._take(opcode)
        except ParseFailed as failure:
            error = RemoteProtocolError(f"WebSocket: {failure}", rule="EIO-WS-08")
            raise Violation(error, failure.code) from None

    def _check_size(self, piece: str | bytes) -> None:
        if isinstance(piece, bytes) or piece.isascii():
            self._size += len(piece)
        else:
            self._size += len(piece.encode())
        if self._size > self._limit:
            raise too_big(self._limit)

    def _collect(self, piece: str | bytes, frame_finished: bool) -> None:
        self._check_size(piece)
        if isinstance(piece, str):
            self._text.write(piece)
        else:
            self._binary += piece
        self._fragments += frame_finished
        if self._fragments > self._max_fragments:
            error = LimitError(
                f"a message in more than {self._max_fragments} fragments",
                rule="EIO-SEC-12",
                limit="max_fragments",
            )
            raise Violation(error, CloseReason.POLICY_VIOLATION)

    def _take(self, opcode: Opcode) -> str | bytes:
        self._fragments = 0
        self._size = 0
        if opcode is Opcode.TEXT:
            text, self._text = self._text.getvalue(), StringIO()
            return text
        binary, self._binary = bytes(self._binary), bytearray()
        return binary


_USUAL_ENDS = (b"", b"\x03\xe8", b"\x03\xe9")
"""Payloads of most close frames: none, or the codes 1000 and 1001."""


def read_simple(
    data: bytes, start: int, mask_bit: int, limit: int
) -> tuple[Opcode, str | bytes, int] | None:
    """Read a whole message that is one frame of less than 64 KiB, and all there, or a close frame.

    Returns its opcode, its payload and where it ends; None if there is anything unusual about it.
    """
    head = data[start : start + 4]
    if len(head) < 4 or head[0] not in (0x81, 0x82, 0x88):
        return None
    size = head[1] ^ mask_bit  # the mask bit has to be as it must, or this is more than 127
    position = start + 2
    if size == 126:
        size = head[2] << 8 | head[3]
        if size < 126:
            return None
        position += 2
    elif size > 126:
        return None
    if mask_bit:
        position += 4
    end = position + size
    if end > len(data) or size > limit:
        return None
    payload = data[position:end]
    if mask_bit:
        # As one large number: for 100 bytes three times as fast as by translation tables.
        mask = data[position - 4 : position] * (size // 4 + 1)
        masked = int.from_bytes(payload, "little") ^ int.from_bytes(mask[:size], "little")
        payload = masked.to_bytes(size, "little")
    if head[0] == 0x82:
        return BINARY, payload, end
    if head[0] == 0x88:
        return (CLOSE, payload, end) if payload in _USUAL_ENDS else None
    try:
        return TEXT, payload.decode(), end
    except UnicodeDecodeError:
        return None


def _head_size(head: bytes) -> int:
    """How long the head of a frame is that begins like this, or how long it is at least."""
    if len(head) < 2:
        return 2
    return 2 + {126: 2, 127: 8}.get(head[1] & 0x7F, 0) + (4 if head[1] & 0x80 else 0)


def _payload_size(head: bytes) -> int:
    size = head[1] & 0x7F
    if size < 126:
        return size
    return int.from_bytes(head[2:4] if size == 126 else head[2:10], "big")


def frame_bytes(frame: WsFrame) -> bytes:
    """The bytes of a message in one frame, built once for all who receive it."""
    cache: dict[int, bytes] | None = frame.cache
    if cache is None:
        payload = frame.payload
        if isinstance(payload, str):
            data = build_frame(0x81, payload.encode())
        else:
            data = build_frame(0x82, payload)
        frame.cache = cache = {PLAIN: data}
    return cache[PLAIN]


PLAIN = 0
"""Under which the uncompressed form is cached. The others are under their window bits."""


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping."""
    return build_frame(0x8A, payload)


def close_frame(payload: bytes) -> bytes:
    """A close frame; the payload is empty or a code in two bytes."""
    return build_frame(0x88, payload)


def build_frame(first_byte: int, payload: bytes) -> bytes:
    """The bytes of a frame."""
    # A server's frames are not masked, so that a header is all it takes.
    size = len(payload)
    if size < 126:
        return bytes((first_byte, size)) + payload
    if size < 65_536:
        return bytes((first_byte, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first_byte, 127)) + size.to_bytes(8, "big") + payload
