"""Acknowledgements: those that the application owes, and those that it waits for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf, isnan
from typing import TYPE_CHECKING, Any, Literal

from sioproto._errors import LocalProtocolError
from sioproto._output import Output
from sioproto.socketio._outputs import AckFailed, AckReceived, BroadcastAcked, ServersAnswered

if TYPE_CHECKING:
    from sioproto.socketio._namespace import Namespace
    from sioproto.socketio._socket import Socket

Put = Callable[[Output], None]


def check_timeout(timeout: float) -> None:
    """Refuse what nothing could wait for, before anybody is asked.

    Raises:
        LocalProtocolError: it is no number of seconds.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or isnan(timeout):
        raise LocalProtocolError(f"a timeout is a number of seconds, not {timeout!r}")


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

    def acknowledged(self, socket: Socket, args: list[Any]) -> None:
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


class Answers(ABC):
    """What several were asked for: settled once, when all have answered or the time is up.

    Each of those who are asked is expected first. Whoever has yet to find out how many that will be
    holds it open meanwhile. What comes after it is settled is ignored.
    """

    __slots__ = (
        "_expected",
        "_holds",
        "_namespace",
        "_put",
        "_responses",
        "_settled",
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
        self._responses: list[Any] = []
        self._expected = 0
        self._holds = 0
        self._settled = False

    def hold(self) -> None:
        """Do not settle before ``release``: it is not yet known how many are asked."""
        self._holds += 1

    def release(self) -> None:
        """Now it is known: see ``expect``."""
        self._holds -= 1
        self._settle_if_done()

    def expect(self, count: int) -> None:
        """So many more were asked."""
        self._expected += count

    def answer(self, value: Any) -> None:
        """One of them has answered. The answer may overtake the call of ``expect``."""
        if not self._settled:
            self._expected -= 1
            self._responses.append(value)
            self._settle_if_done()

    def handle_timeout(self, now: float) -> None:
        """The time is up: whoever has not answered is missing."""
        self._settle()

    def _settle_if_done(self) -> None:
        if self._expected <= 0 and self._holds <= 0 and not self._settled:
            self._settle()

    def _settle(self) -> None:
        self._settled = True
        self._namespace.answers_settled(self)
        self._put(self._outcome())

    @abstractmethod
    def _outcome(self) -> Output:
        """What the application is told."""


class BroadcastAnswers(Answers):
    """The acknowledgements that the recipients of one broadcast owe (SIO-BC-11)."""

    __slots__ = ("_missing", "_waiting")

    def __init__(self, namespace: Namespace, id: int, deadline: float, put: Put) -> None:
        super().__init__(namespace, id, deadline, put)
        self._waiting: dict[Socket, None] = {}
        self._missing: list[str] = []

    def ask_socket(self, socket: Socket) -> None:
        """A recipient that is here was asked."""
        if not socket.connected:  # whoever listens to what goes out has made it leave
            self._missing.append(socket.id)
            return
        self._waiting[socket] = None
        self.expect(1)
        socket.expect_ack(self)

    def acknowledged(self, socket: Socket, args: list[Any]) -> None:
        """One that is here has acknowledged: its first argument counts."""
        del self._waiting[socket]
        self.answer(args[0] if args else None)

    def lose(self, socket: Socket, why: Literal["timeout", "disconnect"]) -> None:
        """One that is here will not."""
        del self._waiting[socket]
        self._missing.append(socket.id)
        self._expected -= 1
        self._settle_if_done()

    def handle_timeout(self, now: float) -> None:
        """The time is up: whoever has not answered is missing."""
        for socket in self._waiting:
            socket.take_ack(self.id)
            self._missing.append(socket.id)
            self._expected -= 1
        self._waiting.clear()
        self._settle()

    def _outcome(self) -> Output:
        elsewhere = max(self._expected, 0)
        return BroadcastAcked(
            self._namespace, self.id, self._responses, tuple(self._missing), elsewhere
        )


class RelayedAnswers(BroadcastAnswers):
    """Acknowledgements that sockets of this server owe to another one."""

    __slots__ = ("_pass_on",)

    def __init__(
        self, namespace: Namespace, id: int, deadline: float, pass_on: Callable[[Any], None]
    ) -> None:
        super().__init__(namespace, id, deadline, _put_nothing)
        self._pass_on = pass_on

    def __len__(self) -> int:
        """How many sockets have been asked and have not answered."""
        return len(self._waiting)

    def answer(self, value: Any) -> None:
        """One of them has answered."""
        super().answer(value)
        self._pass_on(value)


def _put_nothing(out: Output) -> None:
    """Whoever asked finds out by itself when all have answered."""


class ServerAnswers(Answers):
    """What the other servers answer to a server-side event (SIO-BC-19)."""

    __slots__ = ()

    def _outcome(self) -> Output:
        missing = max(self._expected, 0)
        return ServersAnswered(self._namespace, self.id, self._responses, missing)
