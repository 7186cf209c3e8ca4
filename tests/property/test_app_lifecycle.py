"""The life of a socket as handlers see it, on a clock that jumps.

Middleware before ``connection``, ``connection`` before any event, ``disconnecting`` before
``disconnect``, nothing after (SIO-DISC-03); one handler of a socket at a time, events in the order
in which the client sent them (SIO-EVT-02); rooms full in ``disconnecting`` and empty in
``disconnect`` (SIO-ROOM-06). Whatever clients do, and whatever handlers take their time for.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from sioproto import AckTimeout, ClosedError, ConnectionRefused
from sioproto.trio import Server, Socket
from tests.harness import PROGRAMS
from tests.trio.support import Client, MemoryListener, SocketClient, open_websocket, serving

LIFE = re.compile("u(Cc(Ee)*GgDd)?")
"""Begin and end of each handler: middleware, connection, events, goodbye, disconnect."""

seconds = st.sampled_from([0.0, 0.0, 1.0, 5.0])
STEPS = st.one_of(
    st.tuples(st.just("join"), st.sampled_from(["", "/other,"])),
    st.tuples(st.just("event"), st.sampled_from(["", "", "/other,"])),
    st.tuples(st.just("event"), st.sampled_from(["", "/other,"])),
    st.tuples(st.just("question"), st.sampled_from(["", "/other,"])),
    st.tuples(st.just("leave"), st.sampled_from(["", "/other,"])),
    st.tuples(st.just("wait"), seconds),
    st.tuples(st.sampled_from(["vanish", "nonsense", "server disconnects"]), st.just("")),
)


@dataclass(frozen=True)
class Plan:
    """How long each handler takes, and what else it does."""

    middleware: float
    refuses: bool
    connection: float
    in_connection: str
    event: float
    in_event: str
    disconnecting: float


plans = st.builds(
    Plan,
    middleware=seconds,
    refuses=st.sampled_from([False, False, False, True]),
    connection=seconds,
    in_connection=st.sampled_from(["", "", "disconnect", "disconnect(close)", "request"]),
    event=seconds,
    in_event=st.sampled_from(["", "", "", "disconnect", "disconnect(close)", "request", "emit"]),
    disconnecting=seconds,
)


class Witness:
    """What the handlers of one socket saw: a letter at the begin, a letter at the end."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.seen = ""
        self.numbers: list[int] = []
        self.reasons: list[str] = []

    def begins(self, letter: str) -> None:
        running = self.seen and self.seen[-1] in "CEGD"
        assert not running, f"{letter} while {self.seen[-1]} runs"
        self.seen += letter


class Application:
    """A server whose handlers follow a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.witnesses: list[Witness] = []
        self.io = Server()
        for namespace in (self.io.of("/"), self.io.of("/other")):
            namespace.use(self.middleware)
            namespace.on("connection")(self.connection)

    async def middleware(self, socket: Socket) -> None:
        witness = Witness(socket)
        self.witnesses.append(witness)
        witness.begins("u")
        assert not socket.connected
        await trio.sleep(self.plan.middleware)
        if self.plan.refuses:
            raise ConnectionRefused("no")
        socket.witness = witness

    async def connection(self, socket: Socket) -> None:
        witness: Witness = socket.witness
        witness.begins("C")

        @socket.on("e")
        async def event(number: int) -> None:
            witness.begins("E")
            witness.numbers.append(number)
            await self.act(socket, self.plan.event, self.plan.in_event)
            witness.seen += "e"

        @socket.on("disconnecting")
        async def disconnecting(reason: str) -> None:
            witness.begins("G")
            assert socket.id in socket.rooms
            assert not socket.connected
            await trio.sleep(self.plan.disconnecting)
            assert socket.id in socket.rooms
            witness.reasons.append(reason)
            witness.seen += "g"

        @socket.on("disconnect")
        def disconnect(reason: str) -> None:
            witness.begins("D")
            assert list(socket.rooms) == []
            witness.reasons.append(reason)
            witness.seen += "d"

        socket.join("room")
        await self.act(socket, self.plan.connection, self.plan.in_connection)
        witness.seen += "c"

    async def act(self, socket: Socket, seconds: float, how: str) -> None:
        await trio.sleep(seconds)
        if how.startswith("disconnect"):
            socket.disconnect(how == "disconnect(close)")
        elif how == "emit":
            socket.to("room").emit("e", 1)
            socket.emit("e", b"x")
        elif how == "request":
            with suppress(AckTimeout, ClosedError):
                await socket.request("q", timeout=2)


async def converse(
    app: Application, listener: MemoryListener, steps: list[tuple[str, Any]]
) -> None:
    """One client does what the program says."""
    client = SocketClient(Client(listener.connect()))
    await open_websocket(client.client, "/socket.io/?EIO=4&transport=websocket")
    joined: list[str] = []
    number = 0
    for what, value in steps:
        try:
            if what == "wait":
                await trio.sleep(value)
            elif what == "join":
                if value not in joined:
                    await client.say(f"0{value}")
                    joined.append(value)
                    await trio.sleep(6)  # longer than any middleware here
            elif what in ("event", "question") and value in joined:
                number += 1
                id = "7" if what == "question" else ""
                await client.say(f'2{value}{id}["e",{number}]')
            elif what == "leave" and value in joined:
                await client.say(f"1{value}")
                joined.remove(value)
            elif what == "nonsense":
                await client.say("x")
            elif what == "vanish":
                await client.client.stream.aclose()
                return
            elif what == "server disconnects":
                app.io.to("room").disconnect_sockets(close=bool(number % 2))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            break  # the server has closed the connection
    await trio.sleep(60)
    await client.client.stream.aclose()


async def play(plan: Plan, programs: list[list[tuple[str, Any]]]) -> list[Witness]:
    app = Application(plan)
    async with serving(app.io) as listener:
        async with trio.open_nursery() as nursery:
            for steps in programs:
                nursery.start_soon(converse, app, listener, steps)
        await trio.sleep(200)  # every handler ends
        statistics = app.io.statistics()
        assert (statistics.sockets, statistics.connections) == (0, 0)
    return app.witnesses


@settings(max_examples=PROGRAMS)
@given(plans, st.lists(st.lists(STEPS, max_size=8), min_size=1, max_size=3))
def test_handlers_see_a_life_in_order(plan: Plan, programs: list[list[tuple[str, Any]]]) -> None:
    joined = [[("join", ""), *steps] for steps in programs]
    clock = trio.testing.MockClock(autojump_threshold=0)
    witnesses = trio.run(play, plan, joined, clock=clock)
    assert len(witnesses) >= len(programs)
    for witness in witnesses:
        assert LIFE.fullmatch(witness.seen), witness.seen
        # Who was let in was told of its end, twice and with one reason; nobody else was.
        assert len(witness.reasons) == (0 if witness.seen == "u" else 2)
        assert len(set(witness.reasons)) <= 1
        assert witness.seen == "u" or witness.seen.endswith("GgDd")
        assert witness.numbers == sorted(set(witness.numbers))
        assert not witness.socket.connected
