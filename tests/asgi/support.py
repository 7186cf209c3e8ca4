"""An ASGI server in memory, on asyncio and on trio, both in virtual time."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import trio.testing

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
PATIENCE = 10_000
POLLING = "/engine.io/?EIO=4&transport=polling"
WEBSOCKET = "/engine.io/?EIO=4&transport=websocket"


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nothing: where others sleep, it moves the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen")
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes when there is nothing else to do."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(backend: str, main: Callable[[], Awaitable[None]]) -> None:
    """Run a test to its end."""

    async def guarded() -> None:
        with anyio.fail_after(PATIENCE):
            await main()

    options: dict[str, Any] = (
        {"clock": trio.testing.MockClock(autojump_threshold=0)}
        if backend == "trio"
        else {"loop_factory": VirtualLoop}
    )
    anyio.run(guarded, backend=backend, backend_options=options)


class Conversation:
    """One call of an application: a request, a WebSocket, or a lifespan."""

    def __init__(self, app: Any, scope: dict[str, Any]) -> None:
        self._app = app
        self._scope = scope
        self._to_app: deque[dict[str, Any]] = deque()
        self._from_app: deque[dict[str, Any]] = deque()
        self._changed = anyio.Event()
        self.asked = 0
        """How often the application has called ``receive``."""
        self.blocked = False
        """Whether ``send`` does not return, as for a client that does not read."""
        self.gone = False
        """Whether ``send`` raises, as for a client that has gone."""
        self.finished = False

    async def run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            self.finished = True
            self._change()

    def say(self, type: str, **fields: Any) -> None:
        """A message of the server."""
        self._to_app.append({"type": type, **fields})
        self._change()

    async def hear(self) -> dict[str, Any]:
        """The next message of the application."""
        while not self._from_app:
            assert not self.finished, "the application has returned"
            await self._changed.wait()
        return self._from_app.popleft()

    async def end(self) -> list[dict[str, Any]]:
        """Wait until the application has returned; what it said until then."""
        while not self.finished:
            await self._changed.wait()
        return list(self._from_app)

    def unblock(self) -> None:
        self.blocked = False
        self._change()

    async def answer(self) -> tuple[int, bytes]:
        """The status and the body of a response, in place of a WebSocket or not."""
        start = await self.hear()
        prefix = start["type"].removesuffix("http.response.start")
        body = await self.hear()
        assert body["type"] == f"{prefix}http.response.body"
        lengths = [value for name, value in start["headers"] if name == b"content-length"]
        assert lengths == [str(len(body["body"])).encode()]
        return start["status"], body["body"]

    async def _receive(self) -> dict[str, Any]:
        self.asked += 1
        while not self._to_app:
            await self._changed.wait()
        return self._to_app.popleft()

    async def _send(self, message: dict[str, Any]) -> None:
        if self.gone:
            raise OSError("the client has gone")
        self._from_app.append(message)
        self._change()
        while self.blocked:
            await self._changed.wait()
        await anyio.lowlevel.checkpoint()

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class AsgiServer:
    """A server of one application."""

    def __init__(self, app: Any, tasks: anyio.abc.TaskGroup) -> None:
        self.app = app
        self.tasks = tasks

    def call(self, scope: dict[str, Any]) -> Conversation:
        """Call the application, in a task."""
        conversation = Conversation(self.app, scope)
        self.tasks.start_soon(conversation.run)
        return conversation

    def request(
        self, target: str, method: str = "GET", body: bytes | None = b"", **fields: Any
    ) -> Conversation:
        """A request; with ``body`` None, its body is still to come."""
        conversation = self.call(scope("http", target, method=method, **fields))
        if body is not None:
            conversation.say("http.request", body=body, more_body=False)
        return conversation

    async def exchange(
        self, target: str, method: str = "GET", body: bytes = b"", **fields: Any
    ) -> tuple[int, bytes]:
        """A request and its answer."""
        conversation = self.request(target, method, body, **fields)
        answer = await conversation.answer()
        assert await conversation.end() == []
        return answer

    def websocket(self, target: str = WEBSOCKET, **fields: Any) -> Conversation:
        conversation = self.call(scope("websocket", target, **fields))
        conversation.say("websocket.connect")
        return conversation

    async def open_polling(self, target: str = POLLING) -> str:
        """Open a session; returns the target of its further requests."""
        status, body = await self.exchange(target)
        assert status == 200, body
        return f"{target}&sid={json.loads(body[1:])['sid']}"

    async def open_websocket(self, target: str = WEBSOCKET) -> Conversation:
        """Open a session on WebSocket."""
        ws = self.websocket(target)
        assert (await ws.hear())["type"] == "websocket.accept"
        assert (await ws.hear())["text"].startswith('0{"sid":')
        return ws


@asynccontextmanager
async def serving(app: Any, ended: list[float] | None = None) -> AsyncIterator[AsgiServer]:
    """Serve with a lifespan while the context lasts; ``ended`` gets the time of its end."""
    async with anyio.create_task_group() as tasks:
        server = AsgiServer(app, tasks)
        lifespan = server.call({"type": "lifespan", "asgi": {"version": "3.0"}})
        lifespan.say("lifespan.startup")
        assert await lifespan.hear() == {"type": "lifespan.startup.complete"}
        yield server
        lifespan.say("lifespan.shutdown")
        assert await lifespan.hear() == {"type": "lifespan.shutdown.complete"}
        if ended is not None:
            ended.append(anyio.current_time())
        assert await lifespan.end() == []


def scope(type: str, target: str, **fields: Any) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": type,
        "asgi": {"version": "3.0"},
        "scheme": "http" if type == "http" else "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"test")],
        "client": ("192.0.2.1", 4711),
        **fields,
    }
