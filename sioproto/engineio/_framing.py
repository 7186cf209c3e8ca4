"""How packets travel in a WebTransport stream: each behind its length, whatever the stream cuts."""

from __future__ import annotations

from sioproto._errors import DecodeError, LimitError, LocalProtocolError

BINARY = 0x80
"""The bit of the first byte that tells binary from text. The others are the length, or say where it
is."""

MAX_LENGTH = 2**53 - 1
"""Longest frame that there can be: beyond it the reference loses digits (EIO-WT-03)."""


def encode_frame(frame: str | bytes) -> bytes:
    """Put a packet's WebSocket form behind its length, in the shortest form (EIO-WT-01).

    Raises:
        LocalProtocolError: there is nothing in it, which no peer would take (EIO-WT-03).
    """
    flag, payload = (0, frame.encode()) if isinstance(frame, str) else (BINARY, frame)
    length = len(payload)
    if not length:
        raise LocalProtocolError("WebTransport cannot carry an empty message")
    if length < 126:
        return bytes([flag | length]) + payload
    if length < 2**16:
        return bytes([flag | 126]) + length.to_bytes(2, "big") + payload
    return bytes([flag | 127]) + length.to_bytes(8, "big") + payload


class FrameDecoder:
    """Finds the frames in a stream.

    After an error it is of no further use. It holds what ``receive`` was given and is not taken
    yet; between frames begun, that is at most ``max_payload`` and nine bytes, as long as all that
    is whole is taken after each ``receive``.

    Args:
        max_payload: most bytes of a frame, not counting its length.
    """

    def __init__(self, max_payload: int) -> None:
        self._max_payload = max_payload
        self._data = bytearray()

    def receive(self, data: bytes) -> None:
        """The stream goes on with these bytes."""
        self._data += data

    def next_frame(self) -> str | bytes | None:
        """Take the next frame; None if it is not whole yet.

        Text that is not UTF-8 becomes U+FFFD, as on every transport (EIO-PKT-11).

        Raises:
            DecodeError: it has no content, or an impossible length.
            LimitError: it is longer than ``max_payload``, as its length tells before it is there.
        """
        data = self._data
        if not data:
            return None
        length = data[0] & 127
        start = 1
        if length > 125:
            start = 3 if length == 126 else 9
            if len(data) < start:
                return None
            length = int.from_bytes(data[1:start], "big")  # need not be the shortest (EIO-WT-02)
        if not length:
            raise DecodeError("an empty frame", rule="EIO-WT-03")
        if length > MAX_LENGTH:
            raise DecodeError("an impossible length", rule="EIO-WT-03")
        if length > self._max_payload:
            raise LimitError("too long a frame", rule="EIO-WT-03", limit="max_payload")
        end = start + length
        if len(data) < end:
            return None
        payload = bytes(data[start:end])
        is_binary = data[0] & BINARY
        del data[:end]
        return payload if is_binary else payload.decode(errors="replace")
