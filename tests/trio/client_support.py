"""A client and a server that meet in memory, and what can happen between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from sioproto.engineio import ClientConfig as EngineConfig
from sioproto.socketio import Parser
from sioproto.trio import Client, Server, Socket, connect
from tests.trio.support import PATIENCE, MemoryListener, serving

URL = "http://test/"


class Network:
    """Where clients of a server reach it."""

    def __init__(self, listener: MemoryListener) -> None:
        self.listener = listener
        self.offline = False
        self.streams: list[trio.abc.Stream] = []
        self.asked: list[tuple[str, int]] = []

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        """The stream factory of clients."""
        await trio.lowlevel.checkpoint()
        self.asked.append((host, port))
        if self.offline:
            raise OSError("no route to host")
        stream = self.listener.connect()
        self.streams.append(stream)
        return stream

    async def cut(self) -> None:
        """Lose every connection."""
        streams, self.streams = self.streams, []
        for stream in streams:
            assert isinstance(stream, trio.StapledStream)
            for half in (stream.send_stream, stream.receive_stream):
                await half.aclose()

    def connect(self, url: str = URL, *transports: str, **options: Any) -> Client:
        """A client of the server."""
        if transports:
            options["engine"] = EngineConfig(transports=transports)
        return connect(url, stream_factory=self.open, **options)


@asynccontextmanager
async def network(io: Server) -> AsyncIterator[Network]:
    """Serve, and let clients come."""
    with trio.fail_after(PATIENCE):
        async with serving(io) as listener:
            yield Network(listener)


def answering(parser: Parser | None = None) -> Server:
    """A server that echoes, adds up, asks, and sends away."""
    io = Server(parser=parser)

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.on("add")(lambda *numbers: sum(numbers))
        socket.on("echo")(lambda *args: socket.emit("echoed", *args))
        socket.on("several")(lambda: (1, 2))
        socket.on("leave")(lambda: socket.disconnect())

        @socket.on("ask")
        async def ask(*args: Any) -> Any:
            return await socket.request("question", *args, timeout=5)

        @socket.on("silence")
        async def silence() -> None:
            await trio.sleep_forever()

    return io
