"""Why a socket of a client was disconnected."""

from __future__ import annotations

import enum


class ClientDisconnectReason(enum.StrEnum):
    """The reasons that ``disconnect`` gives on a client (SIO-DISC-15)."""

    IO_SERVER_DISCONNECT = "io server disconnect"
    """The server made the socket leave. It does not come back by itself."""
    IO_CLIENT_DISCONNECT = "io client disconnect"
    """This side called ``disconnect()``. It does not come back by itself."""
    PING_TIMEOUT = "ping timeout"
    """The server did not ping in time."""
    TRANSPORT_CLOSE = "transport close"
    """The server closed the connection."""
    TRANSPORT_ERROR = "transport error"
    """The connection was lost, or the server sent what Engine.IO cannot decode."""
    PARSE_ERROR = "parse error"
    """The server sent what Socket.IO cannot decode."""
    FORCED_CLOSE = "forced close"
    """A limit of this side was passed."""
