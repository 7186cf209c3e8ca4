"""How much an engine holds."""

from __future__ import annotations

from sioproto._output import output


@output
class EngineStatistics:
    """How much an :class:`EngineServer` holds."""

    sessions: int
    polling: int
    websocket: int
    upgrading: int
    exchanges: int
    """Requests not answered yet."""
    websockets: int
    """WebSockets that the driver has not retired with ``ws_closed``, candidates included, and
    WebTransport streams likewise."""
    buffered: int
    """What waits for clients to fetch it: characters and bytes, and a constant for each packet."""
    timers: int
    """Entries in the deadline heap, superseded ones included."""
    webtransport: int = 0
