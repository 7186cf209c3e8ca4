"""What a case works with: fresh peers, checks that are recorded, waits that are bounded."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import trio

from sioproto_conformance._model import RISKY, Case, Check, Observation
from sioproto_conformance._target import Target
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import (
    Closed,
    EnginePeer,
    Query,
    Transport,
    target,
)
from sioproto_conformance.peers.framing import REVISION_3, REVISION_4, Framing, Scripts
from sioproto_conformance.peers.http1 import Dialer, Headers, HttpConnection, Response
from sioproto_conformance.peers.msgpack import MsgpackPeer
from sioproto_conformance.peers.recovery import RecoveringPeer
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import Address, Gone, NoAnswer, PeerError, Transcript
from sioproto_conformance.peers.ws import WsConnection, open_websocket

# A server that needs more than this part of the allowed time to answer a simple question is too
# busy for its silence to mean anything.
_BUSY = 0.25
# A "must close" has to come well before the heartbeat could be the reason.
_BEFORE_EXPIRY = 0.6
_SHOWN = 400


class Inconclusive(Exception):
    """The case could not find out what it asks."""


class Skipped(Exception):
    """The case does not apply to this server."""


class Finished(Exception):
    """A check that the rest of the case depends on did not hold; it is recorded."""


@dataclass(frozen=True, slots=True)
class Site:
    """One server of the target, as the cases find it."""

    address: Address
    engine_path: str | None
    """Where the Engine.IO echo is, ``None`` if there is none."""
    socket_path: str | None
    """Where Socket.IO is, ``None`` if it is not there."""
    has_app: bool = True
    """Whether the Socket.IO application is the contract's."""
    engine3_path: str | None = None
    """Where the echo speaks Engine.IO 3, ``None`` if nowhere."""
    socket4_path: str | None = None
    """Where the application speaks Socket.IO 4, on Engine.IO 3."""
    jsonp_path: str | None = None
    """Where the echo can be polled by scripts."""
    msgpack_path: str | None = None
    """Where the application speaks MessagePack."""
    recovery_path: str | None = None
    """Where the application recovers connections."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Features that the target does not have, and how that is known."""
    ping_timeout: float = math.inf
    """Seconds that a pong may take here."""
    launch: Callable[[], AbstractContextManager[Target]] | None = None
    """Starts another server like this one, and ends it; ``None`` where nobody can."""


@dataclass
class Findings:
    """What a case has recorded so far."""

    checks: list[Check] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    timed_out: bool = False
    """Whether a check failed because nothing came in time, no end either."""
    others_waited: bool = False
    """Whether somebody who did no harm was kept waiting: with ``timed_out``, and the finding itself
    where the server is asked to serve others meanwhile."""


class LivingPeer(Protocol):
    """A peer of either protocol, as far as closing goes."""

    @property
    def name(self) -> str: ...

    @property
    def closed(self) -> Closed | None: ...

    async def alive(self) -> str | None: ...

    async def wait_closed(self, *, timeout: float) -> Closed | None: ...


class Bench:
    """Everything that one run of one case has.

    ``eio`` and ``sio`` open sessions, ``msgpack`` and ``recovery`` in other dialects; ``check`` and
    its relatives record. A rule that is not named is the first one that the case covers.
    """

    def __init__(self, case: Case, site: Site, *, timeout: float, seed: str = "") -> None:
        self.case = case
        self.site = site
        self.timeout = timeout
        """Seconds that an answer may take."""
        self.keeps_to_limit = RISKY.isdisjoint(case.tags)
        """Whether sessions send no more at once than the server says that it takes."""
        self.random = random.Random(f"{seed}/{case.id}")
        self.findings = Findings()
        self.transcript = Transcript()
        self.dialer = Dialer(site.address, self.transcript, timeout=timeout)
        self.eio = EngineAccess(self)
        self.sio = SocketAccess(self)
        self.msgpack = SocketAccess(self, site.msgpack_path, MsgpackPeer)
        self.recovery = SocketAccess(self, site.recovery_path, RecoveringPeer)
        self._nursery: trio.Nursery | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The time in which the case may use the bench; its connections end with it."""
        try:
            async with trio.open_nursery() as self._nursery:
                yield
                self._nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await self.dialer.hang_up()

    @property
    def nursery(self) -> trio.Nursery:
        """Where what the peers do in the background runs, and what a case adds."""
        assert self._nursery is not None
        return self._nursery

    # Recording

    def check(
        self, ok: bool, expected: str, actual: object = None, *, rule: str | None = None
    ) -> bool:
        """Record whether something held, and return it. Text for people on both sides."""
        shown = (
            str(actual) if isinstance(actual, (str, Response, Closed, sio.Packet)) else repr(actual)
        )
        self.findings.checks.append(
            Check(
                self._rule(rule),
                bool(ok),
                expected,
                "as expected" if actual is None and ok else shown[:_SHOWN],
            )
        )
        return bool(ok)

    def equal(
        self, actual: object, expected: object, what: str, *, rule: str | None = None
    ) -> bool:
        """Record whether ``what`` equals what is expected, of the same type: ``True`` is not 1."""
        same = type(actual) is type(expected) and actual == expected
        return self.check(same, f"{what}: {expected!r}", repr(actual), rule=rule)

    def require(
        self, ok: bool, expected: str, actual: object = None, *, rule: str | None = None
    ) -> None:
        """Record as ``check`` does, and end the case here if it did not hold."""
        if not self.check(ok, expected, actual, rule=rule):
            raise Finished

    def observe(self, name: str, value: object) -> None:
        """Record a behaviour that no rule decides, under a name made of words."""
        self.findings.observations.append(Observation(name, str(value)[:_SHOWN]))

    def skip(self, reason: str) -> NoReturn:
        """End the case: it does not apply to this server."""
        raise Skipped(reason)

    def inconclusive(self, reason: str) -> NoReturn:
        """End the case: it cannot find out what it asks."""
        raise Inconclusive(reason)

    @contextmanager
    def expecting(self, rule: str | None = None, *, open: str | None = None) -> Iterator[None]:
        """Charge a peer that waits in vain in this block to a rule, and end the case.

        ``open`` is the rule to charge if it waits in vain because its session has ended.
        """
        try:
            yield
        except PeerError as error:
            if isinstance(error, Gone):
                rule = open or rule
            self._await_failed(error, (self._rule(rule),))
            raise Finished from error

    def astray(self, error: PeerError) -> None:
        """Record what a peer met where the case judges nothing: each of its rules is at stake."""
        self._await_failed(error, self.case.covers)

    # Closing and staying open

    async def expect_closed(
        self, bad: LivingPeer, *, while_open: LivingPeer, rule: str | None = None
    ) -> Closed | None:
        """Record whether the server ends ``bad`` in time while ``while_open`` lives on.

        Raises ``Inconclusive`` if the control session dies too, or answers so late that the bad
        one may just have had no time.
        """
        bound = self._closing_time(bad)
        closed = await bad.wait_closed(timeout=bound)
        asked = trio.current_time()
        trouble = await while_open.alive()
        if trouble is not None:
            self.inconclusive(f"the control session died too: {trouble}")
        took = trio.current_time() - asked
        if closed is None and took > bound * _BUSY:
            self.inconclusive(f"the server is too slow to tell: the control waited {took:.1f} s")
        if closed is not None and closed.by_silence:
            self.inconclusive(f"{bad.name} could not be asked: {closed.how}")
        self.findings.timed_out |= closed is None
        self.check(
            closed is not None,
            f"{bad.name} closed within {bound:.1f} s, {while_open.name} open",
            closed or f"still open after {bound:.1f} s",
            rule=rule,
        )
        return closed

    async def expect_open(self, peer: LivingPeer, *, rule: str | None = None) -> bool:
        """Record whether the session shows that it is alive: by an echo where there is one."""
        trouble = await peer.alive()
        silent = peer.closed is None or peer.closed.by_silence
        if trouble is not None and silent:
            self.keeps_waiting()
        return self.check(trouble is None, f"{peer.name} open", trouble, rule=rule)

    def keeps_waiting(self) -> None:
        """Note that somebody who did no harm is not answered in time. On a machine that was busy
        the case is run again."""
        self.findings.timed_out = self.findings.others_waited = True

    async def nothing_more(self, peer: EnginePeer | SocketPeer, *, rule: str | None = None) -> bool:
        """Record whether the server owes nothing more, by an echo that comes behind it all.

        Heartbeats and noops are nothing. Needs the contract's application.
        """
        with self.expecting(self._rule(rule)):
            before: Sequence[object] = await peer.sentinel()
        shown = ", ".join(str(packet) for packet in before)
        return self.check(not before, "nothing more", shown or None, rule=rule)

    # Connections of any kind

    async def http(self, name: str = "http") -> HttpConnection:
        """Open a plain connection to the server. Raises ``PeerError`` if it cannot be had."""
        return await self.dialer.http(name)

    async def responsive(self) -> bool:
        """Tell whether the server shakes hands without delay at this moment."""
        try:
            with trio.fail_after(self.timeout * _BUSY):
                http = await self.http("afterwards")
                response = await http.request("GET", self.eio.target(*self.eio.query()))
        except (PeerError, trio.TooSlowError):
            return False
        return response.status == 200

    # Behind the scenes

    def _await_failed(self, error: PeerError, rules: tuple[str, ...]) -> None:
        at_stake = rules if len(rules) > 1 else ()
        self.findings.checks.append(
            Check(rules[0], False, error.expected, error.actual[:_SHOWN], at_stake)
        )
        if isinstance(error, NoAnswer):
            self.findings.timed_out = True

    def _rule(self, rule: str | None) -> str:
        if rule is None:
            return self.case.covers[0]
        rule = self.case.stand_ins.get(rule, rule)
        if rule not in self.case.covers:
            raise LookupError(f"{self.case.id} checks {rule} but does not cover it")
        return rule

    def _closing_time(self, bad: LivingPeer) -> float:
        engine = bad.engine if isinstance(bad, SocketPeer) else bad
        if not isinstance(engine, EnginePeer):
            return self.timeout
        expiry = engine.ping_interval + engine.ping_timeout
        return min(self.timeout, expiry * _BEFORE_EXPIRY) if expiry else self.timeout


@contextmanager
def _setting_up(bench: Bench, transport: Transport, what: str) -> Iterator[None]:
    """What fails in here is not what the case asks about."""
    if transport in bench.site.lacking:
        raise Skipped(f"needs {transport}: {bench.site.lacking[transport]}")
    try:
        yield
    except PeerError as error:
        raise Inconclusive(f"{what} failed: {error}") from error


class EngineAccess:
    """Ways into Engine.IO: at the echo if there is one, else below Socket.IO.

    The revision is that of the case: 3 for ``eio3`` and ``sio4``.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        site = bench.site
        self.framing: Framing = REVISION_4
        path, others = site.engine_path, site.socket_path
        if bench.case.protocol in ("eio3", "sio4"):
            self.framing = REVISION_3
            path, others = site.engine3_path, site.socket4_path
        self._has_echo = path is not None
        self.path = path or others or "/engine.io/"

    async def open(
        self,
        transport: Transport = "polling",
        *,
        name: str = "peer",
        query: Query = (),
        headers: Headers = (),
        poll: bool = True,
    ) -> EnginePeer:
        """Return a session that has shaken hands; raises ``Inconclusive`` if it cannot be had.

        ``query`` and ``headers`` are added to those of the handshake. ``poll=False`` leaves all
        polling to the case.
        """
        with _setting_up(self._bench, transport, "the handshake"):
            peer = await EnginePeer.open(
                name,
                self._bench.dialer,
                self._bench.nursery,
                self.path,
                transport,
                query=query,
                headers=headers,
                poll=poll,
                framing=self.framing,
            )
        peer.has_echo = self._has_echo
        peer.keeps_to_limit = self._bench.keeps_to_limit
        return peer

    async def open_scripted(
        self, number: str = "0", *, parameter: str | None = None, query: Query = ()
    ) -> EnginePeer:
        """Return a session that is polled by scripts which call the function of that number.

        ``parameter`` is what asks for it, if it is more than the number. The case polls by itself.
        """
        framing = Scripts(self.framing, number, parameter)
        path = self._bench.site.jsonp_path or self.path
        with _setting_up(self._bench, "polling", "the handshake"):
            peer = await EnginePeer.open(
                "peer",
                self._bench.dialer,
                self._bench.nursery,
                path,
                "polling",
                query=query,
                poll=False,
                framing=framing,
            )
        peer.has_echo = True
        return peer

    async def pair(self, transport: Transport = "polling") -> tuple[EnginePeer, EnginePeer]:
        """Return two sessions that are alike, one to mistreat and one to compare it with."""
        bad = await self.open(transport, name="bad")
        return bad, await self.open(transport, name="control")

    def query(
        self, transport: Transport = "polling", sid: str | None = None
    ) -> list[tuple[str, str]]:
        """Return the parameters of a handshake, or of a request of a session."""
        session = [] if sid is None else [("sid", sid)]
        return [("EIO", self.framing.revision), ("transport", transport), *session]

    def target(self, *query: tuple[str, str]) -> str:
        """Return the request target with exactly these parameters."""
        return target(self.path, query) if query else self.path

    async def get(
        self,
        query: Query | None = None,
        *,
        headers: Headers = (),
        method: str = "GET",
        body: bytes | None = None,
    ) -> Response:
        """Send one request on a fresh connection, by default a handshake over polling.

        Raises ``PeerError`` if it stays without a response.
        """
        if query is None:
            query = self.query()
        http = await self._bench.http(method.lower())
        return await http.request(method, self.target(*query), headers=headers, body=body)

    async def websocket(
        self,
        query: Query | None = None,
        *,
        name: str = "ws",
        headers: Headers = (),
        glued: bytes = b"",
    ) -> WsConnection | Response:
        """Ask for a WebSocket, by default for a new session; return the refusal if it is one.

        Raises ``PeerError`` if the request stays without a response.
        """
        if query is None:
            query = self.query("websocket")
        http = await self._bench.http(name)
        return await open_websocket(http, self.target(*query), headers=headers, glued=glued)


class SocketAccess:
    """Ways into Socket.IO. The revision is that of the case: 4, on Engine.IO 3, for ``sio4``."""

    def __init__(
        self, bench: Bench, path: str | None = None, peer: type[SocketPeer] = SocketPeer
    ) -> None:
        self._bench = bench
        self._peer = peer
        self._framing = bench.eio.framing
        self._has_app = bench.site.has_app
        if path is None:
            path = bench.site.socket_path
            if self._framing is REVISION_3:
                path = bench.site.socket4_path
        self.path = path or "/socket.io/"

    async def open(
        self, transport: Transport = "websocket", *, name: str = "peer", query: Query = ()
    ) -> SocketPeer:
        """Return a connection that has joined no namespace; raises ``Inconclusive``.

        In revision 4 it has joined the main one, as that is not asked for.
        """
        engine = await self.engine(transport, name=name, query=query)
        peer = self._on(engine)
        if self._framing is REVISION_3:
            with _setting_up(self._bench, transport, "joining the main namespace"):
                await peer.connect_answer()
        return peer

    async def engine(
        self,
        transport: Transport = "websocket",
        *,
        name: str = "peer",
        query: Query = (),
        framing: Framing | None = None,
        poll: bool = True,
    ) -> EnginePeer:
        """Return the session below; raises ``Inconclusive``."""
        with _setting_up(self._bench, transport, "the handshake"):
            peer = await EnginePeer.open(
                name,
                self._bench.dialer,
                self._bench.nursery,
                self.path,
                transport,
                query=query,
                poll=poll,
                framing=framing or self._framing,
            )
        peer.keeps_to_limit = self._bench.keeps_to_limit
        return peer

    def _on(self, engine: EnginePeer) -> SocketPeer:
        implicit = self._framing is REVISION_3
        return self._peer(engine, expects_auth=self._has_app, implicit=implicit)

    async def connect(
        self,
        transport: Transport = "websocket",
        *,
        nsp: str = "/",
        auth: Any = None,
        name: str = "peer",
    ) -> SocketPeer:
        """Return a connection that has joined a namespace; raises ``Inconclusive``."""
        peer = await self.open(transport, name=name)
        if nsp in peer.sids:
            return peer
        with _setting_up(self._bench, transport, f"joining {nsp}"):
            answer = await peer.connect(nsp, auth)
        if answer.type != sio.CONNECT:
            raise Inconclusive(f"joining {nsp} failed: {answer}")
        return peer

    async def pair(
        self, transport: Transport = "websocket", *, nsp: str = "/"
    ) -> tuple[SocketPeer, SocketPeer]:
        """Return two connections that are alike, one to mistreat and one to compare it with."""
        bad = await self.connect(transport, nsp=nsp, name="bad")
        return bad, await self.connect(transport, nsp=nsp, name="control")
