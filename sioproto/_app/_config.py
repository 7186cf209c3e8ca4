"""The configuration of the application API."""

from __future__ import annotations

from dataclasses import dataclass

from sioproto._config import check_config, check_seconds, is_count


@dataclass(frozen=True, kw_only=True, slots=True)
class AppConfig:
    """Limits of what an application may leave unhandled.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    pause_input: int = 1_000_000
    """Past so much that a client has sent and no handler has taken, its connection is not read.

    Counted in characters and bytes, with some for each event.

    A handler of this client that awaits an acknowledgement is an exception: it could wait for ever.
    """
    max_input: int = 16_000_000
    """Past so many, a client that still gets something through loses its session."""
    middleware_timeout: float = 30.0
    """Longest time, in seconds, for the middleware of one client that wants to join, together.

    Past it the client is refused. At the core's ``connect_timeout`` a client that is in no
    namespace loses its connection without an answer, so stay below.
    """
    disconnecting_timeout: float = 10.0
    """Longest time, in seconds, for the ``disconnecting`` handlers of a socket together."""
    max_concurrent: int = 100
    """Most events of one socket that handlers with ``concurrent=True`` work on at once. Past it,
    the events that follow wait."""

    def __post_init__(self) -> None:
        least = self.pause_input if is_count(self.pause_input) else 1
        check_config(
            self,
            pause_input=(is_count(self.pause_input), "a positive number of characters and bytes"),
            max_input=(
                is_count(self.max_input, least),
                "a number of characters and bytes, at least pause_input",
            ),
            max_concurrent=(is_count(self.max_concurrent), "a positive number"),
        )
        check_seconds(self, "middleware_timeout", "disconnecting_timeout")
