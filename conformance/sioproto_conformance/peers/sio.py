"""A Socket.IO client on top of an Engine.IO session."""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sioproto_conformance.peers.eio import Closed, EnginePeer
from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.wire import PeerError, Unexpected

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)

_PACKET = re.compile(r"([0-6])(?:([0-9]+)-)?(?:(/[^,]*)(?:,|$))?([0-9]+)?(.*)", re.DOTALL)
_BINARY = (BINARY_EVENT, BINARY_ACK)


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of the server, with its attachments."""

    type: int
    nsp: str
    id: int | None
    data: Any
    """The JSON payload, ``None`` without one; in a binary packet with the attachments in place."""
    attachments: tuple[bytes, ...]
    raw: str
    """The text as it came."""

    def __str__(self) -> str:
        extra = f" with {len(self.attachments)} attachments" if self.attachments else ""
        return f"{self.raw[:200]!r}{extra}"


def decode_header(text: str) -> tuple[Packet, int]:
    """Return the packet without its attachments, and how many of them follow.

    Raises ``Unexpected`` if it is malformed.
    """
    match = _PACKET.fullmatch(text)
    if match is None:
        raise Unexpected("a Socket.IO packet", repr(text[:200]))
    type, count, nsp, id, payload = match.groups()
    try:
        data = json.loads(payload) if payload else None
    except (ValueError, RecursionError) as error:
        raise Unexpected("a Socket.IO packet with JSON", f"{error}: {text[:200]!r}") from error
    packet = Packet(int(type), nsp or "/", int(id) if id else None, data, (), text)
    if (packet.type in _BINARY) != (count is not None):
        raise Unexpected("an attachment count in binary packets alone", repr(text[:200]))
    return packet, int(count or 0)


def with_attachments(packet: Packet, attachments: list[bytes]) -> Packet:
    """Return a binary packet with the placeholders of its payload replaced.

    Raises ``Unexpected`` for a placeholder without attachment.
    """

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, dict):
            if value.get("_placeholder") is True:
                number = value.get("num")
                if type(number) is not int or not 0 <= number < len(attachments):
                    raise Unexpected("a placeholder of an attachment", repr(value))
                return attachments[number]
            return {key: fill(item) for key, item in value.items()}
        return value

    return Packet(
        packet.type, packet.nsp, packet.id, fill(packet.data), tuple(attachments), packet.raw
    )


def encode_packet(
    type: int, data: Any = None, *, nsp: str = "/", id: int | None = None
) -> tuple[str, list[bytes]]:
    """Return the text of a packet and its attachments; EVENT and ACK turn binary by themselves."""
    attachments: list[bytes] = []

    def replace(value: object) -> object:
        if not isinstance(value, bytes):
            raise TypeError(f"{value!r} is no JSON")
        attachments.append(value)
        return {"_placeholder": True, "num": len(attachments) - 1}

    payload = ""
    if data is not None:
        payload = json.dumps(data, default=replace, ensure_ascii=False, separators=(",", ":"))
    if attachments:
        type = {EVENT: BINARY_EVENT, ACK: BINARY_ACK}.get(type, type)
    count = f"{len(attachments)}-" if attachments else ""
    where = "" if nsp == "/" else f"{nsp},"
    return f"{type}{count}{where}{'' if id is None else id}{payload}", attachments


class SocketPeer:
    """One client of a Socket.IO server, with as many namespaces as it joins."""

    def __init__(self, engine: EnginePeer, *, expects_auth: bool, implicit: bool = False) -> None:
        self.engine = engine
        self.implicit = implicit
        """Whether the main namespace is joined without asking, as in revision 4."""
        self.sids: dict[str, str] = {}
        """The session id in each namespace that was joined, empty if the answer had none."""
        self.auth: dict[str, Any] = {}
        """What the application's ``auth`` event said in each namespace."""
        self._expects_auth = expects_auth
        self._held: deque[Packet] = deque()
        self._sentinels = 0

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def closed(self) -> Closed | None:
        """How the server ended the connection, once it has."""
        return self.engine.closed

    # Sending

    async def send(self, text: str, *attachments: bytes) -> Response | None:
        """Send any Socket.IO packet, e.g. ``send('2["message"]')``, and attachments behind it."""
        return await self.engine.send("4" + text, *attachments)

    async def emit(
        self, name: str, *args: Any, nsp: str = "/", id: int | None = None
    ) -> Response | None:
        """Send an event; ``bytes`` anywhere in ``args`` become attachments."""
        text, attachments = encode_packet(EVENT, [name, *args], nsp=nsp, id=id)
        return await self.send(text, *attachments)

    # Receiving

    async def next(self, *, timeout: float | None = None) -> Packet:
        """Return the next packet, complete.

        Raises ``NoAnswer``, ``Gone``, and ``Unexpected`` for what is no Socket.IO packet or comes
        between a packet and its attachments.
        """
        return self._held.popleft() if self._held else await self._read(timeout)

    async def _read(self, timeout: float | None) -> Packet:
        message = await self.engine.next(timeout=timeout)
        if isinstance(message, bytes) or not message.startswith("4"):
            raise Unexpected("a Socket.IO packet", repr(message[:200]))
        packet, count = decode_header(message[1:])
        attachments: list[bytes] = []
        while len(attachments) < count:
            part = await self.engine.next(timeout=timeout)
            if not isinstance(part, bytes):
                raise Unexpected("the attachments of a packet", repr(part[:200]))
            attachments.append(part)
        return with_attachments(packet, attachments) if packet.type in _BINARY else packet

    async def connect(self, nsp: str = "/", auth: Any = None) -> Packet:
        """Join a namespace and return the answer, CONNECT or CONNECT_ERROR.

        The contract's ``auth`` event may come before or behind the answer: it is waited for and
        taken out, see ``auth``. Packets of other namespaces stay for ``next``.
        """
        await self.join(nsp, auth)
        return await self.connect_answer(nsp)

    async def join(self, nsp: str = "/", auth: Any = None) -> None:
        """Ask for a namespace and do not wait for the answer.

        In revision 4 credentials are a query behind the name.
        """
        if self.implicit:
            query = f"?{urlencode(auth)}" if auth else ""
            await self.send(f"0{nsp}{query},")
            return
        text, _ = encode_packet(CONNECT, auth, nsp=nsp)
        await self.send(text)

    async def connect_answer(self, nsp: str = "/") -> Packet:
        """Return the answer to a CONNECT that was sent by hand, as ``connect`` does."""
        answer: Packet | None = None
        auth: Packet | None = None
        others: list[Packet] = []
        while answer is None or (self._expects_auth and answer.type == CONNECT and auth is None):
            packet = await self.next()
            if packet.nsp == nsp and packet.type in (CONNECT, CONNECT_ERROR) and answer is None:
                answer = packet
            elif packet.nsp == nsp and _is_auth(packet) and auth is None:
                auth = packet
            else:
                others.append(packet)
        self._held.extend(others)
        if answer.type == CONNECT and isinstance(answer.data, dict):
            self.sids[nsp] = str(answer.data.get("sid", ""))
        elif answer.type == CONNECT and self.implicit:
            self.sids[nsp] = self.engine.sid if nsp == "/" else f"{nsp}#{self.engine.sid}"
        elif answer.type == CONNECT:
            self.sids[nsp] = ""
        if auth is not None:
            self.auth[nsp] = auth.data[1] if len(auth.data) > 1 else None
        return answer

    async def sentinel(self) -> list[Packet]:
        """Emit ``message`` in the main namespace, wait for its echo, return what came before it."""
        self._sentinels += 1
        token = f"sentinel-{self.name}-{self._sentinels}"
        await self.emit("message", token)
        before: list[Packet] = []
        while (packet := await self.next()).data != ["message-back", token]:
            before.append(packet)
        return before

    async def alive(self) -> str | None:
        """Return ``None`` if the connection shows that it is alive, else how it is not."""
        if not self._expects_auth or "/" not in self.sids:
            return await self.engine.alive()
        try:
            await self.sentinel()
        except PeerError as error:
            return str(error)
        return None

    async def wait_closed(self, *, timeout: float) -> Closed | None:
        """Return how the server ended the connection within ``timeout`` seconds, or ``None``."""
        return await self.engine.wait_closed(timeout=timeout)

    async def upgrade(self) -> None:
        """Move the connection from polling to WebSocket."""
        await self.engine.upgrade()


def _is_auth(packet: Packet) -> bool:
    is_list = packet.type == EVENT and isinstance(packet.data, list)
    return is_list and packet.data[:1] == ["auth"]
