"""Rooms, broadcasting and attributes of sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sioproto import LocalProtocolError
from sioproto.engineio import EngineServer, WsSend
from sioproto.socketio import (
    BroadcastAcked,
    Connected,
    Disconnected,
    Disconnecting,
    DisconnectReason,
    RoomCreated,
    RoomDeleted,
    RoomJoined,
    RoomLeft,
    Socket,
    SocketServer,
    StrictJson,
    TextParser,
)
from tests.harness import Driver, accepting, counter, socket_driver


def clients(driver: Driver, number: int) -> list[tuple[str, Socket]]:
    """Clients in the main namespace: WebSocket and socket of each."""
    found = []
    for _ in range(number):
        w, _ = driver.open_websocket()
        driver.frame(w, "40")
        driver.frames[w].clear()
        found.append((w, driver.events_of(Connected)[-1].socket))
    return found


def who(driver: Driver, people: list[tuple[str, Socket]]) -> list[int]:
    """Which clients got something, each once; then forget it."""
    driver.drain()
    counts = [len(driver.frames[w]) for w, _ in people]
    assert max(counts) <= 1
    for w, _ in people:
        driver.frames[w].clear()
    return [number for number, count in enumerate(counts) if count]


def setting() -> tuple[SocketServer[str], Driver, list[tuple[str, Socket]]]:
    """Four clients: in a, in b, in a and b and x, in nothing."""
    core, driver = socket_driver("/other")
    people = clients(driver, 4)
    people[0][1].join("a")
    people[1][1].join("b")
    people[2][1].join("a", "b", "x")
    return core, driver, people


@pytest.mark.covers(
    "SIO-BC-01", "SIO-BC-02", "SIO-BC-03", "SIO-BC-04", "SIO-BC-05", "SIO-BC-06", "SIO-ROOM-01"
)
def test_broadcast_operators() -> None:
    """SIO-BC-01, SIO-BC-02, SIO-BC-03, SIO-BC-04, SIO-BC-05, SIO-BC-06, SIO-ROOM-01."""
    core, driver, people = setting()
    io = core.of("/")
    first = people[0][1]
    for operator, expected in [
        (io.to(), [0, 1, 2, 3]),
        (io.to("a"), [0, 2]),
        (io.in_("a"), [0, 2]),
        (io.to("a", "b"), [0, 1, 2]),
        (io.to("a").to("b"), [0, 1, 2]),
        (io.to("a").in_("b").except_("x"), [0, 1]),
        (io.except_("x").to("a").to("b"), [0, 1]),
        (io.except_("a"), [1, 3]),
        (io.except_("a", "b"), [3]),
        (io.except_(), [0, 1, 2, 3]),
        (io.to("nobody"), []),
        (io.to(people[3][1].id), [3]),
        (first.broadcast, [1, 2, 3]),
        (first.to("a"), [2]),
        (first.to("a", "b"), [1, 2]),
        (first.in_("b"), [1, 2]),
        (first.except_("x"), [1, 3]),
        (first.to(first.id), []),
    ]:
        operator.emit("hello")
        assert who(driver, people) == expected
    io.emit("hello")
    assert who(driver, people) == [0, 1, 2, 3]


@pytest.mark.covers("SIO-BC-08")
def test_operators_are_immutable() -> None:
    """SIO-BC-08."""
    core, driver, people = setting()
    base = core.of("/").to("a")
    base.to("b")
    base.except_("a")
    base.emit("hello")
    assert who(driver, people) == [0, 2]


def test_sender_is_left_out_even_if_it_left_its_own_room() -> None:
    _, driver, people = setting()
    first = people[0][1]
    first.leave(first.id)
    assert list(first.rooms) == ["a"]
    first.to("a").emit("hello")
    assert who(driver, people) == [2]
    people[1][1].join(first.id)  # a room is only a name
    first.broadcast.emit("hello")
    assert who(driver, people) == [1, 2, 3]


def test_namespaces_are_apart() -> None:
    core, driver, people = setting()
    core.of("/other").emit("hello")
    core.of("/other").to("a").emit("hello")
    assert who(driver, people) == []


@pytest.mark.covers("SIO-ROOM-12")
def test_socket_that_left_its_rooms_still_gets_what_goes_to_all() -> None:
    """SIO-ROOM-12."""
    core, driver, people = setting()
    for room in list(people[3][1].rooms):
        people[3][1].leave(room)
    core.of("/").emit("hello")
    assert who(driver, people) == [0, 1, 2, 3]


class CountingJson(StrictJson):
    """Counts what is encoded."""

    encoded = 0

    def dumps(self, value: Any, default: Callable[[Any], Any]) -> str:
        self.encoded += 1
        return super().dumps(value, default)


@pytest.mark.covers("SIO-BC-09", "SIO-PKT-12")
def test_broadcast_encodes_and_frames_once() -> None:
    """SIO-BC-09, SIO-PKT-12."""
    json = CountingJson()
    core: SocketServer[str] = SocketServer(
        EngineServer(new_sid=counter("E")),
        new_id=counter("S"),
        wall_clock=lambda: 0.0,
        parser=TextParser(json),
    )
    driver = accepting(core)
    people = clients(driver, 50)
    json.encoded = 0
    core.of("/").emit("hello", b"attachment")
    outputs = [out for out in driver.drain() if isinstance(out, WsSend)]
    assert len(outputs) == len(people)
    assert json.encoded == 1
    assert len({id(frame) for out in outputs for frame in out.frames}) == 2


@pytest.mark.covers(
    "SIO-HS-09", "SIO-ROOM-01", "SIO-ROOM-02", "SIO-ROOM-03", "SIO-ROOM-09", "SIO-ROOM-10"
)
def test_join_and_leave() -> None:
    """SIO-HS-09, SIO-ROOM-01, SIO-ROOM-02, SIO-ROOM-03, SIO-ROOM-09, SIO-ROOM-10."""
    _, driver = socket_driver()
    ((_, socket),) = clients(driver, 1)
    assert list(socket.rooms) == [socket.id]
    socket.join("b", "a", "b")
    socket.join()
    socket.leave("unknown")
    view = socket.rooms
    assert list(view) == [socket.id, "b", "a"]
    socket.leave("b")
    assert list(view) == [socket.id, "a"], "the view is live"
    assert not hasattr(view, "add")
    with pytest.raises(LocalProtocolError, match="named by a string"):
        socket.join("fine", 1)  # type: ignore[arg-type]  # on purpose
    assert list(view) == [socket.id, "a"]


@pytest.mark.covers("SIO-HS-08", "SIO-HS-10", "SIO-HS-14")
def test_free_attributes() -> None:
    """SIO-HS-08, SIO-HS-10, SIO-HS-14."""
    _, driver = socket_driver()
    ((_, socket),) = clients(driver, 1)
    socket.username = "ann"
    assert socket.username == "ann"
    assert socket.data == {}
    socket.data = {"anything": 1}
    with pytest.raises(AttributeError):
        _ = socket.unknown
    for name in ("id", "rooms", "handshake", "emit", "join", "connected", "to"):
        with pytest.raises(LocalProtocolError, match=f"socket.{name} cannot be overwritten"):
            setattr(socket, name, "x")
    assert "connected in /" in repr(socket)


@pytest.mark.covers("SIO-BC-17", "SIO-BC-18")
def test_bulk_operations() -> None:
    """SIO-BC-17, SIO-BC-18."""
    core, driver, people = setting()
    io = core.of("/")
    assert io.to("a").fetch_sockets() == [people[0][1], people[2][1]]
    assert io.to().fetch_sockets() == [socket for _, socket in people]
    io.to("a").sockets_join("new", "newer")
    assert list(people[2][1].rooms)[-2:] == ["new", "newer"]
    io.to("new").except_("x").sockets_leave("new", "a")
    assert io.to("new").fetch_sockets() == [people[2][1]]
    people[3][1].to("a").disconnect_sockets(now=0)
    driver.drain()
    assert driver.frames[people[2][0]] == ["41"]
    assert list(io.sockets) == [people[n][1].id for n in (0, 1, 3)]
    io.to().disconnect_sockets(close=True, now=0)
    driver.drain()
    assert set(driver.close_codes) >= {people[n][0] for n in (0, 1, 3)}
    assert not io.sockets


@pytest.mark.covers("SIO-EVT-18")
def test_volatile_is_dropped_whole_for_who_cannot_take_it() -> None:
    """SIO-EVT-18."""
    core, driver = socket_driver()
    people = clients(driver, 2)
    (busy, slow), (free, _) = people
    driver.auto_sent = False
    slow.emit("first")
    driver.drain()
    core.of("/").volatile.emit("maybe", b"x")
    slow.volatile.emit("no", b"y")
    core.of("/").to().volatile.to("nobody").emit("no")
    driver.drain()
    driver.sent(busy)
    assert driver.frames[busy] == ['42["first"]']
    assert driver.frames[free] == ['451-["maybe",{"_placeholder":true,"num":0}]', b"x"]
    slow.volatile.emit("yes")
    slow.volatile.emit("yes too, it leaves together")
    driver.drain()
    assert len(driver.frames[busy]) == 3
    with pytest.raises(LocalProtocolError):
        slow.volatile.emit("connect")


@pytest.mark.covers("SIO-EVT-16")
def test_compression_is_asked_for_by_message() -> None:
    """SIO-EVT-16: a hint that reaches the driver with each frame, attachments included."""
    core, driver = socket_driver()
    ((w, socket),) = clients(driver, 1)
    io = core.of("/")
    socket.emit("yes")
    socket.compress(False).emit("no", b"x")
    socket.compress(False).volatile.emit("no")
    socket.volatile.compress(True).emit("yes")
    io.compress(False).emit("no")
    io.to(socket.id).compress(False).compress(True).emit("yes")
    socket.join("r")
    io.to("r").compress(False).emit("no")
    (sent,) = [out for out in driver.drain() if isinstance(out, WsSend)]
    assert sent.ws == w
    hints = [frame.compress for frame in sent.frames]
    assert hints == ["no" not in str(f.payload) and f.payload != b"x" for f in sent.frames]
    assert hints == [True, False, False, False, True, False, True, False]


def test_volatile_on_polling_needs_a_poll() -> None:
    _, driver = socket_driver()
    sid = driver.open_polling()
    driver.post(sid, "40")
    socket = driver.events_of(Connected)[-1].socket
    assert driver.poll_now(sid) == '40{"sid":"S1"}'
    socket.volatile.emit("lost")
    poll = driver.poll(sid)
    assert poll in driver.unanswered
    socket.volatile.emit("seen")
    driver.drain()
    assert driver.answers[poll].body == b'42["seen"]'


def asked(driver: Driver, people: list[tuple[str, Socket]]) -> list[str]:
    driver.drain()
    frames = [str(frame) for w, _ in people for frame in driver.frames[w]]
    for w, _ in people:
        driver.frames[w].clear()
    return frames


@pytest.mark.covers("SIO-BC-15")
def test_broadcast_with_acknowledgements() -> None:
    """SIO-BC-15."""
    core, driver, people = setting()
    io = core.of("/")
    id = io.to("a", "b").emit_with_ack("q", 1, timeout=5, now=0)
    assert asked(driver, people) == [f'42{id}["q",1]'] * 3
    driver.frame(people[1][0], f'43{id}["B","second"]')
    driver.frame(people[3][0], f'43{id}["not asked"]')
    driver.frame(people[1][0], f'43{id}["again"]')
    driver.frame(people[0][0], f"43{id}[]")
    assert driver.events_of(BroadcastAcked) == []
    driver.frame(people[2][0], f'43{id}["C"]')
    assert driver.events_of(BroadcastAcked) == [BroadcastAcked(io, id, ["B", None, "C"], ())]
    driver.sleep(10)
    assert len(driver.events_of(BroadcastAcked)) == 1


@pytest.mark.covers("SIO-BC-15", "SIO-BC-16")
def test_broadcast_acknowledgements_that_do_not_come() -> None:
    """SIO-BC-15, SIO-BC-16."""
    core, driver, people = setting()
    io = core.of("/")
    id = io.to().emit_with_ack("q", timeout=5, now=0)
    driver.drain()
    driver.frame(people[1][0], f'43{id}["B"]')
    driver.closed(people[0][0])
    driver.sleep(5)
    gone, _, third, fourth = (socket.id for _, socket in people)
    assert driver.events_of(BroadcastAcked) == [
        BroadcastAcked(io, id, ["B"], (gone, third, fourth))
    ]
    driver.frame(people[2][0], f'43{id}["late"]')
    assert len(driver.events_of(BroadcastAcked)) == 1
    assert core.statistics().timers < 50
    assert all(socket._acks == {} for _, socket in people)


@pytest.mark.covers("SIO-BC-14")
def test_broadcast_with_acknowledgements_to_nobody() -> None:
    """SIO-BC-14."""
    core, driver, _ = setting()
    id = core.of("/").to("nobody").emit_with_ack("q", timeout=5, now=0)
    driver.drain()
    assert driver.events_of(BroadcastAcked) == [BroadcastAcked(core.of("/"), id, [], ())]


@pytest.mark.covers("SIO-ROOM-03", "SIO-ROOM-04", "SIO-ROOM-05")
def test_room_events() -> None:
    """SIO-ROOM-03, SIO-ROOM-04, SIO-ROOM-05."""
    core, driver = socket_driver(room_events=True)
    (w, ann), (_, bob) = clients(driver, 2)
    io = core.of("/")
    driver.events.clear()
    ann.join("r", "r")
    bob.join("r")
    ann.leave("r")
    ann.leave("r")
    driver.closed(w)
    bob.leave("r")
    driver.drain()
    kinds = [event for event in driver.events if not isinstance(event, Disconnecting)]
    assert kinds == [
        RoomCreated(io, "r"),
        RoomJoined(io, "r", ann.id),
        RoomJoined(io, "r", bob.id),
        RoomLeft(io, "r", ann.id),
        RoomLeft(io, ann.id, ann.id),
        RoomDeleted(io, ann.id),
        Disconnected(ann, DisconnectReason.TRANSPORT_CLOSE, None),
        RoomLeft(io, "r", bob.id),
        RoomDeleted(io, "r"),
    ]


@pytest.mark.parametrize("timeout", [None, "5", True, float("nan")])
def test_what_is_no_timeout_is_refused_before_anybody_is_asked(timeout: Any) -> None:
    """Without a time, an acknowledgement would be waited for as long as the client is there."""
    core, driver = socket_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, "40")
    io = core.of("/")
    (socket,) = io.sockets.values()
    for ask in (socket.emit_with_ack, io.to().emit_with_ack, io.server_side_emit_with_ack):
        with pytest.raises(LocalProtocolError, match="a number of seconds"):
            ask("q", timeout=timeout, now=0)
    assert driver.drain() == []


@pytest.mark.parametrize("room", [1, None, ["r"]])
def test_what_is_no_name_of_a_room_is_refused(room: Any) -> None:
    """A list, above all: here rooms are arguments."""
    core, driver = socket_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, "40")
    io = core.of("/")
    (socket,) = io.sockets.values()
    misuses: list[Callable[[Any], object]] = [
        io.to,
        io.except_,
        io.local.in_,
        socket.to,
        socket.except_,
        socket.join,
        socket.leave,
        io.to().sockets_join,
        io.to("nobody").sockets_leave,
    ]
    for misuse in misuses:
        with pytest.raises(LocalProtocolError, match="a room is named by a string"):
            misuse(room)
