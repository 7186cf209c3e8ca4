"""A namespace as an application sees it: the core's, with middleware and listeners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from sioproto._app._audience import Audience
from sioproto._app._broadcast import Broadcast
from sioproto._app._hooks import Hooks
from sioproto._app._socket import Socket
from sioproto._errors import AckTimeout
from sioproto.socketio import Namespace as CoreNamespace
from sioproto.socketio import Target

if TYPE_CHECKING:
    from sioproto._app._server import SocketApplication


class Namespace(Hooks, Audience):
    """A part of a server with middleware, listeners, sockets and rooms of its own.

    Made by ``Server.of``.
    """

    def __init__(self, core: CoreNamespace, app: SocketApplication) -> None:
        super().__init__()
        self._core = core
        self._app = app

    def __repr__(self) -> str:
        return repr(self._core)

    @property
    def name(self) -> str:
        """Begins with a slash."""
        return self._core.name

    @property
    def sockets(self) -> Mapping[str, Socket]:
        """The sockets that are connected to this server by id, in order of connection.

        A live view.
        """
        return cast("Mapping[str, Socket]", self._core.sockets)

    def to(self, *rooms: str) -> Broadcast:
        """Everybody in these rooms; without rooms, everybody."""
        return Broadcast(self._app, self._core, Target(rooms))

    def server_side_emit(self, name: str, *args: Any) -> None:
        """Emit an event to the other servers of the cluster: see ``on_server_side``.

        Neither clients nor this server hear of it. Without a cluster nothing happens.

        Raises:
            LocalProtocolError: the name is reserved.
        """
        self._core.server_side_emit(name, *args)

    async def server_side_request(self, name: str, *args: Any, timeout: float) -> list[Any]:
        """Emit an event to the other servers of the cluster, and wait for their answers.

        Args:
            name: of the event.
            args: of the event.
            timeout: seconds to wait.

        Returns:
            What each answered, in order of arrival.

        Raises:
            AckTimeout: some did not answer in time. Its ``responses`` are those of the others.
            LocalProtocolError: the name is reserved.
        """
        id = self._core.server_side_emit_with_ack(name, *args, timeout=timeout, now=self._app.now())
        out = await self._app.answered_by_all(self._core, id)
        if out.missing:
            raise AckTimeout(
                f'{out.missing} servers did not answer "{name}"', responses=out.responses
            )
        return out.responses

    def _rooms_are_watched(self) -> None:
        self._core.watch_rooms()


class ParentNamespace(Hooks):
    """Namespaces that come into being when a client asks for one (SIO-NSP-04, SIO-NSP-05).

    Made by ``Server.of`` with a pattern or a function. Middleware and listeners are copied to each
    child when it is made: what is added later is for children made later (SIO-NSP-07). ``once``
    means once for each child.
    """

    def __init__(self, accepts: Callable[[str, Mapping[str, Any]], Any]) -> None:
        super().__init__()
        self.accepts = accepts
        self.children: dict[str, Namespace] = {}

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
        child.listeners.copy(self.listeners)
        child.server_side.copy(self.server_side)
        child.room_changes.copy(self.room_changes)
        if self.room_changes.names():
            child._rooms_are_watched()
        self.children[child.name] = child
