"""What a target offers, found out by asking it before the cases do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import trio

from sioproto_conformance._bench import Site
from sioproto_conformance._target import Target
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer, Transport
from sioproto_conformance.peers.http1 import Dialer
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import Gone, PeerError, Transcript

# Beyond this the wait for a heartbeat to expire is not worth its answer.
_FAST_EXPIRY = 5.0
_TIMEOUT = 5.0
_ROUNDS = 5


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


async def survey(target: Target, *, slack: float = 1.0) -> Survey:
    """Ask the target for what it offers, each answer taking 5 seconds times ``slack`` at most.

    Raises ``Unreachable`` if nobody listens.
    """
    features = target.manifest.features
    lacking = {name: "the manifest says so" for name, has in features.items() if not has}
    fast, heartbeat, round_trip = await _SiteSurvey(target, target.url, slack).run()
    slow = fast
    if target.slow_url is not None:
        slow, _, round_trip = await _SiteSurvey(target, target.slow_url, slack).run()
    shakes_hands = round_trip is not None
    if shakes_hands:
        if slow.engine_path is None:
            lacking.setdefault("echo", f"there is no Engine.IO at {target.manifest.paths.engine}")
        if slow.socket_path is None:
            lacking.setdefault("app", f"there is no Socket.IO at {target.manifest.paths.socket}")
        elif not slow.has_app:
            lacking.setdefault("app", "the Socket.IO application is not the contract's")
        if heartbeat > _FAST_EXPIRY:
            lacking.setdefault("fast-heartbeat", f"the heartbeat takes {heartbeat:g} s to expire")
    if "polling" in lacking or "websocket" in lacking:
        lacking.setdefault("upgrade", "it takes both transports")
    fast, slow = replace(fast, lacking=lacking), replace(slow, lacking=lacking)
    return Survey(fast, slow, lacking, round_trip or 0.0, shakes_hands)


class _SiteSurvey:
    """One endpoint being asked."""

    def __init__(self, target: Target, url: str, slack: float) -> None:
        self._target = target
        self._url = url
        self._timeout = _TIMEOUT * slack
        self._dialer = Dialer(target.find(url), Transcript(), timeout=self._timeout)
        self._opened: dict[str, EnginePeer] = {}

    async def run(self) -> tuple[Site, float, float | None]:
        """Return the site, in how many seconds its heartbeat expires, and the round trip."""
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
        return found

    async def _ask(self, nursery: trio.Nursery) -> tuple[Site, float, float | None]:
        address, paths = self._dialer.address, self._target.manifest.paths
        async with trio.open_nursery() as attempts:
            for path in (paths.engine, paths.socket):
                attempts.start_soon(self._open, nursery, path)
        if not self._opened:
            return Site(address, paths.engine, paths.socket), 0.0, None
        socket = self._opened.get(paths.socket)
        path, found = next(iter(self._opened.items()))
        site = Site(
            address,
            paths.engine if paths.engine in self._opened else None,
            paths.socket if socket is not None else None,
            socket is None or await self._has_app(socket),
            ping_timeout=found.ping_timeout or math.inf,
        )
        round_trip = await self._round_trip(nursery, path, found.transport)
        return site, found.ping_interval + found.ping_timeout, round_trip

    async def _open(self, nursery: trio.Nursery, path: str) -> None:
        for transport in TRANSPORTS.values():
            with suppress(PeerError):
                self._opened[path] = await EnginePeer.open(
                    "probe", self._dialer, nursery, path, transport
                )
                return

    async def _round_trip(self, nursery: trio.Nursery, path: str, transport: Transport) -> float:
        """Return the median time of a handshake, the server being warm."""
        times = []
        for _ in range(_ROUNDS):
            began = trio.current_time()
            with suppress(PeerError):
                await EnginePeer.open("probe", self._dialer, nursery, path, transport, poll=False)
                times.append(trio.current_time() - began)
        return sorted(times)[len(times) // 2] if times else self._timeout

    async def _has_app(self, engine: EnginePeer) -> bool:
        """Tell whether anything that the contract's application does can be seen.

        A single sign is enough: an application that does the rest wrong is to be told so.
        """
        declared = self._target.manifest.features.get("app")
        if declared is not None or self._target.built_in:
            return declared is not False
        peer = SocketPeer(engine, expects_auth=False)
        try:
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
