"""The two applications of tier 1 on python-socketio and aiohttp, at two endpoints."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from aiohttp import web

sys.path.append(str(Path(__file__).parents[1] / "python-socketio"))

from tier1 import FAST, SLOW, create_engine, create_sockets


def create_app(heartbeat: dict[str, int]) -> web.Application:
    """Return both applications, each at its path."""
    # aiohttp's own limit is below that of the payload.
    app = web.Application(client_max_size=2_000_000)
    options = {"async_mode": "aiohttp", **heartbeat}
    create_engine(**options).attach(app, engineio_path="engine.io")
    create_sockets(**options).attach(app, socketio_path="socket.io")
    return app


async def main() -> None:
    """Serve until SIGTERM."""
    urls = {}
    runners = []
    for name, heartbeat in (("url", FAST), ("slow_url", SLOW)):
        runner = web.AppRunner(create_app(heartbeat), access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        urls[name] = f"http://127.0.0.1:{runner.addresses[0][1]}"
        runners.append(runner)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(json.dumps(urls), flush=True)
    await stopped.wait()
    for runner in runners:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
