"""The task of one socket, which runs all its handlers, from the first middleware to the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sioproto._app._calling import Listener, invoke
from sioproto._errors import (
    ClosedError,
    ConnectionRefused,
    LocalProtocolError,
    RemoteProtocolError,
)
from sioproto.socketio import DisconnectReason, EventReceived

if TYPE_CHECKING:
    from sioproto._app._namespace import Namespace
    from sioproto._app._server import SocketApplication
    from sioproto._app._socket import Socket


async def serve_socket(app: SocketApplication, namespace: Namespace, socket: Socket) -> None:
    """Run the handlers of one socket, from the request to join to the end."""
    try:
        if not await _admit(app, namespace, socket):
            return
        for function in list(namespace.connection_listeners):
            await _guard(app, socket, function, socket)
        if socket._iterated:
            await socket._inbox.wait_for_end()
        else:
            await _handle_events(app, socket)
        await _say_goodbye(app, socket)
    finally:
        socket._inbox.drop()
        app.leave_backlog(socket.sid, socket._backlog)


async def _admit(app: SocketApplication, namespace: Namespace, socket: Socket) -> bool:
    """Run the middleware. True if the socket is in."""
    failure: Exception | None = None
    try:
        for middleware in list(namespace.middlewares):
            await invoke(middleware, socket)
        app.core.accept(socket)
    except ConnectionRefused as refusal:
        try:
            _reject(app, socket, refusal.message, refusal.data)
        except LocalProtocolError as error:  # the data cannot be expressed
            failure = error
    except Exception as error:
        failure = error
    else:
        return True
    if failure is not None:
        if not socket._gone:
            _reject(app, socket, "internal error", None)  # and not a word about what it was
        await app.failed(failure, socket)
    return False


def _reject(app: SocketApplication, socket: Socket, message: str, data: Any) -> None:
    with suppress(ClosedError):  # the client has gone meanwhile
        app.core.reject(socket, message, data)


async def _guard(
    app: SocketApplication, socket: Socket, function: Callable[..., Any], *args: Any
) -> None:
    try:
        await invoke(function, *args)
    except Exception as error:
        await app.failed(error, socket)


async def _handle_events(app: SocketApplication, socket: Socket) -> None:
    socket._listening = True
    inbox, listeners = socket._inbox, socket._listeners
    while (event := await inbox.next()) is not None:
        functions = listeners.get(event.name)
        if functions:
            await _handle(app, socket, event, list(functions))


async def _handle(
    app: SocketApplication, socket: Socket, event: EventReceived, listeners: list[Listener]
) -> None:
    answer: Any = None
    args = event.args
    try:
        for listener in listeners:
            if not listener.fits(len(args)):
                await _misfit(app, socket, event)
                return
            result = listener.function(*args)
            if hasattr(result, "__await__"):
                result = await result
            if answer is None:
                answer = result
        if event.reply is not None:
            if answer is None:
                event.reply()
            elif isinstance(answer, tuple):
                event.reply(*answer)
            else:
                event.reply(answer)
    except Exception as error:
        await app.failed(error, socket)


async def _misfit(app: SocketApplication, socket: Socket, event: EventReceived) -> None:
    # No bug of the handler: as a TypeError of the call, it would let any client end the server.
    error = RemoteProtocolError(
        f'no listener takes "{event.name}" with {len(event.args)} arguments', rule="SIO-ROB-01"
    )
    if app.has_error_hook:
        await app.failed(error, socket)
    else:
        app.end_client(socket, DisconnectReason.FORCED_SERVER_CLOSE, error)


async def _say_goodbye(app: SocketApplication, socket: Socket) -> None:
    with app.runtime.timeout(app.app_config.disconnecting_timeout):
        await _tell(app, socket, "disconnecting")
    socket._forget_rooms()
    await _tell(app, socket, "disconnect")


async def _tell(app: SocketApplication, socket: Socket, name: str) -> None:
    end = socket._end
    assert end is not None
    for listener in list(socket._listeners.get(name, ())):
        if listener.fits(2):
            await _guard(app, socket, listener.function, end.reason, end.details)
        else:
            await _guard(app, socket, listener.function, end.reason)
