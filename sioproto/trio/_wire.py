"""A byte stream whose failures are all one exception."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from sioproto.trio._config import ConnectionConfig

RECEIVE_SIZE = 16_384
"""More saves nothing on large messages, and lets a read full of tiny ones keep others waiting."""

_FAILURES = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


class Lost(Exception):
    """The connection is of no use any more. It costs whoever is on it, and nobody else."""


class Wire:
    """One accepted connection.

    Args:
        stream: what was accepted.
        fast: whether the kernel may be asked directly, past the stream.

    Errors of the network become ``Lost`` right here, so that they cannot be mistaken for an
    ``OSError`` that a function of the application raises further up.
    """

    def __init__(self, stream: trio.abc.Stream, *, fast: bool = True) -> None:
        self._stream = stream
        self._is_cut = False
        self._unsent = b""
        self._flushing = False
        self._receiving: trio.CancelScope | None = None
        # Not with a stream for TLS, and on Windows a socket is no file.
        self._socket: trio.socket.SocketType | None = None
        if fast and isinstance(stream, trio.SocketStream) and os.name == "posix":
            self._socket = stream.socket
        self.secure = isinstance(stream, trio.SSLStream)
        self.address = _peer_address(stream)

    @property
    def direct(self) -> bool:
        """Whether ``try_send`` is of use."""
        return self._socket is not None

    async def receive(self) -> bytes:
        """Receive some bytes; none if the peer has finished sending.

        A cancelled call has received nothing.

        Raises:
            Lost: the connection broke.
        """
        try:
            if self._socket is None:
                return await self._receive_from_stream()
            # A stream tries first and waits then. Here there is hardly ever anything yet, and the
            # failed attempt takes as long as the one that succeeds.
            while True:
                if self._socket.fileno() < 0:
                    raise Lost
                await trio.lowlevel.wait_readable(self._socket)
                with suppress(BlockingIOError):
                    return os.read(self._socket.fileno(), RECEIVE_SIZE)
        except _FAILURES as error:
            raise Lost from error

    async def _receive_from_stream(self) -> bytes:
        data: bytes | None = None
        with trio.CancelScope() as self._receiving:
            if self._is_cut:
                raise Lost
            data = bytes(await self._stream.receive_some(RECEIVE_SIZE))
        if data is None:
            raise Lost
        return data

    def fileno(self) -> int:
        """The number of the file that it is to the kernel; only if ``direct``."""
        assert self._socket is not None
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """What there is to read; None if there is nothing; only if ``direct``.

        Nothing at all, ``b""``, once the peer has finished or the connection broke: ``receive``
        finds out.
        """
        try:
            return os.read(self.fileno(), RECEIVE_SIZE)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def cut(self) -> None:
        """The connection is of no use any more: so learns whoever waits for it to bring more."""
        self._is_cut = True
        if self._socket is not None:
            self._socket.close()
        elif self._receiving is not None:
            self._receiving.cancel()

    async def close(self) -> None:
        """Close the connection, whatever the peer does."""
        if self._socket is not None:
            self._socket.close()
        else:
            await trio.aclose_forcefully(self._stream)

    def try_send(self, data: bytes) -> bool:
        """Send without waiting as much as the kernel takes at once.

        False if something is left, which is kept for ``flush``: then call that, before anything
        else is sent.
        """
        if self._socket is None or self._flushing or self._unsent:
            self._unsent += data
            return False
        try:
            sent = os.write(self._socket.fileno(), data)
        except OSError:  # there is no room, or the connection is broken: ``flush`` finds out
            sent = 0
        if sent == len(data):
            return True
        self._unsent = data[sent:]
        return False

    async def flush(self) -> None:
        """Send what is left. A cancelled call may have sent a part: the connection is then of no
        use.

        Raises:
            Lost: the connection broke.
        """
        self._flushing = True
        try:
            while self._unsent:
                data, self._unsent = self._unsent, b""
                await self._stream.send_all(data)
        except _FAILURES as error:
            raise Lost from error
        finally:
            self._flushing = False

    async def linger(self, config: ConnectionConfig) -> None:
        """Finish sending, and throw away what the peer goes on sending, for a while.

        Closed with bytes unread, a connection is reset, and the peer may never see what was sent
        last.

        Raises:
            Lost: the connection broke.
        """
        with trio.move_on_after(config.linger_timeout):
            # TLS has an end of its own.
            if not self.secure and isinstance(self._stream, trio.abc.HalfCloseableStream):
                try:
                    await self._stream.send_eof()
                except _FAILURES as error:
                    raise Lost from error
            left = config.max_linger_bytes
            while left > 0 and (data := await self.receive()):
                left -= len(data)


def _peer_address(stream: trio.abc.Stream) -> str | None:
    if isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    if not isinstance(stream, trio.SocketStream):
        return None
    try:
        name = stream.socket.getpeername()
    except OSError:  # it has gone already
        return None
    return str(name[0]) if isinstance(name, tuple) else None
