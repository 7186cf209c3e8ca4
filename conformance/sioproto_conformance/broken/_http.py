"""Breaks of HTTP, and of what Engine.IO has around it: CORS, the cookie, compression."""

from __future__ import annotations

from typing import Any

import trio

from sioproto.engineio import Request, _answers, _dialect
from sioproto.engineio._answers import Answers
from sioproto.engineio._server import EngineServer
from sioproto.trio._http import HttpConnection
from sioproto_conformance.broken import Original, broken


@broken(
    HttpConnection,
    "_refuse",
    rule="EIO-ROB-02",
    case="eio4.http.garbage.answered-or-closed[not-http]",
)
async def malformed_request_left_hanging(
    original: Original, self: Any, status: int, *args: Any
) -> None:
    """A request that is no HTTP is not answered, and its connection left open."""
    if status == 400:
        await trio.sleep_forever()
    await original(self, status, *args)


@broken(
    _dialect,
    "decode_payload",
    rule="EIO-ROB-01",
    case="eio4.message.invalid-utf8.decided",
)
def crash_when_a_body_is_not_utf8(original: Original, body: bytes) -> Any:
    """The process ends if a POST is not UTF-8."""
    body.decode()
    return original(body)


@broken(
    _answers,
    "choose_encoding",
    rule="EIO-HC-01b",
    case="eio4.compression.poll-answer.decodes[nothing-said]",
    wide="No case but those about compression asks for it, and long answers are compressed.",
)
def compressed_unasked(original: Original, request: Request) -> str:
    """Large answers are compressed whatever the client accepts."""
    return "gzip"


@broken(
    Answers,
    "encoded",
    rule="EIO-HC-01c",
    case="eio4.compression.poll-answer.decodes[gzip]",
)
def compressed_unsaid(original: Original, self: Any, request: Request, body: bytes) -> Any:
    """A compressed answer does not say that it is one."""
    return (), original(self, request, body)[1]


@broken(
    EngineServer,
    "_answer",
    rule="EIO-SEC-11",
    case="eio4.headers.cors-of-errors.same[unknown-session]",
)
def errors_allow_everybody(
    original: Original, self: Any, exchange: Any, status: int, headers: Any, body: Any
) -> None:
    """An error allows whichever origin asks, with credentials."""
    origin = self._requests[exchange].header("origin")
    if status >= 400 and origin is not None:
        headers += (("access-control-allow-origin", origin),)
        headers += (("access-control-allow-credentials", "true"),)
    original(self, exchange, status, headers, body)


@broken(
    Answers,
    "preflight",
    rule="EIO-CORS-02",
    case="eio4.headers.preflight.answered",
    cors="*",
)
def preflight_refused(original: Original, self: Any, request: Request) -> None:
    """OPTIONS is refused like any other method, though origins are allowed."""


@broken(
    Answers,
    "shared",
    rule="EIO-CORS-03",
    case="eio4.headers.cors-of-errors.same[unknown-transport]",
    cors="*",
)
def errors_allow_nobody(original: Original, self: Any, request: Request) -> Any:
    """An error to a request for an unknown transport has no headers of CORS."""
    return () if "transport=abc" in request.target else original(self, request)


@broken(
    Answers,
    "added",
    rule="EIO-HDR-06",
    case="eio4.headers.cookie.set-once",
    cookie=True,
)
def cookie_on_every_answer(original: Original, self: Any, request: Request, *, opens: bool) -> Any:
    """Every answer that is no error sets the session cookie."""
    headers = original(self, request, opens=opens)
    return headers if opens else headers + self.cookie("again")
