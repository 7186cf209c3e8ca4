"""The socket as an application on a runtime sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, KeysView
from typing import TYPE_CHECKING, Any, TypeVar

from sioproto._app._calling import Listener
from sioproto._app._inbox import Inbox
from sioproto._app._runtime import Event
from sioproto._errors import AckTimeout, ClosedError, LocalProtocolError
from sioproto.socketio import (
    RESERVED_EVENTS,
    AckFailed,
    AckReceived,
    Disconnecting,
    EventReceived,
)
from sioproto.socketio import Socket as CoreSocket

if TYPE_CHECKING:
    from sioproto._app._backlog import Backlog
    from sioproto._app._server import SocketApplication

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
        "_backlog",
        "_end",
        "_gone",
        "_inbox",
        "_iterated",
        "_last_rooms",
        "_listeners",
        "_listening",
        "_requests",
    )

    _app: SocketApplication
    _backlog: Backlog
    _inbox: Inbox[EventReceived]
    _end: Disconnecting | None
    _gone: bool
    _iterated: bool
    _listening: bool
    _last_rooms: dict[str, None] | None
    _listeners: dict[str | int | float, list[Listener]]
    _requests: dict[int, _Waiter]

    # What users call

    def on(self, name: str | int | float) -> Callable[[F], F]:
        """Decorator: call a plain or async function for each event of this name.

        It is called with the arguments of the event. If the client wants an acknowledgement, what
        the function returns is sent: nothing for None, several values for a tuple, else one. With
        several listeners, the first that returns something has the word.

        An event whose arguments do not fit the parameters of the function is the client's mistake:
        it costs the client its connection, or goes to the ``on_error`` hook if there is one.

        Two names are the server's own: ``disconnecting`` is called while ``rooms`` is still full,
        ``disconnect`` when it is empty. Both get the reason, and the details if they take a second
        argument.

        Raises:
            LocalProtocolError: another reserved name, or the events are taken by iteration.
        """
        if name in RESERVED_EVENTS and name not in LIFECYCLE:
            raise LocalProtocolError(f'"{name}" is a reserved event name')
        if self._iterated and name not in LIFECYCLE:
            raise LocalProtocolError("the events of this socket are taken by iteration")

        def register(function: F) -> F:
            self._listeners.setdefault(name, []).append(Listener(function))
            return function

        return register

    def __aiter__(self) -> AsyncIterator[EventReceived]:
        """Take the events one by one, until the socket is disconnected and all are taken.

        A handler for ``connection`` does this itself, or calls ``aiter(socket)`` and hands the
        iterator to a task of its own. Events that are not taken count as untaken input.

        Raises:
            LocalProtocolError: events are taken by listeners.
        """
        if any(name not in LIFECYCLE for name in self._listeners):
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

    @property
    def rooms(self) -> KeysView[str]:
        """Its rooms, in order of joining: its own room from the start (SIO-ROOM-01).

        After the end, those of that moment, until the ``disconnecting`` handlers have ended.
        """
        return super().rooms if self._last_rooms is None else self._last_rooms.keys()

    # What its application calls

    def _attach(self, app: SocketApplication, backlog: Backlog) -> None:
        """It was made by the core; give it what it needs to serve an application."""
        self._app = app
        self._backlog = backlog
        self._inbox = Inbox(app.runtime, backlog)
        self._end = None
        self._gone = False
        self._iterated = False
        self._listening = False
        self._last_rooms = None
        self._listeners = {}
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
