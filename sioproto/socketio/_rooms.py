"""Which socket is in which room, both ways round."""

from __future__ import annotations

from collections.abc import Iterable, KeysView

from sioproto._errors import LocalProtocolError

_NO_ROOMS: dict[str, None] = {}


def check_rooms(rooms: Iterable[str]) -> None:
    """Refuse what is no name of a room.

    Raises:
        LocalProtocolError: one is no string.
    """
    for room in rooms:
        if not isinstance(room, str):
            raise LocalProtocolError(f"a room is named by a string, not by {room!r}")


class RoomIndex:
    """Two indexes that mirror each other: room to ids and id to rooms, both in order of joining.

    Dictionaries without values, not sets: their order does not depend on the process.
    """

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, None]] = {}
        self._rooms: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        """How many rooms there are."""
        return len(self._ids)

    def join(self, id: str, room: str) -> bool:
        """Put an id into a room. False if it is there already."""
        rooms = self._rooms.setdefault(id, {})
        if room in rooms:
            return False
        rooms[room] = None
        self._ids.setdefault(room, {})[id] = None
        return True

    def leave(self, id: str, room: str) -> bool:
        """Take an id out of a room. False if it is not there. Empty rooms vanish (SIO-ROOM-04)."""
        rooms = self._rooms.get(id)
        if rooms is None or room not in rooms:
            return False
        del rooms[room]
        if not rooms:
            del self._rooms[id]
        self._drop(id, room)
        return True

    def leave_all(self, id: str) -> KeysView[str]:
        """Take an id out of its rooms, and return them.

        Takes time in proportion to their number.
        """
        rooms = self._rooms.pop(id, _NO_ROOMS)
        for room in rooms:
            self._drop(id, room)
        return rooms.keys()

    def _drop(self, id: str, room: str) -> None:
        ids = self._ids[room]
        del ids[id]
        if not ids:
            del self._ids[room]

    def rooms_of(self, id: str) -> KeysView[str]:
        """A live view of an id's rooms."""
        return self._rooms.get(id, _NO_ROOMS).keys()

    def members(self, room: str) -> KeysView[str]:
        """A live view of a room's ids."""
        return self._ids.get(room, _NO_ROOMS).keys()

    def union(self, rooms: Iterable[str]) -> dict[str, None]:
        """The ids that are in any of the rooms, each once (SIO-BC-03, SIO-BC-04)."""
        ids: dict[str, None] = {}
        for room in rooms:
            ids.update(self._ids.get(room, _NO_ROOMS))
        return ids
