"""Acknowledgements: those that the application owes, and those that it waits for."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from sioproto._output import Output
from sioproto.socketio._outputs import AckFailed, AckReceived, BroadcastAcked

if TYPE_CHECKING:
    from sioproto.socketio._namespace import Namespace
    from sioproto.socketio._socket import Socket

Put = Callable[[Output], None]


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
    """An acknowledgement that one socket owes."""

    __slots__ = ("_put", "_socket", "deadline", "id", "wake_at")

    def __init__(self, socket: Socket, id: int, deadline: float, put: Put) -> None:
        self.id = id
        self.deadline = deadline
        self.wake_at = inf
        self._socket = socket
        self._put = put

    def answer(self, socket: Socket, args: list[Any]) -> None:
        """It came."""
        self._put(AckReceived(socket, self.id, args))

    def lose(self, socket: Socket, why: Literal["timeout", "disconnect"]) -> None:
        """It will not come."""
        self._put(AckFailed(socket, self.id, why))

    def handle_timeout(self, now: float) -> None:
        """The time is up."""
        self.deadline = inf
        self._socket.take_ack(self.id)
        self.lose(self._socket, "timeout")


class PendingBroadcastAck:
    """The acknowledgements that the recipients of one broadcast owe (SIO-BC-11)."""

    __slots__ = (
        "_missing",
        "_namespace",
        "_put",
        "_responses",
        "_waiting",
        "deadline",
        "id",
        "wake_at",
    )

    def __init__(self, namespace: Namespace, id: int, deadline: float, put: Put) -> None:
        self.id = id
        self.deadline = deadline
        self.wake_at = inf
        self._namespace = namespace
        self._put = put
        self._waiting: dict[Socket, None] = {}
        self._responses: list[Any] = []
        self._missing: list[str] = []

    def expect(self, sockets: list[Socket]) -> None:
        """These were asked. With none, it is settled at once (SIO-BC-14)."""
        self._waiting.update(dict.fromkeys(sockets))
        self._settle_if_done()

    def answer(self, socket: Socket, args: list[Any]) -> None:
        """One came: its first argument counts."""
        del self._waiting[socket]
        self._responses.append(args[0] if args else None)
        self._settle_if_done()

    def lose(self, socket: Socket, why: Literal["timeout", "disconnect"]) -> None:
        """One will not come."""
        self._waiting.pop(socket, None)
        self._missing.append(socket.id)
        self._settle_if_done()

    def handle_timeout(self, now: float) -> None:
        """The time is up: whoever has not answered is missing."""
        self.deadline = inf
        for socket in list(self._waiting):
            socket.take_ack(self.id)
            self.lose(socket, "timeout")

    def _settle_if_done(self) -> None:
        if not self._waiting:
            self.deadline = inf
            self._put(
                BroadcastAcked(self._namespace, self.id, self._responses, tuple(self._missing))
            )
