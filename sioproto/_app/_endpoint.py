"""Where a driver meets a core: facts in, effects and events out, and the core's deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from sioproto.engineio import HttpRead, HttpRespond, WsAccept, WsClose, WsFrame, WsReject, WsSend

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog
    from sioproto._app._base import Application
    from sioproto._app._runtime import Timeout
    from sioproto._output import Output

Fact = Callable[..., None]


class HttpToken(Protocol):
    """What the core knows a request by, and what its effects call."""

    limit: int | None

    def respond(self, out: HttpRespond[Any]) -> None: ...


class WsToken(Protocol):
    """What the core knows a WebSocket by, and what its effects call."""

    def accept(self, out: WsAccept[Any]) -> None: ...
    def reject(self, out: WsReject[Any]) -> None: ...
    def send(self, frames: list[WsFrame]) -> None: ...
    def close(self, code: int | None) -> None: ...


class Exchange:
    """One request: the ``HttpToken`` of drivers that have a task for each."""

    __slots__ = ("limit", "response", "waiting")

    def __init__(self) -> None:
        self.limit: int | None = None
        """So many bytes of the body are wanted."""
        self.response: HttpRespond[Exchange] | None = None
        self.waiting: Timeout | None = None
        """The context of what goes on while the answer is not there."""

    def respond(self, out: HttpRespond[Exchange]) -> None:
        """The answer is there."""
        self.response = out
        if self.waiting is not None:
            self.waiting.cancel()


class Endpoint:
    """One application, its core, and the clock of that core.

    Effects go to the token that they name, events to the application. Nothing that is called while
    the core is drained waits or states a fact, so that there is never more than one drain.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self.core = application.core
        self._deliver: dict[type[Output], Callable[[Any], None]] = {
            **application.handlers,
            HttpRead: _http_read,
            HttpRespond: _http_respond,
            WsAccept: _ws_accept,
            WsReject: _ws_reject,
            WsSend: _ws_send,
            WsClose: _ws_close,
        }
        self._alarm: Timeout | None = None
        self._draining = False
        self._written: list[WsToken] = []

    def call(self, fact: Fact, *args: Any) -> Backlog | None:
        """State one fact, and do what follows from it. See ``call_all``."""
        return self.call_all(((fact, args),))

    def call_all(
        self, facts: Iterable[tuple[Fact, tuple[Any, ...]]], *, take_turns: bool = False
    ) -> Backlog | None:
        """State facts that one read brought, and do what follows from them together.

        This is the only place where a driver touches the core.

        Args:
            facts: functions of the core and their arguments but ``now``.
            take_turns: whether the caller will call handlers itself, which are called by tasks of
                their own otherwise.

        Returns what to wait for before reading on from that client; None if nothing stands in the
        way.
        """
        now = self.application.runtime.clock()
        for fact, args in facts:
            fact(*args, now=now)
        deliver = self._deliver
        core = self.core
        self._draining = True
        for out in core.outputs():
            deliver[type(out)](out)
        while self._written:
            written, self._written = self._written, []
            for ws in written:
                core.ws_sent(ws, now=now)
            for out in core.outputs():
                deliver[type(out)](out)
        self._draining = False
        deadline = core.next_deadline()
        self._set_alarm(inf if deadline is None else deadline)
        application = self.application
        if not take_turns and (due := application.take_turns()):
            application.start_turns(due)
        return application.settle()

    def written(self, ws: WsToken) -> None:
        """What a ``WsSend`` asked for has been written, perhaps while the core is drained."""
        if self._draining:
            self._written.append(ws)
        else:
            self.call(self.core.ws_sent, ws)

    def wake(self) -> None:
        """There is something to drain that no fact caused: let the clock do it, soon."""
        # Everything that happens until the clock's task runs leaves in the same drain.
        self._set_alarm(-inf)

    def flush(self) -> None:
        """Do at once what commands have left to do."""
        self.call_all(())

    async def run_clock(self) -> None:
        """Call the core whenever its deadline has come, for ever."""
        runtime = self.application.runtime
        while True:
            # A context whose deadline moves, where others would start and cancel timers.
            with runtime.timeout(inf) as self._alarm:
                self.call(self.core.handle_timeout)
                await runtime.event().wait()

    def _set_alarm(self, deadline: float) -> None:
        # Before its first turn, the clock has none: it begins by calling the core.
        if self._alarm is not None and self._alarm.deadline != deadline:
            self._alarm.deadline = deadline


def _http_read(out: HttpRead[HttpToken]) -> None:
    out.exchange.limit = out.limit


def _http_respond(out: HttpRespond[HttpToken]) -> None:
    out.exchange.respond(out)


def _ws_accept(out: WsAccept[WsToken]) -> None:
    out.ws.accept(out)


def _ws_reject(out: WsReject[WsToken]) -> None:
    out.ws.reject(out)


def _ws_send(out: WsSend[WsToken]) -> None:
    out.ws.send(out.frames)


def _ws_close(out: WsClose[WsToken]) -> None:
    out.ws.close(out.code)
