"""Which other ways of speaking a target has, and where: found out by asking."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import trio

from sioproto_conformance._bench import Site
from sioproto_conformance._target import Paths
from sioproto_conformance.peers.eio import TRANSPORTS, EnginePeer
from sioproto_conformance.peers.framing import REVISION_3, REVISION_4, Framing, Scripts
from sioproto_conformance.peers.http1 import Dialer
from sioproto_conformance.peers.msgpack import MsgpackPeer
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import PeerError

DIALECTS = ("eio3", "jsonp", "msgpack", "recovery", "sio4")
"""The features that are looked for here."""


async def ask_for_dialects(
    site: Site, paths: Paths, dialer: Dialer, declared: Mapping[str, bool]
) -> Site:
    """Return the site with the paths of what it speaks besides the newest revisions.

    Each is looked for at the path of its own, and the revisions also at the usual one.
    """
    newest = REVISION_3 if declared.get("eio4") is False else REVISION_4
    async with trio.open_nursery() as nursery:
        look = _Look(dialer, nursery, declared)
        engine3 = await look.engine((paths.engine_3, paths.engine), REVISION_3)
        jsonp = await look.engine((paths.engine_3, paths.engine), Scripts(newest, "0"))
        found = replace(
            site,
            engine3_path=engine3,
            socket4_path=await look.engine((paths.socket_4, paths.socket), REVISION_3),
            jsonp_path=jsonp,
            msgpack_path=await look.msgpack(paths.msgpack),
            recovery_path=await look.recovery(paths.recovery),
        )
        nursery.cancel_scope.cancel()
    return found


def lacking_dialects(site: Site, paths: Paths) -> dict[str, str]:
    """Return the features that were looked for in vain, and where."""
    found = {
        "eio3": (site.engine3_path, f"no Engine.IO 3 at {paths.engine_3} or {paths.engine}"),
        "sio4": (site.socket4_path, f"no Engine.IO 3 at {paths.socket_4} or {paths.socket}"),
        "jsonp": (site.jsonp_path, f"no JSONP at {paths.engine_3} or {paths.engine}"),
        "msgpack": (site.msgpack_path, f"no MessagePack at {paths.msgpack}"),
        "recovery": (site.recovery_path, f"no private id at {paths.recovery}"),
    }
    return {name: f"there is {why}" for name, (path, why) in found.items() if path is None}


class _Look:
    def __init__(self, dialer: Dialer, nursery: trio.Nursery, declared: Mapping[str, bool]) -> None:
        self._dialer = dialer
        self._nursery = nursery
        self._declared = declared

    async def engine(self, paths: tuple[str, ...], framing: Framing) -> str | None:
        """Return the first of the paths at which a session can be had in this way."""
        for path in dict.fromkeys(paths):
            if await self._open(path, framing) is not None:
                return path
        return None

    async def msgpack(self, path: str) -> str | None:
        """Return the path if a CONNECT in MessagePack is answered there in kind."""
        engine = await self._open(path, REVISION_4)
        if engine is None:
            return None
        if self._declared.get("msgpack"):
            return path
        with suppress(PeerError):
            await MsgpackPeer(engine, expects_auth=False).connect()
            return path
        return None

    async def recovery(self, path: str) -> str | None:
        """Return the path if the answer to a CONNECT there has a private id."""
        engine = await self._open(path, REVISION_4)
        if engine is None:
            return None
        if self._declared.get("recovery"):
            return path
        with suppress(PeerError):
            answer = await SocketPeer(engine, expects_auth=False).connect()
            if isinstance(answer.data, dict) and "pid" in answer.data:
                return path
        return None

    async def _open(self, path: str, framing: Framing) -> EnginePeer | None:
        transports = list(TRANSPORTS.values())
        if framing.parameters:
            transports.remove("websocket")
        for transport in transports:
            with suppress(PeerError):
                return await EnginePeer.open(
                    "probe", self._dialer, self._nursery, path, transport, framing=framing
                )
        return None
