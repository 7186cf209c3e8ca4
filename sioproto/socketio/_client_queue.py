"""What a socket of a client has emitted and is not done with: requests, and events to be retried.

A *request* waits for an acknowledgement and has exactly one outcome. An event that is *retried*
is sent until it is acknowledged, one event at a time, the oldest first (SIO-CBUF-09).
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sioproto.socketio._alarm import Alarm
from sioproto.socketio._client_outputs import ClientAckFailed, ClientAckReceived

if TYPE_CHECKING:
    from sioproto.engineio._message import Message
    from sioproto.socketio._client_socket import ClientSocket

EVENT_OVERHEAD = 200
"""What an event that is kept counts for besides its content."""


def size_of(messages: list[Message]) -> int:
    """What an event that is kept counts for."""
    return sum(message.size for message in messages) + EVENT_OVERHEAD


class Kept:
    """An event that waits for the socket to connect."""

    __slots__ = ("data", "messages")

    def __init__(self, messages: list[Message], data: list[Any]) -> None:
        self.messages = messages
        self.data = data


class Waiting(Protocol):
    """Whatever is told of an acknowledgement."""

    def acknowledged(self, args: list[Any]) -> None:
        """It came."""

    def lost(self) -> None:
        """The connection went before it came."""


class Request:
    """Waits for one acknowledgement."""

    __slots__ = ("_alarm", "_socket", "id", "kept")

    def __init__(self, socket: ClientSocket, id: int, deadline: float) -> None:
        self.id = id
        self.kept: Kept | None = None
        """The event, if it is not sent yet."""
        self._socket = socket
        self._alarm = Alarm(socket.client.alarms, self._expire)
        self._alarm.set(deadline)

    def acknowledged(self, args: list[Any]) -> None:
        """It came."""
        self._alarm.clear()
        self._socket.client.put(ClientAckReceived(self._socket, self.id, args))

    def lost(self) -> None:
        """The connection went before it came (SIO-CBUF-08)."""
        self._alarm.clear()
        self._socket.client.put(ClientAckFailed(self._socket, self.id, "disconnect"))

    def _expire(self, now: float) -> None:
        self._socket.take_ack(self.id)
        if self.kept is not None:
            self._socket.forget(self.kept)  # never to be sent (SIO-CBUF-03)
        self._socket.client.put(ClientAckFailed(self._socket, self.id, "timeout"))


class Retried:
    """An event that is sent until it is acknowledged."""

    __slots__ = ("data", "request", "size", "timeout", "tries")

    def __init__(self, data: list[Any], request: int | None, timeout: float, size: int) -> None:
        self.data = data
        self.request = request
        """Id of the request of the application, if it wants to know."""
        self.timeout = timeout
        self.size = size
        self.tries = 0


class RetryQueue:
    """The events that one socket retries, oldest first. Only the first is ever in flight.

    Each attempt has an id of its own, and whichever of them is acknowledged will do: where a
    network is slower than the time limit, no attempt is ever answered in its own time.
    """

    def __init__(self, socket: ClientSocket, retries: int) -> None:
        self._socket = socket
        self._retries = retries
        self._events: deque[Retried] = deque()
        self._attempts: list[int] = []
        """Ids under which the first event was sent on this connection."""
        # Set to minus infinity by whoever has no time at hand, and wants the first event sent.
        self._alarm = Alarm(socket.client.alarms, self._due)
        self.size = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: Retried) -> None:
        """Append."""
        self._events.append(event)
        self.size += event.size
        self.pump()

    def pump(self) -> None:
        """Send the first event as soon as the time is known, if it can be sent."""
        if self._events and not self._attempts and self._socket.connected:
            self._alarm.set(-inf)

    def send_first(self, now: float) -> None:
        """Send the first event now."""
        if not self._events or not self._socket.connected:
            return
        event = self._events[0]
        event.tries += 1
        self._attempts.append(self._socket.send_retried(event.data, self))
        self._alarm.set(now + event.timeout)

    def acknowledged(self, args: list[Any]) -> None:
        """The first event has arrived."""
        event = self._take()
        if event.request is not None:
            put = self._socket.client.put
            put(ClientAckReceived(self._socket, event.request, args))
        self.pump()

    def lost(self) -> None:
        """The connection went before the first event was acknowledged."""
        self._forget_attempts()
        if self._events[0].tries > self._retries:
            self._give_up("disconnect")

    def _due(self, now: float) -> None:
        if self._attempts and self._events[0].tries > self._retries:
            self._give_up("timeout")
        self.send_first(now)

    def _give_up(self, why: Literal["timeout", "disconnect"]) -> None:
        event = self._take()
        if event.request is not None:
            self._socket.client.put(ClientAckFailed(self._socket, event.request, why))

    def _take(self) -> Retried:
        self._forget_attempts()
        event = self._events.popleft()
        self.size -= event.size
        return event

    def _forget_attempts(self) -> None:
        self._alarm.clear()
        for id in self._attempts:
            self._socket.take_ack(id)
        self._attempts.clear()


def frozen(value: Any) -> Any:
    """A copy that later changes of the caller do not reach. The value was encoded once already."""
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [frozen(item) for item in value]
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return value
