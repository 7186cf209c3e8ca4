"""One session of an Engine.IO client: opening, transports, upgrade, heartbeat, end.

The state goes ``OPENING -> OPEN -> LEAVING -> CLOSED``, and may skip what it does not need. Once it
is ``LEAVING`` the application has been told of the end; what it sent before is still delivered, and
the server is told good-bye, for a limited time.

The transport is ``polling`` or ``websocket``. A session that began on polling may have a
*candidate*, a WebSocket that it probes. Polls and POSTs go on until the probe is answered. Then no
new ones start, and when those in flight have finished the candidate becomes the transport
(EIO-UPC-03); if it fails before that, polling goes on (EIO-UPC-09).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf

from sioproto._errors import (
    ConnectionFailed,
    DecodeError,
    LimitError,
    RemoteProtocolError,
    SioprotoError,
)
from sioproto.engineio._client_candidate import Candidate
from sioproto.engineio._client_config import ClientConfig
from sioproto.engineio._client_handshake import (
    Handshake,
    because,
    explain_body,
    explain_status,
    parse_handshake,
    refusal_text,
)
from sioproto.engineio._client_host import Host, State, Timer
from sioproto.engineio._client_outputs import (
    Opened,
    OpenFailed,
    PingReceived,
    PongReceived,
    UpgradeFailed,
)
from sioproto.engineio._dialect import DIALECTS
from sioproto.engineio._message import Message
from sioproto.engineio._outbox import MESSAGE_OVERHEAD, Outbox
from sioproto.engineio._outputs import (
    CloseReason,
    MessageReceived,
    SessionClosed,
    SessionUpgraded,
    WsSend,
)
from sioproto.engineio._packet import PacketType

CLOSE = Message("1")
PING = Message("2")
PONG = Message("3")
PROBE = Message("2probe")
UPGRADE = Message("5")


class ClientSession:
    """One session. Its methods are the facts and commands of the client, already routed."""

    def __init__(
        self, host: Host, config: ClientConfig, transports: Iterable[str], *, fall_back: bool
    ) -> None:
        self.sid = ""
        self.state = State.OPENING
        self.transport = ""
        self.poll: int | None = None
        self.post: int | None = None
        self.ws: int | None = None
        self.candidate: Candidate | None = None
        self.outbox = Outbox()
        self.dirty = False
        self.deadline = self.wake_at = inf
        self._host = host
        self._config = config
        self._dialect = DIALECTS[config.revision]
        self._handshake: Handshake | None = None
        self._transports = deque(transports)
        self._fall_back = fall_back
        self._busy = False
        self._said_goodbye = False
        self._timers = [inf] * len(Timer)
        self._arm(Timer.OPEN_BY, host.now + config.open_timeout)
        self._begin()

    def __repr__(self) -> str:
        upgrading = ", upgrading" if self.candidate is not None else ""
        return (
            f"<ClientSession {self.sid or 'without id'} {self.state.name.lower()} "
            f"on {self.transport}{upgrading}, {len(self.outbox)} buffered>"
        )

    # Timers

    def _arm(self, timer: Timer, when: float) -> None:
        """Set a timer, or disarm it with ``inf``. Nothing else writes the table."""
        self._timers[timer] = when
        self.deadline = min(self._timers)
        self._host.moved(self)

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        timers = self._timers
        if timers[Timer.CLOSE_BY] <= now:
            self._end()
        elif timers[Timer.OPEN_BY] <= now:
            self._transports.clear()
            self._fail_to_open(ConnectionFailed("the server did not answer in time"))
        elif timers[Timer.PING_BY] <= now:
            self.finish(CloseReason.PING_TIMEOUT)
        elif timers[Timer.PING_AT] <= now:
            self._ping(now)
        elif timers[Timer.RESUME_BY] <= now:
            stalled = LimitError(
                "what the server sent is not handled", rule="EIO-HB-04", limit="stall_timeout"
            )
            self.finish(CloseReason.FORCED_CLOSE, stalled)
        elif timers[Timer.POST_BY] <= now:
            late = LimitError(
                "a POST was not answered in time", rule="EIO-CLI-03", limit="post_timeout"
            )
            if self.post is not None:
                self._host.abort(self.post)
            self._post_lost(late)
        elif timers[Timer.UPGRADE_BY] <= now:
            self.drop_candidate(
                LimitError("the upgrade took too long", rule="EIO-UPC-13", limit="upgrade_timeout")
            )

    # Opening

    def _begin(self) -> None:
        self.transport = self._transports.popleft()
        if self.transport == "polling":
            self.poll = self._host.request(self)
        else:
            self.ws = self._host.connect(self)

    def _fail_to_open(self, error: ConnectionFailed) -> None:
        """This transport did not open a session. Try the next one, or give up."""
        self._let_go()
        if self.state is State.LEAVING:
            self._end()
        elif self._fall_back and self._transports:
            self._begin()
        else:
            self.state = State.CLOSED
            self._host.put(OpenFailed(error))
            self._end()

    def _let_go(self) -> None:
        if self.poll is not None:
            self._host.abort(self.poll)
            self.poll = None
        if self.ws is not None:
            self._host.close_websocket(self.ws, None)
            self.ws = None

    def _opened(self, data: str | bytes) -> None:
        try:
            handshake = parse_handshake(data)
        except DecodeError as error:
            self._fail_to_open(because("the server opened a session in a wrong way", error))
            return
        self.sid = handshake.sid
        self._handshake = handshake
        self._arm(Timer.OPEN_BY, inf)
        if self.state is State.LEAVING:  # closed meanwhile: the server has to know (EIO-CL-11)
            self._part()
            return
        self.state = State.OPEN
        self._restart_heartbeat()
        if not self._dialect.server_pings:
            self._arm(Timer.PING_AT, self._host.now + handshake.ping_interval)
        self._host.put(Opened(self.sid, self.transport, handshake))
        self._host.runs_on(self.transport)
        self._mark_dirty()
        if (
            self.transport == "polling"
            and self._config.upgrade
            and "websocket" in self._config.transports
            and "websocket" in handshake.upgrades
        ):
            self.candidate = Candidate(self._host.connect(self))
            self._arm(Timer.UPGRADE_BY, self._host.now + self._config.upgrade_timeout)

    def _restart_heartbeat(self) -> None:
        """Give the server time for a sign of life. Where it pings, nothing else is one (EIO-HB-04,
        EIO-HB-06); otherwise any packet is (EIO-HB-20)."""
        assert self._handshake is not None
        silence = self._handshake.ping_interval + self._handshake.ping_timeout
        if self._timers[Timer.RESUME_BY] == inf:  # otherwise the ping may be waiting unread
            self._arm(Timer.PING_BY, self._host.now + silence)

    def _ping(self, now: float) -> None:
        """Ask the server for a sign of life."""
        assert self._handshake is not None
        if self._timers[Timer.RESUME_BY] == inf:
            late = now + self._handshake.ping_timeout
            self._arm(Timer.PING_BY, min(late, self._timers[Timer.PING_BY]))  # never put off
        self._arm(Timer.PING_AT, now + self._handshake.ping_interval)
        self.outbox.put_first(PING)
        self._check_outbox()

    def hold(self) -> None:
        """The application does not read the server for a while."""
        if self.state is State.OPEN and self._timers[Timer.RESUME_BY] == inf:
            self._arm(Timer.RESUME_BY, self._host.now + self._config.stall_timeout)
            self._arm(Timer.PING_BY, inf)

    def resume(self) -> None:
        """The server is read again."""
        if self._timers[Timer.RESUME_BY] != inf:
            self._arm(Timer.RESUME_BY, inf)
            if self.state is State.OPEN:
                self._restart_heartbeat()

    # Sending

    def send(self, message: Message) -> bool:
        """Queue a packet. False if the session takes none any more (EIO-CL-08)."""
        if self.state not in (State.OPENING, State.OPEN):
            return False
        self.outbox.put(message)
        return self._check_outbox()

    def _check_outbox(self) -> bool:
        if self.outbox.size > self._config.max_buffer:
            error = LimitError(
                "the server does not take what is sent", rule="EIO-CLI-06", limit="max_buffer"
            )
            self.finish(CloseReason.FORCED_CLOSE, error)
            return False
        self._mark_dirty()
        return True

    def _mark_dirty(self) -> None:
        if not self.dirty:
            self.dirty = True
            self._host.touch(self)

    @property
    def _pausing(self) -> bool:
        """Whether polling is to end as soon as nothing is in flight."""
        return self.candidate is not None and self.candidate.answered

    @property
    def writable(self) -> bool:
        """Whether what is sent now would leave at the next drain."""
        if self.state is not State.OPEN:
            return False
        if self.transport == "websocket":
            return not self._busy
        return self.post is None and not self._pausing

    def flush(self) -> None:
        """Shape what is buffered into an effect, if the transport can take one."""
        self.dirty = False
        if self.state is State.CLOSED or not self.sid:
            return
        if self.transport == "websocket":
            if not self._busy:
                self._flush_websocket()
        elif self.post is None and not self._pausing:
            assert self._handshake is not None
            limit, dialect = self._handshake.max_payload, self._dialect
            messages = self.outbox.take_payload(limit, dialect.weigh)  # EIO-CLI-06
            if not messages and self.state is State.LEAVING:
                # Alone: with messages in front of it, the reference closes before it handles them.
                messages = [CLOSE]
                self._said_goodbye = True
            if not messages:
                return
            post = dialect.encode_payload(messages, self._config.force_base64)
            self.post = self._host.request(self, post)
            self._arm(Timer.POST_BY, self._host.now + self._config.post_timeout)

    def _flush_websocket(self) -> None:
        assert self.ws is not None
        if self.outbox:
            self._busy = True
            frames = self._dialect.frames(self.outbox.take_all(), self._config.force_base64)
            self._host.put(WsSend(self.ws, frames))
        if self.state is State.LEAVING:
            self._end()

    # Polling

    def answered(self, exchange: int, status: int, body: bytes, content_type: str | None) -> None:
        """A response arrived."""
        if exchange == self.post:
            if status == 200:  # exactly, and whatever the body says (EIO-CLI-04)
                self._post_done()
            else:
                self._post_lost(explain_status(status, body, self._dialect))
            return
        self.poll = None
        if self.state is State.LEAVING and self.sid:
            return
        failure: SioprotoError | None = None
        if status != 200:
            failure = explain_status(status, body, self._dialect)
        elif len(body) > self._config.max_payload:
            failure = LimitError("a response is too large", rule="EIO-CLI-04", limit="max_payload")
        elif not self.sid:
            failure = explain_body(body, self._dialect)
        if failure is None:
            self._payload(body, content_type)
        elif not self.sid:
            self._fail_to_open(because("the session cannot be opened", failure))
        else:
            self.finish(CloseReason.TRANSPORT_ERROR, failure)

    def _payload(self, body: bytes, content_type: str | None) -> None:
        try:
            for packet in self._dialect.decode_payload(body, content_type):
                self._receive(packet.type, packet.data)
                over = self.state is State.CLOSED or (self.state is State.LEAVING and not self.sid)
                if over or self.transport != "polling":  # no session was opened: another is tried
                    return  # what follows is for nobody
        except DecodeError as error:
            self._misread(error)
        if self.state is State.OPEN:
            self._poll_on()

    def _poll_on(self) -> None:
        if not self._pausing:
            if self.poll is None:
                self.poll = self._host.request(self)
        else:
            self._try_switch()

    def failed(self, exchange: int, error: Exception) -> None:
        """There is no response, and will be none."""
        failure = because("the connection failed", error)
        if exchange == self.post:
            self._post_lost(failure)
            return
        self.poll = None
        if not self.sid:
            self._fail_to_open(failure)
        elif self.state is State.OPEN:
            self.finish(CloseReason.TRANSPORT_ERROR, failure)

    def _post_done(self) -> None:
        self.post = None
        self._arm(Timer.POST_BY, inf)
        if self._said_goodbye:
            self._end()
            return
        if self.outbox or self.state is State.LEAVING:
            self._mark_dirty()
        if self._pausing:
            self._try_switch()

    def _post_lost(self, error: SioprotoError) -> None:
        """What it carried is lost, and with it the order of what follows."""
        self.post = None
        if self.state is State.OPEN:
            self.finish(CloseReason.TRANSPORT_ERROR, error, farewell=False)
        else:
            self._end()

    # WebSocket

    def ws_opened(self, ws: int) -> None:
        """The server accepted a WebSocket."""
        if self.candidate is not None and ws == self.candidate.ws:
            self.candidate.busy = True
            self._host.put(WsSend(ws, [PROBE.frame]))

    def ws_refused(self, ws: int, status: int, body: bytes) -> None:
        """The server answered with something else than a WebSocket."""
        text = refusal_text(body)
        words = f": {text}" if text else ""
        error = ConnectionFailed(f"no WebSocket: HTTP status {status}{words}")
        self.ws_closed(ws, error)

    def ws_frame(self, ws: int, frame: str | bytes) -> None:
        """A WebSocket message arrived, on the transport or on the candidate."""
        candidate = self.candidate
        if candidate is not None and ws == candidate.ws:
            self._candidate_frame(candidate, frame)
        else:
            self._frame(frame)

    def _frame(self, frame: str | bytes) -> None:
        try:
            packet = self._dialect.decode_frame(frame)
        except DecodeError as error:
            self._misread(error)
            return
        if packet is not None:
            self._receive(packet.type, packet.data)

    def ws_sent(self, ws: int) -> None:
        """The driver has written the last batch."""
        if self.candidate is not None and ws == self.candidate.ws:
            self.candidate.busy = False
        else:
            self._busy = False
            if self.outbox or self.state is State.LEAVING:
                self._mark_dirty()

    def ws_closed(self, ws: int, error: Exception | None) -> None:
        """A WebSocket has ended, or never began."""
        if self.candidate is not None and ws == self.candidate.ws:
            self._forget_candidate(error or ConnectionFailed("the server closed the WebSocket"))
            return
        self.ws = None
        if not self.sid:
            cause = error or ConnectionFailed("the server closed the WebSocket")
            self._fail_to_open(because("the WebSocket cannot be opened", cause))
        elif self.state is State.LEAVING:
            self._end()
        elif error is not None:
            self.finish(CloseReason.TRANSPORT_ERROR, error)
        else:
            self.finish(CloseReason.TRANSPORT_CLOSE)

    # Upgrade

    def _candidate_frame(self, candidate: Candidate, frame: str | bytes) -> None:
        if candidate.answered:
            candidate.early.append(frame)
            candidate.early_size += len(frame) + MESSAGE_OVERHEAD
            if candidate.early_size > self._config.max_payload:
                error = LimitError(
                    "too much before the switch", rule="EIO-UPC-10", limit="max_payload"
                )
                self.finish(CloseReason.TRANSPORT_ERROR, error)
        elif frame == "3probe":
            candidate.answered = True
            self._try_switch()
        else:
            # Never to be the transport, so it is closed rather than left open (EIO-UPC-08).
            self.drop_candidate(DecodeError("no answer to the probe", rule="EIO-UPC-08"))

    def _try_switch(self) -> None:
        """Make the candidate the transport, unless something is still in flight (EIO-UPC-03)."""
        candidate = self.candidate
        if candidate is None or self.poll is not None or self.post is not None:
            return
        self.candidate = None
        self._arm(Timer.UPGRADE_BY, inf)
        self.transport = "websocket"
        self.ws = candidate.ws
        self._busy = candidate.busy
        self._host.put(SessionUpgraded(self.sid))
        self._host.runs_on("websocket")
        self.outbox.put_first(UPGRADE)
        if not self._check_outbox():
            return
        for frame in candidate.early:
            if self.state is State.OPEN:
                self._frame(frame)

    def drop_candidate(self, error: Exception) -> None:
        """End an upgrade that failed. Polling goes on."""
        if self.candidate is not None:
            self._host.close_websocket(self.candidate.ws, None)
            self._forget_candidate(error)

    def _forget_candidate(self, error: Exception) -> None:
        self.candidate = None
        self._arm(Timer.UPGRADE_BY, inf)
        if self.state is State.OPEN:
            self._host.put(UpgradeFailed(self.sid, error))
            self._poll_on()
            self._mark_dirty()

    # Receiving

    def _receive(self, kind: PacketType, data: str | bytes) -> None:
        if not self.sid:
            if kind is PacketType.OPEN:
                self._opened(data)
            else:
                self._fail_to_open(
                    ConnectionFailed(
                        "the answer is not from an Engine.IO server: there is no open packet"
                    )
                )
            return
        if self.state is State.LEAVING:
            return
        server_pings = self._dialect.server_pings
        if kind is PacketType.PING or not server_pings:
            self._restart_heartbeat()
        if kind is PacketType.MESSAGE:
            self._host.put(MessageReceived(self.sid, data))
        elif kind is PacketType.PING and not server_pings:
            error = RemoteProtocolError(
                "the server pings, which is revision 4 of Engine.IO, "
                "and this client speaks revision 3",
                rule="EIO-HB-24",
            )
            self.finish(CloseReason.TRANSPORT_ERROR, error)
        elif kind is PacketType.PONG and not server_pings:
            assert self._handshake is not None
            self._arm(Timer.PING_AT, self._host.now + self._handshake.ping_interval)
            self._host.put(PongReceived(self.sid))
        elif kind is PacketType.PING:
            self._host.put(PingReceived(self.sid))
            # In front of what waits: the server's patience does not depend on how much that is.
            self.outbox.put_first(PONG)
            self._check_outbox()
        elif kind is PacketType.CLOSE:
            # On WebSocket too, where the reference ignores it (EIO-CLI-12).
            self.finish(CloseReason.TRANSPORT_CLOSE, farewell=False)
        elif kind is PacketType.OPEN:
            error = RemoteProtocolError("a second open packet", rule="EIO-CLI-11")
            self.finish(CloseReason.TRANSPORT_ERROR, error)

    def _misread(self, error: DecodeError) -> None:
        if self.sid:
            self.finish(CloseReason.PARSE_ERROR, error)
        else:
            self._fail_to_open(because("the answer is not from an Engine.IO server", error))

    # The end

    def close(self) -> None:
        """The application wants no more of it. What it sent before is still delivered."""
        if self.state is State.OPENING:
            self.state = State.LEAVING
            self._host.put(SessionClosed(self.sid, CloseReason.FORCED_CLOSE, None))
            self._arm(Timer.OPEN_BY, inf)
            if self.poll is None:
                self._let_go()
                self._end()
            else:  # the server may have opened the session already (EIO-CL-11)
                self._arm(Timer.CLOSE_BY, self._host.now + self._config.close_timeout)
        elif self.state is State.OPEN:
            self._host.put(SessionClosed(self.sid, CloseReason.FORCED_CLOSE, None))
            self._part()

    def finish(
        self, reason: CloseReason, error: Exception | None = None, *, farewell: bool = True
    ) -> None:
        """End the session for a reason that is not the application's. What is buffered is lost.

        Args:
            reason: why.
            error: what exactly went wrong.
            farewell: whether to tell the server, as far as the transport can (EIO-CL-12).
        """
        if self.state not in (State.OPENING, State.OPEN):
            return
        self.outbox.clear()
        self._host.put(SessionClosed(self.sid, reason, error))
        if farewell and self.sid:
            self._part(1009 if isinstance(error, LimitError) else None)
        else:
            self.state = State.CLOSED
            self._end()

    def _part(self, code: int | None = None) -> None:
        """Deliver what is buffered, tell the server good-bye, and end, all within a limited time.

        An upgrade under way is given up: polling is enough for what is left.
        """
        self.state = State.LEAVING
        for timer in (Timer.OPEN_BY, Timer.PING_AT, Timer.PING_BY, Timer.RESUME_BY):
            self._arm(timer, inf)
        if self.candidate is not None:
            self._host.close_websocket(self.candidate.ws, None)
            self.candidate = None
            self._arm(Timer.UPGRADE_BY, inf)
        if self.transport == "websocket" and (self.ws is None or not (self.outbox or self._busy)):
            self._end(code)
            return
        self._arm(Timer.CLOSE_BY, self._host.now + self._config.close_timeout)
        self._mark_dirty()

    def _end(self, code: int | None = None) -> None:
        """Let go of everything."""
        self.state = State.CLOSED
        for exchange in (self.poll, self.post):
            if exchange is not None:
                self._host.abort(exchange)
        self.poll = self.post = None
        for ws in (self.ws, self.candidate.ws if self.candidate is not None else None):
            if ws is not None:
                self._host.close_websocket(ws, code)
        self.ws = self.candidate = None
        self._timers = [inf] * len(Timer)
        self._host.ended(self)
