"""The two living revisions of Socket.IO. All that differs between them is here.

Revision 4 came with revision 3 of Engine.IO, and 5 with 4: whoever speaks the older of the one
speaks the older of the other. How packets are encoded is the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sioproto.engineio._request import parse_query
from sioproto.socketio._packet import MISSING, Packet, PacketType


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a connection has to know of the revision that it speaks."""

    joins_main: bool
    """Whether a client is in the main namespace without asking for it (SIO-V4-02)."""
    tells_id: bool
    """Whether a client is told its ids. Otherwise it computes them, and nothing may change them:
    there is no recovery."""
    adapt: Callable[[Packet], None]
    """Change a packet from the client into what it means in revision 5.

    Raises ``DecodeError``.
    """
    connect: Callable[[Mapping[str, str]], Any]
    """Make the payload of a CONNECT reply of what there is to tell."""
    refuse: Callable[[str, Any], Any]
    """Make the payload of a refusal of its message and its data, None if there is none."""


def _leave(packet: Packet) -> None:
    """Leave a packet as it is."""


def _connect(told: Mapping[str, str]) -> Any:
    return told


def _refuse(message: str, data: Any) -> Any:
    return {"message": message} if data is None else {"message": message, "data": data}


REVISION_5 = Dialect(
    joins_main=False, tells_id=True, adapt=_leave, connect=_connect, refuse=_refuse
)


def _adapt_v4(packet: Packet) -> None:
    """Take the query off the name of the namespace: it is what a client sends to get in
    (SIO-V4-04)."""
    if packet.type is PacketType.CONNECT:
        packet.data = parse_query(packet.namespace)
    packet.namespace = packet.namespace.partition("?")[0]


def _connect_v4(told: Mapping[str, str]) -> Any:
    return MISSING  # SIO-V4-03


def _refuse_v4(message: str, data: Any) -> Any:
    return message if data is None else data  # SIO-V4-05


REVISION_4 = Dialect(
    joins_main=True, tells_id=False, adapt=_adapt_v4, connect=_connect_v4, refuse=_refuse_v4
)


def dialect_of(engine_revision: int) -> Dialect:
    """The dialect that goes with a revision of Engine.IO."""
    return REVISION_4 if engine_revision == 3 else REVISION_5


def computed_id(namespace: str, sid: str) -> str:
    """The id that a client of revision 4 thinks a socket has (SIO-V4-03)."""
    return sid if namespace == "/" else f"{namespace}#{sid}"
