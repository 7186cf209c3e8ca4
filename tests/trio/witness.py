"""What was sent and what arrived, written down by both sides, and held against what was promised.

Everything that is sent has a number of its own. A *visit* is one connection of one socket: both
sides know it by the id of the socket and that of the session. A *life* is all that a client's
socket lives through under one id: a visit, and those that recovered it.
"""

from __future__ import annotations

from collections import Counter
from math import inf

Visit = tuple[str | None, str | None]
TO_ALL = ""
"""Instead of the id of a socket: meant for everybody."""
SOON = 0.2
"""A time limit counts from when it was set, which may be so long before the event is sent."""


def payload_of(number: int) -> str | bytes | list[str | bytes]:
    """What goes along with a number. Now and then it is large, or has attachments."""
    if number % 97 == 0:
        return "é" * (number % 20_000)
    if number % 89 == 0:
        return [bytes(range(256)) * (number % 80), "", b"x" * (number % 7)]
    return bytes((number % 256,)) if number % 11 == 0 else str(number)


class Judge:
    """Hears what should not have happened."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.failed = 0

    def check(self, good: bool, words: str) -> None:
        """Something has to hold."""
        if not good:
            self.failed += 1
            if len(self.failures) < 20:
                self.failures.append(words)


class Outbox:
    """What one server has emitted that can be recovered, in order: for whom, and the number."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, int]] = []
        self._places: dict[int, int] = {}
        self._times: dict[int, float] = {}

    def add(self, target: str, number: int, now: float) -> None:
        """It is emitted now."""
        self._places[number] = len(self.emitted)
        self._times[number] = now
        self.emitted.append((target, number))

    def time_of(self, number: int) -> float:
        """When it was emitted."""
        return self._times[number]

    def since(self, number: int, id: str) -> list[int]:
        """The numbers for a socket, from this one on."""
        place = self._places[number]
        return [number for target, number in self.emitted[place:] if target in (TO_ALL, id)]


class Life:
    """What one client received under one id."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.received: list[int] = []

    def judge(self, outbox: Outbox, judge: Judge, *, complete: bool) -> None:
        """No gap and no repeat; nothing missing at the end if it is ``complete``."""
        if not self.received:
            judge.check(not complete, f"{self.id} has received nothing")
            return
        wanted = outbox.since(self.received[0], self.id)
        if not complete:
            wanted = wanted[: len(self.received)]
        if self.received != wanted:
            pairs = enumerate(zip(self.received, wanted, strict=False))
            at = next((i for i, (got, meant) in pairs if got != meant), len(self.received))
            judge.check(
                False,
                f"{self.id} received {self.received[at - 2 : at + 4]} at {at} of "
                f"{len(self.received)}, where {wanted[at - 2 : at + 4]} was meant",
            )


class Witness:
    """What one client and its server know of each other.

    Args:
        name: of the client.
        retries: how often it sends an event again.
        ack_timeout: seconds that an attempt is given.
        outbox: what its server emits.
        judge: hears of what is wrong.
    """

    def __init__(
        self, name: str, retries: int, ack_timeout: float, outbox: Outbox, judge: Judge
    ) -> None:
        self.name = name
        self._retries = retries
        self._ack_timeout = ack_timeout
        self._outbox = outbox
        self._judge = judge
        self._attempts: dict[int, list[tuple[Visit, float]]] = {}
        self._fleeting: set[int] = set()
        self._arrivals: Counter[int] = Counter()
        self._sent_on: dict[Visit, list[int]] = {}
        self._arrived_on: dict[Visit, list[int]] = {}
        self._acknowledged: set[int] = set()
        self._heard: Counter[int] = Counter()
        self.lives: list[Life] = []
        self.visits = 0
        self.recoveries = 0

    def _check(self, good: bool, words: str) -> None:
        self._judge.check(good, f"{self.name}: {words}")

    # From the client to the server

    def is_fleeting(self, number: int) -> None:
        """This number will be sent once, or not at all."""
        self._fleeting.add(number)

    def sends(self, number: int, visit: Visit, now: float) -> None:
        """The client sends an event."""
        attempts = self._attempts.setdefault(number, [])
        self._check(number not in self._acknowledged, f"{number} is sent though acknowledged")
        if attempts:
            may = self._retries if number not in self._fleeting else 0
            self._check(len(attempts) <= may, f"{number} is sent once more than allowed")
            before, then = attempts[-1]
            waited = now - then >= self._ack_timeout - SOON
            self._check(visit != before or waited, f"{number} is sent again too early")
        attempts.append((visit, now))
        self._sent_on.setdefault(visit, []).append(number)

    def arrives(self, number: int, payload: object, visit: Visit) -> None:
        """The server hears an event: in order, without a gap, and as often as it was sent."""
        self._check(payload == payload_of(number), f"{number} arrives with another payload")
        self._arrivals[number] += 1
        times, attempts = self._arrivals[number], len(self._attempts.get(number, ()))
        self._check(times <= attempts, f"{number} arrives {times} times, sent {attempts} times")
        arrived = self._arrived_on.setdefault(visit, [])
        sent = self._sent_on.get(visit, [])
        place = len(arrived)
        arrived.append(number)
        good = place < len(sent) and sent[place] == number
        self._check(good, f"{number} is not what was sent as number {place} of {visit}")

    def acknowledged(self, number: int) -> None:
        """The client sees the acknowledgement of an event."""
        self._acknowledged.add(number)
        self._check(self._arrivals[number] > 0, f"{number} is acknowledged and never arrived")

    # From the server to the client

    def connects(self, id: str | None, recovered: bool) -> None:
        """The client is connected."""
        self.visits += 1
        if recovered:
            self.recoveries += 1
            known = [life.id for life in self.lives[-1:]]  # no id if it is gone already
            self._check(id is None or known == [id], f"{id} is recovered, and was {known} before")
        else:
            self.lives.append(Life(id or ""))

    def receives(self, target: str, number: int, payload: object) -> None:
        """The client receives an event that can be recovered."""
        life = self.lives[-1]
        life.id = life.id or target
        self._check(payload == payload_of(number), f"{number} is received with another payload")
        self._check(target in (TO_ALL, life.id), f"{number} for {target} is received by {life.id}")
        life.received.append(number)

    @property
    def up_to(self) -> float:
        """When the last was emitted that the client has received under the id that it has."""
        received = self.lives[-1].received if self.lives else []
        return self._outbox.time_of(received[-1]) if received else -inf

    def has_received(self, number: int) -> bool:
        """Whether this is the last that the client has received."""
        return self.lives[-1].received[-1:] == [number]

    def hears(self, number: int, payload: object) -> None:
        """The client receives an event that cannot be recovered: at most once."""
        self._heard[number] += 1
        self._check(payload == payload_of(number), f"{number} is heard with another payload")
        self._check(self._heard[number] == 1, f"{number} is heard again")

    def answered(self, number: int) -> None:
        """The server sees the acknowledgement of an event."""
        self._check(self._heard[number] == 1, f"{number} is acknowledged and was never heard")

    # The end

    def judge(self, visit: Visit) -> None:
        """All is over, and this is the visit that lasts: nothing is missing on it."""
        for life in self.lives[:-1]:
            life.judge(self._outbox, self._judge, complete=False)
        self.lives[-1].judge(self._outbox, self._judge, complete=True)
        sent, arrived = self._sent_on.get(visit, []), self._arrived_on.get(visit, [])
        self._check(sent == arrived, f"of {len(sent)} events, {len(arrived)} arrived in the end")
        if self._retries:
            lost = [
                number
                for number, attempts in self._attempts.items()
                if not self._arrivals[number]
                and number not in self._fleeting
                and len(attempts) <= self._retries
            ]
            self._check(not lost, f"{lost[:5]} were not retried to the end")

    @property
    def figures(self) -> Counter[str]:
        """How much there was."""
        return Counter(
            {
                "sent": sum(map(len, self._attempts.values())),
                "arrived": self._arrivals.total(),
                "acknowledged": len(self._acknowledged),
                "repeats": sum(times - 1 for times in self._arrivals.values()),
                "received": sum(len(life.received) for life in self.lives),
                "heard": self._heard.total(),
                "visits": self.visits,
                "reconnections": max(self.visits - 1, 0),
                "recoveries": self.recoveries,
            }
        )
