"""The operator that says who is meant, as an application sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sioproto._errors import AckTimeout
from sioproto.socketio import BroadcastAcked, BroadcastOperator, Flags, Target
from sioproto.socketio import Namespace as CoreNamespace

if TYPE_CHECKING:
    from sioproto._app._runtime import Event
    from sioproto._app._server import SocketApplication


class Broadcast(BroadcastOperator):
    """Rooms chosen and rooms left out. Each call returns a new operator; none is ever changed."""

    __slots__ = ("_app",)

    def __init__(
        self,
        app: SocketApplication,
        namespace: CoreNamespace,
        target: Target | None = None,
        flags: Flags | None = None,
    ) -> None:
        super().__init__(namespace, target, flags)
        self._app = app

    def _copy(self, target: Target, flags: Flags) -> Broadcast:
        return Broadcast(self._app, self._namespace, target, flags)

    def send(self, *args: Any) -> None:
        """Emit an event named ``message`` (SIO-EVT-07).

        Raises:
            LocalProtocolError: as for ``emit``.
        """
        self.emit("message", *args)

    async def request(self, name: str | int | float, *args: Any, timeout: float) -> list[Any]:
        """Emit an event and wait for everybody's acknowledgement.

        Args:
            name: of the event.
            args: of the event.
            timeout: seconds to wait.

        Returns:
            The first argument of each acknowledgement, None if it had none, in order of arrival.

        Raises:
            AckTimeout: some did not answer in time, or have gone. Its ``responses`` are those of
                the others.
            LocalProtocolError: as for ``emit``.
        """
        id = self.emit_with_ack(name, *args, timeout=timeout, now=self._app.now())
        out = await self._app.acknowledged_by_all(self._namespace, id)
        if out.missing:
            raise AckTimeout(
                f'{len(out.missing)} of those asked did not acknowledge "{name}"',
                responses=out.responses,
            )
        return out.responses

    def disconnect_sockets(self, close: bool = False, *, now: float | None = None) -> None:
        """Make everybody who is meant leave.

        Args:
            close: also close their connections.
            now: seconds; an application leaves it to the runtime's clock.
        """
        super().disconnect_sockets(close, now=self._app.now() if now is None else now)


class BroadcastWaiter:
    """A ``request`` to many that waits."""

    __slots__ = ("event", "out")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.out: BroadcastAcked | None = None
