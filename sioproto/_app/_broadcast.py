"""The operator that says who is meant, as an application sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sioproto._errors import AckTimeout
from sioproto.socketio import BroadcastOperator, Flags, Target
from sioproto.socketio import Namespace as CoreNamespace

if TYPE_CHECKING:
    from sioproto._app._server import SocketApplication
    from sioproto._app._socket import Socket


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
        missing = len(out.missing) + out.missing_elsewhere
        if missing:
            raise AckTimeout(
                f'{missing} of those asked did not acknowledge "{name}"', responses=out.responses
            )
        return out.responses

    def fetch_sockets(self) -> list[Socket]:
        """Those who are meant and are connected to this server, in order (SIO-BC-17)."""
        return cast("list[Socket]", super().fetch_sockets())

    def disconnect_sockets(self, close: bool = False, *, now: float | None = None) -> None:
        """Make everybody who is meant leave.

        Args:
            close: also close their connections.
            now: seconds; an application leaves it to the runtime's clock.
        """
        super().disconnect_sockets(close, now=self._app.now() if now is None else now)
