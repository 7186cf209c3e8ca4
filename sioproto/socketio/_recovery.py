"""Connection state recovery: a client that comes back in time finds its socket as it left it.

What was sent to everybody or to somebody is kept for a while, under offsets that clients get along
with each event. A socket that was cut off is kept for as long: its id, its rooms, its data. Whoever
returns with the private id of such a socket and the last offset that it saw gets what it missed.

Nothing here knows the time of a command. The log is cut by a clock that ticks now and then: what
came since the last tick counts as having come at this one, so that nothing is dropped too early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from sioproto._config import check_config, check_seconds, is_count
from sioproto.engineio._message import Message
from sioproto.socketio._adapter import (
    Broadcast,
    Flags,
    KeptSocket,
    LocalAdapter,
    Restored,
    Target,
)
from sioproto.socketio._packet import Packet
from sioproto.socketio._reasons import DisconnectReason

if TYPE_CHECKING:
    from sioproto.socketio._namespace import Namespace
    from sioproto.socketio._socket import Socket

RECOVERABLE = (
    DisconnectReason.TRANSPORT_CLOSE,
    DisconnectReason.TRANSPORT_ERROR,
    DisconnectReason.PING_TIMEOUT,
    DisconnectReason.SERVER_SHUTTING_DOWN,
    DisconnectReason.FORCED_CLOSE,
    DisconnectReason.FORCED_SERVER_CLOSE,
)
"""Reasons after which a socket is kept (SIO-CSR-07): nobody meant it to end."""

TICKS = 8
"""So often in the time that a socket is kept, the clock ticks."""

ENTRY_OVERHEAD = 500
"""What an entry of the log counts for besides its messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecoveryConfig:
    """How long, and how much, is kept.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    max_disconnection_duration: float = 120.0
    """Seconds that a socket and the events it may have missed are kept, at least; up to an eighth
    more."""
    skip_middlewares: bool = True
    """Whether a socket that was recovered skips the middleware (SIO-CSR-11). For the runtime."""
    max_log: int = 16_000_000
    """Most characters and bytes of events that are kept for one namespace. Then the oldest go, and
    whoever has not seen them cannot be recovered."""
    max_sockets: int = 10_000
    """Most sockets that are kept for one namespace. Then the oldest go."""

    def __post_init__(self) -> None:
        check_seconds(self, "max_disconnection_duration")
        check_config(
            self,
            skip_middlewares=(isinstance(self.skip_middlewares, bool), "True or False"),
            max_log=(is_count(self.max_log), "a positive number of characters and bytes"),
            max_sockets=(is_count(self.max_sockets), "a positive number"),
        )


class _Entry:
    __slots__ = ("messages", "number", "only", "size", "target", "until")

    def __init__(
        self, number: int, messages: list[Message], target: Target, only: str | None
    ) -> None:
        self.number = number
        self.messages = messages
        self.target = target
        self.only = only
        self.size = ENTRY_OVERHEAD + sum(message.size for message in messages)
        self.until = inf

    def is_for(self, kept: KeptSocket) -> bool:
        """Whether the socket would have got it (SIO-CSR-13)."""
        if self.only is not None:
            return self.only == kept.id
        target = self.target
        return (
            (not target.rooms or any(room in kept.rooms for room in target.rooms))
            and not any(room in kept.rooms for room in target.except_rooms)
            and kept.id not in target.except_ids
        )


class RecoveringAdapter(LocalAdapter):
    """A local adapter that keeps what was sent and who was cut off.

    Args:
        namespace: whose adapter it is.
        config: how long and how much is kept.
    """

    recovers = True

    def __init__(self, namespace: Namespace, config: RecoveryConfig) -> None:
        super().__init__(namespace)
        self.config = config
        self._moved = namespace.adapter_moved
        self._last_time = namespace.last_time
        self._tick = config.max_disconnection_duration / TICKS
        self._ticked = -inf
        self._log: deque[_Entry] = deque()
        self._log_size = 0
        self._stamped = 0  # so many entries at the start of the log know until when they are kept
        self._last = 0
        self._dropped = 0  # everything up to this number has been dropped
        self._kept: dict[str, tuple[KeptSocket, float]] = {}
        self._kept_ids: dict[str, None] = {}

    # Sending

    def emit(self, socket: Socket, packet: Packet, flags: Flags) -> None:
        """Send to one socket, or keep it for the socket if that was cut off."""
        if flags.volatile or packet.id is not None:
            super().emit(socket, packet, flags)  # not recoverable (SIO-CSR-05)
        elif socket.connected or socket.id in self._kept_ids:
            messages = self._remember(packet, Target(), socket.id, flags)
            if socket.connected:
                socket.deliver(messages, packet)

    def broadcast(self, broadcast: Broadcast) -> None:
        """Deliver to every recipient, once, and keep it for those who are cut off."""
        if broadcast.flags.volatile:
            super().broadcast(broadcast)
        else:
            messages = self._remember(broadcast.packet, broadcast.target, None, broadcast.flags)
            self.deliver(broadcast, messages)

    def _remember(
        self, packet: Packet, target: Target, only: str | None, flags: Flags
    ) -> list[Message]:
        number = self._last + 1
        # The offset is the event's last argument (SIO-CSR-03), but not one of the application's.
        stamped = Packet(packet.type, packet.namespace, [*packet.data, _offset(number)])
        messages = self._encode(stamped, flags.compress)
        self._last = number
        entry = _Entry(number, messages, target, only)
        self._log.append(entry)
        self._log_size += entry.size
        while self._log_size > self.config.max_log:
            self._drop_oldest()
        self.start()
        return messages

    def _drop_oldest(self) -> None:
        entry = self._log.popleft()
        self._log_size -= entry.size
        self._dropped = entry.number
        self._stamped = max(0, self._stamped - 1)

    # Cutting off and coming back

    def keep(self, kept: KeptSocket) -> None:
        """A socket was cut off."""
        self._kept[kept.pid] = (kept, inf)
        self._kept_ids[kept.id] = None
        if len(self._kept) > self.config.max_sockets:
            self._forget(next(iter(self._kept)))
        self.start()

    def _forget(self, pid: str) -> KeptSocket:
        kept, _ = self._kept.pop(pid)
        del self._kept_ids[kept.id]
        return kept

    def restore(self, pid: object, offset: object, done: Callable[[Restored | None], None]) -> None:
        """Give back what was kept.

        Nothing if it is not known (any more), or some of what was missed is gone (SIO-CSR-10).
        """
        done(self._find(pid, offset))

    def _find(self, pid: object, offset: object) -> Restored | None:
        if not isinstance(pid, str) or not isinstance(offset, str) or pid not in self._kept:
            return None
        seen = _number(offset)
        if seen is None or not self._dropped <= seen <= self._last:
            return None
        kept = self._forget(pid)
        missed, latest = self._since(seen, kept), self._last
        return kept, lambda: missed + self._since(latest, kept)

    def _since(self, number: int, kept: KeptSocket) -> list[Message]:
        return [
            message
            for entry in self._log
            if entry.number > number and entry.is_for(kept)
            for message in entry.messages
        ]

    # Time

    def start(self) -> None:
        """There is somebody, or something, to forget: let the clock tick on."""
        if self.deadline == inf:
            self.deadline = max(self._ticked, self._last_time()) + self._tick
            self._moved()

    def handle_timeout(self, now: float) -> None:
        """The clock ticks."""
        until = now + self.config.max_disconnection_duration
        while self._log and self._log[0].until <= now:
            self._drop_oldest()
        for pid, (kept, kept_until) in list(self._kept.items()):
            if kept_until <= now:
                self._forget(pid)
            elif kept_until == inf:
                self._kept[pid] = (kept, until)
        for index in range(self._stamped, len(self._log)):
            self._log[index].until = until
        self._stamped = len(self._log)
        idle = not self._log and not self._kept and not self._sockets
        self._ticked = now
        self.deadline = inf if idle else now + self._tick


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MARK = "o~"
"""Clients take whatever text an event ends with for an offset (SIO-CSR-15). What applications send
should not be one by accident: whoever comes back with it would get the wrong events."""


def _offset(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return _MARK + text


def _number(offset: str) -> int | None:
    """What an offset stands for; None if it is none of ours."""
    digits = offset.removeprefix(_MARK)
    if digits == offset or not 0 < len(digits) <= 12:
        return None
    return int(digits, 36) if all(digit in _DIGITS for digit in digits) else None
