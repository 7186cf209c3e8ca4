"""The configuration of an Engine.IO server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sioproto._config import check_config, check_seconds, is_count
from sioproto.engineio._compression import HttpCompressionConfig
from sioproto.engineio._cookie import CookieConfig
from sioproto.engineio._cors import CorsConfig

TRANSPORTS = ("polling", "websocket", "webtransport")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig:
    """Limits and times of an Engine.IO server. Times are seconds; the defaults are the reference's.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    path: str = "/engine.io/"
    """Requests whose path begins with this are the server's (EIO-PATH-02)."""
    transports: tuple[str, ...] = ("polling", "websocket")
    """Which of ``polling``, ``websocket`` and ``webtransport`` are served. The last one needs a
    driver that has it (EIO-WT-09)."""
    allow_upgrades: bool = True
    """Whether a session that began on polling may move to another transport. Enforced
    (EIO-UPS-16)."""
    allow_eio3: bool = False
    """Whether sessions of revision 3 are served beside those of revision 4: the revision of
    Socket.IO 2 clients."""
    jsonp: bool = False
    """Whether sessions may poll by JSONP (EIO-QP-09). Any page can make a browser do that, from
    whatever origin."""
    ping_interval: float = 25.0
    """From the handshake, and then from each pong, to the next ping (EIO-HB-01). In revision 3 the
    client is told to ping so often."""
    ping_timeout: float = 20.0
    """From a ping to the end of a session that stays silent (EIO-HB-03). In revision 3, what a
    client may stay silent beyond ``ping_interval`` (EIO-HB-23)."""
    stall_timeout: float = 60.0
    """Longest time that an application may leave a session unread: see ``EngineServer.hold``."""
    upgrade_timeout: float = 10.0
    """From the opening of a candidate WebSocket to its end, if the upgrade does not complete
    (EIO-UPS-10); and the longest wait for the first packet of a WebTransport stream (EIO-WT-06)."""
    close_timeout: float = 30.0
    """How long a closing session waits for a poll, or for its last WebSocket message (EIO-
    CL-05)."""
    noop_interval: float = 0.1
    """How long a poll stays open after the probe (EIO-UPS-03)."""
    max_payload: int = 1_000_000
    """Most bytes in a request body or WebSocket message from the peer (EIO-POLL-10, EIO-WS-08)."""
    max_buffer: int = 16_000_000
    """Most characters and bytes that wait for a peer to fetch them; past it the session closes."""
    initial_packet: str | bytes | None = None
    """A message that every new session gets along with its handshake (EIO-HS-10)."""
    cors: CorsConfig | None = None
    """Which pages of other origins may read the answers; None for none (EIO-CORS-01)."""
    cookie: CookieConfig | None = None
    """A cookie with the session id; None for none (EIO-HDR-06)."""
    http_compression: HttpCompressionConfig | None = field(default_factory=HttpCompressionConfig)
    """Which answers to polls are compressed; None for none (EIO-HC-01)."""

    def __post_init__(self) -> None:
        check_seconds(
            self,
            "ping_interval",
            "ping_timeout",
            "stall_timeout",
            "upgrade_timeout",
            "close_timeout",
            "noop_interval",
        )
        transports = self.transports
        known = isinstance(transports, tuple) and set(transports) <= set(TRANSPORTS)
        check_config(
            self,
            path=(isinstance(self.path, str) and self.path.startswith("/"), "a path with a slash"),
            transports=(
                known and bool(transports) and len(set(transports)) == len(transports),
                f"a tuple of some of {TRANSPORTS}",
            ),
            allow_upgrades=(isinstance(self.allow_upgrades, bool), "True or False"),
            allow_eio3=(isinstance(self.allow_eio3, bool), "True or False"),
            jsonp=(isinstance(self.jsonp, bool), "True or False"),
            max_payload=(is_count(self.max_payload), "a positive number of bytes"),
            max_buffer=(is_count(self.max_buffer), "a positive number of characters and bytes"),
            initial_packet=(
                self.initial_packet is None or _is_message(self.initial_packet),
                "None, text without lone surrogates, or bytes",
            ),
            cors=(isinstance(self.cors, CorsConfig | None), "None or a CorsConfig"),
            cookie=(isinstance(self.cookie, CookieConfig | None), "None or a CookieConfig"),
            http_compression=(
                isinstance(self.http_compression, HttpCompressionConfig | None),
                "None or an HttpCompressionConfig",
            ),
        )


def _is_message(value: object) -> bool:
    if isinstance(value, str):
        return not re.search("[\ud800-\udfff]", value)
    return isinstance(value, bytes)
