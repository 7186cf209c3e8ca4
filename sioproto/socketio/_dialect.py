"""The two living revisions of Socket.IO. All that differs between them is here.

Revision 4 came with revision 3 of Engine.IO, and 5 with 4: whoever speaks the older of the one
speaks the older of the other. How packets are encoded is the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from sioproto._errors import ConnectionRefused, LocalProtocolError
from sioproto.engineio._request import parse_query
from sioproto.socketio._packet import MISSING, Packet, PacketType


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a connection has to know of the revision that it speaks."""

    revision: int
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

    # Of a client:

    separators: str
    """What the name of a namespace cannot hold."""
    ask: Callable[[str, Mapping[str, Any] | None], Packet]
    """Make a CONNECT packet of the name of a namespace and what is sent along, if anything is.

    Raises ``LocalProtocolError``.
    """
    read_admission: Callable[[Any, str, str], tuple[str | None, str | None]]
    """Read the payload of a CONNECT reply, given the namespace and the id of the session: the id
    of the socket, and the private one by which it can be recovered, if there are any."""
    read_refusal: Callable[[Any], ConnectionRefused]
    """Read the payload of a refusal."""
    tells_errors: bool
    """Whether a socket that has joined may be told of errors, by the packet that refuses others
    (SIO-V4-05)."""


def _leave(packet: Packet) -> None:
    """Leave a packet as it is."""


def _connect(told: Mapping[str, str]) -> Any:
    return told


def _refuse(message: str, data: Any) -> Any:
    return {"message": message} if data is None else {"message": message, "data": data}


def _ask(name: str, auth: Mapping[str, Any] | None) -> Packet:
    return Packet(PacketType.CONNECT, name, MISSING if auth is None else auth)


def _read_admission(data: Any, name: str, session: str) -> tuple[str | None, str | None]:
    if not isinstance(data, dict):
        return None, None
    sid, pid = data.get("sid"), data.get("pid")
    return sid if isinstance(sid, str) else None, pid if isinstance(pid, str) else None


def _read_refusal(data: Any) -> ConnectionRefused:
    if isinstance(data, dict):
        message = data.get("message")
        return ConnectionRefused(message if isinstance(message, str) else "", data.get("data"))
    return ConnectionRefused(data if isinstance(data, str) else "")  # or nothing (SIO-VAL-08)


REVISION_5 = Dialect(
    revision=5,
    joins_main=False,
    tells_id=True,
    adapt=_leave,
    connect=_connect,
    refuse=_refuse,
    separators=",",
    ask=_ask,
    read_admission=_read_admission,
    read_refusal=_read_refusal,
    tells_errors=False,
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


def _ask_v4(name: str, auth: Mapping[str, Any] | None) -> Packet:
    if auth is None:
        return Packet(PacketType.CONNECT, name)
    if name == "/":
        raise LocalProtocolError(
            "nothing is sent along to join / in revision 4: the query of the URL is seen there"
        )
    if not all(isinstance(part, str) for pair in auth.items() for part in pair):
        raise LocalProtocolError("what is sent along is a query in revision 4: text alone")
    try:
        query = urlencode(auth, quote_via=quote, safe="")  # and no comma is left
    except UnicodeEncodeError:
        raise LocalProtocolError("a lone surrogate cannot be sent") from None
    return Packet(PacketType.CONNECT, f"{name}?{query}" if query else name)


def _read_admission_v4(data: Any, name: str, session: str) -> tuple[str | None, str | None]:
    return computed_id(name, session), None


def _read_refusal_v4(data: Any) -> ConnectionRefused:
    if isinstance(data, dict) and data.keys() == {"message"} and isinstance(data["message"], str):
        data = data["message"]  # the reference about an unknown namespace (SIO-V4-05)
    if isinstance(data, str):
        return ConnectionRefused(data)
    return ConnectionRefused("", None if data is MISSING else data)


REVISION_4 = Dialect(
    revision=4,
    joins_main=True,
    tells_id=False,
    adapt=_adapt_v4,
    connect=_connect_v4,
    refuse=_refuse_v4,
    separators=",?",
    ask=_ask_v4,
    read_admission=_read_admission_v4,
    read_refusal=_read_refusal_v4,
    tells_errors=True,
)


def dialect_of(engine_revision: int) -> Dialect:
    """The dialect that goes with a revision of Engine.IO."""
    return REVISION_4 if engine_revision == 3 else REVISION_5


def computed_id(namespace: str, sid: str) -> str:
    """The id that a client of revision 4 thinks a socket has (SIO-V4-03)."""
    return sid if namespace == "/" else f"{namespace}#{sid}"
