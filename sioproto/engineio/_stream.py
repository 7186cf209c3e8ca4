"""WebTransport streams: what stands between their bytes and the sessions that they carry."""

from __future__ import annotations

from math import inf
from typing import Generic, Protocol

from sioproto._errors import DecodeError, RemoteProtocolError
from sioproto._json import StrictJson
from sioproto.engineio._config import ServerConfig
from sioproto.engineio._framing import FrameDecoder
from sioproto.engineio._outputs import X
from sioproto.engineio._request import Request
from sioproto.engineio._session import Session

_JSON = StrictJson()


class StreamHost(Protocol[X]):
    """What a stream asks of the server that owns it."""

    def session_on(self, ws: X) -> Session[X] | None:
        """The session that is carried, if any is (any more)."""

    def greeted(self, stream: Stream[X], sid: str | None, now: float) -> None:
        """The client wants a new session, or to upgrade this one."""

    def close_websocket(self, ws: X, code: int | None) -> None:
        """Close the stream."""


class Stream(Generic[X]):
    """A stream. It is nobody's until its first frame tells (EIO-WT-05)."""

    __slots__ = ("_decoder", "_host", "awaited", "deadline", "request", "token", "wake_at")

    def __init__(
        self, token: X, request: Request, host: StreamHost[X], config: ServerConfig, now: float
    ) -> None:
        self.token = token
        self.request = request
        self.awaited = True
        """Whether the first frame is yet to come."""
        self.deadline = now + config.upgrade_timeout
        self.wake_at = inf
        self._decoder = FrameDecoder(config.max_payload)
        self._host = host

    def handle_timeout(self, now: float) -> None:
        """The first frame did not come in time (EIO-WT-06)."""
        self._host.close_websocket(self.token, None)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes arrived."""
        host, token = self._host, self.token
        if host.session_on(token) is None and not self.awaited:
            return  # closed by us
        self._decoder.receive(data)
        try:
            while (frame := self._decoder.next_frame()) is not None:
                if (session := host.session_on(token)) is not None:
                    session.ws_frame(token, frame, now)
                elif self.awaited:
                    host.greeted(self, _greeted_sid(frame), now)
                else:
                    return
        except RemoteProtocolError as error:
            if (session := host.session_on(token)) is not None:
                session.ws_broken(token, error)
            elif self.awaited:
                host.close_websocket(token, None)


def _greeted_sid(frame: str | bytes) -> str | None:
    """The session that the first frame of a stream asks for; None for a new one.

    Raises:
        DecodeError: it is no open packet, or one that says something else (EIO-WT-05).
    """
    if isinstance(frame, bytes) or frame[:1] != "0":
        raise DecodeError("a stream begins with an open packet", rule="EIO-WT-05")
    if frame == "0":
        return None
    value = _JSON.loads(frame[1:])
    sid = value.get("sid") if isinstance(value, dict) else None
    if not isinstance(sid, str):
        raise DecodeError("an open packet with data names a session", rule="EIO-WT-05")
    return sid
