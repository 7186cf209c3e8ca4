"""The session cookie: of use to load balancers, which send a client to the server it began with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from sioproto._config import check_config, is_count
from sioproto.engineio._headers import is_token

_ATTRIBUTE = re.compile(r"[\x20-\x3a\x3c-\x7e]+")
_SAME_SITE = ("strict", "lax", "none")


@dataclass(frozen=True, kw_only=True, slots=True)
class CookieConfig:
    """A cookie with the session id, set by the answer that opens a session on polling (EIO-HDR-06).

    Its value is not read by the server: only the query says whose request it is.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    name: str = "io"
    path: str | None = "/"
    """None leaves it to the browser."""
    http_only: bool = True
    """Whether scripts cannot read it. The session id is a secret."""
    same_site: str | None = "lax"
    """``"strict"``, ``"lax"`` or ``"none"``; None leaves it to the browser."""
    max_age: int | None = None
    """Seconds that it lives; None until the browser is closed."""
    domain: str | None = None
    """None for the host that set it, and no other."""
    secure: bool = False
    """Whether it is sent over TLS alone. Browsers want it where ``same_site`` is ``"none"``."""

    def __post_init__(self) -> None:
        # What could end an attribute could begin another (EIO-SEC-13).
        check_config(
            self,
            name=(is_token(self.name), "a token"),
            path=(
                self.path is None or (_is_attribute(self.path) and self.path.startswith("/")),
                "None, or a path without semicolons",
            ),
            http_only=(isinstance(self.http_only, bool), "True or False"),
            same_site=(
                self.same_site is None or self.same_site in _SAME_SITE,
                f"None, or one of {_SAME_SITE}",
            ),
            max_age=(self.max_age is None or is_count(self.max_age, 0), "None, or whole seconds"),
            domain=(
                self.domain is None or _is_attribute(self.domain),
                "None, or a domain without semicolons",
            ),
            secure=(
                isinstance(self.secure, bool) and (self.secure or self.same_site != "none"),
                "True or False, and True where same_site is 'none'",
            ),
        )


def _is_attribute(value: object) -> bool:
    return isinstance(value, str) and _ATTRIBUTE.fullmatch(value) is not None


def cookie(config: CookieConfig, sid: str) -> str:
    """The value of ``Set-Cookie`` for a new session (EIO-HDR-07)."""
    value = quote(sid, safe="!*'()")
    parts = [f"{config.name}={value}"]
    if config.max_age is not None:
        parts.append(f"Max-Age={config.max_age}")
    if config.domain is not None:
        parts.append(f"Domain={config.domain}")
    if config.path is not None:
        parts.append(f"Path={config.path}")
    if config.http_only:
        parts.append("HttpOnly")
    if config.secure:
        parts.append("Secure")
    if config.same_site is not None:
        parts.append(f"SameSite={config.same_site.capitalize()}")
    return "; ".join(parts)
