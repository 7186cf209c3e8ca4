"""The configuration of the connections that the driver accepts."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sioproto._config import check_config, check_seconds, is_count
from sioproto.trio._deflate import DeflateConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionConfig:
    """Limits and times of TCP connections, HTTP and WebSocket. Times are seconds.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    header_timeout: float = 30.0
    """Longest time for the head of a request, TLS handshake included."""
    idle_timeout: float = 60.0
    """Longest time between two requests on one connection. Node: 5; nginx: 75."""
    body_timeout: float = 60.0
    """Longest time for the body of a request."""
    write_timeout: float = 60.0
    """Longest time for one write: a peer that does not read loses its connection."""
    close_timeout: float = 30.0
    """Longest wait for the peer's half of the closing handshake of a WebSocket (EIO-WS-05)."""
    linger_timeout: float = 2.0
    """How long a client may go on sending a body that was refused, so that it gets to read why."""
    shutdown_timeout: float = 3.0
    """Longest time that closing in order may take when the serving is cancelled."""
    max_header_bytes: int = 16_384
    """Most bytes in the head of a request. Node: 16 KiB; Apache: 8 KiB a line."""
    max_headers: int = 100
    """Most headers in a request. Apache: 100."""
    max_pipelined_bytes: int = 65_536
    """Most bytes kept of requests behind one that is not answered yet; then reading stops."""
    max_linger_bytes: int = 16_000_000
    """Most bytes of a refused body that are read and thrown away."""
    max_fragments: int = 16_384
    """Most fragments that a WebSocket message may come in (EIO-SEC-12)."""
    per_message_deflate: DeflateConfig | None = None
    """How WebSocket messages are compressed, if the client offers it; None for not at all
    (EIO-HC-05)."""
    fast_lanes: bool = True
    """Whether what is usual may take a short way: simple requests and WebSocket frames are read by
    hand instead of by h11 and wsproto, what the kernel takes at once is written without waiting,
    and handlers are called by the task that reads. Results are equal; switch it off to compare."""

    def __post_init__(self) -> None:
        deflate = isinstance(self.per_message_deflate, DeflateConfig | None)
        check_config(
            self,
            per_message_deflate=(deflate, "None or a DeflateConfig"),
            fast_lanes=(isinstance(self.fast_lanes, bool), "True or False"),
        )
        for field in fields(self):
            if field.type == "float":
                check_seconds(self, field.name)
            elif field.type == "int":
                count = is_count(getattr(self, field.name))
                check_config(self, **{field.name: (count, "a positive number")})
