"""HTTP/1.1 with literal requests: what goes out is written here, what comes in is read by h11."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import h11

from sioproto_conformance.peers.wire import Address, Gone, Transcript, Unexpected, Wire, within

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in order."""
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or ``None``."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def text(self) -> str:
        """The body as UTF-8; what is not becomes U+FFFD."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON, or ``None`` if it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"status {self.status}, body {self.text[:200]!r}"


def request_bytes(
    method: str,
    target: str,
    address: Address,
    *,
    headers: Headers = (),
    body: bytes | None = None,
) -> bytes:
    """Return a request with ``Host``, and with ``Content-Length`` when there is a body.

    A header given replaces the one of this function; nothing is checked.
    """
    given = list(headers)
    names = {name.lower() for name, _ in given}
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {address.authority}")
    lines += [f"{name}: {value}" for name, value in given]
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([*lines, "", ""]).encode("utf-8")
    return head + (body or b"")


class HttpConnection:
    """A connection that carries requests and responses."""

    def __init__(self, wire: Wire, address: Address, *, timeout: float) -> None:
        self.wire = wire
        self.address = address
        self.timeout = timeout
        """Seconds that an answer may take unless said otherwise."""
        self.rest = b""
        """What was received behind the last response."""

    async def send(
        self, method: str, target: str, *, headers: Headers = (), body: bytes | None = None
    ) -> None:
        """Send a whole request and do not wait for the answer."""
        data = request_bytes(method, target, self.address, headers=headers, body=body)
        await self.wire.send(data, layer="http")

    async def send_raw(self, data: bytes, *, note: str = "") -> None:
        """Send any bytes."""
        await self.wire.send(data, layer="http", note=note)

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: Headers = (),
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a request and return its answer. Raises as ``response`` does."""
        await self.send(method, target, headers=headers, body=body)
        return await self.response(method, timeout=timeout)

    async def response(self, method: str = "GET", *, timeout: float | None = None) -> Response:
        """Return the next answer; ``method`` is that of its request, as HEAD has no body.

        Raises ``NoAnswer`` after ``timeout`` seconds, ``Gone`` if the connection ends before the
        answer is complete, ``Unexpected`` if it is not HTTP.
        """
        with within(self.timeout if timeout is None else timeout, "an HTTP response"):
            return await self._response(method)

    async def _response(self, method: str) -> Response:
        parser = h11.Connection(h11.CLIENT)
        # h11 has to have sent the request whose answer it reads; its bytes go nowhere. The upgrade
        # is named so that 101 counts as an answer.
        asked = [("Host", "x"), ("Connection", "upgrade"), ("Upgrade", "websocket")]
        parser.send(h11.Request(method=method, target="/", headers=asked))
        parser.send(h11.EndOfMessage())
        received, self.rest = self.rest, b""
        if received:
            parser.receive_data(received)
        head: h11.Response | h11.InformationalResponse | None = None
        body = b""
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                self._record(received, "not HTTP")
                if self.wire.ended:
                    raise Gone("an HTTP response", self.wire.ended) from error
                raise Unexpected("an HTTP response", f"{error}: {received[:200]!r}") from error
            if event is h11.NEED_DATA:
                data = await self.wire.receive()
                received += data
                parser.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    head = event
                    break
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                break
        if head is None:
            self._record(received, "")
            raise Gone("an HTTP response", self.wire.ended or "the connection ended")
        self.rest = parser.trailing_data[0]
        self._record(received[: len(received) - len(self.rest)], "")
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers
        )
        return Response(head.status_code, headers, body)

    def _record(self, data: bytes, note: str) -> None:
        if data:
            self.wire.transcript.add(self.wire.conn, "in", "http", data, note)


class Dialer:
    """Opens the connections of one case to one server."""

    def __init__(self, address: Address, transcript: Transcript, *, timeout: float) -> None:
        self.address = address
        self.transcript = transcript
        self.timeout = timeout
        self._opened = 0
        self._wires: list[Wire] = []

    async def http(self, name: str) -> HttpConnection:
        """Open a connection that the transcript calls ``name`` and a number.

        Raises ``NoAnswer`` or ``Gone`` if the server accepts none.
        """
        self._opened += 1
        conn = f"{name}#{self._opened}"
        wire = await Wire.open(self.address, conn, self.transcript, timeout=self.timeout)
        self._wires.append(wire)
        return HttpConnection(wire, self.address, timeout=self.timeout)

    async def hang_up(self) -> None:
        """End every connection that is still open."""
        for wire in self._wires:
            await wire.abort()
        self._wires.clear()
