"""One Engine.IO session of a server: its buffer, its transports, its heartbeat, its end.

Two things move independently:

* the state goes ``OPEN -> CLOSING -> CLOSED``, or straight to ``CLOSED``. ``CLOSING`` is a close
  that
  still has something to deliver: to the next poll, or after the WebSocket batch in flight.
* the transport is ``polling``, ``websocket`` or ``webtransport``. The last two differ in nothing
  that a session could see: both carry messages, and whatever is said of WebSockets here holds for
  WebTransport streams. A session that began on polling may have a *candidate*: a WebSocket that has
  yet to prove itself. The candidate becomes the transport when
  ``5`` arrives on it, and until then nothing but ``3probe`` is sent there (EIO-UPS-05).

Everything that a session needs to know about the world around it is in :class:`Host`.
"""

from __future__ import annotations

import enum
from math import inf
from typing import Generic, Protocol

from sioproto._errors import DecodeError, LimitError, RemoteProtocolError
from sioproto._output import Output
from sioproto.engineio._config import ServerConfig
from sioproto.engineio._dialect import Dialect
from sioproto.engineio._headers import Headers
from sioproto.engineio._message import Message, WsFrame
from sioproto.engineio._outputs import (
    CloseReason,
    MessageReceived,
    SessionClosed,
    SessionUpgraded,
    X,
)
from sioproto.engineio._packet import PacketType
from sioproto.engineio._request import BAD_REQUEST, UNKNOWN_SID, Refusal, Request

PING = Message("2")
PONG = Message("3")
CLOSE = Message("1", compress=False)
NOOP = Message("6", compress=False)
PROBE_ANSWER = WsFrame("3probe")

MESSAGE_OVERHEAD = 100
"""What a buffered message counts for besides its content, so that empty ones are not free."""

MAX_PROBES = 16
"""More unanswered probes than this on a candidate that does not take its answers end it."""

POST_HEADERS: Headers = (("content-type", "text/html"), ("cache-control", "no-store"))


class State(enum.Enum):
    """How far a session has come."""

    OPEN = enum.auto()
    CLOSING = enum.auto()
    CLOSED = enum.auto()


_OPEN = State.OPEN
_MESSAGE = PacketType.MESSAGE
# For what every message passes: before Python 3.12, to look up a member of an enumeration takes
# eight times as long as this, in all a tenth of the time of a one-way event.


class Timer(enum.IntEnum):
    """What a session can be waiting for."""

    PING_AT = 0
    LIFE_BY = 1
    UPGRADE_BY = 2
    NOOP_AT = 3
    CLOSE_BY = 4
    RESUME_BY = 5


class Host(Protocol[X]):
    """What a session asks of the server that owns it."""

    def put(self, out: Output) -> None:
        """Queue an output that ends nothing."""

    def respond(
        self, exchange: X, headers: Headers, body: bytes, *, compress: bool = False
    ) -> None:
        """Answer an exchange with status 200, in fewer bytes if that is allowed and wanted."""

    def refuse(self, exchange: X, refusal: Refusal) -> None:
        """Answer an exchange with an error of the refusal table."""

    def send_frames(self, ws: X, frames: list[WsFrame]) -> None:
        """Send messages on a WebSocket; ``ws_sent`` follows."""

    def close_websocket(self, ws: X, code: int | None) -> None:
        """Close a WebSocket: nothing that it still sends reaches the session."""

    def touch(self, session: Session[X]) -> None:
        """The session has something to flush when outputs are next drained."""

    def moved(self, session: Session[X]) -> None:
        """The session's deadline has changed."""

    def ended(self, session: Session[X]) -> None:
        """The session is closed."""


class Candidate(Generic[X]):
    """A WebSocket that may become a session's transport."""

    __slots__ = ("base64", "busy", "owed", "transport", "ws")

    def __init__(self, ws: X, transport: str, base64: bool) -> None:
        self.ws = ws
        self.transport = transport
        self.base64 = base64
        self.busy = False
        self.owed = 0
        """Answers to probes that wait for the batch in flight."""


class Session(Generic[X]):
    """One session. Its methods are the facts and commands of the server, already routed."""

    __slots__ = (
        "_busy",
        "_config",
        "_host",
        "_life_owed",
        "_post_type",
        "_timers",
        "base64",
        "buffer",
        "buffered",
        "candidate",
        "deadline",
        "dialect",
        "dirty",
        "poll",
        "post",
        "probed",
        "request",
        "sid",
        "state",
        "transport",
        "wake_at",
        "ws",
    )

    def __init__(
        self,
        sid: str,
        request: Request,
        dialect: Dialect,
        *,
        transport: str,
        ws: X | None,
        base64: bool,
        host: Host[X],
        config: ServerConfig,
        now: float,
    ) -> None:
        self.sid = sid
        self.request = request
        self.dialect = dialect
        self.state = State.OPEN
        self.transport = transport
        self.poll: X | None = None
        self.post: X | None = None
        self.ws = ws
        self.candidate: Candidate[X] | None = None
        self.probed = False
        self.base64 = base64
        self.buffer: list[Message] = []
        self.buffered = 0
        self.dirty = False
        self.deadline = self.wake_at = inf
        self._busy = False
        self._life_owed = not dialect.server_pings
        self._post_type: str | None = None
        self._host = host
        self._config = config
        self._timers = [inf] * len(Timer)
        if dialect.server_pings:
            self._arm(Timer.PING_AT, now + config.ping_interval)
        else:
            self._await_life(now)

    def __repr__(self) -> str:
        upgrading = ", upgrading" if self.candidate is not None else ""
        return (
            f"<Session {self.sid} {self.state.name.lower()} on {self.transport}{upgrading}, "
            f"{len(self.buffer)} buffered>"
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
            self.finish(CloseReason.FORCED_CLOSE)
            return
        if timers[Timer.LIFE_BY] <= now:
            self.finish(CloseReason.PING_TIMEOUT)
            return
        if timers[Timer.RESUME_BY] <= now:
            error = LimitError(
                "what the peer sent is not handled", rule="EIO-HB-03", limit="stall_timeout"
            )
            self.finish(CloseReason.FORCED_CLOSE, error)
            return
        if timers[Timer.PING_AT] <= now:
            self._arm(Timer.PING_AT, inf)
            # Counted from now, not from when the ping was due: after a pause of this process the
            # peer still gets its time to answer.
            self._life_owed = True
            self._await_life(now)
            self.send(PING)
        if timers[Timer.UPGRADE_BY] <= now:
            self.drop_candidate()
        if timers[Timer.NOOP_AT] <= now:
            self._arm(Timer.NOOP_AT, inf)
            if self.poll is not None:
                self._answer_poll(self._take_buffer() or [NOOP])

    def _await_life(self, now: float) -> None:
        """Give the peer its time for a sign of life, unless it cannot be heard."""
        heard = self.state is State.OPEN and self._timers[Timer.RESUME_BY] == inf
        if self._life_owed and heard:
            patience = self._config.ping_timeout
            if not self.dialect.server_pings:
                patience += self._config.ping_interval  # until it pings unasked (EIO-HB-23)
            self._arm(Timer.LIFE_BY, now + patience)

    def hold(self, now: float) -> None:
        """The application does not read this peer for a while: what it sent may be waiting."""
        if self.state is State.OPEN and self._timers[Timer.RESUME_BY] == inf:
            self._arm(Timer.RESUME_BY, now + self._config.stall_timeout)
            self._arm(Timer.LIFE_BY, inf)

    def resume(self, now: float) -> None:
        """The peer is read again."""
        self._arm(Timer.RESUME_BY, inf)
        self._await_life(now)

    # Sending

    def send(self, message: Message) -> bool:
        """Queue a packet. False if the session no longer takes any (EIO-CL-08)."""
        if self.state is not _OPEN:
            return False
        self.buffer.append(message)
        self.buffered += message.size + MESSAGE_OVERHEAD
        if self.buffered > self._config.max_buffer:
            error = LimitError(
                "the peer does not fetch what is sent", rule="EIO-WS-10", limit="max_buffer"
            )
            self._take_buffer()
            self.finish(CloseReason.FORCED_CLOSE, error)
            return False
        self._mark_dirty()
        return True

    def _mark_dirty(self) -> None:
        if not self.dirty:
            self.dirty = True
            self._host.touch(self)

    @property
    def writable(self) -> bool:
        """Whether the transport could take a message now: a poll, or a WebSocket without a batch.

        What was sent since the last drain does not count: it leaves together.
        """
        if self.state is not State.OPEN:
            return False
        return self.poll is not None if self.ws is None else not self._busy

    def flush(self) -> None:
        """Shape what is buffered into an effect, if the transport can take one."""
        self.dirty = False
        if not self.buffer:
            return
        if self.ws is not None:
            if not self._busy:
                self._send_batch(self.ws)
        elif self.poll is not None:
            self._answer_poll(self._take_buffer())

    def _take_buffer(self) -> list[Message]:
        messages, self.buffer = self.buffer, []
        self.buffered = 0
        return messages

    def _send_batch(self, ws: X) -> None:
        frames = self.dialect.frames(self._take_buffer(), self.base64)
        self._busy = True
        self._host.send_frames(ws, frames)

    def _answer_poll(self, messages: list[Message]) -> None:
        assert self.poll is not None
        exchange, self.poll = self.poll, None
        # One that must not be compressed is not safe beside others either (EIO-HC-02).
        compress = all(message.compress for message in messages)
        self._host.respond(exchange, *self.shape(messages), compress=compress)

    def shape(self, messages: list[Message]) -> tuple[Headers, bytes]:
        """The headers and the body of an answer to a poll."""
        content_type, body = self.dialect.encode_payload(messages, self.base64)
        return (("content-type", content_type), ("cache-control", "no-store")), body

    # Polling

    def poll_opened(self, exchange: X, now: float) -> None:
        """A GET arrived."""
        if self.poll is not None:
            self._host.refuse(exchange, BAD_REQUEST)
            self._misuse("two polls at once", "EIO-POLL-04")
            return
        self.poll = exchange
        if self.state is State.CLOSING and not self.buffer:
            self.finish(CloseReason.FORCED_CLOSE)
        elif self.buffer:
            self._mark_dirty()
        elif self.probed and self._timers[Timer.NOOP_AT] == inf:
            # Every poll during an upgrade is answered, and none at once: one noop is not enough if
            # the client polls again before it sees the answer to its probe (EIO-UPS-03).
            self._arm(Timer.NOOP_AT, now + self._config.noop_interval)

    def post_opened(self, exchange: X, content_type: str | None) -> bool:
        """A POST arrived. True if its body should be read."""
        if self.post is not None:
            self._host.refuse(exchange, BAD_REQUEST)
            self._misuse("two POSTs at once", "EIO-POLL-06")
            return False
        self.post = exchange
        self._post_type = content_type
        return True

    def post_body(self, body: bytes, now: float) -> None:
        """The body of the POST is complete."""
        exchange, self.post = self.post, None
        assert exchange is not None
        try:
            for packet in self.dialect.decode_payload(body, self._post_type):
                self._receive(packet.type, packet.data, now)
                if self.state is State.CLOSED:
                    break  # what follows is for nobody, and may be anything
        except DecodeError as error:
            self._host.refuse(exchange, BAD_REQUEST)
            self.finish(CloseReason.PARSE_ERROR, error)
        else:
            self._host.respond(exchange, POST_HEADERS, b"ok")

    def aborted(self, exchange: X) -> None:
        """The client dropped an exchange that was not answered yet."""
        if exchange == self.poll:
            self.poll = None
            self._misuse("a poll was aborted", "EIO-POLL-07")
        elif exchange == self.post:
            self.post = None
            self._misuse("a POST was aborted", "EIO-POLL-08")

    def _misuse(self, what: str, rule: str) -> None:
        self.finish(CloseReason.TRANSPORT_ERROR, RemoteProtocolError(what, rule=rule))

    # WebSocket

    def ws_frame(self, ws: X, frame: str | bytes, now: float) -> None:
        """A WebSocket message arrived, on the transport or on the candidate."""
        if self.candidate is not None and ws == self.candidate.ws:
            self._candidate_frame(self.candidate, frame, now)
            return
        # Most frames are messages, and need no packet made of them to be told so.
        if isinstance(frame, str):
            if frame[:1] == "4":
                self._receive(_MESSAGE, frame[1:], now)
                return
        elif self.dialect.bare_binary:
            self._receive(_MESSAGE, frame, now)
            return
        try:
            packet = self.dialect.decode_frame(frame)
        except DecodeError as error:
            self.finish(CloseReason.PARSE_ERROR, error)
        else:
            if packet is not None:
                self._receive(packet.type, packet.data, now)

    def ws_broken(self, ws: X, error: RemoteProtocolError) -> None:
        """What arrived cannot be cut into messages."""
        if self.candidate is not None and ws == self.candidate.ws:
            self.drop_candidate()
        else:
            self.finish(CloseReason.PARSE_ERROR, error)

    def ws_sent(self, ws: X) -> None:
        """The driver has written the last batch."""
        if self.candidate is not None and ws == self.candidate.ws:
            self.candidate.busy = False
            self._answer_probes(self.candidate)
            return
        self._busy = False
        if self.state is State.CLOSING:
            self.finish(CloseReason.FORCED_CLOSE)
        elif self.buffer:
            self._mark_dirty()

    def ws_closed(self, ws: X, error: Exception | None) -> None:
        """A WebSocket ended: closed by the peer, lost, or failed if there is an error."""
        if self.candidate is not None and ws == self.candidate.ws:
            self._forget_candidate()
            return
        self.ws = None
        if self.state is State.CLOSING:
            self.finish(CloseReason.FORCED_CLOSE)
        elif error is not None:
            self.finish(CloseReason.TRANSPORT_ERROR, error)
        else:
            self.finish(CloseReason.TRANSPORT_CLOSE)

    # Upgrade

    def candidate_opened(self, ws: X, transport: str, base64: bool, now: float) -> None:
        """A WebSocket was accepted as candidate."""
        self.candidate = Candidate(ws, transport, base64)
        self._arm(Timer.UPGRADE_BY, now + self._config.upgrade_timeout)

    def _candidate_frame(self, candidate: Candidate[X], frame: str | bytes, now: float) -> None:
        if frame == "2probe":
            self._await_life(now)
            candidate.owed += 1
            self.probed = True
            if self._timers[Timer.NOOP_AT] == inf:
                self._arm(Timer.NOOP_AT, now + self._config.noop_interval)
            self._answer_probes(candidate)
        elif frame and frame[0] == "5":  # some clients send data behind it: ignored
            self._switch(candidate)
        else:
            self.drop_candidate()

    def _answer_probes(self, candidate: Candidate[X]) -> None:
        if candidate.owed > MAX_PROBES:
            self.drop_candidate()
        elif candidate.owed and not candidate.busy:
            frames = [PROBE_ANSWER] * candidate.owed
            candidate.owed = 0
            candidate.busy = True
            self._host.send_frames(candidate.ws, frames)

    def _switch(self, candidate: Candidate[X]) -> None:
        """The client completed the upgrade: the candidate becomes the transport (EIO-UPS-04)."""
        if self.poll is not None:
            self._answer_poll([CLOSE])  # ends the transport, not the session (EIO-UPS-14)
        if self.post is not None:
            # Delivered later, its packets would overtake or be overtaken by those on the WebSocket.
            exchange, self.post = self.post, None
            self._host.refuse(exchange, BAD_REQUEST)
        self._forget_candidate()
        self.transport = candidate.transport
        self.ws = candidate.ws
        self.base64 = candidate.base64
        self._busy = candidate.busy
        self._host.put(SessionUpgraded(self.sid, self.transport))
        if self.state is State.CLOSING:
            if not self._busy:
                self.finish(CloseReason.FORCED_CLOSE)
        elif self.buffer:
            self._mark_dirty()

    def drop_candidate(self) -> None:
        """End an upgrade that failed. Polling goes on, and a new attempt is welcome."""
        if self.candidate is not None:
            self._host.close_websocket(self.candidate.ws, None)
            self._forget_candidate()

    def _forget_candidate(self) -> None:
        self.candidate = None
        self.probed = False
        self._arm(Timer.UPGRADE_BY, inf)
        self._arm(Timer.NOOP_AT, inf)

    # Receiving

    def _receive(self, kind: PacketType, data: str | bytes, now: float) -> None:
        if self.state is not _OPEN:
            if kind is PacketType.CLOSE and self.state is State.CLOSING:
                self.finish(CloseReason.TRANSPORT_CLOSE)
            return
        if kind is _MESSAGE:
            self._host.put(MessageReceived(self.sid, data))
        elif kind is PacketType.CLOSE:
            self.finish(CloseReason.TRANSPORT_CLOSE)
            return
        elif kind is PacketType.PONG:
            if not self.dialect.server_pings:
                self._misuse("a pong from the client", "EIO-PKT-15")
                return
            self._life_owed = False
            self._arm(Timer.LIFE_BY, inf)
            self._arm(Timer.PING_AT, now + self._config.ping_interval)
            return
        elif kind is PacketType.PING:
            if self.dialect.server_pings:
                self._misuse("a ping from the client", "EIO-PKT-14")
                return
            self.send(PONG)  # without the ping's data, as the reference does (EIO-HB-22)
        # Whoever sends is alive: a pong or a ping may be queued behind a large message (EIO-HB-05,
        # EIO-HB-23).
        if self._life_owed:
            self._await_life(now)

    # Closing

    def close(self, now: float, *, discard: bool) -> None:
        """Close the session, after delivering what is buffered unless ``discard`` is set."""
        if self.state is State.CLOSED or (self.state is State.CLOSING and not discard):
            return
        if discard:
            self._take_buffer()
        if discard or self._can_end_now():
            self.finish(CloseReason.FORCED_CLOSE)
        else:
            self.state = State.CLOSING
            for timer in (Timer.PING_AT, Timer.LIFE_BY, Timer.RESUME_BY):
                self._arm(timer, inf)
            self._arm(Timer.CLOSE_BY, now + self._config.close_timeout)

    def _can_end_now(self) -> bool:
        """Whether what is buffered can go out along with the end."""
        if self.ws is not None:
            return not self._busy
        return self.poll is not None and not self.buffer

    def finish(self, reason: CloseReason, error: Exception | None = None) -> None:
        """End the session now, with a last message on the transport if that can take one."""
        assert self.state is not State.CLOSED
        self.state = State.CLOSED
        messages = self._take_buffer()
        if self.poll is not None:
            # Never both: the official client acts on a close packet before it has handed on what
            # stands in front of it. One that asked to close gets a noop (EIO-POLL-16).
            asked = reason is CloseReason.TRANSPORT_CLOSE
            self._answer_poll(messages or [NOOP if asked else CLOSE])
        if self.post is not None:
            exchange, self.post = self.post, None
            self._host.refuse(exchange, UNKNOWN_SID)
        self.drop_candidate()
        if self.ws is not None:
            ws, self.ws = self.ws, None
            if messages and not self._busy:
                self.buffer = messages
                self._send_batch(ws)
            self._host.close_websocket(ws, 1008 if isinstance(error, LimitError) else None)
        self._timers = [inf] * len(Timer)
        self._host.put(SessionClosed(self.sid, reason, error))
        self._host.ended(self)
