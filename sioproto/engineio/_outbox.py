"""What a client has yet to send."""

from __future__ import annotations

from collections import deque

from sioproto.engineio._message import Message, WsFrame
from sioproto.engineio._payload import SEPARATOR

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
        """Let a packet overtake what waits."""
        self._messages.appendleft(message)
        self.size += message.size + MESSAGE_OVERHEAD

    def clear(self) -> None:
        """Nothing of it will be sent."""
        self._messages.clear()
        self.size = 0

    def take_frames(self) -> list[WsFrame]:
        """Take all of it, for a WebSocket."""
        frames = [message.frame for message in self._messages]
        self.clear()
        return frames

    def take_payload(self, limit: int | None) -> list[Message]:
        """Take as many packets as fit into a body of so many bytes, and one in any case."""
        taken: list[Message] = []
        size = -len(SEPARATOR)
        while self._messages:
            text = self._messages[0].text
            size += len(SEPARATOR) + (len(text) if text.isascii() else len(text.encode()))
            if taken and limit is not None and size > limit:
                break
            message = self._messages.popleft()
            self.size -= message.size + MESSAGE_OVERHEAD
            taken.append(message)
        return taken
