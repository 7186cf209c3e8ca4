"""The same application as an ASGI application: ``python asgi_app.py uvicorn|hypercorn [OPTIONS]``.

Uvicorn runs it on asyncio, hypercorn on trio. Options, and what is printed, are those of app.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # it is started as a program


from sioproto.asgi import Server
from tests.interop import application


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """The page for a browser, and its scripts; no lifespan."""
    assert scope["type"] == "http"
    found = await application.page(scope["method"], scope["path"])
    content_type, body = found or ("text/plain", b"not found")
    await send(
        {
            "type": "http.response.start",
            "status": 404 if found is None else 200,
            "headers": [(b"content-type", content_type.encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def serve_with_uvicorn(app: Server, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve(sockets=[listener])


async def serve_with_hypercorn(app: Server, listener: socket.socket) -> None:
    import hypercorn.trio
    import trio
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # it closes it itself
    config.graceful_timeout = 1
    config.errorlog = None
    stop = trio.Event()
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def serve() -> None:
                await hypercorn.trio.serve(app, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]  # its types are narrower than ASGI
                nursery.cancel_scope.cancel()

            nursery.start_soon(serve)
            async for _ in signals:
                stop.set()


def main(name: str, options: argparse.Namespace) -> None:
    app = Server(**application.configuration(options), other=pages)
    application.install_everywhere(app)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", options.port))
        listener.listen(1024)
        print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
        if name == "uvicorn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # uvicorn raises it again at the end
            asyncio.run(serve_with_uvicorn(app, listener))
        else:
            import trio

            trio.run(serve_with_hypercorn, app, listener)


if __name__ == "__main__":
    options = application.parser_of_options()
    options.add_argument("name", choices=["uvicorn", "hypercorn"])
    arguments = options.parse_args()
    main(arguments.name, arguments)
