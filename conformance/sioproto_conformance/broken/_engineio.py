"""Breaks of Engine.IO."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from sioproto import DecodeError
from sioproto.engineio import _session
from sioproto.engineio._admission import Admission
from sioproto.engineio._packet import decode_packet
from sioproto.engineio._session import Session, Timer
from sioproto_conformance.broken import broken, replace


@broken(
    "undecodable-frame-ignored",
    rule="EIO-WS-04",
    case="eio4.websocket.invalid-packet.closes-session",
)
def undecodable_frame_ignored() -> None:
    """A WebSocket message that is no packet is skipped."""

    def ws_frame(original: Callable[..., None], self: Any, ws: Any, frame: Any, now: float) -> None:
        try:
            decode_packet(frame)
        except DecodeError:
            return
        original(ws, frame, now)

    replace(Session, "ws_frame", ws_frame)


@broken(
    "one-noop-only",
    rule="EIO-UPS-03",
    case="eio4.upgrade.second-poll.gets-noop",
)
def one_noop_only() -> None:
    """Only the first poll during an upgrade is answered with a noop."""

    def poll_opened(original: Callable[..., None], self: Any, exchange: Any, now: float) -> None:
        original(exchange, now)
        if self.probed:
            self._arm(Timer.NOOP_AT, inf)

    replace(Session, "poll_opened", poll_opened)


@broken(
    "buffer-lost-at-switch",
    rule="EIO-UPS-04b",
    case="eio4.upgrade.buffered-messages.arrive-in-order",
)
def buffer_lost_at_switch() -> None:
    """What is buffered when the upgrade completes is forgotten."""

    def switch(original: Callable[..., None], self: Any, candidate: Any) -> None:
        self._take_buffer()
        original(candidate)

    replace(Session, "_switch", switch)


@broken(
    "pong-not-required",
    rule="EIO-HB-03",
    case="eio4.heartbeat.silent-websocket.closes-session",
)
def pong_not_required() -> None:
    """A session whose client never answers a ping lives on."""

    def arm(original: Callable[..., None], self: Any, timer: Timer, when: float) -> None:
        original(timer, inf if timer is Timer.LIFE_BY else when)

    replace(Session, "_arm", arm)


@broken(
    "liveness-lost-at-upgrade",
    rule="EIO-UPS-18",
    case="eio4.heartbeat.silent-after-upgrade.closes-session",
)
def liveness_lost_at_upgrade() -> None:
    """The upgrade cancels the pong that is owed, for good."""

    def switch(original: Callable[..., None], self: Any, candidate: Any) -> None:
        original(candidate)
        self._arm(Timer.LIFE_BY, inf)

    replace(Session, "_switch", switch)


@broken(
    "overlapping-posts-accepted",
    rule="EIO-POLL-06",
    case="eio4.polling.overlapping-post.closes-session",
)
def overlapping_posts_accepted() -> None:
    """A second POST before the first is answered is taken like any other."""

    def post_opened(original: Callable[..., bool], self: Any, *args: Any) -> bool:
        first, self.post = self.post, None
        if first is not None:
            self._host.respond(first, _session.POST_HEADERS, b"ok")
        return original(*args)

    replace(Session, "post_opened", post_opened)


@broken(
    "only-first-packet-of-a-payload",
    rule="EIO-P4-01",
    case="eio4.payload.several-packets.arrive-in-order",
)
def only_first_packet_of_a_payload() -> None:
    """Of several packets in one POST, the first alone is read."""

    def post_body(original: Callable[..., None], self: Any, body: bytes, now: float) -> None:
        original(body.partition(b"\x1e")[0], now)

    replace(Session, "post_body", post_body)


@broken(
    "revision-not-checked",
    rule="EIO-ERR-08",
    case="eio4.handshake.revision.refused",
)
def revision_not_checked() -> None:
    """Whatever revision a handshake asks for, it gets revision 4."""

    def judge(
        original: Callable[..., Any], self: Admission[Any], request: Any, *, upgrade: bool
    ) -> Any:
        query, refusal = original(request, upgrade=upgrade)
        unsupported = refusal is not None and refusal.code == 5
        return {**query, "EIO": "4"}, None if unsupported else refusal

    replace(Admission, "judge", judge)
