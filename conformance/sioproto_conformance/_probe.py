"""What a target offers, found out by asking it before the cases do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import trio

from sioproto_conformance._bench import Site
from sioproto_conformance._target import Target
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import EnginePeer
from sioproto_conformance.peers.http1 import Dialer
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import Gone, PeerError, Transcript, Wire, parse_url

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


async def survey(target: Target) -> Survey:
    """Ask the target for what it offers. Raises ``Unreachable``."""
    features = target.manifest.features
    lacking = {name: "the manifest says so" for name, has in features.items() if not has}
    fast, heartbeat, round_trip = await _survey_site(target, target.url)
    slow = fast
    if target.slow_url is not None:
        slow, _, round_trip = await _survey_site(target, target.slow_url)
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


async def _survey_site(target: Target, url: str) -> tuple[Site, float, float | None]:
    """Return the site, the seconds in which its heartbeat expires, and the round trip if any."""
    address = parse_url(url)
    dialer = Dialer(address, Transcript(), timeout=_TIMEOUT)
    try:
        wire = await Wire.open(address, "probe", Transcript(), timeout=_TIMEOUT)
    except PeerError as error:
        raise Unreachable(f"{url}: {error}") from error
    await wire.abort()
    paths = target.manifest.paths
    try:
        async with trio.open_nursery() as nursery:
            engine = await _handshake(dialer, nursery, paths.engine)
            socket = await _handshake(dialer, nursery, paths.socket)
            found = engine or socket
            if found is None:
                return Site(address, paths.engine, paths.socket), 0.0, None
            path = paths.engine if engine else paths.socket
            round_trip = await _round_trip(dialer, nursery, path, found)
            declared = target.manifest.features.get("app")
            has_app = declared if declared is not None else True
            if declared is None and socket is not None and not target.built_in:
                has_app = await _has_app(socket)
            site = Site(
                address,
                paths.engine if engine else None,
                paths.socket if socket else None,
                has_app,
            )
            nursery.cancel_scope.cancel()
    finally:
        await dialer.hang_up()
    return site, found.ping_interval + found.ping_timeout, round_trip


async def _handshake(dialer: Dialer, nursery: trio.Nursery, path: str) -> EnginePeer | None:
    for transport in ("polling", "websocket"):
        try:
            return await EnginePeer.open("probe", dialer, nursery, path, transport)
        except PeerError:
            continue
    return None


async def _round_trip(dialer: Dialer, nursery: trio.Nursery, path: str, found: EnginePeer) -> float:
    """Return the median time of a handshake, the server being warm."""
    times = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        try:
            await EnginePeer.open("probe", dialer, nursery, path, found.transport)
        except PeerError:
            continue
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2] if times else _TIMEOUT


async def _has_app(engine: EnginePeer) -> bool:
    """Tell whether anything that the contract's application does can be seen.

    A single sign is enough: an application that does the rest wrong is to be told so.
    """
    peer = SocketPeer(engine, expects_auth=False)
    try:
        await peer.send("0")
        await peer.emit("message", "probe")
        await peer.emit("message-with-ack", "probe", id=1)
        while True:
            packet = await peer.next()
            if packet.type in (sio.EVENT, sio.ACK):
                return True
    except Gone:
        # It could not stand the question; the cases will find out why.
        return True
    except PeerError:
        return False
