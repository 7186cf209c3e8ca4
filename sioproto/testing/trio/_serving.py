"""Serving an application in memory, and connecting to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, overload

import trio

from sioproto._app._endpoint import Endpoint
from sioproto.socketio import Connected
from sioproto.testing.trio._client import Joining, Link
from sioproto.testing.trio._connection import Connection, request_of
from sioproto.testing.trio._engine import EngineClient, Opening
from sioproto.testing.trio._waiting import settle
from sioproto.trio import EngineServer, Server, Socket
from sioproto.trio._hosting import Hosting

TIMEOUT = 5.0
SHUTDOWN_TIMEOUT = 3.0


@overload
def serving(
    application: Server, *, timeout: float = ..., shutdown_timeout: float = ...
) -> AbstractAsyncContextManager[ServerUnderTest]: ...


@overload
def serving(
    application: EngineServer, *, timeout: float = ..., shutdown_timeout: float = ...
) -> AbstractAsyncContextManager[EngineServerUnderTest]: ...


def serving(
    application: Server | EngineServer,
    *,
    timeout: float = TIMEOUT,
    shutdown_timeout: float = SHUTDOWN_TIMEOUT,
) -> AbstractAsyncContextManager[ServerUnderTest | EngineServerUnderTest]:
    """Serve an application in memory while the context lasts.

    At its end the application shuts down in order, as when serving on a network is cancelled.

    An exception that a handler raises ends the context at once, unless the application has a hook
    for it, and comes out of it as it is. Several come in one exception group, together with what
    the body of the context raised itself.

    Args:
        application: it must not serve or have served already.
        timeout: seconds that clients wait for anything unless they are told otherwise.
        shutdown_timeout: longest time that shutting down may take, in seconds.

    Raises:
        LocalProtocolError: the application serves or served already.
    """
    if isinstance(application, EngineServer):
        return _serving_engine(application, timeout, shutdown_timeout)
    return _serving(application, timeout, shutdown_timeout)


@asynccontextmanager
async def _serving(
    application: Server, timeout: float, shutdown_timeout: float
) -> AsyncIterator[ServerUnderTest]:
    __tracebackhide__ = True
    endpoint = _SocketEndpoint(application)
    async with _hosting(endpoint, shutdown_timeout):
        yield ServerUnderTest(application, endpoint, timeout)


@asynccontextmanager
async def _serving_engine(
    application: EngineServer, timeout: float, shutdown_timeout: float
) -> AsyncIterator[EngineServerUnderTest]:
    __tracebackhide__ = True
    endpoint = Endpoint(application)
    async with _hosting(endpoint, shutdown_timeout):
        yield EngineServerUnderTest(application, endpoint, timeout)


@asynccontextmanager
async def _hosting(endpoint: Endpoint, shutdown_timeout: float) -> AsyncIterator[None]:
    """Run the tasks of an application. Groups made by nurseries that nobody sees are undone."""
    __tracebackhide__ = True
    endpoint.application.check()
    failures: list[BaseException] = []
    started = trio.Event()

    async def host() -> None:
        try:
            await Hosting([endpoint], shutdown_timeout).run(_nobody, started.set)
        except BaseExceptionGroup as group:
            cancelled, others = group.split(trio.Cancelled)
            for failure in others.exceptions if others is not None else ():
                inner = isinstance(failure, BaseExceptionGroup)
                failures.extend(failure.exceptions if inner else [failure])
            nursery.cancel_scope.cancel()
            if cancelled is not None:
                raise cancelled from None

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(host)
            await started.wait()
            try:
                yield
            except BaseException as error:
                if _is_cancellation(error):
                    raise
                failures.append(error)
            nursery.cancel_scope.cancel()
    except (trio.Cancelled, BaseExceptionGroup) as error:
        if not failures:
            raise
        failures.append(error)  # trio takes what is its own out of groups, but wants to see it
    if failures:
        _raise(failures)


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)[0] is not None
    return isinstance(error, trio.Cancelled)


def _raise(failures: list[BaseException]) -> None:
    __tracebackhide__ = True
    if len(failures) > 1:
        raise BaseExceptionGroup("handlers and the test failed", failures)
    (failure,) = failures
    # It says what it was raised for, and where: nothing of this is about here.
    context = failure.__context__
    try:
        raise failure
    finally:
        failure.__context__ = context
        failures.clear()


async def _nobody(tasks: trio.Nursery) -> None:
    """Clients come by themselves."""


class _SocketEndpoint(Endpoint):
    """Remembers sockets until their clients have learned that they are in."""

    def __init__(self, application: Server) -> None:
        super().__init__(application)
        self._connected = self._deliver[Connected]
        self._deliver[Connected] = self._remember
        self._sockets: dict[str, Socket] = {}

    def take_socket(self, id: str) -> Socket | None:
        """The socket of this id. It is forgotten."""
        return self._sockets.pop(id, None)

    def _remember(self, out: Connected) -> None:
        assert isinstance(out.socket, Socket)
        self._sockets[out.socket.id] = out.socket
        self._connected(out)


class _UnderTest:
    """What a test can do with either server."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    async def settle(self) -> None:
        """Wait until everything has run that can run without time passing.

        Raises:
            ExpectationFailed: something goes on running for longer than clients would wait.
        """
        __tracebackhide__ = True
        await settle(self._timeout)


class ServerUnderTest(_UnderTest):
    """A Socket.IO server that is served in memory. Made by :func:`serving`."""

    def __init__(self, application: Server, endpoint: _SocketEndpoint, timeout: float) -> None:
        self.application = application
        """What is served."""
        self._endpoint = endpoint
        super().__init__(timeout)

    def connect(
        self,
        namespace: str = "/",
        *,
        auth: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        address: str | None = "127.0.0.1",
        secure: bool = False,
        answer_pings: bool = True,
        timeout: float | None = None,
    ) -> Joining:
        """Connect a client, which asks to join a namespace.

        ``await server.connect()`` returns the :class:`Client`; ``async with server.connect() as
        client`` also disconnects it at the end. Either waits until the client is in, and what the
        handlers of ``connection`` do at once is done.

        Args:
            namespace: a leading slash may be missing.
            auth: what middleware finds in ``socket.handshake.auth``.
            query: further parameters of the request.
            headers: further headers of the request, or others than the usual ones.
            address: from where the client connects.
            secure: whether the connection counts as encrypted.
            answer_pings: whether the client answers heartbeats.
            timeout: seconds to wait for the answer.

        Raises:
            ConnectionRefused: a middleware refused the client, or there is no such namespace.
            ConnectionFailed: the server refused or closed the connection.
            ExpectationFailed: no answer came in time.
        """
        request = request_of(
            self.application.engine().config.path,
            query=query,
            headers=headers,
            address=address,
            secure=secure,
        )
        core = self.application.core
        link = Link(
            partial(Connection, self._endpoint, request, answer_pings=answer_pings),
            self._endpoint.take_socket,
            core.parser,
            recovers=core.config.recovery is not None,
            timeout=self._timeout,
        )
        link.open()
        return link.join(namespace, auth, timeout)


class EngineServerUnderTest(_UnderTest):
    """A bare Engine.IO server that is served in memory. Made by :func:`serving`."""

    def __init__(self, application: EngineServer, endpoint: Endpoint, timeout: float) -> None:
        self.application = application
        """What is served."""
        self._endpoint = endpoint
        super().__init__(timeout)

    def connect(
        self,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        address: str | None = "127.0.0.1",
        secure: bool = False,
        answer_pings: bool = True,
        timeout: float | None = None,
    ) -> Opening:
        """Connect a client: await it, or enter it. See :meth:`ServerUnderTest.connect`.

        Raises:
            ConnectionFailed: the server refused or closed the connection.
            ExpectationFailed: no answer came in time.
        """
        request = request_of(
            self.application.core.config.path,
            query=query,
            headers=headers,
            address=address,
            secure=secure,
        )
        connection = Connection(self._endpoint, request, answer_pings=answer_pings)
        client = EngineClient(self.application, connection, self._timeout)
        connection.open(client)
        return Opening(client, self._timeout if timeout is None else timeout)
