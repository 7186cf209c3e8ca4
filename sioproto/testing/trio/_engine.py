"""A client of a bare Engine.IO server."""

from __future__ import annotations

from sioproto._errors import LocalProtocolError
from sioproto.engineio import Packet, PacketType, encode_packet
from sioproto.engineio._message import check_text
from sioproto.testing.trio._connection import Connection
from sioproto.testing.trio._peer import Arriving, Peer, told_by_server
from sioproto.testing.trio._waiting import Done
from sioproto.trio import EngineServer, Session


class EngineClient(Peer[str | bytes]):
    """A client of an ``EngineServer``. Made by :meth:`EngineServerUnderTest.connect`."""

    def __init__(self, application: EngineServer, connection: Connection, timeout: float) -> None:
        super().__init__(connection, timeout)
        self._application = application
        self._session: Session | None = None

    def __repr__(self) -> str:
        return f"<EngineClient {self.sid} {self._state()}>"

    @property
    def session(self) -> Session:
        """The server's side of it, as the handler has it."""
        assert self._session is not None, "the client was let in"
        return self._session

    def send(self, data: str | bytes) -> Done:
        """Send a message.

        Raises:
            ClosedError: the client is not connected.
            LocalProtocolError: neither text nor bytes, or text with a lone surrogate.
        """
        self._check_connected()
        if isinstance(data, str):
            check_text(data)
        elif not isinstance(data, bytes):
            raise LocalProtocolError(f"a message is text or bytes, not {type(data).__name__}")
        self._connection.put(encode_packet(Packet(PacketType.MESSAGE, data)))
        return self._done()

    async def receive(self, *, timeout: float | None = None) -> str | bytes:
        """Take the next message, waiting for it if need be.

        Raises:
            ExpectationFailed: none came in time, or none will.
        """
        __tracebackhide__ = True
        return await self._inbox.take(lambda data: True, "message", timeout)

    def disconnect(self) -> Done:
        """Close the session. Does nothing if it is closed."""
        if self.reason is None:
            self._end("forced close")
            if not self._connection.ended:
                self._connection.put("1")
                self._connection.put(None)
        return self._done()

    # What the connection calls

    def _opened(self, sid: str) -> None:
        """The session is open."""
        self.sid = sid
        self._session = self._application.sessions.get(sid)
        self._answered = True
        self._inbox.wake()

    def _message(self, data: str | bytes) -> None:
        """A message arrived."""
        self._inbox.put(data)

    def _ended(self, reason: str) -> None:
        """The connection has ended."""
        self._end(reason)

    def _describe(self) -> str:
        line = f"session {self.sid} {self._state()}"
        session = self._session
        if session is not None and session.close_reason is not None:
            line += told_by_server(session.close_reason, session.close_error)
        return line


Opening = Arriving[EngineClient]
"""What :meth:`EngineServerUnderTest.connect` returns."""
