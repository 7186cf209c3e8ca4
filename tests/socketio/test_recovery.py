"""Connection state recovery."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sioproto import LocalProtocolError
from sioproto.socketio import (
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    EventReceived,
    NamespaceRequested,
    RecoveringAdapter,
    RecoveryConfig,
    Socket,
    SocketServer,
)
from sioproto.socketio._recovery import _number, _offset
from tests.harness import Driver, socket_driver


def recovering(accept: bool = True, **config: Any) -> tuple[SocketServer[str], Driver]:
    """A server with recovery."""
    return socket_driver("/custom", accept=accept, recovery=RecoveryConfig(**config))


class Client:
    """A client that remembers what it needs to come back."""

    def __init__(self, driver: Driver, namespace: str = "") -> None:
        self.driver = driver
        self.namespace = namespace
        self.w = ""
        self.sid = self.pid = self.offset = ""
        self.seen: list[Any] = []
        self.connect()

    def connect(self, auth: dict[str, Any] | None = None) -> None:
        """Open a connection and join, with what is remembered unless told otherwise."""
        if auth is None:
            auth = {"pid": self.pid, "offset": self.offset} if self.pid else {}
        self.w, _ = self.driver.open_websocket()
        self.driver.frames[self.w].clear()
        self.driver.frame(self.w, f"40{self.namespace}{json.dumps(auth)}")
        self.read()

    def read(self) -> list[Any]:
        """Take in what has arrived. Returns the events, without their offsets."""
        self.driver.drain()
        events = []
        frames, self.driver.frames[self.w] = self.driver.frames[self.w], []
        for frame in frames:
            if isinstance(frame, bytes) or frame[1] not in "025":
                continue
            payload = json.loads(frame[min(frame.index(c) for c in "[{" if c in frame) :])
            if isinstance(payload, dict):
                self.sid, self.pid = payload["sid"], payload["pid"]
            elif _number(str(payload[-1])) is not None:
                self.offset = payload.pop()
                events.append(payload)
            else:
                events.append(payload)
        self.seen += events
        return events

    @property
    def socket(self) -> Socket:
        return self.driver.events_of(Connected)[-1].socket

    def cut(self) -> None:
        """Lose the connection."""
        self.read()
        self.driver.closed(self.w)


@pytest.mark.covers("SIO-CSR-04")
def test_offsets() -> None:
    """SIO-CSR-04."""
    for number in (1, 35, 36, 37, 10**9):
        assert _number(_offset(number)) == number
    for text in ("", "1", "o~", "o~-1", "o~A", "o~é", "o~1.0", "o~" + "z" * 13):
        assert _number(text) is None


@pytest.mark.covers("SIO-CSR-02", "SIO-CSR-03")
def test_reply_has_a_private_id_and_events_have_offsets() -> None:
    """SIO-CSR-02, SIO-CSR-03."""
    core, driver = recovering()
    client = Client(driver, "/custom,")
    assert len({client.sid, client.pid, client.socket.sid}) == 3
    assert client.socket.pid == client.pid
    client.socket.emit("a", b"x")
    core.of("/custom").emit("b")
    driver.drain()
    first, _, second = driver.frames[client.w]
    assert first == '451-/custom,["a",{"_placeholder":true,"num":0},"o~1"]'
    assert second == '42/custom,["b","o~2"]'


@pytest.mark.covers("SIO-CSR-05")
def test_what_has_no_offset() -> None:
    """SIO-CSR-05."""
    core, driver = recovering()
    client = Client(driver)
    client.socket.emit_with_ack("a", timeout=5, now=0)
    client.socket.volatile.emit("b")
    core.of("/").to().emit_with_ack("c", timeout=5, now=0)
    core.of("/").volatile.emit("d")
    driver.drain()
    assert driver.frames[client.w] == ['420["a"]', '42["b"]', '421["c"]', '42["d"]']


@pytest.mark.covers("SIO-ACK-16")
def test_acknowledgements_have_no_offset() -> None:
    """SIO-ACK-16."""
    _, driver = recovering()
    client = Client(driver)
    driver.frames[client.w].clear()
    driver.frame(client.w, '427["question"]')
    (event,) = driver.events_of(EventReceived)
    assert event.reply is not None
    event.reply("answer")
    driver.drain()
    assert driver.frames[client.w] == ['437["answer"]']
    adapter = client.socket.namespace.adapter
    assert isinstance(adapter, RecoveringAdapter)
    assert len(adapter._log) == 0


@pytest.mark.covers("SIO-CSR-06")
def test_leaving_ones_own_room_costs_no_event() -> None:
    """SIO-CSR-06."""
    _, driver = recovering()
    client = Client(driver)
    client.socket.leave(client.socket.id)
    client.socket.emit("seen")
    assert client.read() == [["seen"]]
    old = client.socket
    client.cut()
    old.emit("missed")
    client.connect()
    assert client.socket.recovered
    assert client.seen == [["seen"], ["missed"]]


@pytest.mark.covers("SIO-CSR-17")
def test_application_sees_what_the_client_came_with() -> None:
    """SIO-CSR-17."""
    core, driver = recovering()
    client = Client(driver)
    core.of("/").emit("seen")
    client.cut()
    auth = {"pid": client.pid, "offset": client.offset, "token": "x"}
    client.connect(auth)
    assert client.socket.recovered
    assert client.socket.handshake.auth == auth


@pytest.mark.covers("SIO-CSR-11", "SIO-CSR-13", "SIO-HS-13")
def test_client_comes_back() -> None:
    """SIO-CSR-11, SIO-CSR-13, SIO-HS-13."""
    core, driver = recovering()
    io = core.of("/")
    client = Client(driver)
    socket = client.socket
    socket.join("r", "left")
    socket.leave("left")
    socket.data = {"name": "ann"}
    socket.emit("seen")
    client.cut()
    old_sid = client.sid
    io.emit("all")
    io.to(socket.id).emit("own room")
    io.to("r", "other").emit("room")
    io.to("other").emit("another room")
    io.except_("r").emit("not for r")
    Client(driver).socket.to("r").emit("from another", b"bytes")
    socket.broadcast.emit("from itself")
    socket.emit("to itself")
    io.volatile.emit("volatile")
    client.connect()
    missed = ["all", "own room", "room", "from another", "to itself"]
    assert [event[0] for event in client.seen] == ["seen", *missed]
    assert client.sid == old_sid
    back = client.socket
    assert back is not socket
    assert (back.id, back.recovered, back.data) == (socket.id, True, {"name": "ann"})
    assert list(back.rooms) == [socket.id, "r"]
    io.to("r").emit("now")
    assert client.read() == [["now"]]


@pytest.mark.covers("SIO-CSR-12")
def test_missed_events_come_before_the_reply() -> None:
    """SIO-CSR-12."""
    core, driver = recovering()
    client = Client(driver)
    core.of("/").emit("seen")
    client.cut()
    core.of("/").emit("missed", b"x")
    w, _ = driver.open_websocket()
    auth = json.dumps({"pid": client.pid, "offset": client.offset})
    frames = driver.frame(w, f"40{auth}")
    assert frames == [
        '451-["missed",{"_placeholder":true,"num":0},"o~2"]',
        b"x",
        f'40{{"sid":"{client.sid}","pid":"{client.pid}"}}',
    ]


@pytest.mark.covers("SIO-CSR-16")
def test_private_id_is_good_for_one_return() -> None:
    """SIO-CSR-16."""
    core, driver = recovering()
    client = Client(driver)
    core.of("/").emit("seen")
    client.cut()
    auth = {"pid": client.pid, "offset": client.offset}
    client.connect()
    assert client.socket.recovered
    client.connect(auth)
    assert not client.socket.recovered
    assert (client.sid, client.pid) != (auth["pid"], auth["pid"])


@pytest.mark.covers("SIO-CSR-09", "SIO-CSR-10")
@pytest.mark.parametrize(
    "auth",
    [
        {"pid": "foo", "offset": "bar"},
        {"pid": "PID"},
        {"offset": "OFFSET"},
        {"pid": "PID", "offset": "o~zzzz"},
        {"pid": "PID", "offset": "0"},
        {"pid": "PID", "offset": "1"},
        {"pid": "PID", "offset": ""},
        {"pid": "PID", "offset": 1},
        {"pid": ["PID"], "offset": "OFFSET"},
    ],
)
def test_nothing_to_recover_is_no_error(auth: dict[str, Any]) -> None:
    """SIO-CSR-09, SIO-CSR-10."""
    core, driver = recovering()
    client = Client(driver)
    core.of("/").emit("seen")
    client.cut()
    old = client.sid
    values = {"PID": client.pid, "OFFSET": client.offset}
    client.connect({k: values.get(str(v), v) for k, v in auth.items()})
    assert client.sid != old
    assert not client.socket.recovered


@pytest.mark.covers("SIO-CSR-07")
@pytest.mark.parametrize(
    ("end", "kept"),
    [
        (lambda driver, client: driver.closed(client.w), True),
        (lambda driver, client: driver.closed(client.w, OSError()), True),
        (lambda driver, client: driver.sleep(45), True),
        (lambda driver, client: driver.frame(client.w, '42["connect"]'), True),
        (lambda driver, client: driver.frame(client.w, "40"), True),
        (lambda driver, client: driver.frame(client.w, "41"), False),
        (lambda driver, client: driver.frame(client.w, "7"), False),
        (lambda driver, client: client.socket.disconnect(now=0), False),
        (lambda driver, client: client.socket.disconnect(close=True, now=0), False),
    ],
)
def test_reasons_after_which_a_socket_is_kept(end: Any, kept: bool) -> None:
    """SIO-CSR-07."""
    core, driver = recovering()
    client = Client(driver)
    core.of("/").emit("seen")
    client.read()
    end(driver, client)
    driver.drain()
    assert len(driver.events_of(Disconnected)) == 1
    client.connect()
    assert client.socket.recovered is kept


@pytest.mark.covers("SIO-CSR-10")
def test_time_is_up() -> None:
    """SIO-CSR-10."""
    for pause, kept in ((100.0, True), (140.0, False)):
        core, driver = recovering(max_disconnection_duration=120)
        client = Client(driver)
        core.of("/").emit("seen")
        client.cut()
        driver.sleep(pause)
        client.connect()
        assert client.socket.recovered is kept


def test_nothing_is_kept_for_ever() -> None:
    core, driver = recovering()
    for _ in range(50):
        client = Client(driver)
        client.socket.join("r")
        core.of("/").emit("x", "y" * 1000)
        client.cut()
    recovery = core.of("/").adapter
    assert isinstance(recovery, RecoveringAdapter)
    driver.sleep(300)
    assert (len(recovery._log), len(recovery._kept), len(recovery._kept_ids)) == (0, 0, 0)
    assert recovery._log_size == 0
    assert core.next_deadline() is None
    client = Client(driver)
    core.of("/").emit("again")
    client.cut()
    core.of("/").emit("missed")
    client.connect()
    assert client.socket.recovered
    assert client.seen[-1] == ["missed"]


def test_log_is_bounded() -> None:
    core, driver = recovering(max_log=10_000)
    client = Client(driver)
    core.of("/").emit("seen")
    client.cut()
    for _ in range(100):
        core.of("/").emit("x" * 1000)
    recovery = core.of("/").adapter
    assert isinstance(recovery, RecoveringAdapter)
    assert recovery._log_size <= 10_000
    client.connect()
    assert not client.socket.recovered, "some of what it missed is gone"


def test_kept_sockets_are_bounded() -> None:
    core, driver = recovering(max_sockets=2)
    people = [Client(driver) for _ in range(3)]
    core.of("/").emit("seen")
    for client in people:
        client.cut()
    recovered = []
    for client in people:
        client.connect()
        recovered.append(client.socket.recovered)
    assert recovered == [False, True, True]


def test_recovery_that_is_cut_off_too() -> None:
    core, driver = recovering(accept=False)

    def let_in(event: Any) -> None:
        if isinstance(event, ConnectRequested):
            core.accept(event.socket)

    driver.on_event = let_in
    client = Client(driver)
    core.of("/").emit("seen")
    client.cut()
    core.of("/").emit("missed")
    driver.on_event = lambda event: None
    client.connect()
    driver.closed(client.w)
    assert len(driver.events_of(ConnectAbandoned)) == 1
    driver.on_event = let_in
    client.connect()
    assert client.socket.recovered
    assert client.seen == [["seen"], ["missed"]]


@pytest.mark.covers("SIO-CSR-12", "SIO-CSR-13")
def test_what_is_sent_while_it_waits_to_be_let_in_is_missed_too() -> None:
    """SIO-CSR-12, SIO-CSR-13: a middleware takes its time, and others go on."""
    core, driver = recovering(accept=False)
    io = core.of("/")
    client = Client(driver)
    core.accept(driver.events_of(ConnectRequested)[-1].socket)
    io.emit("seen")
    client.read()
    client.socket.join("r")
    client.cut()
    io.emit("missed")
    client.connect()
    io.to("r").emit("meanwhile")
    io.to("other").emit("for others")
    returning = driver.events_of(ConnectRequested)[-1].socket
    io.volatile.emit("volatile")
    core.accept(returning)
    io.emit("now")
    assert client.read() == [["missed"], ["meanwhile"], ["now"]]
    assert driver.events_of(Connected)[-1].socket.recovered
    client.cut()
    client.connect()
    core.accept(driver.events_of(ConnectRequested)[-1].socket)
    assert client.read() == [], "and is not sent twice"


def test_nothing_is_kept_for_ever_where_nobody_is() -> None:
    core, driver = recovering()
    io = core.of("/custom")
    recovery = io.adapter
    assert isinstance(recovery, RecoveringAdapter)
    for _ in range(10):
        io.emit("nobody hears it")
    driver.drain()
    driver.sleep(300)
    assert (len(recovery._log), recovery._log_size) == (0, 0)
    assert core.next_deadline() is None


def test_nor_of_whoever_goes_before_it_is_let_in_again() -> None:
    """The clock may have stopped meanwhile: nobody was there, and nobody was kept."""
    core, driver = recovering(accept=False)
    client = Client(driver)
    core.accept(driver.events_of(ConnectRequested)[-1].socket)
    core.of("/").emit("seen")
    client.cut()
    driver.sleep(100)
    client.connect()
    driver.sleep(40)
    driver.closed(client.w)
    recovery = core.of("/").adapter
    assert isinstance(recovery, RecoveringAdapter)
    assert len(recovery._kept) == 1
    driver.sleep(300)
    assert (len(recovery._kept), len(recovery._kept_ids)) == (0, 0)


@pytest.mark.covers("SIO-NSP-12")
def test_a_namespace_that_is_removed_takes_what_it_kept_along() -> None:
    """SIO-NSP-12"""
    core, driver = socket_driver(
        recovery=RecoveryConfig(), dynamic_namespaces=True, remove_empty_namespaces=True
    )
    let_in = driver.on_event

    def on_event(event: Any) -> None:
        if isinstance(event, NamespaceRequested):
            core.grant(event.request)
        let_in(event)

    driver.on_event = on_event
    client = Client(driver, "/room,")
    core.of("/room").emit("seen")
    client.cut()
    assert "/room" not in core.namespaces
    driver.sleep(1)
    assert core.next_deadline() is None
    client.connect()
    assert not client.socket.recovered


def test_offset_costs_nothing_if_the_event_cannot_be_sent() -> None:
    _, driver = recovering()
    client = Client(driver)
    with pytest.raises(LocalProtocolError):
        client.socket.emit("a", {1})
    client.socket.emit("b")
    client.read()
    assert client.offset == "o~1"


@pytest.mark.covers("SIO-CSR-01", "SIO-CSR-19", "SIO-HS-13")
def test_without_recovery_nothing_changes() -> None:
    """SIO-CSR-01, SIO-CSR-19, SIO-HS-13."""
    core, driver = socket_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, '40{"pid":"foo","offset":"bar"}')
    socket = driver.events_of(Connected)[0].socket
    assert driver.frames[w][1:] == ['40{"sid":"S1"}']
    assert (socket.pid, socket.recovered) == (None, False)
    core.of("/").emit("a")
    driver.drain()
    assert driver.frames[w][-1] == '42["a"]'


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_disconnection_duration", 0),
        ("skip_middlewares", 1),
        ("max_log", 0),
        ("max_sockets", "1"),
    ],
)
def test_config_refuses_nonsense_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"RecoveryConfig.{field} must be"):
        RecoveryConfig(**{field: value})  # type: ignore[arg-type]  # nonsense has the wrong type


def test_the_clock_of_the_log_is_never_set_to_the_past() -> None:
    core, driver = recovering()
    client = Client(driver)
    driver.now = 100.0
    core.handle_timeout(now=driver.now)
    driver.drain()
    core.of("/custom").emit("nobody is there")
    deadline = core.next_deadline()
    assert deadline is not None
    assert deadline > driver.now
    assert client.socket.connected
