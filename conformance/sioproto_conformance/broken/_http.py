"""Breaks of what Engine.IO has around it: CORS, the cookie, compression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wsproto.frame_protocol import ParseFailed

from sioproto.engineio import Request, _answers
from sioproto.engineio._answers import Answers
from sioproto.engineio._server import EngineServer
from sioproto.trio._deflate import Inflater
from sioproto.trio._frames import Violation
from sioproto_conformance.broken import broken, replace


@broken(
    "bomb-cut-off-at-the-limit",
    rule="EIO-SEC-12b",
    case="eio4.compression.bomb.closes-session",
    options=("--deflate",),
)
def bomb_cut_off_at_the_limit() -> None:
    """What a compressed message has beyond the limit is thrown away, and the rest delivered."""

    def inflate(original: Callable[..., bytes], self: Any, data: bytes) -> bytes:
        try:
            return b"" if self._size < 0 else original(data)
        except Violation:
            self._size = -1
            return b"too large"

    def is_complete(original: Callable[..., bool], self: Any) -> bool:
        if self._size < 0:
            self._context = None
            return True
        return original()

    replace(Inflater, "_inflate", inflate)
    replace(Inflater, "_is_complete", is_complete)


@broken(
    "compressed-garbage-ignored",
    rule="EIO-HC-05c",
    case="eio4.compression.garbage.closes-session",
    options=("--deflate",),
)
def compressed_garbage_ignored() -> None:
    """A compressed message that cannot be inflated is taken for an empty one."""

    def inflate(original: Callable[..., bytes], self: Any, data: bytes) -> bytes:
        try:
            return original(data)
        except ParseFailed:
            return b""

    replace(Inflater, "_inflate", inflate)
    replace(Inflater, "_is_complete", lambda original, self: True)


@broken(
    "takeover-forgotten",
    rule="EIO-HC-05b",
    case="eio4.compression.websocket-message.echoed",
    options=("--deflate",),
)
def takeover_forgotten() -> None:
    """What a message may refer to is forgotten once a message has been read."""

    def complete(original: Callable[..., Any], self: Any, proto: Any, fin: bool) -> Any:
        rest = original(proto, fin)
        if fin:
            self._context = None
        return rest

    replace(Inflater, "frame_inbound_complete", complete)


@broken(
    "compressed-unasked",
    rule="EIO-HC-01b",
    case="eio4.compression.poll-answer.decodes",
)
def compressed_unasked() -> None:
    """Large answers are compressed whatever the client accepts."""
    setattr(_answers, "choose_encoding", lambda request: "gzip")  # noqa: B010  # a patch


@broken(
    "errors-allow-everybody",
    rule="EIO-SEC-11",
    case="eio4.headers.cors-of-errors.same",
)
def errors_allow_everybody() -> None:
    """An error allows whichever origin asks, with credentials."""

    def answer(
        original: Callable[..., None],
        self: Any,
        exchange: Any,
        status: int,
        headers: Any,
        body: Any,
    ) -> None:
        origin = self._requests[exchange].header("origin")
        if status >= 400 and origin is not None:
            headers += (("access-control-allow-origin", origin),)
            headers += (("access-control-allow-credentials", "true"),)
        original(exchange, status, headers, body)

    replace(EngineServer, "_answer", answer)


@broken(
    "preflight-refused",
    rule="EIO-CORS-02",
    case="eio4.headers.preflight.answered",
    options=("--cors", "*"),
)
def preflight_refused() -> None:
    """OPTIONS is refused like any other method, though origins are allowed."""
    replace(Answers, "preflight", lambda original, self, request: None)


@broken(
    "cookie-on-every-answer",
    rule="EIO-HDR-06",
    case="eio4.headers.cookie.set-once",
    options=("--cookie",),
)
def cookie_on_every_answer() -> None:
    """Every answer that is no error sets the session cookie."""

    def added(original: Callable[..., Any], self: Any, request: Request, *, opens: bool) -> Any:
        headers = original(request, opens=opens)
        return headers if opens else headers + self.cookie("again")

    replace(Answers, "added", added)
