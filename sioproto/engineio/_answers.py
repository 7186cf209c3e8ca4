"""What answers carry besides what they say: CORS, the cookie, headers of the application's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sioproto.engineio._compression import choose_encoding, compress
from sioproto.engineio._config import ServerConfig
from sioproto.engineio._cookie import cookie
from sioproto.engineio._cors import cors_headers, preflight_headers
from sioproto.engineio._headers import Headers, is_token, is_value
from sioproto.engineio._request import Request

ResponseHeaders = Callable[[Request, bool], Iterable[tuple[str, str]]]
"""Returns headers to add to an answer.

It is called with the request, and with whether the answer opens a session.
"""

RESERVED = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "keep-alive",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that are not the application's to set, and neither is what begins ``sec-websocket-``."""


class Answers:
    """Decorates the answers of one server.

    The application's functions for headers are called in here and nowhere else. What they raise
    costs an answer what they would have added to it, and nobody anything else.

    Args:
        config: says what is wanted.
        response_headers: adds headers to answers.
        failed: is told of the request and of what a function of the application raised.
    """

    def __init__(
        self,
        config: ServerConfig,
        response_headers: ResponseHeaders | None,
        failed: Callable[[Request, Exception], None],
    ) -> None:
        self._config = config
        self._response_headers = response_headers
        self._failed = failed

    def preflight(self, request: Request) -> tuple[int, Headers] | None:
        """Status and headers if the request is a preflight, which is about no session: answered
        whatever the rest of it says (EIO-CORS-02)."""
        cors = self._config.cors
        if cors is None or request.method != "OPTIONS":
            return None
        try:
            return cors.preflight_status, preflight_headers(cors, request)
        except Exception as error:
            self._failed(request, error)
            return cors.preflight_status, ()

    def shared(self, request: Request) -> Headers:
        """What every answer carries, be it an error (EIO-CORS-03, EIO-SEC-11)."""
        if self._config.cors is None:
            return ()
        try:
            return cors_headers(self._config.cors, request)
        except Exception as error:
            self._failed(request, error)
            return ()

    def added(self, request: Request, *, opens: bool) -> Headers:
        """What the application adds to answers that are no error (EIO-HDR-04)."""
        if self._response_headers is None:
            return ()
        try:
            return tuple(_checked(self._response_headers(request, opens)))
        except Exception as error:
            self._failed(request, error)
            return ()

    @staticmethod
    def for_browser(request: Request) -> Headers:
        """What Internet Explorer has to be told: to its filter, a message that comes back looks
        like an attack (EIO-HDR-03)."""
        agent = request.header("user-agent") or ""
        return (("x-xss-protection", "0"),) if ";MSIE" in agent or "Trident/" in agent else ()

    def cookie(self, sid: str) -> Headers:
        """What the answer that opens a session on polling carries (EIO-HDR-06)."""
        if self._config.cookie is None:
            return ()
        return (("set-cookie", cookie(self._config.cookie, sid)),)

    def encoded(self, request: Request, body: bytes) -> tuple[Headers, bytes]:
        """A body as the client prefers it, and what says so."""
        config = self._config.http_compression
        if config is None or len(body) < config.threshold:
            return (), body
        encoding = choose_encoding(request)
        if encoding is None:
            return (), body
        return (("content-encoding", encoding),), compress(body, encoding, config.level)


def _checked(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        if not is_token(name) or not is_value(value):
            raise ValueError(f"{name!r}: {value!r} is no header")
        lower = name.lower()
        if lower in RESERVED or lower.startswith("sec-websocket-"):
            raise ValueError(f"the header {name!r} cannot be added")
        yield lower, value
