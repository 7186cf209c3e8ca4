"""Schedules of Engine.IO: an engine on each side, and applications that send, close and reopen."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from sioproto import ClosedError
from sioproto._output import Event
from sioproto.engineio import (
    ClientConfig,
    CloseReason,
    MessageReceived,
    Opened,
    OpenFailed,
    ServerConfig,
    SessionClosed,
    SessionOpened,
)
from sioproto.testing import Fault, Trace, engine_pair
from tests.property.schedules import REASONS, Schedule, in_order, is_prefix


class Life:
    """One session, as both sides saw it."""

    def __init__(self) -> None:
        self.generation: int | None = None
        """Which ``open`` of the client it is, if the client knows of it."""
        self.up: list[str] = []
        """What the server received."""
        self.down: list[str] = []
        """What the client received."""
        self.sent_down: list[str] = []
        self.opened_at_client = False
        self.reasons: dict[str, CloseReason] = {}
        self.closed_by: dict[str, None] = {}
        """Which applications closed it, and how."""


class EngineSchedule(Schedule):
    """One run of two engines."""

    revision = 4

    def __init__(self, seed: int, trace: Trace | None = None) -> None:
        super().__init__(seed)
        random = self.random
        transports = random.choice(
            (
                ("polling", "websocket"),
                ("polling", "websocket"),
                ("polling", "websocket"),
                ("polling",),
                ("websocket",),
                ("websocket", "polling"),
            )
        )
        self.server_config = ServerConfig(
            ping_interval=random.choice((0.3, 2.0, 25.0)),
            ping_timeout=self.patience + random.choice((0.0, 10.0)),
            max_payload=random.choice((1_000_000, 400)),
            close_timeout=20.0,
            upgrade_timeout=self.upgrade_timeout,
            allow_eio3=True,
        )
        self.client_config = ClientConfig(
            revision=self.revision,
            transports=transports,
            try_all_transports=random.random() < 0.5,
            remember_upgrade=random.random() < 0.3,
            close_timeout=self.patience,
            upgrade_timeout=self.upgrade_timeout,
        )
        self.pair = engine_pair(
            client=self.client_config,
            server=self.server_config,
            network=self.network,
            seed=seed,
            trace=trace,
        )
        self.pair.on_client_event = self._client_event
        self.pair.on_server_event = self._server_event
        self.lives: dict[str, Life] = {}
        self.sent_up: list[list[str]] = []
        """What the client sent, by ``open``."""
        self.open_sids: dict[str, None] = {}
        """Sessions that are open for the server."""
        self.reopens = random.random() < 0.7
        self.pairs_of_reasons: dict[tuple[str, str], None] = {}
        self._numbers = 0

    # Applications

    def _arrange(self) -> None:
        random, pair = self.random, self.pair
        for _ in range(random.choice((0, 3, 12))):
            pair.later(self.some_time(), partial(self._send_up, random.choice((1, 1, 5))))
        for _ in range(random.choice((0, 3, 12))):
            pair.later(self.some_time(), partial(self._send_down, random.choice((1, 1, 5))))
        if random.random() < 0.25:
            pair.later(self.some_time(), self._close_client)
        if random.random() < 0.25:
            discard = random.random() < 0.2
            pair.later(self.some_time(), partial(self._close_server, discard))
        if self.faulty and random.random() < 0.1:
            length = random.choice((0.1, 3.0, 30.0))
            pair.later(self.some_time(), partial(pair.outage, length))

    def _message(self, prefix: str) -> str | bytes:
        self._numbers += 1
        text = f"{prefix}.{self._numbers}." + "x" * self.random.choice((0, 0, 150))
        return text.encode() if self.random.random() < 0.2 else text

    def _open(self) -> None:
        self.sent_up.append([])
        self.pair.client.open(now=self.pair.now)

    def _send_up(self, count: int) -> None:
        for _ in range(count):
            message = self._message(str(len(self.sent_up) - 1))
            with suppress(ClosedError):
                self.pair.client.send(message)
                self.sent_up[-1].append(repr(message))

    def _send_down(self, count: int) -> None:
        for _ in range(count):
            for sid in list(self.open_sids):
                message = self._message("s")
                with suppress(ClosedError):
                    self.pair.server.send(sid, message)
                    self.lives[sid].sent_down.append(repr(message))

    def _close_client(self) -> None:
        sid = self.pair.client.sid
        if sid is not None:
            self.lives[sid].closed_by["client"] = None
        self.pair.client.close(now=self.pair.now)

    def _close_server(self, discard: bool) -> None:
        for sid in list(self.open_sids):
            self.lives[sid].closed_by["server, at once" if discard else "server"] = None
            self.pair.server.close(sid, now=self.pair.now, discard=discard)

    def _client_event(self, event: Event) -> None:
        if isinstance(event, Opened):
            life = self.lives[event.sid]
            life.generation = len(self.sent_up) - 1
            life.opened_at_client = True
        elif isinstance(event, MessageReceived):
            self.lives[event.sid].down.append(repr(event.data))
        elif isinstance(event, SessionClosed | OpenFailed):
            if isinstance(event, SessionClosed) and event.sid:
                assert "client" not in self.lives[event.sid].reasons, "closed twice"
                self.lives[event.sid].reasons["client"] = event.reason
            if self.reopens:
                self.pair.later(0.5, self._reopen)

    def _reopen(self) -> None:
        client = self.pair.client
        if self.reopens and not client.opening and client.sid is None:
            self._open()

    def _server_event(self, event: Event) -> None:
        if isinstance(event, SessionOpened):
            self.lives[event.sid] = Life()
            self.open_sids[event.sid] = None
            if self.random.random() < 0.3:
                self._send_down(1)
        elif isinstance(event, MessageReceived):
            assert "server" not in self.lives[event.sid].reasons, "delivered after the end"
            self.lives[event.sid].up.append(repr(event.data))
        elif isinstance(event, SessionClosed):
            assert "server" not in self.lives[event.sid].reasons, "closed twice"
            self.lives[event.sid].reasons["server"] = event.reason
            del self.open_sids[event.sid]

    # The run and what has to hold

    def run(self) -> None:
        """Run it, and check everything."""
        pair = self.pair
        self._arrange()
        self._open()
        pair.run(self.span)
        pair.calm()
        self.reopens = False
        pair.run(2 * self.patience + 1)
        for sid, life in self.lives.items():
            self._check(sid, life)
        self._check_end()
        for life in self.lives.values():
            self._check_reasons(life)

    def _faults_of(self, sid: str) -> tuple[Fault, ...]:
        return self.pair.faults_of(sid)

    def _check(self, sid: str, life: Life) -> None:
        generation = life.generation
        if generation is None and life.up:  # closed before the client knew that it was open
            generation = int(life.up[0].lstrip("b").strip("'").partition(".")[0])
        sent_up = [] if generation is None else self.sent_up[generation]
        assert is_prefix(life.up, sent_up), f"{sid}: the server received {life.up} of {sent_up}"
        faults = self._faults_of(sid)
        # Whoever repeats a poll gets what the client should have got: nothing can be done then.
        robbed = any(fault.kind == "duplicate" for fault in faults)
        is_right = in_order if robbed else is_prefix
        assert is_right(life.down, life.sent_down), (
            f"{sid}: the client received {life.down} of {life.sent_down}"
        )
        if faults or not life.opened_at_client:
            return
        if not life.closed_by:
            assert not life.reasons, f"{sid}: closed without a fault, {life.reasons}"
        if "server" not in life.closed_by and "server, at once" not in life.closed_by:
            assert life.up == sent_up, f"{sid}: the server lacks some, without a fault"
        if "client" not in life.closed_by and "server, at once" not in life.closed_by:
            assert life.down == life.sent_down, f"{sid}: the client lacks some, without a fault"

    def _check_end(self) -> None:
        """No session outlives its deadline, and nothing is left."""
        pair, server, client = self.pair, self.server_config, self.client_config
        if self.random.random() < 0.5:
            self._close_client()
            pair.run(16.0 + 2 * self.patience + server.ping_interval + server.ping_timeout)
        else:  # both are alone from now on, and neither is told
            pair.network = type(pair.network)(vanish=1.0)
            pair.outage(1_000_000)
            pair.run(server.ping_interval + server.ping_timeout + 0.3)
        closing = any("server" in life.closed_by for life in self.lives.values())
        if closing:
            pair.run(server.close_timeout)
        left = pair.server.statistics()
        assert (left.sessions, left.exchanges) == (0, 0), f"the server keeps {left}"
        pair.run(max(client.close_timeout, client.open_timeout) + 0.3)
        left = pair.server.statistics()
        assert left.websockets == 0, f"the server keeps {left}"
        mine = pair.client.statistics()
        assert (mine.exchanges, mine.websockets, mine.leaving) == (0, 0, 0), f"left: {mine}"
        assert pair.client.sid is None

    def _check_reasons(self, life: Life) -> None:
        if len(life.reasons) == 2:
            both = (str(life.reasons["server"]), str(life.reasons["client"]))
            self.pairs_of_reasons[both] = None
            assert both in REASONS, f"reasons {both} are not in the table"


class OlderEngineSchedule(EngineSchedule):
    """The same in revision 3."""

    revision = 3

    def _faults_of(self, sid: str) -> tuple[Fault, ...]:
        # It is the client that keeps a session alive here, and so more costs a session its life: a
        # handshake that is held up, whose session the network does not know yet, or a candidate
        # that is lost without a word while polling pauses for it.
        return tuple(self.pair.faults)
