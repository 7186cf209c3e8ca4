"""Effects and events of the Engine.IO machines, and the reasons with which a session ends.

``X`` is the type of the driver's tokens: whatever hashable object it passes in with a request comes
back in the effects that answer it.
"""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

from sioproto._output import Effect, Event, output
from sioproto.engineio._message import WsFrame
from sioproto.engineio._request import Request

X = TypeVar("X")


class CloseReason(enum.StrEnum):
    """Why a session ended (EIO-CL-01 and following)."""

    TRANSPORT_CLOSE = "transport close"
    """The peer closed: a close packet, a closed WebSocket, a vanished connection."""
    TRANSPORT_ERROR = "transport error"
    """The transport was misused or failed:

    an aborted poll, an overlap, a WebSocket violation, a heartbeat the wrong way round.
    """
    PING_TIMEOUT = "ping timeout"
    """The peer did not answer a ping in time."""
    PARSE_ERROR = "parse error"
    """The peer sent a packet that cannot be decoded."""
    FORCED_CLOSE = "forced close"
    """This side closed the session."""


# Effects


@output
class HttpRead(Effect, Generic[X]):
    """Read the request body, then state ``http_body(exchange, data)`` once.

    The driver reads until the body ends or more than ``limit`` bytes are there, whichever comes
    first; in the second case it states what it has, and the core refuses it.
    """

    exchange: X
    limit: int


@output
class HttpRespond(Effect, Generic[X]):
    """Answer the request. The exchange is finished: nothing mentions it afterwards.

    ``headers`` has no ``content-length``, ``date`` or ``connection``: those belong to the driver.
    """

    exchange: X
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@output
class WsAccept(Effect, Generic[X]):
    """Complete the WebSocket handshake.

    A received message of more than ``limit`` bytes is a violation (close code 1009).
    """

    ws: X
    headers: tuple[tuple[str, str], ...]
    limit: int


@output
class WsReject(Effect, Generic[X]):
    """Answer the upgrade request with an ordinary HTTP response instead of 101, then close the
    connection."""

    ws: X
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@output
class WsSend(Effect, Generic[X]):
    """Send these messages, each as one WebSocket message, then state ``ws_sent(ws)``.

    No other ``WsSend`` comes before that.
    """

    ws: X
    frames: list[WsFrame]


@output
class WsClose(Effect, Generic[X]):
    """Send what an earlier ``WsSend`` asked for, then a close frame, without status if ``code``
    is None. The last effect about ``ws``."""

    ws: X
    code: int | None


@output
class WtAccept(Effect, Generic[X]):
    """Accept the WebTransport session, and state what arrives on its first bidirectional stream."""

    stream: X


@output
class WtReject(Effect, Generic[X]):
    """Refuse the WebTransport session with this HTTP status. Nothing mentions it afterwards."""

    stream: X
    status: int


@output
class WtSend(Effect, Generic[X]):
    """Write these bytes to the stream, then state ``wt_sent(stream)``.

    No other ``WtSend`` comes before that.
    """

    stream: X
    data: bytes


@output
class WtClose(Effect, Generic[X]):
    """Write what an earlier ``WtSend`` asked for, then close the WebTransport session. The last
    effect about ``stream``."""

    stream: X


# Events


@output
class SessionOpened(Event):
    """A session began.

    ``request`` is the one that opened it, and stays the same for its whole life.
    """

    sid: str
    request: Request
    revision: int = 4
    """The revision of Engine.IO that the session speaks, for its whole life."""


@output
class MessageReceived(Event):
    """A message packet arrived."""

    sid: str
    data: str | bytes


@output
class SessionUpgraded(Event):
    """The session moved from polling to another transport."""

    sid: str
    transport: str = "websocket"


@output
class HookFailed(Event):
    """A function that the application gave raised an exception, over ``request``.

    The one that judges requests has refused it by that; the answer went out without what one for
    the headers of answers would have added.
    """

    request: Request
    error: Exception


@output
class SessionClosed(Event):
    """A session ended. The last event about ``sid``."""

    sid: str
    reason: CloseReason
    error: Exception | None
    """What exactly went wrong, if the reason is an error."""
