"""The two servers that an application makes: Socket.IO, and bare Engine.IO."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sioproto import engineio, socketio
from sioproto._app._base import Application
from sioproto._app._config import AppConfig
from sioproto._app._engine import EngineApplication, Session
from sioproto._app._server import SocketApplication
from sioproto._errors import LocalProtocolError
from sioproto.asgi._config import AsgiConfig
from sioproto.asgi._hosting import Hosting
from sioproto.asgi._http import HttpRequest
from sioproto.asgi._scope import (
    TEXT_HEADERS,
    AsgiApplication,
    Message,
    Receive,
    Scope,
    Send,
    deny,
    paths,
    respond,
)
from sioproto.asgi._websocket import WebSocket


class _Asgi(Application):
    """What makes an ASGI application of both servers."""

    _other: AsgiApplication | None
    _asgi_config: AsgiConfig
    _hosting: Hosting | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what the ASGI server calls for.

        Raises:
            LocalProtocolError: there is no ``running()`` around it, and the ASGI server, or what
                this application is mounted in, passes no lifespan on.
        """
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
        elif kind in ("http", "websocket") and any(map(self.core.serves, paths(scope))):
            await self._host(scope, receive, send)
        elif self._other is not None:
            await self._other(scope, receive, send)
        elif kind in ("http", "websocket"):
            await _refuse(scope, send, 404, b"not found")
        else:
            raise LocalProtocolError(f"no such protocol here: {kind!r}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the context lasts: for whoever mounts this where no lifespan is passed on.

        All handlers run in this context. Leaving it closes every session in order, within
        ``AsgiConfig.shutdown_timeout``.

        Raises:
            LocalProtocolError: it serves or served already, or is to offer a transport that no
                driver carries.
            ExceptionGroup: what a handler raised, unless a hook took it.
        """
        self.check()
        self._hosting = Hosting(self, self._asgi_config.shutdown_timeout)
        async with self._hosting.running():
            yield

    async def _host(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosting = self._hosting
        if hosting is None:
            # Tasks that began here would have no owner.
            raise LocalProtocolError(
                "not serving: no lifespan came; wrap the serving in `async with server.running()`"
            )
        if not hosting.open:
            await _refuse(scope, send, 503, b"the server has ended")
            return
        with hosting.busy:
            if scope["type"] == "http":
                request = HttpRequest(hosting.endpoint, receive, send, self._asgi_config)
                await request.run(scope)
            else:
                ws = WebSocket(hosting.endpoint, receive, send, self._asgi_config)
                await ws.run(scope)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve from startup to shutdown, and let the other application do the same inside."""
        heard: list[str] = []
        said: list[str] = []

        async def hear() -> Message:
            message = await receive()
            heard.append(message["type"])
            if message["type"] == "lifespan.shutdown" and self._hosting is not None:
                # Handlers may use what the other application is about to take down.
                await self._hosting.end()
            return message

        async def say(message: Message) -> None:
            said.append(message["type"])
            await send(message)

        async with self.running():
            if self._other is not None:
                try:
                    await self._other(scope, hear, say)
                except Exception:
                    if said:
                        raise
                    # It does not know the protocol, which it may say in this way.
            for phase in ("lifespan.startup", "lifespan.shutdown"):
                if f"{phase}.failed" in said:
                    return
                if phase not in heard:
                    await hear()
                if f"{phase}.complete" not in said:
                    await say({"type": f"{phase}.complete"})


async def _refuse(scope: Scope, send: Send, status: int, body: bytes) -> None:
    if scope["type"] == "http":
        await respond(send, status, TEXT_HEADERS, body)
    else:
        await deny(scope, send, status, TEXT_HEADERS, body)


class Server(SocketApplication, _Asgi):
    """A Socket.IO server that is an ASGI application, on asyncio or trio.

    ``on``, ``once``, ``off``, ``use``, ``emit``, ``send``, ``to``, ``in_``, ``except_`` and
    ``volatile`` are those of the namespace ``/``; ``of`` gives others.

    Args:
        engine: limits and times of the Engine.IO layer; its path is ``/socket.io/`` unless given,
            below the prefix that the application is mounted at.
        config: limits and times of the Socket.IO layer.
        app: limits of what handlers may leave waiting.
        allow_request: called with each request for a new session; refuses it by raising
            ``ConnectionRefused``, whose message the client gets to read. Whatever else it raises
            refuses the request too, and goes to ``on_error``.
        response_headers: called for each answer that is no error with the request and with whether
            the answer opens a session; returns headers to add. What it raises goes to ``on_error``.
        parser: encodes and decodes packets, the same as all clients use.
        adapter: makes the adapter of each namespace.
        other: the ASGI application for all other paths, which also gets the lifespan; None for 404.
        asgi: limits of time.
    """

    def __init__(
        self,
        *,
        engine: engineio.ServerConfig | None = None,
        config: socketio.ServerConfig | None = None,
        app: AppConfig | None = None,
        allow_request: Callable[[engineio.Request], object] | None = None,
        response_headers: engineio.ResponseHeaders | None = None,
        parser: socketio.Parser | None = None,
        adapter: socketio.AdapterFactory | None = None,
        other: AsgiApplication | None = None,
        asgi: AsgiConfig | None = None,
    ) -> None:
        super().__init__(
            engine=engine,
            config=config,
            app=app,
            allow_request=allow_request,
            response_headers=response_headers,
            parser=parser,
            adapter=adapter,
        )
        self._other = other
        self._asgi_config = asgi or AsgiConfig()


class EngineServer(EngineApplication, _Asgi):
    """A bare Engine.IO server that is an ASGI application, with one async function for a session.

    Args:
        handler: called with each new :class:`Session`, in a task of its own. When it returns, the
            session is closed; when the session ends, the iteration over it does.
        config: limits and times.
        app: limits of what handlers may leave waiting.
        allow_request: called with each request for a new session; refuses it by raising
            ``ConnectionRefused``, whose message the client gets to read. Whatever else it raises
            refuses the request too, and goes to ``on_error``.
        response_headers: called for each answer that is no error with the request and with whether
            the answer opens a session; returns headers to add. What it raises goes to ``on_error``.
        other: the ASGI application for all other paths, which also gets the lifespan; None for 404.
        asgi: limits of time.
    """

    def __init__(
        self,
        handler: Callable[[Session], Awaitable[object]],
        *,
        config: engineio.ServerConfig | None = None,
        app: AppConfig | None = None,
        allow_request: Callable[[engineio.Request], object] | None = None,
        response_headers: engineio.ResponseHeaders | None = None,
        other: AsgiApplication | None = None,
        asgi: AsgiConfig | None = None,
    ) -> None:
        super().__init__(
            handler,
            config=config,
            app=app,
            allow_request=allow_request,
            response_headers=response_headers,
        )
        self._other = other
        self._asgi_config = asgi or AsgiConfig()
