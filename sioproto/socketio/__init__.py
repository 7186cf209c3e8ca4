"""The Socket.IO machine and codecs, revision 5."""

from sioproto.socketio._acks import Reply
from sioproto.socketio._broadcast import BroadcastOperator
from sioproto.socketio._config import ServerConfig
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._handshake import Handshake
from sioproto.socketio._namespace import Namespace
from sioproto.socketio._outputs import (
    AckFailed,
    AckReceived,
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    Disconnecting,
    EventReceived,
)
from sioproto.socketio._packet import (
    MISSING,
    RESERVED_EVENTS,
    Packet,
    PacketType,
    encode_packet,
)
from sioproto.socketio._reasons import DisconnectReason
from sioproto.socketio._server import SocketServer, SocketStatistics
from sioproto.socketio._socket import Socket

__all__ = [
    "MISSING",
    "RESERVED_EVENTS",
    "AckFailed",
    "AckReceived",
    "BroadcastOperator",
    "ConnectAbandoned",
    "ConnectRequested",
    "Connected",
    "Decoder",
    "DisconnectReason",
    "Disconnected",
    "Disconnecting",
    "EventReceived",
    "Handshake",
    "Namespace",
    "Packet",
    "PacketType",
    "Reply",
    "ServerConfig",
    "Socket",
    "SocketServer",
    "SocketStatistics",
    "encode_packet",
]
