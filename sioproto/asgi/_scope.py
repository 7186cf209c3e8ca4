"""What an ASGI scope says: whose request it is, and the request as a core wants it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any
from urllib.parse import quote

from sioproto.engineio import Request

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

Headers = tuple[tuple[str, str], ...]

TEXT_HEADERS: Headers = (("content-type", "text/plain; charset=utf-8"),)

_PATH_CHARACTERS = "/:@!$&'()*+,;=~"


def paths(scope: Scope) -> Iterator[str]:
    """What the path may be below the prefix that the application is mounted at.

    By the specification, ``path`` includes ``root_path``. Before it said so, many took it for what
    is left behind ``root_path``, and some servers still do. A framework on such a server adds its
    own prefix to ``root_path`` and leaves ``path`` alone, which then begins with the end of
    ``root_path``.
    """
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "").rstrip("/")
    while prefix:
        if path.startswith(prefix) and path[len(prefix) :][:1] in ("", "/"):
            yield path[len(prefix) :]
        _, slash, rest = prefix[1:].partition("/")
        prefix = slash + rest
    yield path


def request_of(scope: Scope) -> Request:
    """The head of the request."""
    path = scope.get("raw_path") or quote(scope["path"], safe=_PATH_CHARACTERS).encode("ascii")
    query: bytes = scope.get("query_string", b"")
    client = scope.get("client")
    return Request(
        method=scope.get("method", "GET").upper(),
        target=(path + b"?" + query if query else path).decode("iso-8859-1"),
        headers=tuple(
            (name.decode("iso-8859-1").lower(), value.decode("iso-8859-1"))
            for name, value in scope["headers"]
        ),
        address=client[0] if client else None,
        secure=scope.get("scheme") in ("https", "wss"),
    )


def raw_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them."""
    return [(name.encode("ascii"), value.encode("iso-8859-1")) for name, value in headers]


async def respond(
    send: Send, status: int, headers: Iterable[tuple[str, str]], body: bytes, *, prefix: str = ""
) -> None:
    """Send a whole response.

    Args:
        send: of the ASGI server.
        status: of the response.
        headers: of the response, without ``content-length``.
        body: of the response.
        prefix: of the types of the messages: ``websocket.`` in place of a WebSocket.
    """
    sent_headers = raw_headers(headers)
    if status not in (204, 304):
        sent_headers.append((b"content-length", str(len(body)).encode("ascii")))
    start = {"type": f"{prefix}http.response.start", "status": status, "headers": sent_headers}
    await send(start)
    await send({"type": f"{prefix}http.response.body", "body": body})


async def deny(
    scope: Scope, send: Send, status: int, headers: Iterable[tuple[str, str]], body: bytes
) -> None:
    """Refuse a WebSocket before it is accepted.

    A server without the extension for it answers 403 in its own words.
    """
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await respond(send, status, headers, body, prefix="websocket.")
    else:
        await send({"type": "websocket.close"})
