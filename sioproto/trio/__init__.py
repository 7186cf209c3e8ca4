"""Socket.IO and Engine.IO servers, and a Socket.IO client, on trio (extra ``trio``)."""

from sioproto._app._broadcast import Broadcast
from sioproto._app._client_socket import ClientSocket
from sioproto._app._config import AppConfig
from sioproto._app._engine import Session
from sioproto._app._manager import Manager
from sioproto._app._namespace import Namespace, ParentNamespace
from sioproto._app._socket import Socket
from sioproto.trio._client import Client, connect
from sioproto.trio._client_config import ClientConnectionConfig
from sioproto.trio._config import ConnectionConfig
from sioproto.trio._deflate import DeflateConfig
from sioproto.trio._http import Response
from sioproto.trio._serve import serve
from sioproto.trio._server import EngineServer, Server

__all__ = [
    "AppConfig",
    "Broadcast",
    "Client",
    "ClientConnectionConfig",
    "ClientSocket",
    "ConnectionConfig",
    "DeflateConfig",
    "EngineServer",
    "Manager",
    "Namespace",
    "ParentNamespace",
    "Response",
    "Server",
    "Session",
    "Socket",
    "connect",
    "serve",
]
