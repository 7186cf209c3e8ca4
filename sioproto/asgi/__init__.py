"""Socket.IO and Engine.IO servers as ASGI applications, on asyncio or trio (extra ``asgi``)."""

from sioproto._app._broadcast import Broadcast
from sioproto._app._config import AppConfig
from sioproto._app._engine import Session
from sioproto._app._namespace import Namespace, ParentNamespace
from sioproto._app._socket import Socket
from sioproto.asgi._config import AsgiConfig
from sioproto.asgi._server import EngineServer, Server

__all__ = [
    "AppConfig",
    "AsgiConfig",
    "Broadcast",
    "EngineServer",
    "Namespace",
    "ParentNamespace",
    "Server",
    "Session",
    "Socket",
]
