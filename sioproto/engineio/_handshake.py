"""The open packet."""

from __future__ import annotations

import json

from sioproto.engineio._config import ServerConfig
from sioproto.engineio._message import Message


def open_message(sid: str, upgrades: tuple[str, ...], config: ServerConfig) -> Message:
    """Build the packet that opens a session (EIO-HS-02).

    This is the one place where seconds become milliseconds.
    """
    handshake = {
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": round(config.ping_interval * 1000),
        "pingTimeout": round(config.ping_timeout * 1000),
        "maxPayload": config.max_payload,
    }
    return Message("0" + json.dumps(handshake, separators=(",", ":")))
