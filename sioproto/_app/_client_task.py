"""The task of one socket of a client, which calls its listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sioproto._app._beside import Beside
from sioproto._app._calling import Listener, invoke
from sioproto._errors import RemoteProtocolError
from sioproto._output import Output
from sioproto.socketio import (
    ClientConnected,
    ClientConnectFailed,
    ClientDisconnected,
    ClientEventReceived,
)

if TYPE_CHECKING:
    from sioproto._app._client_socket import ClientSocket
    from sioproto._app._manager import Manager


async def serve_client_socket(manager: Manager, socket: ClientSocket) -> None:
    """Call the listeners, one event after another, until the client ends or somebody iterates."""
    inbox = socket._inbox
    beside = Beside(manager.runtime.event, manager.runtime.spawn, manager.app_config.max_concurrent)
    while True:
        there = await inbox.wait()
        if socket._iterated:
            socket._handling = False
            break
        if there:
            await _handle(manager, socket, *inbox.take(), beside)
        elif inbox.ended:
            break
    await beside.all_done()


async def _handle(
    manager: Manager, socket: ClientSocket, out: Output, told: bool, beside: Beside
) -> None:
    try:
        if not isinstance(out, ClientEventReceived):
            if not told:
                await tell(socket, out)
            return
        args = (out.name, *out.args)
        for listener in socket._incoming:
            await invoke(listener.function, *_fitting(listener, args))
        listeners = socket._listeners.get(out.name)
        if any(listener.concurrent for listener in listeners):
            await beside.spawn(_call_beside, manager, socket, out, listeners)
        elif listeners:
            await _call(socket, out, listeners)
    except Exception as error:
        await manager.failed(error, socket)


async def _call_beside(
    manager: Manager,
    socket: ClientSocket,
    event: ClientEventReceived,
    listeners: tuple[Listener, ...],
) -> None:
    try:
        await _call(socket, event, listeners)
    except Exception as error:
        await manager.failed(error, socket)


async def _call(
    socket: ClientSocket, event: ClientEventReceived, listeners: tuple[Listener, ...]
) -> None:
    """Call the listeners, and acknowledge."""
    answer: Any = None
    for listener in listeners:
        args = _fitting(listener, tuple(event.args))
        if listener.once and not socket._listeners.due(event.name, listener):
            continue
        result = await invoke(listener.function, *args)
        if answer is None:
            answer = result
    if event.reply is not None:
        if answer is None:
            event.reply()
        elif isinstance(answer, tuple):
            event.reply(*answer)
        else:
            event.reply(answer)


def _fitting(listener: Listener, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments that a function takes. What is too much may be an offset (SIO-CSR-03)."""
    if len(args) < listener.least:
        raise RemoteProtocolError(
            f"{listener.function!r} takes more than the {len(args)} arguments that came",
            rule="SIO-ROB-01",
        )
    return args if len(args) <= listener.most else args[: int(listener.most)]


async def tell(socket: ClientSocket, out: Output) -> None:
    """Call the listeners of what happened to the socket itself."""
    args: tuple[Any, ...] = ()
    if isinstance(out, ClientConnected):
        name = "connect"
    elif isinstance(out, ClientConnectFailed):
        name, args = "connect_error", (out.error,)
    elif isinstance(out, ClientDisconnected):
        name, args = "disconnect", (out.reason, out.details)
    else:
        return
    for listener in socket._listeners.get(name):
        if socket._listeners.due(name, listener):
            await invoke(listener.function, *_fitting(listener, args))
