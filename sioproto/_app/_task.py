"""How the handlers of one socket are called, from the first middleware to the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sioproto._app._beside import Beside
from sioproto._app._calling import Listener, invoke
from sioproto._app._inbox import FAIR_SHARE
from sioproto._errors import (
    ClosedError,
    ConnectionRefused,
    LimitError,
    LocalProtocolError,
    RemoteProtocolError,
)
from sioproto.socketio import RESERVED_EVENTS, DisconnectReason, EventReceived, ServerEventReceived

if TYPE_CHECKING:
    from sioproto._app._namespace import Namespace
    from sioproto._app._server import SocketApplication
    from sioproto._app._socket import Socket


async def let_in(app: SocketApplication, namespace: Namespace, socket: Socket) -> None:
    """Run the middleware and the handlers for the connection, then what waits behind them."""
    try:
        admitted = await _admit(app, namespace, socket)
        if admitted:
            for listener in namespace.listeners.get("connection"):
                if namespace.listeners.due("connection", listener):
                    await _guard(app, socket, listener.function, socket)
            if socket._iterated:
                await socket._inbox.wait_for_end()
                await _say_goodbye(app, socket)
    except BaseException:
        _leave(app, socket)
        raise
    if admitted and not socket._iterated:
        socket._listening = True
        await take_turn(app, socket)
    else:
        _leave(app, socket)


async def take_turn(app: SocketApplication, socket: Socket) -> None:
    """Call the handlers for the events that wait, and those for the end if it has come.

    Nothing waits between two turns: a client that is silent has no task.
    """
    inbox = socket._inbox
    left = FAIR_SHARE
    try:
        while inbox:
            left -= 1
            if not left:
                left = FAIR_SHARE
                await inbox.pause()
            await _handle(app, socket, inbox.take())
        if not inbox.ended:
            socket._at_work = False
            return
        if socket._beside is not None:
            await socket._beside.all_done()
        await _say_goodbye(app, socket)
    except BaseException:
        _leave(app, socket)
        raise
    _leave(app, socket)


def _leave(app: SocketApplication, socket: Socket) -> None:
    """No handler of it will ever be called again."""
    socket._inbox.drop()
    app.leave_backlog(socket.sid, socket._backlog)


async def _admit(app: SocketApplication, namespace: Namespace, socket: Socket) -> bool:
    """Run the middleware. True if the socket is in."""
    failure: Exception | None = None
    in_time = False
    try:
        if namespace.middlewares and not (socket.recovered and app.skips_middlewares):
            with app.runtime.timeout(app.app_config.middleware_timeout):
                for middleware in list(namespace.middlewares):
                    await invoke(middleware, socket)
                in_time = True
        else:
            in_time = True
        if in_time:
            app.core.accept(socket)
    except ConnectionRefused as refusal:
        try:
            _reject(app, socket, refusal.message, refusal.data)
        except LocalProtocolError as error:  # the data cannot be expressed
            failure = error
    except Exception as error:
        failure = error
    else:
        if not in_time:
            await _refuse_late(app, socket)
        return in_time
    if failure is not None:
        if not socket._gone:
            _reject(app, socket, "internal error", None)  # and not a word about what it was
        await app.failed(failure, socket)
    return False


async def _refuse_late(app: SocketApplication, socket: Socket) -> None:
    _reject(app, socket, "timed out", None)
    # No bug: a middleware may wait for others, whose delay must not end the serving.
    if app.has_error_hook:
        error = LimitError(
            "the middleware took too long", rule="SIO-MW-06", limit="middleware_timeout"
        )
        await app.failed(error, socket)


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


class _Misfit(Exception):
    """The arguments that a client sent fit no function: its mistake, not that of a handler."""


class _Refused(Exception):
    """A middleware refused an event."""

    def __init__(self, refusal: ConnectionRefused) -> None:
        self.refusal = refusal


async def _handle(app: SocketApplication, socket: Socket, event: EventReceived) -> None:
    try:
        if socket._incoming:
            await _show(socket, event)
        if socket._middlewares:
            await _pass_on(socket, event)
        listeners = socket._listeners.get(event.name)
        if len(listeners) == 1 and listeners[0].simple:
            await _call(event, listeners)
            return
        listeners = _due(socket, event)
        if any(listener.concurrent for listener in listeners):
            if socket._beside is None:
                limit = app.app_config.max_concurrent
                socket._beside = Beside(app.runtime.event, app.spawn, limit)
            await socket._beside.spawn(_call_beside, app, socket, event, listeners)
        elif listeners:
            await _call(event, listeners)
    except Exception as error:
        await _failed(app, socket, event, error)


async def _call_beside(
    app: SocketApplication, socket: Socket, event: EventReceived, listeners: tuple[Listener, ...]
) -> None:
    try:
        await _call(event, listeners)
    except Exception as error:
        await _failed(app, socket, event, error)


async def _failed(
    app: SocketApplication, socket: Socket, event: EventReceived, error: Exception
) -> None:
    if isinstance(error, _Misfit):
        await _misfit(app, socket, event)
    elif not isinstance(error, _Refused):
        await app.failed(error, socket)
    elif app.has_error_hook:
        await app.failed(error.refusal, socket)


async def _show(socket: Socket, event: EventReceived) -> None:
    """Call the catch-alls."""
    args = (event.name, *event.args)
    for listener in socket._incoming:
        if not listener.fits(len(args)):
            raise _Misfit
        await invoke(listener.function, *args)


async def _pass_on(socket: Socket, event: EventReceived) -> None:
    """Run the middleware."""
    try:
        for middleware in socket._middlewares:
            await invoke(middleware, event)
    except ConnectionRefused as refusal:
        raise _Refused(refusal) from refusal
    if event.name in RESERVED_EVENTS:
        raise LocalProtocolError(f'a middleware gave an event the reserved name "{event.name}"')


def _due(socket: Socket, event: EventReceived) -> tuple[Listener, ...]:
    """The listeners to call, up to one that the arguments do not fit, if any.

    Told when the event's turn comes: concurrent ones begin in any order.
    """
    due: list[Listener] = []
    for listener in socket._listeners.get(event.name):
        if not listener.fits(len(event.args)):
            due.append(listener)
            break
        if socket._listeners.due(event.name, listener):
            due.append(listener)
    return tuple(due)


async def _call(event: EventReceived, listeners: tuple[Listener, ...]) -> None:
    """Call the listeners, and acknowledge."""
    answer: Any = None
    args = event.args
    for listener in listeners:
        if not listener.fits(len(args)):
            raise _Misfit
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
    if socket._listeners.get("disconnecting"):
        with app.runtime.timeout(app.app_config.disconnecting_timeout):
            await _tell(app, socket, "disconnecting")
    socket._forget_rooms()
    await _tell(app, socket, "disconnect")


async def _tell(app: SocketApplication, socket: Socket, name: str) -> None:
    end = socket._end
    assert end is not None
    for listener in socket._listeners.get(name):
        if listener.fits(2):
            await _guard(app, socket, listener.function, end.reason, end.details)
        else:
            await _guard(app, socket, listener.function, end.reason)


async def serve_server_event(
    app: SocketApplication, namespace: Namespace, event: ServerEventReceived
) -> None:
    """Call the functions for what another server has emitted, and answer."""
    answer: Any = None
    try:
        for listener in namespace.server_side.get(event.name):
            result = await invoke(listener.function, *event.args)
            if answer is None:
                answer = result
    except Exception as error:
        await app.failed(error, None)
    else:
        if event.reply is not None:
            event.reply(answer)
