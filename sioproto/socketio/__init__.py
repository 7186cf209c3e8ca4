"""The Socket.IO machine and codecs, revision 5."""

from sioproto._json import JsonCodec, StrictJson
from sioproto.socketio._acks import BroadcastAnswers, Reply, ServerAnswers
from sioproto.socketio._adapter import (
    Adapter,
    AdapterFactory,
    Broadcast,
    Flags,
    KeptSocket,
    LocalAdapter,
    Restored,
    Target,
)
from sioproto.socketio._broadcast import BroadcastOperator
from sioproto.socketio._config import ServerConfig
from sioproto.socketio._connection import NamespaceRequest
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._handshake import Handshake
from sioproto.socketio._msgpack import MsgpackParser
from sioproto.socketio._namespace import RESERVED_SERVER_EVENTS, Namespace
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
    NamespaceRemoved,
    NamespaceRequested,
    RoomCreated,
    RoomDeleted,
    RoomJoined,
    RoomLeft,
    ServerEventReceived,
    ServersAnswered,
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
from sioproto.socketio._recovery import RecoveringAdapter, RecoveryConfig
from sioproto.socketio._server import SocketServer, SocketStatistics
from sioproto.socketio._socket import FlaggedSocket, Socket

__all__ = [
    "MISSING",
    "RESERVED_EVENTS",
    "RESERVED_SERVER_EVENTS",
    "AckFailed",
    "AckReceived",
    "Adapter",
    "AdapterFactory",
    "Broadcast",
    "BroadcastAcked",
    "BroadcastAnswers",
    "BroadcastOperator",
    "ConnectAbandoned",
    "ConnectRequested",
    "Connected",
    "Decoder",
    "DisconnectReason",
    "Disconnected",
    "Disconnecting",
    "EventReceived",
    "FlaggedSocket",
    "Flags",
    "Handshake",
    "JsonCodec",
    "KeptSocket",
    "LocalAdapter",
    "MsgpackParser",
    "Namespace",
    "NamespaceRemoved",
    "NamespaceRequest",
    "NamespaceRequested",
    "Packet",
    "PacketDecoder",
    "PacketType",
    "Parser",
    "RecoveringAdapter",
    "RecoveryConfig",
    "Reply",
    "Restored",
    "RoomCreated",
    "RoomDeleted",
    "RoomJoined",
    "RoomLeft",
    "ServerAnswers",
    "ServerConfig",
    "ServerEventReceived",
    "ServersAnswered",
    "Socket",
    "SocketServer",
    "SocketStatistics",
    "StrictJson",
    "Target",
    "TextParser",
    "check_packet",
    "encode_packet",
]
