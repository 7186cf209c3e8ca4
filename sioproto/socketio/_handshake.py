"""What an application gets to see of the handshake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sioproto.engineio._request import Request, parse_query


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """The nine fields that the manual lists (SIO-HS-01).

    All but ``auth``, ``time`` and ``issued`` come from the request that opened the session, and
    stay the same for all namespaces and after an upgrade (SIO-HS-02).
    """

    headers: Mapping[str, str]
    """Names in lower case; values of repeated headers are joined."""
    query: Mapping[str, str]
    """Decoded query parameters; the last of equal names wins."""
    auth: Mapping[str, Any]
    """What the client sent when it joined the namespace."""
    time: datetime
    """When the socket was made, in UTC."""
    issued: int
    """The same moment in Unix milliseconds."""
    url: str
    """The request target, with path and query."""
    address: str | None
    """The peer's address, as the operating system tells it: headers of proxies do not count."""
    xdomain: bool
    """Whether the request names an origin other than the host it was sent to (SIO-HS-03)."""
    secure: bool
    """Whether the connection that was accepted is encrypted (SIO-HS-04)."""


def build_handshake(request: Request, auth: Mapping[str, Any], unix_time: float) -> Handshake:
    """Derive the handshake of one namespace join.

    Args:
        request: what opened the session.
        auth: payload of the CONNECT packet.
        unix_time: seconds since 1970, from a wall clock.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers:
        glue = "; " if name == "cookie" else ", "
        headers[name] = headers[name] + glue + value if name in headers else value
    issued = round(unix_time * 1000)
    return Handshake(
        headers=headers,
        query=parse_query(request.target),
        auth=auth,
        time=datetime.fromtimestamp(issued / 1000, UTC),
        issued=issued,
        url=request.target,
        address=request.address,
        xdomain=_crosses(headers.get("origin"), headers.get("host")),
        secure=request.secure,
    )


def _crosses(origin: str | None, host: str | None) -> bool:
    return origin is not None and origin.partition("://")[2] != host
