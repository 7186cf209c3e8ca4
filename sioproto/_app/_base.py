"""What the applications of both layers have in common, and all that a driver knows of them."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from sioproto._app._backlog import Backlog
from sioproto._app._calling import invoke
from sioproto._app._config import AppConfig
from sioproto._app._runtime import Event, Runtime
from sioproto._app._steps import Flusher, run_in_steps
from sioproto._errors import ClosedError, LocalProtocolError
from sioproto._output import Output
from sioproto.engineio import EngineServer, HookFailed, Request

F = TypeVar("F", bound=Callable[..., Any])


class Core(Protocol):
    """What a driver asks of either server machine. Tokens are the driver's own objects."""

    def http_request(self, exchange: Any, request: Request, *, now: float) -> None: ...
    def http_body(self, exchange: Any, data: bytes, *, now: float) -> None: ...
    def http_aborted(self, exchange: Any, *, now: float) -> None: ...
    def ws_connected(self, ws: Any, request: Request, *, now: float) -> None: ...
    def ws_text(self, ws: Any, text: str, *, now: float) -> None: ...
    def ws_binary(self, ws: Any, data: bytes, *, now: float) -> None: ...
    def ws_sent(self, ws: Any, *, now: float) -> None: ...
    def ws_closed(self, ws: Any, *, now: float, error: Exception | None = None) -> None: ...
    def handle_timeout(self, *, now: float) -> None: ...
    def shutdown(self, *, now: float) -> None: ...
    def serves(self, target: str) -> bool: ...
    def next_deadline(self) -> float | None: ...
    def outputs(self) -> Iterator[Output]: ...


class Owner(Protocol):
    """Whose handler it is: a socket or a session."""

    @property
    def _gone(self) -> bool:
        """Whether it has ended, or is about to, or will never begin."""


class TakesTurns(Protocol):
    """What has handlers to be called, one call at a time."""

    async def _take_turn(self) -> None:
        """Call them for all that waits. Never more than once at the same time."""


class Application(ABC):
    """A core with the functions of a user around it.

    A driver calls ``start`` once, hands every event to its entry in ``handlers``, and calls
    ``settle`` whenever it has drained the core.
    """

    core: Core
    handlers: Mapping[type[Output], Callable[[Any], None]]
    """What takes each kind of event."""

    def __init__(self, config: AppConfig | None) -> None:
        self.app_config = config or AppConfig()
        self._runtime: Runtime | None = None
        self._flusher: Flusher | None = None
        self._flush: Callable[[], None] | None = None
        self._error_hook: Callable[[Exception, Any], Any] | None = None
        self._backlogs: dict[str, Backlog] = {}
        self._read_for: Backlog | None = None
        self._drainers: dict[str, Event] = {}
        self._due: deque[TakesTurns] = deque()

    # What a driver calls

    def check(self) -> None:
        """Find out whether it can be served, before any task runs that would wrap the error.

        Raises:
            LocalProtocolError: it serves or served already, or is to offer a transport that no
                driver carries.
        """
        if self._runtime is not None:
            raise LocalProtocolError("a server serves once: make a new one")
        if "webtransport" in self.engine().config.transports:
            raise LocalProtocolError("webtransport is in the core alone: no driver carries it yet")

    def start(self, runtime: Runtime, wake: Callable[[], None], flush: Callable[[], None]) -> None:
        """Begin to serve.

        Args:
            runtime: tasks and time.
            wake: called when there is something to drain that no fact caused.
            flush: drains at once; called by tasks, never while the core is drained.

        Raises:
            LocalProtocolError: see ``check``.
        """
        self.check()
        self._runtime = runtime
        self._flusher = Flusher(wake, flush)
        self._flush = flush

    def take_turns(self) -> deque[TakesTurns]:
        """For a driver that calls handlers itself: whose turn it is, in this order."""
        due = self._due
        if due:
            self._due = deque()
        return due

    def start_turns(self, due: deque[TakesTurns]) -> None:
        """For any other: have their handlers called by tasks of their own."""
        for each in due:
            self.spawn(each._take_turn)

    @property
    def flusher(self) -> Flusher:
        """What sees to it that what handlers send leaves.

        Raises:
            LocalProtocolError: not serving yet.
        """
        if self._flusher is None:
            raise LocalProtocolError("not serving yet")
        return self._flusher

    def settle(self) -> Backlog | None:
        """The core is drained.

        Returns what whoever stated the facts should wait for before reading on from that client;
        None if nothing stands in the way.
        """
        if self._drainers:
            for sid in [sid for sid in self._drainers if not self.buffered(sid)]:
                self._drainers.pop(sid).set()
        backlog, self._read_for = self._read_for, None
        return backlog if backlog is not None and backlog.judge() else None

    # What users call

    def on_error(self, hook: F) -> F:
        """Decorator: let ``hook(error, socket)`` take the exceptions that handlers raise.

        Without a hook they end the serving, and come out of it in an exception group. Either way a
        ``ClosedError`` raised by a handler whose own client has gone ends that handler and nothing
        else.
        """
        self._error_hook = hook
        return hook

    # What sockets, sessions and their tasks call

    @property
    def runtime(self) -> Runtime:
        """Tasks and time.

        Raises:
            LocalProtocolError: not serving yet.
        """
        if self._runtime is None:
            raise LocalProtocolError("not serving yet")
        return self._runtime

    def spawn(self, function: Callable[..., Coroutine[Any, Any, object]], *args: Any) -> None:
        """Start a task of the application: what it raises ends the serving.

        What it sends leaves whenever it pauses.
        """
        self.runtime.spawn(run_in_steps, self.flusher, function, *args)

    def now(self) -> float:
        """Seconds, for the commands that want to know."""
        return self.runtime.clock()

    @abstractmethod
    def buffered(self, sid: str) -> int:
        """How much waits for a client to fetch it."""

    async def wait_drained(self, sid: str) -> None:
        """Wait until nothing waits for a client to fetch it, or the client has gone."""
        while self.buffered(sid):
            if sid not in self._drainers:
                self._drainers[sid] = self.runtime.event()
            await self._drainers[sid].wait()

    async def failed(self, error: Exception, owner: Owner | None) -> None:
        """A handler raised an exception.

        Args:
            error: the exception; raised again if there is no hook for it.
            owner: the socket or session whose handler it was; None if it was about a namespace
                that nobody has joined yet.
        """
        if isinstance(error, ClosedError):
            if self._flush is not None:
                self._flush()  # perhaps the end is known to the core, but has not been drained yet
            if owner is not None and owner._gone:
                return
        if self._error_hook is None:
            raise error
        await invoke(self._error_hook, error, owner)

    def hook_failed(self, out: HookFailed) -> None:
        """A function about requests or their answers raised: as bad as if a handler had."""
        self.spawn(self.failed, out.error, None)

    def enter_backlog(self, sid: str) -> Backlog:
        """The backlog of a client, for one more task."""
        backlog = self._backlogs.get(sid)
        if backlog is None:
            backlog = Backlog(self.runtime, self.app_config, partial(self._hold, sid))
            self._backlogs[sid] = backlog
        backlog.users += 1
        return backlog

    def close_backlog(self, sid: str) -> None:
        """Nothing more of a client will be read."""
        backlog = self._backlogs.get(sid)
        if backlog is not None:
            backlog.close()

    def leave_backlog(self, sid: str, backlog: Backlog) -> None:
        """The task has ended."""
        backlog.users -= 1
        if not backlog.users and self._backlogs.get(sid) is backlog:
            del self._backlogs[sid]

    @abstractmethod
    def engine(self) -> EngineServer[Any]:
        """The engine of the core, or the core itself."""

    # Inside

    def _hold(self, sid: str, held: bool) -> None:
        if held:
            self.engine().hold(sid, now=self.now())
        else:
            self.engine().resume(sid, now=self.now())

    def _wake(self) -> None:
        if self._flusher is not None:
            self._flusher.want()


def new_id() -> str:
    """An id that cannot be guessed: 20 characters of the URL-safe alphabet (EIO-HS-06)."""
    return secrets.token_urlsafe(15)
