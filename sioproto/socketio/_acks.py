"""Acknowledgements: those that the application owes, and those that it waits for."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any


class Reply:
    """Acknowledges one event. The first call counts, later ones do nothing (SIO-ACK-04)."""

    __slots__ = ("_send", "id")

    def __init__(self, id: int, send: Callable[[int, tuple[Any, ...]], None]) -> None:
        self.id = id
        self._send: Callable[[int, tuple[Any, ...]], None] | None = send

    def __repr__(self) -> str:
        return f"<Reply {self.id}{' sent' if self._send is None else ''}>"

    def __call__(self, *args: Any) -> bool:
        """Send the acknowledgement, with these arguments. False if it was sent before.

        Raises:
            LocalProtocolError: the arguments cannot be expressed; nothing was sent.
        """
        send = self._send
        if send is None:
            return False
        send(self.id, args)
        self._send = None
        return True


class PendingAck:
    """An acknowledgement that the application waits for."""

    __slots__ = ("_expire", "deadline", "id", "wake_at")

    def __init__(self, id: int, deadline: float, expire: Callable[[int], None]) -> None:
        self.id = id
        self.deadline = deadline
        self.wake_at = inf
        self._expire = expire

    def handle_timeout(self, now: float) -> None:
        """The time is up."""
        self.deadline = inf
        self._expire(self.id)
