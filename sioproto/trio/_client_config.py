"""The configuration of the connections that a client makes."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sioproto._config import check_config, check_seconds, is_count


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientConnectionConfig:
    """Limits and times of the TCP connections of a client. Times are seconds.

    How long a request or an opening may take is for the engine's configuration to say.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    idle_timeout: float = 4.0
    """How long a connection is kept for the next request: less than servers do. Node: 5."""
    close_timeout: float = 3.0
    """Longest wait for the server's half of the closing handshake of a WebSocket."""
    shutdown_timeout: float = 3.0
    """Longest time that closing in order may take when the client is left."""
    max_header_bytes: int = 65_536
    """Most bytes in the head of a response."""
    max_fragments: int = 16_384
    """Most fragments that a WebSocket message may come in."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.type == "float":
                check_seconds(self, field.name)
            else:
                count = is_count(getattr(self, field.name))
                check_config(self, **{field.name: (count, "a positive number")})
