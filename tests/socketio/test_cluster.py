"""Several servers with one set of rooms, by an adapter that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sioproto import LocalProtocolError
from sioproto.engineio import EngineServer
from sioproto.socketio import (
    AckFailed,
    BroadcastAcked,
    Connected,
    Disconnected,
    KeptSocket,
    LocalAdapter,
    Namespace,
    Packet,
    Restored,
    ServerEventReceived,
    ServersAnswered,
    SocketServer,
)
from sioproto.socketio import Socket as CoreSocket
from tests.bus import Bus, BusAdapter
from tests.harness import Driver, accepting, counter, socket_driver


class Server:
    """One server of the cluster."""

    def __init__(self, bus: Bus, name: str) -> None:
        self.adapters: list[BusAdapter] = []

        def adapter(namespace: Namespace) -> BusAdapter:
            self.adapters.append(BusAdapter(namespace, bus))
            return self.adapters[-1]

        self.core: SocketServer[str] = SocketServer(
            EngineServer(new_sid=counter("E")),
            new_id=counter(name),
            wall_clock=lambda: 0.0,
            adapter=adapter,
        )
        self.io = self.core.of("/")
        self.driver = accepting(self.core)

    def client(self) -> tuple[str, CoreSocket]:
        w, _ = self.driver.open_websocket()
        self.driver.frame(w, "40")
        self.driver.frames[w].clear()
        return w, self.driver.events_of(Connected)[-1].socket

    def heard(self, w: str) -> list[str | bytes]:
        self.driver.drain()
        frames = list(self.driver.frames[w])
        self.driver.frames[w].clear()
        return frames


def cluster() -> tuple[Bus, Server, Server]:
    bus = Bus()
    return bus, Server(bus, "A"), Server(bus, "B")


@pytest.mark.covers("SIO-BC-01", "SIO-BC-10", "SIO-CLU-08")
def test_broadcast_reaches_everybody_on_every_server() -> None:
    """SIO-BC-01, SIO-BC-10, SIO-CLU-08."""
    bus, a, b = cluster()
    (wa, ann), (wb, bob) = a.client(), b.client()
    bob.join("r")
    a.io.emit("all")
    ann.broadcast.emit("others")
    a.io.to("r").compress(False).emit("room", {"x": [1]})
    a.io.local.emit("here")
    a.io.to("r").local.volatile.emit("nobody here")
    bus.carry()
    assert a.heard(wa) == ['42["all"]', '42["here"]']
    assert b.heard(wb) == ['42["all"]', '42["others"]', '42["room",{"x":[1]}]']
    assert bus.carried == ["broadcast"] * 3


@pytest.mark.covers("SIO-BC-18")
def test_groups_on_every_server() -> None:
    """SIO-BC-18."""
    bus, a, b = cluster()
    (_, ann), (_, bob) = a.client(), b.client()
    a.io.to().sockets_join("r", "s")
    a.io.to(ann.id, bob.id).sockets_leave("s")
    a.io.local.sockets_join("only here")
    bus.carry()
    assert list(ann.rooms) == [ann.id, "r", "only here"]
    assert list(bob.rooms) == [bob.id, "r"]
    assert a.io.to("r").fetch_sockets() == [ann]
    a.io.to("r").disconnect_sockets(now=0)
    bus.carry()
    b.driver.drain()
    assert not bob.connected
    assert len(b.driver.events_of(Disconnected)) == 1


@pytest.mark.covers("SIO-BC-11")
def test_acknowledgements_of_all_servers() -> None:
    """SIO-BC-11."""
    bus, a, b = cluster()
    (wa, _), (wb, _), (wc, _) = a.client(), b.client(), b.client()
    id = a.io.to().emit_with_ack("q", timeout=5, now=0)
    assert a.heard(wa) == [f'42{id}["q"]']
    a.driver.frame(wa, f'43{id}["ann"]')
    assert a.driver.events_of(BroadcastAcked) == [], "the other server has not said how many"
    bus.carry()
    for w, name in ((wb, "bob"), (wc, "cyd")):
        (frame,) = b.heard(w)
        number = str(frame)[2 : str(frame).index("[")]
        b.driver.frame(w, f'43{number}["{name}"]')
        assert a.driver.events_of(BroadcastAcked) == []
        bus.carry()
    a.driver.drain()
    assert a.driver.events_of(BroadcastAcked) == [
        BroadcastAcked(a.io, id, ["ann", "bob", "cyd"], ())
    ]
    a.driver.sleep(10)
    assert len(a.driver.events_of(BroadcastAcked)) == 1


@pytest.mark.covers("SIO-BC-12", "SIO-BC-16")
def test_who_is_missing_elsewhere() -> None:
    """SIO-BC-12, and nothing stays behind (SIO-BC-16)."""
    bus, a, b = cluster()
    b.client()
    b.client()
    id = a.io.to().emit_with_ack("q", timeout=5, now=0)
    bus.carry()
    a.driver.sleep(6)
    assert a.driver.events_of(BroadcastAcked) == [BroadcastAcked(a.io, id, [], (), 2)]
    b.driver.sleep(6)
    assert all(not socket._acks for socket in b.io.sockets.values())
    assert b.driver.events_of(BroadcastAcked) == []


@pytest.mark.covers("SIO-BC-19")
def test_server_side_events() -> None:
    """SIO-BC-19: raised on the others, not on itself, and no client hears of it."""
    bus, a, b = cluster()
    w, _ = b.client()
    a.io.server_side_emit("hello", {"a": 1}, 2)
    bus.carry()
    a.driver.drain()
    b.driver.drain()
    assert a.driver.events_of(ServerEventReceived) == []
    (event,) = b.driver.events_of(ServerEventReceived)
    assert (event.namespace, event.name, event.args) == (b.io, "hello", [{"a": 1}, 2])
    assert event.reply is None
    assert b.heard(w) == []


@pytest.mark.covers("SIO-BC-19", "SIO-CLU-06")
def test_server_side_events_that_ask() -> None:
    """SIO-BC-19, SIO-CLU-06: one answer of each, those that came if the time is up."""
    bus, a, b = cluster()
    c = Server(bus, "C")
    id = a.io.server_side_emit_with_ack("how many", timeout=5, now=0)
    bus.carry()
    replies = []
    for server in (b, c):
        server.driver.drain()
        reply = server.driver.events_of(ServerEventReceived)[-1].reply
        assert reply is not None
        replies.append(reply)
    assert replies[0](7)
    assert not replies[0](8), "the first answer counts"
    bus.carry()
    assert a.driver.events_of(ServersAnswered) == []
    assert replies[1]()
    bus.carry()
    a.driver.drain()
    assert a.driver.events_of(ServersAnswered) == [ServersAnswered(a.io, id, [7, None], 0)]
    late = a.io.server_side_emit_with_ack("how many", timeout=5, now=0)
    bus.carry()
    a.driver.sleep(6)
    assert a.driver.events_of(ServersAnswered)[1:] == [ServersAnswered(a.io, late, [], 2)]
    b.driver.drain()
    last = b.driver.events_of(ServerEventReceived)[-1].reply
    assert last is not None
    last("too late")
    bus.carry()
    a.driver.drain()
    assert len(a.driver.events_of(ServersAnswered)) == 2


@pytest.mark.covers("SIO-BC-19")
def test_server_side_events_without_a_cluster() -> None:
    """SIO-BC-19: there is nobody to tell, and nobody to wait for."""
    core, driver = socket_driver()
    io = core.of("/")
    io.server_side_emit("hello")
    id = io.server_side_emit_with_ack("hello", timeout=5, now=0)
    driver.drain()
    assert driver.events == [ServersAnswered(io, id, [], 0)]
    assert core.next_deadline() is None


@pytest.mark.covers("SIO-EVT-05")
@pytest.mark.parametrize("name", ["connect", "connection", "new_namespace", 7, None])
def test_reserved_between_servers(name: Any) -> None:
    """SIO-EVT-05: a list of its own."""
    core, driver = socket_driver()
    with pytest.raises(LocalProtocolError):
        core.of("/").server_side_emit(name)
    with pytest.raises(LocalProtocolError):
        core.of("/").server_side_emit_with_ack(name, timeout=1, now=0)
    core.of("/").server_side_emit("disconnect")
    assert driver.drain() == []


@pytest.mark.parametrize("args", [[], [7], [None, 1]])
def test_what_is_no_server_side_event_is_ignored(args: list[Any]) -> None:
    core, driver = socket_driver()
    core.of("/").server_event(args)
    assert driver.drain() == []


def test_a_namespace_that_goes_closes_its_adapter() -> None:
    bus = Bus()
    server = Server(bus, "A")
    server.core.of("/x")
    server.core.remove("/x")
    main, other = server.adapters
    assert (main.closed, other.closed) == (False, True)
    server.core.shutdown(now=0)
    assert main.closed


class SlowStorage(LocalAdapter):
    """Keeps sockets somewhere else: what it is asked for comes later."""

    recovers = True

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(namespace)
        self.kept: dict[object, KeptSocket] = {}
        self.searches: list[tuple[object, Callable[[Restored | None], None]]] = []

    def keep(self, kept: KeptSocket) -> None:
        self.kept[kept.pid] = kept

    def restore(self, pid: object, offset: object, done: Callable[[Restored | None], None]) -> None:
        self.searches.append((pid, done))

    def find(self) -> None:
        """Answer the oldest question."""
        pid, done = self.searches.pop(0)
        kept = self.kept.pop(pid, None)
        done(None if kept is None else (kept, list))


def slow_server() -> tuple[SocketServer[str], Driver, SlowStorage]:
    core: SocketServer[str] = SocketServer(
        EngineServer(new_sid=counter("E")),
        new_id=counter("S"),
        wall_clock=lambda: 0.0,
        adapter=SlowStorage,
    )
    storage = core.of("/").adapter
    assert isinstance(storage, SlowStorage)
    return core, accepting(core), storage


def test_storage_that_answers_later() -> None:
    _, driver, storage = slow_server()
    w, _ = driver.open_websocket()
    driver.frame(w, "40")
    assert driver.events == [], "not before the storage has answered"
    storage.find()
    driver.drain()
    assert driver.frames[w][-1] == '40{"sid":"S1","pid":"S2"}'
    driver.events[-1].socket.join("r")  # type: ignore[attr-defined]  # it is Connected
    driver.closed(w)
    w, _ = driver.open_websocket()
    driver.frame(w, '40{"pid":"S2","offset":"1"}')
    storage.find()
    driver.drain()
    assert driver.frames[w][-1] == '40{"sid":"S1","pid":"S2"}'
    socket = driver.events_of(Connected)[-1].socket
    assert socket.recovered
    assert list(socket.rooms) == ["S1", "r"]


def test_who_goes_before_the_storage_has_answered_may_come_back() -> None:
    core, driver, storage = slow_server()
    w, _ = driver.open_websocket()
    driver.frame(w, "40")
    storage.find()
    driver.drain()
    driver.closed(w)
    w, _ = driver.open_websocket()
    driver.frame(w, '40{"pid":"S2","offset":"1"}')
    driver.closed(w)
    storage.find()
    assert driver.drain() == []
    assert list(storage.kept) == ["S2"]
    assert core.of("/").pending == 0


def test_a_second_connect_before_the_storage_has_answered() -> None:
    """SIO-CONN-13."""
    core, driver, storage = slow_server()
    w, _ = driver.open_websocket()
    driver.frame(w, "40", "40")
    assert w in driver.close_codes
    storage.find()
    assert driver.drain() == []
    assert core.of("/").pending == 0


@pytest.mark.covers("SIO-BC-11", "SIO-BC-19")
def test_nothing_is_kept_of_what_has_been_answered() -> None:
    """SIO-BC-11, SIO-BC-19: also if the time that it had is long."""
    bus, a, b = cluster()
    wa, _ = a.client()
    wb, _ = b.client()
    for number in range(0, 600, 2):
        assert a.io.to().emit_with_ack("q", timeout=1e6, now=0) == number
        bus.carry()
        for server, w in ((a, wa), (b, wb)):
            (question,) = server.heard(w)
            assert isinstance(question, str)
            server.driver.frame(w, "43" + question.partition("[")[0][2:] + "[1]")
        bus.carry()
        a.io.server_side_emit_with_ack("how many", timeout=1e6, now=0)
        bus.carry()
        b.driver.drain()
        event = b.driver.events_of(ServerEventReceived)[-1]
        assert event.reply is not None
        event.reply(1)
        bus.carry()
    a.driver.drain()
    assert (
        len(a.driver.events_of(BroadcastAcked)) == len(a.driver.events_of(ServersAnswered)) == 300
    )
    for server in (a, b):
        assert server.core.statistics().timers < 100


@pytest.mark.covers("SIO-BC-11")
def test_whoever_leaves_while_it_is_asked_owes_nothing() -> None:
    """SIO-BC-11"""

    class Leaving(CoreSocket):
        def deliver(self, messages: list[Any], packet: Packet) -> None:
            super().deliver(messages, packet)
            self.disconnect(now=0)

    core: SocketServer[str] = SocketServer(
        EngineServer(new_sid=counter("E")),
        new_id=counter("S"),
        wall_clock=lambda: 0.0,
        socket_class=Leaving,
    )
    driver = accepting(core)
    for _ in range(2):
        w, _ = driver.open_websocket()
        driver.frame(w, "40")
    core.namespaces["/"].sockets["S1"].emit_with_ack("q", timeout=5, now=0)
    driver.drain()
    assert [out.why for out in driver.events_of(AckFailed)] == ["disconnect"]
    core.of("/").to().emit_with_ack("q", timeout=5, now=0)
    driver.drain()
    assert [out.missing for out in driver.events_of(BroadcastAcked)] == [("S2",)]


@pytest.mark.covers("SIO-BC-13", "SIO-BC-19")
@pytest.mark.parametrize("asked", ["servers", "sockets"])
def test_the_driver_learns_how_long_others_have(asked: str) -> None:
    """SIO-BC-13, SIO-BC-19: nothing goes out from here that would make it look."""
    bus = Bus()
    woken: list[float | None] = []
    core: SocketServer[str] = SocketServer(
        EngineServer(new_sid=counter("E"), wake=lambda: woken.append(core.next_deadline())),
        new_id=counter("S"),
        wall_clock=lambda: 0.0,
        adapter=lambda namespace: BusAdapter(namespace, bus),
    )
    Server(bus, "B")
    list(core.outputs())
    if asked == "servers":
        core.of("/").server_side_emit_with_ack("how many", timeout=5, now=0)
    else:
        core.of("/").to().emit_with_ack("q", timeout=5, now=0)
    assert woken == [5]
