"""CORS: which pages of other origins a browser lets read the answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sioproto._config import check_config, is_count
from sioproto.engineio._headers import Headers, is_token, is_value
from sioproto.engineio._request import Request

OriginRule = str | tuple[str, ...] | re.Pattern[str] | Callable[[str], object]

_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^/?#\s\x00-\x1f\x7f-\U0010ffff]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class CorsConfig:
    """Which origins may read the answers, and what they may send (EIO-CORS-02, EIO-CORS-03).

    This tells browsers what to let pages do; it refuses no request. A server that is to refuse
    those of other origins does so in ``allow_request``.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    origin: OriginRule = "*"
    """Whose pages: ``"*"`` for everybody's; one origin such as ``"https://example.org"``; several;
    a pattern that has to match the whole; or a function of the ``Origin`` header that returns
    whether it is allowed."""
    methods: tuple[str, ...] = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE")
    """What a preflight allows."""
    allowed_headers: tuple[str, ...] | None = None
    """What a preflight allows; None for whatever it asks for."""
    exposed_headers: tuple[str, ...] = ()
    """Headers of answers that pages may read, besides those that they always may."""
    credentials: bool = False
    """Whether pages may send cookies along. Not for everybody's: a browser would refuse."""
    max_age: int | None = None
    """Seconds for which a browser may remember the answer to a preflight; None for its default."""
    preflight_status: int = 204
    """The status of the answer to a preflight. Some old clients want 200."""

    def __post_init__(self) -> None:
        allowed = self.allowed_headers
        check_config(
            self,
            origin=(
                _is_rule(self.origin),
                "'*', an origin like 'https://example.org', a tuple of such, a pattern, "
                "or a function",
            ),
            methods=(_are_tokens(self.methods), "a tuple of methods"),
            allowed_headers=(
                allowed is None or _are_tokens(allowed),
                "None, or a tuple of names of headers",
            ),
            exposed_headers=(_are_tokens(self.exposed_headers), "a tuple of names of headers"),
            credentials=(
                isinstance(self.credentials, bool)
                and not (self.credentials and self.origin == "*"),
                "True or False, and False where origin is '*'",
            ),
            max_age=(self.max_age is None or is_count(self.max_age, 0), "None, or whole seconds"),
            preflight_status=(self.preflight_status in (200, 204), "200 or 204"),
        )


def _is_rule(rule: object) -> bool:
    if isinstance(rule, str):
        return rule == "*" or _is_origin(rule)
    if isinstance(rule, tuple):
        return bool(rule) and all(map(_is_origin, rule))
    if isinstance(rule, re.Pattern):
        return isinstance(rule.pattern, str)
    return callable(rule)


def _is_origin(value: object) -> bool:
    """Whether a browser could send this: no path, no slash at the end, lower case."""
    return (
        isinstance(value, str) and _ORIGIN.fullmatch(value) is not None and value == value.lower()
    )


def _are_tokens(value: object) -> bool:
    return isinstance(value, tuple) and all(map(is_token, value))


def cors_headers(config: CorsConfig, request: Request) -> Headers:
    """What an answer says, whatever its status.

    Whatever ``config.origin`` raises, if that is a function, comes out.
    """
    headers = _for_origin(config, request)
    if config.exposed_headers:
        headers.append(("access-control-expose-headers", ",".join(config.exposed_headers)))
    if config.origin != "*":
        headers.append(("vary", "Origin"))
    return tuple(headers)


def preflight_headers(config: CorsConfig, request: Request) -> Headers:
    """What the answer to a preflight says.

    Whatever ``config.origin`` raises, if that is a function, comes out.
    """
    headers = _for_origin(config, request)
    headers.append(("access-control-allow-methods", ",".join(config.methods)))
    vary = [] if config.origin == "*" else ["Origin"]
    allowed: str | None
    if config.allowed_headers is None:
        allowed = request.header("access-control-request-headers")
        vary.append("Access-Control-Request-Headers")
        # Not split by a pattern, which a long run of blanks makes slow.
        if allowed is not None and not all(
            is_token(name.strip(" \t")) for name in allowed.split(",")
        ):
            allowed = None
    else:
        allowed = ",".join(config.allowed_headers)
    if allowed:
        headers.append(("access-control-allow-headers", allowed))
    if config.max_age is not None:
        headers.append(("access-control-max-age", str(config.max_age)))
    if vary:
        headers.append(("vary", ", ".join(vary)))
    return tuple(headers)


def _for_origin(config: CorsConfig, request: Request) -> list[tuple[str, str]]:
    rule, origin = config.origin, request.header("origin")
    if isinstance(rule, str):
        allowed: str | None = rule  # said to everybody: only its own pages can use it
    elif origin is None or not is_value(origin):
        allowed = None  # the second is refused, with an answer that says so to nobody (EIO-ERR-11)
    elif isinstance(rule, tuple):
        allowed = origin if origin in rule else None
    elif isinstance(rule, re.Pattern):
        allowed = origin if rule.fullmatch(origin) else None
    else:
        allowed = origin if rule(origin) else None
    if allowed is None:
        return []
    headers = [("access-control-allow-origin", allowed)]
    if config.credentials:
        headers.append(("access-control-allow-credentials", "true"))
    return headers
