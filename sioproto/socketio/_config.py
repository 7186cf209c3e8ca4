"""The configuration of a Socket.IO server."""

from __future__ import annotations

from dataclasses import dataclass

from sioproto._config import check_config, check_seconds, is_count
from sioproto.socketio._recovery import RecoveryConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig:
    """Limits and times of a Socket.IO server. Times are seconds; the defaults are the reference's.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    connect_timeout: float = 45.0
    """How long a connection may exist before it has joined a namespace (SIO-CONN-04)."""
    max_attachments: int = 10
    """Most attachments that a packet from the client may announce (SIO-BIN-10)."""
    attachment_timeout: float = 20.0
    """Longest wait for each announced attachment (SIO-BIN-17)."""
    max_pending_acks: int = 10_000
    """Most acknowledgements that one socket may owe the application."""

    max_namespaces: int = 100
    """Most namespaces that one client may be in, or wait for, at once."""
    dynamic_namespaces: bool = False
    """Whether the application is asked about namespaces that are not registered (SIO-NSP-05)."""
    remove_empty_namespaces: bool = False
    """Whether a namespace that was granted so goes when the last socket has left (SIO-NSP-12)."""
    recovery: RecoveryConfig | None = None
    """Whether clients that were cut off are recovered, and how (SIO-CSR-01)."""
    room_events: bool = False
    """Whether ``RoomCreated``, ``RoomJoined``, ``RoomLeft`` and ``RoomDeleted`` are put out."""

    def __post_init__(self) -> None:
        check_seconds(self, "connect_timeout", "attachment_timeout")
        check_config(
            self,
            max_attachments=(is_count(self.max_attachments), "a positive number"),
            max_pending_acks=(is_count(self.max_pending_acks), "a positive number"),
            recovery=(
                self.recovery is None or isinstance(self.recovery, RecoveryConfig),
                "a RecoveryConfig or None",
            ),
            max_namespaces=(is_count(self.max_namespaces), "a positive number"),
            **{
                name: (isinstance(getattr(self, name), bool), "True or False")
                for name in ("dynamic_namespaces", "remove_empty_namespaces", "room_events")
            },
        )
