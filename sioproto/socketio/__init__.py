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
from sioproto.socketio._client import SocketClient, SocketClientStatistics
from sioproto.socketio._client_config import ClientConfig
from sioproto.socketio._client_outputs import (
    AuthRequested,
    ClientAckFailed,
    ClientAckReceived,
    ClientConnected,
    ClientConnectFailed,
    ClientDisconnected,
    ClientEventReceived,
    ManagerClosed,
    ManagerOpened,
    ManagerOpenFailed,
    ReconnectAttempted,
    ReconnectFailed,
    ReconnectScheduled,
)
from sioproto.socketio._client_reasons import ClientDisconnectReason
from sioproto.socketio._client_socket import ClientSocket, VolatileClientSocket
from sioproto.socketio._config import ServerConfig
from sioproto.socketio._connection import NamespaceRequest
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._handshake import Handshake
from sioproto.socketio._msgpack import MsgpackParser
from sioproto.socketio._namespace import RESERVED_SERVER_EVENTS, Namespace
from sioproto.socketio._orjson import OrjsonCodec
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
    "AuthRequested",
    "Broadcast",
    "BroadcastAcked",
    "BroadcastAnswers",
    "BroadcastOperator",
    "ClientAckFailed",
    "ClientAckReceived",
    "ClientConfig",
    "ClientConnectFailed",
    "ClientConnected",
    "ClientDisconnectReason",
    "ClientDisconnected",
    "ClientEventReceived",
    "ClientSocket",
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
    "ManagerClosed",
    "ManagerOpenFailed",
    "ManagerOpened",
    "MsgpackParser",
    "Namespace",
    "NamespaceRemoved",
    "NamespaceRequest",
    "NamespaceRequested",
    "OrjsonCodec",
    "Packet",
    "PacketDecoder",
    "PacketType",
    "Parser",
    "ReconnectAttempted",
    "ReconnectFailed",
    "ReconnectScheduled",
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
    "SocketClient",
    "SocketClientStatistics",
    "SocketServer",
    "SocketStatistics",
    "StrictJson",
    "Target",
    "TextParser",
    "VolatileClientSocket",
    "check_packet",
    "encode_packet",
]
