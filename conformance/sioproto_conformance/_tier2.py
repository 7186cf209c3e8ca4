"""The second tier of the contract on our own server: who is let in, and what happens to them."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from sioproto import ConnectionRefused
from sioproto._app._server import SocketApplication
from sioproto._app._socket import Socket
from sioproto_conformance._orders import obey


def install(
    io: SocketApplication,
    sleep: Callable[[float], Awaitable[None]],
    say: Callable[[str], object] = lambda line: None,
) -> None:
    """Serve ``/conformance`` and its like. Each entry of the log goes to ``say`` as well."""
    log: list[Any] = []

    def note(*entry: Any) -> None:
        log.append(entry)
        say(json.dumps(entry))

    async def middleware(socket: Socket) -> None:
        auth = socket.handshake.auth
        socket.join(*auth.get("join", ()))
        await sleep(auth.get("wait", 0) / 1000)
        if "raise" in auth:
            raise RuntimeError(auth["raise"])
        if "refuse" in auth:
            raise ConnectionRefused(*auth["refuse"])

    def connection(socket: Socket) -> None:
        def ended(end: str, reason: str) -> None:
            note(end, socket.id, reason, list(socket.rooms))

        note("connection", socket.id)
        for end in ("disconnecting", "disconnect"):
            socket.on(end)(partial(ended, end))
        socket.on("conf:log")(lambda names: [entry for entry in log if entry[1] in names])
        obey(socket, io, sleep)

    @io.on_error
    def failed(error: Exception, socket: Socket | None) -> None:
        note("error", socket and socket.id, str(error))

    for namespace in (
        io.of("/conformance"),
        io.of(re.compile(r"/conformance/\w+")),
        io.of(_is_open),
    ):
        namespace.use(middleware)
        namespace.on("connection")(connection)
        for change in ("create", "join", "leave", "delete"):
            namespace.on_room(change)(partial(note, change))


def _is_open(name: str, auth: Mapping[str, Any]) -> bool:
    return name.startswith("/conformance-open/") and auth.get("open") is True
