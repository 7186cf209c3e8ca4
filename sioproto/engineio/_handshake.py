"""The open packet, and what comes along with it."""

from __future__ import annotations

import json

from sioproto.engineio._config import ServerConfig
from sioproto.engineio._message import Message, binary_message, text_message


def first_messages(sid: str, upgrades: tuple[str, ...], config: ServerConfig) -> list[Message]:
    """Build what a new session is told before anything else (EIO-HS-10)."""
    messages = [open_message(sid, upgrades, config)]
    initial = config.initial_packet
    if isinstance(initial, str):
        messages.append(text_message(initial))
    elif initial is not None:
        messages.append(binary_message(initial))
    return messages


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


def upgrades_of(config: ServerConfig, revision: int) -> tuple[str, ...]:
    """The transports that a session which began on polling may move to."""
    if not config.allow_upgrades:
        return ()
    names = ("websocket", "webtransport") if revision == 4 else ("websocket",)
    return tuple(name for name in names if name in config.transports)
