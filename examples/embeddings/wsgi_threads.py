"""Engine.IO and Socket.IO under WSGI: a thread for each request, and long polling only.

    python examples/embeddings/wsgi_threads.py

serves a dice game on http://127.0.0.1:3000, at the path ``/socket.io/``. WSGI knows no WebSocket,
so the cores do not offer it; and a poll keeps a thread until it is answered, so mind how many there
are.

Facts and drains of a core must never overlap: one lock around both is all that threads need. The
function that is shown the events is called inside the lock; other threads give commands in
``with endpoint.commands():``.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from wsgiref import simple_server

from sioproto import ClosedError
from sioproto import engineio as eio
from sioproto import socketio as sio

Headers = tuple[tuple[str, str], ...]
Answer = tuple[int, Headers, bytes]

NOT_FOUND: Answer = (404, (), b"not found")


class Exchange:
    """One request that waits for its answer, in its own thread."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self.answered = threading.Event()
        self.answer: Answer


class Endpoint:
    """One core, who is shown its events, a lock around both, and a thread that is the clock."""

    def __init__(self, core: Any, application: Callable[[Any], None]) -> None:
        self.core = core
        self.application = application
        self.lock = threading.Condition()
        threading.Thread(target=self.run_clock, name="clock", daemon=True).start()

    def call(self, fact: Callable[..., None], *args: Any) -> None:
        """State a fact, and do all that follows from it."""
        with self.commands():
            fact(*args, now=time.monotonic())

    @contextlib.contextmanager
    def commands(self) -> Iterator[None]:
        """Have the core alone, and do all that follows from what the context does to it."""
        with self.lock:
            yield
            for out in self.core.outputs():
                match out:
                    case eio.HttpRead():
                        out.exchange.limit = out.limit
                    case eio.HttpRespond():
                        out.exchange.answer = out.status, out.headers, out.body
                        out.exchange.answered.set()
                    case eio.WsReject():
                        raise AssertionError("nobody stated a WebSocket")
                    case _:
                        self.application(out)
            self.lock.notify()  # the clock's next deadline may be another

    def run_clock(self) -> None:
        """Call the core whenever its deadline has come."""
        while True:
            with self.lock:
                deadline = self.core.next_deadline()
                rest = None if deadline is None else deadline - time.monotonic()
                if rest is None or rest > 0:
                    self.lock.wait(rest)
                else:
                    self.call(self.core.handle_timeout)


class Application:
    """The WSGI application: whichever endpoint serves the path, or 404."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = endpoints

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        endpoint = next((each for each in self.endpoints if each.core.serves(path)), None)
        if endpoint is None:
            status, headers, body = NOT_FOUND
        else:
            status, headers, body = serve(endpoint, environ)
        length = ("content-length", str(len(body)))
        start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, length])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def serve(endpoint: Endpoint, environ: dict[str, Any]) -> Answer:
    """Have a core answer a request: the whole contract about exchanges is in here."""
    core, exchange = endpoint.core, Exchange()
    endpoint.call(core.http_request, exchange, request_of(environ))
    try:
        if exchange.limit is not None:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(min(length, exchange.limit + 1))
            if len(body) < min(length, exchange.limit + 1):
                raise ConnectionError("the client hung up in the middle of its request")
            endpoint.call(core.http_body, exchange, body)
        # WSGI cannot tell that the client has gone. The core gives every answer in time.
        exchange.answered.wait()
    except BaseException:
        endpoint.call(core.http_aborted, exchange)
        raise
    return exchange.answer


def request_of(environ: dict[str, Any]) -> eio.Request:
    """The head of a request, put together again."""
    path = quote(environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"], encoding="latin-1")
    query = environ.get("QUERY_STRING")
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").lower(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
    ]
    return eio.Request(
        method=environ["REQUEST_METHOD"].upper(),
        target=f"{path}?{query}" if query else path,
        headers=tuple(headers),
        address=environ.get("REMOTE_ADDR"),
        secure=environ["wsgi.url_scheme"] == "https",
    )


class _Handler(simple_server.WSGIRequestHandler):
    timeout = 60  # for a client that does not send what it announced

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class ThreadingServer(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    """The server of the standard library, with a thread for each request."""

    daemon_threads = True
    request_queue_size = 1024


def make_server(application: Application, port: int) -> ThreadingServer:
    """A server that listens; ``serve_forever`` serves."""
    server = ThreadingServer(("127.0.0.1", port), _Handler)
    server.set_app(application)
    return server


def dice(core: sio.SocketServer[Any]) -> Callable[[Any], None]:
    """A small application: everybody sees what is rolled."""

    def application(out: Any) -> None:
        match out:
            case sio.ConnectRequested():
                with contextlib.suppress(ClosedError):  # gone already, by what came with it
                    core.accept(out.socket)
            case sio.EventReceived(name="roll"):
                core.of("/").emit("rolled", out.socket.id, random.randint(1, 6))

    return application


def main() -> None:
    """Serve until interrupted."""

    def new_id() -> str:
        return secrets.token_urlsafe(15)

    config = eio.ServerConfig(path="/socket.io/", transports=("polling",))
    engine: eio.EngineServer[Any] = eio.EngineServer(config, new_sid=new_id)
    core = sio.SocketServer(engine, new_id=new_id, wall_clock=time.time)
    with make_server(Application([Endpoint(core, dice(core))]), 3000) as server:
        print("serving on http://127.0.0.1:3000")
        server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
