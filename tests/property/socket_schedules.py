"""Schedules of Socket.IO: sockets emit, ask, leave, are cut off, reconnect and are recovered."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from sioproto import ClosedError
from sioproto._output import Event
from sioproto.engineio import ClientConfig as EngineClientConfig
from sioproto.engineio import ServerConfig as EngineServerConfig
from sioproto.socketio import (
    AckFailed,
    AckReceived,
    ClientAckFailed,
    ClientAckReceived,
    ClientConfig,
    ClientConnected,
    ClientConnectFailed,
    ClientDisconnected,
    ClientEventReceived,
    ClientSocket,
    Connected,
    ConnectRequested,
    Disconnected,
    DisconnectReason,
    EventReceived,
    RecoveryConfig,
    ServerConfig,
    Socket,
)
from sioproto.testing import Trace, socket_pair
from tests.property.schedules import REASONS, Schedule, is_prefix

NOT_KEPT = (
    DisconnectReason.CLIENT_NAMESPACE_DISCONNECT,
    DisconnectReason.SERVER_NAMESPACE_DISCONNECT,
    DisconnectReason.PARSE_ERROR,
)
Key = tuple[str, str]
"""A visit, that is one connection of one socket: id of the socket, id of the session."""


class Visit:
    """What both sides know of a visit."""

    def __init__(self) -> None:
        self.sent_up: list[int] = []
        self.up: list[int] = []
        self.reasons: dict[str, str] = {}


class SocketSchedule(Schedule):
    """One run of two Socket.IO machines. Everything that is emitted has a number of its own."""

    def __init__(self, seed: int, trace: Trace | None = None) -> None:
        super().__init__(seed)
        random = self.random
        transports = random.choice(
            (("polling", "websocket"), ("polling", "websocket"), ("polling",), ("websocket",))
        )
        self.recovery = random.random() < 0.5
        self.retries = random.choice((0, 0, 0, 2))
        self.prompt = not self.network.late
        """Whether events come the moment they happen: then it is known which visit they are of."""
        self.engine_config = EngineServerConfig(
            ping_interval=random.choice((2.0, 25.0)),
            ping_timeout=self.patience + random.choice((0.0, 10.0)),
            close_timeout=20.0,
            upgrade_timeout=self.upgrade_timeout,
        )
        self.client_config = ClientConfig(
            retries=self.retries, ack_timeout=4 * self.patience, connect_timeout=60.0
        )
        recovery = RecoveryConfig(max_disconnection_duration=10_000.0)
        self.pair = socket_pair(
            client=self.client_config,
            client_engine=EngineClientConfig(
                transports=transports,
                remember_upgrade=random.random() < 0.3,
                close_timeout=self.patience,
                upgrade_timeout=self.upgrade_timeout,
            ),
            server=ServerConfig(recovery=recovery if self.recovery else None),
            server_engine=self.engine_config,
            network=self.network,
            seed=seed,
            trace=trace,
        )
        self.names = random.choice((("/",), ("/", "/a")))
        for name in self.names:
            self.pair.server.of(name)
        self.pair.on_client_event = self._client_event
        self.pair.on_server_event = self._server_event
        self.visits: dict[Key, Visit] = {}
        self.here: dict[Socket, Key] = {}
        """Sockets that are connected, for the server."""
        self.there: dict[ClientSocket, Key] = {}
        """Sockets that are connected, for the client."""
        self.cut_off: dict[str, Socket] = {}
        """Sockets that may come back, by private id."""
        self.emitted_down: dict[str, list[int]] = {}
        self.nobodys: dict[int, None] = {}
        """Broadcasts that reached a socket which had left again by the time they were drained."""
        """What may be recovered, by id of the socket."""
        self.asked_down: dict[Key, list[int]] = {}
        self.received_down: dict[str, list[int]] = {}
        self.last_down: dict[str, int] = {}
        self.waiting_up: dict[str, list[int]] = {name: [] for name in self.names}
        """What the client emitted while it was not connected, by namespace."""
        self.emitted_up: dict[str, list[int]] = {name: [] for name in self.names}
        self.received_up: dict[str, list[int]] = {name: [] for name in self.names}
        self.questions: dict[tuple[str, str, int], int] = {}
        """Requests by side, namespace and id."""
        self.outcomes: dict[tuple[str, str, int], str] = {}
        self.wanted = True
        self.meddled = False
        """Whether an application has disconnected anything."""
        self.pairs_of_reasons: dict[tuple[str, str], None] = {}
        self._number = 0

    # Applications

    def _arrange(self) -> None:
        random, pair = self.random, self.pair
        for _ in range(random.choice((0, 3, 10))):
            pair.later(self.some_time(), partial(self._emit_up, random.choice((1, 1, 4))))
        for _ in range(random.choice((1, 3, 10))):
            pair.later(self.some_time(), partial(self._emit_down, random.choice((1, 1, 4))))
        if random.random() < 0.3:
            pair.later(self.some_time(), self._leave)
        if random.random() < 0.15:
            pair.later(self.some_time(), partial(self._send_away, random.random() < 0.5))
        if self.faulty and random.random() < 0.4:
            length = random.choice((0.1, 3.0, 30.0))
            pair.later(self.some_time(), partial(pair.outage, length))

    def _new(self) -> int:
        self._number += 1
        return self._number

    def _emit_up(self, count: int) -> None:
        for _ in range(count):
            name = self.random.choice(self.names)
            socket = self.pair.client.of(name)
            number = self._new()
            args: tuple[Any, ...] = (number, b"x") if self.random.random() < 0.2 else (number,)
            self.emitted_up[name].append(number)
            if socket.id is None:
                self.waiting_up[name].append(number)
            elif socket in self.there:
                self.visits[self.there[socket]].sent_up.append(number)
            if self.random.random() < 0.4:
                id = socket.emit_with_ack("q", *args, now=self.pair.now)
                self._asked("client", name, id, number)
            else:
                socket.emit("e", *args)

    def _emit_down(self, count: int) -> None:
        for _ in range(count):
            dice = self.random.random()
            if dice < 0.3:
                for socket, key in list(self.here.items()):
                    number, now = self._new(), self.pair.now
                    with suppress(ClosedError):
                        patience = 4 * self.patience
                        id = socket.emit_with_ack("q", socket.id, number, timeout=patience, now=now)
                        self._asked("server", socket.namespace.name, id, number)
                        self.asked_down.setdefault(key, []).append(number)
            elif dice < 0.6 and self.prompt:
                name, number = self.random.choice(self.names), self._new()
                self.pair.server.of(name).emit("all", "", number)
                for socket in (*self.here, *self.cut_off.values()):
                    if socket.namespace.name == name:
                        self.emitted_down[socket.id].append(number)
            else:
                for socket in (*self.here, *self.cut_off.values()):
                    if socket.connected or self.prompt:
                        number = self._new()
                        socket.emit("e", socket.id, number)
                        self.emitted_down[socket.id].append(number)

    def _asked(self, side: str, name: str, id: int, number: int) -> None:
        key = (side, name, id)
        assert key not in self.questions, f"the id of {key} is used twice"
        self.questions[key] = number

    def _settled(self, side: str, name: str, id: int, outcome: str, args: list[Any]) -> None:
        key = (side, name, id)
        assert key in self.questions, f"an outcome of {key}, which was never asked"
        assert key not in self.outcomes, f"a second outcome of {key}"
        self.outcomes[key] = outcome
        if outcome == "acknowledged":
            assert args == [self.questions[key]], f"{key} is acknowledged by {args}"

    def _leave(self) -> None:
        self.meddled = True
        socket = self.pair.client.of(self.random.choice(self.names))
        socket.disconnect(now=self.pair.now)
        if self.random.random() < 0.5:
            socket.connect(now=self.pair.now)
        else:
            self.pair.later(0.5, partial(self._come_back, socket))

    def _come_back(self, socket: ClientSocket) -> None:
        if self.wanted:
            socket.connect(now=self.pair.now)

    def _send_away(self, close: bool) -> None:
        for socket in self.here:
            if socket.connected:
                self.meddled = True
                socket.disconnect(close=close, now=self.pair.now)
                return

    # Events

    def _client_event(self, event: Event) -> None:
        if isinstance(event, ClientConnected):
            self._joined(event.socket)
        elif isinstance(event, ClientEventReceived):
            self._received_down(event)
        elif isinstance(event, ClientDisconnected):
            key = self.there.pop(event.socket, None)
            if key is not None:
                self.visits[key].reasons["client"] = str(event.reason)
            if not event.will_retry:
                self.pair.later(0.3, partial(self._come_back, event.socket))
        elif isinstance(event, ClientAckReceived):
            name = event.socket.namespace
            self._settled("client", name, event.id, "acknowledged", event.args)
        elif isinstance(event, ClientAckFailed):
            number = self.questions[("client", event.socket.namespace, event.id)]
            waiting = self.waiting_up[event.socket.namespace]
            if number in waiting:
                waiting.remove(number)  # and will not be sent (SIO-CBUF-03)
                self.emitted_up[event.socket.namespace].remove(number)
            self._settled("client", event.socket.namespace, event.id, event.why, [])
        elif isinstance(event, ClientConnectFailed) and not event.will_retry:
            self.pair.later(1.0, partial(self._come_back, event.socket))

    def _joined(self, socket: ClientSocket) -> None:
        sid = self.pair.client.engine.sid
        if self.prompt and socket.id is not None and sid is not None:
            key = self.there[socket] = (socket.id, sid)
            visit = self.visits[key]
            visit.sent_up += self.waiting_up[socket.namespace]
            self.waiting_up[socket.namespace] = []
        else:  # it is gone again: what it was sent cannot be told apart
            self.prompt = False

    def _received_down(self, event: ClientEventReceived) -> None:
        socket, (id, number) = event.socket, event.args[:2]
        name = socket.namespace
        assert number > self.last_down.get(name, 0), f"{number} comes out of order, or again"
        self.last_down[name] = number
        if event.name == "q":
            self.received_down.setdefault(f"{id} asked", []).append(number)
        else:
            # What is replayed comes before the event that says so; the socket has its id by then.
            of = self.there[socket][0] if socket in self.there else socket.id
            if not id and not of:
                self.nobodys[number] = None
            self.received_down.setdefault(id or of or "", []).append(number)
        if event.reply is not None:
            event.reply(number)

    def _server_event(self, event: Event) -> None:
        if isinstance(event, ConnectRequested):
            socket = event.socket
            auth = socket.handshake.auth
            kept = self.cut_off.get(auth.get("pid", ""))
            if kept is not None and auth.get("offset") and self.prompt:
                assert socket.recovered, "it was cut off, and comes back in time"
            with suppress(ClosedError):
                self.pair.server.accept(socket)
        elif isinstance(event, Connected):
            socket = event.socket
            assert socket.recovered is (socket.id in self.emitted_down), "recovered, or not?"
            self.here[socket] = (socket.id, socket.sid)
            self.visits[socket.id, socket.sid] = Visit()
            self.emitted_down.setdefault(socket.id, [])
            self.cut_off.pop(socket.pid or "", None)
        elif isinstance(event, Disconnected):
            socket = event.socket
            self.visits[self.here.pop(socket)].reasons["server"] = str(event.reason)
            if socket.pid is not None and event.reason not in NOT_KEPT:
                self.cut_off[socket.pid] = socket
        elif isinstance(event, EventReceived):
            socket, number = event.socket, event.args[0]
            self.received_up[socket.namespace.name].append(number)
            self.visits[self.here[socket]].up.append(number)
            if event.reply is not None:
                event.reply(number)
        elif isinstance(event, AckReceived):
            name = event.socket.namespace.name
            self._settled("server", name, event.id, "acknowledged", event.args)
        elif isinstance(event, AckFailed):
            self._settled("server", event.socket.namespace.name, event.id, event.why, [])

    # The run and what has to hold

    def run(self) -> None:
        """Run it, and check everything."""
        pair, engine = self.pair, self.engine_config
        self._arrange()
        for name in self.names:
            pair.client.of(name).connect(now=0.0)
        pair.run(self.span)
        pair.calm()
        # What is dead is found out, what is stalled arrives, and a new connection is made.
        dead = max(20.0, engine.ping_interval + engine.ping_timeout)
        pair.run(dead + 16.0 + 5.0 + 2 * self.patience + 1.0)
        self._check_up()
        # Whoever repeats a poll gets what the client should have got: nothing can be done then.
        if not any(fault.kind == "duplicate" for fault in pair.faults):
            for name in self.names:
                assert pair.client.of(name).connected, f"{name} is not connected again"
            self._check_down()
        pair.run(4 * self.patience * (self.retries + 1))
        self._check_acks()
        self._check_end()
        self._check_reasons()

    def _connected(self) -> dict[str, Key]:
        """Visits that both sides take for the current one, by namespace."""
        client = self.pair.client
        sid = client.engine.sid
        return {
            socket.namespace.name: key
            for socket, key in self.here.items()
            if key == (client.of(socket.namespace.name).id, sid)
        }

    def _check_up(self) -> None:
        hit = any(self.pair.faults_of(sid) for _, sid in self.visits)
        for name in self.names:
            emitted, received = self.emitted_up[name], self.received_up[name]
            first = list(dict.fromkeys(received))
            # A connection that the client has left may go on to bring what was sent before, while
            # a new one is there already.
            assert self.meddled or first == sorted(first), f"{name}: {received} is out of order"
            assert self.retries or first == received, f"{name}: {received} has repeats"
            if not hit and not self.meddled:
                assert received == emitted, f"{name}: {received} of {emitted}, without a fault"
        for visit in self.visits.values():
            once = list(dict.fromkeys(visit.up))
            assert once == sorted(once), f"{visit.up} is out of order"
        if self.retries or not self.prompt:
            return
        for visit in self.visits.values():
            assert is_prefix(visit.up, visit.sent_up), f"{visit.up} of {visit.sent_up}"
        for key in self._connected().values():
            visit = self.visits[key]
            assert visit.up == visit.sent_up, f"{key}: {visit.up} of {visit.sent_up}"

    def _check_down(self) -> None:
        for id, emitted in self.emitted_down.items():
            received = self.received_down.get(id, [])
            emitted = [number for number in emitted if number not in self.nobodys]
            assert is_prefix(received, emitted), f"{id}: {received} of {emitted}"
        connected = self._connected()
        assert sorted(connected) == sorted(self.names), "the sides disagree on who is connected"
        for key in connected.values():
            received, emitted = self.received_down.get(key[0], []), self.emitted_down[key[0]]
            assert received == emitted, f"{key}: {received} of {emitted}, and connected"
            asked = self.received_down.get(f"{key[0]} asked", [])
            wanted = self.asked_down.get(key, [])
            assert asked[len(asked) - len(wanted) :] == wanted, f"{key}: {asked} of {wanted}"

    def _check_acks(self) -> None:
        robbed = any(fault.kind == "duplicate" for fault in self.pair.faults)
        for key, number in self.questions.items():
            if robbed and self.retries and key not in self.outcomes:
                continue  # it waits for the answer to CONNECT that somebody else got
            assert key in self.outcomes, f"{key} has no outcome"
            if key[0] == "client" and self.outcomes[key] == "acknowledged":
                assert number in self.received_up[key[1]]
        if not self.meddled and not self.pair.faults:
            lost = [key for key, outcome in self.outcomes.items() if outcome != "acknowledged"]
            assert not lost, f"{lost} without a fault"

    def _check_end(self) -> None:
        """Everybody goes, and nothing is left."""
        pair, engine = self.pair, self.engine_config
        self.wanted = False
        if self.random.random() < 0.5:
            pair.client.close(now=pair.now)
        else:
            pair.server.shutdown(now=pair.now)
            pair.run(self.patience)
            pair.client.close(now=pair.now)
        pair.run(2 * self.patience + engine.ping_interval + engine.ping_timeout)
        left, mine = pair.server.statistics(), pair.client.statistics()
        assert (left.connections, left.sockets, left.engine.sessions) == (0, 0, 0), f"left: {left}"
        assert (left.engine.websockets, left.engine.exchanges) == (0, 0), f"left: {left}"
        ours = mine.engine
        assert (mine.active, ours.exchanges, ours.websockets, ours.leaving) == (0, 0, 0, 0), mine

    def _check_reasons(self) -> None:
        for visit in self.visits.values():
            if len(visit.reasons) == 2:
                both = (visit.reasons["server"], visit.reasons["client"])
                self.pairs_of_reasons[both] = None
                assert both in REASONS, f"reasons {both} are not in the table"
