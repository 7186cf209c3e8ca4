"""WebSocket frames: reading them with wsproto, within limits, and writing them by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO

from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameProtocol, Opcode, ParseFailed

from sioproto._errors import LimitError, RemoteProtocolError
from sioproto.engineio import WsFrame

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
    """

    def __init__(
        self,
        limit: int,
        max_fragments: int,
        extensions: Sequence[Extension] = (),
        *,
        client: bool = False,
    ) -> None:
        self._frames = FrameProtocol(client=client, extensions=list(extensions))
        self._limit = limit
        self._max_fragments = max_fragments
        self._fragments = 0
        self._size = 0
        # Lists of fragments could take 50 times the size of what is in them.
        self._text = StringIO()
        self._binary = bytearray()

    def feed(self, data: bytes) -> Iterator[Received]:
        """Yield messages, and the payloads of pings and of the close frame.

        Raises:
            Violation: behind all that was well. Nothing can be fed any more.
        """
        self._frames.receive_bytes(data)
        try:
            for opcode, payload, frame_finished, message_finished in self._frames.received_frames():
                if isinstance(payload, tuple):
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
