"""Fuzzing of other people's servers: random attacks, a control session, the smallest that harms."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import trio
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

import sioproto.testing.strategies as strategies
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer, Packet, Transport
from sioproto_conformance.peers.http1 import Dialer, Response
from sioproto_conformance.peers.wire import (
    Address,
    Entry,
    Gone,
    NoAnswer,
    PeerError,
    Transcript,
    Unexpected,
)
from sioproto_conformance.peers.ws import WsConnection

SOCKET_PATH = "/socket.io/"
RETURN_TIMEOUT = 15.0
"""Seconds that a server which is gone has to come back."""
_SHOWN = 60


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# Attacks


@dataclass(frozen=True)
class Step:
    """One thing that the attacker does."""

    kind: str
    """``send`` a packet; ``post`` a body; ``probe``, i.e. open a WebSocket beside the polls and
    probe it; ``beside``, i.e. send a packet on that one; ``switch`` to it; ``drop`` it."""
    content: Packet = ""

    def code(self) -> str:
        """The lines of a case that do the same."""
        told = repr(self.content)
        return {
            "send": f"await bad.send({told})",
            "post": f"await bad.post({told})",
            "probe": "candidate = await bad.open_websocket()\nawait candidate.send_text('2probe')",
            "beside": f"await candidate.send_{_kind(self.content)}({told})",
            "switch": "await candidate.send_text('5')",
            "drop": "await candidate.abort()",
        }[self.kind]


def _kind(packet: Packet) -> str:
    return "text" if isinstance(packet, str) else "binary"


@dataclass(frozen=True)
class Attack:
    """What one connection does."""

    transport: Transport
    joined: bool
    """Whether it joins the main namespace of Socket.IO first."""
    steps: tuple[Step, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Smaller is simpler."""
        return len(self.steps) + self.joined, sum(len(step.content) for step in self.steps)

    def skeleton(self, trouble: str) -> str:
        """A case that does the same, to be finished by hand."""
        lines = ['control = await t.eio.open("websocket", name="control")']
        lines.append(f'bad = await t.eio.open("{self.transport}", name="bad")')
        steps = [Step("send", "40")] if self.joined else []
        for step in [*steps, *self.steps]:
            lines += step.code().splitlines()
        lines.append('await t.expect_open(control, rule="EIO-ROB-01")')
        body = "\n".join(f"    {line}" for line in lines)
        return (
            '@case("eio4.robustness.NAME.EXPECTED", covers=["EIO-ROB-01"], needs=["websocket"])\n'
            "async def NAME(t: Bench) -> None:\n"
            f'    """Found by fuzzing: {trouble[:60]}."""\n{body}'
        )


def attacks() -> st.SearchStrategy[Attack]:
    """Attacks made of packets that are valid, nearly valid, or changed by chance."""
    events = strategies.socket_packets() | strategies.broken_socket_packets().map(
        lambda text: [text]
    )

    def carried(frames: Sequence[Packet], cut: int) -> list[Packet]:
        """Socket.IO packets inside of Engine.IO's, perhaps without the last attachments."""
        whole: list[Packet] = [f"4{f}" if isinstance(f, str) else f for f in frames]
        return whole[: len(whole) - cut] or whole

    def changed(packet: Packet, at: int, cut: int, put: str) -> Packet:
        at %= len(packet) + 1
        if isinstance(packet, str):
            return packet[:at] + put + packet[at + cut :]
        return packet[:at] + put.encode() + packet[at + cut :]

    single = strategies.engine_frames() | strategies.broken_engine_frames()
    near = st.builds(
        changed,
        single | events.map(lambda frames: f"4{frames[0]!s}"),
        st.integers(0, 40),
        st.integers(0, 2),
        st.text('0123456789-/,[]{}":b \x1e\x00é', max_size=3),
    )
    packets: st.SearchStrategy[list[Packet]] = st.one_of(
        single.map(lambda packet: [packet]),
        near.map(lambda packet: [packet]),
        st.builds(carried, events, st.sampled_from((0, 0, 1))),
    )
    sends = packets.map(lambda group: [Step("send", packet) for packet in group])
    bodies = strategies.payloads() | strategies.broken_payloads() | st.binary(max_size=20)
    posts = bodies.map(lambda body: [Step("post", body)])
    upgrades = st.lists(
        st.one_of(
            st.sampled_from((Step("probe"), Step("switch"), Step("drop"))),
            packets.map(lambda group: Step("beside", group[0])),
        ),
        min_size=1,
        max_size=3,
    )

    def attack(transport: Transport, joined: bool, groups: list[list[Step]]) -> Attack:
        steps = [step for group in groups for step in group]
        if transport == "websocket":
            steps = [step for step in steps if step.kind == "send"]
        return Attack(transport, joined, tuple(steps))

    return st.one_of(
        st.builds(
            attack,
            st.just("websocket"),
            st.booleans(),
            st.lists(sends, min_size=1, max_size=4),
        ),
        st.builds(
            attack,
            st.just("polling"),
            st.booleans(),
            st.lists(sends | posts, min_size=1, max_size=4),
        ),
        st.builds(
            attack,
            st.just("polling"),
            st.booleans(),
            st.lists(sends | upgrades | upgrades, min_size=1, max_size=4),
        ),
    )


# One attack on a server


@dataclass(frozen=True)
class Finding:
    """An attack that harms, and what passed."""

    attack: Attack
    trouble: str
    entries: tuple[Entry, ...]

    def transcript(self) -> str:
        """What passed, line by line."""
        return "\n".join(
            f"{entry.t:8.3f} {entry.conn:16} {'->' if entry.dir == 'out' else '<-'} "
            f"{entry.layer:4} {entry.data[:_SHOWN]!r}{'...' * (entry.size > _SHOWN)} {entry.note}"
            for entry in self.entries
        )


class _Trouble(Exception):
    """What an attack did to the server."""


class Attacker:
    """Attacks one server, one attack at a time."""

    def __init__(self, address: Address, path: str, *, timeout: float) -> None:
        self._address = address
        self._path = path
        self._timeout = timeout
        self._control: EnginePeer | None = None
        self._control_dialer = Dialer(address, Transcript(), timeout=timeout)

    async def watch(self, nursery: trio.Nursery) -> None:
        """Open the control session, anew if there was one. Raises ``PeerError``."""
        await self._control_dialer.hang_up()
        self._control_dialer = Dialer(self._address, Transcript(), timeout=self._timeout)
        for transport in reversed(TRANSPORTS.values()):
            try:
                self._control = await EnginePeer.open(
                    "control", self._control_dialer, nursery, self._path, transport
                )
            except Unexpected:
                if transport == "polling":
                    raise
            else:
                break
        assert self._control is not None
        if self._path == SOCKET_PATH:
            await self._control.send("40")  # who joins no namespace is sent away

    async def hang_up(self) -> None:
        """End the control session."""
        await self._control_dialer.hang_up()

    async def run(self, attack: Attack) -> Finding | None:
        """Carry out an attack, and see whether it harmed."""
        transcript = Transcript()
        dialer = Dialer(self._address, transcript, timeout=self._timeout)
        try:
            async with trio.open_nursery() as nursery:
                await self._attack(attack, dialer, nursery)
                nursery.cancel_scope.cancel()
            await self._look(dialer)
        except* _Trouble as group:
            trouble = str(_first(group))
        except* PeerError as group:
            trouble = f"no session for the attacker: {_first(group)}"
        else:
            trouble = ""
        finally:
            with trio.CancelScope(shield=True):
                await dialer.hang_up()
        return Finding(attack, trouble, tuple(transcript.entries)) if trouble else None

    async def _attack(self, attack: Attack, dialer: Dialer, nursery: trio.Nursery) -> None:
        peer = await EnginePeer.open("bad", dialer, nursery, self._path, attack.transport)
        candidate: WsConnection | None = None
        steps = [Step("send", "40")] if attack.joined else []
        for step in [*steps, *attack.steps]:
            try:
                candidate = await self._step(step, peer, candidate)
            except Gone:
                break  # it was closed, as it may be
            except NoAnswer as error:
                raise _Trouble(f"a request stays without an answer: {error}") from error
            except Unexpected:
                continue  # a WebSocket that was refused, say
        with trio.move_on_after(0.01):  # what is on its way
            await peer.wait_until(lambda: peer.closed is not None)
        for seen in peer.seen:
            _check_packet(seen.packet)

    async def _step(
        self, step: Step, peer: EnginePeer, candidate: WsConnection | None
    ) -> WsConnection | None:
        content = step.content
        if step.kind == "probe":
            candidate = await peer.open_websocket()
            await candidate.send_text("2probe")
        elif step.kind == "post" and peer.ws is None:
            assert isinstance(content, bytes)
            _check_status(await peer.post(content))
        elif step.kind == "send":
            response = await peer.send(content)
            if response is not None:
                _check_status(response)
        elif candidate is not None:
            if step.kind == "switch":
                await candidate.send_text("5")
            elif step.kind == "drop":
                await candidate.abort()
                return None
            elif isinstance(content, str):
                await candidate.send_text(content)
            else:
                await candidate.send_binary(content)
        return candidate

    async def _look(self, dialer: Dialer) -> None:
        """Whether others are as before."""
        assert self._control is not None
        async with trio.open_nursery() as nursery:
            try:
                await EnginePeer.open("next", dialer, nursery, self._path, "polling", poll=False)
            except Unexpected as error:
                if "status 5" in str(error):
                    raise _Trouble(f"no new session: {error}") from error
            except PeerError as error:
                raise _Trouble(f"no new session: {error}") from error
            nursery.cancel_scope.cancel()
        if (harm := await self._control.alive()) is not None:
            raise _Trouble(f"another session was harmed: {harm}")


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _check_status(response: Response) -> None:
    if response.status >= 500:
        raise _Trouble(f"a request is answered with {response}")


def _check_packet(packet: Packet) -> None:
    """Whether what the server sent is something that a client can read."""
    if isinstance(packet, bytes) or packet[:1] in ("0", "1", "2", "3", "5", "6"):
        return
    if not packet.startswith("4"):
        raise _Trouble(f"it sends what is no packet: {packet[:_SHOWN]!r}")


# Many attacks


@dataclass
class Report:
    """What a run did."""

    attacks: int = 0
    seconds: float = 0.0
    finding: Finding | None = None
    """The smallest that was found."""
    unsteady: int = 0
    """How many attacks seemed to harm, and did not when repeated."""
    gone: bool = False
    """Whether the server was gone in the end."""


class _Found(Exception):
    """Tells hypothesis that this attack is one to make smaller."""


class Campaign:
    """Attacks until one harms, or until time or number is up, and makes that one small."""

    def __init__(self, attacker: Attacker, *, count: int, seconds: float, seed: int) -> None:
        self._attacker = attacker
        self._count = count
        self._end = time.monotonic() + seconds
        self._seed = seed
        self._nursery: trio.Nursery | None = None
        self.report = Report()

    async def run(self) -> Report:
        """Run it. Raises ``PeerError`` if there is no control session to begin with."""
        began = time.monotonic()
        try:
            async with trio.open_nursery() as self._nursery:
                await self._attacker.watch(self._nursery)
                await trio.to_thread.run_sync(self._drive)
                self._nursery.cancel_scope.cancel()
        except* PeerError as group:
            raise _first(group) from None
        finally:
            with trio.CancelScope(shield=True):
                await self._attacker.hang_up()
        self.report.seconds = time.monotonic() - began
        return self.report

    @property
    def _over(self) -> bool:
        return self.report.gone or time.monotonic() >= self._end

    def _drive(self) -> None:
        """Let hypothesis choose, in a thread of its own."""

        @seeded(self._seed)
        @settings(
            max_examples=self._count,
            phases=(Phase.generate, Phase.shrink),
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            print_blob=False,
        )
        @given(attacks())
        def attempt(attack: Attack) -> None:
            if not self._over and trio.from_thread.run(self._try, attack):
                raise _Found

        # When time is up in the middle of making it smaller, nothing harms any more, which
        # hypothesis finds strange. What was found is kept here.
        with suppress(_Found, HypothesisException, BaseExceptionGroup):
            attempt()

    async def _try(self, attack: Attack) -> bool:
        self.report.attacks += 1
        first = await self._attacker.run(attack)
        if first is None:
            return False
        # What harms, harms twice: else it was something else, such as the end of a session's time.
        await self._recover()
        finding = first if self.report.gone else await self._attacker.run(attack)
        if finding is None:
            self.report.unsteady += 1
            await self._recover()
            return False
        known = self.report.finding
        if known is None or attack.size <= known.attack.size:
            self.report.finding = finding
        await self._recover()
        return True

    async def _recover(self) -> None:
        """Open the control session anew, if there is a server to open it at."""
        assert self._nursery is not None
        with trio.move_on_after(RETURN_TIMEOUT):
            while True:
                try:
                    await self._attacker.watch(self._nursery)
                except PeerError:
                    await trio.sleep(0.1)
                else:
                    return
        self.report.gone = True


async def find_path(address: Address, *, timeout: float) -> str:
    """The path at which sessions open: that of Socket.IO, or of Engine.IO.

    Raises ``PeerError`` if there is none.
    """
    dialer = Dialer(address, Transcript(), timeout=timeout)
    trouble: BaseException | None = None
    try:
        for path in (SOCKET_PATH, "/engine.io/"):
            for transport in TRANSPORTS.values():
                try:
                    async with trio.open_nursery() as nursery:
                        await EnginePeer.open("probe", dialer, nursery, path, transport, poll=False)
                        nursery.cancel_scope.cancel()
                except* PeerError as group:
                    trouble = _first(group)
                else:
                    return path
    finally:
        with trio.CancelScope(shield=True):
            await dialer.hang_up()
    assert trouble is not None
    raise trouble
