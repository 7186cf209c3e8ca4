"""Breaks of opening a session, and of refusing to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import trio

from sioproto._app import _engine
from sioproto.engineio import _admission, _handshake, _server
from sioproto.engineio._admission import Admission
from sioproto.engineio._dialect import REVISION_3
from sioproto.engineio._message import Message
from sioproto.engineio._outputs import CloseReason, HttpRespond
from sioproto.engineio._request import (
    BAD_REQUEST,
    UNKNOWN_SID,
    UNKNOWN_TRANSPORT,
    UNSUPPORTED_REVISION,
    Request,
    parse_query,
)
from sioproto.engineio._server import EngineServer
from sioproto.engineio._session import NOOP
from sioproto.trio._http import HttpConnection
from sioproto_conformance.broken import Original, broken

_INHERITED = ("__proto__", "constructor", "toString", "hasOwnProperty")


@broken(
    _server,
    "first_messages",
    rule="EIO-HS-01",
    case="eio4.handshake.polling.one-open-packet",
)
def noop_behind_the_open_packet(original: Original, sid: str, *args: Any) -> Any:
    """The answer to a handshake has a second packet."""
    return [*original(sid, *args), NOOP]


def _rewritten(message: Message, **changes: Any) -> Message:
    """The open packet with other values."""
    assert isinstance(message.packet, str)
    return Message("0" + json.dumps(json.loads(message.packet[1:]) | changes))


@broken(
    _handshake,
    "open_message",
    rule="EIO-HS-02",
    case="eio4.handshake.open-packet.complete[polling]",
)
def max_payload_as_text(original: Original, *args: Any) -> Any:
    """The open packet has a number in quotes."""
    return _rewritten(original(*args), maxPayload="1000000")


@broken(
    _handshake,
    "open_message",
    rule="EIO-HS-02b",
    case="eio4.handshake.open-packet.complete[websocket]",
)
def open_packet_with_a_sixth_key(original: Original, *args: Any) -> Any:
    """The open packet says more than it should."""
    return _rewritten(original(*args), version=4)


@broken(
    _server,
    "first_messages",
    rule="EIO-HS-04",
    case="eio4.handshake.websocket.switches",
)
def noop_before_the_open_packet(original: Original, sid: str, upgrades: Any, config: Any) -> Any:
    """A session on WebSocket begins with a noop."""
    messages = original(sid, upgrades, config)
    return messages if upgrades else [NOOP, *messages]


@broken(
    _server,
    "first_messages",
    rule="EIO-HS-04b",
    case="eio4.handshake.upgrades.fit-the-transport[websocket]",
)
def websocket_offered_to_itself(original: Original, sid: str, upgrades: Any, config: Any) -> Any:
    """A session on WebSocket is told that it may upgrade."""
    return original(sid, upgrades or ("websocket",), config)


@broken(
    _server,
    "upgrades_of",
    rule="EIO-HS-05",
    case="eio4.handshake.upgrades.fit-the-transport[polling]",
)
def upgrade_not_offered(original: Original, *args: Any) -> Any:
    """A session on polling is not told that it may upgrade, though it may."""
    return ()


_numbers = count(10**19)


@broken(
    _engine,
    "new_id",
    rule="EIO-HS-06b",
    case="eio4.handshake.session-ids.differ[polling]",
)
def session_ids_counted(original: Original) -> str:
    """Session ids are numbers, one after the other."""
    return str(next(_numbers))


@broken(
    Admission,
    "judge",
    rule="EIO-HS-08",
    case="eio4.handshake.method.refused[put]",
)
def handshake_by_any_method(original: Original, self: Any, request: Any, *, upgrade: bool) -> Any:
    """Any method opens a session."""
    if "sid" not in parse_query(request.target):
        request = replace(request, method="GET")
    return original(self, request, upgrade=upgrade)


@broken(
    EngineServer,
    "http_request",
    rule="EIO-PATH-01",
    case="eio4.handshake.polling.one-open-packet",
)
def polling_not_found(
    original: Original, self: Any, exchange: Any, request: Any, *, now: float
) -> None:
    """The path of the protocol is not found by plain requests, only by WebSockets."""
    if request.path == "/engine.io/":
        self.put(HttpRespond(exchange, 404, (), b"not found"))
    else:
        original(self, exchange, request, now=now)


@broken(
    HttpConnection,
    "_fall_back",
    rule="EIO-PATH-03",
    case="eio4.http.path-without-slash.answered",
)
async def path_without_slash_left_hanging(original: Original, self: Any, request: Request) -> None:
    """A request for the path without its slash is never answered."""
    if request.path == "/engine.io":
        await trio.sleep_forever()
    await original(self, request)


@broken(
    _admission,
    "check_handshake",
    rule="EIO-QP-01",
    case="eio4.handshake.parameter-missing.refused[revision]",
)
def revision_taken_for_granted(original: Original, query: Mapping[str, str], config: Any) -> Any:
    """A handshake that names no revision gets revision 4."""
    return original({"EIO": "4", **query}, config)


@broken(
    Admission,
    "judge",
    rule="EIO-QP-05",
    case="eio4.refusal.unknown-session.answered[get]",
    wide="Whether a session has ended is asked by its id.",
)
def unknown_session_opened(original: Original, self: Any, request: Any, *, upgrade: bool) -> Any:
    """A request with an unknown session id opens a session by another."""
    query, refusal = original(self, request, upgrade=upgrade)
    if refusal is UNKNOWN_SID and not upgrade:
        return {**query, "sid": ""}, None
    return query, refusal


@broken(
    Admission,
    "judge",
    rule="EIO-QP-08",
    case="eio4.handshake.other-parameters.ignored[cache-buster]",
)
def cache_buster_refused(original: Original, self: Any, request: Any, *, upgrade: bool) -> Any:
    """A request with the parameter t is refused."""
    query, refusal = original(self, request, upgrade=upgrade)
    return query, BAD_REQUEST if "t" in query else refusal


@broken(
    Admission,
    "judge",
    rule="EIO-QP-11",
    case="eio4.handshake.other-parameters.ignored[unknown]",
)
def strange_parameters_refused(
    original: Original, self: Any, request: Any, *, upgrade: bool
) -> Any:
    """A request with a parameter that the protocol does not have is refused."""
    query, refusal = original(self, request, upgrade=upgrade)
    strange = query.keys() - {"EIO", "transport", "sid", "t", "b64", "j"}
    return query, BAD_REQUEST if strange else refusal


@broken(
    Admission,
    "judge",
    rule="EIO-QP-12b",
    case="eio4.refusal.revision-of-session.kept[other]",
    wide="Sessions of revision 3 are also asked by requests that do not name one.",
)
def revision_changed_by_a_request(
    original: Original, self: Any, request: Any, *, upgrade: bool
) -> Any:
    """A session speaks whatever revision the latest request asks for."""
    query, refusal = original(self, request, upgrade=upgrade)
    session = self._sessions.get(query.get("sid"))
    if session is None or query.get("EIO") != "3":
        return query, refusal
    session.dialect = REVISION_3
    return query, None


@broken(
    Admission,
    "judge",
    rule="EIO-ERR-08",
    case="eio4.handshake.revision.refused",
)
def revision_not_checked(original: Original, self: Any, request: Any, *, upgrade: bool) -> Any:
    """Whatever revision a handshake asks for, it gets revision 4."""
    query, refusal = original(self, request, upgrade=upgrade)
    unsupported = refusal is not None and refusal.code == UNSUPPORTED_REVISION.code
    return {**query, "EIO": "4"}, None if unsupported else refusal


@broken(
    Admission,
    "judge",
    rule="EIO-ERR-02b",
    case="eio4.handshake.transport.refused[unknown]",
)
def unknown_transport_is_polling(
    original: Original, self: Any, request: Any, *, upgrade: bool
) -> Any:
    """A transport of an unknown name is taken for polling."""
    query, refusal = original(self, request, upgrade=upgrade)
    if refusal is UNKNOWN_TRANSPORT and "transport" in query and not upgrade:
        return query, None
    return query, refusal


@broken(
    EngineServer,
    "http_request",
    rule="EIO-ERR-12b",
    case="eio4.refusal.method-of-session.session-lives[put]",
)
def wrong_method_ends_the_session(
    original: Original, self: Any, exchange: Any, request: Any, *, now: float
) -> None:
    """A request by a method that is refused ends the session that it names."""
    original(self, exchange, request, now=now)
    session = self._sessions.get(parse_query(request.target).get("sid"))
    if session is not None and request.method not in ("GET", "POST"):
        session.finish(CloseReason.TRANSPORT_ERROR)


@broken(
    EngineServer,
    "http_request",
    rule="EIO-ERR-13",
    case="eio4.refusal.plain-request-of-websocket-session.answered[get-polling]",
)
def request_beside_websocket_left_hanging(
    original: Original, self: Any, exchange: Any, request: Any, *, now: float
) -> None:
    """A plain request of a session that is on WebSocket is never answered."""
    session = self._sessions.get(parse_query(request.target).get("sid"))
    if session is None or session.ws is None:
        original(self, exchange, request, now=now)


@broken(
    Admission,
    "judge",
    rule="EIO-ERR-22",
    case="eio4.refusal.upgrade-to-polling.not-open",
)
def upgrade_to_polling_opened(original: Original, self: Any, request: Any, *, upgrade: bool) -> Any:
    """A WebSocket that names polling as its transport is opened all the same."""
    if upgrade:
        target = request.target.replace("transport=polling", "transport=websocket")
        request = replace(request, target=target)
    return original(self, request, upgrade=upgrade)


@broken(
    Admission,
    "judge",
    rule="EIO-ERR-25",
    case="eio4.refusal.websocket-parameter.not-open[unknown-session]",
)
def unknown_session_opened_by_websocket(
    original: Original, self: Any, request: Any, *, upgrade: bool
) -> Any:
    """A WebSocket with an unknown session id opens a session by another."""
    query, refusal = original(self, request, upgrade=upgrade)
    if refusal is UNKNOWN_SID and upgrade:
        return {**query, "sid": ""}, None
    return query, refusal


@broken(
    Admission,
    "judge",
    rule="EIO-SEC-04",
    case="eio4.robustness.inherited-name.refused[transport,constructor]",
)
def inherited_names_known(original: Original, self: Any, request: Any, *, upgrade: bool) -> Any:
    """Transports are looked up where the names of inherited properties are found too."""
    query, refusal = original(self, request, upgrade=upgrade)
    return query, None if query.get("transport") in _INHERITED else refusal
