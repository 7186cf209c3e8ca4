"""Clients that are cut off and come back get everything once and in order, as a small model says.

The model is the history of one life. While a client is there, it gets what is meant for it; when it
comes back, what was sent behind the last event that it has, as far as that is meant for the rooms
that it had when it was cut off (SIO-CSR-13). A client that is not recovered begins a new life.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sioproto.socketio import Connected, RecoveryConfig, Socket
from tests.harness import PROGRAMS, STEPS, socket_driver
from tests.property.ledger import Ledger

DURATION = 120.0
LONGEST = DURATION * 9 / 8
"""What is cut off is kept for the duration at least, and at most this long."""

index = st.integers(0, 5)
rooms = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True)


someone_is_here = precondition(lambda self: any(person.here for person in self.people))
someone_is_away = precondition(lambda self: not all(person.here for person in self.people))


class Person:
    """A client, and what the model knows of it."""

    def __init__(self, w: str, socket: Socket) -> None:
        self.w = w
        self.begin(socket)

    def begin(self, socket: Socket) -> None:
        """A new life."""
        assert socket.pid is not None
        self.socket = socket
        self.id = socket.id
        self.pid = socket.pid
        self.rooms = {socket.id}
        self.expected: list[int] = []
        self.received: list[int] = []
        self.offset: str | None = None
        self.cut_at: float | None = None
        socket.data["life"] = self.id

    @property
    def here(self) -> bool:
        return self.cut_at is None

    def wanted(self, rooms: list[str], excepted: list[str]) -> bool:
        """Whether a broadcast is meant for it, with the rooms that it has or had."""
        return (not rooms or bool(self.rooms & set(rooms))) and not self.rooms & set(excepted)

    @property
    def last(self) -> int:
        """The last event that it received and could name."""
        return self.received[-1] if self.received else 0


class Recovering(RuleBasedStateMachine):
    """Programs of cuts, returns, broadcasts and time."""

    def __init__(self) -> None:
        super().__init__()
        self.core, self.driver = socket_driver(
            engine={"ping_interval": 1e6},
            recovery=RecoveryConfig(max_disconnection_duration=DURATION),
        )
        self.ledger = Ledger()
        accept = self.driver.on_event

        def on_event(event: Any) -> None:
            self.ledger.enter([event])
            accept(event)

        self.driver.on_event = on_event
        self.namespace = self.core.of("/")
        self.people: list[Person] = []
        self.spent: list[tuple[str, str]] = []
        self.number = 0
        self.log: list[tuple[int, Callable[[Person], bool]]] = []
        self.sent: dict[int, float] = {}

    # Clients

    def join(self, auth: dict[str, Any]) -> tuple[str, Socket, dict[str, str]]:
        """Open a connection and join. Returns the socket and the answer."""
        w, _ = self.driver.open_websocket()
        self.driver.frames[w].clear()
        self.driver.frame(w, f"40{json.dumps(auth)}")
        (answer,) = (str(f) for f in self.driver.frames[w] if str(f).startswith("40"))
        socket = self.driver.events_of(Connected)[-1].socket
        reply = json.loads(answer[2:])
        assert reply == {"sid": socket.id, "pid": socket.pid}
        return w, socket, reply

    def listen(self, person: Person) -> None:
        """Take in what has arrived."""
        frames, self.driver.frames[person.w] = self.driver.frames[person.w], []
        for frame in frames:
            text = str(frame)
            if not text.startswith("42"):
                assert text.startswith(("40", "2")), text
                continue
            name, *args = json.loads(text[text.index("[") :])
            if name == "kept":
                number, person.offset = args  # the offset is the last argument (SIO-CSR-03)
                person.received.append(number)
            else:
                assert args == [], "an offset on what is not kept (SIO-CSR-05)"

    @initialize(number=st.integers(1, 3))
    def begin(self, number: int) -> None:
        """Some people, each of whom has got an event: who has not cannot come back (SIO-CSR-09)."""
        for _ in range(number):
            self.arrive()
        self.broadcast([], [], None)

    @precondition(lambda self: len(self.people) < 4)
    @rule()
    def arrive(self) -> None:
        w, socket, _ = self.join({})
        assert not socket.recovered
        self.people.append(Person(w, socket))

    def pick(self, number: int, here: bool) -> Person:
        people = [person for person in self.people if person.here is here]
        return people[number % len(people)]

    @someone_is_here
    @rule(number=index, unheard=st.integers(0, 3))
    def cut(self, number: int, unheard: int) -> None:
        """Lose a connection, perhaps with what was written last."""
        person = self.pick(number, here=True)
        for _ in range(unheard):
            self.send(person)
        self.driver.drain()
        assert len(self.driver.frames[person.w]) == unheard
        self.driver.closed(person.w)
        person.cut_at = self.driver.now

    @someone_is_here
    @rule(number=index)
    def leave(self, number: int) -> None:
        """What is meant to end is not kept (SIO-CSR-07)."""
        person = self.pick(number, here=True)
        self.driver.frame(person.w, "41")
        self.listen(person)
        self.driver.closed(person.w)
        if person.offset is not None:
            self.spent.append((person.pid, person.offset))
        self.people.remove(person)

    @someone_is_away
    @rule(number=index)
    def come_back(self, number: int) -> None:
        person = self.pick(number, here=False)
        assert person.cut_at is not None
        away = self.driver.now - person.cut_at
        auth = {"pid": person.pid}
        if person.offset is not None:
            auth["offset"] = person.offset
        last, heard = person.last, list(person.received)
        person.w, socket, _ = self.join(auth)
        if person.offset is None or away > LONGEST:
            assert not socket.recovered
        elif away < DURATION and self.all_kept_since(person.last):
            assert socket.recovered
        if not socket.recovered:
            assert socket.id != person.id
            assert socket.pid != person.pid
            person.begin(socket)
            return
        self.spent.append((person.pid, auth["offset"]))
        assert (socket.id, socket.pid) == (person.id, person.pid)
        assert set(socket.rooms) == person.rooms
        assert socket.data == {"life": person.id}
        person.socket = socket
        person.cut_at = None
        self.listen(person)
        person.expected = heard + [
            number for number, meant in self.log if number > last and meant(person)
        ]
        # The proof: nothing is missing, nothing came twice, everything in its place.
        assert person.received == person.expected

    def all_kept_since(self, last: int) -> bool:
        """Whether nothing that was sent behind this number, to anybody, may have been dropped."""
        return all(
            self.driver.now - sent < DURATION for number, sent in self.sent.items() if number > last
        )

    @precondition(lambda self: self.spent)
    @rule(number=index)
    def come_with_a_spent_token(self, number: int) -> None:
        """Each private id is good for one return (SIO-CSR-16)."""
        pid, offset = self.spent[number % len(self.spent)]
        if any(person.pid == pid for person in self.people if not person.here):
            return  # it was cut off again: the same id is good for one more return
        w, socket, _ = self.join({"pid": pid, "offset": offset})
        assert not socket.recovered
        self.people.append(Person(w, socket))
        self.leave_last()

    def leave_last(self) -> None:
        person = self.people.pop()
        self.driver.frame(person.w, "41")
        self.driver.closed(person.w)

    @rule(seconds=st.sampled_from([1.0, 14.0, 61.0, 119.0, 136.0]))
    def sleep(self, seconds: float) -> None:
        self.driver.sleep(seconds)

    # The application

    @someone_is_here
    @rule(number=index, room=st.sampled_from(["a", "b", "c"]), joining=st.booleans())
    def change_room(self, number: int, room: str, joining: bool) -> None:
        person = self.pick(number, here=True)
        if joining:
            person.socket.join(room)
            person.rooms.add(room)
        else:
            person.socket.leave(room)
            person.rooms.discard(room)

    @rule(to=rooms, excepted=rooms, sender=st.none() | index)
    def broadcast(self, to: list[str], excepted: list[str], sender: int | None) -> None:
        person = None
        if sender is not None and any(person.here for person in self.people):
            person = self.pick(sender, here=True)
        operator = self.namespace.to() if person is None else person.socket.broadcast
        operator.to(*to).except_(*excepted).emit("kept", self.next_number())
        sender_id = "" if person is None else person.id
        self.sent_to(lambda each: each.id != sender_id and each.wanted(to, excepted))

    @precondition(lambda self: self.people)
    @rule(number=index)
    def emit(self, number: int) -> None:
        """To one, here or cut off: the application may not have noticed."""
        person = self.people[number % len(self.people)]
        if person.cut_at is None or self.driver.now - person.cut_at < DURATION:
            self.send(person)  # later, whether it is still kept is not for the model to say

    def send(self, person: Person) -> None:
        person.socket.emit("kept", self.next_number())
        id = person.id
        self.sent_to(lambda each: each.id == id)

    def sent_to(self, meant: Callable[[Person], bool]) -> None:
        """Those who are here have to get it; for the others it is kept."""
        self.log.append((self.number, meant))
        for each in self.people:
            if each.here and meant(each):
                each.expected.append(self.number)

    def next_number(self) -> int:
        self.number += 1
        self.sent[self.number] = self.driver.now
        return self.number

    @someone_is_here
    @rule(number=index, how=st.sampled_from(["volatile", "volatile to all", "request"]))
    def emit_what_is_not_kept(self, number: int, how: str) -> None:
        """It reaches who is here, without an offset, and nobody else ever (SIO-CSR-05)."""
        person = self.pick(number, here=True)
        if how == "volatile":
            person.socket.volatile.emit("lost")
        elif how == "volatile to all":
            self.namespace.volatile.emit("lost")
        else:
            id = person.socket.emit_with_ack("lost", timeout=1, now=self.driver.now)
            self.ledger.expect(person.socket, id)
        self.driver.drain()
        assert '["lost"]' in str(self.driver.frames[person.w][-1])

    @invariant()
    def those_who_are_here_have_everything(self) -> None:
        self.driver.drain()
        for person in self.people:
            if person.here:
                self.listen(person)
                assert person.received == person.expected

    def teardown(self) -> None:
        self.core.shutdown(now=self.driver.now)
        self.driver.drain()
        self.ledger.close()


TestRecovering = Recovering.TestCase
TestRecovering.settings = settings(max_examples=PROGRAMS, stateful_step_count=STEPS)
