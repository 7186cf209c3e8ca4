"""Breaks of the heartbeat."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from sioproto.engineio._outputs import CloseReason
from sioproto.engineio._packet import PacketType
from sioproto.engineio._session import Session, Timer
from sioproto_conformance.broken import Original, broken


@broken(
    Session,
    "_arm",
    rule="EIO-HB-01",
    case="eio4.heartbeat.answered-pings.keep-session[polling]",
)
def pings_too_often(original: Original, self: Any, timer: Timer, when: float) -> None:
    """A ping comes after a third of the interval that was told."""
    if timer is Timer.PING_AT and when < inf:
        when -= self._config.ping_interval * 2 / 3
    original(self, timer, when)


@broken(
    Session,
    "_arm",
    rule="EIO-HB-03",
    case="eio4.heartbeat.silent-polling.closes-session[polls]",
)
def silence_borne_for_long(original: Original, self: Any, timer: Timer, when: float) -> None:
    """A session whose client does not answer a ping is closed seconds too late."""
    original(self, timer, when + 4.0 if timer is Timer.LIFE_BY else when)


@broken(
    Session,
    "_receive",
    rule="EIO-HB-03b",
    case="eio4.heartbeat.answered-pings.keep-session[websocket]",
)
def pong_counts_for_a_moment(
    original: Original, self: Any, kind: PacketType, data: Any, now: float
) -> None:
    """After a pong, the next one is awaited before there is a ping to answer."""
    original(self, kind, data, now)
    if kind is PacketType.PONG:
        self._arm(Timer.LIFE_BY, now + self._config.ping_timeout)


@broken(
    Session,
    "_await_life",
    rule="EIO-HB-03c",
    case="eio4.heartbeat.silent-websocket.closes-session",
)
def ping_timeout_cut_short(original: Original, self: Any, now: float) -> None:
    """A client gets a quarter of the time that it was told to answer a ping."""
    original(self, now)
    if self._timers[Timer.LIFE_BY] < inf:
        self._arm(Timer.LIFE_BY, now + self._config.ping_timeout / 4)


@broken(
    Session,
    "_arm",
    rule="EIO-HB-05",
    case="eio4.heartbeat.silent-websocket.closes-session",
)
def pong_not_required(original: Original, self: Any, timer: Timer, when: float) -> None:
    """A session whose client never answers a ping lives on."""
    original(self, timer, inf if timer is Timer.LIFE_BY else when)


@broken(
    Session,
    "_receive",
    rule="EIO-HB-07",
    case="eio4.heartbeat.unasked-pongs.harmless[websocket]",
)
def unasked_pong_ends_the_session(
    original: Original, self: Any, kind: PacketType, data: Any, now: float
) -> None:
    """A pong that nobody asked for is not forgiven."""
    if kind is PacketType.PONG and self._timers[Timer.LIFE_BY] == inf:
        self.finish(CloseReason.TRANSPORT_ERROR)
    else:
        original(self, kind, data, now)


@broken(
    Session,
    "_receive",
    rule="EIO-HB-07b",
    case="eio4.heartbeat.pong-with-data.counts[polling]",
)
def pong_with_data_ignored(
    original: Original, self: Any, kind: PacketType, data: Any, now: float
) -> None:
    """A pong that has data behind its type is passed over."""
    if kind is not PacketType.PONG or not data:
        original(self, kind, data, now)


@broken(
    Session,
    "poll_opened",
    rule="EIO-HB-08",
    case="eio4.heartbeat.ping-without-poll.comes-with-the-next",
)
def ping_lost_without_a_poll(original: Original, self: Any, exchange: Any, now: float) -> None:
    """A ping that found no poll is not sent any more."""
    self.buffer = [message for message in self.buffer if message.packet != "2"]
    original(self, exchange, now)


@broken(
    Session,
    "_switch",
    rule="EIO-HB-09",
    case="eio4.heartbeat.pong-after-upgrade.counts",
)
def pong_counts_where_its_ping_went(original: Original, self: Any, candidate: Any) -> None:
    """A ping that went by polling is not answered by a pong on the WebSocket."""
    decode = self.dialect.decode_frame
    if self._life_owed:
        self.dialect = replace(
            self.dialect, decode_frame=lambda frame: None if frame == "3" else decode(frame)
        )
    original(self, candidate)
