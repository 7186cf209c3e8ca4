"""Engine.IO and Socket.IO as sans-IO state machines.

The machines live in :mod:`sioproto.engineio` and :mod:`sioproto.socketio`; a server on trio lives
in :mod:`sioproto.trio` (extra ``trio``), and one that is an ASGI application in
:mod:`sioproto.asgi` (extra ``asgi``). This namespace holds what all of them share: the errors.
Importing it needs the standard library alone.
"""

from sioproto._errors import (
    AckTimeout,
    ClosedError,
    ConnectionFailed,
    ConnectionRefused,
    DecodeError,
    LimitError,
    LocalProtocolError,
    RemoteProtocolError,
    SioprotoError,
)

__all__ = [
    "AckTimeout",
    "ClosedError",
    "ConnectionFailed",
    "ConnectionRefused",
    "DecodeError",
    "LimitError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "SioprotoError",
]

__version__ = "0.1.0"
