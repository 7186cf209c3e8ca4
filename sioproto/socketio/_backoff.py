"""How long to wait before the next attempt to connect."""

from __future__ import annotations

from collections.abc import Callable

from sioproto.socketio._client_config import ClientConfig

_MAX_EXPONENT = 32
"""Beyond this the delay is at its maximum anyway, and far from overflowing (SIO-REC-03)."""


class Backoff:
    """Delays that double, with jitter, up to a maximum.

    Args:
        config: the first delay, the greatest, and the share that chance has.
        random: a number from 0 to 1, by chance.
    """

    def __init__(self, config: ClientConfig, random: Callable[[], float]) -> None:
        self._config = config
        self._random = random
        self.attempts = 0
        """How many delays were taken since the last reset."""

    def next(self) -> float:
        """The delay before the next attempt. Jitter comes before the maximum (SIO-REC-02)."""
        config = self._config
        delay = config.reconnection_delay * 2.0 ** min(self.attempts, _MAX_EXPONENT)
        self.attempts += 1
        delay *= 1 + config.randomization * (2 * self._random() - 1)
        return min(delay, config.reconnection_delay_max)

    def reset(self) -> None:
        """A connection was made, or is wanted anew."""
        self.attempts = 0
