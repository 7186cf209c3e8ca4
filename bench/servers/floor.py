"""The application of the bench at its barest: string slicing, no JSON, no session, no handler.

The floors share it, so that their traffic is the very same as that of the Socket.IO servers while
their own work is as near to nothing as Python allows. It is not an implementation of the protocol.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

OPEN = (
    '0{"sid":"abcdefghijklmnopqrst","upgrades":[],"pingInterval":25000,'
    '"pingTimeout":20000,"maxPayload":1000000}'
)
C = TypeVar("C")
R = TypeVar("R")


class Floor(Generic[C, R]):
    """The state of the application.

    Args:
        broadcast: sends a text to connections.
    """

    def __init__(self, broadcast: Callable[[Iterable[C], str], R]) -> None:
        self._broadcast = broadcast
        self._received = 0
        self._everyone: set[C] = set()
        self._room: set[C] = set()

    def on_text(self, text: str, connection: C | None) -> str | R | None:
        """What a packet leads to: an answer, nothing, or what broadcasting returned.

        A polling session is no connection, and takes no part in broadcasts.
        """
        if text[1:2] == "0":
            if connection is not None:
                self._everyone.add(connection)
            return text + '{"sid":"abcdefghijklmnopqrst"}'
        if len(text) < 3:
            return None
        if text[2] != "[":
            return self._acknowledged(text, connection)
        if text.startswith('["ev"', 2):
            self._received += 1
            return None
        to = self._room if text[5] == "r" else self._everyone
        return self._broadcast(to, '42["msg"' + text[10:])

    def _acknowledged(self, text: str, connection: C | None) -> str:
        start = text.index("[", 2)
        head = "43" + text[2:start]
        if text[start + 2] == "e":
            return head + "[" + text[start + 8 :]
        if text.startswith('["join"', start) and connection is not None:
            self._room.add(connection)
        elif text.startswith('["gc"', start):
            gc.collect()
        return f"{head}[{self._received}]"

    def gone(self, connection: C) -> None:
        """Forget a connection."""
        self._everyone.discard(connection)
        self._room.discard(connection)
