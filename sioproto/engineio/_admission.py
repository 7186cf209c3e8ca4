"""Who is let in: requests are judged here before anything is done for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic

from sioproto._errors import ConnectionRefused, DecodeError
from sioproto.engineio._config import ServerConfig
from sioproto.engineio._dialect import check_handshake, check_revision
from sioproto.engineio._headers import is_value
from sioproto.engineio._outputs import X
from sioproto.engineio._request import (
    BAD_HANDSHAKE_METHOD,
    BAD_REQUEST,
    UNKNOWN_SID,
    UNKNOWN_TRANSPORT,
    Refusal,
    Request,
    parse_query,
)
from sioproto.engineio._session import Session


class Admission(Generic[X]):
    """Judges the requests of one server.

    Args:
        config: says what is served.
        allow_request: the application's word on each request for a new session.
        sessions: those that there are, by id. A live view.
        failed: is told of the request and of what ``allow_request`` raised by mistake.
    """

    def __init__(
        self,
        config: ServerConfig,
        allow_request: Callable[[Request], object] | None,
        sessions: Mapping[str, Session[X]],
        failed: Callable[[Request, Exception], None],
    ) -> None:
        self._config = config
        self._allow_request = allow_request
        self._sessions = sessions
        self._failed = failed
        self.closed = False
        """Whether no session may begin any more."""

    def judge(self, request: Request, *, upgrade: bool) -> tuple[Mapping[str, str], Refusal | None]:
        """Judge a request, in the order in which the reference does (EIO-HS-09).

        Returns its query too.
        """
        try:
            query = parse_query(request.target)
        except DecodeError:
            return {}, BAD_REQUEST
        transport = query.get("transport")
        if transport not in self._config.transports or transport == "webtransport":
            return query, UNKNOWN_TRANSPORT
        if not is_value(request.header("origin") or ""):
            return query, BAD_REQUEST  # it could come back in a header (EIO-ERR-11)
        if sid := query.get("sid"):
            session = self._sessions.get(sid)
            if session is None:
                return query, UNKNOWN_SID
            if upgrade:
                fits = transport == "websocket" and self._is_upgradable(session)
            else:
                fits = transport == "polling" == session.transport
            # The session decides its revision, not the request (EIO-QP-12).
            return query, check_revision(query, session.dialect) if fits else BAD_REQUEST
        if request.method != "GET":
            return query, BAD_HANDSHAKE_METHOD
        if upgrade != (transport == "websocket") or self.closed:
            return query, BAD_REQUEST
        if (refusal := self._forbidden(request)) is not None:
            return query, refusal
        return query, check_handshake(query, self._config)

    def takes_stream(self, request: Request) -> bool:
        """Whether a WebTransport stream may be opened, before it has told whose it is."""
        if self.closed or "webtransport" not in self._config.transports:
            return False
        try:
            parse_query(request.target)  # the handshake of an application shows it
        except DecodeError:
            return False
        return True

    def takes_session(self, request: Request) -> bool:
        """Whether a WebTransport stream may begin a session."""
        return not self.closed and self._forbidden(request) is None

    def upgradable(self, sid: str) -> Session[X] | None:
        """The session of this id, if it may move to a WebTransport stream."""
        session = self._sessions.get(sid)
        if session is None or session.dialect.revision != 4 or not self._is_upgradable(session):
            return None
        return session

    def _forbidden(self, request: Request) -> Refusal | None:
        if self._allow_request is not None:
            try:
                self._allow_request(request)
            except ConnectionRefused as error:
                return Refusal(4, error.message)
            except Exception as error:
                self._failed(request, error)
                return Refusal(4, "internal error")  # and not a word about what it was
        return None

    def _is_upgradable(self, session: Session[X]) -> bool:
        # A session that began on WebSocket has nothing to upgrade to: its id would otherwise be
        # enough to take it over (EIO-UPS-12).
        return (
            self._config.allow_upgrades
            and session.transport == "polling"
            and session.candidate is None
        )
