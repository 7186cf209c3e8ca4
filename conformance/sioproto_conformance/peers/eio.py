"""An Engine.IO client that is polite unless told otherwise.

A packet is a ``str`` with its type character in front (``"4hello"``), or ``bytes`` for a binary
message, on whatever transport it came.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

import trio

from sioproto_conformance.peers.framing import (
    REVISION_4,
    Framing,
    Packet,
    decode_payload,
    encode_payload,
)
from sioproto_conformance.peers.http1 import Dialer, Headers, Response
from sioproto_conformance.peers.wire import (
    Gone,
    Impossible,
    NoAnswer,
    PeerError,
    Unexpected,
    within,
)
from sioproto_conformance.peers.ws import WsConnection, open_websocket

__all__ = [
    "TRANSPORTS",
    "Closed",
    "EnginePeer",
    "Packet",
    "Query",
    "Seen",
    "Transport",
    "decode_payload",
    "encode_payload",
    "target",
]

Transport = Literal["polling", "websocket"]
Query = Iterable[tuple[str, str]]

TRANSPORTS: dict[str, Transport] = {"polling": "polling", "websocket": "websocket"}
"""The variants of a case that is asked on both."""

# Part of the pingInterval: a client that pings has to come before the server is at its end.
_PING_EARLY = 0.8
# A poll that is answered with a refusal may leave the session alive. A server that has closed it
# refuses the next one at once.
_CONFIRM_TIMEOUT = 1.0


@dataclass(frozen=True, slots=True)
class Closed:
    """How a session ended, as seen from outside."""

    how: str
    code: int | None = None
    """The code of the close frame, 1005 if it had none, ``None`` if there was no frame."""
    by_silence: bool = False
    """Whether it was the peer that gave up, as it could not even ask in time."""

    def __str__(self) -> str:
        return f"closed: {self.how}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet and when it came, in seconds on trio's clock."""

    at: float
    packet: Packet


def target(path: str, query: Query) -> str:
    """Return a request target."""
    return f"{path}?{urlencode(list(query))}"


class EnginePeer:
    """One session.

    It answers pings and keeps polling in the background, and queues every packet from the first
    byte on. Use ``open``, which shakes hands.
    """

    def __init__(
        self,
        name: str,
        dialer: Dialer,
        nursery: trio.Nursery,
        path: str,
        transport: Transport,
        framing: Framing = REVISION_4,
    ) -> None:
        self.name = name
        self.framing = framing
        self.transport: Transport = transport
        self.opened: dict[str, Any] = {}
        """The JSON of the open packet."""
        self.answer_pings = True
        """Whether the heartbeat is kept up: pings answered, or sent where the client has to."""
        self.has_echo = False
        """Whether messages come back, which is then how the session is shown to be alive."""
        self.keeps_to_limit = False
        """Whether ``send`` refuses what is more than the server takes at once."""
        self.closed: Closed | None = None
        self.seen: list[Seen] = []
        """Every packet, heartbeats and noops included."""
        self.pongs: list[bytes] = []
        """The payloads of the WebSocket pong frames received."""
        self.ws: WsConnection | None = None
        self._dialer = dialer
        self._nursery = nursery
        self._path = path
        self._inbox: deque[Packet] = deque()
        self._changed = trio.Event()
        self._post_lock = trio.Lock()
        self._poll_scope = trio.CancelScope()
        self._polling = False
        self._pausing = False
        self._sentinels = 0

    @classmethod
    async def open(
        cls,
        name: str,
        dialer: Dialer,
        nursery: trio.Nursery,
        path: str,
        transport: Transport,
        *,
        query: Query = (),
        headers: Headers = (),
        poll: bool = True,
        framing: Framing = REVISION_4,
    ) -> EnginePeer:
        """Open a session. Raises ``PeerError`` if the server does not.

        ``query`` is added to the usual parameters. With ``poll=False`` nothing is polled in the
        background before ``start_polling``.
        """
        peer = cls(name, dialer, nursery, path, transport, framing)
        if transport == "websocket":
            ws = await peer.open_websocket(query=query, headers=headers)
            first = await ws.receive()
            if first.kind != "text":
                raise Unexpected("an open packet", f"{first.kind} {first.data!r}")
            peer._handshake([str(first.data)])
            peer.adopt(ws)
        else:
            response = await peer.get(query=query, headers=headers)
            if response.status != 200:
                raise Unexpected("an open packet", str(response))
            peer._handshake(framing.decode(response))
            if poll:
                peer.start_polling()
        if framing.ping == "2":
            nursery.start_soon(peer._ping_until_closed)
        return peer

    # What the open packet says

    @property
    def sid(self) -> str:
        """The session id, empty before the handshake."""
        return str(self.opened.get("sid", ""))

    @property
    def ping_interval(self) -> float:
        """Seconds between two pings of the server."""
        return _seconds(self.opened.get("pingInterval"))

    @property
    def ping_timeout(self) -> float:
        """Seconds that a pong may take."""
        return _seconds(self.opened.get("pingTimeout"))

    @property
    def max_payload(self) -> int:
        """The number of bytes that the server takes at once; the usual million if unsaid."""
        value = self.opened.get("maxPayload")
        return value if isinstance(value, int) else 1_000_000

    # Receiving

    async def next(self, *, timeout: float | None = None) -> Packet:
        """Return the next packet that is neither ping nor noop.

        Raises ``NoAnswer`` after ``timeout`` seconds and ``Gone`` when the session ends first.
        """
        with within(self._timeout(timeout), "a packet"):
            await self.wait_until(lambda: bool(self._inbox) or self.closed is not None)
        if self._inbox:
            return self._inbox.popleft()
        raise self._ended_before("a packet")

    def _ended_before(self, expected: str) -> PeerError:
        by_silence = self.closed is not None and self.closed.by_silence
        return (NoAnswer if by_silence else Gone)(expected, f"the session was {self.closed}")

    async def next_ping(self, *, timeout: float) -> float:
        """Wait for a ping that is still to come and return when it came, on trio's clock."""
        before = len(self.seen)

        def ping() -> float | None:
            return next((seen.at for seen in self.seen[before:] if seen.packet == "2"), None)

        with within(timeout, "a ping packet"):
            await self.wait_until(lambda: ping() is not None or self.closed is not None)
        at = ping()
        if at is None:
            raise self._ended_before("a ping packet")
        return at

    async def next_pong(self, ping: str | None = None, *, timeout: float) -> Packet:
        """Wait for a pong that is still to come, where the client pings, and return the packet.

        ``ping`` is sent first.
        """
        before = len(self.seen)

        def pong() -> Packet | None:
            heard = (seen.packet for seen in self.seen[before:])
            return next((one for one in heard if isinstance(one, str) and one[:1] == "3"), None)

        if ping is not None:
            await self.send(ping)
        with within(timeout, "a pong packet"):
            await self.wait_until(lambda: pong() is not None or self.closed is not None)
        packet = pong()
        if packet is None:
            raise self._ended_before("a pong packet")
        return packet

    async def sentinel(self) -> list[Packet]:
        """Send a message, wait for its echo, and return the packets that came before it.

        As the server keeps order, nothing that it owed before can come later.
        """
        self._sentinels += 1
        token = f"4sentinel-{self.name}-{self._sentinels}"
        await self.send(token)
        before: list[Packet] = []
        while (packet := await self.next()) != token:
            before.append(packet)
        return before

    async def alive(self) -> str | None:
        """Return ``None`` if the session shows that it is alive, else how it is not."""
        try:
            if self.closed is None:
                if self.has_echo:
                    await self.sentinel()
                elif self.ws is not None:
                    await self._ws_ping()
        except PeerError as error:
            return str(error)
        return None if self.closed is None else str(self.closed)

    async def wait_closed(self, *, timeout: float) -> Closed | None:
        """Return how the server ended the session within ``timeout`` seconds, or ``None``.

        On polling a single answer does not tell. A refused poll counts only if the server then
        refuses another: it may have refused the one and kept the session. If no poll is answered
        at all, the session may be gone nevertheless: then it does not take a pong either.
        """
        if self.ws is None:
            self.start_polling()
        with trio.move_on_after(timeout):
            await self.wait_until(lambda: self.closed is not None)
        if self.ws is not None:
            return self.closed
        confirm = min(timeout, _CONFIRM_TIMEOUT)
        try:
            if self.closed is not None:
                response = await self.get(timeout=confirm)
            else:
                response = await self.post(self.encode(self.framing.neutral), timeout=confirm)
        except Gone:
            return self.closed
        except PeerError:
            return None
        if response.status == 200:
            return None
        return self.closed or Closed("requests are refused, but the pending poll is left hanging")

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something received makes the condition true."""
        while not condition():
            await self._changed.wait()

    # Sending

    async def send(self, *packets: Packet) -> Response | None:
        """Send packets: one frame each, or one POST request, whose response is returned.

        The response is also ``None`` if the server hangs up instead. Raises ``NoAnswer`` if it
        leaves the request unanswered, ``Impossible`` if this is more than it may be sent.
        """
        if self.ws is not None:
            for packet in packets:
                if isinstance(packet, str):
                    self._keep_to_limit(packet.encode("utf-8", "surrogatepass"))
                    await self.ws.send_text(packet)
                else:
                    frame = self.framing.to_frame(packet)
                    self._keep_to_limit(frame)
                    await self.ws.send_binary(frame)
            return None
        body = self.encode(*packets)
        self._keep_to_limit(body)
        try:
            return await self.post(body)
        except Gone:
            return None

    def _keep_to_limit(self, data: bytes) -> None:
        if self.keeps_to_limit and len(data) > self.max_payload:
            raise Impossible(
                f"{len(data)} bytes are more than the server takes at once (maxPayload is "
                f"{self.max_payload})"
            )

    def encode(self, *packets: Packet) -> bytes:
        """Return the body of a POST of this session with these packets."""
        return self.framing.encode(packets)

    def decode(self, response: Response) -> list[Packet]:
        """Return the packets of an answer to a poll of this session; raises ``Unexpected``."""
        return self.framing.decode(response)

    async def post(
        self, body: bytes, *, headers: Headers | None = None, timeout: float | None = None
    ) -> Response:
        """Send any body in a POST request of this session, when no other is under way."""
        if headers is None:
            headers = [self.framing.label]
        async with self._post_lock:
            return await self._exchange("POST", headers=headers, body=body, timeout=timeout)

    async def get(
        self, *, query: Query = (), headers: Headers = (), timeout: float | None = None
    ) -> Response:
        """Send a GET request of this session, whatever else is under way."""
        return await self._exchange("GET", query=query, headers=headers, timeout=timeout)

    async def poll(self, *, timeout: float | None = None) -> list[Packet]:
        """Poll once and return the packets of the answer; for a peer opened with ``poll=False``.

        Pings among them are answered. Raises ``Unexpected`` for a response other than 200.
        """
        response = await self.get(timeout=timeout)
        if response.status != 200:
            raise Unexpected("a response with packets", str(response))
        packets = self.decode(response)
        for packet in packets:
            self._note(packet)
        return packets

    def target(self, transport: Transport | None = None, *, query: Query = ()) -> str:
        """Return the target of a request of this session."""
        session = [("sid", self.sid)] if self.sid else []
        usual = [("EIO", self.framing.revision), ("transport", transport or self.transport)]
        return target(self._path, [*usual, *session, *self.framing.parameters, *query])

    async def hang_up(self) -> None:
        """Drop the connections without a word: the WebSocket, and the poll that is pending."""
        self.answer_pings = False
        self._pausing = True
        self._poll_scope.cancel()
        if self.ws is not None:
            await self.ws.abort()

    # Transports

    def start_polling(self) -> None:
        """Poll in the background, if that is not done yet."""
        if not self._polling and self.closed is None:
            self._polling = True
            self._pausing = False
            self._nursery.start_soon(self._poll_until_closed)

    async def pause_polling(self, *, timeout: float | None = None) -> None:
        """Let the pending poll be the last. Raises ``NoAnswer`` if it is not answered."""
        self._pausing = True
        with within(self._timeout(timeout), "an answer to the pending poll"):
            await self.wait_until(lambda: not self._polling)

    async def open_websocket(self, *, query: Query = (), headers: Headers = ()) -> WsConnection:
        """Open a WebSocket for this session. Raises ``Unexpected`` when it is refused."""
        http = await self._dialer.http(f"{self.name}.ws")
        where = self.target("websocket", query=query)
        ws = await open_websocket(http, where, headers=headers)
        if isinstance(ws, Response):
            raise Unexpected("a WebSocket", str(ws))
        return ws

    async def probe(self) -> WsConnection:
        """Open a WebSocket beside the polls and probe it. Raises ``Unexpected`` if that fails."""
        ws = await self.open_websocket()
        await ws.send_text("2probe")
        answer = await ws.receive()
        if (answer.kind, answer.data) != ("text", "3probe"):
            raise Unexpected("3probe", f"{answer.kind} {answer.data!r}")
        return ws

    async def upgrade(self) -> None:
        """Move the session from polling to WebSocket as the official client does."""
        ws = await self.probe()
        await self.pause_polling()
        await ws.send_text("5")
        self.adopt(ws)

    def adopt(self, ws: WsConnection) -> None:
        """Take this WebSocket as the transport of the session, and read it from now on."""
        self.ws = ws
        self.transport = "websocket"
        self._nursery.start_soon(self._read_until_closed, ws)

    # Behind the scenes

    def _timeout(self, timeout: float | None) -> float:
        return self._dialer.timeout if timeout is None else timeout

    def _handshake(self, packets: list[Packet]) -> None:
        first, *others = packets
        opened = None
        if isinstance(first, str) and first.startswith("0"):
            try:
                opened = json.loads(first[1:])
            except ValueError:
                opened = None
        if not isinstance(opened, dict) or not isinstance(opened.get("sid"), str):
            raise Unexpected("an open packet with a session id", repr(first))
        self.opened = opened
        self.seen.append(Seen(trio.current_time(), first))
        for packet in others:
            self._deliver(packet)

    async def _exchange(
        self,
        method: str,
        *,
        query: Query = (),
        headers: Headers = (),
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> Response:
        # Each request has a connection of its own, so that no keep-alive limit of the server can
        # race with a case. That connections are kept alive is asked by cases of its own.
        http = await self._dialer.http(f"{self.name}.{method.lower()}")
        where = self.target("polling", query=query)
        try:
            return await http.request(method, where, headers=headers, body=body, timeout=timeout)
        finally:
            with trio.CancelScope(shield=True):
                await http.wire.abort()

    async def _poll_until_closed(self) -> None:
        self._poll_scope = trio.CancelScope()
        try:
            with self._poll_scope:
                while self.closed is None and not self._pausing:
                    response = await self.get(timeout=math.inf)
                    if response.status == 200:
                        for packet in self.decode(response):
                            self._deliver(packet)
                    else:
                        self._end(Closed(f"a poll was answered with {response}"))
        except PeerError as error:
            silence = isinstance(error, NoAnswer)
            self._end(Closed(f"a poll failed: {error.actual}", by_silence=silence))
        finally:
            self._polling = False
            self._wake()

    async def _read_until_closed(self, ws: WsConnection) -> None:
        while self.closed is None:
            incoming = await ws.receive_unbounded()
            match incoming.kind:
                case "text":
                    self._deliver(incoming.data)
                case "binary":
                    assert isinstance(incoming.data, bytes)
                    try:
                        self._deliver(self.framing.from_frame(incoming.data))
                    except Unexpected as error:
                        self._end(Closed(f"a frame that is no packet: {error.actual}"))
                case "pong":
                    assert isinstance(incoming.data, bytes)
                    self.pongs.append(incoming.data)
                    self._wake()
                case "close":
                    how = f"close frame {incoming.code} {incoming.data!r}"
                    self._end(Closed(how, incoming.code))
                case "end":
                    self._end(Closed(str(incoming.data)))

    def _deliver(self, packet: Packet) -> None:
        if self._note(packet):
            self._inbox.append(packet)
        self._wake()

    def _note(self, packet: Packet) -> bool:
        """Write the packet down, do what it asks for, and tell whether it is news to a case."""
        self.seen.append(Seen(trio.current_time(), packet))
        if packet == self.framing.heard:
            if self.answer_pings and packet == "2":
                self._nursery.start_soon(self._keep_alive)
            return False
        if packet == "1":
            # On a WebSocket the connection has to follow; on polling nothing else can.
            if self.transport == "polling":
                self._end(Closed("close packet"))
            return False
        return packet != "6"

    async def _keep_alive(self) -> None:
        # An answer that does not come is the server's affair: the case sees to it that its own
        # requests are answered.
        try:
            await self.send(self.framing.ping)
        except PeerError as error:
            self._dialer.transcript.add(self.name, "out", "note", b"", f"heartbeat failed: {error}")

    async def _ping_until_closed(self) -> None:
        while self.closed is None and self.ping_interval > 0:
            await trio.sleep(_PING_EARLY * self.ping_interval)
            if self.answer_pings and self.closed is None:
                await self._keep_alive()

    async def _ws_ping(self) -> None:
        assert self.ws is not None
        self._sentinels += 1
        payload = f"alive-{self._sentinels}".encode()
        await self.ws.send_frame(0x9, payload)
        with within(self._timeout(None), "a pong frame"):
            await self.wait_until(lambda: payload in self.pongs or self.closed is not None)

    def _end(self, closed: Closed) -> None:
        if self.closed is None:
            self.closed = closed
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _seconds(milliseconds: object) -> float:
    if isinstance(milliseconds, (int, float)) and not isinstance(milliseconds, bool):
        return milliseconds / 1000
    return 0.0
