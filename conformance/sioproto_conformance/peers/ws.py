"""WebSocket with a frame writer of its own, which writes any frame; wsproto reads."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from collections import deque
from dataclasses import dataclass
from typing import Literal

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from sioproto_conformance.peers.http1 import Headers, HttpConnection, Response, request_bytes
from sioproto_conformance.peers.wire import Unexpected, within


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole message, a control frame, or the end."""

    kind: Literal["text", "binary", "ping", "pong", "close", "end"]
    data: str | bytes = b""
    """The payload; of the end: how it came."""
    code: int | None = None
    """The code of a close frame, 1005 if it had none."""


def websocket_headers(key: str) -> list[tuple[str, str]]:
    """Return the headers of an upgrade request."""
    return [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
    ]


def frame_bytes(
    opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, rsv: int = 0
) -> bytes:
    """Return one frame of a client. ``rsv`` holds the three reserved bits, 4 the first of them."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | (rsv << 4) | opcode])
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 65536:
        head += struct.pack("!BH", mask_bit | 126, size)
    else:
        head += struct.pack("!BQ", mask_bit | 127, size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    # One big number XOR is what Python can do fast for a payload of a megabyte.
    mask = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + key + mixed.to_bytes(size, "big")


DEFLATE = "permessage-deflate"
"""The name of the extension that compresses messages."""


class Deflater:
    """What a client compresses with, once the server has accepted."""

    def __init__(self, takeover: bool, bits: int) -> None:
        self._takeover = takeover
        self._bits = bits
        self._context = self._new()

    def _new(self) -> zlib._Compress:
        return zlib.compressobj(wbits=-self._bits)

    def compress(self, message: bytes) -> bytes:
        """Return the payload of a compressed message."""
        if not self._takeover:
            self._context = self._new()
        data = self._context.compress(message) + self._context.flush(zlib.Z_SYNC_FLUSH)
        return data[:-4]


def _accepted(response: Response) -> PerMessageDeflate | None:
    """Return what reads the messages of a server that has accepted to compress."""
    answer = response.header("sec-websocket-extensions") or ""
    if answer.partition(";")[0].strip() != DEFLATE:
        return None
    extension = PerMessageDeflate()
    try:
        extension.finalize(answer)
    except (ValueError, IndexError):
        raise Unexpected(f"parameters of {DEFLATE}", answer) from None
    return extension


class WsConnection:
    """An established WebSocket."""

    def __init__(self, http: HttpConnection, response: Response, key: str) -> None:
        self.wire = http.wire
        self.response = response
        """The 101 that established it."""
        self.key = key
        """The ``Sec-WebSocket-Key`` that was sent."""
        self.timeout = http.timeout
        self.answer_pings = True
        """Whether ping frames are answered, and close frames echoed, while receiving."""
        extension = _accepted(response)
        self.deflate: Deflater | None = None
        """What messages can be compressed with, if the server has accepted that."""
        if extension is not None:
            self.deflate = Deflater(
                not extension.client_no_context_takeover, extension.client_max_window_bits
            )
        self._protocol = FrameProtocol(client=True, extensions=[extension] if extension else [])
        self._parts: list[str | bytes] = []
        self._ready: deque[Incoming] = deque()
        self._ended: Incoming | None = None
        self._feed(http.rest)

    async def send_text(self, text: str, *, note: str = "") -> None:
        """Send a text message in one frame."""
        await self.send_frame(Opcode.TEXT, text.encode("utf-8", "surrogatepass"), note=note)

    async def send_binary(self, data: bytes, *, note: str = "") -> None:
        """Send a binary message in one frame."""
        await self.send_frame(Opcode.BINARY, data, note=note)

    async def send_frame(
        self,
        opcode: int,
        payload: bytes = b"",
        *,
        fin: bool = True,
        masked: bool = True,
        rsv: int = 0,
        note: str = "",
    ) -> None:
        """Send any one frame."""
        frame = frame_bytes(opcode, payload, fin=fin, masked=masked, rsv=rsv)
        about = [_opcode_name(opcode)]
        about += [] if fin else ["not final"]
        about += [] if masked else ["unmasked"]
        about += [f"rsv {rsv}"] if rsv else []
        about += [note] if note else []
        await self.wire.send(
            frame, layer="ws", note=", ".join(about), shown=payload, frame=(frame[0], masked)
        )

    async def send_raw(self, data: bytes, *, note: str = "") -> None:
        """Send any bytes, a frame or not."""
        await self.wire.send(data, layer="ws", note=note or "raw")

    async def send_close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a close frame, empty without a code."""
        payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
        await self.send_frame(Opcode.CLOSE, payload)

    async def receive(self, *, timeout: float | None = None) -> Incoming:
        """Return what comes next; after the end, the end again. Raises ``NoAnswer``."""
        with within(self.timeout if timeout is None else timeout, "a WebSocket message"):
            return await self.receive_unbounded()

    async def receive_unbounded(self) -> Incoming:
        """Return what comes next, however long it takes."""
        while not self._ready:
            if self._ended is not None:
                return self._ended
            data = await self.wire.receive()
            if data:
                self._feed(data)
            else:
                self._end(self.wire.ended or "end of stream")
        incoming = self._ready.popleft()
        if self.answer_pings and incoming.kind == "ping":
            assert isinstance(incoming.data, bytes)
            await self.send_frame(Opcode.PONG, incoming.data, note="automatic")
        elif self.answer_pings and incoming.kind == "close":
            code = None if incoming.code == 1005 else incoming.code
            await self.send_close(code)
        return incoming

    async def abort(self) -> None:
        """Hang up without a close frame."""
        await self.wire.abort()

    def _end(self, how: str) -> None:
        self._ended = Incoming("end", how)
        self._ready.append(self._ended)

    def _feed(self, data: bytes) -> None:
        if not data or self._ended is not None:
            return
        self._protocol.receive_bytes(data)
        try:
            for frame in self._protocol.received_frames():
                self._take(frame.opcode, frame.payload, frame.message_finished)
        except ParseFailed as error:
            self._record(data, f"not WebSocket: {error}")
            self._end(f"not WebSocket: {error}")

    def _take(self, opcode: Opcode, payload: str | bytes | tuple[int, str], whole: bool) -> None:
        if isinstance(payload, tuple):
            code, reason = int(payload[0]), payload[1] or ""
            self._record(reason.encode(), f"close {code}")
            self._ready.append(Incoming("close", reason, code))
        elif opcode in (Opcode.PING, Opcode.PONG):
            payload = bytes(payload) if not isinstance(payload, str) else payload.encode()
            self._record(payload, _opcode_name(opcode))
            self._ready.append(Incoming("ping" if opcode is Opcode.PING else "pong", payload))
        else:
            self._parts.append(payload if isinstance(payload, str) else bytes(payload))
            if whole:
                self._deliver()

    def _deliver(self) -> None:
        parts, self._parts = self._parts, []
        if isinstance(parts[0], str):
            text = "".join(part for part in parts if isinstance(part, str))
            self._record(text.encode(), "text")
            self._ready.append(Incoming("text", text))
        else:
            data = b"".join(part for part in parts if isinstance(part, bytes))
            self._record(data, "binary")
            self._ready.append(Incoming("binary", data))

    def _record(self, data: bytes, note: str) -> None:
        self.wire.transcript.add(self.wire.conn, "in", "ws", data, note)


def _opcode_name(opcode: int) -> str:
    try:
        return Opcode(opcode).name.lower()
    except ValueError:
        return f"opcode {opcode}"


async def open_websocket(
    http: HttpConnection,
    target: str,
    *,
    headers: Headers = (),
    glued: bytes = b"",
    timeout: float | None = None,
) -> WsConnection | Response:
    """Ask for a WebSocket and return it, or the response that refuses it.

    ``glued`` are bytes sent in the same segment as the request. A header given replaces the usual
    one of that name. Raises as ``HttpConnection.response`` does.
    """
    given = list(headers)
    names = {name.lower() for name, _ in given}
    key = base64.b64encode(os.urandom(16)).decode()
    usual = websocket_headers(key)
    both = [(name, value) for name, value in usual if name.lower() not in names] + given
    request = request_bytes("GET", target, http.address, headers=both)
    await http.send_raw(request + glued, note="with bytes behind the request" if glued else "")
    response = await http.response(timeout=timeout)
    return WsConnection(http, response, key) if response.status == 101 else response
