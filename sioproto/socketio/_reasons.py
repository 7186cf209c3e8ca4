"""Why a socket was disconnected."""

from __future__ import annotations

import enum


class DisconnectReason(enum.StrEnum):
    """The reasons that ``disconnecting`` and ``disconnect`` give on a server (SIO-DISC-03).

    The first six are the manual's; the last three are told apart by who made the mistake where.
    """

    SERVER_NAMESPACE_DISCONNECT = "server namespace disconnect"
    """The server called ``disconnect()``."""
    CLIENT_NAMESPACE_DISCONNECT = "client namespace disconnect"
    """The client left the namespace."""
    SERVER_SHUTTING_DOWN = "server shutting down"
    """The server closed as a whole."""
    PING_TIMEOUT = "ping timeout"
    """The client did not answer a ping in time."""
    TRANSPORT_CLOSE = "transport close"
    """The client closed its connection, or the connection was lost."""
    TRANSPORT_ERROR = "transport error"
    """The client misused the transport."""
    PARSE_ERROR = "parse error"
    """The client sent an Engine.IO packet that cannot be decoded."""
    FORCED_CLOSE = "forced close"
    """The client sent a Socket.IO packet that cannot be decoded, or a limit was passed."""
    FORCED_SERVER_CLOSE = "forced server close"
    """The client sent what is illegal in this state, or joined no namespace in time."""
