"""Breaks of the upgrade from polling to WebSocket."""

from __future__ import annotations

from math import inf
from typing import Any

from sioproto.engineio import _session
from sioproto.engineio._admission import Admission
from sioproto.engineio._message import WsFrame
from sioproto.engineio._outputs import CloseReason
from sioproto.engineio._packet import PacketType
from sioproto.engineio._request import BAD_REQUEST
from sioproto.engineio._session import Session, State, Timer
from sioproto_conformance.broken import Original, break_by, broken

break_by(
    _session,
    "PROBE_ANSWER",
    WsFrame("3"),
    name="probe-answered-without-its-data",
    what="The probe is answered by a bare pong.",
    rule="EIO-UPS-01",
    case="eio4.upgrade.probe.answered",
    wide="No client gets beyond the probe.",
)


@broken(
    Session,
    "_answer_probes",
    rule="EIO-UPS-02",
    case="eio4.upgrade.pending-poll.gets-noop",
    wide="Every upgrade from polling waits for the end of its poll.",
)
def pending_poll_kept_at_the_probe(original: Original, self: Any, candidate: Any) -> None:
    """A poll that is pending at the probe is left pending; later ones are answered."""
    if self.poll is not None:
        self._arm(Timer.NOOP_AT, inf)
    original(self, candidate)


@broken(
    Session,
    "poll_opened",
    rule="EIO-UPS-03",
    case="eio4.upgrade.second-poll.gets-noop",
)
def one_noop_only(original: Original, self: Any, exchange: Any, now: float) -> None:
    """Only the first poll during an upgrade is answered with a noop."""
    original(self, exchange, now)
    if self.probed:
        self._arm(Timer.NOOP_AT, inf)


@broken(
    Session,
    "poll_opened",
    rule="EIO-UPS-03b",
    case="eio4.upgrade.noops.not-too-many",
)
def noop_for_every_poll_at_once(original: Original, self: Any, exchange: Any, now: float) -> None:
    """A client that polls during the upgrade is kept spinning."""
    original(self, exchange, now)
    if self.probed:
        self._arm(Timer.NOOP_AT, now)


@broken(
    Session,
    "_switch",
    rule="EIO-UPS-04",
    case="eio4.upgrade.switch-and-message.in-one-segment",
    wide="After an upgrade nothing comes any more.",
)
def silent_after_the_switch(original: Original, self: Any, candidate: Any) -> None:
    """The session never sends anything on the new transport."""
    original(self, candidate)
    self._busy = True


@broken(
    Session,
    "_switch",
    rule="EIO-UPS-04b",
    case="eio4.upgrade.buffered-messages.arrive-in-order",
)
def buffer_lost_at_the_switch(original: Original, self: Any, candidate: Any) -> None:
    """What is buffered when the upgrade completes is forgotten."""
    self._take_buffer()
    original(self, candidate)


@broken(
    Session,
    "post_opened",
    rule="EIO-UPS-06",
    case="eio4.upgrade.polls-and-posts.served-meanwhile",
    wide="Cases that say something during an upgrade say it by a POST.",
)
def posts_refused_while_upgrading(original: Original, self: Any, exchange: Any, *args: Any) -> Any:
    """Between probe and upgrade packet, POSTs are refused."""
    if not self.probed:
        return original(self, exchange, *args)
    self._host.refuse(exchange, BAD_REQUEST)
    return False


@broken(
    Session,
    "finish",
    rule="EIO-UPS-06b",
    case="eio4.upgrade-trouble.session-end.takes-new-transport[close-packet]",
)
def candidate_survives_the_session(original: Original, self: Any, *args: Any) -> None:
    """A session that ends while it upgrades leaves its new transport open."""
    self.candidate = None
    original(self, *args)


@broken(
    Session,
    "_candidate_frame",
    rule="EIO-UPS-09",
    case="eio4.upgrade-trouble.wrong-first-packet.polling-goes-on[message]",
)
def wrong_first_packet_ignored(
    original: Original, self: Any, candidate: Any, frame: Any, now: float
) -> None:
    """What comes on the new transport and is neither probe nor upgrade packet is passed over."""
    if frame == "2probe" or (frame and frame[0] == "5"):
        original(self, candidate, frame, now)


@broken(
    Session,
    "drop_candidate",
    rule="EIO-UPS-09b",
    case="eio4.upgrade-trouble.wrong-first-packet.polling-goes-on[noop]",
)
def failed_upgrade_ends_the_session(original: Original, self: Any) -> None:
    """An upgrade that fails costs the whole session."""
    failed = self.candidate is not None and self.state is State.OPEN
    original(self)
    if failed:
        self.finish(CloseReason.TRANSPORT_ERROR)


@broken(
    Session,
    "ws_closed",
    rule="EIO-UPS-09c",
    case="eio4.upgrade-trouble.given-up.polling-goes-on[after-probe]",
)
def given_up_upgrade_waited_for(original: Original, self: Any, ws: Any, error: Any) -> None:
    """A client that hangs up on its upgrade has to wait until that times out to try again."""
    if self.candidate is None or ws != self.candidate.ws:
        original(self, ws, error)


@broken(
    Session,
    "_candidate_frame",
    rule="EIO-UPS-09d",
    case="eio4.upgrade-trouble.message-before-switch.not-delivered",
)
def early_message_delivered(
    original: Original, self: Any, candidate: Any, frame: Any, now: float
) -> None:
    """A message before the upgrade packet is delivered, and then the new transport closed."""
    if self.probed and frame and frame[0] == "4":
        self._receive(PacketType.MESSAGE, frame[1:], now)
    original(self, candidate, frame, now)


@broken(
    Admission,
    "_is_upgradable",
    rule="EIO-UPS-11",
    case="eio4.upgrade-trouble.second-websocket.closed[after-probe]",
)
def latest_websocket_wins(original: Original, self: Any, session: Any) -> Any:
    """A second WebSocket takes the place of the one that is upgrading."""
    return session.transport == "polling"


@broken(
    Admission,
    "_is_upgradable",
    rule="EIO-UPS-11b",
    case="eio4.upgrade-trouble.second-websocket.closed[before-probe]",
)
def second_websocket_closes_the_first(original: Original, self: Any, session: Any) -> Any:
    """A second WebSocket is refused, and takes the first one with it."""
    if session.candidate is not None:
        session.drop_candidate()
        return False
    return original(self, session)


@broken(
    Admission,
    "_is_upgradable",
    rule="EIO-UPS-12",
    case="eio4.upgrade-trouble.websocket-session.not-taken-over",
)
def websocket_session_upgraded(original: Original, self: Any, session: Any) -> Any:
    """Who knows its id can take over a session that was opened by WebSocket."""
    born = "transport=websocket" in session.request.target
    return (born and session.candidate is None) or original(self, session)


@broken(
    Admission,
    "judge",
    rule="EIO-UPS-13",
    case="eio4.upgrade.request-after-switch.refused[post]",
)
def polled_after_the_switch(original: Original, self: Any, request: Any, *, upgrade: bool) -> Any:
    """A session can be polled and posted to after its upgrade."""
    query, refusal = original(self, request, upgrade=upgrade)
    polling = not upgrade and query.get("transport") == "polling"
    return query, None if polling and refusal is BAD_REQUEST else refusal


@broken(
    Admission,
    "judge",
    rule="EIO-UPS-13b",
    case="eio4.upgrade.request-after-switch.refused[get]",
)
def stray_request_ends_the_session(
    original: Original, self: Any, request: Any, *, upgrade: bool
) -> Any:
    """A poll or POST after the upgrade is refused, and ends the session."""
    query, refusal = original(self, request, upgrade=upgrade)
    session = self._sessions.get(query.get("sid"))
    if refusal is BAD_REQUEST and session is not None and session.ws is not None:
        session.finish(CloseReason.TRANSPORT_ERROR)
    return query, refusal


@broken(
    Session,
    "_switch",
    rule="EIO-UPS-14b",
    case="eio4.upgrade.pending-poll-at-switch.answered",
)
def pending_poll_forgotten_at_the_switch(original: Original, self: Any, candidate: Any) -> None:
    """A poll that is pending at the upgrade packet stays pending."""
    self.poll = None
    original(self, candidate)


@broken(
    Session,
    "_switch",
    rule="EIO-UPS-15",
    case="eio4.upgrade-trouble.unfinished-post.session-goes-on",
)
def unfinished_post_forgotten_at_the_switch(original: Original, self: Any, candidate: Any) -> None:
    """A POST that is under way at the upgrade packet is never answered."""
    self.post = None
    original(self, candidate)


@broken(
    Session,
    "_switch",
    rule="EIO-UPS-18",
    case="eio4.heartbeat.silent-after-upgrade.closes-session",
)
def liveness_lost_at_the_switch(original: Original, self: Any, candidate: Any) -> None:
    """The upgrade cancels the pong that is owed, for good."""
    original(self, candidate)
    self._arm(Timer.LIFE_BY, inf)
