"""What a client has yet to send."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sioproto.engineio._message import Message

MESSAGE_OVERHEAD = 64
"""What each message counts for besides its content, so that empty ones are not free."""


class Outbox:
    """Packets in the order in which they leave."""

    __slots__ = ("_messages", "size")

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self.size = 0
        """Characters and bytes, and a constant for each packet."""

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Append."""
        self._messages.append(message)
        self.size += message.size + MESSAGE_OVERHEAD

    def put_first(self, message: Message) -> None:
        """Let a packet overtake what waits, but for the end of an upgrade: nothing may be sent on
        the new transport in front of it (EIO-UPC-03)."""
        behind = 1 if self._messages and self._messages[0].packet == "5" else 0
        self._messages.insert(behind, message)
        self.size += message.size + MESSAGE_OVERHEAD

    def clear(self) -> None:
        """Nothing of it will be sent."""
        self._messages.clear()
        self.size = 0

    def take_all(self) -> list[Message]:
        """Take all of it, for a WebSocket."""
        taken = list(self._messages)
        self.clear()
        return taken

    def take_payload(
        self, limit: int | None, weigh: Callable[[Message, bool], int]
    ) -> list[Message]:
        """Take as many packets as fit into a body of so many bytes, and one in any case.

        Args:
            limit: most bytes; None for any number.
            weigh: how many a packet takes; the flag tells whether it is the first.
        """
        taken: list[Message] = []
        size = 0
        while self._messages:
            size += weigh(self._messages[0], not taken)
            if taken and limit is not None and size > limit:
                break
            message = self._messages.popleft()
            self.size -= message.size + MESSAGE_OVERHEAD
            taken.append(message)
        return taken
