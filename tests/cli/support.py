"""Servers in a thread of this process, and the commands run against them."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import trio
from click.testing import CliRunner, Result

from sioproto._cli._main import main

PATIENCE = 30
Handler = Callable[[trio.SocketStream], Awaitable[None]]
Serve = Callable[..., Awaitable[Any]]


def invoke(*arguments: str, input: str | bytes | None = None) -> Result:
    """Run a command. No exception may ever come out of one."""
    result = CliRunner().invoke(main, arguments, input=input)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result


def run(*arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sioproto", *arguments],
        input=input,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def in_a_thread(serve: Serve) -> Iterator[str]:
    """Run what serves on a free port, and tells it by its ``task_status``; yields the URL."""
    started = threading.Event()
    found: dict[str, Any] = {}

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            found["port"] = await nursery.start(serve)
            found["stop"] = nursery.cancel_scope.cancel
            found["token"] = trio.lowlevel.current_trio_token()
            started.set()

    thread = threading.Thread(target=trio.run, args=(run,))
    thread.start()
    try:
        assert started.wait(PATIENCE)
        yield f"http://127.0.0.1:{found['port']}"
    finally:
        found["token"].run_sync_soon(found["stop"])
        thread.join(PATIENCE)
        assert not thread.is_alive()


def application(io: Any, **options: Any) -> Serve:
    """Serves one of our servers."""

    async def serve(*, task_status: trio.TaskStatus[int]) -> None:
        async with trio.open_nursery() as nursery:
            addresses = await nursery.start(partial(io.serve, **options))
            task_status.started(addresses[0][1])

    return serve


def raw(handler: Handler) -> Serve:
    """Serves TCP connections with a function of the stream."""

    async def serve(*, task_status: trio.TaskStatus[int]) -> None:
        async def handle(stream: trio.SocketStream) -> None:
            # The client may have seen enough.
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await handler(stream)

        async with trio.open_nursery() as nursery:
            start = partial(trio.serve_tcp, handle, 0, host="127.0.0.1")
            listeners = await nursery.start(start)
            task_status.started(listeners[0].socket.getsockname()[1])

    return serve


def http(answer: Callable[[str], tuple[str, str]]) -> Serve:
    """Serves HTTP with a function from the request line to head and body of the answer."""

    async def handle(stream: trio.SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = await stream.receive_some()
            if not more:
                return
            data += more
        head, body = answer(data.decode("latin-1").partition("\r\n")[0])
        length = len(body.encode())
        text = f"HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        await stream.send_all(text.encode())

    return raw(handle)


async def silent(stream: trio.SocketStream) -> None:
    """Accepts a connection, and says nothing."""
    while await stream.receive_some():
        pass


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
