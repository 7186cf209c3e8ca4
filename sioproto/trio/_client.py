"""The client: a context in which a socket is connected."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import TracebackType

import trio

from sioproto._app._busy import Busy
from sioproto._app._client_socket import ClientSocket
from sioproto._app._config import AppConfig
from sioproto._app._manager import Auth, Manager
from sioproto._errors import LocalProtocolError
from sioproto.engineio import ClientConfig as EngineConfig
from sioproto.socketio import ClientConfig, Parser
from sioproto.trio._address import Address, parse_url
from sioproto.trio._client_config import ClientConnectionConfig
from sioproto.trio._client_endpoint import ClientEndpoint
from sioproto.trio._client_http import HttpPool, StreamFactory
from sioproto.trio._hosting import TrioRuntime

PATH = "/socket.io/"


def connect(
    url: str,
    *,
    auth: Auth = None,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    config: ClientConfig | None = None,
    engine: EngineConfig | None = None,
    engine_revision: int | None = None,
    app: AppConfig | None = None,
    parser: Parser | None = None,
    connection: ClientConnectionConfig | None = None,
    ssl_context: ssl.SSLContext | None = None,
    stream_factory: StreamFactory | None = None,
    retry: bool = False,
    wait: bool = True,
) -> Client:
    """Connect to a Socket.IO server: ``async with connect(url) as socket``.

    The body runs with the socket connected. At its end the socket disconnects and everything is
    closed. A connection that is lost meanwhile is made again. What the body raises comes out as it
    is, and so does what a handler raises, which ends the body.

    Args:
        url: ``https://example.org/admin?x=1`` is the namespace ``/admin`` on that server, whose
            requests carry ``x=1``.
        auth: what is sent along to join: a mapping, or a plain or async function that returns one,
            called each time. To servers of Socket.IO 2, a mapping of text to text, and nothing for
            ``/``, where the query of the URL is seen.
        headers: go along with each request.
        config: limits and manners of the Socket.IO layer.
        engine: limits and manners of the Engine.IO layer; its path is ``/socket.io/`` unless given.
        engine_revision: of Engine.IO, that the server speaks: 3 for servers of Socket.IO 2 and
            before, 4 for later ones; that of ``engine`` unless given, which is 4 by default.
        app: limits of what handlers may leave waiting.
        parser: encodes and decodes packets, like that of the server.
        connection: limits and times of TCP connections.
        ssl_context: for TLS; :func:`ssl.create_default_context` unless given.
        stream_factory: an async function that opens a connection to a host and a port, for
            instance through a proxy. TLS comes on top. :func:`trio.open_tcp_stream` unless given.
        retry: whether a first connection that fails is tried again like later ones.
        wait: whether to wait for the connection before the body begins.

    Raises (on entering):
        ConnectionRefused: the server refused the socket; with ``message`` and ``data``.
        ConnectionFailed: there is no connection; ``__cause__`` tells why if there is more to say.
        LocalProtocolError: ``auth`` cannot be sent.

    Raises:
        ValueError: the URL cannot be used, or there is no such revision.
    """
    address = parse_url(url)
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    engine = engine or EngineConfig()
    engine = replace(
        engine,
        path=PATH if engine.path is None else engine.path,
        revision=engine.revision if engine_revision is None else engine_revision,
        query=(*engine.query, *address.query),
        headers=(*engine.headers, *((name.lower(), value) for name, value in pairs)),
    )
    config = replace(config or ClientConfig(), retry_first=retry)
    return Client(
        address,
        auth,
        config,
        engine,
        app,
        parser,
        connection or ClientConnectionConfig(),
        ssl_context,
        stream_factory or trio.open_tcp_stream,
        wait,
    )


class Client:
    """What :func:`connect` returns. It is entered once."""

    def __init__(
        self,
        address: Address,
        auth: Auth,
        config: ClientConfig,
        engine: EngineConfig,
        app: AppConfig | None,
        parser: Parser | None,
        connection: ClientConnectionConfig,
        ssl_context: ssl.SSLContext | None,
        stream_factory: StreamFactory,
        wait: bool,
    ) -> None:
        self._address = address
        self._auth = auth
        self._config = config
        self._engine = engine
        self._app = app
        self._parser = parser
        self._connection = connection
        self._wait = wait
        self._pool = HttpPool(address, ssl_context, stream_factory, connection)
        self._failure: Exception | None = None
        self._nurseries: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._nursery: trio.Nursery
        self._endpoint: ClientEndpoint
        self._busy = Busy(trio.Event)

    def __repr__(self) -> str:
        return f"<Client of {self._address.authority}>"

    async def __aenter__(self) -> ClientSocket:
        if self._nurseries is not None:
            raise LocalProtocolError("a client is entered once: connect() makes another one")
        self._nurseries = trio.open_nursery()
        self._nursery = await self._nurseries.__aenter__()
        try:
            socket = self._start()
            if self._wait:
                await socket.wait_connected()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return socket

    def _start(self) -> ClientSocket:
        self._endpoint = ClientEndpoint(self._pool, self._nursery)
        manager = Manager(
            self._engine,
            self._config,
            self._app,
            self._parser,
            runtime=TrioRuntime(self._nursery, self._busy),
            wake=self._endpoint.wake,
            fail=self._fail,
        )
        self._endpoint.attach(manager)
        socket = manager.of(self._address.namespace, auth=self._auth)
        self._nursery.start_soon(self._endpoint.run_clock)
        return socket

    def _fail(self, error: Exception) -> None:
        """A handler raised: the body ends, and the error comes out of the context."""
        if self._failure is None:
            self._failure = error
            self._nursery.cancel_scope.cancel()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        assert self._nurseries is not None
        with trio.CancelScope(shield=True):
            await self._close()
        self._nursery.cancel_scope.cancel()
        swallowed: bool | None = False
        try:
            swallowed = await self._nurseries.__aexit__(kind, error, traceback)
        except BaseException as raised:
            # The nursery wraps what it is given; whoever uses a client should not have to unwrap.
            if error is None and self._failure is None:
                raise _first_of(raised) from None
        if self._failure is not None and (
            error is None or swallowed or isinstance(error, trio.Cancelled)
        ):
            raise self._failure from None
        return False

    async def _close(self) -> None:
        manager = self._endpoint.manager
        with trio.move_on_after(self._connection.shutdown_timeout):
            manager.disconnect()
            self._endpoint.call(manager.core.handle_timeout)
            manager.end()
            await self._endpoint.wait_idle()
            if self._failure is None:
                await self._busy.wait_idle()
        await self._pool.close()


def _first_of(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
