"""The configuration of an Engine.IO client."""

from __future__ import annotations

from dataclasses import dataclass

from sioproto._config import check_config, check_seconds, is_count
from sioproto.engineio._dialect import DIALECTS

TRANSPORTS = ("polling", "websocket")
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientConfig:
    """Limits, times and manners of an Engine.IO client. Times are seconds.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    revision: int = 4
    """Of Engine.IO, that the server speaks: 4, or 3 for servers of Socket.IO 2 and before."""
    path: str | None = None
    """Where the server is asked for. None is ``/engine.io/``, or what a layer above puts there."""
    query: Pairs = ()
    """Parameters that each request carries. The protocol's own cannot be replaced (EIO-CLI-02)."""
    headers: Pairs = ()
    """Headers that each request carries; names in lower case."""
    transports: tuple[str, ...] = TRANSPORTS
    """What may be used. The first opens the session."""
    try_all_transports: bool = False
    """Whether the next one is tried if a session cannot be opened (EIO-CLI-13)."""
    force_base64: bool = False
    """Whether binary travels as text on every transport, in both directions (EIO-CLI-08)."""
    upgrade: bool = True
    """Whether a session that began on polling moves to WebSocket if the server offers that."""
    remember_upgrade: bool = False
    """Whether the next session begins on WebSocket if this one ran on it (EIO-CLI-14)."""
    keep_cookies: bool = True
    """Whether cookies that the server sets are sent back to it (EIO-CLI-15)."""
    open_timeout: float = 20.0
    """Longest time for a session to open, whatever is tried."""
    upgrade_timeout: float = 10.0
    """Longest time for an upgrade, from the request to the switch (EIO-UPC-13)."""
    post_timeout: float = 60.0
    """Longest time for the answer to a POST."""
    stall_timeout: float = 60.0
    """Longest time that an application may leave a session unread: see ``EngineClient.hold``."""
    close_timeout: float = 5.0
    """How long a closed session may go on to deliver what was sent before, and to say good-bye."""
    max_payload: int = 16_000_000
    """Most bytes in a response or WebSocket message of the server."""
    max_buffer: int = 16_000_000
    """Most characters and bytes that wait to be sent; past it the session closes."""

    def __post_init__(self) -> None:
        check_seconds(
            self,
            "stall_timeout",
            "open_timeout",
            "upgrade_timeout",
            "post_timeout",
            "close_timeout",
        )
        transports = self.transports
        known = isinstance(transports, tuple) and set(transports) <= set(TRANSPORTS)
        check_config(
            self,
            revision=(type(self.revision) is int and self.revision in DIALECTS, "3 or 4"),
            path=(
                self.path is None or (isinstance(self.path, str) and self.path.startswith("/")),
                "a path with a slash",
            ),
            query=(_are_pairs(self.query), "a tuple of pairs of text"),
            headers=(
                _are_pairs(self.headers) and _are_clean(self.headers),
                "a tuple of pairs of text, names in lower case, without line ends",
            ),
            transports=(
                known and bool(transports) and len(set(transports)) == len(transports),
                f"a tuple of some of {TRANSPORTS}",
            ),
            max_payload=(is_count(self.max_payload), "a positive number of bytes"),
            max_buffer=(is_count(self.max_buffer), "a positive number of characters and bytes"),
            **{
                name: (isinstance(getattr(self, name), bool), "True or False")
                for name in (
                    "try_all_transports",
                    "force_base64",
                    "upgrade",
                    "remember_upgrade",
                    "keep_cookies",
                )
            },
        )


def _are_pairs(value: object) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
        for pair in value
    )


def _are_clean(headers: Pairs) -> bool:
    """Whether names are in lower case, and no value could begin a header of its own."""
    return not any(
        name != name.lower() or any(end in name + value for end in "\r\n\0")
        for name, value in headers
    )
