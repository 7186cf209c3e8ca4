"""The open packet as a client reads it, and what may stand in its place."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sioproto._errors import ConnectionFailed, DecodeError

MAX_SID = 1_000
"""Longest session id taken: it travels in every request."""

_DAY = 86_400_000
_V3_TEXT = re.compile(rb"[0-9]{1,9}:0\{")


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


def explain_body(body: bytes) -> ConnectionFailed | None:
    """What stands where a payload that begins with an open packet should; None if that does."""
    if body.startswith(b"0"):
        return None
    if _V3_TEXT.match(body) or (body[:1] in (b"\0", b"\1") and b"\xff0{" in body[:16]):
        return ConnectionFailed(
            "the server answers in revision 3 of Engine.IO (Socket.IO 2 or older), "
            "and this client speaks revision 4"
        )
    return ConnectionFailed("the answer is not from an Engine.IO server: there is no open packet")


def explain_status(status: int, body: bytes) -> ConnectionFailed:
    """What a status other than 200 means."""
    reason = refusal_text(body)
    if status == 404:
        return ConnectionFailed("no Engine.IO server answers at this path (HTTP status 404)")
    if 300 <= status < 400:
        return ConnectionFailed(f"the server redirects elsewhere (HTTP status {status})")
    if reason is not None:
        return ConnectionFailed(f"the server refused: {reason} (HTTP status {status})")
    return ConnectionFailed(f"the server answered with HTTP status {status}")


def refusal_text(body: bytes) -> str | None:
    """The words of a refusal, in JSON over polling, bare over WebSocket (EIO-ERR-01, -20)."""
    if len(body) > 1_000:
        return None
    try:
        text = body.decode()
        fields = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    if isinstance(fields, dict) and isinstance(fields.get("message"), str):
        text = fields["message"]
    elif fields is not None or "<" in text or not text.isprintable():
        return None
    return text or None


def because(message: str, cause: Exception) -> ConnectionFailed:
    """An error for the application. What says it all already is passed on as it is."""
    if isinstance(cause, ConnectionFailed):
        return cause
    error = ConnectionFailed(f"{message}: {cause}" if str(cause) else message)
    error.__cause__ = cause
    return error
