"""Talks to the application of an example, over polling, in the process that serves it."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
import urllib.request
from types import ModuleType
from typing import Any

from sioproto import engineio, socketio


def talk_to(example: ModuleType) -> None:
    """Serve the example's application, and use it as its page says."""
    if example.__name__ == "wsgi_threads":
        core = new_core(transports=("polling",))
        application = example.Application([example.Endpoint(core, example.dice(core))])
        with example.make_server(application, 0) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            url = f"http://127.0.0.1:{server.server_port}"
            first, second = Client(url), Client(url)
            first.say('42["roll"]')
            name, sid, number = json.loads(second.hear()[2:])
            assert (name, sid) == ("rolled", first.id)
            assert 1 <= number <= 6
            server.shutdown()
            thread.join()
    else:
        asyncio.run(_talk_to_streams(example))


async def _talk_to_streams(example: ModuleType) -> None:
    core = new_core()
    async with example.serving([example.Endpoint(core, example.chat(core))], 0) as url:
        await asyncio.to_thread(_chat, url)


def _chat(url: str) -> None:
    first, second = Client(url), Client(url)
    first.say('420["chat","hello"]')
    assert second.hear() == f'42["chat","{first.id}","hello"]'
    assert first.hear() == '430["ok"]'


def new_core(**options: Any) -> socketio.SocketServer[Any]:
    config = engineio.ServerConfig(path="/socket.io/", **options)

    def new_id() -> str:
        return secrets.token_urlsafe(15)

    engine: engineio.EngineServer[Any] = engineio.EngineServer(config, new_sid=new_id)
    return socketio.SocketServer(engine, new_id=new_id, wall_clock=time.time)


class Client:
    """A Socket.IO client that has joined."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/socket.io/?EIO=4&transport=polling"
        self.url += "&sid=" + json.loads(self.hear()[1:])["sid"]
        self.say("40")
        self.id = json.loads(self.hear()[2:])["sid"]

    def hear(self) -> str:
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            return str(answer.read().decode())

    def say(self, packet: str) -> None:
        with urllib.request.urlopen(self.url, data=packet.encode(), timeout=10) as answer:
            assert answer.read() == b"ok"
