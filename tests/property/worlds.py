"""Every situation of one client of a Socket.IO server.

A situation is a shape of the session (its transport, what is pending on it, what it waits for, how
far its end has come) and a standing of the sockets on it.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sioproto._output import Event
from sioproto.socketio import (
    ConnectRequested,
    Disconnecting,
    EventReceived,
    NamespaceRequested,
    RecoveryConfig,
    Socket,
)
from tests.harness import request, socket_driver
from tests.property.ledger import Ledger

PING_INTERVAL, PING_TIMEOUT = 5.0, 3.0
MAX_PAYLOAD = 300


@dataclass(frozen=True)
class Shape:
    """The state of a session."""

    transport: str
    """``polling``, ``websocket`` or ``upgraded``."""
    poll: bool = False
    post: bool = False
    candidate: str = ""
    """``opened``; ``probing`` while the answer is in flight; ``owing`` one more; ``probed``."""
    busy: bool = False
    """Whether a batch is in flight."""
    buffered: bool = False
    waiting: str = ""
    """``pong`` if a ping is not answered yet; ``held`` if the client is not read."""
    end: str = ""
    """``closing`` gracefully, or how it was ``closed by`` somebody."""

    def __str__(self) -> str:
        parts = [self.transport, self.candidate, self.waiting, self.end]
        parts += [name for name in ("poll", "post", "busy", "buffered") if getattr(self, name)]
        return ", ".join(filter(None, parts))


CANDIDATES = ("", "opened", "probing", "owing", "probed")


def shapes(waiting: str = "") -> Iterator[Shape]:
    """All that can be reached. What is pending at a poll leaves with it, so there is never both."""
    both = (False, True)
    for post, candidate in itertools.product(both, CANDIDATES):
        for poll, buffered in ((False, False), (True, False), (False, True)):
            yield Shape(
                "polling",
                poll=poll,
                post=post,
                candidate=candidate,
                buffered=buffered,
                waiting=waiting,
            )
        if not waiting:  # a session that closes waits for nothing else
            for buffered in both:
                yield Shape(
                    "polling", post=post, candidate=candidate, buffered=buffered, end="closing"
                )
    for transport in ("websocket", "upgraded"):
        for busy, buffered in ((False, False), (True, False), (True, True)):
            yield Shape(transport, busy=busy, buffered=buffered, waiting=waiting)
            if busy and not waiting:
                yield Shape(transport, busy=True, buffered=buffered, end="closing")
    if not waiting:
        yield Shape("polling", end="closed by a packet")
        yield Shape("polling", candidate="probed", end="closed by us")
        yield Shape("websocket", end="closed by a packet")
        yield Shape("websocket", end="closed by us")
        yield Shape("websocket", busy=True, buffered=True, end="closed by us")
        yield Shape("websocket", end="closed by the peer")


STANDINGS = (
    "alone",
    "asked",
    "asked for the unknown",
    "joined",
    "joined and asked",
    "joined twice",
    "owing",
    "half a packet",
    "half a packet of a stranger",
    "left",
    "sent away",
    "recovering",
    "recovered",
    "disconnecting",
    "disconnecting by us",
)


class World:
    """A server with one client in a situation."""

    def __init__(self, shape: Shape, standing: str) -> None:
        self.core, self.driver = socket_driver(
            "/custom",
            engine={
                "ping_interval": PING_INTERVAL,
                "ping_timeout": PING_TIMEOUT,
                "max_payload": MAX_PAYLOAD,
            },
            accept=False,
            dynamic_namespaces=True,
            remove_empty_namespaces=True,
            recovery=RecoveryConfig(),
            max_namespaces=3,
        )
        self.driver.on_event = self._note
        self.ledger = Ledger()
        self.entered = 0
        self.asking: list[Socket] = []
        self.requests: list[NamespaceRequested] = []
        self.replies: list[Any] = []
        self.transport = self.candidate = ""
        self.poll = self.post = ""
        self._open(shape)
        self._stand(standing)
        self._shape(shape)
        if standing.startswith("disconnecting"):
            self._leave(by_us=standing.endswith("by us"))

    def _note(self, event: Event) -> None:
        if isinstance(event, ConnectRequested):
            self.asking.append(event.socket)
        elif isinstance(event, NamespaceRequested):
            self.requests.append(event)
        elif isinstance(event, EventReceived) and event.reply is not None:
            self.replies.append(event.reply)

    # Getting there

    def _open(self, shape: Shape) -> None:
        if shape.transport == "websocket":
            self.transport, self.sid = self.driver.open_websocket()
            return
        self.sid = self.driver.open_polling()
        if shape.transport == "upgraded":
            self.transport = self.driver.upgrade(self.sid)
            self.driver.frame(self.transport, "2probe", "5")

    def _stand(self, standing: str) -> None:
        if standing in ("recovering", "recovered"):
            pid, offset = self._cut_off()
            self.say("40" + json.dumps({"pid": pid, "offset": offset}))
            if standing == "recovered":
                self.accept()
        elif standing in ("asked", "asked for the unknown"):
            self.say("40" if standing == "asked" else "40/unknown,")
        elif standing not in ("alone", "half a packet of a stranger"):
            self.say("40")
            self.accept()
        if standing in ("joined and asked", "joined twice"):
            self.say("40/custom,")
            if standing == "joined twice":
                self.accept()
        elif standing == "owing":
            self.ask()
        elif standing.startswith("half a packet"):
            self.say('452-["c",{"_placeholder":true,"num":0}]', b"x")
        elif standing == "left":
            self.say("41")
        elif standing == "sent away":
            self.socket.disconnect(now=self.driver.now)
            self.driver.drain()
        self.fetch()

    def _cut_off(self) -> tuple[str, str]:
        """Somebody who was cut off: the private id and the last offset."""
        w, _ = self.driver.open_websocket()
        self.driver.frame(w, "40")
        socket = self.asking[-1]
        self.accept()
        self.driver.frames[w].clear()
        socket.emit("seen")
        self.driver.drain()
        (frame,) = self.driver.frames[w]
        self.driver.closed(w)
        assert socket.pid is not None
        return socket.pid, json.loads(str(frame)[2:])[-1]

    def _shape(self, shape: Shape) -> None:
        driver, engine = self.driver, self.core.engine
        if shape.waiting == "pong":
            driver.sleep(PING_INTERVAL)
            self.fetch()
        elif shape.waiting == "held":
            engine.hold(self.sid, now=driver.now)
            driver.drain()
        driver.auto_sent = False
        if shape.candidate:
            self.candidate = driver.upgrade(self.sid)
            if shape.candidate != "opened":
                driver.frame(self.candidate, "2probe")
            if shape.candidate == "probed":
                driver.sent(self.candidate)
            elif shape.candidate == "owing":
                driver.frame(self.candidate, "2probe")
        if shape.poll:
            self.poll = driver.poll(self.sid)
        if shape.post:
            self.post = driver.start(request(f"EIO=4&transport=polling&sid={self.sid}", "POST"))
        for _ in range(shape.busy + shape.buffered):
            engine.send(self.sid, "x")
            driver.drain()
        if shape.end == "closed by a packet":
            self.say("1")
        elif shape.end == "closed by the peer":
            driver.closed(self.transport)
            self.transport = ""
        elif shape.end:
            engine.close(self.sid, now=driver.now, discard=shape.end == "closed by us")
            driver.drain()
        assert (self.sid in engine._sessions) is not shape.end.startswith("closed")

    def _leave(self, *, by_us: bool) -> None:
        """Go no further than the first of the last events."""
        if not self.ledger_now().at("c"):
            return  # it was closed
        if by_us or not self.transport:
            self.socket.disconnect(now=self.driver.now)
        else:
            self.core.ws_text(self.transport, "41", now=self.driver.now)
        self.driver.drain(until=Disconnecting)

    # What the client does

    def say(self, *packets: str | bytes) -> None:
        """Send packets on the transport."""
        if self.transport:
            self.driver.frame(self.transport, *packets)
        else:
            encoded = (
                packet if isinstance(packet, str) else "b" + base64.b64encode(packet).decode()
                for packet in packets
            )
            self.driver.post(self.sid, "\x1e".join(encoded))

    def fetch(self) -> None:
        """Poll for what waits, if it does."""
        if not self.transport and self.core.engine.buffered(self.sid):
            self.driver.poll_now(self.sid)

    # What the application does

    @property
    def socket(self) -> Socket:
        """The socket that joined last."""
        return self.ledger_now().at("c")[-1]

    def accept(self) -> None:
        """Let in whoever asked last."""
        self.core.accept(self.asking.pop())
        self.driver.drain()

    def ask(self) -> None:
        """Ask for acknowledgements, of one socket and of all."""
        socket, now = self.socket, self.driver.now
        id = socket.emit_with_ack("q", timeout=60, now=now)
        self.ledger.expect(socket, id)
        namespace = socket.namespace
        self.ledger.expect(namespace, namespace.to().emit_with_ack("q", timeout=60, now=now))
        self.driver.drain()

    # The books

    def ledger_now(self) -> Ledger:
        """The ledger, with everything entered."""
        self.ledger.enter(self.driver.events[self.entered :])
        self.entered = len(self.driver.events)
        return self.ledger

    def check(self) -> None:
        """Nothing is owed, late or left over."""
        driver, core = self.driver, self.core
        driver.drain()
        self.ledger_now()
        now = max(driver.now, core.engine._now)
        core.handle_timeout(now=now)
        driver.drain()
        deadline = core.next_deadline()
        assert deadline is None or deadline > now, "a deadline in the past"
        statistics = core.statistics()
        assert statistics.connections == statistics.engine.sessions
        assert statistics.engine.exchanges == len(driver.unanswered)
        assert statistics.engine.websockets == len(driver.open_websockets)
        if self.sid not in core.engine._sessions:
            self._check_gone()
        core.shutdown(now=now)
        driver.drain()
        for w in driver.open_websockets:
            driver.closed(w)
        statistics = core.statistics()
        assert driver.unanswered == []
        assert (statistics.sockets, statistics.connections, statistics.engine.sessions) == (0, 0, 0)
        assert (statistics.engine.exchanges, statistics.engine.websockets) == (0, 0)
        assert all(namespace.pending == 0 for namespace in core.namespaces.values())
        self.ledger_now().close()

    def _check_gone(self) -> None:
        """A closed session is unknown, and so is everything that belonged to it (EIO-CL-09)."""
        driver = self.driver
        assert self.poll not in driver.unanswered
        assert self.post not in driver.unanswered
        for w in (self.transport, self.candidate):
            assert w not in driver.in_flight or w in driver.close_codes
        answer = driver.answers[driver.poll(self.sid)]
        assert (answer.status, b'"code":1' in answer.body) == (400, True)
        assert driver.upgrade(self.sid) in driver.rejected
        assert all(socket.sid != self.sid for socket in self.ledger_now().at("c"))
