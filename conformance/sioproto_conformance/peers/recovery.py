"""A Socket.IO client of a server that recovers connections."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sioproto_conformance.peers.sio import (
    BINARY_EVENT,
    CONNECT,
    EVENT,
    Packet,
    SocketPeer,
)
from sioproto_conformance.peers.wire import Unexpected


class RecoveringPeer(SocketPeer):
    """Takes the offset off each event, and remembers what it takes to return."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offsets: list[str] = []
        """What came as the last argument of each event, in order."""
        self.pids: dict[str, str] = {}
        """The private id in each namespace."""

    def ticket(self, nsp: str = "/", *, offset: str | None = None) -> dict[str, str]:
        """Return the credentials to return with, having seen everything up to the offset.

        Raises ``Unexpected`` if no event has had one, or the namespace has no private id.
        """
        if nsp not in self.pids:
            raise Unexpected(f"a private id in {nsp}", "none came with the answer to CONNECT")
        if offset is None and not self.offsets:
            raise Unexpected("an offset behind the arguments of an event", "none has had one")
        return {"pid": self.pids[nsp], "offset": offset or self.offsets[-1]}

    async def _read(self, timeout: float | None) -> Packet:
        packet = await super()._read(timeout)
        if packet.type == CONNECT and isinstance(packet.data, dict) and "pid" in packet.data:
            self.pids[packet.nsp] = packet.data["pid"]
        is_event = packet.type in (EVENT, BINARY_EVENT) and isinstance(packet.data, list)
        if is_event and len(packet.data) > 1 and isinstance(packet.data[-1], str):
            self.offsets.append(packet.data[-1])
            return replace(packet, data=packet.data[:-1])
        return packet
