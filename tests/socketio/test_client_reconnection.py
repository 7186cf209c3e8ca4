"""The Socket.IO client when its connection is lost, and comes back."""

from __future__ import annotations

from typing import Any

import pytest

from sioproto import ConnectionFailed
from sioproto.socketio import (
    ClientConfig,
    ClientConnectFailed,
    ClientDisconnected,
    ClientDisconnectReason,
    ManagerClosed,
    ManagerOpened,
    ManagerOpenFailed,
    ReconnectAttempted,
    ReconnectFailed,
    ReconnectScheduled,
)
from sioproto.socketio._backoff import Backoff
from tests.joined import joined_sockets
from tests.socketio.client_support import connected, names, server_heard


@pytest.mark.covers("SIO-REC-05", "SIO-REC-06")
def test_reconnection() -> None:
    """SIO-REC-05, SIO-REC-06: what is emitted meanwhile waits."""
    client, server, joined = connected("/a")
    before = client.of("/").id
    joined.events.clear()
    joined.cut()
    assert not client.of("/").connected
    assert client.of("/").active
    client.of("/").emit("meanwhile")
    joined.run(5.0)
    assert server_heard(joined) == [["meanwhile"]]
    assert client.of("/").id not in (None, before)
    assert client.of("/a").connected
    relevant = [name for name in names(joined) if not name.startswith("Session")]
    assert relevant == [
        "ClientDisconnected",
        "ClientDisconnected",
        "ManagerClosed",
        "ReconnectScheduled",
        "ReconnectAttempted",
        "ManagerOpened",
        "ClientConnected",
        "ClientConnected",
    ]
    (opened,) = joined.events_of(ManagerOpened)
    assert opened.attempt == 1
    (closed,) = joined.events_of(ManagerClosed)
    assert closed.reason is ClientDisconnectReason.TRANSPORT_ERROR
    assert server.statistics().connections == 1


@pytest.mark.covers("SIO-DISC-15")
@pytest.mark.parametrize("reason", ["ping timeout", "transport close"])
def test_reconnection_after_other_ends(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIO-DISC-15."""
    client, server, joined = connected(server_engine={"ping_interval": 5.0, "ping_timeout": 5.0})
    if reason == "transport close":
        server.engine.close("E1", now=joined.now)
    else:
        monkeypatch.setattr(joined, "frame", lambda ws, payload: None)
        monkeypatch.setattr(joined, "close_websocket", lambda ws: None)
        joined.run(11.0)
        monkeypatch.undo()
    joined.run(30.0)
    (gone,) = joined.events_of(ClientDisconnected)
    assert gone.reason == reason
    assert client.of("/").connected


@pytest.mark.covers("SIO-REC-04", "SIO-CLI-06")
def test_first_connection_fails() -> None:
    """SIO-REC-04, SIO-CLI-06: with two attempts, and then by hand."""
    client, _, joined = joined_sockets(reconnection_attempts=2)
    joined.offline = True
    socket = client.of("/")
    socket.connect(now=0.0)
    joined.run(60.0)
    assert names(joined) == [
        "ClientConnectFailed",
        "ManagerOpenFailed",
        "ReconnectScheduled",
        "ReconnectAttempted",
        "ClientConnectFailed",
        "ManagerOpenFailed",
        "ReconnectScheduled",
        "ReconnectAttempted",
        "ClientConnectFailed",
        "ManagerOpenFailed",
        "ReconnectFailed",
    ]
    assert [event.attempt for event in joined.events_of(ManagerOpenFailed)] == [0, 1, 2]
    assert [event.delay for event in joined.events_of(ReconnectScheduled)] == [1.0, 2.0]
    failures = joined.events_of(ClientConnectFailed)
    assert [event.will_retry for event in failures] == [True, True, False]
    assert all(isinstance(event.error, ConnectionFailed) for event in failures)
    assert all(isinstance(event.error.__cause__, OSError) for event in failures)
    assert joined.events_of(ReconnectFailed)[0].attempts == 2
    assert not socket.active
    assert client.next_deadline() is None
    joined.offline = False
    socket.connect(now=joined.now)
    joined.run()
    assert socket.connected


@pytest.mark.covers("SIO-REC-08")
@pytest.mark.parametrize("config", [{"reconnection": False}, {"retry_first": False}], ids=str)
def test_first_connection_that_is_not_tried_again(config: dict[str, Any]) -> None:
    """SIO-REC-08."""
    client, _, joined = joined_sockets(**config)
    joined.offline = True
    client.of("/").connect(now=0.0)
    joined.run(60.0)
    assert names(joined) == ["ClientConnectFailed", "ManagerOpenFailed"]
    assert client.next_deadline() is None


def test_retry_first_is_about_the_first_connection_only() -> None:
    client, _, joined = connected(retry_first=False)
    joined.offline = True
    joined.cut()
    joined.run(20.0)
    assert len(joined.events_of(ReconnectAttempted)) > 3
    joined.offline = False
    joined.run(20.0)
    assert client.of("/").connected


def test_no_reconnection() -> None:
    client, _, joined = connected(reconnection=False)
    joined.cut()
    joined.run(60.0)
    (gone,) = joined.events_of(ClientDisconnected)
    assert not gone.will_retry
    assert not client.of("/").active
    assert client.next_deadline() is None


@pytest.mark.covers("SIO-REC-07", "SIO-REC-09")
def test_leaving_during_the_reconnection() -> None:
    """SIO-REC-07, SIO-REC-09: one stays out; the other one starts no second loop."""
    client, _, joined = connected("/a")
    joined.offline = True
    joined.cut()
    joined.run(10.0)
    attempts = len(joined.events_of(ReconnectAttempted))
    client.of("/a").disconnect(now=joined.now)
    client.of("/").connect(now=joined.now)
    client.of("/b").connect(now=joined.now)
    assert len(joined.events_of(ReconnectAttempted)) == attempts
    joined.offline = False
    joined.run(10.0)
    assert client.of("/").connected
    assert not client.of("/a").connected
    joined.offline = True
    joined.cut()
    client.close(now=joined.now)
    joined.run(60.0)
    assert client.next_deadline() is None


@pytest.mark.covers("SIO-REC-02", "SIO-REC-03")
def test_delays_double_and_never_overflow() -> None:
    """SIO-REC-02, SIO-REC-03."""
    lowest = Backoff(ClientConfig(), lambda: 0.0)
    highest = Backoff(ClientConfig(), lambda: 1.0)
    assert [lowest.next() for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 5.0]
    assert [highest.next() for _ in range(5)] == [1.5, 3.0, 5.0, 5.0, 5.0]
    for _ in range(2000):
        assert lowest.next() == highest.next() == 5.0
    lowest.reset()
    assert lowest.next() == 0.5
    plain = Backoff(ClientConfig(randomization=0, reconnection_delay_max=100.0), lambda: 0.9)
    assert [plain.next() for _ in range(4)] == [1.0, 2.0, 4.0, 8.0]
