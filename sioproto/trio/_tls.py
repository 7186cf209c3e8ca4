"""TLS over a socket, without a stream in between.

A stream for TLS takes a lock, tries, and retries around every read and write: more than half of
the time of a short exchange. With the bytes in memory, TLS is a step between them and the kernel.
"""

from __future__ import annotations

import ssl

import trio

from sioproto.trio._wire import RECEIVE_SIZE, Lost, Wire

_MAX_OWED = 16_384
"""Most bytes of TLS itself, such as answers to new keys, that may wait for a client to read them
before it is read on."""


class SecureWire(Wire):
    """One accepted connection that speaks TLS. The handshake happens with the first read.

    Like most servers of HTTP, it takes a connection that ends without saying so in TLS for one
    that ends, since HTTP and WebSocket know where their messages end.

    Args:
        stream: what was accepted.
        context: for the server's side of TLS.
    """

    def __init__(self, stream: trio.SocketStream, context: ssl.SSLContext) -> None:
        super().__init__(stream)
        self.secure = True
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._ended = False
        self._failed = False
        self._turn = trio.Lock()  # reading may have to write, too

    def read(self) -> bytes | None:
        """See ``Wire``."""
        data = super().read()
        if not data:
            return data
        if plain := self._decrypted(data):
            return plain
        return b"" if self._ended or self._failed or len(self._unsent) > _MAX_OWED else None

    async def receive(self) -> bytes:
        """See ``Wire``."""
        while not self._ended:
            if self._failed:
                raise Lost
            if self._unsent:
                await self.flush()
            data = await super().receive()
            if not data:
                break
            if plain := self._decrypted(data):
                return plain
        return b""

    def _decrypted(self, data: bytes) -> bytes:
        """Everything that has come by now; what TLS wants to say to it is sent."""
        self._incoming.write(data)
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(RECEIVE_SIZE):
                pieces.append(piece)
                if not self._incoming.pending and not self._tls.pending():
                    break  # to find that out by an exception takes longer
            else:
                self._ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._failed = True
        if self._outgoing.pending:
            super().try_send(self._outgoing.read())
        return b"".join(pieces)

    def try_send(self, data: bytes) -> bool:
        """See ``Wire``."""
        if not self._failed:
            try:
                self._tls.write(data)
            except ssl.SSLError:
                self._failed = True
        return super().try_send(self._outgoing.read())

    async def flush(self) -> None:
        """See ``Wire``."""
        async with self._turn:
            if self._failed:
                raise Lost
            await super().flush()
