"""The main namespace of a server of revision 4, which lets clients in unasked (SIO-V4-02)."""

from __future__ import annotations

from sioproto.socketio._packet import Packet, PacketType


class MainNamespace:
    """What has come of that on one connection.

    Args:
        open: whether the server lets this client in without being asked.
    """

    __slots__ = ("_admission", "open")

    def __init__(self, *, open: bool = False) -> None:
        self.open = open
        """Whether it will, or has and no socket made use of it yet. Later a socket has to ask, as
        for any other namespace."""
        self._admission: Packet | None = None

    def receive(self, packet: Packet, awaited: bool) -> None:
        """The server sent something for this namespace.

        Args:
            packet: what it sent.
            awaited: whether a socket takes the answer.
        """
        if packet.type is PacketType.CONNECT and not awaited:
            self._admission = packet
        elif packet.type in (
            PacketType.CONNECT,
            PacketType.CONNECT_ERROR,
            PacketType.DISCONNECT,
        ):
            self.open = False
            self._admission = None

    def take(self) -> Packet | None:
        """A socket waits for the answer: take it if it came already."""
        packet, self._admission = self._admission, None
        if packet is not None:
            self.open = False
        return packet
