"""The server machine: joining, events, acknowledgements, the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sioproto import ClosedError, LocalProtocolError, RemoteProtocolError
from sioproto.engineio import EngineServer
from sioproto.socketio import (
    AckFailed,
    AckReceived,
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    Disconnecting,
    DisconnectReason,
    EventReceived,
    ServerConfig,
    SocketServer,
)
from tests.harness import counter, request, socket_driver
from tests.socketio.support import joined, reasons, rule

# Joining


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        ("40", '40{"sid":"S1"}'),
        ("40/", '40{"sid":"S1"}'),
        ('40{"token":"abc"}', '40{"sid":"S1"}'),
        ("40/custom,", '40/custom,{"sid":"S1"}'),
        ("40/custom", '40/custom,{"sid":"S1"}'),
        ("4012{}", '40{"sid":"S1"}'),
        ("40/random", '44/random,{"message":"Invalid namespace"}'),
        ("40/random?a=b,", '44/random?a=b,{"message":"Invalid namespace"}'),
    ],
)
def test_connect(packet: str, answer: str) -> None:
    """SIO-DEC-14."""
    _, driver = socket_driver("/custom")
    w, _ = driver.open_websocket()
    assert driver.frame(w, packet) == [answer]
    assert driver.close_codes == {}


def test_nothing_is_implicit() -> None:
    _, driver = socket_driver()
    driver.open_websocket()
    assert driver.events == []


def test_ids_are_new_for_each_namespace_and_connection() -> None:
    """SIO-HS-08."""
    _, driver = socket_driver("/custom")
    _, first = joined(driver, "/", "/custom")
    _, second = joined(driver)
    ids = [socket.id for socket in first + second]
    assert len({*ids, *(socket.sid for socket in first + second)}) == 5


@pytest.mark.covers("SIO-HS-01", "SIO-HS-04", "SIO-HS-05", "SIO-HS-07")
def test_handshake() -> None:
    """SIO-HS-01, SIO-HS-04, SIO-HS-05, SIO-HS-07."""
    _, driver = socket_driver("/custom")
    head = request(
        "EIO=4&transport=websocket&x=%C3%A9&x=2",
        host="example.org",
        origin="http://evil.example",
        x_forwarded_for="198.51.100.1",
        x_forwarded_proto="https",
    )
    w = driver.connect(head)
    driver.frame(w, '40/custom,{"token":"abc"}')
    (socket,) = (event.socket for event in driver.events_of(Connected))
    handshake = socket.handshake
    assert handshake.auth == {"token": "abc"}
    assert handshake.query == {"EIO": "4", "transport": "websocket", "x": "2"}
    assert handshake.headers["host"] == "example.org"
    assert handshake.url == "/engine.io/?EIO=4&transport=websocket&x=%C3%A9&x=2"
    assert handshake.address == "192.0.2.1"
    assert handshake.issued == 1_700_000_000_500
    assert handshake.time.isoformat() == "2023-11-14T22:13:20.500000+00:00"
    assert (handshake.xdomain, handshake.secure) == (True, False)


def test_auth_defaults_to_nothing() -> None:
    _, driver = socket_driver()
    _, (socket,) = joined(driver)
    assert socket.handshake.auth == {}
    assert socket.handshake.xdomain is False


@pytest.mark.covers("SIO-MW-05", "SIO-MW-08")
def test_refusal_leaves_the_connection() -> None:
    """SIO-MW-05, SIO-MW-08."""
    core, driver = socket_driver("/custom", accept=False)
    w, _ = driver.open_websocket()
    driver.frame(w, "40/custom,")
    (event,) = driver.events_of(ConnectRequested)
    event.socket.join("room")
    event.socket.emit("never sent")
    with pytest.raises(LocalProtocolError):
        core.reject(event.socket, "no", {1, 2})
    core.reject(event.socket, "nope", {"a": 1})
    driver.drain()
    assert driver.frames[w][1:] == ['44/custom,{"message":"nope","data":{"a":1}}']
    for answer in (core.accept, lambda socket: core.reject(socket, "again")):
        with pytest.raises(ClosedError):
            answer(event.socket)
    driver.frame(w, "40/custom,")
    core.accept(driver.events_of(ConnectRequested)[1].socket)
    with pytest.raises(LocalProtocolError):
        core.accept(driver.events_of(ConnectRequested)[1].socket)
    assert driver.drain()
    assert len(core.of("custom").sockets) == 1


@pytest.mark.covers("SIO-BC-01", "SIO-MW-05", "SIO-ROOM-10")
def test_what_is_done_before_the_acceptance_takes_effect_with_it() -> None:
    """SIO-BC-01, SIO-MW-05, SIO-ROOM-10."""
    core, driver = socket_driver(accept=False)
    w, _ = driver.open_websocket()
    driver.frame(w, "40")
    socket = driver.events_of(ConnectRequested)[0].socket
    socket.join("early", "gone")
    socket.leave("gone")
    socket.emit("early", b"x")
    core.of("/").emit("not yet")
    assert list(socket.rooms) == ["early", "gone"][:1]
    assert not socket.connected
    with pytest.raises(ClosedError):
        socket.emit_with_ack("x", timeout=1, now=0)
    with pytest.raises(LocalProtocolError):
        socket.disconnect(now=0)
    core.accept(socket)
    driver.drain()
    assert driver.frames[w][1:] == [
        '40{"sid":"S1"}',
        '451-["early",{"_placeholder":true,"num":0}]',
        b"x",
    ]
    assert list(socket.rooms) == ["early", "S1"]


@pytest.mark.covers("SIO-CONN-23", "SIO-ROOM-08")
def test_client_that_goes_before_the_answer() -> None:
    """SIO-CONN-23, SIO-ROOM-08."""
    core, driver = socket_driver(accept=False)
    w, _ = driver.open_websocket()
    driver.frame(w, "40")
    socket = driver.events_of(ConnectRequested)[0].socket
    socket.join("room")
    driver.closed(w)
    assert driver.events_of(ConnectAbandoned) == [ConnectAbandoned(socket)]
    with pytest.raises(ClosedError):
        core.accept(socket)
    assert list(socket.rooms) == []
    assert reasons(driver) == []


@pytest.mark.covers("SIO-DISC-11", "SIO-DEC-07")
@pytest.mark.parametrize(
    "packets",
    [
        ['42["x"]'],
        ["430[]"],
        ["41"],
        ['44{"message":"x"}'],
        ["40", "40"],
        ["40", '42/custom,["x"]'],
        ["40", "41/custom,"],
        ["40", '43/custom,1["x"]'],
        ["40", '44{"message":"x"}'],
        ["40", "41", '42["late"]'],
        ["40", "40/custom,", '42/custom["a"]'],
    ],
)
def test_what_is_illegal_in_this_state_closes_the_connection(packets: list[str]) -> None:
    """SIO-DISC-11: also if the socket has just left. SIO-DEC-07: a name may swallow a payload."""
    _, driver = socket_driver("/custom")
    w, _ = driver.open_websocket()
    for packet in packets:
        driver.frame(w, packet)
    assert driver.close_codes == {w: None}
    assert driver.events_of(EventReceived) == []
    if packets[0] == "40" and len(packets) == 2:
        assert reasons(driver) == ["forced server close"]
        assert rule(driver).startswith("SIO-CONN-")


@pytest.mark.parametrize("second", ["40", '42["x"]', "41"])
def test_pending_join_is_no_join(second: str) -> None:
    _, driver = socket_driver(accept=False)
    w, _ = driver.open_websocket()
    driver.frame(w, "40", second)
    assert driver.close_codes == {w: None}
    assert len(driver.events_of(ConnectAbandoned)) == 1


@pytest.mark.covers("SIO-EVT-03", "SIO-CONN-21")
def test_rejoin_gets_a_new_id_even_in_one_burst() -> None:
    """SIO-EVT-03, SIO-CONN-21."""
    _, driver = socket_driver()
    w, (socket,) = joined(driver)
    assert driver.frame(w, "41", "40") == ['40{"sid":"S2"}']  # the first is not answered
    assert reasons(driver) == ["client namespace disconnect"]
    assert socket.id == "S1"


@pytest.mark.covers("SIO-DISC-09")
def test_connection_without_namespace_is_closed_in_time() -> None:
    """SIO-DISC-09."""
    _, driver = socket_driver(connect_timeout=5)
    w, _ = driver.open_websocket()
    driver.frame(w, "40/random")
    driver.sleep(4.9)
    assert driver.close_codes == {}
    driver.sleep(0.1)
    assert driver.close_codes == {w: None}
    assert driver.events == []


@pytest.mark.covers("SIO-CONN-06")
def test_connect_timer_is_not_armed_again() -> None:
    """SIO-CONN-06."""
    _, driver = socket_driver(connect_timeout=5)
    w, _ = joined(driver)
    driver.frame(w, "41")
    driver.sleep(20)
    assert driver.frame(w, "40") == ['40{"sid":"S2"}']


# Events


@pytest.mark.parametrize(
    ("packet", "name", "args"),
    [
        ('42["a"]', "a", []),
        ('42["a",1,{"b":[null,true,"é😀"]}]', "a", [1, {"b": [None, True, "é😀"]}]),
        ("42[7,8]", 7, [8]),
        ('42["error","x"]', "error", ["x"]),
    ],
)
def test_event(packet: str, name: Any, args: list[Any]) -> None:
    _, driver = socket_driver()
    w, (socket,) = joined(driver)
    driver.frame(w, packet)
    size = len(packet) - 1
    assert driver.events_of(EventReceived) == [EventReceived(socket, name, args, None, size)]


@pytest.mark.covers("SIO-BIN-18")
def test_event_with_attachments_by_polling() -> None:
    """SIO-BIN-18."""
    _, driver = socket_driver()
    sid = driver.open_polling()
    driver.post(sid, "40")
    driver.post(sid, '451-["b",{"_placeholder":true,"num":0}]\x1ebAQID')
    (event,) = driver.events_of(EventReceived)
    assert event.args == [b"\1\2\3"]
    assert event.size == len('51-["b",{"_placeholder":true,"num":0}]') + 3


@pytest.mark.covers("SIO-DISC-06")
@pytest.mark.parametrize(
    "packet", ["4abc", "4", '42["connect"]', "41{}", '450-["a"]', '4511-["a"]']
)
def test_undecodable_packet_closes_every_namespace(packet: str) -> None:
    """SIO-DISC-06."""
    core, driver = socket_driver("/custom")
    w, sockets = joined(driver, "/", "/custom")
    other, _ = joined(driver)
    driver.frame(w, packet)
    assert driver.close_codes == {w: None}
    assert reasons(driver) == ["forced close", "forced close"]
    assert [event.socket for event in driver.events_of(Disconnected)] == sockets
    assert rule(driver).startswith("SIO-")
    assert driver.frame(other, '42["fine"]') == []
    assert len(core.of("/").sockets) == 1


def test_engine_reasons_pass_through() -> None:
    _, driver = socket_driver()
    provocations: list[tuple[Callable[[str], object], str]] = [
        (lambda w: driver.frame(w, "7"), "parse error"),
        (lambda w: driver.frame(w, "2"), "transport error"),
        (lambda w: driver.closed(w), "transport close"),
        (lambda w: driver.closed(w, RemoteProtocolError("", rule="EIO-WS-08")), "transport error"),
        (lambda w: driver.sleep(45), "ping timeout"),
    ]
    for provoke, reason in provocations:
        w, _ = joined(driver)
        provoke(w)
        assert reasons(driver)[-1] == reason


def test_missing_attachments_are_waited_for_in_bounds() -> None:
    _, driver = socket_driver(attachment_timeout=5)
    w, _ = joined(driver)
    driver.frame(w, '452-["a"]')
    driver.sleep(4)
    driver.frame(w, b"1")
    driver.sleep(4)
    driver.frame(w, b"2")
    assert len(driver.events_of(EventReceived)) == 1
    driver.sleep(10)
    driver.frame(w, '452-["a"]')
    driver.sleep(5)
    assert reasons(driver) == ["forced close"]
    assert rule(driver) == "SIO-BIN-17"


@pytest.mark.covers("SIO-BIN-02")
def test_emit() -> None:
    """SIO-BIN-02."""
    _, driver = socket_driver("/custom")
    w, (main, custom) = joined(driver, "/", "/custom")
    main.emit("a", 1, b"x", {"deep": [b"y"]})
    custom.emit("b")
    driver.drain()
    assert driver.frames[w] == [
        '452-["a",1,{"_placeholder":true,"num":0},{"deep":[{"_placeholder":true,"num":1}]}]',
        b"x",
        b"y",
        '42/custom,["b"]',
    ]


@pytest.mark.parametrize(
    "name",
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"],
)
def test_reserved_names_are_refused(name: str) -> None:
    """SIO-EVT-05."""
    core, driver = socket_driver()
    w, (socket,) = joined(driver)
    for emit in (socket.emit, socket.broadcast.emit, core.of("/").emit, core.of("/").to("r").emit):
        with pytest.raises(LocalProtocolError, match=f'"{name}" is a reserved event name'):
            emit(name)
    with pytest.raises(LocalProtocolError):
        socket.emit_with_ack(name, timeout=1, now=0)
    assert driver.drain() == []
    driver.frame(w, f'42["{name}"]')
    assert driver.events_of(EventReceived) == []


@pytest.mark.parametrize("name", [True, None, b"x", ["a"]])
def test_event_name_of_another_type(name: Any) -> None:
    """SIO-PKT-09."""
    _, driver = socket_driver()
    _, (socket,) = joined(driver)
    with pytest.raises(LocalProtocolError, match="text or a number"):
        socket.emit(name)


@pytest.mark.covers("SIO-EVT-14", "SIO-EVT-15", "SIO-HS-09", "SIO-ROOM-08")
def test_emit_after_the_end_does_nothing() -> None:
    """SIO-EVT-14, SIO-EVT-15, SIO-HS-09, SIO-ROOM-08."""
    _, driver = socket_driver()
    w, (socket,) = joined(driver)
    driver.frame(w, "41")
    socket.emit("late")
    socket.join("late")
    socket.leave("late")
    socket.disconnect(now=0)
    with pytest.raises(ClosedError):
        socket.emit_with_ack("late", timeout=1, now=0)
    assert driver.drain() == []
    assert list(socket.rooms) == []


# Acknowledgements


def test_acknowledging() -> None:
    _, driver = socket_driver("/custom")
    w, _ = joined(driver, "/custom")
    driver.frame(w, '42/custom,0["a"]', '42/custom,7["b"]', '42/custom,8["c"]')
    first, second, third = (event.reply for event in driver.events_of(EventReceived))
    assert first is not None
    assert second is not None
    assert third is not None
    with pytest.raises(LocalProtocolError):
        first({1})
    assert second(b"x", 1)
    assert first()
    assert not first("again")
    driver.drain()
    assert driver.frames[w] == [
        '461-/custom,7[{"_placeholder":true,"num":0},1]',
        b"x",
        "43/custom,0[]",
    ]


@pytest.mark.covers("SIO-ACK-01", "SIO-ACK-06", "SIO-ACK-09", "SIO-ACK-11")
def test_asking_for_acknowledgements() -> None:
    """SIO-ACK-01, SIO-ACK-06, SIO-ACK-09, SIO-ACK-11."""
    _, driver = socket_driver()
    w, (socket,) = joined(driver)
    v, (other,) = joined(driver)
    ids = [
        socket.emit_with_ack("q", 1, timeout=5, now=0),
        other.emit_with_ack("q", timeout=5, now=0),
        socket.emit_with_ack("q", timeout=9, now=0),
    ]
    driver.drain()
    assert ids == [0, 1, 2]
    assert driver.frames[w] == ['420["q",1]', '422["q"]']
    driver.frame(v, "430[]")  # not its own
    driver.frame(w, '430["a","b"]', '430["again"]', "4399[]", '43["no id"]')
    assert driver.events_of(AckReceived) == [AckReceived(socket, 0, ["a", "b"])]
    driver.sleep(5)
    assert driver.events_of(AckFailed) == [AckFailed(other, 1, "timeout")]
    driver.frame(v, "431[]")
    driver.closed(w)
    assert driver.events_of(AckFailed)[1:] == [AckFailed(socket, 2, "disconnect")]
    driver.sleep(10)
    assert len(driver.events_of(AckFailed) + driver.events_of(AckReceived)) == 3


def test_binary_acknowledgement() -> None:
    _, driver = socket_driver()
    w, (socket,) = joined(driver)
    socket.emit_with_ack("q", timeout=5, now=0)
    driver.drain()
    driver.frame(w, '461-0[{"_placeholder":true,"num":0}]', b"x")
    assert driver.events_of(AckReceived) == [AckReceived(socket, 0, [b"x"])]


def test_pending_acknowledgements_are_limited() -> None:
    _, driver = socket_driver(max_pending_acks=2)
    _, (socket,) = joined(driver)
    for _ in range(2):
        socket.emit_with_ack("q", timeout=5, now=0)
    with pytest.raises(LocalProtocolError, match="max_pending_acks"):
        socket.emit_with_ack("q", timeout=5, now=0)
    driver.sleep(5)
    socket.emit_with_ack("q", timeout=5, now=driver.now)


# The end


@pytest.mark.covers("SIO-DISC-03", "SIO-HS-12", "SIO-ROOM-06", "SIO-ROOM-07")
def test_rooms_are_full_while_disconnecting_and_empty_when_disconnected() -> None:
    """SIO-DISC-03, SIO-HS-12, SIO-ROOM-06, SIO-ROOM-07."""
    core, driver = socket_driver()
    w, (socket,) = joined(driver)
    v, (other,) = joined(driver)
    socket.join("a", "b")
    other.join("a")
    seen: list[tuple[str, list[str], bool]] = []

    def on_event(event: Any) -> None:
        if isinstance(event, Disconnecting | Disconnected):
            seen.append((type(event).__name__, list(event.socket.rooms), event.socket.connected))
            event.socket.to("a").emit("bye", type(event).__name__)
            event.socket.emit("not received")

    driver.on_event = on_event
    driver.frame(w, "41")
    assert seen == [("Disconnecting", ["S1", "a", "b"], False), ("Disconnected", [], False)]
    assert driver.frames[v] == ['42["bye","Disconnecting"]', '42["bye","Disconnected"]']
    assert driver.frames[w] == []
    assert list(core.of("/").sockets) == [other.id]


def test_disconnect_leaves_one_namespace() -> None:
    """SIO-DISC-04."""
    _, driver = socket_driver("/custom")
    w, (main, custom) = joined(driver, "/", "/custom")
    main.disconnect(now=0)
    driver.drain()
    assert driver.frames[w] == ["41"]
    assert reasons(driver) == ["server namespace disconnect"]
    assert custom.connected
    driver.frame(w, '42/custom,["x"]')
    assert len(driver.events_of(EventReceived)) == 1


def test_disconnect_and_close() -> None:
    """SIO-DISC-05, SIO-DISC-14."""
    _, driver = socket_driver("/custom")
    w, (main, custom) = joined(driver, "/", "/custom")
    custom.emit("last")
    main.disconnect(close=True, now=0)
    driver.drain()
    assert driver.frames[w] == ['42/custom,["last"]', "41", "41/custom,"]
    assert driver.close_codes == {w: None}
    assert reasons(driver) == ["server namespace disconnect"] * 2


def test_disconnecting_twice_in_the_event_is_harmless() -> None:
    """SIO-DISC-04."""
    _, driver = socket_driver()
    w, (socket,) = joined(driver)

    def on_event(event: Any) -> None:
        if isinstance(event, Disconnecting):
            event.socket.disconnect(now=0)
            event.socket.disconnect(close=True, now=0)

    driver.on_event = on_event
    driver.frame(w, "41")
    assert reasons(driver) == ["client namespace disconnect"]
    assert socket.connected is False


@pytest.mark.covers("SIO-DISC-06")
def test_shutdown() -> None:
    """SIO-DISC-06."""
    core, driver = socket_driver("/custom")
    w, sockets = joined(driver, "/", "/custom")
    v, more = joined(driver)
    core.shutdown(now=0)
    driver.drain()
    assert [event.socket for event in driver.events_of(Disconnected)] == sockets + more
    assert {*reasons(driver)} == {"server shutting down"}
    assert driver.frames[w] == driver.frames[v] == [], "no DISCONNECT packet"
    assert driver.close_codes == {w: None, v: None}


def test_nothing_stays_behind() -> None:
    core, driver = socket_driver("/custom")
    for _ in range(200):
        w, (socket, _) = joined(driver, "/", "/custom")
        socket.join("a", "b", socket.id + "x")
        socket.emit_with_ack("q", timeout=60, now=driver.now)
        driver.frame(w, '452-["a"]', b"x")
        driver.closed(w)
        w, _ = driver.open_websocket()
        driver.frame(w, "40/unknown,", "451")
        driver.closed(w)
    statistics = core.statistics()
    assert (statistics.connections, statistics.sockets, statistics.engine.sessions) == (0, 0, 0)
    assert statistics.timers < 100
    for namespace in core.namespaces.values():
        assert len(namespace.adapter.index) == 0  # type: ignore[attr-defined]  # the local one


# Small print


@pytest.mark.covers("SIO-NSP-01", "SIO-PKT-09")
def test_namespaces_get_a_slash_and_no_comma() -> None:
    """SIO-NSP-01, SIO-PKT-09."""
    core, _ = socket_driver()
    assert core.of("abc") is core.of("/abc")
    assert core.of("") is core.of("/")
    with pytest.raises(LocalProtocolError):
        core.of("a,b")
    assert list(core.namespaces) == ["/", "/abc"]


@pytest.mark.covers("SIO-CONN-05")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("connect_timeout", 0),
        ("attachment_timeout", "1"),
        ("max_attachments", 0),
        ("max_pending_acks", True),
    ],
)
def test_config_refuses_nonsense_by_name(field: str, value: object) -> None:
    """SIO-CONN-05."""
    with pytest.raises(ValueError, match=f"ServerConfig.{field} must be"):
        ServerConfig(**{field: value})  # type: ignore[arg-type]  # nonsense has the wrong type


def test_reasons_are_strings() -> None:
    assert f"{DisconnectReason.PING_TIMEOUT}" == "ping timeout"
    assert DisconnectReason("ping timeout") is DisconnectReason.PING_TIMEOUT


def test_earliest_deadline_of_both_layers() -> None:
    engine: EngineServer[str] = EngineServer(new_sid=counter("E"))
    core: SocketServer[str] = SocketServer(
        engine, ServerConfig(connect_timeout=3), new_id=counter("S"), wall_clock=lambda: 0.0
    )
    assert core.next_deadline() is None
    core.http_request("x", request("EIO=4&transport=polling"), now=0)
    assert core.next_deadline() == 3
    list(core.outputs())
    core.handle_timeout(now=3)
    deadline = core.next_deadline()  # the engine waits for a poll to tell of the close
    assert deadline is not None
    assert 3 < deadline <= 33
