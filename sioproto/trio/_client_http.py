"""The HTTP of a client: connections to one server, and requests on them."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable
from math import inf

import h11
import trio

from sioproto.engineio import HttpRequest
from sioproto.trio._address import Address
from sioproto.trio._client_config import ClientConnectionConfig
from sioproto.trio._wire import RECEIVE_SIZE

StreamFactory = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Opens a connection to a host and a port."""

Headers = tuple[tuple[str, str], ...]

TROUBLE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError)
"""What a network, or whoever is at the other end of it, can do to a request."""


def reason_of(error: Exception) -> Exception:
    """The error that tells what happened, where another one is wrapped around it."""
    cause = error.__cause__
    if isinstance(error, trio.BrokenResourceError) and isinstance(cause, Exception):
        return cause  # e.g. what TLS has to say
    if isinstance(error, OSError) and isinstance(cause, ExceptionGroup):
        first = cause.exceptions[0]  # of the addresses that were tried
        return first if isinstance(first, OSError) else error
    return error


def http_headers(address: Address, headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of a request, with those that belong to the driver."""
    own = [("host", address.authority)] if all(name != "host" for name, _ in headers) else []
    return [(name.encode(), value.encode("latin-1")) for name, value in (*own, *headers)]


def text_headers(response: h11.Response | h11.InformationalResponse) -> Headers:
    """The headers of a response as the core takes them."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers
    )


class Connection:
    """One connection, and the state of HTTP on it."""

    def __init__(self, stream: trio.abc.Stream, config: ClientConnectionConfig) -> None:
        self.stream = stream
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=config.max_header_bytes)
        self.idle_since = 0.0

    async def send(self, events: Iterable[h11.Event]) -> None:
        """Send parts of a request in one write."""
        await self.stream.send_all(b"".join(self.http.send(event) or b"" for event in events))

    async def next_event(self) -> h11.Event | type[h11.PAUSED]:
        """The next part of the response.

        Raises:
            h11.RemoteProtocolError: the server does not speak HTTP, or has gone.
            trio.BrokenResourceError: it has gone without a word.
        """
        while (event := self.http.next_event()) is h11.NEED_DATA:
            data = bytes(await self.stream.receive_some(RECEIVE_SIZE))
            if not data and self.http.their_state is h11.SEND_RESPONSE:
                said, _ = self.http.trailing_data
                if not said:
                    raise trio.BrokenResourceError("the server hung up without an answer")
            self.http.receive_data(data)
        return event  # type: ignore[return-value] # NEED_DATA is out

    async def head(self) -> h11.Response | h11.InformationalResponse:
        """The head of the response: the final one, or that of another protocol."""
        while True:
            event = await self.next_event()
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("no response")

    async def body(self, limit: int) -> bytes:
        """The body, or a little more than ``limit`` bytes of it."""
        body = bytearray()
        while len(body) <= limit:
            event = await self.next_event()
            if isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise h11.RemoteProtocolError("the connection ended within a response")
        return bytes(body)


class HttpPool:
    """Connections to one server, each used for one request after another.

    Args:
        address: of the server.
        ssl_context: for TLS.
        stream_factory: opens connections.
        config: limits and times.
    """

    def __init__(
        self,
        address: Address,
        ssl_context: ssl.SSLContext | None,
        stream_factory: StreamFactory,
        config: ClientConnectionConfig,
    ) -> None:
        self.address = address
        self.config = config
        self._ssl_context = ssl_context
        self._stream_factory = stream_factory
        self._idle: list[Connection] = []

    async def open(self) -> Connection:
        """Make a connection."""
        address = self.address
        stream = await self._stream_factory(address.host, address.port)
        if address.secure:
            context = self._ssl_context or ssl.create_default_context()
            secure = trio.SSLStream(
                stream, context, server_hostname=address.host, https_compatible=True
            )
            try:
                await secure.do_handshake()
            except BaseException:
                await trio.aclose_forcefully(stream)
                raise
            stream = secure
        return Connection(stream, self.config)

    async def request(self, out: HttpRequest) -> tuple[int, Headers, bytes]:
        """Send a request and read its response.

        No request is sent twice: of one that failed nobody knows whether it arrived.

        Raises:
            TROUBLE: there is no response.
        """
        connection = await self._take_idle() or await self.open()
        try:
            headers = http_headers(self.address, out.headers)
            if out.method == "POST":
                headers.append((b"content-length", str(len(out.body)).encode()))
            request = h11.Request(method=out.method, target=out.target, headers=headers)
            await connection.send((request, h11.Data(data=out.body), h11.EndOfMessage()))
            response = await connection.head()
            body = await connection.body(out.limit)
        except BaseException:
            await trio.aclose_forcefully(connection.stream)
            raise
        await self._keep(connection)
        return response.status_code, text_headers(response), body

    async def _take_idle(self) -> Connection | None:
        # The one used last is the one whose server is least likely to have closed it.
        found = None
        oldest = trio.current_time() - self.config.idle_timeout
        while self._idle and found is None:
            connection = self._idle.pop()
            if connection.idle_since >= oldest and not _has_more(connection.stream):
                found = connection
            else:
                await trio.aclose_forcefully(connection.stream)
        return found

    async def _keep(self, connection: Connection) -> None:
        http = connection.http
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
            connection.idle_since = trio.current_time()
            self._idle.append(connection)
        else:
            await trio.aclose_forcefully(connection.stream)

    def distrust(self) -> None:
        """Something went wrong with the network: use no connection that was idle meanwhile."""
        for connection in self._idle:
            connection.idle_since = -inf

    async def close(self) -> None:
        """Close the connections that wait for a request."""
        while self._idle:
            await trio.aclose_forcefully(self._idle.pop().stream)


def _has_more(stream: trio.abc.Stream) -> bool:
    """Whether there is something to read where nothing should be: most likely the end."""
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    return isinstance(stream, trio.SocketStream) and stream.socket.is_readable()
