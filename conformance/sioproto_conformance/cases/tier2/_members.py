"""Clients of the namespace that takes orders."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, Literal

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import ORDERS
from sioproto_conformance.cases.sio5._steps import same, shown
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import Transport
from sioproto_conformance.peers.recovery import RecoveringPeer
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import NoAnswer, PeerError, Unexpected

# What happens to a socket when its connection ends is known to the server in its own time.
_ASK_AGAIN = 0.02

Whom = Literal["me", "others", "all"]


class Member:
    """One client that gives orders, in one namespace."""

    def __init__(self, peer: SocketPeer, nsp: str, mark: str) -> None:
        self.peer = peer
        self.nsp = nsp
        self._mark = mark
        self._orders = 0
        self._given: set[int | None] = set()
        self._heard: list[sio.Packet] = []

    @property
    def name(self) -> str:
        """What it is called in the transcript."""
        return self.peer.name

    @property
    def id(self) -> str:
        """Its id, which is also the name of its own room."""
        return self.peer.sids[self.nsp]

    async def order(self, name: str, *args: Any) -> Any:
        """Give an order and return what it is acknowledged with, ``None`` for nothing.

        Raises ``PeerError`` if it is not acknowledged.
        """
        id = await self._give(name, *args)
        try:
            while (packet := await self.peer.next()).type not in _ACKS or packet.id != id:
                self._heard.append(packet)
        except NoAnswer as error:
            raise NoAnswer(f"an acknowledgement of conf:{name}", error.actual) from error
        if packet.nsp != self.nsp or not isinstance(packet.data, list):
            raise Unexpected(f"an acknowledgement of conf:{name}", str(packet))
        return packet.data[0] if packet.data else None

    async def give(self, name: str, *args: Any) -> None:
        """Give an order and wait for nothing. Its acknowledgement is not heard of either."""
        self._given.add(await self._give(name, *args))

    async def _give(self, name: str, *args: Any) -> int:
        self._orders += 1
        id = self._orders
        await self.peer.emit(f"conf:{name}", *args, nsp=self.nsp, id=id)
        return id

    async def emit(self, whom: Whom, name: str, *args: Any, **rooms: Any) -> Any:
        """Have an event emitted; return ``None``, or why that was refused."""
        return await self.order("emit", {"whom": whom, **rooms}, name, *args)

    async def about(self) -> dict[str, Any]:
        """Return what the application says about this socket."""
        about = await self.order("self")
        if not isinstance(about, dict):
            raise Unexpected("an object about the socket", shown(about))
        return about

    async def rooms(self) -> list[str]:
        """Return its rooms as the application sees them."""
        rooms = (await self.about()).get("rooms")
        if not isinstance(rooms, list):
            raise Unexpected("a list of rooms", shown(rooms))
        return rooms

    async def received(self) -> list[Any]:
        """Return the events of this client that the application has seen, without orders."""
        return await self._seen("received")

    async def sent(self) -> list[Any]:
        """Return the events to this client that the application has seen go out."""
        return await self._seen("sent")

    async def _seen(self, which: str) -> list[Any]:
        seen = await self.order("seen")
        events = seen.get(which) if isinstance(seen, dict) else None
        if not isinstance(events, list) or not all(isinstance(one, list) for one in events):
            raise Unexpected(f"a list of the events {which}", shown(seen))
        return [event for event in events if not str(next(iter(event), "")).startswith("conf:")]

    async def log(self, *names: str) -> list[list[Any]]:
        """Return the entries of the log about these sockets and rooms."""
        entries = await self.order("log", list(names))
        if not isinstance(entries, list):
            raise Unexpected("a list of entries", shown(entries))
        return entries

    async def heard(self) -> list[sio.Packet]:
        """Return what has come since it was asked last, without answers to orders.

        An order bounds it: its acknowledgement comes behind all that was sent before. What other
        cases emit to the whole namespace is left out.
        """
        await self.order("log", [])
        return self.taken()

    def taken(self) -> list[sio.Packet]:
        """Return what has come up to the acknowledgement of the last order, as ``heard`` does."""
        heard, self._heard = self._heard, []
        return [packet for packet in heard if not self.is_noise(packet)]

    async def next_event(self) -> sio.Packet:
        """Return the next event of this case, as it comes. Raises ``PeerError``."""
        while True:
            packet = self._heard.pop(0) if self._heard else await self.peer.next()
            if packet.type in _EVENTS and not self.is_noise(packet):
                return packet

    async def next_asked(self, event: list[Any]) -> sio.Packet:
        """Return the event of this name and these arguments; others are heard of later.

        Raises ``PeerError``.
        """
        for packet in self._heard:
            if packet.data == event and packet.id is not None:
                self._heard.remove(packet)
                return packet
        try:
            while (packet := await self.peer.next()).data != event or packet.id is None:
                self._heard.append(packet)
        except NoAnswer as error:
            raise NoAnswer(f"{self.name} asked {shown(event)}", error.actual) from error
        return packet

    async def next_ack(self, id: int) -> sio.Packet:
        """Return the acknowledgement with this id. Raises ``PeerError``."""
        for packet in self._heard:
            if packet.type in _ACKS and packet.id == id:
                self._heard.remove(packet)
                return packet
        while (packet := await self.peer.next()).type not in _ACKS or packet.id != id:
            self._heard.append(packet)
        return packet

    async def answer(self, packet: sio.Packet, *args: Any) -> None:
        """Acknowledge an event."""
        text, attachments = sio.encode_packet(sio.ACK, list(args), nsp=self.nsp, id=packet.id)
        await self.peer.send(text, *attachments)

    async def leave(self) -> None:
        """Leave the namespace, as a client does."""
        await self.peer.send(f"1{self.nsp},")

    def is_noise(self, packet: sio.Packet) -> bool:
        """Tell whether this is the event of another case, or answers an order of ``give``."""
        if packet.type in _ACKS and packet.id in self._given:
            self._given.remove(packet.id)
            return True
        if packet.type not in _EVENTS or packet.nsp != self.nsp:
            return False
        name = packet.data[0] if isinstance(packet.data, list) and packet.data else None
        return isinstance(name, str) and "~" in name and not name.endswith(self._mark)


def fresh_mark() -> str:
    """Return what tells the names of one run of a case from those of any other.

    No seed decides it: a server that is asked again still has the log of the last time, and may
    have its clients.
    """
    return secrets.token_hex(4)


_ACKS = (sio.ACK, sio.BINARY_ACK)
_EVENTS = (sio.EVENT, sio.BINARY_EVENT)


class Group:
    """The members that a case has, and names that no other case uses.

    Cases run side by side. Each has a namespace of its own where the server can make some, so that
    a transcript is about one case.
    """

    def __init__(self, t: Bench, mark: str | None = None, *, recovering: bool = False) -> None:
        self._t = t
        self._recovering = recovering
        self.mark = mark or fresh_mark()
        self._mark = f"~{self.mark}"
        self._members = 0
        alone = "dynamic-namespaces" not in t.site.lacking
        self.nsp = f"{ORDERS}/{self.mark}" if alone else ORDERS

    def __call__(self, word: str) -> str:
        """Return a name for a room or an event of this case."""
        return word + self._mark

    async def join(
        self, transport: Transport = "websocket", *, nsp: str | None = None, auth: Any = None
    ) -> Member:
        """Return a client that has been let in. Raises ``Inconclusive`` if it is not."""
        member, answer = await self.knock(transport, nsp=nsp, auth=auth)
        if answer.type != sio.CONNECT:
            self._t.inconclusive(f"joining {member.nsp} failed: {answer}")
        return member

    async def knock(
        self, transport: Transport = "websocket", *, nsp: str | None = None, auth: Any = None
    ) -> tuple[Member, sio.Packet]:
        """Return a client that wants to be let in, and the answer to that."""
        member = await self.approach(transport, nsp=nsp)
        try:
            return member, await member.peer.connect(member.nsp, auth)
        except PeerError as error:
            self._t.inconclusive(f"joining {member.nsp} failed: {error}")

    async def approach(
        self, transport: Transport = "websocket", *, nsp: str | None = None
    ) -> Member:
        """Return a client that has not asked to be let in yet."""
        self._members += 1
        access = self._t.recovery if self._recovering else self._t.sio
        opened = await access.open(transport, name=f"client{self._members}")
        kind = RecoveringPeer if self._recovering else SocketPeer
        peer = kind(opened.engine, expects_auth=False)
        return Member(peer, self.nsp if nsp is None else nsp, self._mark)

    async def three(self, transport: Transport = "websocket") -> tuple[Member, Member, Member]:
        """Return three clients."""
        return await self.join(transport), await self.join(transport), await self.join(transport)


async def expect_heard(
    t: Bench, member: Member, *events: Sequence[Any], rule: str | None = None
) -> None:
    """Compare what has come with exactly these events, in this order, each once."""
    heard = await member.heard()
    wanted = [list(event) for event in events]
    came = [packet.data for packet in heard]
    right = same(came, wanted) and all(
        packet.type in _EVENTS and packet.id is None and packet.nsp == member.nsp
        for packet in heard
    )
    shown_came = ", ".join(str(packet) for packet in heard) or "nothing"
    t.check(right, f"{member.name} receives {shown(wanted)} and no more", shown_came, rule=rule)


async def log_with(t: Bench, witness: Member, id: str, what: str) -> list[list[Any]]:
    """Return the log about a socket, once it has an entry of this kind, or when time is up."""
    told: list[list[Any]] = []
    with trio.move_on_after(t.timeout):
        while not any(entry[0] == what for entry in told):
            told = await witness.log(id)
            await trio.sleep(_ASK_AGAIN)
    return told
