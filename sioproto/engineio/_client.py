"""The Engine.IO client machine: its tokens, its clock, and one session after another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from math import inf
from urllib.parse import quote, urlencode

from sioproto._deadlines import Deadlines
from sioproto._errors import ClosedError, LocalProtocolError
from sioproto._output import Output, output
from sioproto.engineio._client_config import ClientConfig, Pairs
from sioproto.engineio._client_host import State
from sioproto.engineio._client_outputs import HttpAbort, HttpRequest, WsConnect
from sioproto.engineio._client_session import ClientSession
from sioproto.engineio._cookie_jar import Cookies
from sioproto.engineio._message import Message, message_of
from sioproto.engineio._outputs import CloseReason, WsClose

OWN_PARAMETERS = ("EIO", "transport", "sid", "t")
PATH = "/engine.io/"


@output
class EngineClientStatistics:
    """How much an :class:`EngineClient` holds."""

    exchanges: int
    """Requests under way."""
    websockets: int
    """WebSockets that the driver has not retired with ``ws_closed``, candidates included."""
    leaving: int
    """Sessions that are over for the application and still say good-bye."""
    buffered: int
    """What waits to be sent: characters and bytes, and a constant for each packet."""
    timers: int
    """Entries in the deadline heap, superseded ones included."""


class EngineClient:
    """The client side of Engine.IO: one session at a time, to one server.

    Facts never raise because of a peer. They raise ``LocalProtocolError`` when the driver breaks
    the contract about tokens.

    Args:
        config: limits, times and manners.
        nonce: makes a value that no request had before, so that no cache answers (EIO-CLI-05).
        wake: called when a command leaves something to drain or moves a deadline, and no drain is
            under way. At most once until the next drain.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        nonce: Callable[[], str],
        wake: Callable[[], None] | None = None,
    ) -> None:
        self.config = config or ClientConfig()
        self._nonce = nonce
        self._wake = wake
        self._awake = False
        self._now = -inf
        self._tokens = 0
        self._session: ClientSession | None = None
        self._sessions: dict[ClientSession, None] = {}  # the current one, and those that leave
        self._exchanges: dict[int, ClientSession] = {}
        self._websockets: dict[int, ClientSession | None] = {}  # None: closed by us, not retired
        self._dirty: list[ClientSession] = []
        self._queue: deque[Output] = deque()
        self._deadlines: Deadlines[ClientSession] = Deadlines()
        self._cookies = Cookies()
        self._remembered = False

    # Facts

    def http_response(
        self, exchange: int, status: int, headers: Pairs, body: bytes, *, now: float
    ) -> None:
        """The response to a request was read. Ignored if the request was given up meanwhile.

        Args:
            exchange: the token of the request.
            status: of the response.
            headers: of the response; names in lower case.
            body: of the response.
            now: seconds.

        Raises:
            LocalProtocolError: there never was such a request.
        """
        session = self._take_exchange(exchange, now)
        if session is not None:
            self._take_cookies(headers)
            session.answered(exchange, status, body, dict(headers).get("content-type"))

    def http_failed(self, exchange: int, error: Exception, *, now: float) -> None:
        """There is no response to a request: ``error`` tells why.

        Raises:
            LocalProtocolError: there never was such a request.
        """
        session = self._take_exchange(exchange, now)
        if session is not None:
            session.failed(exchange, error)

    def ws_opened(self, ws: int, headers: Pairs = (), *, now: float) -> None:
        """The server accepted a WebSocket.

        Raises:
            LocalProtocolError: there is no such WebSocket.
        """
        session = self._session_of(ws, now)
        self._take_cookies(headers)
        if session is not None:
            session.ws_opened(ws)

    def ws_refused(self, ws: int, status: int, headers: Pairs, body: bytes, *, now: float) -> None:
        """The server answered the request for a WebSocket otherwise. ``ws`` is retired.

        Raises:
            LocalProtocolError: there is no such WebSocket.
        """
        session = self._session_of(ws, now)
        del self._websockets[ws]
        self._take_cookies(headers)
        if session is not None:
            session.ws_refused(ws, status, body)

    def ws_text(self, ws: int, text: str, *, now: float) -> None:
        """A text message arrived, whole.

        Raises:
            LocalProtocolError: there is no such WebSocket.
        """
        session = self._session_of(ws, now)
        if session is not None:
            session.ws_frame(ws, text)

    def ws_binary(self, ws: int, data: bytes, *, now: float) -> None:
        """A binary message arrived, whole.

        Raises:
            LocalProtocolError: there is no such WebSocket.
        """
        session = self._session_of(ws, now)
        if session is not None:
            session.ws_frame(ws, data)

    def ws_sent(self, ws: int, *, now: float) -> None:
        """What the last ``WsSend`` asked for has been written.

        Raises:
            LocalProtocolError: there is no such WebSocket.
        """
        session = self._session_of(ws, now)
        if session is not None:
            session.ws_sent(ws)

    def ws_closed(self, ws: int, *, now: float, error: Exception | None = None) -> None:
        """A WebSocket has ended, whoever ended it, or could not be opened.

        Stated exactly once for each ``WsConnect`` that was not answered by ``ws_refused``.

        Args:
            ws: the token, retired with this.
            now: seconds.
            error: what went wrong, if the network failed, or the server broke the rules of
                WebSocket or passed a limit.

        Raises:
            LocalProtocolError: there is no such WebSocket.
        """
        session = self._session_of(ws, now)
        del self._websockets[ws]
        if session is not None:
            session.ws_closed(ws, error)

    def handle_timeout(self, *, now: float) -> None:
        """Do what is due. Harmless if nothing is."""
        now = self._fact(now)
        while (session := self._deadlines.pop_due(now)) is not None:
            session.handle_timeout(now)
            if session.state is not State.CLOSED:
                self._deadlines.moved(session)

    # Commands

    def open(self, *, now: float) -> None:
        """Open a session. ``Opened`` or ``OpenFailed`` follows.

        Raises:
            LocalProtocolError: there is a session already.
        """
        if self._current is not None:
            raise LocalProtocolError("there is a session already")
        self._clamp(now)
        transports = self.config.transports
        guess = self._remembered and transports[0] != "websocket"
        if guess:
            transports = ("websocket", *(name for name in transports if name != "websocket"))
        self._remembered = False
        fall_back = self.config.try_all_transports or guess
        session = ClientSession(self, self.config, transports, fall_back=fall_back)
        self._session = session
        self._sessions[session] = None

    def send(self, data: str | bytes) -> None:
        """Send a message. What is sent before the session is open follows the handshake.

        Raises:
            ClosedError: there is no session.
            LocalProtocolError: ``data`` is neither text nor bytes, or has a lone surrogate.
        """
        if not self.send_messages((message_of(data, True),)):
            raise ClosedError("there is no session")

    def send_messages(self, messages: Iterable[Message]) -> bool:
        """Send packets that are encoded already. False if there is no session."""
        session = self._current
        return session is not None and all(session.send(message) for message in messages)

    def close(self, *, now: float) -> None:
        """Close the session, if there is one.

        ``SessionClosed`` follows at once. What was sent before is delivered in the background,
        within ``close_timeout``, and ``open`` may be called meanwhile.
        """
        self._clamp(now)
        if (session := self._current) is not None:
            session.close()

    def hold(self, *, now: float) -> None:
        """The application does not read the server for a while.

        Until ``resume``, a ping that does not come costs nothing: it may be waiting to be read.
        After ``stall_timeout`` the session is closed, and the error names that limit.
        """
        self._clamp(now)
        if (session := self._current) is not None:
            session.hold()

    def resume(self, *, now: float) -> None:
        """The application reads the server again."""
        self._clamp(now)
        if (session := self._current) is not None:
            session.resume()

    def fail(self, error: Exception) -> None:
        """End the session, if there is one, for what the server did to the application."""
        if (session := self._current) is not None:
            session.finish(CloseReason.FORCED_CLOSE, error)

    # Queries and the drain

    @property
    def sid(self) -> str | None:
        """The id of the session, a secret: it is enough to join it. None if none is open."""
        session = self._current
        return None if session is None else session.sid or None

    @property
    def transport(self) -> str | None:
        """What the session runs on, or is being opened on. None if there is no session."""
        session = self._current
        return None if session is None else session.transport

    @property
    def opening(self) -> bool:
        """Whether a session is being opened."""
        session = self._current
        return session is not None and session.state is State.OPENING

    @property
    def writable(self) -> bool:
        """Whether what is sent now could be written at once, rather than wait."""
        session = self._current
        return session is not None and session.writable

    @property
    def buffered(self) -> int:
        """How much waits to be sent; 0 if there is no session."""
        session = self._current
        return 0 if session is None else session.outbox.size

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` is wanted next. May be early, never late."""
        return self._deadlines.next()

    def statistics(self) -> EngineClientStatistics:
        """Count what is held."""
        return EngineClientStatistics(
            exchanges=len(self._exchanges),
            websockets=len(self._websockets),
            leaving=len(self._sessions) - (self._current is not None),
            buffered=self.buffered,
            timers=len(self._deadlines),
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

    @property
    def now(self) -> float:
        """Seconds, as the last fact or command told."""
        return self._now

    def put(self, out: Output) -> None:
        """Queue an output."""
        self._queue.append(out)
        self.notify()

    def notify(self) -> None:
        """Tell the driver that there is something to drain, unless it knows."""
        if not self._awake:
            self._awake = True
            if self._wake is not None:
                self._wake()

    def request(self, session: ClientSession, post: tuple[str, bytes] | None = None) -> int:
        """Send a request to a session, or for a new one."""
        exchange = self._new_token()
        self._exchanges[exchange] = session
        target = self._target("polling", session.sid)
        if post is None:
            method, headers, body = "GET", self._headers(()), b""
        else:
            content_type, body = post
            method, headers = "POST", self._headers((("content-type", content_type),))
        self.put(HttpRequest(exchange, method, target, headers, body, self.config.max_payload))
        return exchange

    def abort(self, exchange: int) -> None:
        """Give up a request."""
        del self._exchanges[exchange]
        self.put(HttpAbort(exchange))

    def connect(self, session: ClientSession) -> int:
        """Open a WebSocket to a session, or for a new one."""
        ws = self._new_token()
        self._websockets[ws] = session
        target = self._target("websocket", session.sid)
        self.put(WsConnect(ws, target, self._headers(()), self.config.max_payload))
        return ws

    def close_websocket(self, ws: int, code: int | None) -> None:
        """Close a WebSocket: what it still brings is ignored until the driver retires it."""
        self._websockets[ws] = None
        self.put(WsClose(ws, code))

    def touch(self, session: ClientSession) -> None:
        """The session has something to flush."""
        self._dirty.append(session)
        self.notify()

    def moved(self, session: ClientSession) -> None:
        """The session's deadline has changed."""
        self._deadlines.moved(session)
        self.notify()

    def runs_on(self, transport: str) -> None:
        """A session has found its transport."""
        self._remembered = self.config.remember_upgrade and transport == "websocket"

    def ended(self, session: ClientSession) -> None:
        """The session needs nothing any more."""
        self._sessions.pop(session, None)
        self._deadlines.forget(session)

    # Inside

    @property
    def _current(self) -> ClientSession | None:
        """The session that the application has: none once it is told of the end."""
        session = self._session
        if session is None or session.state in (State.LEAVING, State.CLOSED):
            return None
        return session

    def _clamp(self, now: float) -> float:
        """Time never runs backwards in here."""
        self._now = max(self._now, now)
        return self._now

    def _fact(self, now: float) -> float:
        self._awake = True  # whoever states a fact drains afterwards
        return self._clamp(now)

    def _new_token(self) -> int:
        self._tokens += 1
        return self._tokens

    def _take_exchange(self, exchange: int, now: float) -> ClientSession | None:
        if not 0 < exchange <= self._tokens:
            raise LocalProtocolError(f"there never was an exchange {exchange!r}")
        self._fact(now)
        return self._exchanges.pop(exchange, None)

    def _session_of(self, ws: int, now: float) -> ClientSession | None:
        if ws not in self._websockets:
            raise LocalProtocolError(f"there is no websocket {ws!r}")
        self._fact(now)
        return self._websockets[ws]

    def _target(self, transport: str, sid: str) -> str:
        query = [pair for pair in self.config.query if pair[0] not in OWN_PARAMETERS]
        revision = str(self.config.revision)
        query += [("EIO", revision), ("transport", transport)]  # on every request (EIO-QP-12)
        if transport == "polling":
            query.append(("t", self._nonce()))
        if self.config.force_base64:
            query.append(("b64", "1"))
        if sid:
            query.append(("sid", sid))
        return f"{self.config.path or PATH}?{urlencode(query, quote_via=quote)}"

    def _headers(self, more: Pairs) -> Pairs:
        headers = (*self.config.headers, *more)
        cookies = self._cookies.header(self._now)
        if not cookies:
            return headers
        own = [value for name, value in headers if name == "cookie"]
        rest = tuple(pair for pair in headers if pair[0] != "cookie")
        return (*rest, ("cookie", "; ".join([*own, cookies])))

    def _take_cookies(self, headers: Pairs) -> None:
        if self.config.keep_cookies:
            self._cookies.take(headers, self._now)
