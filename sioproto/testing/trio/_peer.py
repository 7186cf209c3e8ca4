"""What the clients of both layers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

import trio

from sioproto._errors import ClosedError, ConnectionFailed, SioprotoError
from sioproto.testing.trio._connection import Connection
from sioproto.testing.trio._waiting import Done, ExpectationFailed, Inbox, settle

T = TypeVar("T")


class Peer(ABC, Generic[T]):
    """A client, with what it received."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._inbox: Inbox[T] = Inbox(self._describe, timeout)
        self._answered = False
        self._refusal: SioprotoError | None = None
        self.sid: str = ""
        """Id of the Engine.IO session."""
        self.reason: str | None = None
        """Why the client is not connected any more, in the words of the official client."""

    @property
    def connected(self) -> bool:
        """Whether the client was let in, and neither side has ended it."""
        return self._answered and self.reason is None

    @property
    def answer_pings(self) -> bool:
        """Whether the client answers heartbeats. May be set at any time."""
        return self._connection.answer_pings

    @answer_pings.setter
    def answer_pings(self, value: bool) -> None:
        self._connection.answer_pings = value

    @abstractmethod
    def disconnect(self) -> Done:
        """Leave. Does nothing if the client has gone."""

    def lose(self) -> Done:
        """Lose the connection without a word, for all clients on it."""
        self._connection.lose()
        return self._done()

    def stop_reading(self) -> None:
        """Leave unread what the server sends from now on, heartbeats included."""
        self._connection.stop_reading()

    def resume_reading(self) -> None:
        """Read what was left, and what follows."""
        self._connection.resume_reading()

    async def drain(self, *, timeout: float | None = None) -> None:
        """Wait until the server has read all that was sent: it does not while too much waits.

        Raises:
            ExpectationFailed: it has not in time.
        """
        __tracebackhide__ = True
        seconds = self._timeout if timeout is None else timeout
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(seconds) as scope:
            await self._connection.drain()
        if scope.cancelled_caught:
            summary = f"the server has not read everything within {seconds:g} seconds"
            raise ExpectationFailed(self._inbox.account(summary))

    async def receive_nothing(self, *, within: float = 0.0) -> None:
        """Make sure that there is nothing to receive.

        Args:
            within: seconds to wait for something; 0 lets everything run that can run without time
                passing.

        Raises:
            ExpectationFailed: something came; it is not taken.
        """
        __tracebackhide__ = True
        await self._inbox.refuse(within)

    async def wait_disconnected(self, *, timeout: float | None = None) -> str:
        """Wait for the end, and return the reason.

        Raises:
            ExpectationFailed: it has not come in time.
        """
        __tracebackhide__ = True
        return await self._inbox.wait(lambda: self.reason, "end", timeout)

    def _done(self) -> Done:
        return Done(self._timeout)

    def _check_connected(self) -> None:
        if not self.connected:
            raise ClosedError(self._describe())

    def _end(self, reason: str) -> None:
        if self.reason is None:
            self.reason = reason
            self._inbox.end()

    def _state(self) -> str:
        if self.reason is not None:
            return f'is disconnected, "{self.reason}"'
        return "is connected" if self._answered else "has no answer yet"

    @abstractmethod
    def _describe(self) -> str:
        """A line about the client."""


def told_by_server(reason: str, error: object) -> str:
    """The end as the server saw it, which no client over a network would learn."""
    why = "" if error is None else f": {error}"
    return f'\n  the server says "{reason}"{why}'


P = TypeVar("P", bound=Peer[Any])


class Arriving(Generic[P]):
    """A client that has asked to be let in. Await it, or enter it."""

    def __init__(self, peer: P, timeout: float) -> None:
        self._peer = peer
        self._timeout = timeout

    def __await__(self) -> Generator[Any, Any, P]:
        return self._arrive().__await__()

    async def __aenter__(self) -> P:
        __tracebackhide__ = True
        return await self._arrive()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._peer.disconnect()
        if error is None:
            await trio.lowlevel.checkpoint()

    async def _arrive(self) -> P:
        __tracebackhide__ = True
        peer = self._peer
        await trio.lowlevel.checkpoint()
        try:
            await self._let_in()
        except BaseException:
            peer.disconnect()
            raise
        # What the application does at once has been done when the client is handed out.
        await settle(self._timeout)
        return peer

    async def _let_in(self) -> None:
        """Wait for the answer, which has to be that the client is in."""
        __tracebackhide__ = True
        peer = self._peer
        inbox = peer._inbox

        def decided() -> bool:
            return peer._answered or peer._refusal is not None or peer.reason is not None

        in_time = await inbox.until(decided, self._timeout)
        if peer._connection.rejection is not None:
            raise ConnectionFailed(peer._connection.rejection)
        if peer._refusal is not None:
            raise peer._refusal
        if not in_time:
            raise ExpectationFailed(
                inbox.account(f"no answer came within {self._timeout:g} seconds")
            )
        if not peer._answered:
            raise ConnectionFailed(inbox.account("the connection ended before the answer"))
