"""A client of one server as an application sees it: what its sockets share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from random import random
from typing import Any, TypeVar, cast

from sioproto._app._backlog import Backlog
from sioproto._app._calling import invoke, is_async
from sioproto._app._client_socket import ClientSocket
from sioproto._app._config import AppConfig
from sioproto._app._listeners import Listeners
from sioproto._app._runtime import Event, Runtime
from sioproto._errors import ClosedError, LimitError, LocalProtocolError
from sioproto._output import Output
from sioproto.engineio import ClientConfig as EngineConfig
from sioproto.engineio import (
    EngineClient,
    PingReceived,
    PongReceived,
    SessionUpgraded,
    UpgradeFailed,
)
from sioproto.socketio import (
    AuthRequested,
    ClientAckFailed,
    ClientAckReceived,
    ClientConfig,
    ClientConnected,
    ClientConnectFailed,
    ClientDisconnected,
    ClientEventReceived,
    ManagerClosed,
    ManagerOpened,
    ManagerOpenFailed,
    Parser,
    ReconnectAttempted,
    ReconnectFailed,
    ReconnectScheduled,
    SocketClient,
)

F = TypeVar("F", bound=Callable[..., Any])
Auth = Mapping[str, Any] | Callable[[], Any] | None

EVENTS = (
    "open",
    "error",
    "close",
    "ping",
    "upgrade",
    "upgrade_error",
    "reconnect_attempt",
    "reconnect",
    "reconnect_error",
    "reconnect_failed",
)


class Manager:
    """One connection to a server, and the sockets on it.

    Args:
        engine: limits and manners of the Engine.IO layer.
        config: limits and manners of the Socket.IO layer.
        app: limits of what handlers may leave waiting.
        parser: encodes and decodes packets, like that of the server.
        runtime: tasks and time.
        wake: called when there is something to drain that no fact caused.
        fail: called with what a handler raised, if no hook takes it.
    """

    def __init__(
        self,
        engine: EngineConfig,
        config: ClientConfig | None,
        app: AppConfig | None,
        parser: Parser | None,
        *,
        runtime: Runtime,
        wake: Callable[[], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self.runtime = runtime
        self.app_config = app or AppConfig()
        self.core = SocketClient(
            EngineClient(engine, nonce=lambda: secrets.token_urlsafe(6), wake=wake),
            config,
            random=random,
            parser=parser,
            socket_class=ClientSocket,
        )
        self.backlog = Backlog(runtime, self.app_config, self._hold)
        self.handlers: Mapping[type[Output], Callable[[Any], None]] = {
            AuthRequested: self._auth_requested,
            ClientConnected: _happened,
            ClientConnectFailed: _happened,
            ClientDisconnected: _happened,
            ClientEventReceived: _event_received,
            ClientAckReceived: _acknowledged,
            ClientAckFailed: _not_acknowledged,
            ManagerOpened: self._opened,
            ManagerOpenFailed: self._open_failed,
            ManagerClosed: lambda out: self._tell("close", out.reason, out.details),
            PingReceived: lambda out: self._tell("ping"),
            PongReceived: lambda out: self._tell("ping"),
            SessionUpgraded: lambda out: self._tell("upgrade"),
            UpgradeFailed: lambda out: self._tell("upgrade_error", out.error),
            ReconnectScheduled: lambda out: None,
            ReconnectAttempted: lambda out: self._tell("reconnect_attempt", out.attempt),
            ReconnectFailed: lambda out: self._tell("reconnect_failed"),
        }
        """What takes each kind of event."""
        self._fail = fail
        self._wake = wake
        self._error_hook: Callable[[Exception, ClientSocket | None], Any] | None = None
        self._listeners = Listeners()
        self._auths: dict[str, Callable[[], Any]] = {}
        self._drained: Event | None = None

    def __repr__(self) -> str:
        state = "open" if self.core.open else "reconnecting" if self.reconnecting else "closed"
        return f"<Manager {state}, {len(self.core.sockets)} sockets>"

    # What users call

    def of(self, name: str, *, auth: Auth = None) -> ClientSocket:
        """The socket in the namespace of this name. A new one connects at once.

        Args:
            name: of the namespace; a leading slash may be missing.
            auth: what is sent along when it joins: a mapping, or a plain or async function that
                returns one, called each time. Of a socket that exists it stays as it was.

        Raises:
            LocalProtocolError: the name holds a comma, or ``auth`` cannot be expressed in JSON.
        """
        key = name if name.startswith("/") else "/" + name
        if key in self.core.sockets:
            return cast(ClientSocket, self.core.sockets[key])
        socket = cast(ClientSocket, self.core.of(key))
        socket._attach(self)
        if callable(auth):
            self._auths[key] = auth
            socket.set_auth(None, ask=True)
        else:
            socket.set_auth(auth)
        socket.connect()
        return socket

    def on(self, name: str) -> Callable[[F], F]:
        """Decorator: call a plain function for what happens to the connection (SIO-CLI-17).

        ``open``, ``ping``, ``upgrade`` and ``reconnect_failed`` have no argument; ``error``,
        ``upgrade_error`` and ``reconnect_error`` have the error; ``close`` has the reason and the
        details; ``reconnect_attempt`` and ``reconnect`` have the number of the attempt. ``ping`` is
        a heartbeat: the server's ping, or in revision 3 its answer to one. The function is called
        at once, and nobody waits for it.

        Raises:
            LocalProtocolError: another name, or the function is async.
        """
        if name not in EVENTS:
            raise LocalProtocolError(f"a connection has {', '.join(EVENTS)}, not {name!r}")

        def register(function: F) -> F:
            if is_async(function):
                raise LocalProtocolError(f'"{name}" cannot be handled by an async function')
            self._listeners.add(name, function)
            return function

        return register

    def off(self, name: str, function: Callable[..., Any] | None = None) -> None:
        """Stop calling a function for this, or all functions."""
        self._listeners.remove(name, function)

    def on_error(self, function: F) -> F:
        """Decorator: call ``function(error, socket)``, plain or async, with what handlers raise.

        Without it, the first such error ends the client, and is raised where that is waited for.
        """
        self._error_hook = function
        return function

    @property
    def sockets(self) -> Mapping[str, ClientSocket]:
        """The sockets by the names of their namespaces. A live view."""
        return cast(Mapping[str, ClientSocket], self.core.sockets)

    @property
    def transport(self) -> str | None:
        """What the connection runs on: ``polling`` or ``websocket``; None if there is none."""
        return self.core.engine.transport

    @property
    def reconnecting(self) -> bool:
        """Whether the connection was lost and is to be opened again."""
        return self.core.reconnecting

    def disconnect(self) -> None:
        """Disconnect every socket, and close the connection."""
        for socket in list(self.sockets.values()):
            socket.disconnect()

    # What a driver calls

    def settle(self) -> Backlog | None:
        """The core is drained. What to wait for before reading on; None if nothing."""
        if self._drained is not None and not self.core.engine.buffered:
            self._drained.set()
            self._drained = None
        return self.backlog if self.backlog.judge() else None

    def end(self) -> None:
        """The client is closed: handlers get what is there, and nothing more."""
        self.backlog.close()
        for socket in self.sockets.values():
            socket._inbox.end()
            socket._changed()

    # What sockets and their tasks call

    def now(self) -> float:
        """Seconds."""
        return self.runtime.clock()

    def catch_up(self) -> None:
        """Do what is due, before something is sent on a connection that may be over by now: the
        program, or the machine, may have stood still (SIO-CBUF-06)."""
        now, deadline = self.now(), self.core.next_deadline()
        if deadline is not None and deadline <= now:
            self.core.handle_timeout(now=now)
            self._wake()

    async def wait_drained(self) -> None:
        """Wait until nothing is left to send."""
        if self.core.engine.buffered:
            if self._drained is None:
                self._drained = self.runtime.event()
            await self._drained.wait()

    async def failed(self, error: Exception, socket: ClientSocket | None) -> None:
        """A function of the application raised."""
        if self._error_hook is None:
            self._fail(error)
            return
        try:
            await invoke(self._error_hook, error, socket)
        except Exception as another:
            self._fail(another)

    def overrun(self) -> None:
        """The server has sent more than handlers may leave waiting."""
        self.core.fail(
            LimitError("the server sends more than is handled", rule="EIO-WS-10", limit="max_input")
        )

    # Inside

    def _hold(self, held: bool) -> None:
        engine = self.core.engine
        if held:
            engine.hold(now=self.now())
        else:
            engine.resume(now=self.now())

    def _tell(self, name: str, *args: Any) -> None:
        for listener in self._listeners.get(name):
            try:
                listener.function(*args)
            except Exception as error:
                self.runtime.spawn(self.failed, error, None)

    def _opened(self, out: ManagerOpened) -> None:
        self._tell("open")
        if out.attempt:
            self._tell("reconnect", out.attempt)

    def _open_failed(self, out: ManagerOpenFailed) -> None:
        self._tell("error", out.error)
        if out.attempt:
            self._tell("reconnect_error", out.error)

    def _auth_requested(self, out: AuthRequested) -> None:
        self.runtime.spawn(self._authenticate, out.socket)

    async def _authenticate(self, socket: ClientSocket) -> None:
        try:
            auth = await invoke(self._auths[socket.namespace])
            socket.authenticate(auth, now=self.now())
        except ClosedError:
            pass  # not wanted any more
        except Exception as error:
            await self.failed(error, socket)


def _happened(out: ClientConnected | ClientConnectFailed | ClientDisconnected) -> None:
    cast(ClientSocket, out.socket)._happened(out)


def _event_received(out: ClientEventReceived) -> None:
    cast(ClientSocket, out.socket)._happened(out, out.size)


def _acknowledged(out: ClientAckReceived) -> None:
    cast(ClientSocket, out.socket)._acknowledged(out)


def _not_acknowledged(out: ClientAckFailed) -> None:
    cast(ClientSocket, out.socket)._not_acknowledged(out)
