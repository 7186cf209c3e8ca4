"""Which other ways of speaking a target has, and where: found out by asking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

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
    found: dict[str, str | None] = {}
    async with trio.open_nursery() as nursery:
        look = _Look(dialer, nursery, declared)
        engine3, socket4 = (paths.engine_3, paths.engine), (paths.socket_4, paths.socket)
        asked: dict[str, Callable[[], Awaitable[str | None]]] = {
            "engine3_path": partial(look.engine, engine3, REVISION_3, "eio3"),
            "socket4_path": partial(look.engine, socket4, REVISION_3, "sio4"),
            "jsonp_path": partial(look.engine, engine3, Scripts(newest, "0"), "jsonp"),
            "msgpack_path": partial(look.msgpack, paths.msgpack),
            "recovery_path": partial(look.recovery, paths.recovery),
        }

        async def ask(name: str, question: Callable[[], Awaitable[str | None]]) -> None:
            found[name] = await question()

        # All at once: a server may leave a request for what it does not have without an answer.
        async with trio.open_nursery() as questions:
            for name, question in asked.items():
                questions.start_soon(ask, name, question)
        nursery.cancel_scope.cancel()
    return replace(
        site,
        engine3_path=found["engine3_path"],
        socket4_path=found["socket4_path"],
        jsonp_path=found["jsonp_path"],
        msgpack_path=found["msgpack_path"],
        recovery_path=found["recovery_path"],
    )


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

    async def engine(self, paths: tuple[str, ...], framing: Framing, feature: str) -> str | None:
        """Return the first of the paths at which a session can be had in this way."""
        found: dict[str, bool] = {}

        async def ask(path: str) -> None:
            engine = await self._open(path, framing)
            found[path] = engine is not None and (
                self._declared.get(feature, False) or await self._is_of_its_revision(engine)
            )

        async with trio.open_nursery() as questions:
            for path in dict.fromkeys(paths):
                questions.start_soon(ask, path)
        return next((path for path in paths if found[path]), None)

    async def _is_of_its_revision(self, engine: EnginePeer) -> bool:
        """Tell whether the session is what was asked for.

        Polling shows it by the framing. A WebSocket opens with the same bytes in both revisions,
        and whoever never looks at the revision speaks the newest: only a pong shows the older one.
        """
        if engine.transport != "websocket" or engine.framing.ping != "2":
            return True
        with suppress(PeerError):
            await engine.next_pong("2", timeout=self._dialer.timeout)
            return True
        return False

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
