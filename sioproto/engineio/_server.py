"""All sessions of one Engine.IO endpoint: routing, admission, timers, tokens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import Generic

from sioproto._deadlines import Deadlines
from sioproto._errors import ClosedError, LocalProtocolError
from sioproto._output import Output
from sioproto.engineio._admission import Admission
from sioproto.engineio._answers import Answers, ResponseHeaders
from sioproto.engineio._config import ServerConfig
from sioproto.engineio._dialect import dialect_of
from sioproto.engineio._framing import encode_frame
from sioproto.engineio._handshake import first_messages, upgrades_of
from sioproto.engineio._headers import Headers
from sioproto.engineio._message import Message, WsFrame, message_of
from sioproto.engineio._outputs import (
    CloseReason,
    HookFailed,
    HttpRead,
    HttpRespond,
    SessionOpened,
    WsAccept,
    WsClose,
    WsReject,
    WsSend,
    WtAccept,
    WtClose,
    WtReject,
    WtSend,
    X,
)
from sioproto.engineio._request import (
    BAD_REQUEST,
    Refusal,
    Request,
    announced_length,
)
from sioproto.engineio._session import Session
from sioproto.engineio._statistics import EngineStatistics
from sioproto.engineio._stream import Stream

JSON_HEADERS = (("content-type", "application/json"),)
TEXT_HEADERS = (("content-type", "text/html"),)

_SID_ATTEMPTS = 10


class EngineServer(Generic[X]):
    """The server side of Engine.IO, for one endpoint: of revision 4, and of 3 if that is allowed.

    Facts never raise because of a peer. They raise ``LocalProtocolError`` when the driver breaks
    the contract about its tokens.

    Args:
        config: limits and times.
        new_sid: makes session ids. A session id is all that it takes to join a session, so it must
            be impossible to guess (EIO-HS-06).
        wake: called when a command leaves something to drain or moves a deadline, and no drain is
            under way, so that a driver learns of commands that it did not give itself. At most once
            until the next drain.
        allow_request: called with each request for a new session; refuses it by raising
            ``ConnectionRefused``, whose message the client gets to read (EIO-ERR-07). Whatever else
            it raises becomes ``HookFailed``, and refuses the request too.
        response_headers: called for each answer that is no error, 101 included, with the request
            and with whether the answer opens a session; returns headers to add (EIO-HDR-04). What
            it raises becomes ``HookFailed``, and the answer goes out without them.
    """

    def __init__(
        self,
        config: ServerConfig | None = None,
        *,
        new_sid: Callable[[], str],
        wake: Callable[[], None] | None = None,
        allow_request: Callable[[Request], object] | None = None,
        response_headers: ResponseHeaders | None = None,
    ) -> None:
        self.config = config or ServerConfig()
        self._answers = Answers(self.config, response_headers, self._hook_failed)
        self._new_sid = new_sid
        self._wake = wake
        self._awake = False
        self._now = -inf
        self._sessions: dict[str, Session[X]] = {}
        self._admission: Admission[X] = Admission(
            self.config, allow_request, self._sessions, self._hook_failed
        )
        self._requests: dict[X, Request] = {}  # not answered yet
        self._exchanges: dict[X, Session[X]] = {}
        self._websockets: dict[X, Session[X] | None] = {}  # None: closed by us, not yet retired
        self._streams: dict[X, Stream[X]] = {}  # those among them that are of WebTransport
        self._dirty: list[Session[X]] = []
        self._queue: deque[Output] = deque()
        self._deadlines: Deadlines[Session[X] | Stream[X]] = Deadlines()

    # Facts

    def http_request(self, exchange: X, request: Request, *, now: float) -> None:
        """The head of a request was read. Answered at once, or by ``HttpRead``, or later (a poll).

        Raises:
            LocalProtocolError: ``exchange`` is in use.
        """
        if exchange in self._requests:
            raise LocalProtocolError(f"http_request: exchange {exchange!r} is not answered yet")
        now = self._fact(now)
        preflight = self._answers.preflight(request)
        if preflight is not None:
            self.put(HttpRespond(exchange, *preflight, b""))
            return
        self._requests[exchange] = request
        query, refusal = self._admission.judge(request, upgrade=False)
        if refusal is not None:
            self.refuse(exchange, refusal)
            return
        sid = query.get("sid")
        if not sid:
            self._open_polling(exchange, request, query, now)
            return
        session = self._sessions[sid]
        if request.method == "GET":
            self._exchanges[exchange] = session
            session.poll_opened(exchange, now)
        elif request.method != "POST":
            self.refuse(exchange, BAD_REQUEST)
        elif announced_length(request) > self.config.max_payload:
            self._answer(exchange, 413, TEXT_HEADERS, b"")
        elif session.post_opened(exchange, request.header("content-type")):
            self._exchanges[exchange] = session
            self.put(HttpRead(exchange, self.config.max_payload))

    def http_body(self, exchange: X, data: bytes, *, now: float) -> None:
        """The body asked for by ``HttpRead`` was read.

        Ignored if the exchange was answered meanwhile.
        """
        now = self._fact(now)
        session = self._exchanges.get(exchange)
        if session is None or session.post != exchange:
            return
        if len(data) > self.config.max_payload:
            session.post = None  # nothing of it is delivered, and the session goes on (EIO-POLL-09)
            self._answer(exchange, 413, TEXT_HEADERS, b"")
            return
        session.post_body(data, now)

    def http_aborted(self, exchange: X, *, now: float) -> None:
        """The client dropped a request that was not answered. Ignored if it was, meanwhile."""
        self._fact(now)
        self._requests.pop(exchange, None)
        session = self._exchanges.pop(exchange, None)
        if session is not None:
            session.aborted(exchange)

    def ws_connected(self, ws: X, request: Request, *, now: float) -> None:
        """A request to upgrade to WebSocket was read. Answered by ``WsAccept`` or ``WsReject``.

        Raises:
            LocalProtocolError: ``ws`` is in use.
        """
        if ws in self._websockets:
            raise LocalProtocolError(f"ws_connected: websocket {ws!r} is in use")
        now = self._fact(now)
        query, refusal = self._admission.judge(request, upgrade=True)
        if refusal is not None:
            # Always before the 101, and the bare text, with one status for all (EIO-ERR-20).
            headers = TEXT_HEADERS + self._answers.shared(request)
            self.put(WsReject(ws, 400, headers, refusal.message.encode()))
            return
        if sid := query.get("sid"):
            session = self._sessions[sid]
            self._accept(ws, session, request)
            session.candidate_opened(ws, "websocket", bool(query.get("b64")), now)
            return
        session = self._new_session(request, query, "websocket", ws, now)
        self._accept(ws, session, request)
        self.put(SessionOpened(session.sid, request, session.dialect.revision))
        for message in first_messages(session.sid, (), self.config):
            session.send(message)

    def ws_text(self, ws: X, text: str, *, now: float) -> None:
        """A text message arrived, whole."""
        session = self._session_of(ws, "ws_text")
        now = self._fact(now)
        if session is not None:
            session.ws_frame(ws, text, now)

    def ws_binary(self, ws: X, data: bytes, *, now: float) -> None:
        """A binary message arrived, whole."""
        session = self._session_of(ws, "ws_binary")
        now = self._fact(now)
        if session is not None:
            session.ws_frame(ws, data, now)

    def ws_sent(self, ws: X, *, now: float) -> None:
        """What the last ``WsSend`` asked for has been written."""
        session = self._session_of(ws, "ws_sent")
        self._fact(now)
        if session is not None:
            session.ws_sent(ws)

    def ws_closed(self, ws: X, *, now: float, error: Exception | None = None) -> None:
        """A WebSocket has ended, whoever ended it. Stated exactly once for each that was accepted.

        Args:
            ws: the token, free for use again afterwards.
            now: seconds.
            error: what went wrong, if the peer broke the rules of WebSocket or passed a limit.
        """
        session = self._session_of(ws, "ws_closed")
        self._fact(now)
        del self._websockets[ws]
        if session is not None:
            session.ws_closed(ws, error)

    def wt_connected(self, stream: X, request: Request, *, now: float) -> None:
        """A request for a WebTransport session was read. Answered by ``WtAccept`` or ``WtReject``.

        Its query means nothing: what the client wants is in its first packet (EIO-WT-08).

        Raises:
            LocalProtocolError: ``stream`` is in use.
        """
        if stream in self._websockets:
            raise LocalProtocolError(f"wt_connected: stream {stream!r} is in use")
        now = self._fact(now)
        if not self._admission.takes_stream(request):
            self.put(WtReject(stream, 400))
            return
        self._websockets[stream] = None
        self._streams[stream] = opened = Stream(stream, request, self, self.config, now)
        self._deadlines.moved(opened)
        self.put(WtAccept(stream))

    def wt_data(self, stream: X, data: bytes, *, now: float) -> None:
        """Bytes arrived on a stream, cut anywhere."""
        self._session_of(stream, "wt_data")
        self._streams[stream].receive(data, self._fact(now))

    def wt_sent(self, stream: X, *, now: float) -> None:
        """What the last ``WtSend`` asked for has been written."""
        session = self._session_of(stream, "wt_sent")
        self._fact(now)
        if session is not None:
            session.ws_sent(stream)

    def wt_closed(self, stream: X, *, now: float, error: Exception | None = None) -> None:
        """A WebTransport session, or its stream, has ended, whoever ended it: see ``ws_closed``."""
        session = self._session_of(stream, "wt_closed")
        self._fact(now)
        self._deadlines.forget(self._streams.pop(stream))
        del self._websockets[stream]
        if session is not None:
            session.ws_closed(stream, error)

    def handle_timeout(self, *, now: float) -> None:
        """Do what is due. Harmless if nothing is."""
        now = self._fact(now)
        while (due := self._deadlines.pop_due(now)) is not None:
            due.handle_timeout(now)
            self._deadlines.moved(due)

    # Commands

    def send(self, sid: str, data: str | bytes, *, compress: bool = True) -> None:
        """Send a message, which may be compressed, or not, if the connection can (EIO-HC-02).

        Raises:
            ClosedError: there is no such session, or it is closing.
            LocalProtocolError: ``data`` is neither text nor bytes, or has a lone surrogate.
        """
        if not self.send_messages(sid, (message_of(data, compress),)):
            raise ClosedError(f"session {sid} is closed")

    def send_messages(self, sid: str, messages: Iterable[Message]) -> bool:
        """Send packets that other sessions may share. False if the session is closed or closing."""
        session = self._sessions.get(sid)
        if session is None:
            return False
        return all(map(session.send, messages))

    def close(self, sid: str, *, now: float, discard: bool = False) -> None:
        """Close a session, delivering first what is buffered, unless ``discard`` is set.

        A session that is gone already stays gone.
        """
        session = self._sessions.get(sid)
        if session is not None:
            session.close(self._clamp(now), discard=discard)

    def hold(self, sid: str, *, now: float) -> None:
        """The application does not read a session for a while.

        Until ``resume``, a pong that does not come costs the session nothing: it may be waiting to
        be read. After ``stall_timeout`` the session is closed, and the error names that limit.
        """
        session = self._sessions.get(sid)
        if session is not None:
            session.hold(self._clamp(now))

    def resume(self, sid: str, *, now: float) -> None:
        """The application reads a session again."""
        session = self._sessions.get(sid)
        if session is not None:
            session.resume(self._clamp(now))

    def fail(self, sid: str, error: Exception) -> None:
        """End a session at once, for what its client did to the application.

        A session that is gone already stays gone.
        """
        session = self._sessions.get(sid)
        if session is not None:
            session.finish(CloseReason.FORCED_CLOSE, error)

    def shutdown(self, *, now: float) -> None:
        """Close every session at once, in the order in which they were opened, and open no more."""
        self._admission.closed = True
        for session in list(self._sessions.values()):
            session.close(self._clamp(now), discard=False)
            session.close(self._clamp(now), discard=True)

    # Queries and the drain

    def serves(self, target: str) -> bool:
        """Whether requests for this target are this endpoint's (EIO-PATH-02)."""
        return target.startswith(self.config.path)

    def buffered(self, sid: str) -> int:
        """How much waits for the client of a session to fetch it; 0 if there is no such session."""
        session = self._sessions.get(sid)
        return 0 if session is None else session.buffered

    def writable(self, sid: str) -> bool:
        """Whether what is sent now could be written at once, rather than wait."""
        session = self._sessions.get(sid)
        return session is not None and session.writable

    @property
    def last_time(self) -> float:
        """Seconds, as the last fact or command told; ``-inf`` before the first."""
        return self._now

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` is wanted next. May be early, never late."""
        return self._deadlines.next()

    def statistics(self) -> EngineStatistics:
        """Count what is held. Takes time in proportion to the number of sessions."""
        sessions = self._sessions.values()
        transports = [session.transport for session in sessions]
        return EngineStatistics(
            sessions=len(sessions),
            polling=transports.count("polling"),
            websocket=transports.count("websocket"),
            upgrading=sum(session.candidate is not None for session in sessions),
            exchanges=len(self._exchanges),
            websockets=len(self._websockets),
            buffered=sum(session.buffered for session in sessions),
            timers=len(self._deadlines),
            webtransport=transports.count("webtransport"),
        )

    def outputs(self) -> Iterator[Output]:
        """Yield effects and events until there are none, including those caused while iterating."""
        while (out := self.next_output()) is not None:
            yield out

    def next_output(self) -> Output | None:
        """Take the next output, shaping buffered messages once everything else is out."""
        out = self.take()
        while out is None and self._dirty:
            dirty, self._dirty = self._dirty, []
            for session in dirty:
                session.flush()
            out = self.take()
        if out is None:
            self._awake = False
        return out

    def take(self) -> Output | None:
        """Take the next output that is ready, without shaping anything."""
        return self._queue.popleft() if self._queue else None

    # What sessions ask of their host

    def put(self, out: Output) -> None:
        """Queue an output that ends nothing."""
        self._queue.append(out)
        self.notify()

    def respond(
        self, exchange: X, headers: Headers, body: bytes, *, compress: bool = False
    ) -> None:
        """Answer an exchange with status 200, in fewer bytes if that is allowed and wanted."""
        self._succeed(exchange, headers, body, compress=compress, opens=False)

    def refuse(self, exchange: X, refusal: Refusal) -> None:
        """Answer an exchange with an error of the refusal table."""
        self._answer(exchange, refusal.status, JSON_HEADERS, refusal.body)

    def send_frames(self, ws: X, frames: list[WsFrame]) -> None:
        """Send messages on a WebSocket or a WebTransport stream."""
        if ws in self._streams:
            # An empty message has a text form alone (EIO-WT-03): that of base64, for every
            # transport takes it (EIO-PKT-08).
            data = b"".join([encode_frame(frame.payload or "b") for frame in frames])
            self.put(WtSend(ws, data))
        else:
            self.put(WsSend(ws, frames))

    def close_websocket(self, ws: X, code: int | None) -> None:
        """Close a WebSocket: what it still sends is ignored until the driver retires it."""
        self._websockets[ws] = None
        if (stream := self._streams.get(ws)) is None:
            self.put(WsClose(ws, code))
        else:
            stream.awaited = False
            self._deadlines.forget(stream)
            self.put(WtClose(ws))

    def notify(self) -> None:
        """Tell the driver that there is something to drain, unless it knows."""
        if not self._awake:
            self._awake = True
            if self._wake is not None:
                self._wake()

    def touch(self, session: Session[X]) -> None:
        """The session has something to flush."""
        self._dirty.append(session)
        self.notify()

    def moved(self, session: Session[X]) -> None:
        """The session's deadline has changed: the driver may have to wake earlier."""
        self._deadlines.moved(session)
        self.notify()

    def ended(self, session: Session[X]) -> None:
        """The session is closed."""
        del self._sessions[session.sid]
        self._deadlines.forget(session)

    # What streams ask of their host

    def session_on(self, ws: X) -> Session[X] | None:
        """The session that a WebSocket or stream carries."""
        return self._websockets[ws]

    def greeted(self, stream: Stream[X], sid: str | None, now: float) -> None:
        """The first frame of a stream has told whose it is."""
        ws = stream.token
        stream.awaited = False
        self._deadlines.forget(stream)
        if sid is None:
            if not self._admission.takes_session(stream.request):
                self.close_websocket(ws, None)
                return
            session = self._new_session(stream.request, {"EIO": "4"}, "webtransport", ws, now)
            self._websockets[ws] = session
            self.put(SessionOpened(session.sid, stream.request, session.dialect.revision))
            for message in first_messages(session.sid, (), self.config):
                session.send(message)
            return
        known = self._admission.upgradable(sid)
        if known is None:
            self.close_websocket(ws, None)
            return
        self._websockets[ws] = known
        known.candidate_opened(ws, "webtransport", False, now)

    # Inside

    def _clamp(self, now: float) -> float:
        """Time never runs backwards in here."""
        if now > self._now:  # on every path, and a call of ``max`` takes six times as long
            self._now = now
        return self._now

    def _fact(self, now: float) -> float:
        self._awake = True  # whoever states a fact drains afterwards
        return self._clamp(now)

    def _session_of(self, ws: X, fact: str) -> Session[X] | None:
        of_stream = fact[:3] == "wt_"
        if ws in self._websockets and (ws in self._streams) is of_stream:
            return self._websockets[ws]
        kind = "stream" if of_stream else "websocket"
        raise LocalProtocolError(f"{fact}: {kind} {ws!r} was not accepted")

    def _open_polling(
        self, exchange: X, request: Request, query: Mapping[str, str], now: float
    ) -> None:
        session = self._new_session(request, query, "polling", None, now)
        upgrades = upgrades_of(self.config, session.dialect.revision)
        headers, body = session.shape(first_messages(session.sid, upgrades, self.config))
        headers += self._answers.cookie(session.sid)
        self._succeed(exchange, headers, body, compress=True, opens=True)
        self.put(SessionOpened(session.sid, request, session.dialect.revision))

    def _new_session(
        self,
        request: Request,
        query: Mapping[str, str],
        transport: str,
        ws: X | None,
        now: float,
    ) -> Session[X]:
        for _ in range(_SID_ATTEMPTS):
            sid = self._new_sid()
            if sid not in self._sessions:
                break
        else:
            raise LocalProtocolError(f"new_sid returned only ids in use, the last {sid!r}")
        session: Session[X] = Session(
            sid,
            request,
            dialect_of(query, self.config),
            transport=transport,
            ws=ws,
            base64=bool(query.get("b64")),
            host=self,
            config=self.config,
            now=now,
        )
        self._sessions[sid] = session
        return session

    def _accept(self, ws: X, session: Session[X], request: Request) -> None:
        self._websockets[ws] = session
        headers = self._answers.shared(request)
        headers += self._answers.added(request, opens=session.ws == ws)
        self.put(WsAccept(ws, headers, self.config.max_payload))

    def _succeed(
        self, exchange: X, headers: Headers, body: bytes, *, compress: bool, opens: bool
    ) -> None:
        request = self._requests[exchange]
        if compress:
            encoding, body = self._answers.encoded(request, body)
            headers += encoding
        headers += self._answers.for_browser(request)
        headers += self._answers.added(request, opens=opens)
        self._answer(exchange, 200, headers, body)

    def _answer(self, exchange: X, status: int, headers: Headers, body: bytes) -> None:
        self._exchanges.pop(exchange, None)
        headers += self._answers.shared(self._requests.pop(exchange))
        self.put(HttpRespond(exchange, status, headers, body))

    def _hook_failed(self, request: Request, error: Exception) -> None:
        self.put(HookFailed(request, error))
