"""A client on asyncio, as the example makes it, that keeps what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from asyncio_client import Driver

from sioproto import engineio as eio
from sioproto import socketio as sio

PATIENCE = 30
TRANSPORTS = [("polling",), ("websocket",), ("polling", "websocket")]


def clock() -> float:
    return asyncio.get_running_loop().time()


class Person:
    """A socket, and what it is told."""

    def __init__(self, url: str, transports: tuple[str, ...], **options: Any) -> None:
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        engine = eio.ClientConfig(path="/socket.io/", transports=transports)
        self.driver = Driver(url, self.events.put_nowait, engine, sio.ClientConfig(**options))
        self.socket = self.driver.core.of("/")
        self.socket.set_auth({"token": "t"})
        self.socket.connect(now=clock())

    async def told(self, *kinds: type[Any]) -> Any:
        """The next event of one of these kinds. Others before it are nobody's business."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(event := await self.events.get(), kinds):
                pass
        return event


@asynccontextmanager
async def person(port: int, transports: tuple[str, ...], **options: Any) -> AsyncIterator[Person]:
    """A client, closed in the end with nothing left of it."""
    it = Person(f"http://127.0.0.1:{port}", transports, **options)
    try:
        yield it
    finally:
        await it.driver.close()
    left = it.driver.core.statistics()
    assert (left.active, left.engine.exchanges, left.engine.websockets) == (0, 0, 0)
    assert (it.driver.tasks, it.driver.websockets, it.driver.answers) == ({}, {}, {})


def run(test: Callable[[], Any]) -> None:
    """Run a test on asyncio. Whatever a callback raises fails it."""
    wrong: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        await test()

    asyncio.run(main())
    assert wrong == []
