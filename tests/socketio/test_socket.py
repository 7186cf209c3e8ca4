"""Rooms, broadcasting and attributes of sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sioproto import LocalProtocolError
from sioproto._json import StrictJson
from sioproto.engineio import EngineServer, WsSend
from sioproto.socketio import Connected, Socket, SocketServer
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


def test_broadcast_operators() -> None:
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


def test_operators_are_immutable() -> None:
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


def test_socket_that_left_its_rooms_still_gets_what_goes_to_all() -> None:
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


def test_broadcast_encodes_and_frames_once() -> None:
    json = CountingJson()
    core: SocketServer[str] = SocketServer(
        EngineServer(new_sid=counter("E")),
        new_id=counter("S"),
        wall_clock=lambda: 0.0,
        json=json,
    )
    driver = accepting(core)
    people = clients(driver, 50)
    json.encoded = 0
    core.of("/").emit("hello", b"attachment")
    outputs = [out for out in driver.drain() if isinstance(out, WsSend)]
    assert len(outputs) == len(people)
    assert json.encoded == 1
    assert len({id(frame) for out in outputs for frame in out.frames}) == 2


def test_join_and_leave() -> None:
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


def test_free_attributes() -> None:
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
