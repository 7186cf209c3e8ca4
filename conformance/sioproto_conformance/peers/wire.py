"""TCP connections that write down everything that passes."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import trio

_CHUNK = 65536
# A transcript serves people, who read its beginning and its end. A case that sends a megabyte must
# not make the report that much longer.
_ENTRY_LIMIT = 4096
_TRANSCRIPT_LIMIT = 65536

HUNG_UP = "hung up"
"""The note of the peer's end of a connection, whether the case wanted it or was over."""

Layer = Literal["tcp", "http", "ws", "note"]


class PeerError(Exception):
    """The server did something else than what the peer needs to go on."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}; {actual}")
        self.expected = expected
        self.actual = actual


class NoAnswer(PeerError):
    """Nothing came in time."""


class Gone(PeerError):
    """The connection, or the session, ended first."""


class Unexpected(PeerError):
    """Something else came."""


class Impossible(Exception):
    """This kind of connection cannot do what the case wants; says nothing about the server."""


@contextmanager
def within(seconds: float, expected: str) -> Iterator[None]:
    """Bound the block in time; raises ``NoAnswer`` when it takes longer."""
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        raise NoAnswer(expected, f"nothing came within {seconds:.1f} s") from None


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that passed. Each byte is written down once, at the layer that understood it."""

    t: float
    """Seconds since the case began."""
    conn: str
    dir: Literal["out", "in"]
    layer: Layer
    data: bytes = msgspec.field(name="bytes")
    """At most the first 4096 of them."""
    size: int
    """How many there were."""
    note: str = ""
    frame: tuple[int, bool] | None = None
    """Of a WebSocket frame that was sent, its first byte and whether it was masked: then ``bytes``
    are the payload. Otherwise they are what was sent."""


class Transcript:
    """What passed on all connections of one case, in order."""

    def __init__(self) -> None:
        self._began = trio.current_time()
        self._stored = 0
        self.entries: list[Entry] = []

    def add(
        self,
        conn: str,
        dir: Literal["out", "in"],
        layer: Layer,
        data: bytes,
        note: str = "",
        frame: tuple[int, bool] | None = None,
    ) -> None:
        kept = data[: max(0, min(_ENTRY_LIMIT, _TRANSCRIPT_LIMIT - self._stored))]
        self._stored += len(kept)
        elapsed = round(trio.current_time() - self._began, 6)
        self.entries.append(
            Entry(
                t=elapsed,
                conn=conn,
                dir=dir,
                layer=layer,
                data=kept,
                size=len(data),
                note=note,
                frame=frame,
            )
        )


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """What goes into a ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    async def connect(self) -> trio.abc.Stream:
        """Open a connection. Raises ``OSError``, or ``trio.BrokenResourceError`` for TLS."""
        stream = await trio.open_tcp_stream(self.host, self.port)
        if not self.tls:
            return stream
        encrypted = trio.SSLStream(
            stream,
            ssl.create_default_context(),
            server_hostname=self.host,
            https_compatible=True,
        )
        await encrypted.do_handshake()
        return encrypted


def parse_url(url: str) -> Address:
    """Return where ``http://host:port`` is. Raises ``ValueError`` for any other kind of URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL like http://host:port")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(
            f"{url!r} names more than a server: the paths are those of "
            "the contract, or of the table [paths] in a manifest"
        )
    tls = parts.scheme in ("https", "wss")
    return Address(parts.hostname, parts.port or (443 if tls else 80), tls)


class Wire:
    """One TCP (or TLS) connection."""

    def __init__(self, stream: trio.abc.Stream, conn: str, transcript: Transcript) -> None:
        self._stream = stream
        self._hung_up = False
        # An automatic answer, to a ping say, may become due while the case is sending.
        self._send_lock = trio.Lock()
        self.conn = conn
        self.transcript = transcript
        self.ended: str | None = None
        """How the server ended the connection, once it has."""

    @classmethod
    async def open(
        cls, address: Address, conn: str, transcript: Transcript, *, timeout: float
    ) -> Wire:
        """Connect within ``timeout`` seconds. Raises ``NoAnswer`` or ``Gone``."""
        try:
            with within(timeout, "the server to accept a connection"):
                stream = await address.connect()
        except (OSError, trio.BrokenResourceError) as error:
            # trio tells only in the cause, one per address, why there is no connection.
            cause: BaseException = error.__cause__ or error
            while isinstance(cause, BaseExceptionGroup):
                cause = cause.exceptions[0]
            raise Gone("the server to accept a connection", f"{cause}") from error
        return cls(stream, conn, transcript)

    def note(self, text: str) -> None:
        """Write a remark into the transcript."""
        self.transcript.add(self.conn, "out", "note", b"", text)

    async def send(
        self,
        data: bytes,
        *,
        layer: Layer = "tcp",
        note: str = "",
        shown: bytes | None = None,
        frame: tuple[int, bool] | None = None,
    ) -> None:
        """Send bytes as they are. A connection that the server has ended takes them silently.

        Whether the server is still there is what receiving tells; a case must not depend on which
        of the two noticed first. ``shown`` goes into the transcript in place of ``data``,
        with what ``frame`` says was around it.
        """
        async with self._send_lock:
            written = data if shown is None else shown
            self.transcript.add(self.conn, "out", layer, written, note, frame)
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.ended = self.ended or "reset"

    async def receive(self) -> bytes:
        """Return the next bytes, empty at the end; ``ended`` then tells how it ended.

        Nothing is written down: that is left to the layer above, which knows what they are.
        """
        try:
            data = bytes(await self._stream.receive_some(_CHUNK))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
            self.ended = self.ended or "reset"
        if not data:
            self.ended = self.ended or "end of stream"
            self.transcript.add(self.conn, "in", "tcp", b"", self.ended)
        return data

    async def send_eof(self) -> None:
        """Close the sending half only. Raises ``Impossible`` over TLS."""
        if not isinstance(self._stream, trio.abc.HalfCloseableStream):
            raise Impossible("TLS cannot close one half of a connection")
        async with self._send_lock:
            self.note("sending half closed")
            try:
                await self._stream.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.ended = self.ended or "reset"

    async def reset(self) -> None:
        """Hang up in a way that the server sees as an error: a TCP reset instead of an end."""
        stream = self._stream
        while isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        if isinstance(stream, trio.SocketStream):
            # Not to linger at all is how a socket is told to send a reset.
            linger = struct.pack("ii", 1, 0)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await self.abort()

    async def abort(self) -> None:
        """Hang up without a word. Again is harmless."""
        if not self._hung_up:
            self._hung_up = True
            self.note(HUNG_UP)
        await trio.aclose_forcefully(self._stream)
