"""The exception tree.

Two questions decide which one is raised: who made the mistake, and could it have been avoided?
``LocalProtocolError`` is a bug in the caller, ``ClosedError`` is a race that no caller can avoid,
and ``RemoteProtocolError`` is the peer's fault. Machines never raise the last kind: what a peer
does wrong becomes effects and a closing event that carries the error. Only codec functions raise
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class SioprotoError(Exception):
    """Base class of everything this package raises on purpose."""


class LocalProtocolError(SioprotoError):
    """The caller used the interface wrongly. Nothing changed: neither state nor output."""


class ClosedError(SioprotoError):
    """What the command was for has gone meanwhile.

    Not a bug: the caller lost a race with a close.
    """


class ConnectionRefused(SioprotoError):
    """A namespace refused a client.

    A server's middleware raises it to refuse; a client raises it when it was refused.

    Args:
        message: what the client gets to read.
        data: a JSON value that travels beside the message (SIO-MW-02). The default, ``None``, sends
            none.
    """

    def __init__(self, message: str = "refused", data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class ConnectionFailed(SioprotoError):
    """A client found no server, or none that speaks this protocol. ``__cause__`` tells why."""


class AckTimeout(SioprotoError):
    """No acknowledgement came in time.

    Args:
        message: what was asked for.
        responses: what those answered who did, if several were asked.
    """

    def __init__(self, message: str = "", responses: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.responses = list(responses)


class RemoteProtocolError(SioprotoError):
    """The peer broke the protocol.

    Args:
        message: what was wrong, in words fit for a log.
        rule: id of the rule that was broken, as listed in ``spec_notes``.
    """

    http_status = 400
    """The status with which an HTTP request that caused this is answered."""

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(f"{message} [{rule}]")
        self.message = message
        self.rule = rule


class DecodeError(RemoteProtocolError):
    """A malformed packet, payload, handshake or query."""


class LimitError(RemoteProtocolError):
    """Too big, too many, too deep or too late.

    Args:
        message: what was exceeded, in words fit for a log.
        rule: id of the rule that allows the limit.
        limit: name of the configuration field that sets the limit.
    """

    http_status = 413

    def __init__(self, message: str, *, rule: str, limit: str) -> None:
        super().__init__(f"{message} (limit: {limit})", rule=rule)
        self.limit = limit
