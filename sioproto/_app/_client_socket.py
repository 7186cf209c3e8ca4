"""The socket of a client as an application on a runtime sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sioproto._app._calling import Listener, is_async
from sioproto._app._client_inbox import ClientInbox
from sioproto._app._client_task import serve_client_socket, tell
from sioproto._app._listeners import Listeners
from sioproto._app._runtime import Event as Flag
from sioproto._errors import (
    AckTimeout,
    ClosedError,
    ConnectionFailed,
    LocalProtocolError,
)
from sioproto._output import Event, Output
from sioproto.socketio import (
    RESERVED_EVENTS,
    ClientAckFailed,
    ClientAckReceived,
    ClientConnectFailed,
    ClientDisconnected,
    ClientDisconnectReason,
    ClientEventReceived,
)
from sioproto.socketio import ClientSocket as CoreClientSocket

if TYPE_CHECKING:
    from sioproto._app._manager import Manager
    from sioproto.engineio import Message

F = TypeVar("F", bound=Callable[..., Any])

LIFECYCLE = ("connect", "connect_error", "disconnect")

_WANTED = (
    ClientDisconnectReason.IO_SERVER_DISCONNECT,
    ClientDisconnectReason.IO_CLIENT_DISCONNECT,
)


class ClientSocket(CoreClientSocket):
    """One namespace of a server, as its client sees it. It outlives connections.

    Its handlers run one at a time, in the order in which the server sent. Instead of listeners,
    ``async for event in socket`` takes the events one by one: each has ``name``, ``args`` and
    ``reply``.
    """

    _manager: Manager
    _inbox: ClientInbox
    _listeners: Listeners
    # Tuples, so that whoever is calling these functions is not disturbed by changes.
    _incoming: tuple[Listener, ...]
    _outgoing: tuple[Callable[..., Any], ...]
    _requests: dict[int, _Waiter]
    _iterated: bool
    _handling: bool
    _change: Flag | None
    _failure: Exception | None

    # Events

    def on(self, name: str | int | float, *, concurrent: bool = False) -> Callable[[F], F]:
        """Decorator: call a plain or async function for each event of this name.

        It is called with the arguments of the event, as far as it takes that many: a server that
        recovers connections appends one of its own (SIO-CSR-03). If the server wants an
        acknowledgement, what the function returns is sent: nothing for None, several values for a
        tuple, else one. With several listeners, the first that returns something has the word.

        Three names are the client's own: ``connect`` has no argument, ``connect_error`` has the
        error, ``disconnect`` has the reason, and the details if it takes a second argument.

        Args:
            name: of the event.
            concurrent: let the events that follow go on while this one is handled, at most
                ``AppConfig.max_concurrent`` at once.

        Raises:
            LocalProtocolError: another reserved name, or the events are taken by iteration.
        """
        return self._listen(name, once=False, concurrent=concurrent)

    def once(self, name: str | int | float, *, concurrent: bool = False) -> Callable[[F], F]:
        """Decorator: like ``on``, but call the function for the next event of this name only.

        Raises:
            LocalProtocolError: as for ``on``.
        """
        return self._listen(name, once=True, concurrent=concurrent)

    def off(self, name: str | int | float, function: Callable[..., Any] | None = None) -> None:
        """Stop calling a function for events of this name, or all functions."""
        self._listeners.remove(name, function)

    def on_any(self, function: F) -> F:
        """Decorator: call ``function(name, *args)``, plain or async, for each event that comes in,
        before any listener.

        Raises:
            LocalProtocolError: the events are taken by iteration.
        """
        self._refuse_if_iterated()
        self._incoming = (*self._incoming, Listener(function))
        self._start_handling()
        return function

    def prepend_any(self, function: F) -> F:
        """Decorator: like ``on_any``, but before those that are there already.

        Raises:
            LocalProtocolError: as for ``on_any``.
        """
        self._refuse_if_iterated()
        self._incoming = (Listener(function), *self._incoming)
        self._start_handling()
        return function

    def off_any(self, function: Callable[..., Any] | None = None) -> None:
        """Stop calling a function for each event that comes in, or all functions."""
        self._incoming = tuple(
            each for each in self._incoming if function not in (None, each.function)
        )

    def on_any_outgoing(self, function: F) -> F:
        """Decorator: call ``function(name, *args)`` for each event when it is sent (SIO-EVT-09).

        What was emitted while the socket was not connected is sent when it is.

        Raises:
            LocalProtocolError: the function is async.
        """
        if is_async(function):
            raise LocalProtocolError(
                "what listens to outgoing events cannot be async: nobody waits"
            )
        self._outgoing = (*self._outgoing, function)
        return function

    def off_any_outgoing(self, function: Callable[..., Any] | None = None) -> None:
        """Stop calling a function for each event that is sent, or all functions."""
        self._outgoing = tuple(each for each in self._outgoing if function not in (None, each))

    def __aiter__(self) -> AsyncIterator[ClientEventReceived]:
        """Take the events one by one, across reconnections.

        The iteration ends when either side has disconnected the socket. If it will not connect
        again for another reason, ``ConnectionRefused`` or ``ConnectionFailed`` is raised in the
        place of a further event. Listeners of ``connect``, ``connect_error`` and ``disconnect``
        are called meanwhile.

        Raises:
            LocalProtocolError: events are taken by listeners, or were dropped because nobody
                took them for too long.
        """
        if self._incoming or any(name not in LIFECYCLE for name in self._listeners.names()):
            raise LocalProtocolError("the events of this socket are taken by listeners")
        if self._inbox.dropped:
            raise LocalProtocolError("events have been dropped already: iterate earlier")
        self._iterated = True
        self._inbox.claim()
        self._inbox.wake()  # the task that called listeners until now
        return _Events(self)

    # Sending, and waiting

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to the server.

        It is sent at once, or when the socket connects: before anything that is emitted later
        (SIO-CBUF-01). With ``retries`` it is sent until it is acknowledged.

        Raises:
            LocalProtocolError: the name is reserved, the arguments cannot be expressed, or more
                than ``max_buffer`` would wait.
        """
        self._manager.catch_up()
        super().emit(name, *args)

    def emit_volatile(self, name: str | int | float, args: tuple[Any, ...]) -> None:
        """See :attr:`volatile`."""
        self._manager.catch_up()
        super().emit_volatile(name, args)

    def send(self, *args: Any) -> None:
        """Emit an event named ``message`` (SIO-EVT-07).

        Raises:
            LocalProtocolError: as for ``emit``.
        """
        self.emit("message", *args)

    async def request(
        self, name: str | int | float, *args: Any, timeout: float | None = None
    ) -> Any:
        """Emit an event and wait for its acknowledgement.

        While the socket is not connected the event waits, and so does the caller.

        Args:
            name: of the event.
            args: of the event.
            timeout: seconds to wait, for each attempt if events are retried; ``ack_timeout`` unless
                given.

        Returns:
            None, the value, or a tuple of the values that the acknowledgement carries.

        Raises:
            AckTimeout: none came in time.
            ClosedError: the connection was lost, or the socket disconnected, before it came.
            LocalProtocolError: as for ``emit``, or ``max_pending_acks`` are pending.
        """
        manager = self._manager
        manager.catch_up()
        id = self.emit_with_ack(name, *args, timeout=timeout, now=manager.now())
        waiter = self._requests[id] = _Waiter(manager.runtime.event())
        manager.backlog.acknowledgement_awaited()
        try:
            await waiter.event.wait()
        finally:
            del self._requests[id]
            manager.backlog.acknowledgement_settled()
        if waiter.failure == "timeout":
            raise AckTimeout(f'no acknowledgement of "{name}" in time')
        if waiter.failure is not None:
            raise ClosedError(f'the connection was lost before "{name}" was acknowledged')
        values = waiter.args
        return tuple(values) if len(values) > 1 else values[0] if values else None

    async def wait_connected(self) -> None:
        """Wait until the socket is connected.

        Raises:
            ConnectionRefused: the server refused it; with ``message`` and ``data``.
            ConnectionFailed: there is no connection, and no further attempt follows.
            ClosedError: it is not active, or was disconnected meanwhile.
        """
        while not self.connected:
            if not self._active:
                raise self._failure or ClosedError(f"{self!r} is not active")
            if self._change is None:
                self._change = self._manager.runtime.event()
            await self._change.wait()

    async def drain(self) -> None:
        """Wait until all that was emitted has been handed to the transport.

        Raises:
            ClosedError: the socket is not connected, or was disconnected meanwhile.
        """
        if self.connected:
            await self._manager.wait_drained()
        if not self.connected:
            raise ClosedError(f"{self!r} is not connected")

    def connect(self, *, now: float | None = None) -> None:
        """Become active. Does nothing if it is.

        Args:
            now: seconds; an application leaves it to the runtime's clock.
        """
        self._failure = None
        super().connect(now=self._manager.now() if now is None else now)

    def disconnect(self, *, now: float | None = None) -> None:
        """Leave, and close the connection if no other socket is active. Does nothing if it is not
        active.

        Args:
            now: seconds; an application leaves it to the runtime's clock.
        """
        unnoticed = self._active and not self.connected
        super().disconnect(now=self._manager.now() if now is None else now)
        if unnoticed:  # the core has nothing to say about it
            self._happened(_Left())

    @property
    def manager(self) -> Manager:
        """What it shares with the other sockets of its connection."""
        return self._manager

    # What its manager and its task call

    def _attach(self, manager: Manager) -> None:
        """It was made by the core; give it what it needs to serve an application."""
        self._manager = manager
        self._inbox = ClientInbox(manager.runtime, manager.backlog, manager.app_config.pause_input)
        self._listeners = Listeners()
        self._incoming = ()
        self._outgoing = ()
        self._requests = {}
        self._iterated = False
        self._handling = False
        self._change = None
        self._failure = None

    def _listen(self, name: str | int | float, *, once: bool, concurrent: bool) -> Callable[[F], F]:
        if name in LIFECYCLE:
            if concurrent:
                raise LocalProtocolError(f'nothing can go on while "{name}" is handled')
        else:
            if name in RESERVED_EVENTS:
                raise LocalProtocolError(f'"{name}" is a reserved event name')
            self._refuse_if_iterated()

        def register(function: F) -> F:
            self._listeners.add(name, function, once=once, concurrent=concurrent)
            if not self._iterated:
                self._start_handling(claim=name not in LIFECYCLE)
            return function

        return register

    def _refuse_if_iterated(self) -> None:
        if self._iterated:
            raise LocalProtocolError("the events of this socket are taken by iteration")

    def _start_handling(self, *, claim: bool = True) -> None:
        if claim:
            self._inbox.claim()
        else:
            self._inbox.watch()
        if not self._handling:
            self._handling = True
            self._manager.runtime.spawn(serve_client_socket, self._manager, self)

    def _happened(self, out: Output, size: int = 0) -> None:
        """An event of the core is about this socket."""
        if isinstance(out, ClientConnectFailed) and not out.will_retry:
            self._failure = out.error
        elif isinstance(out, ClientDisconnected) and not out.will_retry:
            self._failure = end_of(out)
        is_news = not isinstance(out, ClientEventReceived)
        if is_news:
            self._changed()
        if not self._inbox.put(out, size, is_news=is_news):
            self._manager.overrun()

    def _changed(self) -> None:
        if self._change is not None:
            self._change.set()
            self._change = None

    def _acknowledged(self, out: ClientAckReceived) -> None:
        if (waiter := self._requests.get(out.id)) is not None:
            waiter.args = out.args
            waiter.event.set()

    def _not_acknowledged(self, out: ClientAckFailed) -> None:
        if (waiter := self._requests.get(out.id)) is not None:
            waiter.failure = out.why
            waiter.event.set()

    def _send_event(self, messages: list[Message], data: list[Any]) -> None:
        for function in self._outgoing:
            try:
                function(*data)
            except Exception as error:
                # Whoever emits is not to blame, and may be the core in the middle of a flush.
                self._manager.runtime.spawn(self._manager.failed, error, self)
        super()._send_event(messages, data)


def end_of(out: ClientDisconnected) -> Exception:
    """What a disconnection for good is to whoever waits for the socket."""
    if out.reason in _WANTED:
        return ClosedError(f"disconnected: {out.reason}")
    error = ConnectionFailed(f"the connection was lost: {out.reason}")
    error.__cause__ = out.details
    return error


class _Left(Event):
    """The application disconnected a socket that was not connected."""


class _Waiter:
    """A ``request`` that waits."""

    __slots__ = ("args", "event", "failure")

    def __init__(self, event: Flag) -> None:
        self.event = event
        self.args: list[Any] = []
        self.failure: str | None = None


class _Events:
    """The iterator over a socket's events."""

    def __init__(self, socket: ClientSocket) -> None:
        self._socket = socket

    def __aiter__(self) -> _Events:
        return self

    async def __anext__(self) -> ClientEventReceived:
        inbox = self._socket._inbox
        while True:
            if not await inbox.wait():
                if inbox.ended:
                    raise StopAsyncIteration
                continue
            out, told = inbox.take()
            if isinstance(out, ClientEventReceived):
                return out
            if not told:
                await tell(self._socket, out)
            if isinstance(out, _Left):
                raise StopAsyncIteration
            if isinstance(out, ClientConnectFailed) and not out.will_retry:
                raise out.error
            if isinstance(out, ClientDisconnected) and not out.will_retry:
                error = end_of(out)
                if isinstance(error, ClosedError):
                    raise StopAsyncIteration
                raise error
