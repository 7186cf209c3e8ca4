"""A namespace as an application sees it: the core's, with middleware and listeners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sioproto._app._broadcast import Broadcast
from sioproto._app._listeners import Listeners
from sioproto._app._socket import Socket
from sioproto._errors import LocalProtocolError
from sioproto.socketio import Namespace as CoreNamespace
from sioproto.socketio import Target

if TYPE_CHECKING:
    from sioproto._app._server import SocketApplication

F = TypeVar("F", bound=Callable[..., Any])


class Namespace:
    """A part of a server with middleware, listeners, sockets and rooms of its own.

    Made by ``Server.of``.
    """

    def __init__(self, core: CoreNamespace, app: SocketApplication) -> None:
        self._core = core
        self._app = app
        self.middlewares: list[Callable[[Socket], Any]] = []
        self.listeners = Listeners()

    def __repr__(self) -> str:
        return repr(self._core)

    @property
    def name(self) -> str:
        """Begins with a slash."""
        return self._core.name

    @property
    def sockets(self) -> Mapping[str, Socket]:
        """The connected sockets by id, in order of connection. A live view."""
        return cast("Mapping[str, Socket]", self._core.sockets)

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

    def _listen(self, name: str, *, once: bool) -> Callable[[F], F]:
        if name != "connection":
            raise LocalProtocolError(f'a namespace has one event, "connection", not {name!r}')

        def register(function: F) -> F:
            self.listeners.add(name, function, once=once)
            return function

        return register

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to every socket in the namespace.

        Raises:
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        self._core.emit(name, *args)

    def send(self, *args: Any) -> None:
        """Emit an event named ``message`` to every socket in the namespace (SIO-EVT-07).

        Raises:
            LocalProtocolError: as for ``emit``.
        """
        self._core.emit("message", *args)

    def to(self, *rooms: str) -> Broadcast:
        """Everybody in these rooms; without rooms, everybody."""
        return Broadcast(self._app, self._core, Target(rooms))

    def in_(self, *rooms: str) -> Broadcast:
        """Another name for ``to``."""
        return self.to(*rooms)

    def except_(self, *rooms: str) -> Broadcast:
        """Everybody who is in none of these rooms."""
        return self.to().except_(*rooms)

    @property
    def volatile(self) -> Broadcast:
        """Everybody who can be written to at once."""
        return self.to().volatile


class ParentNamespace:
    """Namespaces that come into being when a client asks for one (SIO-NSP-04, SIO-NSP-05).

    Made by ``Server.of`` with a pattern or a function. Middleware and listeners are copied to each
    child when it is made: what is added later is for children made later (SIO-NSP-07).
    """

    def __init__(self, accepts: Callable[[str, Mapping[str, Any]], Any]) -> None:
        self.accepts = accepts
        self.middlewares: list[Callable[[Socket], Any]] = []
        self.listeners = Listeners()
        self.children: dict[str, Namespace] = {}

    def use(self, middleware: F) -> F:
        """Decorator: see :meth:`Namespace.use`."""
        self.middlewares.append(middleware)
        return middleware

    def on(self, name: str) -> Callable[[F], F]:
        """Decorator: see :meth:`Namespace.on`.

        Raises:
            LocalProtocolError: another name than ``connection``.
        """
        if name != "connection":
            raise LocalProtocolError(f'a namespace has one event, "connection", not {name!r}')

        def register(function: F) -> F:
            self.listeners.add(name, function, once=False)
            return function

        return register

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to every socket in every child (SIO-NSP-10).

        Raises:
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        for child in list(self.children.values()):
            child.emit(name, *args)

    def adopt(self, child: Namespace) -> None:
        """Give a new child what its parent has."""
        child.middlewares += self.middlewares
        for listener in self.listeners.get("connection"):
            child.listeners.add("connection", listener.function, once=False)
        self.children[child.name] = child
