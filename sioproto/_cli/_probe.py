"""What a live server is asked, and what it answers."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import trio

from sioproto import ConnectionFailed, SioprotoError
from sioproto._cli._wire import Answer, Unanswered, WebSocket, Wire
from sioproto.engineio import Message
from sioproto.engineio._client_handshake import (
    Handshake,
    explain_status,
    parse_handshake,
    refusal_text,
)
from sioproto.engineio._dialect import REVISION_3, REVISION_4, Dialect
from sioproto.engineio._packet import PacketType
from sioproto.socketio import Decoder, MsgpackParser, Packet, StrictJson, encode_packet
from sioproto.socketio import PacketType as SocketType

ORIGIN = "https://probe.invalid"
"""Where the page would come from that asks whether it may read the answers."""
BARE_PATH = "/engine.io/"
ROUNDS = 4
"""So many times the limit of one answer may all of it take."""
MAX_POLLS = 5
"""So many answers to polls are looked at for the answer to CONNECT."""

_OPENS = re.compile(rb"0\{|[0-9]{1,9}:0\{|[\x00\x01][\x00-\x09]{1,10}\xff0\{")


@dataclass(slots=True)
class Findings:
    """What is known of a server. Fields are None where it was not found out."""

    url: str
    path: str
    namespace: str
    trouble: str | None = None
    """Why there is nothing to tell: it is no such server."""
    revisions: dict[int, bool] = field(default_factory=dict)
    refusals: dict[int, str] = field(default_factory=dict)
    """What was said to revisions that are not spoken."""
    transports: dict[str, bool] = field(default_factory=dict)
    transport_troubles: dict[str, str] = field(default_factory=dict)
    upgrade: bool | None = None
    upgrade_trouble: str | None = None
    handshake: Handshake | None = None
    handshake_trouble: str | None = None
    ping: bool | None = None
    """Whether the server's ping came; None if it was not waited for."""
    socketio: bool | None = None
    parser: str | None = None
    admitted: bool | None = None
    refusal: str | None = None
    sticky: bool = True
    sticky_trouble: str | None = None
    unknown_sid: int | None = None
    """The status for a session that there is not."""
    cors: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    content_type: str | None = None
    server: str | None = None
    seconds: float | None = None
    gave_up: bool = False
    """Whether there was no time to ask everything."""
    echo: bool | None = None
    """Whether a bare Engine.IO server answers at /engine.io/."""


@dataclass(frozen=True, slots=True)
class _Session:
    dialect: Dialect
    target: str
    handshake: Handshake
    first: list[str | bytes]
    """Messages that came with the open packet."""


class Probe:
    """Asks one server. It runs once.

    Args:
        wire: connections to it.
        url: as it was given.
        path: where Engine.IO is.
        auth: sent along to join the namespace.
        heartbeat: longest wait for the server's ping, in seconds.
        bare_engine: whether to look for an Engine.IO server without Socket.IO as well.
    """

    def __init__(
        self,
        wire: Wire,
        url: str,
        path: str,
        auth: dict[str, Any] | None,
        heartbeat: float,
        *,
        bare_engine: bool = False,
    ) -> None:
        self._wire = wire
        self._path = path
        self._auth = auth
        self._heartbeat = heartbeat
        self._bare = bare_engine and path != BARE_PATH
        self.findings = Findings(url, path, wire.address.namespace)

    async def run(self) -> Findings:
        """Ask everything, within a few times the timeout of one answer."""
        with trio.move_on_after(ROUNDS * self._wire.timeout + 2 * self._heartbeat) as limit:
            try:
                await self._ask()
            except Unanswered as error:
                self.findings.trouble = str(error)
        self.findings.gave_up = limit.cancelled_caught
        return self.findings

    async def _ask(self) -> None:
        findings = self.findings
        opened = await self._open(4)
        session = opened if isinstance(opened, _Session) else None
        if isinstance(opened, Answer):
            older = await self._try_open(3)
            if isinstance(older, _Session):
                session = older
                findings.refusals.setdefault(4, _refusal(opened))
                findings.revisions[4] = False
            elif not await self._websocket(4):
                findings.trouble = self._explain(opened)
                return
        else:
            await self._older()
        findings.transports["polling"] = session is not None
        async with trio.open_nursery() as nursery:
            if self._bare:
                nursery.start_soon(self._bare_engine)
            if session is not None:
                findings.handshake = session.handshake
                nursery.start_soon(self._talk, session)
                nursery.start_soon(self._websocket, session.dialect.revision)
                if session.dialect is REVISION_4:
                    nursery.start_soon(self._unknown_session)

    # Sessions over polling

    def _target(self, revision: int, transport: str, sid: str | None = None) -> str:
        query = [("EIO", str(revision)), ("transport", transport)]
        query += self._wire.address.query
        if sid is not None:
            query.append(("sid", sid))
        query.append(("t", secrets.token_hex(4)))
        return f"{quote(self._path, safe='/%:@!$&()*+,;=~')}?{urlencode(query)}"

    async def _open(self, revision: int) -> _Session | Answer:
        """Open a session over polling; what was answered if it is none."""
        target = self._target(revision, "polling")
        answer = await self._wire.http(target, headers=(("origin", ORIGIN),))
        if answer.status != 200 or not _OPENS.match(answer.body):
            return answer
        dialect = REVISION_4 if answer.body.startswith(b"0{") else REVISION_3
        spoken = dialect.revision
        self.findings.revisions[spoken] = True
        if spoken != revision:
            self.findings.refusals[revision] = f"it answers in revision {spoken} all the same"
            self.findings.revisions[revision] = False
        try:
            packets = list(dialect.decode_payload(answer.body, answer.header("content-type")))
            handshake = parse_handshake(packets[0].data)
        except SioprotoError as error:
            self.findings.handshake_trouble = str(error)
            return answer
        self._look_at(answer)
        return _Session(
            dialect,
            self._target(spoken, "polling", handshake.sid),
            handshake,
            [packet.data for packet in packets[1:] if packet.type is PacketType.MESSAGE],
        )

    async def _try_open(self, revision: int) -> _Session | Answer | None:
        try:
            opened = await self._open(revision)
        except Unanswered as error:
            self.findings.refusals[revision] = str(error)
            opened = None
        if isinstance(opened, Answer):
            self.findings.refusals.setdefault(revision, _refusal(opened))
        self.findings.revisions.setdefault(revision, False)
        return opened

    async def _older(self) -> None:
        opened = await self._try_open(3)
        if isinstance(opened, _Session):
            await self._close(opened)

    def _look_at(self, answer: Answer) -> None:
        """Keep what the headers of the first good answer tell."""
        findings = self.findings
        if findings.seconds is not None:
            return
        findings.server = answer.header("server")
        findings.content_type = answer.header("content-type")
        findings.seconds = answer.seconds
        findings.cookies = answer.all("set-cookie")
        findings.cors = {
            name.lower().removeprefix("access-control-"): value
            for name, value in answer.headers
            if name.lower().startswith("access-control-")
        }

    def _explain(self, answer: Answer) -> str:
        """Why this is no Engine.IO server."""
        findings = self.findings
        if findings.handshake_trouble is not None:
            return findings.handshake_trouble
        if 300 <= answer.status < 400:
            to = (answer.header("location") or "elsewhere").partition("?")[0]
            return f"the server redirects to {to}: ask there"
        if answer.status == 200:
            return "the answer is not from an Engine.IO server: there is no open packet"
        error: ConnectionFailed = explain_status(answer.status, answer.body)
        return str(error)

    # One session, from CONNECT to the end

    async def _talk(self, session: _Session) -> None:
        try:
            await self._join(session)
        except Unanswered as error:
            self.findings.sticky_trouble = str(error)
        if self.findings.socketio is None:
            # A server that could not stand the question closed the session with it.
            await self._join_with_msgpack(session)
            self.findings.socketio = self.findings.parser is not None
        if session.dialect is REVISION_4 or "websocket" in session.handshake.upgrades:
            await self._upgrade_anew(session.dialect.revision)

    async def _join(self, session: _Session) -> None:
        findings, namespace = self.findings, self.findings.namespace
        if session.dialect is REVISION_3 and namespace == "/":
            found = [self._read_answer(message) for message in session.first]
        else:
            text = _connect_text(namespace, self._auth if session.dialect is REVISION_4 else None)
            answer = await self._post(session, text)
            if answer.status != 200:
                findings.sticky = not _is_unknown_session(answer)
                return
            found = []
        for _ in range(MAX_POLLS):
            if any(found):
                break
            try:
                messages = await self._poll(session)
            except Unanswered:
                messages = None  # there is nothing to say: no Socket.IO
            if messages is None:
                break
            found = [self._read_answer(message) for message in messages]
        await self._close(session)

    async def _join_with_msgpack(self, before: _Session) -> None:
        try:
            parser = MsgpackParser()
        except ImportError:
            return
        packet = Packet(SocketType.CONNECT, self.findings.namespace)
        if self._auth is not None:
            packet.data = self._auth
        try:
            session = await self._open(before.dialect.revision)
            if not isinstance(session, _Session):
                return
            (message,) = parser.encode(packet)
            if (await self._post(session, message)).status != 200:
                return
            decoder = parser.decoder(max_attachments=1)
            for message in await self._poll(session) or ():
                answer = decoder.feed(message)
                self._joined(answer, "msgpack")
            await self._close(session)
        except (Unanswered, SioprotoError):
            return

    def _read_answer(self, message: str | bytes) -> bool:
        """Whether this is the answer to CONNECT; keep what it says."""
        try:
            packet = Decoder(StrictJson()).feed(message)
        except SioprotoError:
            return False
        return packet is not None and self._joined(packet, "text")

    def _joined(self, packet: Packet, parser: str) -> bool:
        findings = self.findings
        if packet.namespace.partition("?")[0] != findings.namespace:
            return False
        if packet.type is SocketType.CONNECT:
            if 4 in findings.revisions and findings.revisions[4] and not _has_sid(packet):
                return False  # an echo, not an answer (SIO-CONN-08)
            findings.admitted = True
        elif packet.type is SocketType.CONNECT_ERROR:
            findings.admitted = False
            data = packet.data
            message = data.get("message") if isinstance(data, dict) else data
            findings.refusal = message if isinstance(message, str) else "no reason given"
        else:
            return False
        findings.socketio, findings.parser = True, parser
        return True

    async def _post(self, session: _Session, data: str | bytes) -> Answer:
        message = Message("4" + data) if isinstance(data, str) else Message(data)
        _, body = session.dialect.encode_payload([message], True)
        return await self._wire.http(session.target, body)

    async def _poll(self, session: _Session) -> list[str | bytes] | None:
        """The messages of one answer to a poll; None if the session is over."""
        answer = await self._wire.http(session.target)
        if answer.status != 200:
            self.findings.sticky &= not _is_unknown_session(answer)
            return None
        content_type = answer.header("content-type")
        try:
            packets = list(session.dialect.decode_payload(answer.body, content_type))
        except SioprotoError:
            return None
        if any(packet.type is PacketType.CLOSE for packet in packets):
            return None
        return [packet.data for packet in packets if packet.type is PacketType.MESSAGE]

    async def _close(self, session: _Session) -> None:
        """Say good-bye, so that nothing is left behind."""
        _, body = session.dialect.encode_payload([Message("1")], True)
        with suppress(Unanswered):
            await self._wire.http(session.target, body)

    # WebSocket

    async def _websocket(self, revision: int) -> bool:
        """Open a session on WebSocket, and listen for a ping. Whether that worked."""
        findings = self.findings
        alone = findings.handshake is None
        try:
            async with self._wire.websocket(self._target(revision, "websocket")) as socket:
                hello = await socket.receive()
                if not isinstance(hello, str) or not hello.startswith("0{"):
                    raise Unanswered("there is no open packet on it")
                findings.transports["websocket"] = True
                handshake = parse_handshake(hello[1:])
                if alone:
                    findings.handshake = handshake
                    findings.revisions[revision] = True
                    await socket.send("4" + _connect_text(findings.namespace, self._auth))
                    for _ in range(MAX_POLLS):
                        message = await socket.receive()
                        if message is None:
                            break
                        if message[:1] == "4" and self._read_answer(message[1:]):
                            break
                    findings.socketio = findings.socketio or False
                if revision == 4 and handshake.ping_interval <= self._heartbeat:
                    limit = handshake.ping_interval + handshake.ping_timeout
                    findings.ping = await socket.await_one("2", limit)
                await socket.send("1")
        except (Unanswered, SioprotoError) as error:
            findings.transports.setdefault("websocket", False)
            findings.transport_troubles["websocket"] = str(error)
        return findings.transports["websocket"]

    async def _upgrade_anew(self, revision: int) -> None:
        """Move a session of its own to WebSocket, as a client does."""
        findings = self.findings
        try:
            session = await self._open(revision)
            if not isinstance(session, _Session):
                return
            target = self._target(session.dialect.revision, "websocket", session.handshake.sid)
            async with self._wire.websocket(target) as socket:
                async with trio.open_nursery() as nursery:
                    # The server ends this poll when it has answered the probe (EIO-UPS-02).
                    nursery.start_soon(self._hold_poll, session)
                    await socket.send("2probe")
                    if not await socket.await_one("3probe"):
                        raise Unanswered("there is no answer to the probe")
                await socket.send("5")
                if findings.parser == "text" and revision == 4:
                    await self._join_after_upgrade(socket)
                findings.upgrade = True
                await socket.send("1")
        except* (Unanswered, SioprotoError) as group:
            findings.upgrade = False
            findings.upgrade_trouble = str(_first(group))

    async def _join_after_upgrade(self, socket: WebSocket) -> None:
        await socket.send("4" + _connect_text(self.findings.namespace, self._auth))
        for _ in range(MAX_POLLS):
            message = await socket.receive()
            if message is None:
                break
            if message[:2] in ("40", "44"):
                return
        raise Unanswered("nothing is answered on the new transport")

    async def _hold_poll(self, session: _Session) -> None:
        with suppress(Unanswered):
            await self._poll(session)

    # The rest

    async def _unknown_session(self) -> None:
        try:
            answer = await self._wire.http(self._target(4, "polling", secrets.token_urlsafe(15)))
        except Unanswered:
            self.findings.unknown_sid = 0
        else:
            self.findings.unknown_sid = answer.status

    async def _bare_engine(self) -> None:
        try:
            answer = await self._wire.http(f"{BARE_PATH}?EIO=4&transport=polling")
        except Unanswered:
            return
        self.findings.echo = answer.status == 200 and answer.body.startswith(b"0{")


def _has_sid(packet: Packet) -> bool:
    return isinstance(packet.data, dict) and isinstance(packet.data.get("sid"), str)


def _connect_text(namespace: str, auth: dict[str, Any] | None) -> str:
    packet = Packet(SocketType.CONNECT, namespace)
    if auth is not None:
        packet.data = auth
    return encode_packet(packet, StrictJson())[0]


def _is_unknown_session(answer: Answer) -> bool:
    """Whether this is what is said of a session that there is not (EIO-ERR-01)."""
    try:
        fields = json.loads(answer.body) if len(answer.body) < 1_000 else None
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and fields.get("code") == 1


def _refusal(answer: Answer) -> str:
    """What was said to a request that opened no session."""
    text = refusal_text(answer.body) if answer.status >= 400 else None
    return (text or f"HTTP status {answer.status}").strip('"')  # some write it as a JSON string


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
