"""Breaks of the polling transport, of payloads, and of the end of sessions."""

from __future__ import annotations

from typing import Any

from sioproto import DecodeError
from sioproto.engineio import _dialect
from sioproto.engineio._message import Message
from sioproto.engineio._outputs import CloseReason
from sioproto.engineio._packet import PacketType, decode_packet
from sioproto.engineio._request import BAD_REQUEST
from sioproto.engineio._server import EngineServer
from sioproto.engineio._session import NOOP, POST_HEADERS, Session
from sioproto_conformance.broken import Original, break_by, broken

# Payloads


@broken(
    _dialect,
    "decode_payload",
    rule="EIO-P4-01",
    case="eio4.payload.several-packets.arrive-in-order",
    wide="Over polling, cases send attachments, and bursts, in one POST.",
)
def only_first_packet_of_a_payload(original: Original, body: bytes) -> Any:
    """Of several packets in one POST, the first alone is read."""
    return original(body.partition(b"\x1e")[0])


@broken(
    _dialect,
    "encode_payload",
    rule="EIO-P4-01b",
    case="eio4.payload.batch-into-pending-poll.separated",
    wide="Whatever is polled two packets at a time is cut at the wrong place.",
)
def packets_joined_by_line_feeds(original: Original, messages: list[Message]) -> bytes:
    """Several packets of one answer stand on lines of their own."""
    body: bytes = original(messages)
    return body.replace(b"\x1e", b"\n")


break_by(
    Message,
    "text",
    Message.text_v3,
    name="base64-of-revision-3",
    what="Over polling, binary is sent with the type that revision 3 has in front of it.",
    rule="EIO-P4-02",
    case="eio4.message.binary.echoed[polling,four-bytes]",
    wide="Every binary message by polling is written in this way.",
)


@broken(
    _dialect,
    "decode_payload",
    rule="EIO-P4-03",
    case="eio4.payload.empty-packet.closes-session[doubled]",
)
def empty_packets_skipped(original: Original, body: bytes) -> Any:
    """Empty packets in a payload are passed over."""
    rest = b"\x1e".join(filter(None, body.split(b"\x1e")))
    return original(rest) if rest else iter(())


@broken(
    Session,
    "_answer_poll",
    rule="EIO-P4-06b",
    case="eio4.limits.answer-over-limit.complete",
)
def answer_cut_at_max_payload(original: Original, self: Any, messages: list[Message]) -> None:
    """What does not fit into an answer of maxPayload is forgotten."""
    left = self._config.max_payload
    kept = [message for message in messages if (left := left - message.size) >= 0]
    original(self, kept or [NOOP])


@broken(
    _dialect,
    "decode_payload",
    rule="EIO-PKT-11",
    case="eio4.message.text.echoed[polling,latin]",
    wide="Cases send text beyond ASCII wherever text is sent by polling.",
)
def payload_read_as_latin_1(original: Original, body: bytes) -> Any:
    """A payload is read one character a byte."""
    return original(body.decode("iso-8859-1").encode())


# Polls and POSTs


@broken(
    EngineServer,
    "respond",
    rule="EIO-POLL-03",
    case="eio4.polling.post.answered-ok",
)
def post_answered_with_nothing(
    original: Original, self: Any, exchange: Any, headers: Any, body: bytes, **options: Any
) -> None:
    """A POST that was taken is answered with an empty body."""
    original(self, exchange, headers, b"" if body == b"ok" else body, **options)


@broken(
    Session,
    "poll_opened",
    rule="EIO-POLL-02",
    case="eio4.polling.buffered-message.answered-at-once",
    wide="By polling, most answers are there before the poll is.",
)
def buffer_waits_for_the_next_message(
    original: Original, self: Any, exchange: Any, now: float
) -> None:
    """A poll that finds a message buffered is not answered before there is another."""
    buffer, self.buffer = self.buffer, []
    original(self, exchange, now)
    self.buffer = buffer + self.buffer


@broken(
    Session,
    "poll_opened",
    rule="EIO-POLL-04",
    case="eio4.polling.overlapping-get.closes-session",
)
def overlapping_poll_only_refused(original: Original, self: Any, exchange: Any, now: float) -> None:
    """A second poll beside a pending one is refused, and the session goes on."""
    if self.poll is None:
        original(self, exchange, now)
    else:
        self._answer_poll([NOOP])
        self._host.refuse(exchange, BAD_REQUEST)


@broken(
    Session,
    "poll_opened",
    rule="EIO-POLL-04b",
    case="eio4.polling.overlapping-get.closes-session",
)
def overlapping_poll_answered_with_ok(
    original: Original, self: Any, exchange: Any, now: float
) -> None:
    """A second poll beside a pending one ends the session, but is not told so by its status."""
    if self.poll is None:
        original(self, exchange, now)
    else:
        self._host.respond(exchange, *self.shape([NOOP]))
        self._misuse("two polls at once", "EIO-POLL-04")


@broken(
    Session,
    "post_opened",
    rule="EIO-POLL-06",
    case="eio4.polling.overlapping-post.closes-session",
)
def overlapping_posts_accepted(original: Original, self: Any, *args: Any) -> Any:
    """A second POST before the first is answered is taken like any other."""
    first, self.post = self.post, None
    if first is not None:
        self._host.respond(first, POST_HEADERS, b"ok")
    return original(self, *args)


@broken(
    Session,
    "post_opened",
    rule="EIO-POLL-06b",
    case="eio4.polling.overlapping-post.closes-session",
)
def overlapping_post_in_conflict(original: Original, self: Any, exchange: Any, *args: Any) -> Any:
    """A second POST beside an unfinished one ends the session, but is refused with status 409."""
    if self.post is None:
        return original(self, exchange, *args)
    self._host._answer(exchange, 409, (), b"")
    self._misuse("two POSTs at once", "EIO-POLL-06")
    return False


@broken(
    Session,
    "aborted",
    rule="EIO-POLL-07",
    case="eio4.polling.dropped-poll.ends-session[closed]",
)
def dropped_poll_forgiven(original: Original, self: Any, exchange: Any) -> None:
    """A client that drops its poll may poll again."""
    if exchange == self.poll:
        self.poll = None
    else:
        original(self, exchange)


@broken(
    Session,
    "aborted",
    rule="EIO-POLL-08",
    case="eio4.polling.dropped-post.ends-session[closed]",
)
def dropped_post_forgiven(original: Original, self: Any, exchange: Any) -> None:
    """A client that drops its POST may post again."""
    if exchange == self.post:
        self.post = None
    else:
        original(self, exchange)


@broken(
    EngineServer,
    "http_body",
    rule="EIO-POLL-09b",
    case="eio4.limits.post-over-limit.not-delivered[chunked]",
)
def body_cut_at_the_limit(
    original: Original, self: Any, exchange: Any, data: bytes, *, now: float
) -> None:
    """Of a chunked body over the limit, the rest is thrown away."""
    original(self, exchange, data[: self.config.max_payload], now=now)


@broken(
    Session,
    "post_opened",
    rule="EIO-POLL-11b",
    case="eio4.payload.octet-stream.answered",
)
def octet_stream_left_hanging(
    original: Original, self: Any, exchange: Any, content_type: str | None
) -> Any:
    """A POST labelled as binary is never answered."""
    return content_type != "application/octet-stream" and original(self, exchange, content_type)


@broken(
    Session,
    "finish",
    rule="EIO-POLL-14",
    case="eio4.payload.packets-behind-invalid-one.not-delivered",
    wide="Each way to write a payload wrongly has a case of its own, which awaits the end.",
)
def invalid_packet_only_refused(
    original: Original, self: Any, reason: CloseReason, error: Any = None
) -> None:
    """An invalid packet in a POST costs that POST, and not the session."""
    if reason is not CloseReason.PARSE_ERROR or self.ws is not None:
        original(self, reason, error)


@broken(
    Session,
    "post_body",
    rule="EIO-PKT-09b",
    case="eio4.message.invalid-base64.decided[polling,stray-characters]",
)
def invalid_base64_left_hanging(original: Original, self: Any, body: bytes, now: float) -> None:
    """A POST with broken base64 is never answered."""
    try:
        if body[:1] == b"b":
            decode_packet(body.partition(b"\x1e")[0].decode())
    except DecodeError:
        return
    original(self, body, now)


# The end


@broken(
    Session,
    "_receive",
    rule="EIO-CL-01",
    case="eio4.close.packet-by-polling.ends-session",
    wide="Cases about what becomes of an ended session end it by such a packet.",
)
def close_packet_ignored(original: Original, self: Any, kind: PacketType, *args: Any) -> None:
    """A close packet sent by polling has no effect."""
    if kind is not PacketType.CLOSE or self.ws is not None:
        original(self, kind, *args)


@broken(
    EngineServer,
    "ended",
    rule="EIO-CL-09",
    case="eio4.close.ended-session.unknown[close-packet,post]",
    wide="Whether a session has ended is asked by its id.",
)
def ended_sessions_kept(original: Original, self: Any, session: Any) -> None:
    """A session that has ended is still found by its id."""
    original(self, session)
    self._sessions[session.sid] = session


@broken(
    Session,
    "_receive",
    rule="EIO-POLL-15",
    case="eio4.close.packet-by-polling.ends-session",
)
def close_packet_refused(original: Original, self: Any, kind: PacketType, *args: Any) -> None:
    """A close packet in a POST is answered as if it were an invalid one."""
    if kind is PacketType.CLOSE and self.ws is None:
        raise DecodeError("a close packet", rule="EIO-POLL-15")
    original(self, kind, *args)


@broken(
    Session,
    "finish",
    rule="EIO-POLL-16b",
    case="eio4.polling.pending-poll.ended-with-session[close-packet]",
    wide="By polling, the end of a session is told to the poll that waits.",
)
def pending_poll_forgotten_at_the_end(original: Original, self: Any, *args: Any) -> None:
    """A poll that is pending when its session ends stays pending."""
    self.poll = None
    original(self, *args)


@broken(
    Session,
    "finish",
    rule="EIO-ROB-03",
    case="eio4.polling.unfinished-post.ended-with-session",
)
def unfinished_post_forgotten_at_the_end(original: Original, self: Any, *args: Any) -> None:
    """A POST that is under way when its session ends is never answered."""
    self.post = None
    original(self, *args)
