"""The operator that says who is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from sioproto.socketio._acks import check_timeout
from sioproto.socketio._adapter import Broadcast, Flags, Target
from sioproto.socketio._rooms import check_rooms

if TYPE_CHECKING:
    from sioproto.socketio._namespace import Namespace
    from sioproto.socketio._socket import Socket


class BroadcastOperator:
    """Rooms chosen and rooms left out. Each call returns a new operator; none is ever changed.

    The order of the calls is irrelevant. Rooms add up (SIO-BC-03), and each recipient gets the
    event once (SIO-BC-04). No room at all means everybody in the namespace, also when an empty list
    of rooms was given (SIO-BC-05).
    """

    __slots__ = ("_flags", "_namespace", "_target")

    def __init__(
        self, namespace: Namespace, target: Target | None = None, flags: Flags | None = None
    ) -> None:
        self._namespace = namespace
        self._target = target or Target()
        self._flags = flags or Flags()

    def _copy(self, target: Target, flags: Flags) -> Self:
        """One like this: what a subclass with more to carry overrides."""
        return type(self)(self._namespace, target, flags)

    def _with(self, target: Target) -> Self:
        return self._copy(target, self._flags)

    # Who

    def to(self, *rooms: str) -> Self:
        """Add rooms to those that are meant.

        Raises:
            LocalProtocolError: a room is not named by a string.
        """
        return self._with(replace(self._target, rooms=(*self._target.rooms, *rooms)))

    def in_(self, *rooms: str) -> Self:
        """Another name for ``to``."""
        return self.to(*rooms)

    def except_(self, *rooms: str) -> Self:
        """Leave out everyone who is in any of these rooms.

        Raises:
            LocalProtocolError: a room is not named by a string.
        """
        except_rooms = (*self._target.except_rooms, *rooms)
        return self._with(replace(self._target, except_rooms=except_rooms))

    @property
    def local(self) -> Self:
        """Leave out the sockets of other servers, if there is a cluster (SIO-BC-10)."""
        return self._with(replace(self._target, local=True))

    # How

    @property
    def volatile(self) -> Self:
        """Drop what is emitted for recipients that cannot be written to at once (SIO-EVT-17)."""
        return self._copy(self._target, replace(self._flags, volatile=True))

    def compress(self, compress: bool) -> Self:
        """Say whether what is emitted may be compressed, where a connection can (SIO-EVT-16)."""
        return self._copy(self._target, replace(self._flags, compress=compress))

    # What

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to all who are meant. It is encoded once, whatever their number.

        Raises:
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        packet = self._namespace.event(name, args)
        self._namespace.adapter.broadcast(Broadcast(packet, self._target, self._flags))

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
            LocalProtocolError: as for ``emit``, or the timeout is no number of seconds.
        """
        check_timeout(timeout)
        broadcast = Broadcast(self._namespace.event(name, args), self._target, self._flags)
        return self._namespace.broadcast_with_ack(broadcast, now + timeout)

    def fetch_sockets(self) -> Sequence[Socket]:
        """Those who are meant and are here, in order of connection or of joining (SIO-BC-17)."""
        return self._namespace.adapter.fetch(self._target)

    def sockets_join(self, *rooms: str) -> None:
        """Put everybody who is meant into rooms (SIO-BC-18).

        Raises:
            LocalProtocolError: a room is not named by a string.
        """
        check_rooms(rooms)
        self._namespace.adapter.join_all(self._target, rooms)

    def sockets_leave(self, *rooms: str) -> None:
        """Take everybody who is meant out of rooms.

        Raises:
            LocalProtocolError: a room is not named by a string.
        """
        check_rooms(rooms)
        self._namespace.adapter.leave_all(self._target, rooms)

    def disconnect_sockets(self, close: bool = False, *, now: float) -> None:
        """Make everybody who is meant leave.

        Args:
            close: also close their connections.
            now: seconds.
        """
        self._namespace.adapter.disconnect_all(self._target, close, now)
