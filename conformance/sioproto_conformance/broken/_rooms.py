"""Breaks of rooms, of sending to many, and of what a server asks its clients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import Any

from sioproto.socketio._acks import BroadcastAnswers
from sioproto.socketio._adapter import Broadcast, LocalAdapter, Target
from sioproto.socketio._broadcast import BroadcastOperator
from sioproto.socketio._connection import Connection
from sioproto.socketio._outputs import EventReceived
from sioproto.socketio._packet import Packet, PacketType
from sioproto.socketio._socket import Socket
from sioproto_conformance.broken import Original, broken

# Rooms


@broken(
    Socket,
    "start",
    rule="SIO-ROOM-01",
    case="sio5.rooms.own-room.joined[websocket]",
    wide="Whoever is meant by its id is not reached.",
)
def own_room_not_joined(original: Original, self: Any) -> Any:
    """A socket is not in the room of its own id."""
    early = original(self)
    self._namespace.adapter.leave(self._id, self._id)
    return early


@broken(Socket, "leave", rule="SIO-ROOM-02", case="sio5.rooms.join.at-once[websocket]")
def room_never_left(original: Original, self: Any, room: str) -> None:
    """Whoever is in a room stays there."""


@broken(LocalAdapter, "_report_left", rule="SIO-ROOM-04", case="sio5.rooms.end.left-and-deleted")
def empty_room_kept(original: Original, self: Any, id: str, room: str) -> None:
    """A room that everybody has left is still there."""
    if self.observer is not None:
        self.observer.room_left(room, id)


@broken(LocalAdapter, "join", rule="SIO-ROOM-05", case="sio5.rooms.changes.told-in-order")
def room_joined_before_it_is_created(
    original: Original, self: Any, id: str, rooms: Iterable[str]
) -> None:
    """That a room was joined is told before it is told that there is such a room."""
    for room in rooms:
        if self.index.join(id, room) and self.observer is not None:
            self.observer.room_joined(room, id)
            if len(self.index.members(room)) == 1:
                self.observer.room_created(room)


# Sending to many


@broken(
    LocalAdapter,
    "_select",
    rule="SIO-BC-01",
    case="sio5.broadcast.namespace.reaches-all-once[websocket]",
)
def last_one_not_reached(original: Original, self: Any, target: Target) -> Iterable[str]:
    """What is emitted to a namespace does not reach whoever joined it last."""
    ids = list(original(self, target))
    return ids[:-1] if target == Target() else ids


@broken(
    LocalAdapter,
    "_select",
    rule="SIO-BC-02",
    case="sio5.broadcast.others.not-sender[websocket]",
)
def sender_reached(original: Original, self: Any, target: Target) -> Any:
    """What a socket broadcasts to everybody else reaches itself as well."""
    everybody = not target.rooms and not target.except_rooms
    return original(self, replace(target, except_ids=()) if everybody else target)


@broken(
    LocalAdapter, "_select", rule="SIO-BC-03", case="sio5.broadcast.without.left-out[websocket]"
)
def excepted_rooms_reached(original: Original, self: Any, target: Target) -> Any:
    """Whoever is in an excepted room is reached nevertheless."""
    return original(self, replace(target, except_rooms=()))


@broken(
    LocalAdapter, "_select", rule="SIO-BC-04", case="sio5.broadcast.rooms.union-once[websocket]"
)
def reached_once_for_each_room(original: Original, self: Any, target: Target) -> Iterable[str]:
    """A socket in several of the chosen rooms is reached by each of them."""
    one_by_one = (original(self, replace(target, rooms=(room,))) for room in target.rooms)
    return chain.from_iterable(one_by_one) if target.rooms else original(self, target)


@broken(LocalAdapter, "_select", rule="SIO-BC-06", case="sio5.broadcast.room.not-sender")
def sender_in_the_room_reached(original: Original, self: Any, target: Target) -> Any:
    """What a socket broadcasts to a room that it is in reaches itself as well."""
    return original(self, replace(target, except_ids=()) if target.rooms else target)


@broken(BroadcastOperator, "fetch_sockets", rule="SIO-BC-17", case="sio5.bulk.members.fetched")
def last_one_not_fetched(original: Original, self: Any) -> Any:
    """Of the sockets that a broadcast would reach, the last is not fetched."""
    return original(self)[:-1]


@broken(LocalAdapter, "leave_all", rule="SIO-BC-18", case="sio5.bulk.join-and-leave.all")
def only_one_taken_out(
    original: Original, self: Any, target: Target, rooms: tuple[str, ...]
) -> None:
    """Of all that are to be taken out of a room, only the first is."""
    for socket in self.fetch(target)[:1]:
        for room in rooms:
            socket.leave(room)


@broken(LocalAdapter, "deliver", rule="SIO-EVT-17", case="sio5.broadcast.volatile.dropped[all]")
def volatile_kept(original: Original, self: Any, broadcast: Broadcast, messages: Any) -> Any:
    """A volatile event waits until it can be written, like any other."""
    return original(
        self, replace(broadcast, flags=replace(broadcast.flags, volatile=False)), messages
    )


# What clients are asked


@broken(Socket, "emit_with_ack", rule="SIO-ACK-09", case="sio5.asking.silence.given-up")
def silence_waited_out(
    original: Original, self: Any, *event: Any, timeout: float, now: float
) -> Any:
    """An acknowledgement is waited for a hundred times as long as the application wants."""
    return original(self, *event, timeout=100 * timeout, now=now)


@broken(
    Connection,
    "_route",
    rule="SIO-ACK-15",
    case="sio5.asking.acknowledgement.no-event",
)
def acknowledgement_shown_as_event(
    original: Original, self: Any, packet: Packet, now: float
) -> None:
    """What listens to all events sees acknowledgements, too."""
    original(self, packet, now)
    socket = self._joined.get(packet.namespace)
    if packet.type is PacketType.ACK and socket is not None:
        self.server.put(EventReceived(socket, "ack", list(packet.data), None, 0))


@broken(
    BroadcastAnswers,
    "acknowledged",
    rule="SIO-BC-11",
    case="sio5.asking-many.answers.all-handed-over[websocket]",
)
def answers_in_reverse(original: Original, self: Any, socket: Any, args: list[Any]) -> None:
    """The answers of several clients are handed over, the last one first."""
    self._responses.reverse()
    original(self, socket, args)
    self._responses.reverse()


@broken(
    BroadcastAnswers,
    "handle_timeout",
    rule="SIO-BC-12",
    case="sio5.asking-many.silence.answers-so-far",
)
def answers_so_far_lost(original: Original, self: Any, now: float) -> None:
    """If one of several clients does not answer in time, the answers of the others are lost."""
    self._responses.clear()
    original(self, now)
