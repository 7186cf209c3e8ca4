"""What a target offers, found out by asking it before the cases do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec
import trio

from sioproto_conformance._bench import Site
from sioproto_conformance._dialects import DIALECTS, ask_for_dialects, lacking_dialects
from sioproto_conformance._registry import ORDERED, ORDERS
from sioproto_conformance._target import Target, running
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer, Transport
from sioproto_conformance.peers.framing import REVISION_3, REVISION_4, Framing
from sioproto_conformance.peers.http1 import Dialer
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import Gone, PeerError, Transcript, Unexpected

# Beyond this the wait for a heartbeat to expire is not worth its answer.
_FAST_EXPIRY = 5.0
_TIMEOUT = 5.0
_ROUNDS = 5
# Nobody has this: whoever says so says yes to everything.
_NONSENSE = "telepathy"


class Unreachable(Exception):
    """Nobody listens where the target should be."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The target as the cases will meet it."""

    fast: Site
    slow: Site
    """The same as ``fast`` if the target has only one endpoint."""
    lacking: Mapping[str, str]
    """Features that the target does not have, and how that is known."""
    round_trip: float
    """Seconds that a handshake over polling takes at rest."""
    shakes_hands: bool
    """Whether any handshake succeeded. If none did, nothing is known, and every case is run."""
    claimed: frozenset[str] = frozenset()
    """Those lacking features that the manifest, or the target itself, says are there."""


@dataclass(slots=True)
class _Findings:
    """What the questions to one endpoint have shown."""

    present: set[str] = field(default_factory=set)
    lacking: dict[str, str] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)

    def note(self, feature: str, has: bool, why_not: str) -> None:
        if has:
            self.present.add(feature)
        else:
            self.lacking[feature] = why_not


_Found = tuple[Site, float, float | None, _Findings]


async def survey(target: Target, *, slack: float = 1.0) -> Survey:
    """Ask the target for what it offers, each answer taking 5 seconds times ``slack`` at most.

    What the manifest says is compared with what is found. Raises ``Unreachable`` if nobody listens.
    """
    urls = [target.url] if target.slow_url is None else [target.url, target.slow_url]
    surveys = await _asked(target, urls, slack)
    fast, heartbeat, _, _ = surveys[0]
    slow, _, round_trip, findings = surveys[-1]
    shakes_hands = round_trip is not None
    if shakes_hands:
        why_not = f"the heartbeat takes {heartbeat:g} s to expire"
        findings.note("fast-heartbeat", heartbeat <= _FAST_EXPIRY, why_not)
    manifest = target.manifest
    why_not = "the manifest does not say how the server is started"
    findings.note("stop", manifest.launch is not None, why_not)
    lacking = _reconciled(findings, manifest.features)
    launch = partial(running, manifest, folder=target.folder)
    fast = replace(fast, lacking=lacking, launch=launch)
    slow = replace(slow, lacking=lacking, launch=launch)
    declared = {name for name, has in manifest.features.items() if has}
    claimed = frozenset(findings.lacking.keys() & (declared | findings.claimed))
    return Survey(fast, slow, lacking, round_trip or 0.0, shakes_hands, claimed)


async def _asked(target: Target, urls: Sequence[str], slack: float) -> list[_Found]:
    """Ask all endpoints at once, as one may leave questions unanswered. Raises ``Unreachable``."""
    found: dict[str, _Found] = {}
    problems: list[Unreachable] = []

    async def ask(url: str) -> None:
        try:
            found[url] = await _SiteSurvey(target, url, slack).run()
        except Unreachable as error:
            problems.append(error)

    async with trio.open_nursery() as nursery:
        for url in dict.fromkeys(urls):
            nursery.start_soon(ask, url)
    if problems:
        raise problems[0]
    return [found[url] for url in urls]


def _reconciled(findings: _Findings, declared: Mapping[str, bool]) -> dict[str, str]:
    """Return what is lacking by either account, and why."""
    lacking = dict(findings.lacking)
    for name, has in declared.items():
        if has and name in lacking:
            lacking[name] = f"the manifest says that it is there, but {lacking[name]}"
        elif not has:
            seen = ", though it is there" if name in findings.present else ""
            lacking[name] = f"the manifest says so{seen}"
    if "polling" in lacking or "websocket" in lacking:
        lacking.setdefault("upgrade", "it takes both transports")
    return lacking


class _SiteSurvey:
    """One endpoint being asked."""

    def __init__(self, target: Target, url: str, slack: float) -> None:
        self._target = target
        self._url = url
        self._timeout = _TIMEOUT * slack
        # An older server takes a WebSocket of any revision and speaks its own, so that only the
        # manifest can say that it does not know revision 4.
        older = target.manifest.features.get("eio4") is False
        self._framing: Framing = REVISION_3 if older else REVISION_4
        self._dialer = Dialer(target.find(url), Transcript(), timeout=self._timeout)
        self._opened: dict[str, EnginePeer] = {}
        self._findings = _Findings()

    async def run(self) -> _Found:
        """Return the site, the seconds until a heartbeat expires, the round trip, and the rest."""
        try:
            await self._dialer.http("probe")
        except PeerError as error:
            raise Unreachable(f"{self._url}: {error}") from error
        try:
            async with trio.open_nursery() as nursery:
                found = await self._ask(nursery)
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await self._dialer.hang_up()
        return *found, self._findings

    async def _ask(self, nursery: trio.Nursery) -> tuple[Site, float, float | None]:
        address, paths = self._dialer.address, self._target.manifest.paths
        async with trio.open_nursery() as attempts:
            for path in (paths.engine, paths.socket):
                attempts.start_soon(self._open, nursery, path)
        if not self._opened:
            return Site(address, paths.engine, paths.socket), 0.0, None
        path, found = next(iter(self._opened.items()))
        engine, socket = self._opened.get(paths.engine), self._opened.get(paths.socket)
        await self._look_for_transports(nursery, path, found)
        has_app = socket is None or await self._has_app(socket)
        note = self._findings.note
        note("echo", engine is not None, f"there is no Engine.IO at {paths.engine}")
        if socket is None:
            note("app", False, f"there is no Socket.IO at {paths.socket}")
            note("conformance", False, f"there is no Socket.IO at {paths.socket}")
        else:
            note("app", has_app, "the Socket.IO application is not the contract's")
            await self._look_for_orders(nursery, paths.socket, socket.transport)
        site = Site(
            address,
            None if engine is None else paths.engine,
            None if socket is None else paths.socket,
            has_app,
            ping_timeout=found.ping_timeout or math.inf,
        )
        declared = self._target.manifest.features
        site = await ask_for_dialects(site, paths, self._dialer, declared)
        missing = lacking_dialects(site, paths)
        for feature in DIALECTS:
            note(feature, feature not in missing, missing.get(feature, ""))
        round_trip = await self._round_trip(nursery, path, found.transport)
        return site, found.ping_interval + found.ping_timeout, round_trip

    async def _open(self, nursery: trio.Nursery, path: str) -> None:
        for transport in TRANSPORTS.values():
            with suppress(PeerError):
                self._opened[path] = await self._session(nursery, path, transport)
                return

    async def _session(
        self, nursery: trio.Nursery, path: str, transport: Transport, *, poll: bool = True
    ) -> EnginePeer:
        """Return a session in the revision that the target speaks. Raises ``PeerError``."""
        return await EnginePeer.open(
            "probe",
            self._dialer,
            nursery,
            path,
            transport,
            poll=poll,
            framing=self._framing,
        )

    async def _look_for_transports(
        self, nursery: trio.Nursery, path: str, opened: EnginePeer
    ) -> None:
        """Find out whether the transport that no session was opened with is there as well.

        Only a server that says that it is not, in its handshake too, lacks it: one that fails to
        serve what it offers is to be told so.
        """
        for transport in TRANSPORTS.values():
            if transport == opened.transport:
                self._findings.present.add(transport)
                continue
            offered = transport in opened.opened.get("upgrades", ())
            try:
                await self._session(nursery, path, transport, poll=False)
            except PeerError as error:
                declared = self._target.manifest.features.get(transport)
                if declared or not offered:
                    self._findings.lacking[transport] = f"a handshake over it fails: {error}"
            else:
                self._findings.present.add(transport)

    async def _round_trip(self, nursery: trio.Nursery, path: str, transport: Transport) -> float:
        """Return the median time of a handshake, the server being warm."""
        times = []
        for _ in range(_ROUNDS):
            began = trio.current_time()
            with suppress(PeerError):
                await self._session(nursery, path, transport, poll=False)
                times.append(trio.current_time() - began)
        return sorted(times)[len(times) // 2] if times else self._timeout

    async def _has_app(self, engine: EnginePeer) -> bool:
        """Tell whether anything that the contract's application does can be seen.

        A single sign is enough: an application that does the rest wrong is to be told so.
        """
        if self._target.built_in or self._target.manifest.features.get("app") is False:
            return True
        peer = SocketPeer(engine, expects_auth=False)
        try:
            if self._framing is REVISION_4:
                await peer.send("0")
            await peer.emit("message", "probe")
            await peer.emit("message-with-ack", "probe", id=1)
            while (await peer.next()).type not in (sio.EVENT, sio.ACK):
                pass
        except Gone:
            # It could not stand the question; the cases will find out why.
            return True
        except PeerError:
            return False
        return True

    async def _look_for_orders(
        self, nursery: trio.Nursery, path: str, transport: Transport
    ) -> None:
        """Ask the application of tier 2 which of its features are there."""
        note = self._findings.note
        try:
            engine = await self._session(nursery, path, transport)
            info = await self._info(SocketPeer(engine, expects_auth=False))
        except PeerError as error:
            note("conformance", False, f"there is no {ORDERS}: {error}")
            return
        has = info[2]
        if _NONSENSE in has:
            note("conformance", False, f"{ORDERS} says that it has {_NONSENSE}: it is not believed")
            self._findings.claimed.add("conformance")
            return
        note("conformance", True, "")
        for feature in ORDERED:
            note(feature, feature in has, f"{ORDERS} says so")

    async def _info(self, peer: SocketPeer) -> tuple[str, str, list[str]]:
        answer = await peer.connect(ORDERS)
        if answer.type != sio.CONNECT:
            raise Unexpected("to be let in", str(answer))
        await peer.emit("conf:info", [*ORDERED, _NONSENSE], nsp=ORDERS, id=0)
        while (answer := await peer.next()).type != sio.ACK:
            pass
        try:
            return msgspec.convert(answer.data, tuple[tuple[str, str, list[str]]])[0]
        except msgspec.ValidationError as error:
            raise Unexpected("name, version and features", str(answer)) from error
