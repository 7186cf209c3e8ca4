"""What a URL says: where the server is, which namespace, which parameters."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

_SCHEMES = {"http": False, "ws": False, "https": True, "wss": True}


@dataclass(frozen=True, slots=True)
class Address:
    """A server, and what is asked of it.

    Raises:
        ValueError: a field makes no sense.
    """

    secure: bool
    host: str
    port: int
    namespace: str
    query: tuple[tuple[str, str], ...]

    @property
    def authority(self) -> str:
        """The value of a ``host`` header: without a port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def parse_url(url: str) -> Address:
    """Take a URL apart. Its path is the namespace, its query goes along with each request
    (SIO-MUX-03).

    Raises:
        ValueError: no URL of ``http``, ``https``, ``ws`` or ``wss``, or one with a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError(f"a URL begins like https://example.org, not like {url[:40]!r}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with a password is easily told to others: use headers or auth")
    secure = _SCHEMES[parts.scheme]
    return Address(
        secure,
        parts.hostname,
        parts.port or (443 if secure else 80),
        parts.path or "/",
        tuple(parse_qsl(parts.query, keep_blank_values=True)),
    )
