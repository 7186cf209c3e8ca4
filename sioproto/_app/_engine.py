"""A bare Engine.IO server as an application sees it, over any runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from sioproto._app._backlog import Backlog
from sioproto._app._base import Application, new_id
from sioproto._app._config import AppConfig
from sioproto._app._inbox import Inbox
from sioproto._errors import ClosedError, LimitError
from sioproto.engineio import (
    CloseReason,
    EngineStatistics,
    HookFailed,
    MessageReceived,
    Request,
    ResponseHeaders,
    ServerConfig,
    SessionClosed,
    SessionOpened,
    SessionUpgraded,
)
from sioproto.engineio import EngineServer as EngineCore


class Session:
    """One client. ``async for data in session`` takes its messages, until the session is closed."""

    __slots__ = (
        "_app",
        "_backlog",
        "_closing",
        "_inbox",
        "close_error",
        "close_reason",
        "data",
        "request",
        "sid",
    )

    def __init__(
        self, app: EngineApplication, sid: str, request: Request, backlog: Backlog
    ) -> None:
        self._app = app
        self._backlog = backlog
        self._inbox: Inbox[str | bytes] = Inbox(app.runtime, backlog)
        self._closing = False
        self.sid = sid
        """The session id: a secret, since it is enough to join the session."""
        self.request = request
        """The request that opened the session."""
        self.data: Any = {}
        """Anything the application wants to keep here."""
        self.close_reason: CloseReason | None = None
        """Why the session ended; None while it is open."""
        self.close_error: Exception | None = None
        """What exactly went wrong, if the reason is an error."""

    def __repr__(self) -> str:
        return f"<Session {self.sid} {self.close_reason or 'open'}>"

    @property
    def _gone(self) -> bool:
        """Whether the session has ended, or is about to."""
        return self._closing or self.close_reason is not None

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return self

    async def __anext__(self) -> str | bytes:
        data = await self._inbox.next()
        if data is None:
            raise StopAsyncIteration
        return data

    def send(self, data: str | bytes, *, compress: bool = True) -> None:
        """Send a message, which may be compressed, or not, if the connection can.

        Raises:
            ClosedError: the session is closed or closing.
            LocalProtocolError: neither text nor bytes, or text with a lone surrogate.
        """
        self._app.core.send(self.sid, data, compress=compress)

    async def drain(self) -> None:
        """Wait until all that was sent has been handed to the transport.

        Raises:
            ClosedError: the session is closed, or was closed meanwhile.
        """
        await self._app.wait_drained(self.sid)
        if self.close_reason is not None:
            raise ClosedError(f"session {self.sid} is closed")

    def close(self, *, discard: bool = False) -> None:
        """Close the session, delivering first what was sent, unless ``discard`` is set."""
        self._closing = True
        self._app.core.close(self.sid, now=self._app.now(), discard=discard)


class EngineApplication(Application):
    """An Engine.IO server with one async function for each session.

    Args:
        handler: called with each new :class:`Session`, in a task of its own. When it returns, the
            session
            is closed; when the session ends, the iteration over it does.
        config: limits and times.
        app: limits of what handlers may leave waiting.
        allow_request: called with each request for a new session; refuses it by raising
            ``ConnectionRefused``, whose message the client gets to read. Whatever else it raises
            refuses the request too, and goes to ``on_error``.
        response_headers: called for each answer that is no error with the request and with whether
            the answer opens a session; returns headers to add.
    """

    core: EngineCore[Any]

    def __init__(
        self,
        handler: Callable[[Session], Awaitable[object]],
        *,
        config: ServerConfig | None = None,
        app: AppConfig | None = None,
        allow_request: Callable[[Request], object] | None = None,
        response_headers: ResponseHeaders | None = None,
    ) -> None:
        super().__init__(app)
        self.core = EngineCore(
            config,
            new_sid=new_id,
            wake=self._wake,
            allow_request=allow_request,
            response_headers=response_headers,
        )
        self._handler = handler
        self._sessions: dict[str, Session] = {}
        self.handlers = {
            SessionOpened: self._opened,
            MessageReceived: self._message_received,
            SessionUpgraded: _nothing,
            HookFailed: self.hook_failed,
            SessionClosed: self._closed,
        }

    @property
    def sessions(self) -> Mapping[str, Session]:
        """The sessions that are not closed by id, in order of opening. A live view."""
        return MappingProxyType(self._sessions)

    def statistics(self) -> EngineStatistics:
        """Count what is held. Takes time in proportion to the number of sessions."""
        return self.core.statistics()

    def engine(self) -> EngineCore[Any]:
        """The core itself."""
        return self.core

    def buffered(self, sid: str) -> int:
        """How much waits for a client to fetch it."""
        return self.core.buffered(sid)

    def _opened(self, out: SessionOpened) -> None:
        session = Session(self, out.sid, out.request, self.enter_backlog(out.sid))
        self._sessions[out.sid] = session
        self.spawn(self._serve, session)

    def _message_received(self, out: MessageReceived) -> None:
        session = self._sessions[out.sid]
        self._read_for = session._backlog
        if not session._inbox.put(out.data, len(out.data)):
            error = LimitError(
                "the client sends faster than its messages are handled",
                rule="EIO-ROB-01",
                limit="max_input",
            )
            self.core.fail(out.sid, error)

    def _closed(self, out: SessionClosed) -> None:
        session = self._sessions.pop(out.sid)
        session.close_reason = out.reason
        session.close_error = out.error
        session._backlog.close()
        session._inbox.end()

    async def _serve(self, session: Session) -> None:
        try:
            await self._handler(session)
        except Exception as error:
            await self.failed(error, session)
        finally:
            session.close()
            session._inbox.drop()
            self.leave_backlog(session.sid, session._backlog)


def _nothing(out: object) -> None:
    """An event that leaves nothing to do."""
