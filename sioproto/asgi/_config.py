"""The configuration of what stands between an ASGI server and an application."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sioproto._config import check_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class AsgiConfig:
    """Times of requests, WebSockets and the end. Times are seconds.

    Whatever is about connections, their limits included, is for the ASGI server to configure.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    body_timeout: float = 60.0
    """Longest time for the body of a request."""
    write_timeout: float = 60.0
    """Longest time for one answer or message: a client that does not read loses its connection."""
    close_timeout: float = 30.0
    """Longest time that closing a WebSocket may take."""
    shutdown_timeout: float = 3.0
    """Longest time that closing in order may take when the serving ends."""

    def __post_init__(self) -> None:
        check_seconds(self, *(field.name for field in fields(self)))
