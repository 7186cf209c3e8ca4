"""What can be said to everybody, or to a part of everybody."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sioproto._app._broadcast import Broadcast
    from sioproto._app._socket import Socket


class Audience(ABC):
    """The sockets of a namespace. Each method is that of the operator for all of them."""

    @abstractmethod
    def to(self, *rooms: str) -> Broadcast:
        """Everybody in these rooms; without rooms, everybody."""

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

    @property
    def local(self) -> Broadcast:
        """Everybody who is connected to this server, and to no other of the cluster."""
        return self.to().local

    def compress(self, compress: bool) -> Broadcast:
        """Everybody, and whether what is emitted may be compressed."""
        return self.to().compress(compress)

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to every socket.

        Raises:
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        self.to().emit(name, *args)

    def send(self, *args: Any) -> None:
        """Emit an event named ``message`` to every socket (SIO-EVT-07).

        Raises:
            LocalProtocolError: as for ``emit``.
        """
        self.to().emit("message", *args)

    async def request(self, name: str | int | float, *args: Any, timeout: float) -> list[Any]:
        """Emit an event to every socket, and wait for everybody's acknowledgement.

        See :meth:`Broadcast.request`.
        """
        return await self.to().request(name, *args, timeout=timeout)

    def fetch_sockets(self) -> list[Socket]:
        """The sockets that are connected to this server."""
        return self.to().fetch_sockets()

    def sockets_join(self, *rooms: str) -> None:
        """Put everybody into rooms."""
        self.to().sockets_join(*rooms)

    def sockets_leave(self, *rooms: str) -> None:
        """Take everybody out of rooms."""
        self.to().sockets_leave(*rooms)

    def disconnect_sockets(self, close: bool = False) -> None:
        """Make everybody leave.

        Args:
            close: also close their connections.
        """
        self.to().disconnect_sockets(close)
