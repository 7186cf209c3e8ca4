"""The open packet as a client reads it, and what may stand in its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sioproto._errors import ConnectionFailed, DecodeError
from sioproto.engineio._dialect import DIALECTS, Dialect

MAX_SID = 1_000
"""Longest session id taken: it travels in every request."""

UNSUPPORTED = 5
"""The code by which a server refuses a revision (EIO-ERR-01)."""

_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the server announced when the session opened. Times are seconds."""

    sid: str
    upgrades: tuple[str, ...]
    ping_interval: float
    ping_timeout: float
    max_payload: int | None
    """Most bytes in a POST; None if the server does not tell."""


def parse_handshake(data: str | bytes) -> Handshake:
    """Read the content of an open packet.

    Raises:
        DecodeError: something that must be there is missing or makes no sense (EIO-CLI-09).
    """
    try:
        fields = json.loads(data) if isinstance(data, str) else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise DecodeError("the open packet is no JSON object", rule="EIO-CLI-09")
    sid = fields.get("sid")
    if not isinstance(sid, str) or not 0 < len(sid) <= MAX_SID or not sid.isprintable():
        raise DecodeError("the open packet has no usable sid", rule="EIO-CLI-09")
    upgrades = fields.get("upgrades")
    if not isinstance(upgrades, list):
        raise DecodeError("the open packet has no list of upgrades", rule="EIO-CLI-09")
    limit = fields.get("maxPayload")
    return Handshake(
        sid,
        tuple(
            name for name in upgrades if isinstance(name, str)
        ),  # others are unknown (EIO-UPC-05)
        _seconds(fields, "pingInterval"),
        _seconds(fields, "pingTimeout"),
        limit if type(limit) is int and limit > 0 else None,
    )


def _seconds(fields: dict[str, Any], name: str) -> float:
    value = fields.get(name)
    # True is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _DAY:
        raise DecodeError(f"the open packet has no usable {name}", rule="EIO-CLI-09")
    return value / 1000


def explain_body(body: bytes, dialect: Dialect) -> ConnectionFailed | None:
    """What stands where a payload that begins with an open packet should; None if that does."""
    if dialect.opens(body):
        return None
    for other in DIALECTS.values():
        if other.opens(body):
            return ConnectionFailed(
                f"the server answers in revision {other.revision} of Engine.IO ({other.era}), "
                f"and this client speaks revision {dialect.revision}"
            )
    return ConnectionFailed("the answer is not from an Engine.IO server: there is no open packet")


def explain_status(status: int, body: bytes, dialect: Dialect | None = None) -> ConnectionFailed:
    """What a status other than 200 means, to a client that speaks this dialect if it has one."""
    reason, code = _refusal(body)
    if code == UNSUPPORTED and dialect is not None:
        others = [str(revision) for revision in DIALECTS if revision != dialect.revision]
        return ConnectionFailed(
            f"the server refused: {reason} (HTTP status {status}); this client speaks revision "
            f"{dialect.revision} of Engine.IO, and the server seems to speak {' or '.join(others)}"
        )
    if status == 404:
        return ConnectionFailed("no Engine.IO server answers at this path (HTTP status 404)")
    if 300 <= status < 400:
        return ConnectionFailed(f"the server redirects elsewhere (HTTP status {status})")
    if reason is not None:
        return ConnectionFailed(f"the server refused: {reason} (HTTP status {status})")
    return ConnectionFailed(f"the server answered with HTTP status {status}")


def refusal_text(body: bytes) -> str | None:
    """The words of a refusal, in JSON over polling, bare over WebSocket (EIO-ERR-01, -20)."""
    return _refusal(body)[0]


def _refusal(body: bytes) -> tuple[str | None, object]:
    if len(body) > 1_000:
        return None, None
    try:
        text = body.decode()
        fields = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return None, None
    if isinstance(fields, dict) and isinstance(fields.get("message"), str):
        return fields["message"] or None, fields.get("code")
    if fields is not None or "<" in text or not text.isprintable():
        return None, None
    return text or None, None


def because(message: str, cause: Exception) -> ConnectionFailed:
    """An error for the application. What says it all already is passed on as it is."""
    if isinstance(cause, ConnectionFailed):
        return cause
    error = ConnectionFailed(f"{message}: {cause}" if str(cause) else message)
    error.__cause__ = cause
    return error
