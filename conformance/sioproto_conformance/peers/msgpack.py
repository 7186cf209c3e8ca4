"""A Socket.IO client whose packets are in MessagePack: one binary message each."""

from __future__ import annotations

from typing import Any

import msgspec

from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.sio import BINARY_ACK, BINARY_EVENT, EVENT, Packet, SocketPeer
from sioproto_conformance.peers.wire import Unexpected

Extension = msgspec.msgpack.Ext
"""A value of an extension type: its code and its bytes."""


def encode(value: Any) -> bytes:
    """Return any value in MessagePack."""
    return msgspec.msgpack.encode(value)


def packet_bytes(
    type: Any, data: Any = None, *, nsp: Any = "/", id: Any = None, **more: Any
) -> bytes:
    """Return a packet; nothing is checked. A payload or id of ``None`` is left out."""
    fields = {"type": type, "nsp": nsp}
    fields |= {} if data is None else {"data": data}
    fields |= {} if id is None else {"id": id}
    return encode(fields | more)


def decode(message: bytes) -> Packet:
    """Return the packet of a message; raises ``Unexpected`` if it is none."""
    try:
        fields = msgspec.msgpack.decode(message)
    except msgspec.DecodeError as error:
        raise Unexpected("a packet in MessagePack", f"{error}: {message[:200]!r}") from error
    if not isinstance(fields, dict):
        raise Unexpected("a packet, which is a map", repr(fields)[:200])
    type, nsp, id = fields.get("type"), fields.get("nsp"), fields.get("id")
    known = isinstance(type, int) and 0 <= type < BINARY_EVENT and isinstance(nsp, str)
    if not known or isinstance(type, bool) or not isinstance(id, int | None):
        raise Unexpected("a packet with a type from 0 to 4 and a namespace", repr(fields)[:200])
    assert isinstance(type, int)
    assert isinstance(nsp, str)
    assert type not in (BINARY_EVENT, BINARY_ACK)
    return Packet(type, nsp, id, fields.get("data"), (), repr(fields))


class MsgpackPeer(SocketPeer):
    """One client of a server of this encoding."""

    async def send_packet(
        self, type: Any, data: Any = None, *, nsp: Any = "/", id: Any = None, **more: Any
    ) -> Response | None:
        """Send any packet."""
        return await self.engine.send(packet_bytes(type, data, nsp=nsp, id=id, **more))

    async def join(self, nsp: str = "/", auth: Any = None) -> None:
        await self.send_packet(0, auth, nsp=nsp)

    async def emit(
        self, name: str, *args: Any, nsp: str = "/", id: int | None = None
    ) -> Response | None:
        return await self.send_packet(EVENT, [name, *args], nsp=nsp, id=id)

    async def _read(self, timeout: float | None) -> Packet:
        message = await self.engine.next(timeout=timeout)
        if isinstance(message, str):
            raise Unexpected("a packet in MessagePack, which is binary", repr(message[:200]))
        return decode(message)
