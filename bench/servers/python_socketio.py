"""python-socketio under one of its servers, speaking the application of the bench."""

from __future__ import annotations

import gc
import ssl
from pathlib import Path
from typing import Any

import click
import socketio
import uvicorn
from aiohttp import web

BACKLOG = 1024


def application(async_mode: str) -> socketio.AsyncServer:
    """A server with the bench's events."""
    sio = socketio.AsyncServer(async_mode=async_mode)
    received = 0

    async def echo(sid: str, value: Any) -> Any:
        return value

    async def connect(sid: str, environ: dict[str, Any]) -> None: ...

    async def ev(sid: str, value: Any) -> None:
        nonlocal received
        received += 1

    async def bcast(sid: str, value: Any) -> None:
        await sio.emit("msg", value)

    async def broom(sid: str, value: Any) -> None:
        await sio.emit("msg", value, room="r")

    async def join(sid: str) -> int:
        await sio.enter_room(sid, "r")
        return 0

    async def count(sid: str) -> int:
        return received

    async def collect(sid: str) -> int:
        gc.collect()
        return 0

    for handler in (echo, ev, bcast, broom, join, count):
        sio.on(handler.__name__, handler)
    sio.on("gc", collect)
    sio.on("connect", connect, namespace="/other")
    sio.on("echo", echo, namespace="/other")
    return sio


def serve_aiohttp(port: int, certificate: Path | None) -> None:
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    app = web.Application()
    application("aiohttp").attach(app)
    web.run_app(
        app,
        host="127.0.0.1",
        port=port,
        ssl_context=context,
        access_log=None,
        print=None,
        backlog=BACKLOG,
    )


def serve_uvicorn(port: int, certificate: Path | None) -> None:
    uvicorn.run(
        socketio.ASGIApp(application("asgi")),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ssl_certfile=certificate,
        ssl_keyfile=certificate,
        log_level="error",
        access_log=False,
        backlog=BACKLOG,
    )


@click.command(help=__doc__)
@click.argument("stack", type=click.Choice(["aiohttp", "uvicorn"]))
@click.argument("port", type=int)
@click.option("--certificate", type=click.Path(path_type=Path), help="PEM; serves TLS if given.")
def main(stack: str, port: int, certificate: Path | None) -> None:
    serve = serve_aiohttp if stack == "aiohttp" else serve_uvicorn
    serve(port, certificate)


if __name__ == "__main__":
    main()
