"""The Socket.IO machine and codecs, revision 5."""

from sioproto._json import JsonCodec, StrictJson
from sioproto.socketio._acks import Reply
from sioproto.socketio._adapter import Adapter, Broadcast, LocalAdapter, Target
from sioproto.socketio._broadcast import BroadcastOperator
from sioproto.socketio._config import ServerConfig
from sioproto.socketio._connection import NamespaceRequest
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._handshake import Handshake
from sioproto.socketio._msgpack import MsgpackParser
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
    check_packet,
    encode_packet,
)
from sioproto.socketio._parser import PacketDecoder, Parser, TextParser
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
    "JsonCodec",
    "KeptSocket",
    "LocalAdapter",
    "MsgpackParser",
    "Namespace",
    "NamespaceRequest",
    "NamespaceRequested",
    "Packet",
    "PacketDecoder",
    "PacketType",
    "Parser",
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
    "StrictJson",
    "Target",
    "TextParser",
    "VolatileSender",
    "check_packet",
    "encode_packet",
]
