"""Single requests and WebSockets for a probe: each on a connection of its own, limited in time."""

from __future__ import annotations

import os
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import h11
import trio
import wsproto
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

from sioproto.engineio import HttpRequest
from sioproto.trio import ClientConnectionConfig
from sioproto.trio._address import Address
from sioproto.trio._client_http import TROUBLE, HttpPool, reason_of

MAX_BODY = 1_000_000
"""Most bytes in an answer."""
MAX_MESSAGES = 100
"""Most messages of a WebSocket that are looked at while one is awaited."""

Headers = tuple[tuple[str, str], ...]
_BYTEARRAY = re.compile(r"bytearray\(b(.*)\)")
"""How h11 tells what it has read."""


class Unanswered(Exception):
    """There is no answer, or none that can be used. The message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Headers
    body: bytes
    seconds: float

    def all(self, name: str) -> list[str]:
        """The values of a header; its name in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str | None:
        """The last value of a header."""
        values = self.all(name)
        return values[-1] if values else None


class Wire:
    """Connections to one server.

    Args:
        address: of the server.
        headers: go along with each request; names in lower case.
        ssl_context: for TLS.
        timeout: seconds that each answer may take.
    """

    def __init__(
        self, address: Address, headers: Headers, ssl_context: ssl.SSLContext, timeout: float
    ) -> None:
        self.address = address
        self.timeout = timeout
        self._headers = headers
        self._ssl_context = ssl_context
        self._connected: _Overheard | None = None

    async def http(self, target: str, body: bytes | None = None, headers: Headers = ()) -> Answer:
        """Send a GET, or a POST if there is a body, on a new connection.

        Raises:
            Unanswered: there is no answer in time.
        """
        pool = self._pool()
        began = trio.current_time()
        method = "GET" if body is None else "POST"
        sent = (*self._headers, *headers)
        if body is not None:
            sent = (*sent, ("content-type", "text/plain; charset=UTF-8"))
        request = HttpRequest(0, method, target, sent, body or b"", MAX_BODY)
        with self._limited():
            try:
                status, fields, data = await pool.request(request)
            finally:
                await pool.close()
        return Answer(status, fields, data, trio.current_time() - began)

    @asynccontextmanager
    async def websocket(self, target: str, headers: Headers = ()) -> AsyncIterator[WebSocket]:
        """Open a WebSocket for as long as the context lasts.

        Raises:
            Unanswered: it does not open in time.
        """
        with self._limited():
            connection = await self._pool().open()
        stream = connection.stream
        try:
            socket = WebSocket(stream, self)
            with self._limited():
                await socket.open(target, (*self._headers, *headers))
            yield socket
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    def _pool(self) -> HttpPool:
        self._connected = None
        return HttpPool(self.address, self._ssl_context, self._open, ClientConnectionConfig())

    async def _open(self, host: str, port: int) -> trio.abc.Stream:
        stream = _Overheard(await trio.open_tcp_stream(host, port))
        self._connected = stream
        return stream

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Limit the time, and tell in words what goes wrong."""
        try:
            with trio.fail_after(self.timeout):
                yield
        except trio.TooSlowError:
            raise Unanswered(self._silence()) from None
        except TROUBLE as error:
            raise Unanswered(self._words(reason_of(error))) from None
        except (h11.LocalProtocolError, wsproto.utilities.LocalProtocolError) as error:
            raise Unanswered(f"the request cannot be sent: {error}") from None

    def _silence(self) -> str:
        where, limit = self.address.authority, f"within {self.timeout:g} s"
        if self._connected is None:
            return f"{where} takes no connection {limit}"
        said = self._connected.beginning
        if said and not said.startswith(b"HTTP/") and not self.address.secure:
            return f"{where} does not answer in HTTP: it says {said.decode('latin-1')!r}"
        return f"{where} answers nothing {limit}" if not said else f"{where} is not done {limit}"

    def _words(self, error: Exception) -> str:
        return words_of(error, self.address.authority, connected=self._connected is not None)


class _Overheard(trio.abc.Stream):
    """A stream that keeps how the answer began."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.beginning = b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        self.beginning = (self.beginning + data[:20])[:20]
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()


def words_of(error: Exception, where: str, *, connected: bool) -> str:
    """What went wrong between a server and us.

    Args:
        error: of the network, of TLS or of HTTP.
        where: the server.
        connected: whether there was a connection.
    """
    if isinstance(error, h11.RemoteProtocolError):
        said = _BYTEARRAY.sub(r"\1", str(error))
        return f"{where} does not answer in HTTP: {said}"
    if isinstance(error, ssl.SSLError):
        return f"{where} does not speak TLS as expected: {network_words(error)}"
    if isinstance(error, trio.BrokenResourceError):
        return f"{where} hung up without an answer"
    if connected or isinstance(error, ConnectionResetError | BrokenPipeError):
        return f"{where} closed the connection: {network_words(error)}"
    return f"no connection to {where}: {network_words(error)}"


def with_path(words: str, path: str) -> str:
    """Name the path at which nothing was found."""
    named = words.replace("at this path", f"at {path}")
    return words if named == words else f"{named}: --path names another place"


def network_words(error: BaseException) -> str:
    """What a network or TLS had to say, without what only programmers read."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted, {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # of a name that cannot be looked up
    return str(error) or type(error).__name__


class WebSocket:
    """One WebSocket."""

    def __init__(self, stream: trio.abc.Stream, wire: Wire) -> None:
        self._stream = stream
        self._wire = wire
        self._protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self._messages: deque[str | bytes] = deque()
        self._parts: list[str | bytes] = []
        self._ended = False

    async def open(self, target: str, headers: Headers) -> None:
        """Shake hands. Raises ``Unanswered``."""
        extra = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        request = Request(host=self._wire.address.authority, target=target, extra_headers=extra)
        await self._stream.send_all(self._protocol.send(request))
        accepted = False
        while not accepted:
            for event in await self._read():
                if isinstance(event, RejectConnection):
                    raise Unanswered(f"HTTP status {event.status_code}")
                if isinstance(event, AcceptConnection):
                    accepted = True
                else:  # what came along with the answer
                    await self._take(event)
            if self._ended and not accepted:
                raise Unanswered("the connection was closed")

    async def send(self, data: str | bytes) -> None:
        """Send a message. Raises ``Unanswered``."""
        with self._wire._limited():
            event = TextMessage(data) if isinstance(data, str) else BytesMessage(data)
            await self._stream.send_all(self._protocol.send(event))

    async def receive(self, timeout: float | None = None) -> str | bytes | None:
        """The next message; None if there is none in time, or none any more.

        Raises:
            Unanswered: the connection breaks.
        """
        with trio.move_on_after(self._wire.timeout if timeout is None else timeout):
            try:
                while not self._messages and not self._ended:
                    for event in await self._read():
                        await self._take(event)
            except (*TROUBLE, wsproto.utilities.RemoteProtocolError) as error:
                raise Unanswered(str(error) or "the connection was lost") from None
        return self._messages.popleft() if self._messages else None

    async def await_one(self, wanted: str, timeout: float | None = None) -> bool:
        """Whether this text comes in time, whatever comes before it."""
        with trio.move_on_after(self._wire.timeout if timeout is None else timeout):
            for _ in range(MAX_MESSAGES):
                message = await self.receive(timeout)
                if message == wanted or message is None:
                    return message == wanted
        return False

    async def _read(self) -> list[wsproto.events.Event]:
        try:
            data = bytes(await self._stream.receive_some(65_536))
            self._protocol.receive_data(data or None)
            events = list(self._protocol.events())
        except wsproto.utilities.RemoteProtocolError as error:
            raise Unanswered(f"no WebSocket: {error}") from None
        self._ended |= not data
        return events

    async def _take(self, event: wsproto.events.Event) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            self._parts.append(event.data if isinstance(event, TextMessage) else bytes(event.data))
            if sum(map(len, self._parts)) > MAX_BODY:
                raise Unanswered("a message is too large to look at")
            if event.message_finished:
                empty: str | bytes = "" if isinstance(event, TextMessage) else b""
                self._messages.append(empty.join(self._parts))  # type: ignore[arg-type] # one kind
                self._parts = []
        elif isinstance(event, Ping):
            await self._stream.send_all(self._protocol.send(event.response()))
        elif isinstance(event, CloseConnection):
            self._ended = True
