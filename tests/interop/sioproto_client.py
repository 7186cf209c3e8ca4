"""Runs a scenario with our own client: ``sioproto_client.py SCENARIO URL TRANSPORTS``.

TRANSPORTS is ``default`` (polling, then an upgrade), ``polling`` or ``websocket``. Exit code 0
means that every assertion held. ``--list`` prints the names of the scenarios. ``--revision=3``
speaks that revision of Engine.IO, ``--server=NAME`` says whose the server is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio
import trio.lowlevel

from sioproto import ConnectionRefused
from sioproto.engineio import ClientConfig as EngineConfig
from sioproto.socketio import ClientConfig
from sioproto.trio import ClientSocket, connect

# Below the time that pytest gives a scenario: here it is known what it waited for.
TIMEOUT = 60
TEXTS = ["", "plain", "żółć", "漢字", "🙂👩‍👩‍👧", "\x1e", "\u2028\u2029", "\x00", '"\\/\b']
ALL_BYTES = bytes(range(256))
TRANSPORTS = {
    "default": ("polling", "websocket"),
    "polling": ("polling",),
    "websocket": ("websocket",),
}


@dataclass(frozen=True, kw_only=True)
class Server:
    """What servers do in their own way."""

    recovers: bool = True
    unknown: str = "Invalid namespace"
    cut: tuple[str, ...] = ("transport close", "transport error")
    """Reasons that it gives when the network has cut the connection."""


SERVERS = {
    "socket.io 4": Server(),
    "socket.io 3": Server(recovers=False),
    "socket.io 2": Server(recovers=False),
    # It takes the CLOSE of a client that was cut off for the DISCONNECT of its namespaces.
    "python-socketio": Server(
        recovers=False,
        unknown="Unable to connect",
        cut=("transport close", "transport error", "ping timeout", "client namespace disconnect"),
    ),
}


class HeldStream(trio.abc.Stream):
    """A TCP connection that asks for a WebSocket only when it may."""

    def __init__(self, stream: trio.SocketStream, gate: trio.Event) -> None:
        self._stream = stream
        self._gate = gate

    async def send_all(self, data: Any) -> None:
        if b"upgrade: websocket" in data:
            await self._gate.wait()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


class Person:
    """A client that keeps what it is told."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.streams: list[trio.abc.Stream] = []
        self.gate = trio.Event()
        self.gate.set()
        self.log: list[str] = []
        self.socket: ClientSocket
        self._events: dict[str, list[Any]] = {}
        self._change = trio.Event()

    @asynccontextmanager
    async def connected(self, namespace: str = "/", **options: Any) -> AsyncIterator[Person]:
        names = TRANSPORTS[self.peer.transports]
        query = ()
        if self.peer.revision == 3 and namespace == "/":
            query = tuple(options.pop("auth", {}).items())
        client = connect(
            self.peer.url + namespace,
            engine=EngineConfig(transports=names, query=query),
            engine_revision=self.peer.revision,
            stream_factory=self._open_stream,
            wait=False,
            **options,
        )
        async with client as self.socket:
            manager = self.socket.manager
            manager.on("open")(self.note_transport)
            manager.on("upgrade")(self.note_transport)
            manager.on("ping")(lambda: self._keep("ping"))
            self.listen(self.socket)
            await self.socket.wait_connected()
            yield self

    def listen(self, socket: ClientSocket) -> None:
        for name in ("welcome", "echo", "told", "bye", "numbered"):
            socket.on(name)(lambda *args, name=name: self._keep(name, *args))
        socket.on("connect")(lambda: self._keep("connect"))
        socket.on("disconnect")(lambda reason: self._keep("disconnect", str(reason)))
        socket.on("question")(lambda *args: {"answer": [*args]})

    async def _open_stream(self, host: str, port: int) -> trio.abc.Stream:
        stream = HeldStream(await trio.open_tcp_stream(host, port), self.gate)
        self.streams.append(stream)
        return stream

    async def cut(self) -> None:
        """Break the connection."""
        for stream in self.streams:
            await stream.aclose()

    def note_transport(self) -> None:
        transport = self.socket.manager.transport
        if transport is not None and transport not in self.log:
            self.log.append(transport)

    def _keep(self, name: str, *args: Any) -> None:
        self._events.setdefault(name, []).append(args)
        self._change.set()
        self._change = trio.Event()

    def taken(self, name: str) -> list[Any]:
        """Arguments of the events of this name that came since the last call."""
        return self._events.pop(name, [])

    async def next(self, name: str) -> Any:
        """Arguments of the next event of this name, the first so far; others are kept."""
        while name not in self._events:
            await self._change.wait()
        first, *rest = self.taken(name)
        if rest:
            self._events[name] = rest
        return first

    async def ask(self, name: str, *args: Any) -> Any:
        """Emit an event, and return what acknowledges it."""
        return await self.socket.request(name, *args, timeout=TIMEOUT)

    async def settled(self) -> None:
        """Wait until the last transport is in use."""
        while self.socket.manager.transport != TRANSPORTS[self.peer.transports][-1]:
            await self.ask("echo-ack")


class Peer:
    """Who runs a scenario."""

    def __init__(
        self,
        url: str,
        transports: str,
        people: AsyncExitStack,
        server: Server,
        revision: int,
    ) -> None:
        self.url = url
        self.revision = revision
        self.server = server
        self.recovers = server.recovers and revision == 4
        self.transports = transports
        self._people = people

    async def connected(self, namespace: str = "/", **options: Any) -> Person:
        person = Person(self).connected(namespace, **options)
        return await self._people.enter_async_context(person)

    async def refusal(self, namespace: str = "/", **auth: str) -> ConnectionRefused:
        """Why the server does not admit somebody."""
        try:
            await self.connected(namespace, auth=auth)
        except ConnectionRefused as refusal:
            return refusal
        raise AssertionError("not refused")


def equal(actual: object, expected: object) -> None:
    assert actual == expected, f"\n  got    {actual!r:.400}\n  wanted {expected!r:.400}"


async def transports(peer: Peer) -> None:
    ann = await peer.connected()
    await ann.settled()
    equal(await ann.ask("echo-ack", 1), 1)
    equal(tuple(ann.log), TRANSPORTS[peer.transports])


async def connect_(peer: Peer) -> None:
    ann = await peer.connected(auth={"user": "żółć"})
    equal(await ann.next("welcome"), (ann.socket.id, "żółć"))
    equal(ann.socket.id == ann.socket.manager.core.engine.sid, peer.revision == 3)
    equal(await ann.ask("echo-ack", 1), 1)


async def refusals(peer: Peer) -> None:
    wrong = await peer.refusal(token="wrong")
    message = "" if peer.revision == 3 else "wrong token"  # there is room for one value
    equal((wrong.message, wrong.data), (message, {"retry": False}))
    old = await peer.refusal(token="old")
    equal((old.message, old.data), ("old token", None))
    equal((await peer.refusal("/nowhere")).message, peer.server.unknown)
    ann = await peer.connected()
    equal(await ann.ask("echo-ack", 1), 1)


async def text(peer: Peer) -> None:
    ann = await peer.connected()
    values: list[Any] = [*TEXTS, "x" * 100_000, 0, -1.5, 1e21, True, None, [], {}]
    values.append([[1], {"a": [None]}])
    for phase in ("first", "settled"):
        for value in values:
            ann.socket.emit("echo", value, phase)
        ann.socket.emit("echo")
        await ann.ask("echo-ack")
        await handled(ann)
        equal(ann.taken("echo"), [*((value, phase) for value in values), ()])
        await ann.settled()


async def handled(person: Person) -> None:
    """An acknowledgement may overtake events that wait for their handlers; a question cannot."""
    equal(await person.ask("ask-me", "done"), {"answer": ["done"]})


async def binary(peer: Peer) -> None:
    ann = await peer.connected()
    large = ALL_BYTES * 800
    values: list[tuple[Any, ...]] = [
        (ALL_BYTES,),
        (b"",),
        ("text", {"deep": [ALL_BYTES, {"deeper": large}]}, ALL_BYTES),
        ({"_placeholder": False, "num": 7}, ALL_BYTES),
    ]
    for _ in range(2):
        for value in values:
            ann.socket.emit("echo", *value)
        equal(await ann.ask("echo-ack", ALL_BYTES, {"deep": large}), (ALL_BYTES, {"deep": large}))
        await handled(ann)
        equal(ann.taken("echo"), values)
        await ann.settled()


async def acknowledgements(peer: Peer) -> None:
    ann = await peer.connected()
    equal(await ann.ask("echo-ack", 1, "two", [3]), (1, "two", [3]))
    equal(await ann.ask("echo-ack"), None)
    for _ in range(2):
        equal(await ann.ask("ask-me", "why", 1), {"answer": ["why", 1]})
        equal(await ann.ask("ask-me", b"\x00\x01\xfe\xff"), {"answer": [b"\x00\x01\xfe\xff"]})
        await ann.settled()


async def namespaces(peer: Peer) -> None:
    ann = await peer.connected(auth={"user": "main"})
    main, manager = ann.socket, ann.socket.manager
    custom = manager.of("/custom", auth={"user": "custom"})
    heard: list[Any] = []
    custom.on("echo")(lambda *args: heard.append(args))
    welcomes: list[Any] = []
    custom.on("welcome")(lambda *args: welcomes.append(args))
    await custom.wait_connected()
    for number in range(10):
        (main if number % 2 else custom).emit("echo", number, bytes([number]))
    equal(await custom.request("echo-ack", "custom"), "custom")
    await handled(ann)
    equal(await ann.next("welcome"), (main.id, "main"))
    equal(welcomes, [(custom.id, "custom")])
    assert main.id != custom.id
    equal(ann.taken("echo"), [(number, bytes([number])) for number in range(1, 10, 2)])
    equal(heard, [(number, bytes([number])) for number in range(0, 10, 2)])
    former, sid = custom.id, main.manager.core.engine.sid
    custom.disconnect()
    custom.connect()
    departure = await ann.ask("departure-of", former)
    equal([entry[:2] for entry in departure], leaving("client namespace disconnect"))
    await custom.wait_connected()
    equal(custom.id == former, peer.revision == 3)
    equal(main.manager.core.engine.sid, sid)
    equal(await custom.request("echo-ack", 1), await ann.ask("echo-ack", 1))


async def rooms(peer: Peer) -> None:
    a, b, c = [await peer.connected() for _ in range(3)]

    async def take(speaker: Person) -> list[list[Any]]:
        # The speaker asks first: only then has the server handled what it said.
        for person in (speaker, a, b, c):
            await handled(person)
        return [person.taken("told") for person in (a, b, c)]

    ids = [person.socket.id for person in (a, b, c)]
    equal(await a.ask("join", "red", "blue"), [ids[0], "red", "blue"])
    equal(await b.ask("join", "red"), [ids[1], "red"])
    equal(await c.ask("join", "blue"), [ids[2], "blue"])
    a.socket.emit("tell-room", ["red"], 1)
    equal(await take(a), [[], [(ids[0], 1)], []])
    b.socket.emit("tell-room", ["red", "blue"], b"\1\2\3", "🙂")  # a is in both, and hears it once
    told = [(ids[1], b"\1\2\3", "🙂")]
    equal(await take(b), [told, [], told])
    a.socket.emit("tell-room", [ids[2]], "private")
    equal(await take(a), [[], [], [(ids[0], "private")]])
    a.socket.emit("tell-everybody-but", "red", 2)
    equal(await take(a), [[], [], [(ids[0], 2)]])
    equal(await b.ask("leave", "red"), [ids[1]])
    a.socket.emit("tell-room", ["red"], 3)
    equal(await take(a), [[], [], []])
    a.socket.emit("tell-room", ["nobody-is-here"], 4)
    equal(await take(a), [[], [], []])


def leaving(reason: str) -> list[list[str]]:
    """How a departure begins for each of the two reserved events."""
    return [["disconnecting", reason], ["disconnect", reason]]


async def departures(peer: Peer) -> None:
    witness = await peer.connected()

    async def departure(leave: Callable[[Person], Awaitable[object]]) -> tuple[str, str]:
        person = await peer.connected(config=ClientConfig(reconnection=False))
        await person.settled()
        id = person.socket.id
        await person.ask("join", "room")
        await leave(person)
        (reason,) = await person.next("disconnect")
        assert not person.socket.connected
        told = await witness.ask("departure-of", id)
        server_reason = told[0][1]
        equal([entry[:2] for entry in told], leaving(server_reason))
        equal([entry[2] for entry in told], [[id, "room"], []])
        return reason, server_reason

    async def go(person: Person) -> None:
        person.socket.disconnect()

    equal(await departure(go), ("io client disconnect", "client namespace disconnect"))
    for close in (False, True):

        async def ask_for_it(person: Person, close: bool = close) -> None:
            person.socket.emit("kick-me", close)
            equal(await person.next("bye"), ())  # what was sent before the end still arrives

        kicked = await departure(ask_for_it)
        equal(kicked, ("io server disconnect", "server namespace disconnect"))
    told, seen = await departure(Person.cut)
    equal(told, "transport error")
    assert seen in peer.server.cut, seen


async def heartbeats(peer: Peer) -> None:
    ann = await peer.connected()
    await ann.settled()
    id = ann.socket.id
    for _ in range(3):
        await ann.next("ping")
        equal(ann.taken("disconnect"), [])
    equal(await ann.ask("echo-ack", 1), 1)
    equal(ann.socket.id, id)


async def recovery(peer: Peer) -> None:
    ann = await peer.connected(config=ClientConfig(reconnection_delay=0.2))
    await ann.settled()
    await ann.ask("join", "lobby")
    speaker = await peer.connected()

    def tell(room: str, number: int) -> None:
        speaker.socket.emit("tell-room", [room], number, bytes([number]))

    tell("lobby", 0)
    await handled(speaker)
    await handled(ann)
    id = ann.socket.id
    await ann.next("connect")
    await ann.cut()
    await ann.next("disconnect")
    await trio.lowlevel.checkpoint()  # it is away, for a while
    for number in (1, 2, 3):
        tell("lobby", number)
    tell("elsewhere", 8)
    speaker.socket.emit("tell-everybody-but", "lobby", 9)
    await handled(speaker)
    await ann.next("connect")
    equal(ann.socket.recovered, peer.recovers)
    equal(ann.socket.id == id, peer.recovers)
    tell("lobby", 4)
    await handled(speaker)
    await handled(ann)
    # The last argument is the offset.
    received = [args[1:3] for args in ann.taken("told")]
    equal(received, [(number, bytes([number])) for number in range(5 if peer.recovers else 1)])
    equal(await ann.ask("join"), [id, "lobby"] if peer.recovers else [ann.socket.id])


async def reconnection(peer: Peer) -> None:
    """The server goes away and comes back on the same port."""
    config = ClientConfig(reconnection_delay=0.02, reconnection_delay_max=0.1)
    ann = await peer.connected(config=config)
    await ann.settled()
    former = ann.socket.id
    await ann.next("connect")
    say("connected")
    (reason,) = await ann.next("disconnect")
    ann.socket.emit("echo", "while away")
    say(reason)
    await ann.next("connect")
    assert ann.socket.id != former
    assert not ann.socket.recovered
    await handled(ann)
    equal(ann.taken("echo"), [("while away",)])
    await ann.settled()


async def upgrades(peer: Peer) -> None:
    """Many clients at once, each busy while its connection changes transports."""
    clients, events = 200, 50
    ordered = list(range(events))
    ids = set()

    async def client() -> None:
        person = Person(peer)
        person.gate = trio.Event()  # no candidate before the namespace is joined
        async with person.connected():
            acknowledged: list[int] = []

            async def number(value: int) -> None:
                acknowledged.append(await person.ask("number", value))

            equal(person.socket.manager.transport, "polling")
            person.gate.set()
            async with trio.open_nursery() as nursery:
                for value in ordered:
                    # Tasks start in any order: this one has emitted before the next one starts.
                    started = trio.Event()

                    async def emit(value: int = value, started: trio.Event = started) -> None:
                        started.set()
                        await number(value)

                    nursery.start_soon(emit)
                    await started.wait()
                    if value > 20 and person.socket.manager.transport == "polling":
                        await trio.sleep(0.002)
                await person.settled()
            equal(await person.ask("numbers"), ordered)
            equal(sorted(acknowledged), ordered)
            await handled(person)
            equal([args[0] for args in person.taken("numbered")], ordered)
            ids.add(person.socket.id)

    async with trio.open_nursery() as nursery:
        for _ in range(clients):
            nursery.start_soon(client)
    equal(len(ids), clients)


SCENARIOS = {
    "transports": transports,
    "connect": connect_,
    "refusals": refusals,
    "text": text,
    "binary": binary,
    "acknowledgements": acknowledgements,
    "namespaces": namespaces,
    "rooms": rooms,
    "departures": departures,
    "heartbeats": heartbeats,
    "recovery": recovery,
    "reconnection": reconnection,
    "restart": reconnection,
    "upgrades": upgrades,
}


def say(line: str) -> None:
    """Tell whoever started this."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(options: argparse.Namespace) -> None:
    with trio.fail_after(TIMEOUT):
        async with AsyncExitStack() as people:
            peer = Peer(
                options.url,
                options.transports,
                people,
                SERVERS[options.server],
                options.revision,
            )
            await SCENARIOS[options.scenario](peer)


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        say("\n".join(SCENARIOS))
    else:
        parser = argparse.ArgumentParser()
        parser.add_argument("--revision", type=int, default=4)
        parser.add_argument("--server", choices=SERVERS, default="socket.io 4")
        parser.add_argument("scenario", choices=SCENARIOS)
        parser.add_argument("url")
        parser.add_argument("transports", choices=TRANSPORTS)
        trio.run(main, parser.parse_args())
