"""What the tests of the Socket.IO client share."""

from __future__ import annotations

from typing import Any

from sioproto._output import Event
from sioproto.socketio import (
    ClientEventReceived,
    EventReceived,
    SocketClient,
    SocketServer,
)
from tests.joined import Joined, joined_sockets


def names(joined: Joined) -> list[str]:
    return [type(event).__name__ for event in joined.events]


def heard(joined: Joined) -> list[list[Any]]:
    return [[event.name, *event.args] for event in joined.events_of(ClientEventReceived)]


def server_heard(joined: Joined) -> list[list[Any]]:
    events = [event for event in joined.server_events if isinstance(event, EventReceived)]
    return [[event.name, *event.args] for event in events]


def connected(*namespaces: str, **config: Any) -> tuple[SocketClient, SocketServer[str], Joined]:
    """A client whose sockets are connected, ``/`` first."""
    client, server, joined = joined_sockets(*namespaces, **config)
    for name in ("/", *namespaces):
        client.of(name).connect(now=0.0)
    joined.run()
    assert all(socket.connected for socket in client.sockets.values())
    return client, server, joined


def answering(server: SocketServer[str], joined: Joined) -> None:
    """The server acknowledges with what it got, but not what is named ``silent``."""
    accept = joined.on_server_event

    def on_server_event(event: Event) -> None:
        accept(event)
        if isinstance(event, EventReceived) and event.reply is not None and event.name != "silent":
            event.reply(*event.args)

    joined.on_server_event = on_server_event
