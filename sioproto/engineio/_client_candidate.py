"""The WebSocket that a client probes while its session is on polling."""

from __future__ import annotations


class Candidate:
    """A WebSocket that may become the transport."""

    __slots__ = ("answered", "busy", "early", "early_size", "ws")

    def __init__(self, ws: int) -> None:
        self.ws = ws
        self.busy = False
        self.answered = False
        """Whether the server has answered the probe."""
        self.early: list[str | bytes] = []
        """What the server sent before it was told of the switch: handled after it (EIO-UPC-10)."""
        self.early_size = 0
