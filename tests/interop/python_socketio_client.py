"""Runs a scenario with python-socketio: ``python_socketio_client.py SCENARIO URL TRANSPORTS``.

TRANSPORTS is ``default`` (polling, then an upgrade), ``polling`` or ``websocket``. Exit code 0
means that every assertion held. ``--list`` prints the names of the scenarios.

This is its asyncio client: that for threads handles each packet in a thread of its own, and so
promises no order.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import socketio
from engineio.payload import Payload

# Below the time that pytest gives a scenario: here it is known what it waited for.
TIMEOUT = 60
TEXTS = ["", "plain", "żółć", "漢字", "🙂👩‍👩‍👧", "\x1e", "\u2028\u2029", "\x00", '"\\/\b']
ALL_BYTES = bytes(range(256))
FINAL_TRANSPORT = {"default": "websocket", "polling": "polling", "websocket": "websocket"}

# It drops a connection on which one poll has more packets than this: 16, unless told otherwise.
Payload.max_decode_packets = 500


class Person:
    """A client that keeps what it is told."""

    def __init__(self, peer: Peer, **options: Any) -> None:
        self.log = Log()
        logger = logging.Logger("engineio")
        logger.addHandler(self.log)
        self.client = socketio.AsyncClient(
            **{"reconnection": False, "engineio_logger": logger} | options
        )
        self.peer = peer
        self.refusal: Any = None
        self._events: dict[str, list[Any]] = {}

    async def connect(self, *namespaces: str, **auth: str) -> Person:
        """Connect, to the namespace ``/`` unless others are named."""
        namespaces = namespaces or ("/",)
        for namespace in namespaces:
            for name in ("connect", "disconnect", "welcome", "echo", "told", "bye", "numbered"):
                self.client.on(name, self._keeper(name), namespace=namespace)
            self.client.on("connect_error", self._note_refusal, namespace=namespace)
            self.client.on("question", lambda *args: {"answer": [*args]}, namespace=namespace)
        await self.client.connect(
            self.peer.url,
            auth=auth,
            transports=None if self.peer.transports == "default" else [self.peer.transports],
            namespaces=[*namespaces],
            wait_timeout=TIMEOUT,
        )
        return self

    def _keeper(self, name: str) -> Callable[..., None]:
        def keep(*args: Any) -> None:
            self._events.setdefault(name, []).append(args)
            self.log.changed.set()

        return keep

    def _note_refusal(self, reason: Any) -> None:
        self.refusal = reason

    @property
    def id(self) -> str:
        return str(self.client.get_sid("/"))

    def taken(self, name: str) -> list[Any]:
        """Arguments of the events of this name that came since the last call."""
        return self._events.pop(name, [])

    async def next(self, name: str) -> Any:
        """Arguments of the next event of this name, the only one so far."""
        while name not in self._events:
            await self.log.change()
        (args,) = self.taken(name)
        return args

    async def emit(self, name: str, *args: Any, namespace: str = "/") -> None:
        await self.client.emit(name, args, namespace=namespace)

    async def ask(self, name: str, *args: Any, namespace: str = "/") -> Any:
        """Emit an event, and return what acknowledges it."""
        return await self.client.call(name, args, namespace=namespace, timeout=TIMEOUT)


class Log(logging.Handler):
    """What an Engine.IO client says of its packets, which it has no event for."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.changed = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.changed.set()

    async def change(self) -> None:
        """Return when there is something new, here or elsewhere."""
        self.changed.clear()
        await self.changed.wait()

    def count(self, text: str) -> int:
        return sum(text in line for line in self.lines)


class Peer:
    """Who runs a scenario."""

    def __init__(self, url: str, transports: str) -> None:
        self.url = url
        self.transports = transports
        self.people: list[Person] = []

    def person(self, **options: Any) -> Person:
        person = Person(self, **options)
        self.people.append(person)
        return person

    async def connected(self, *namespaces: str, **auth: str) -> Person:
        return await self.person().connect(*namespaces, **auth)

    async def refusal(self, *namespaces: str, **auth: str) -> Any:
        """Why the server does not admit somebody."""
        person = self.person()
        try:
            await person.connect(*namespaces, **auth)
        except socketio.exceptions.ConnectionError:
            return person.refusal
        raise AssertionError("not refused")


def equal(actual: object, expected: object) -> None:
    assert actual == expected, f"\n  got    {actual!r:.400}\n  wanted {expected!r:.400}"


async def transports(peer: Peer) -> None:
    ann = await peer.connected()
    equal(ann.client.transport(), FINAL_TRANSPORT[peer.transports])
    equal(ann.log.count("Attempting polling connection"), peer.transports != "websocket")
    equal(ann.log.count("Attempting WebSocket upgrade"), peer.transports == "default")
    equal(await ann.ask("echo-ack", 1), 1)


async def connect(peer: Peer) -> None:
    ann = await peer.connected(user="żółć")
    equal(await ann.next("welcome"), (ann.id, "żółć"))
    assert ann.id != ann.client.eio.sid
    equal(await ann.ask("echo-ack", 1), 1)


async def refusals(peer: Peer) -> None:
    equal(await peer.refusal(token="wrong"), {"message": "wrong token", "data": {"retry": False}})
    equal(await peer.refusal(token="old"), {"message": "old token"})
    equal(await peer.refusal("/nowhere"), {"message": "Invalid namespace"})
    ann = await peer.connected()
    equal(await ann.ask("echo-ack", 1), 1)


async def text(peer: Peer) -> None:
    ann = await peer.connected()
    values: list[Any] = [*TEXTS, "x" * 100_000, 0, -1.5, 1e21, True, None, [], {}]
    values.append([[1], {"a": [None]}])
    for value in values:
        await ann.emit("echo", value, "text")
    await ann.emit("echo")
    await ann.ask("echo-ack")
    equal(ann.taken("echo"), [*((value, "text") for value in values), ()])


async def binary(peer: Peer) -> None:
    ann = await peer.connected()
    large = ALL_BYTES * 800
    values: list[tuple[Any, ...]] = [
        (ALL_BYTES,),
        (b"",),
        ("text", {"deep": [ALL_BYTES, {"deeper": large}]}, ALL_BYTES),
        ({"_placeholder": False, "num": 7}, ALL_BYTES),
    ]
    for value in values:
        await ann.emit("echo", *value)
    equal(await ann.ask("echo-ack", ALL_BYTES, {"deep": large}), (ALL_BYTES, {"deep": large}))
    equal(ann.taken("echo"), values)


async def acknowledgements(peer: Peer) -> None:
    ann = await peer.connected()
    equal(await ann.ask("echo-ack", 1, "two", [3]), (1, "two", [3]))
    equal(await ann.ask("echo-ack"), None)
    equal(await ann.ask("ask-me", "why", 1), {"answer": ["why", 1]})
    equal(await ann.ask("ask-me", b"\x00\x01\xfe\xff"), {"answer": [b"\x00\x01\xfe\xff"]})


async def namespaces(peer: Peer) -> None:
    ann = await peer.connected("/", "/custom", user="ann")
    ids = [ann.client.get_sid(name) for name in ("/", "/custom")]
    assert ids[0] != ids[1]
    for number in range(10):
        await ann.emit("echo", number, bytes([number]), namespace="/custom" if number % 2 else "/")
    for name in ("/", "/custom"):
        equal(await ann.ask("echo-ack", name, namespace=name), name)
    equal(sorted(ann.taken("welcome")), sorted((id, "ann") for id in ids))
    echoes = ann.taken("echo")
    for parity in (0, 1):  # in order, within a namespace
        one = [args for args in echoes if args[0] % 2 == parity]
        equal(one, [(number, bytes([number])) for number in range(parity, 10, 2)])
    await ann.emit("kick-me", False, namespace="/custom")
    equal(await ann.next("disconnect"), ("server disconnect",))
    departure = await ann.ask("departure-of", ids[1])
    equal([entry[:2] for entry in departure], leaving("server namespace disconnect"))
    equal(list(ann.client.namespaces), ["/"])


async def rooms(peer: Peer) -> None:
    a, b, c = [await peer.connected() for _ in range(3)]

    async def take(speaker: Person) -> list[list[Any]]:
        # The speaker asks first: only then has the server handled what it said.
        for person in (speaker, a, b, c):
            await person.ask("echo-ack")
        return [person.taken("told") for person in (a, b, c)]

    equal(await a.ask("join", "red", "blue"), [a.id, "red", "blue"])
    equal(await b.ask("join", "red"), [b.id, "red"])
    equal(await c.ask("join", "blue"), [c.id, "blue"])
    await a.emit("tell-room", ["red"], 1)
    equal(await take(a), [[], [(a.id, 1)], []])
    await b.emit("tell-room", ["red", "blue"], b"\1\2\3", "🙂")  # a is in both, and hears it once
    told = [(b.id, b"\1\2\3", "🙂")]
    equal(await take(b), [told, [], told])
    await a.emit("tell-room", [c.id], "private")
    equal(await take(a), [[], [], [(a.id, "private")]])
    await a.emit("tell-everybody-but", "red", 2)
    equal(await take(a), [[], [], [(a.id, 2)]])
    equal(await b.ask("leave", "red"), [b.id])
    await a.emit("tell-room", ["red"], 3)
    equal(await take(a), [[], [], []])
    await a.emit("tell-room", ["nobody-is-here"], 4)
    equal(await take(a), [[], [], []])


def leaving(reason: str) -> list[list[str]]:
    """How a departure begins for each of the two reserved events."""
    return [["disconnecting", reason], ["disconnect", reason]]


async def departures(peer: Peer) -> None:
    witness = await peer.connected()

    async def departure(leave: Callable[[Person], Awaitable[object]]) -> tuple[str, str]:
        person = await peer.connected()
        id = person.id
        await person.ask("join", "room")
        await leave(person)
        (reason,) = await person.next("disconnect")
        told = await witness.ask("departure-of", id)
        equal([entry[:2] for entry in told], leaving(told[0][1]))
        equal([entry[2] for entry in told], [[id, "room"], []])
        return reason, told[0][1]

    reason, told = await departure(lambda person: person.client.disconnect())
    equal(reason, "client disconnect")
    assert told in {"client namespace disconnect", "transport close"}, told
    for close in (False, True):

        async def ask_for_it(person: Person, close: bool = close) -> None:
            await person.emit("kick-me", close)
            equal(await person.next("bye"), ())  # what was sent before the end still arrives

        kicked = await departure(ask_for_it)
        equal(kicked, ("server disconnect", "server namespace disconnect"))
    closed = await departure(lambda person: person.client.eio.disconnect())
    equal(closed, ("client disconnect", "transport close"))


async def heartbeats(peer: Peer) -> None:
    ann = await peer.connected()
    id = ann.id
    for beat in range(1, 4):
        while ann.log.count("Received packet PING") < beat:
            await ann.log.change()
        equal(ann.taken("disconnect"), [])
    equal(await ann.ask("echo-ack", 1), 1)
    equal(ann.id, id)


async def reconnection(peer: Peer) -> None:
    """The server goes away and comes back on the same port."""
    ann = peer.person(reconnection=True, reconnection_delay=0.02, reconnection_delay_max=0.1)
    await ann.connect()
    former = ann.id
    await ann.next("connect")
    say("connected")
    (reason,) = await ann.next("disconnect")
    say(reason)
    await ann.next("connect")
    assert ann.id != former
    await ann.ask("echo-ack", 1)
    equal(ann.client.transport(), FINAL_TRANSPORT[peer.transports])


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        transports,
        connect,
        refusals,
        text,
        binary,
        acknowledgements,
        namespaces,
        rooms,
        departures,
        heartbeats,
        reconnection,
    )
}


def say(line: str) -> None:
    """Tell whoever started this."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(name: str, url: str, transports_name: str) -> None:
    peer = Peer(url, transports_name)
    async with asyncio.timeout(TIMEOUT):
        await SCENARIOS[name](peer)
        for person in peer.people:
            await person.client.shutdown()


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        say("\n".join(SCENARIOS))
    else:
        asyncio.run(main(*sys.argv[1:]))
