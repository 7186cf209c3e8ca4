"""What an application registers on a namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sioproto._app._calling import is_async
from sioproto._app._listeners import Listeners
from sioproto._app._socket import Socket
from sioproto._errors import LocalProtocolError
from sioproto.socketio import RESERVED_SERVER_EVENTS

F = TypeVar("F", bound=Callable[..., Any])

ROOM_CHANGES = ("create", "join", "leave", "delete")


class Hooks:
    """Middleware and listeners of a namespace, or of namespaces to come."""

    def __init__(self) -> None:
        self.middlewares: list[Callable[[Socket], Any]] = []
        self.listeners = Listeners()
        self.server_side = Listeners()
        self.room_changes = Listeners()

    def use(self, middleware: F) -> F:
        """Decorator: call ``middleware(socket)``, plain or async, when a client wants to join.

        All run in order, before the client is let in. Raising ``ConnectionRefused`` refuses the
        client; any other exception refuses it too, and is then treated like that of any handler.
        """
        self.middlewares.append(middleware)
        return middleware

    def on(self, name: str) -> Callable[[F], F]:
        """Decorator, ``on("connection")``: call ``function(socket)`` for each client that joined.

        Raises:
            LocalProtocolError: another name. Events of clients are listened to on their sockets.
        """
        return self._listen(name, once=False)

    def once(self, name: str) -> Callable[[F], F]:
        """Decorator, ``once("connection")``: like ``on``, but for the next client only.

        Raises:
            LocalProtocolError: another name.
        """
        return self._listen(name, once=True)

    def off(self, name: str, function: Callable[..., Any] | None = None) -> None:
        """Stop calling a function for clients that join from now on, or all functions."""
        self.listeners.remove(name, function)

    def on_server_side(self, name: str) -> Callable[[F], F]:
        """Decorator: call a plain or async function for what another server of the cluster emits.

        It is called with the arguments of ``server_side_emit``, in a task of its own. If the other
        server asked, what it returns is the answer; of several functions, the first that returns
        something has the word (SIO-BC-19).

        Raises:
            LocalProtocolError: the name is reserved.
        """
        if name in RESERVED_SERVER_EVENTS:
            raise LocalProtocolError(f'"{name}" is a reserved event name between servers')

        def register(function: F) -> F:
            self.server_side.add(name, function)
            return function

        return register

    def on_room(self, change: str) -> Callable[[F], F]:
        """Decorator: call a function for each change of the rooms on this server (SIO-ROOM-05).

        It is called soon after the change, in the order of the changes, and must be plain: nobody
        waits for it.

        Args:
            change: ``create`` and ``delete`` call ``function(room)`` for the first member of a room
                and after the last; ``join`` and ``leave`` call ``function(room, id)``.

        Raises:
            LocalProtocolError: another change, or the function is async.
        """
        if change not in ROOM_CHANGES:
            raise LocalProtocolError(f"a room has {', '.join(ROOM_CHANGES)}, not {change!r}")

        def register(function: F) -> F:
            if is_async(function):
                raise LocalProtocolError("what listens to rooms cannot be async: nobody waits")
            self.room_changes.add(change, function)
            self._rooms_are_watched()
            return function

        return register

    def _rooms_are_watched(self) -> None:
        """Somebody wants to know of changes of rooms."""

    def _listen(self, name: str, *, once: bool) -> Callable[[F], F]:
        if name != "connection":
            raise LocalProtocolError(f'a namespace has one event, "connection", not {name!r}')

        def register(function: F) -> F:
            self.listeners.add(name, function, once=once)
            return function

        return register
