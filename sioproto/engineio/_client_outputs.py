"""Effects and events of the Engine.IO client, beside those that it shares with the server.

Here the core starts things, so it mints the tokens: small integers, each used once.
"""

from __future__ import annotations

from sioproto._errors import ConnectionFailed
from sioproto._output import Effect, Event, output
from sioproto.engineio._client_handshake import Handshake

# Effects


@output
class HttpRequest(Effect):
    """Send this request, then state ``http_response`` or ``http_failed`` once.

    ``headers`` has no ``host``, ``content-length`` or ``connection``: those belong to the driver.
    The driver follows no redirection. It reads the response until that ends or more than ``limit``
    bytes are there; in the second case it states what it has, and the core refuses it.
    """

    exchange: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    limit: int


@output
class HttpAbort(Effect):
    """Give up a request. Nothing mentions it afterwards, and what is stated about it is ignored."""

    exchange: int


@output
class WsConnect(Effect):
    """Open a WebSocket, then state ``ws_opened``, or ``ws_refused`` if the server answers
    otherwise, or ``ws_closed`` if it cannot be reached.

    A received message of more than ``limit`` bytes is a violation (close code 1009).
    """

    ws: int
    target: str
    headers: tuple[tuple[str, str], ...]
    limit: int


# Events


@output
class Opened(Event):
    """The session is open."""

    sid: str
    transport: str
    handshake: Handshake


@output
class OpenFailed(Event):
    """No session could be opened. Nothing more will happen until ``open``."""

    error: ConnectionFailed


@output
class UpgradeFailed(Event):
    """The session stays on polling. ``error`` tells why."""

    sid: str
    error: Exception


@output
class PingReceived(Event):
    """The server asked for a sign of life, and gets it."""

    sid: str


@output
class PongReceived(Event):
    """The server gave the sign of life that this client asked for: in revision 3."""

    sid: str
