"""The Engine.IO machines and codecs: revision 4, and 3 where a configuration says so."""

from sioproto.engineio._answers import ResponseHeaders
from sioproto.engineio._client import EngineClient, EngineClientStatistics
from sioproto.engineio._client_config import ClientConfig
from sioproto.engineio._client_handshake import Handshake
from sioproto.engineio._client_outputs import (
    HttpAbort,
    HttpRequest,
    Opened,
    OpenFailed,
    PingReceived,
    PongReceived,
    UpgradeFailed,
    WsConnect,
)
from sioproto.engineio._compression import HttpCompressionConfig
from sioproto.engineio._config import ServerConfig
from sioproto.engineio._cookie import CookieConfig
from sioproto.engineio._cors import CorsConfig
from sioproto.engineio._framing import FrameDecoder, encode_frame
from sioproto.engineio._message import Message, WsFrame
from sioproto.engineio._outputs import (
    CloseReason,
    HookFailed,
    HttpRead,
    HttpRespond,
    MessageReceived,
    SessionClosed,
    SessionOpened,
    SessionUpgraded,
    WsAccept,
    WsClose,
    WsReject,
    WsSend,
    WtAccept,
    WtClose,
    WtReject,
    WtSend,
)
from sioproto.engineio._packet import Packet, PacketType, decode_packet, encode_packet
from sioproto.engineio._payload import decode_payload, encode_payload
from sioproto.engineio._request import Request
from sioproto.engineio._server import EngineServer
from sioproto.engineio._statistics import EngineStatistics

__all__ = [
    "ClientConfig",
    "CloseReason",
    "CookieConfig",
    "CorsConfig",
    "EngineClient",
    "EngineClientStatistics",
    "EngineServer",
    "EngineStatistics",
    "FrameDecoder",
    "Handshake",
    "HookFailed",
    "HttpAbort",
    "HttpCompressionConfig",
    "HttpRead",
    "HttpRequest",
    "HttpRespond",
    "Message",
    "MessageReceived",
    "OpenFailed",
    "Opened",
    "Packet",
    "PacketType",
    "PingReceived",
    "PongReceived",
    "Request",
    "ResponseHeaders",
    "ServerConfig",
    "SessionClosed",
    "SessionOpened",
    "SessionUpgraded",
    "UpgradeFailed",
    "WsAccept",
    "WsClose",
    "WsConnect",
    "WsFrame",
    "WsReject",
    "WsSend",
    "WtAccept",
    "WtClose",
    "WtReject",
    "WtSend",
    "decode_packet",
    "decode_payload",
    "encode_frame",
    "encode_packet",
    "encode_payload",
]
