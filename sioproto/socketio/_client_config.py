"""The configuration of a Socket.IO client."""

from __future__ import annotations

from dataclasses import dataclass

from sioproto._config import check_config, check_seconds, is_count


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientConfig:
    """Limits, times and manners of a Socket.IO client. Times are seconds; where the reference has
    a default, that is the default here (SIO-REC-01).

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    reconnection: bool = True
    """Whether to connect again after any end that was not asked for."""
    retry_first: bool = True
    """Whether a first connection that fails is tried again like later ones (SIO-REC-04)."""
    reconnection_attempts: int | None = None
    """Most attempts in a row; None for no limit."""
    reconnection_delay: float = 1.0
    """Before the first attempt; doubled for each that follows (SIO-REC-02)."""
    reconnection_delay_max: float = 5.0
    """Longest delay."""
    randomization: float = 0.5
    """Share of the delay by which chance shortens or lengthens it; 0 for none."""
    connect_timeout: float = 20.0
    """Longest wait for the answer to a request to join a namespace."""
    rejoin_delay: float = 0.1
    """From leaving a namespace to joining it again on the same connection (SIO-CLI-16)."""
    ack_timeout: float = 20.0
    """Longest wait for an acknowledgement, unless the request says otherwise."""
    retries: int = 0
    """How often an event is sent again that is not acknowledged; 0 asks for no acknowledgements
    (SIO-CBUF-09)."""
    max_attachments: int = 10
    """Most attachments that a packet from the server may announce (SIO-BIN-10)."""
    attachment_timeout: float = 20.0
    """Longest wait for each announced attachment (SIO-BIN-17)."""
    max_pending_acks: int = 10_000
    """Most acknowledgements that one socket may wait for."""
    max_buffer: int = 16_000_000
    """Most characters and bytes that one socket keeps while it is not connected: of what was
    emitted, of what is to be retried, and of what came before it joined."""

    def __post_init__(self) -> None:
        check_seconds(
            self,
            "reconnection_delay",
            "reconnection_delay_max",
            "connect_timeout",
            "rejoin_delay",
            "ack_timeout",
            "attachment_timeout",
        )
        attempts, share = self.reconnection_attempts, self.randomization
        check_config(
            self,
            reconnection=(isinstance(self.reconnection, bool), "True or False"),
            retry_first=(isinstance(self.retry_first, bool), "True or False"),
            reconnection_attempts=(
                attempts is None or is_count(attempts),
                "a positive number or None",
            ),
            randomization=(
                isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1,
                "a share from 0 to 1",
            ),
            retries=(is_count(self.retries, 0), "a number that is not negative"),
            max_attachments=(is_count(self.max_attachments), "a positive number"),
            max_pending_acks=(is_count(self.max_pending_acks), "a positive number"),
            max_buffer=(is_count(self.max_buffer), "a positive number of characters and bytes"),
        )
