"""The operator that says who is meant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from sioproto.socketio._adapter import Broadcast, Target

if TYPE_CHECKING:
    from sioproto.socketio._namespace import Namespace
    from sioproto.socketio._socket import Socket


class BroadcastOperator:
    """Rooms chosen and rooms left out. Each call returns a new operator; none is ever changed.

    The order of the calls is irrelevant. Rooms add up (SIO-BC-03), and each recipient gets the
    event once (SIO-BC-04). No room at all means everybody in the namespace, also when an empty list
    of rooms was given (SIO-BC-05).
    """

    __slots__ = ("_namespace", "_target", "_volatile")

    def __init__(
        self, namespace: Namespace, target: Target | None = None, *, volatile: bool = False
    ) -> None:
        self._namespace = namespace
        self._target = target or Target()
        self._volatile = volatile

    def _copy(self, target: Target, volatile: bool) -> Self:
        """One like this for another target: what a subclass with more to carry overrides."""
        return type(self)(self._namespace, target, volatile=volatile)

    def _with(self, target: Target) -> Self:
        return self._copy(target, self._volatile)

    # Who

    def to(self, *rooms: str) -> Self:
        """Add rooms to those that are meant."""
        return self._with(replace(self._target, rooms=(*self._target.rooms, *rooms)))

    def in_(self, *rooms: str) -> Self:
        """Another name for ``to``."""
        return self.to(*rooms)

    def except_(self, *rooms: str) -> Self:
        """Leave out everyone who is in any of these rooms."""
        except_rooms = (*self._target.except_rooms, *rooms)
        return self._with(replace(self._target, except_rooms=except_rooms))

    @property
    def volatile(self) -> Self:
        """Drop what is emitted for recipients that cannot be written to at once (SIO-EVT-17)."""
        return self._copy(self._target, True)

    # What

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to all who are meant. It is encoded once, whatever their number.

        Raises:
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        packet = self._namespace.event(name, args)
        self._namespace.adapter.broadcast(Broadcast(packet, self._target, self._volatile))

    def emit_with_ack(self, name: str | int | float, *args: Any, timeout: float, now: float) -> int:
        """Emit an event that asks everybody who is meant for an acknowledgement.

        Exactly one ``BroadcastAcked`` follows, with the id that is returned: when all have answered
        or gone, at the latest when the time is up.

        Args:
            name: of the event.
            args: of the event.
            timeout: seconds to wait for the acknowledgements (SIO-BC-13).
            now: seconds.

        Raises:
            LocalProtocolError: as for ``emit``.
        """
        return self._namespace.broadcast_with_ack(
            self._namespace.event(name, args), self._target, self._volatile, now + timeout
        )

    def fetch_sockets(self) -> list[Socket]:
        """Those who are meant, in order of connection or of joining (SIO-BC-17)."""
        return self._namespace.adapter.fetch(self._target)

    def sockets_join(self, *rooms: str) -> None:
        """Put everybody who is meant into rooms (SIO-BC-18)."""
        self._namespace.adapter.join_all(self._target, rooms)

    def sockets_leave(self, *rooms: str) -> None:
        """Take everybody who is meant out of rooms."""
        self._namespace.adapter.leave_all(self._target, rooms)

    def disconnect_sockets(self, close: bool = False, *, now: float) -> None:
        """Make everybody who is meant leave.

        Args:
            close: also close their connections.
            now: seconds.
        """
        self._namespace.adapter.disconnect_all(self._target, close, now)
