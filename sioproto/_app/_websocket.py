"""One WebSocket between a core and a driver: what the core's effects do to it, and its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from sioproto.engineio import WsAccept, WsFrame, WsReject

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog
    from sioproto._app._endpoint import Endpoint
    from sioproto._app._runtime import Timeout


class WebSocketToken(ABC):
    """What the core knows a WebSocket by.

    The core's effects set what is to be written and tell whoever writes; only one may, so that
    frames never mix. The end begins with a close, from whichever side, and has a limit of time.

    Args:
        endpoint: whose WebSocket it is.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._runtime = endpoint.application.runtime
        self.answered = self._runtime.event()
        self.accepted: WsAccept[Any] | None = None
        self.rejected: WsReject[Any] | None = None
        self._pausing: Timeout | None = None
        self._batch: list[WsFrame] | None = None
        self._closing = False
        self._close_code: int | None = None
        self._retired = False

    # Effects of the core

    def accept(self, out: WsAccept[Any]) -> None:
        """Complete the handshake."""
        self.accepted = out
        self.answered.set()

    def reject(self, out: WsReject[Any]) -> None:
        """Answer with an ordinary response."""
        self.rejected = out
        self.answered.set()

    def send(self, frames: list[WsFrame]) -> None:
        """Send these frames, then state ``ws_sent``."""
        self._batch = frames
        self._wake_writer()

    def close(self, code: int | None) -> None:
        """Send what is left to send, then a close frame."""
        self._begin_closing(code)

    # What drivers use

    def _retire(self, error: Exception | None = None, *, take_turns: bool = False) -> None:
        """Tell the core that it has ended. Only the first call counts.

        Args:
            error: what the peer did wrong.
            take_turns: see ``Endpoint.call_all``.
        """
        if not self._retired:
            self._retired = True
            ended = partial(self._endpoint.core.ws_closed, error=error)
            self._endpoint.call_all(((ended, (self,)),), take_turns=take_turns)

    def _begin_closing(self, code: int | None) -> None:
        """Let the writer finish with a close frame, unless it does already."""
        if not self._closing:
            self._closing = True
            self._close_code = code
            self._limit_life()
            self._wake_writer()
            if self._pausing is not None:
                self._pausing.cancel()

    @abstractmethod
    def _limit_life(self) -> None:
        """Closing has begun, and may not take for ever."""

    @abstractmethod
    def _wake_writer(self) -> None:
        """There is something to write: a batch, or the end."""

    async def _pause(self, backlog: Backlog) -> None:
        """Do not read on for a while, unless the WebSocket is being closed."""
        if not self._closing:
            with self._runtime.timeout(inf) as self._pausing:
                await backlog.wait()
            self._pausing = None
