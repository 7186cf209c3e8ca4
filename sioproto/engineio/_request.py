"""The head of an HTTP request, what its query asks for, and how it can be refused.

A request is decoded before it is judged: :func:`parse_query` only reads,
:mod:`sioproto.engineio._server` decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from sioproto._errors import DecodeError


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The head of an HTTP request, as the driver states it.

    Raises:
        ValueError: a field has the wrong type or form.
    """

    method: str
    """Upper case."""
    target: str
    """Request target with path and query, as it stood in the request line."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names in lower case, in the order received; values as text, one character a byte (ISO
    8859-1)."""
    address: str | None = None
    """Address of the peer, as the operating system tells it."""
    secure: bool = False
    """Whether the connection that the driver accepted is encrypted."""

    def __post_init__(self) -> None:
        if not self.method or self.method != self.method.upper():
            raise ValueError(f"Request.method must be upper case, not {self.method!r}")
        if any(name != name.lower() for name, _ in self.headers):
            raise ValueError("Request.headers must have names in lower case")

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The first value of a header. ``name`` is in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    @property
    def wants_websocket(self) -> bool:
        """Whether it asks to upgrade to WebSocket: a fact for ``ws_connected``, not the other."""
        if self.header("upgrade") is None:  # as is usual
            return False
        return "websocket" in self._tokens("upgrade") and "upgrade" in self._tokens("connection")

    def _tokens(self, name: str) -> list[str]:
        values = ",".join(value for key, value in self.headers if key == name)
        return [token.strip() for token in values.lower().split(",")]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way in which a request is refused."""

    code: int
    message: str

    @property
    def status(self) -> int:
        """The HTTP status."""
        return 403 if self.code == 4 else 400

    @property
    def body(self) -> bytes:
        """The body of the answer, in JSON."""
        fields = {"code": self.code, "message": self.message}
        return json.dumps(fields, separators=(",", ":")).encode()


# The refusal table (EIO-ERR-01). Code 0 is as much an error as any other.
UNKNOWN_TRANSPORT = Refusal(0, "Transport unknown")
UNKNOWN_SID = Refusal(1, "Session ID unknown")
BAD_HANDSHAKE_METHOD = Refusal(2, "Bad handshake method")
BAD_REQUEST = Refusal(3, "Bad request")
# Code 4 comes with the words of whoever refused (EIO-ERR-07).
UNSUPPORTED_REVISION = Refusal(5, "Unsupported protocol version")

MAX_QUERY_FIELDS = 100
"""More is refused, so that a query costs little whatever its length."""


def parse_query(target: str) -> Mapping[str, str]:
    """Read the query of a request target.

    Names and values are percent-decoded, ``+`` is a space, only ``&`` separates, and the last of
    equal names wins (EIO-QP-03).

    Raises:
        DecodeError: more than ``MAX_QUERY_FIELDS`` fields.
    """
    query = target.partition("?")[2]
    if "%" not in query and "+" not in query and query.count("&") < MAX_QUERY_FIELDS:
        # As clients send it: four times as fast, which shows with every poll.
        pairs = [field.partition("=") for field in query.split("&") if field]
        return {name: value for name, _, value in pairs}
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS))
    except ValueError:
        raise DecodeError(f"more than {MAX_QUERY_FIELDS} query fields", rule="EIO-QP-03") from None


def announced_length(request: Request) -> int:
    """The body's length according to its header; 0 if that does not tell."""
    value = request.header("content-length")
    if value is None or not value.isascii() or not value.isdigit():
        return 0
    return int(value[:20])
