"""The Socket.IO client against our own server, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from sioproto import ConnectionRefused, LocalProtocolError
from sioproto._output import Event
from sioproto.engineio import ClientConfig as EngineConfig
from sioproto.engineio import EngineClient, SessionUpgraded
from sioproto.socketio import (
    RESERVED_EVENTS,
    AuthRequested,
    ClientAckFailed,
    ClientAckReceived,
    ClientConfig,
    ClientConnected,
    ClientConnectFailed,
    ClientDisconnected,
    ClientDisconnectReason,
    ClientEventReceived,
    Connected,
    ConnectRequested,
    Disconnected,
    RecoveryConfig,
    SocketClient,
)
from tests.joined import joined_sockets
from tests.socketio.client_support import answering, connected, heard, names, server_heard

TRANSPORTS = [("polling",), ("websocket",), ("polling", "websocket")]


# Connecting


@pytest.mark.covers("SIO-CLI-01", "SIO-CLI-03", "SIO-CBUF-01", "SIO-CLI-11")
@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_connect_emit_and_listen(transports: tuple[str, ...]) -> None:
    """SIO-CLI-01, SIO-CLI-03, SIO-CBUF-01: with binary, on every transport."""
    client, server, joined = joined_sockets(engine={"transports": transports})
    socket = client.of("/")
    socket.emit("one", 1)
    socket.emit("two", b"\x00\x01")
    assert socket.id is None
    socket.connect(now=0.0)
    socket.connect(now=0.0)  # SIO-CLI-11: one CONNECT all the same

    def on_event(event: Event) -> None:
        if isinstance(event, ClientConnected):
            event.socket.emit("three", {"b": [b"x", "é"]})

    joined.on_event = on_event
    joined.run()
    assert server_heard(joined) == [["one", 1], ["two", b"\x00\x01"], ["three", {"b": [b"x", "é"]}]]
    assert socket.id == "S1"
    assert socket.active
    server.of("/").sockets["S1"].emit("hello", b"\x02", None)
    joined.run()
    assert heard(joined) == [["hello", b"\x02", None]]


def test_emits_during_the_upgrade_keep_their_order() -> None:
    """SIO-EVT-02."""
    client, server, joined = joined_sockets()
    socket = client.of("/")
    socket.connect(now=0.0)
    joined.run(0.05)
    for number in range(200):
        socket.emit("up", number, bytes((number,)))
        for each in server.of("/").sockets.values():
            each.emit("down", number)
        joined.run(0.002)
    joined.run()
    assert joined.events_of(SessionUpgraded)
    assert server_heard(joined) == [["up", number, bytes((number,))] for number in range(200)]
    downs = heard(joined)
    assert downs == [["down", number] for number in range(200 - len(downs), 200)]


@pytest.mark.covers("SIO-CLI-02")
def test_auth() -> None:
    """SIO-CLI-02: a value, or what is asked for each time."""
    client, _, joined = joined_sockets("/a")
    client.of("/").set_auth({"token": "abc"})
    client.of("/a").set_auth(None, ask=True)
    tokens = iter("xy")

    def on_event(event: Event) -> None:
        if isinstance(event, AuthRequested):
            event.socket.authenticate({"token": next(tokens)}, now=joined.now)

    joined.on_event = on_event
    client.of("/").connect(now=0.0)
    client.of("/a").connect(now=0.0)
    joined.run()
    joined.cut()
    joined.run(5.0)
    asked = [event for event in joined.server_events if isinstance(event, ConnectRequested)]
    assert [event.socket.handshake.auth["token"] for event in asked] == ["abc", "x", "abc", "y"]
    with pytest.raises(LocalProtocolError):
        client.of("/").set_auth([])  # type: ignore[arg-type] # that is the point
    with pytest.raises(LocalProtocolError):
        client.of("/").set_auth({"a": b"x"})
    assert client.of("/").auth == {"token": "abc"}


def test_auth_that_is_never_given() -> None:
    client, _, joined = joined_sockets(connect_timeout=2.0)
    client.of("/").set_auth(None, ask=True)
    client.of("/").connect(now=0.0)
    joined.run(3.0)
    (failed,) = joined.events_of(ClientConnectFailed)
    assert "not joined in time" in str(failed.error)
    assert not client.of("/").active
    assert client.next_deadline() is None


@pytest.mark.covers("SIO-CLI-05")
def test_refusal_carries_message_and_data() -> None:
    """SIO-CLI-05: no retry by itself; the connection closes with its last socket."""
    client, server, joined = joined_sockets()

    def on_server_event(event: Event) -> None:
        if isinstance(event, ConnectRequested):
            server.reject(event.socket, "who are you", {"code": 7})

    joined.on_server_event = on_server_event
    socket = client.of("/")
    socket.connect(now=0.0)
    joined.run(10.0)
    (failed,) = joined.events_of(ClientConnectFailed)
    assert isinstance(failed.error, ConnectionRefused)
    assert (failed.error.message, failed.error.data) == ("who are you", {"code": 7})
    assert not failed.will_retry
    assert not socket.active
    assert names(joined)[-1] == "ManagerClosed"
    assert client.statistics().engine.websockets == 0
    socket.connect(now=joined.now)  # by hand it may try again
    joined.run()
    assert len(joined.events_of(ClientConnectFailed)) == 2


def test_unknown_namespace_leaves_the_others_alone() -> None:
    client, _, joined = joined_sockets()
    client.of("/").connect(now=0.0)
    client.of("nowhere").connect(now=0.0)
    joined.run()
    (failed,) = joined.events_of(ClientConnectFailed)
    assert failed.socket.namespace == "/nowhere"
    assert str(failed.error) == "Invalid namespace"
    assert client.of("/").connected


@pytest.mark.covers("SIO-MUX-01", "SIO-MUX-04", "SIO-MUX-05")
def test_namespaces_share_a_connection() -> None:
    """SIO-MUX-01, SIO-MUX-04, SIO-MUX-05."""
    client, server, joined = connected("/a", "/b")
    assert server.statistics().connections == 1
    assert client.of("a") is client.of("/a")
    client.of("/a").emit("x", 1)
    server.of("/b").emit("y", 2)
    joined.run()
    assert server_heard(joined) == [["x", 1]]
    (event,) = joined.events_of(ClientEventReceived)
    assert event.socket is client.of("/b")
    for name in ("/", "/a"):
        client.of(name).disconnect(now=joined.now)
    joined.run()
    assert server.statistics().connections == 1
    client.of("/b").disconnect(now=joined.now)
    joined.run()
    assert server.statistics().connections == 0
    with pytest.raises(LocalProtocolError):
        client.of("a,b")


# Leaving


@pytest.mark.covers("SIO-CLI-10", "SIO-DISC-18", "SIO-CBUF-02")
def test_local_disconnect() -> None:
    """SIO-CLI-10, SIO-DISC-18: said to the server first; the buffer outlives it (SIO-CBUF-02)."""
    client, _, joined = connected()
    socket = client.of("/")
    socket.emit("last")
    socket.disconnect(now=joined.now)
    socket.disconnect(now=joined.now)
    assert not socket.active
    socket.emit("kept")
    joined.run(10.0)
    assert server_heard(joined) == [["last"]]
    ends = [event for event in joined.server_events if isinstance(event, Disconnected)]
    assert [end.reason for end in ends] == ["client namespace disconnect"]
    assert names(joined)[-2:] == ["ManagerClosed", "ClientDisconnected"]
    (gone,) = joined.events_of(ClientDisconnected)
    assert gone.reason is ClientDisconnectReason.IO_CLIENT_DISCONNECT
    assert not gone.will_retry
    assert client.next_deadline() is None
    socket.connect(now=joined.now)
    joined.run()
    assert server_heard(joined) == [["last"], ["kept"]]


@pytest.mark.covers("SIO-CLI-10", "SIO-DISC-16")
def test_disconnect_before_it_is_connected() -> None:
    """SIO-CLI-10, SIO-DISC-16: nothing was joined, so nothing is left."""
    client, server, joined = joined_sockets()
    client.of("/").connect(now=0.0)
    joined.run(0.005)
    client.of("/").disconnect(now=joined.now)
    joined.run(10.0)
    assert not joined.events_of(ClientDisconnected)
    assert not joined.events_of(ClientConnectFailed)
    assert server.statistics().connections == 0


@pytest.mark.covers("SIO-CLI-14")
def test_leaving_while_the_answer_is_under_way() -> None:
    """SIO-CLI-14: one CONNECT only, and the server is told in the end."""
    client, server, joined = connected("/a")
    client.of("/a").disconnect(now=joined.now)
    joined.run()
    joined.events.clear()
    client.of("/a").connect(now=joined.now)
    client.of("/a").disconnect(now=joined.now)
    joined.run(0.001)
    assert not client.of("/a").active
    joined.run()
    assert not joined.events_of(ClientConnected)
    assert not server.of("/a").sockets
    assert client.of("/").connected
    client.of("/a").connect(now=joined.now)
    client.of("/a").disconnect(now=joined.now)
    client.of("/a").connect(now=joined.now)
    joined.run()
    assert client.of("/a").connected
    assert client.of("/").connected
    assert len(server.of("/a").sockets) == 1


def test_leaving_and_joining_at_once() -> None:
    """SIO-CLI-16: with other namespaces on the connection, the reference server closes it all if
    both packets come in one burst."""
    client, server, joined = connected("/a")
    client.of("/a").disconnect(now=joined.now)
    client.of("/a").connect(now=joined.now)
    joined.run(0.05)
    assert not server.of("/a").sockets  # CONNECT has not been sent yet
    joined.run(0.2)
    assert client.of("/a").connected
    assert client.of("/").connected


@pytest.mark.covers("SIO-CLI-09")
def test_server_disconnects() -> None:
    """SIO-CLI-09: no reconnection, and other namespaces stay."""
    client, server, joined = connected("/a")
    (socket,) = server.of("/a").sockets.values()
    socket.disconnect(now=joined.now)
    joined.run(30.0)
    (gone,) = joined.events_of(ClientDisconnected)
    assert gone.reason is ClientDisconnectReason.IO_SERVER_DISCONNECT
    assert gone.socket is client.of("/a")
    assert not client.of("/a").active
    assert client.of("/").connected
    (socket,) = server.of("/").sockets.values()
    socket.disconnect(now=joined.now)
    joined.run(30.0)
    assert server.statistics().connections == 0
    assert client.next_deadline() is None


def test_acknowledgement_that_crosses_with_the_end_of_its_socket() -> None:
    """SIO-CONN-14b: the others go on."""
    client, server, joined = connected("/other")

    def on_event(event: Event) -> None:
        if isinstance(event, ClientEventReceived) and event.reply is not None:
            event.reply("late")

    joined.on_event = on_event
    (theirs,) = server.of("/other").sockets.values()
    theirs.emit_with_ack("question", timeout=5.0, now=joined.now)
    joined.run(0.011)  # the answer is under way
    theirs.disconnect(now=joined.now)
    joined.run()
    assert [event.reason for event in joined.events_of(ClientDisconnected)] == [
        ClientDisconnectReason.IO_SERVER_DISCONNECT
    ]
    assert client.of("/").connected
    assert server.statistics().connections == 1
    client.of("/other").connect(now=joined.now)
    joined.run()
    assert client.of("/other").connected


def test_close_takes_everything_along() -> None:
    client, server, joined = connected("/a")
    client.of("/").emit("last")
    client.close(now=joined.now)
    joined.run()
    assert server_heard(joined) == [["last"]]
    assert server.statistics().connections == 0
    assert len(joined.events_of(ClientDisconnected)) == 2
    assert client.next_deadline() is None


# Acknowledgements


@pytest.mark.covers("SIO-ACK-07")
def test_acknowledgements_both_ways() -> None:
    """SIO-ACK-03, SIO-ACK-07: ids count on across connections; binary goes along."""
    client, server, joined = connected()
    answering(server, joined)
    socket = client.of("/")
    first = socket.emit_with_ack("echo", 1, b"x", now=joined.now)
    joined.run()
    joined.cut()
    joined.run(5.0)
    second = socket.emit_with_ack("echo", now=joined.now)
    joined.run()
    assert (first, second) == (0, 1)
    received = joined.events_of(ClientAckReceived)
    assert [(event.id, event.args) for event in received] == [(0, [1, b"x"]), (1, [])]

    def on_event(event: Event) -> None:
        if isinstance(event, ClientEventReceived) and event.reply is not None:
            assert event.reply("yes")
            assert not event.reply("no")

    joined.on_event = on_event
    (there,) = server.of("/").sockets.values()
    there.emit_with_ack("question", timeout=5.0, now=joined.now)
    joined.run()
    acks = [event for event in joined.server_events if type(event).__name__ == "AckReceived"]
    assert [getattr(event, "args", None) for event in acks] == [["yes"]]


@pytest.mark.covers("SIO-CBUF-03", "SIO-CBUF-08")
def test_exactly_one_outcome() -> None:
    """SIO-CBUF-03, SIO-CBUF-08: in time, too late, cut off, never sent, and still to be sent."""
    client, server, joined = connected()
    answering(server, joined)
    socket = client.of("/")
    silent = socket.emit_with_ack("silent", timeout=0.5, now=joined.now)
    joined.run()
    cut = socket.emit_with_ack("silent", timeout=50.0, now=joined.now)
    joined.run(0.1)
    joined.offline = True
    joined.cut()
    expired = socket.emit_with_ack("never sent", timeout=1.0, now=joined.now)
    patient = socket.emit_with_ack("patient", timeout=60.0, now=joined.now)
    joined.run(5.0)
    joined.offline = False
    joined.run(60.0)
    failed = [(event.id, event.why) for event in joined.events_of(ClientAckFailed)]
    assert failed == [(silent, "timeout"), (cut, "disconnect"), (expired, "timeout")]
    assert [event.id for event in joined.events_of(ClientAckReceived)] == [patient]
    assert ["never sent"] not in server_heard(joined)


@pytest.mark.covers("SIO-ACK-13")
def test_acknowledgement_of_a_connection_that_is_gone() -> None:
    """SIO-ACK-13: the reference sends a stale id in the new session."""
    client, server, joined = connected()
    (there,) = server.of("/").sockets.values()
    there.emit_with_ack("question", timeout=60.0, now=joined.now)
    joined.run()
    (event,) = joined.events_of(ClientEventReceived)
    joined.cut()
    joined.run(5.0)
    sent = len(joined.sent)
    assert event.reply is not None
    event.reply("late")
    joined.run(0.5)
    assert len(joined.sent) == sent
    assert client.of("/").connected


def test_pending_acknowledgements_are_limited() -> None:
    client, _, joined = connected(max_pending_acks=2)
    socket = client.of("/")
    for _ in range(2):
        socket.emit_with_ack("x", now=joined.now)
    with pytest.raises(LocalProtocolError, match="max_pending_acks"):
        socket.emit_with_ack("x", now=joined.now)


# Buffering


def test_what_waits_is_limited() -> None:
    client, _, joined = joined_sockets(max_buffer=1000)
    socket = client.of("/")
    for _ in range(3):
        socket.emit("x", "y" * 50)
    with pytest.raises(LocalProtocolError, match="max_buffer"):
        socket.emit("x", "y" * 50)
    assert socket.waiting == 3
    socket.connect(now=0.0)
    joined.run()
    assert len(server_heard(joined)) == 3
    assert socket.waiting == 0


@pytest.mark.covers("SIO-CBUF-04", "SIO-EVT-18")
def test_volatile() -> None:
    """SIO-CBUF-04, SIO-EVT-18: dropped unless it can be written now, also before joining."""
    client, _, joined = joined_sockets()
    socket = client.of("/")
    socket.volatile.emit("offline")
    socket.connect(now=0.0)
    joined.run(0.025)
    socket.volatile.emit("not joined")
    joined.run()
    socket.volatile.emit("first", b"1")
    joined.drain()
    socket.volatile.emit("second", b"2")
    joined.run()
    assert server_heard(joined) == [["first", b"1"]]


@pytest.mark.covers("SIO-CLI-20", "SIO-EVT-05")
def test_reserved_names_and_what_json_cannot_express() -> None:
    """SIO-CLI-20, SIO-EVT-05: nothing changes."""
    client, _, joined = connected()
    socket = client.of("/")
    for name in RESERVED_EVENTS:
        with pytest.raises(LocalProtocolError):
            socket.emit(name)
        with pytest.raises(LocalProtocolError):
            socket.volatile.emit(name)
        with pytest.raises(LocalProtocolError):
            socket.emit_with_ack(name, now=joined.now)
    for wrong in (True, None):
        with pytest.raises(LocalProtocolError):
            socket.emit(wrong)  # type: ignore[arg-type] # that is the point
    with pytest.raises(LocalProtocolError):
        socket.emit_with_ack("x", object(), now=joined.now)
    with pytest.raises(LocalProtocolError):
        socket.emit_with_ack("x", timeout=float("nan"), now=joined.now)
    assert socket.emit_with_ack("error", now=joined.now) == 0
    socket.emit("toString")
    joined.run()
    assert server_heard(joined) == [["error"], ["toString"]]


# Retries


def test_retries_send_the_first_until_it_is_acknowledged() -> None:
    """SIO-CBUF-09: each time under a new id, and the next one only then."""
    client, server, joined = connected(retries=2, ack_timeout=0.04)
    answering(server, joined)
    socket = client.of("/")
    arguments = [1]
    lost = socket.emit_with_ack("silent", arguments, now=joined.now)
    arguments.append(2)  # what was emitted is not changed by this
    socket.emit("second")
    third = socket.emit_with_ack("third", 3, now=joined.now)
    joined.run()
    assert server_heard(joined) == [["silent", [1]]] * 3 + [["second"], ["third", 3]]
    assert [payload[:4] for _, payload in joined.sent if str(payload).startswith("42")] == [
        "420[",
        "421[",
        "422[",
        "423[",
        "424[",
    ]
    assert [(e.id, e.why) for e in joined.events_of(ClientAckFailed)] == [(lost, "timeout")]
    assert [(e.id, e.args) for e in joined.events_of(ClientAckReceived)] == [(third, [3])]
    assert socket.waiting == 0


def test_retries_go_on_after_a_reconnection() -> None:
    """SIO-CBUF-11: the first is sent again before anything emitted on connection."""
    client, server, joined = connected(retries=3, ack_timeout=10.0)
    answering(server, joined)
    socket = client.of("/")
    socket.emit("silent")
    joined.run(0.1)
    joined.offline = True
    joined.cut()
    request = socket.emit_with_ack("b", now=joined.now)
    joined.run(20.0)
    assert not joined.events_of(ClientAckFailed)  # no attempt, no timeout
    joined.offline = False
    joined.run(60.0)
    assert server_heard(joined)[:2] == [["silent"]] * 2
    assert server_heard(joined)[-1] == ["b"]
    assert [event.id for event in joined.events_of(ClientAckReceived)] == [request]


def test_acknowledgement_of_an_earlier_attempt() -> None:
    """SIO-CBUF-09: on a network that is slower than the time limit, each attempt is late; the
    reference never gets anywhere."""
    client, server, joined = connected(retries=5, ack_timeout=0.5)
    answering(server, joined)
    joined.latency = 0.6
    requests = [client.of("/").emit_with_ack("x", number, now=joined.now) for number in range(3)]
    joined.run(30.0)
    assert [event.id for event in joined.events_of(ClientAckReceived)] == requests
    assert not joined.events_of(ClientAckFailed)
    numbers = [number for _, number in server_heard(joined)]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2}


def test_last_attempt_that_is_cut_off() -> None:
    client, _, joined = connected(retries=1, ack_timeout=10.0)
    socket = client.of("/")
    request = socket.emit_with_ack("silent", now=joined.now)
    for _ in range(2):
        joined.run(0.1)
        joined.cut()
        joined.run(5.0)
    (failed,) = joined.events_of(ClientAckFailed)
    assert (failed.id, failed.why) == (request, "disconnect")
    assert len(server_heard(joined)) == 2


# Recovery


def test_recovery() -> None:
    """SIO-CSR-08, SIO-CSR-14: what was missed comes before the connection is announced."""
    client, server, joined = connected(server={"recovery": RecoveryConfig()})
    socket = client.of("/")
    (there,) = server.of("/").sockets.values()
    there.join("room")
    there.emit("seen", 1)
    joined.run()
    before = socket.id
    joined.cut()
    server.of("/").to("room").emit("missed", 2)
    joined.events.clear()
    joined.run(5.0)
    assert socket.recovered
    assert socket.id == before
    (event,) = joined.events_of(ClientEventReceived)
    assert [event.name, event.args[0]] == ["missed", 2]
    (announced,) = joined.events_of(ClientConnected)
    assert announced.recovered
    assert joined.events.index(event) < joined.events.index(announced)


def test_no_recovery_after_a_wanted_end() -> None:
    client, server, joined = connected(server={"recovery": RecoveryConfig()})
    socket = client.of("/")
    server.of("/").emit("seen", 1)
    joined.run()
    socket.disconnect(now=joined.now)
    joined.run()
    socket.connect(now=joined.now)
    joined.run()
    assert not socket.recovered
    asked = [event for event in joined.server_events if isinstance(event, ConnectRequested)]
    assert not asked[-1].socket.handshake.auth
    assert len([event for event in joined.server_events if isinstance(event, Connected)]) == 2


@pytest.mark.parametrize(
    "field",
    [
        {"reconnection": 1},
        {"reconnection_attempts": 0},
        {"reconnection_delay": 0},
        {"randomization": 1.5},
        {"retries": -1},
        {"max_buffer": 0},
        {"ack_timeout": float("inf")},
    ],
    ids=str,
)
def test_config_refuses_nonsense_by_name(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"ClientConfig\.{next(iter(field))}"):
        ClientConfig(**field)


def test_driver_is_woken_by_commands_that_set_a_deadline() -> None:
    """It may be asleep until the next heartbeat."""
    woken: list[float | None] = []
    engine = EngineClient(EngineConfig(), nonce=lambda: "n", wake=lambda: woken.append(None))
    client = SocketClient(engine, ClientConfig(), random=lambda: 0.5)
    client.of("/").emit_with_ack("x", timeout=5.0, now=0.0)
    assert len(woken) == 1
    assert client.next_deadline() == 5.0
    client, _, joined = connected("/a")
    client.engine._wake = lambda: woken.append(joined.now)
    client.of("/a").disconnect(now=joined.now)
    joined.drain()
    woken.clear()
    client.of("/a").connect(now=joined.now)
    assert woken == [joined.now]
    assert client.next_deadline() == joined.now + 0.1
