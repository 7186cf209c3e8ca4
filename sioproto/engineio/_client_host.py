"""What a session of a client can be, can wait for, and asks of the client that owns it."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

from sioproto._output import Output

if TYPE_CHECKING:
    from sioproto.engineio._client_session import ClientSession


class State(enum.Enum):
    """How far a session has come."""

    OPENING = enum.auto()
    OPEN = enum.auto()
    LEAVING = enum.auto()
    CLOSED = enum.auto()


class Timer(enum.IntEnum):
    """What a session can be waiting for."""

    OPEN_BY = 0
    PING_BY = 1
    UPGRADE_BY = 2
    POST_BY = 3
    CLOSE_BY = 4
    RESUME_BY = 5
    PING_AT = 6


class Host(Protocol):
    """What a session asks of the client that owns it."""

    @property
    def now(self) -> float:
        """Seconds, as the last fact or command told."""

    def put(self, out: Output) -> None:
        """Queue an output that starts nothing."""

    def request(self, session: ClientSession, post: tuple[str, bytes] | None = None) -> int:
        """Send a request to the session, or for a new one: a GET, or a POST with this content type
        and body. Returns its token."""

    def abort(self, exchange: int) -> None:
        """Give up a request."""

    def connect(self, session: ClientSession) -> int:
        """Open a WebSocket to the session, or for a new one. Returns its token."""

    def close_websocket(self, ws: int, code: int | None) -> None:
        """Close a WebSocket: nothing that it still brings reaches the session."""

    def touch(self, session: ClientSession) -> None:
        """The session has something to flush when outputs are next drained."""

    def moved(self, session: ClientSession) -> None:
        """The session's deadline has changed."""

    def runs_on(self, transport: str) -> None:
        """A session has found its transport."""

    def ended(self, session: ClientSession) -> None:
        """The session needs nothing any more."""
