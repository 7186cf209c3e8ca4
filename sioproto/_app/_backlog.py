"""What one client has sent and no handler has taken: how much it is, and when to stop reading."""

from __future__ import annotations

from collections.abc import Callable

from sioproto._app._config import AppConfig
from sioproto._app._runtime import Event, Runtime

ITEM_OVERHEAD = 200
"""What each item counts for besides its content, so that empty ones are not free."""


class Backlog:
    """The untaken input of one client, all its namespaces together.

    Reading stops past ``pause_input``. What was read until then is kept, however much one read
    brought; only a client that goes on, with reading paused on another connection or with a handler
    that awaits an acknowledgement, runs into ``max_input``.
    """

    __slots__ = (
        "_awaiting",
        "_closed",
        "_config",
        "_gate",
        "_held",
        "_hold",
        "_over",
        "_runtime",
        "users",
    )

    def __init__(self, runtime: Runtime, config: AppConfig, hold: Callable[[bool], None]) -> None:
        self._runtime = runtime
        self._hold = hold
        self._config = config
        self._held = 0
        self._awaiting = 0
        self._over = False
        self._closed = False
        self._gate: Event | None = None
        self.users = 0
        """How many tasks take from it."""

    def __repr__(self) -> str:
        return f"<Backlog of {self._held}{', paused' if self.congested else ''}>"

    @property
    def congested(self) -> bool:
        """Whether the client should not be read."""
        return self._held > self._config.pause_input and not self._awaiting and not self._closed

    def add(self, size: int) -> bool:
        """Something arrived. False if the client has gone too far: end it."""
        self._held += size + ITEM_OVERHEAD
        return not self._over

    def take(self, size: int) -> None:
        """A handler took it, or nobody ever will."""
        self._held -= size + ITEM_OVERHEAD
        if self._held <= self._config.max_input:
            self._over = False
        self._open_gate()

    def judge(self) -> bool:
        """One read is complete. True if the client should not be read on: see ``wait``."""
        self._over = self._held > self._config.max_input
        return self.congested

    async def wait(self) -> None:
        """Wait until the client may be read. Meanwhile its heartbeat is not held against it."""
        if not self.congested:
            return
        self._hold(True)
        try:
            while self.congested:
                if self._gate is None:
                    self._gate = self._runtime.event()
                await self._gate.wait()
        finally:
            self._hold(False)

    def acknowledgement_awaited(self) -> None:
        """A handler waits for what only reading can bring."""
        self._awaiting += 1
        self._open_gate()

    def acknowledgement_settled(self) -> None:
        """It waits no longer."""
        self._awaiting -= 1

    def close(self) -> None:
        """The client has gone: nothing more will be read."""
        self._closed = True
        self._open_gate()

    def _open_gate(self) -> None:
        if self._gate is not None and not self.congested:
            self._gate.set()
            self._gate = None
