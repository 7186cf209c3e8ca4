"""The socket as an application on a runtime sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, KeysView
from typing import TYPE_CHECKING, Any, TypeVar

from sioproto._app._broadcast import Broadcast
from sioproto._app._calling import Listener, is_async
from sioproto._app._inbox import Inbox
from sioproto._app._listeners import Listeners
from sioproto._app._runtime import Event
from sioproto._app._task import let_in, take_turn
from sioproto._errors import AckTimeout, ClosedError, LocalProtocolError
from sioproto.socketio import (
    RESERVED_EVENTS,
    AckFailed,
    AckReceived,
    Disconnecting,
    EventReceived,
    Packet,
    Target,
)
from sioproto.socketio import Socket as CoreSocket
from sioproto.socketio._socket import SocketState

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog
    from sioproto._app._beside import Beside
    from sioproto._app._server import SocketApplication
    from sioproto.engineio._message import Message

F = TypeVar("F", bound=Callable[..., Any])

LIFECYCLE = ("disconnecting", "disconnect")


class Socket(CoreSocket):
    """One client in one namespace, with listeners.

    Its handlers run one at a time, in the order in which the client sent: first those for
    ``connection``, then those of each event, at last ``disconnecting`` and ``disconnect``. Instead
    of listeners, ``async for event in socket`` takes the events one by one: each has ``name``,
    ``args`` and ``reply``.
    """

    __slots__ = (
        "_app",
        "_at_work",
        "_backlog",
        "_beside",
        "_end",
        "_gone",
        "_inbox",
        "_incoming",
        "_iterated",
        "_joining",
        "_last_rooms",
        "_listeners",
        "_listening",
        "_middlewares",
        "_outgoing",
        "_requests",
    )

    _app: SocketApplication
    _at_work: bool  # its handlers are being called, or soon will be
    _backlog: Backlog
    _beside: Beside | None
    _inbox: Inbox[EventReceived]
    _end: Disconnecting | None
    _gone: bool
    _iterated: bool
    _joining: bool  # its first turn has yet to come
    _listening: bool
    _last_rooms: dict[str, None] | None
    _listeners: Listeners
    # Tuples, so that whoever is calling these functions is not disturbed by changes.
    _middlewares: tuple[Callable[[EventReceived], Any], ...]
    _incoming: tuple[Listener, ...]
    _outgoing: tuple[Callable[..., Any], ...]
    _requests: dict[int, _Waiter]

    # What users call

    def on(self, name: str | int | float, *, concurrent: bool = False) -> Callable[[F], F]:
        """Decorator: call a plain or async function for each event of this name.

        It is called with the arguments of the event. If the client wants an acknowledgement, what
        the function returns is sent: nothing for None, several values for a tuple, else one. With
        several listeners, the first that returns something has the word.

        An event whose arguments do not fit the parameters of the function is the client's mistake:
        it costs the client its connection, or goes to the ``on_error`` hook if there is one.

        Two names are the server's own: ``disconnecting`` is called while ``rooms`` is still full,
        ``disconnect`` when it is empty. Both get the reason, and the details if they take a second
        argument.

        Args:
            name: of the event.
            concurrent: let the events that follow go on while this one is handled, at most
                ``AppConfig.max_concurrent`` at once. The handlers of the end wait for all.

        Raises:
            LocalProtocolError: another reserved name, the events are taken by iteration, or an end
                that is concurrent.
        """
        return self._listen(name, once=False, concurrent=concurrent)

    def once(self, name: str | int | float, *, concurrent: bool = False) -> Callable[[F], F]:
        """Decorator: like ``on``, but call the function for the next event of this name only.

        Raises:
            LocalProtocolError: as for ``on``.
        """
        return self._listen(name, once=True, concurrent=concurrent)

    def off(self, name: str | int | float, function: Callable[..., Any] | None = None) -> None:
        """Stop calling a function for events of this name, or all functions.

        The event that is being handled is not affected. Does nothing if nobody listens.
        """
        self._listeners.remove(name, function)

    def use(self, middleware: F) -> F:
        """Decorator: call ``middleware(event)``, plain or async, for each event of this client.

        All run in order, after the catch-alls and before the listeners. They may change the
        ``name`` and the ``args`` of the event for those that follow, and acknowledge it by its
        ``reply``, which is None if the client asked for no acknowledgement.

        Raising ``ConnectionRefused`` refuses the event, not the client: no listener sees it, and
        nothing is sent, not even an acknowledgement (SIO-EVT-12). The refusal goes to the
        ``on_error`` hook, if there is one. Any other exception is treated like that of a listener.

        Raises:
            LocalProtocolError: the events are taken by iteration.
        """
        self._refuse_if_iterated()
        self._middlewares = (*self._middlewares, middleware)
        return middleware

    # Catch-alls

    def on_any(self, function: F) -> F:
        """Decorator: call ``function(name, *args)``, plain or async, for each event that comes in.

        Before any middleware and listener, and also if nobody listens to it; not for
        acknowledgements, nor for the end.

        Raises:
            LocalProtocolError: the events are taken by iteration.
        """
        self._refuse_if_iterated()
        self._incoming = (*self._incoming, Listener(function))
        return function

    def prepend_any(self, function: F) -> F:
        """Decorator: like ``on_any``, but before those that are there already.

        Raises:
            LocalProtocolError: as for ``on_any``.
        """
        self._refuse_if_iterated()
        self._incoming = (Listener(function), *self._incoming)
        return function

    def off_any(self, function: Callable[..., Any] | None = None) -> None:
        """Stop calling a function for each event that comes in, or all functions."""
        self._incoming = tuple(
            each for each in self._incoming if function not in (None, each.function)
        )

    def on_any_outgoing(self, function: F) -> F:
        """Decorator: call ``function(name, *args)`` for each event that goes out to this client.

        It is called at once, inside ``emit``, for broadcasts too, and also for what is emitted
        before the client is let in; not for acknowledgements. What it raises is treated like an
        exception of a handler, and hinders neither the event nor whoever emits it.

        Raises:
            LocalProtocolError: the function is async.
        """
        self._outgoing = (*self._outgoing, _plain(function))
        return function

    def prepend_any_outgoing(self, function: F) -> F:
        """Decorator: like ``on_any_outgoing``, but before those that are there already.

        Raises:
            LocalProtocolError: the function is async.
        """
        self._outgoing = (_plain(function), *self._outgoing)
        return function

    def off_any_outgoing(self, function: Callable[..., Any] | None = None) -> None:
        """Stop calling a function for each event that goes out, or all functions."""
        self._outgoing = tuple(each for each in self._outgoing if function not in (None, each))

    def deliver(self, messages: list[Message], packet: Packet) -> None:
        """Send what is encoded already, and let the catch-alls see it."""
        if self._outgoing and self._state is not SocketState.DISCONNECTED:
            for function in self._outgoing:
                try:
                    function(*packet.data)
                except Exception as error:
                    # Whoever emits may be a handler of another client, in the middle of a
                    # broadcast.
                    self._app.spawn(self._app.failed, error, self)
        super().deliver(messages, packet)

    # Sending, and waiting

    def send(self, *args: Any) -> None:
        """Emit an event named ``message`` (SIO-EVT-07).

        Raises:
            LocalProtocolError: as for ``emit``.
        """
        self.emit("message", *args)

    def __aiter__(self) -> AsyncIterator[EventReceived]:
        """Take the events one by one, until the socket is disconnected and all are taken.

        A handler for ``connection`` does this itself, or calls ``aiter(socket)`` and hands the
        iterator to a task of its own. Events that are not taken count as untaken input.

        Raises:
            LocalProtocolError: events are taken by listeners, middleware or catch-alls.
        """
        listened = any(name not in LIFECYCLE for name in self._listeners.names())
        if listened or self._incoming or self._middlewares:
            raise LocalProtocolError("the events of this socket are taken by listeners")
        if self._listening:
            raise LocalProtocolError("iterate before the handlers of `connection` have returned")
        self._iterated = True
        return _Events(self._inbox)

    async def request(self, name: str | int | float, *args: Any, timeout: float) -> Any:
        """Emit an event and wait for its acknowledgement.

        It may be called in a handler of the same client: acknowledgements do not queue behind
        events.

        Args:
            name: of the event.
            args: of the event.
            timeout: seconds to wait.

        Returns:
            None, the value, or a tuple of the values that the acknowledgement carries.

        Raises:
            AckTimeout: none came in time.
            ClosedError: the socket is not connected, or was disconnected meanwhile.
            LocalProtocolError: as for ``emit``, or ``max_pending_acks`` are pending.
        """
        id = self.emit_with_ack(name, *args, timeout=timeout, now=self._app.now())
        waiter = self._requests[id] = _Waiter(self._app.runtime.event())
        self._backlog.acknowledgement_awaited()
        try:
            await waiter.event.wait()
        finally:
            del self._requests[id]
            self._backlog.acknowledgement_settled()
        if waiter.failure == "timeout":
            raise AckTimeout(f'no acknowledgement of "{name}" within {timeout} seconds')
        if waiter.failure is not None:
            raise ClosedError(f"socket {self.id} was disconnected")
        values = waiter.args
        return tuple(values) if len(values) > 1 else values[0] if values else None

    @property
    def broadcast(self) -> Broadcast:
        """Everybody else in the namespace (SIO-BC-02)."""
        return Broadcast(self._app, self._namespace, Target(except_ids=(self.id,)))

    def to(self, *rooms: str) -> Broadcast:
        """Everybody else in these rooms (SIO-BC-06)."""
        return self.broadcast.to(*rooms)

    def in_(self, *rooms: str) -> Broadcast:
        """Another name for ``to``."""
        return self.broadcast.to(*rooms)

    def except_(self, *rooms: str) -> Broadcast:
        """Everybody else who is in none of these rooms."""
        return self.broadcast.except_(*rooms)

    async def drain(self) -> None:
        """Wait until all that was emitted to this client has been handed to its transport.

        Raises:
            ClosedError: the socket is not connected, or was disconnected meanwhile.
        """
        if self.connected:
            await self._app.wait_drained(self.sid)
        if not self.connected:
            raise ClosedError(f"socket {self.id} is not connected")

    def disconnect(self, close: bool = False, *, now: float | None = None) -> None:
        """Make the client leave. Does nothing if it has left (SIO-DISC-04).

        Args:
            close: also make it leave its other namespaces, and close the connection (SIO-DISC-05).
            now: seconds; an application leaves it to the runtime's clock.

        Raises:
            LocalProtocolError: the socket is not accepted yet: refuse it by raising
                ``ConnectionRefused``.
        """
        super().disconnect(close, now=self._app.now() if now is None else now)
        if close:
            self._app.close_backlog(self.sid)  # the reason of the end does not tell this

    @property
    def rooms(self) -> KeysView[str]:
        """Its rooms, in order of joining: its own room from the start (SIO-ROOM-01).

        After the end, those of that moment, until the ``disconnecting`` handlers have ended.
        """
        return super().rooms if self._last_rooms is None else self._last_rooms.keys()

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
            return function

        return register

    def _refuse_if_iterated(self) -> None:
        if self._iterated:
            raise LocalProtocolError("the events of this socket are taken by iteration")

    # What its application calls

    async def _take_turn(self) -> None:
        """Call its handlers for all that waits; first of all, those that let it in."""
        if self._joining:
            self._joining = False
            await let_in(self._app, self._app.namespace_of(self.namespace), self)
        else:
            await take_turn(self._app, self)

    def _attach(self, app: SocketApplication, backlog: Backlog) -> None:
        """It was made by the core; give it what it needs to serve an application."""
        self._app = app
        self._at_work = False
        self._joining = True
        self._backlog = backlog
        self._beside = None
        self._inbox = Inbox(app.runtime, backlog)
        self._end = None
        self._gone = False
        self._iterated = False
        self._listening = False
        self._last_rooms = None
        self._listeners = Listeners()
        self._middlewares = ()
        self._incoming = ()
        self._outgoing = ()
        self._requests = {}

    def _acknowledged(self, out: AckReceived) -> None:
        waiter = self._requests.get(out.id)
        if waiter is not None:
            waiter.args = out.args
            waiter.event.set()

    def _not_acknowledged(self, out: AckFailed) -> None:
        waiter = self._requests.get(out.id)
        if waiter is not None:
            waiter.failure = out.why
            waiter.event.set()

    def _leaving(self, out: Disconnecting) -> None:
        # The core shows the rooms while this event is drained; the handlers run later.
        self._last_rooms = dict.fromkeys(self.rooms)
        self._end = out
        self._abandoned()

    def _abandoned(self) -> None:
        self._gone = True
        self._inbox.end()

    def _forget_rooms(self) -> None:
        self._last_rooms = {}


def _plain(function: F) -> F:
    if is_async(function):
        raise LocalProtocolError("what listens to outgoing events cannot be async: nobody waits")
    return function


class _Waiter:
    """A ``request`` that waits."""

    __slots__ = ("args", "event", "failure")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.args: list[Any] = []
        self.failure: str | None = None


class _Events:
    """The iterator over a socket's events."""

    def __init__(self, inbox: Inbox[EventReceived]) -> None:
        self._inbox = inbox

    def __aiter__(self) -> _Events:
        return self

    async def __anext__(self) -> EventReceived:
        event = await self._inbox.next()
        if event is None:
            raise StopAsyncIteration
        return event
