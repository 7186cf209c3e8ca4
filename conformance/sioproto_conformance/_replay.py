"""A recorded case once more: the same bytes to a server, and what it answers now.

Nothing is judged. The bytes go out in the order of the recording, each no earlier than it did then
and not before everything came that had come by then, or was waited for in vain. Session ids are
replaced: where the recording has the one that was given then, the one that is given now is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import h11
import trio

from sioproto_conformance._stream import CaseLine
from sioproto_conformance._text import visible
from sioproto_conformance.peers.http1 import Dialer, HttpConnection, Response
from sioproto_conformance.peers.wire import (
    HUNG_UP,
    Address,
    Entry,
    NoAnswer,
    PeerError,
    Transcript,
    Unexpected,
)
from sioproto_conformance.peers.ws import Incoming, WsConnection, frame_bytes

# What the server makes up for each session, and the client has to repeat.
_GIVEN = re.compile(r'"(?:sid|pid)" *: *"([^"\\]+)"')
# They say when, how long, and over which connection; not what.
_UNTOLD_HEADERS = ("date", "keep-alive", "connection", "content-length", "transfer-encoding")
_KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"(\r\ncontent-length: *)([0-9]+)(?=\r\n)", re.IGNORECASE)
# What a frame is noted as. A recording that has no more of it is too old.
_FRAME = re.compile(r"(text|binary|continuation|close|ping|pong|opcode [0-9]+)(,|$)")
_NO_HTTP = "not HTTP"


class ReplayError(Exception):
    """This recording cannot be sent again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came then and what came now, at the same place, in words for people."""

    conn: str
    then: str
    now: str

    @property
    def same(self) -> bool:
        """Whether the server did what it had done."""
        return self.then == self.now


def check_replayable(line: CaseLine) -> None:
    """Raise ``ReplayError`` if not everything that was sent has been recorded."""
    if not line.transcript:
        raise ReplayError(f"{line.id} has no transcript: it was {line.verdict}")
    for entry in line.transcript:
        if entry.dir == "out" and entry.size > len(entry.data):
            raise ReplayError(
                f"{line.id} sent {entry.size} bytes at once, of which {len(entry.data)} are"
                " recorded: run the case instead"
            )
        if entry.dir == "out" and entry.frame is None and _FRAME.match(entry.note):
            raise ReplayError(f"{line.id} was recorded before frames were: run the case instead")


async def replay(
    line: CaseLine, address: Address, *, timeout: float, show: Callable[[Answer], None]
) -> list[Answer]:
    """Send what the case sent and return what came of it.

    ``timeout`` is how many seconds each answer may take. ``show`` is called with each answer when
    it has come, or not.

    Raises ``ReplayError`` if that is impossible, and ``PeerError`` if nobody listens.
    """
    check_replayable(line)
    dialer = Dialer(address, Transcript(), timeout=timeout)
    try:
        return await _Replay(line.transcript, dialer, show).run()
    finally:
        with trio.CancelScope(shield=True):
            await dialer.hang_up()


class _Replay:
    def __init__(
        self, transcript: Sequence[Entry], dialer: Dialer, show: Callable[[Answer], None]
    ) -> None:
        self._transcript = transcript
        self._dialer = dialer
        self._show = show
        self._given: dict[str, str] = {}
        """What the server gives now, by what it gave then."""
        self._connections: dict[str, _Connection] = {}

    async def run(self) -> list[Answer]:
        answers = []
        began = trio.current_time()
        for entry in self._transcript:
            connection = self._connections.get(entry.conn)
            if connection is None:
                http = await self._dialer.http(entry.conn.partition("#")[0])
                connection = self._connections[entry.conn] = _Connection(http)
            if entry.layer == "note":
                await connection.follow(entry.note)
            elif entry.dir == "out":
                await trio.sleep_until(began + entry.t)
                await connection.send(entry, self._given)
            else:
                answer = await self._answer(entry, connection)
                self._show(answer)
                answers.append(answer)
        return answers

    async def _answer(self, entry: Entry, connection: _Connection) -> Answer:
        then = _http_then(entry) if entry.layer == "http" else _shown(entry)
        try:
            now = await connection.receive(entry)
        except Unexpected:
            now = _NO_HTTP
        except PeerError as error:
            now = error.actual
        for old, new in zip(_GIVEN.findall(then), _GIVEN.findall(now), strict=False):
            self._given[old] = new
        for old, new in self._given.items():
            then = then.replace(old, new)
        if entry.size > len(entry.data):
            now = now[: len(then)]
        return Answer(entry.conn, then, now)


class _Connection:
    """One connection of the recording, open again."""

    def __init__(self, http: HttpConnection) -> None:
        self._http = http
        self._ws: WsConnection | None = None
        self._method = "GET"
        self._key = ""

    async def follow(self, note: str) -> None:
        """Do what a remark says that the client did."""
        if note == HUNG_UP:
            await self._http.wire.abort()
        elif note == "sending half closed":
            await self._http.wire.send_eof()

    async def send(self, entry: Entry, given: dict[str, str]) -> None:
        data = _replaced(entry.data, given)
        if entry.layer == "ws" and entry.frame:
            first, masked = entry.frame
            data = frame_bytes(
                first & 0x0F, data, fin=bool(first & 0x80), masked=masked, rsv=(first >> 4) & 7
            )
        elif entry.layer == "http":
            self._method = data.partition(b" ")[0].decode("latin-1") or self._method
            key = _KEY.search(data)
            self._key = key[1].decode("latin-1") if key else ""
        await self._http.wire.send(data, layer=entry.layer)

    async def receive(self, entry: Entry) -> str:
        """Return what comes now, where the recording has ``entry``. Raises ``PeerError``."""
        if self._ws is not None:
            return _ws_text(await self._ws.receive())
        if entry.layer != "http":
            return await self._end()
        response = await self._http.response("HEAD" if self._method == "HEAD" else "GET")
        if response.status == 101:
            self._ws = WsConnection(self._http, response, self._key)
            self._ws.answer_pings = False
        return _http_text(response)

    async def _end(self) -> str:
        with trio.move_on_after(self._http.timeout):
            while data := await self._http.wire.receive():
                if data:
                    return f"({len(data)} bytes)"
            return self._http.wire.ended or "end of stream"
        raise NoAnswer("the end", f"nothing came within {self._http.timeout:.1f} s")


def _replaced(data: bytes, given: dict[str, str]) -> bytes:
    """Return what is to be sent: with the ids of now, and with the right length if it was right."""
    changed = data
    for old, new in given.items():
        changed = changed.replace(old.encode(), new.encode())
    head, blank, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    if length is not None and int(length[2]) == len(body) and changed != data:
        new_head, _, new_body = changed.partition(b"\r\n\r\n")
        size = str(len(new_body)).encode()
        new_head = _LENGTH.sub(lambda found: found[1] + size, new_head + b"\r\n")[:-2]
        return new_head + blank + new_body
    return changed


def _http_then(entry: Entry) -> str:
    """Return in the same words what was answered then."""
    if entry.note == _NO_HTTP:
        return _NO_HTTP
    parser = h11.Connection(h11.CLIENT)
    asked = [("Host", "x"), ("Connection", "upgrade"), ("Upgrade", "websocket")]
    parser.send(h11.Request(method="GET", target="/", headers=asked))
    parser.send(h11.EndOfMessage())
    parser.receive_data(entry.data)
    parser.receive_data(b"")
    head: h11.Response | h11.InformationalResponse | None = None
    body = b""
    # A body that was recorded in part, or an answer to HEAD, ends before it should.
    with suppress(h11.RemoteProtocolError):
        while isinstance(
            event := parser.next_event(), (h11.InformationalResponse, h11.Response, h11.Data)
        ):
            if isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                head = event
    if head is None:
        return _shown(entry)
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
    return _http_text(Response(head.status_code, headers, body))


def _http_text(response: Response) -> str:
    headers = sorted(
        f"{name}: {value}" for name, value in response.headers if name not in _UNTOLD_HEADERS
    )
    body = visible(response.body.decode("utf-8", "backslashreplace"))
    return " | ".join([f"status {response.status}", *map(visible, headers), body])


def _ws_text(incoming: Incoming) -> str:
    if incoming.kind == "end":
        return visible(str(incoming.data))
    data = incoming.data
    note = incoming.kind if incoming.code is None else f"close {incoming.code}"
    return _text(note, data if isinstance(data, bytes) else data.encode())


def _shown(entry: Entry) -> str:
    # Of an end, and of what is no WebSocket, the words are all that can be compared.
    if entry.layer != "ws" or entry.note.startswith("not "):
        return visible(entry.note or entry.data.decode("utf-8", "backslashreplace"))
    return _text(entry.note, entry.data)


def _text(note: str, data: bytes) -> str:
    return f"{note}: {visible(data.decode('utf-8', 'backslashreplace'))}"
