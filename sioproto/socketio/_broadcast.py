"""The operator that says who receives a broadcast."""

from __future__ import annotations

from typing import Any, Protocol

from sioproto.socketio._adapter import Broadcast
from sioproto.socketio._packet import Packet


class Channel(Protocol):
    """What an operator asks of its namespace."""

    def broadcast(self, broadcast: Broadcast) -> None:
        """Deliver a broadcast."""

    def event(self, name: str | int | float, args: tuple[Any, ...]) -> Packet:
        """Make the packet of an event."""


class BroadcastOperator:
    """Rooms chosen and rooms left out. Each call returns a new operator; none is ever changed.

    The order of the calls is irrelevant. Rooms add up (SIO-BC-03), and each recipient gets the
    event once (SIO-BC-04). No room at all means everybody in the namespace, also when an empty list
    of rooms was given (SIO-BC-05).
    """

    __slots__ = ("_channel", "_except_ids", "_except_rooms", "_rooms")

    def __init__(
        self,
        channel: Channel,
        *,
        rooms: tuple[str, ...] = (),
        except_rooms: tuple[str, ...] = (),
        except_ids: tuple[str, ...] = (),
    ) -> None:
        self._channel = channel
        self._rooms = rooms
        self._except_rooms = except_rooms
        self._except_ids = except_ids

    def to(self, *rooms: str) -> BroadcastOperator:
        """Add rooms to those that receive."""
        return BroadcastOperator(
            self._channel,
            rooms=(*self._rooms, *rooms),
            except_rooms=self._except_rooms,
            except_ids=self._except_ids,
        )

    def in_(self, *rooms: str) -> BroadcastOperator:
        """Another name for ``to``."""
        return self.to(*rooms)

    def except_(self, *rooms: str) -> BroadcastOperator:
        """Leave out everyone who is in any of these rooms."""
        return BroadcastOperator(
            self._channel,
            rooms=self._rooms,
            except_rooms=(*self._except_rooms, *rooms),
            except_ids=self._except_ids,
        )

    def emit(self, name: str | int | float, *args: Any) -> None:
        """Emit an event to all who are chosen. It is encoded once, whatever their number.

        Raises:
            LocalProtocolError: the name is reserved, or the arguments cannot be expressed.
        """
        self._channel.broadcast(
            Broadcast(
                self._channel.event(name, args),
                self._rooms,
                self._except_rooms,
                self._except_ids,
            )
        )
