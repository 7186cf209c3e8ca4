"""What bare trio, h11 and wsproto cost: one task for each connection, and next to nothing else.

The answers to all that one read brought go out in one write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from functools import partial

import click
import h11
import trio
import wsproto
from floor import OPEN, Floor
from wsproto import events

LOST = (trio.BrokenResourceError, trio.ClosedResourceError)


class Connection:
    """A WebSocket."""

    def __init__(self, stream: trio.SocketStream, request: h11.Request, received: bytes) -> None:
        self._stream = stream
        self._lock = trio.Lock()
        self._protocol = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        self._protocol.initiate_upgrade_connection(
            list(request.headers), request.target.decode("ascii")
        )
        list(self._protocol.events())
        self.accepted = self._protocol.send(events.AcceptConnection())
        if received:
            self._protocol.receive_data(received)

    def frame(self, text: str) -> bytes:
        """The frame that carries a text."""
        return bytes(self._protocol.send(events.TextMessage(text)))

    async def send(self, data: bytes) -> None:
        """Send bytes, in the order of the calls."""
        try:
            self._lock.acquire_nowait()  # `async with` costs a pass of the scheduler
        except trio.WouldBlock:
            await self._lock.acquire()
        try:
            await self._stream.send_all(data)
        except LOST:
            pass  # its own loop will see it
        finally:
            self._lock.release()

    async def run(self, floor: TrioFloor) -> None:
        """Answer what comes until the peer closes."""
        await self.send(self.accepted + self.frame(OPEN))
        try:
            while await self._answer(floor, await self._stream.receive_some(65_536)):
                pass
        finally:
            floor.gone(self)

    async def _answer(self, floor: TrioFloor, data: bytes) -> bool:
        """Answer what one read brought. Returns whether the connection lives on."""
        self._protocol.receive_data(data or None)
        out, alive = b"", bool(data)
        for event in self._protocol.events():
            if isinstance(event, events.TextMessage):
                answer = floor.on_text(event.data, self)
                if isinstance(answer, str):
                    out += self.frame(answer)
                elif answer is not None:
                    await answer
            elif isinstance(event, events.Ping):
                out += self._protocol.send(event.response())
            elif isinstance(event, events.CloseConnection):
                alive = False
                if data:
                    out += self._protocol.send(event.response())
        if out:
            await self.send(out)
        return alive


TrioFloor = Floor[Connection, Awaitable[None]]


async def broadcast(connections: Iterable[Connection], text: str) -> None:
    """Send a text to connections, in one frame that is built once."""
    frame = None
    for connection in list(connections):
        if frame is None:
            frame = connection.frame(text)
        await connection.send(frame)


class Session:
    """What waits for a poll."""

    def __init__(self) -> None:
        self._queue: list[str] = []
        self._arrived = trio.Event()

    def put(self, text: str) -> None:
        """Have a poll bring a packet."""
        self._queue.append(text)
        self._arrived.set()

    async def take(self) -> str:
        """All that waits, once there is something."""
        await self._arrived.wait()
        body = "\x1e".join(self._queue)
        self._queue.clear()
        self._arrived = trio.Event()
        return body


class Server:
    """Answers requests, one connection a task."""

    def __init__(self) -> None:
        self._floor: TrioFloor = Floor(broadcast)
        self._sessions: dict[str, Session] = {}

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve a connection until it ends."""
        http = h11.Connection(h11.SERVER)
        try:
            while (read := await self._read(stream, http)) is not None:
                request, body = read
                if b"transport=websocket" in request.target:
                    connection = Connection(stream, request, http.trailing_data[0])
                    await connection.run(self._floor)
                    return
                answer = await self._answer(request, body)
                await stream.send_all(self._response(http, answer.encode()))
                http.start_next_cycle()
        except (*LOST, h11.RemoteProtocolError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def _read(
        self, stream: trio.SocketStream, http: h11.Connection
    ) -> tuple[h11.Request, bytes] | None:
        request, body = None, b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(bytes(await stream.receive_some(65_536)))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return request, body
            else:
                return None

    async def _answer(self, request: h11.Request, body: bytes) -> str:
        _, has_sid, sid = request.target.decode().partition("&sid=")
        if not has_sid:
            sid = str(len(self._sessions))
            self._sessions[sid] = Session()
            return OPEN.replace("abcdefghijklmnopqrst", sid)
        session = self._sessions[sid]
        if request.method == b"GET":
            return await session.take()
        if body == b"1":
            session.put("6")  # goodbye: the poll has to end
            return "ok"
        for text in body.decode().split("\x1e"):
            answer = self._floor.on_text(text, None)
            if isinstance(answer, str):
                session.put(answer)
        return "ok"

    def _response(self, http: h11.Connection, body: bytes) -> bytes:
        fields = [
            ("Content-Type", "text/plain; charset=UTF-8"),
            ("Content-Length", str(len(body))),
        ]
        parts = [
            http.send(h11.Response(status_code=200, headers=fields)),
            http.send(h11.Data(data=body)),
            http.send(h11.EndOfMessage()),
        ]
        return b"".join(part for part in parts if part)


@click.command(help=__doc__)
@click.argument("port", type=int)
def main(port: int) -> None:
    serve = partial(trio.serve_tcp, Server().serve, port, host="127.0.0.1", backlog=1024)
    trio.run(serve)


if __name__ == "__main__":
    main()
