"""What tests of the server machine share."""

from __future__ import annotations

from sioproto import RemoteProtocolError
from sioproto.socketio import Connected, Disconnected, Socket
from tests.harness import Driver


def joined(driver: Driver, *namespaces: str) -> tuple[str, list[Socket]]:
    """A client on WebSocket that has joined these namespaces, and its sockets."""
    w, _ = driver.open_websocket()
    before = len(driver.events_of(Connected))
    for name in namespaces or ("/",):
        driver.frame(w, "40" if name == "/" else f"40{name},")
    driver.frames[w].clear()
    return w, [event.socket for event in driver.events_of(Connected)[before:]]


def reasons(driver: Driver) -> list[str]:
    return [str(event.reason) for event in driver.events_of(Disconnected)]


def rule(driver: Driver) -> str:
    """The rule that the last disconnection names."""
    details = driver.events_of(Disconnected)[-1].details
    assert isinstance(details, RemoteProtocolError)
    return details.rule
