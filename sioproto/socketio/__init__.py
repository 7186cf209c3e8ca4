"""The Socket.IO machine and codecs, revision 5."""

from sioproto.socketio._acks import Reply
from sioproto.socketio._adapter import Adapter, Broadcast, LocalAdapter, Target
from sioproto.socketio._broadcast import BroadcastOperator
from sioproto.socketio._config import ServerConfig
from sioproto.socketio._connection import NamespaceRequest
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._handshake import Handshake
from sioproto.socketio._namespace import Namespace
from sioproto.socketio._outputs import (
    AckFailed,
    AckReceived,
    BroadcastAcked,
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    Disconnecting,
    EventReceived,
    NamespaceRequested,
    RoomCreated,
    RoomDeleted,
    RoomJoined,
    RoomLeft,
)
from sioproto.socketio._packet import (
    MISSING,
    RESERVED_EVENTS,
    Packet,
    PacketType,
    encode_packet,
)
from sioproto.socketio._reasons import DisconnectReason
from sioproto.socketio._recovery import KeptSocket, RecoveryConfig
from sioproto.socketio._server import SocketServer, SocketStatistics
from sioproto.socketio._socket import Socket, VolatileSender

__all__ = [
    "MISSING",
    "RESERVED_EVENTS",
    "AckFailed",
    "AckReceived",
    "Adapter",
    "Broadcast",
    "BroadcastAcked",
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
    "KeptSocket",
    "LocalAdapter",
    "Namespace",
    "NamespaceRequest",
    "NamespaceRequested",
    "Packet",
    "PacketType",
    "RecoveryConfig",
    "Reply",
    "RoomCreated",
    "RoomDeleted",
    "RoomJoined",
    "RoomLeft",
    "ServerConfig",
    "Socket",
    "SocketServer",
    "SocketStatistics",
    "Target",
    "VolatileSender",
    "encode_packet",
]
