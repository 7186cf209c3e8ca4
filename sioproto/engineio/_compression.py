"""Compression of the answers to polls."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from sioproto._config import check_config, is_count
from sioproto.engineio._request import Request

_GZIP_FORMAT = 16
_WINDOW_BITS = 15

_QUALITY = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpCompressionConfig:
    """Which answers to polls are compressed, with gzip or deflate as the client prefers.

    A secret in a message that somebody else can add to, and whose length he sees, can be guessed
    bit by bit. Send such messages with ``compress`` off.

    Raises:
        ValueError: a field makes no sense; the message names it.
    """

    threshold: int = 1024
    """Bytes: bodies smaller than this are sent as they are (EIO-HC-01)."""
    level: int = 6
    """From 1, the fastest, to 9, the smallest."""

    def __post_init__(self) -> None:
        check_config(
            self,
            threshold=(is_count(self.threshold, 0), "a number of bytes"),
            level=(is_count(self.level) and self.level <= 9, "from 1 to 9"),
        )


def choose_encoding(request: Request) -> str | None:
    """The encoding that the client likes best of those that are spoken here: gzip or deflate.

    gzip wins a tie. None if the client did not ask for any, or forbids both (EIO-HC-01).
    """
    qualities: dict[str, float] = {}
    for name, value in request.headers:
        if name == "accept-encoding":
            for item in value.lower().split(","):
                coding, quality = _weighed(item)
                qualities.setdefault(coding, quality)
    rest = qualities.get("*", 0.0)
    best, encoding = 0.0, None
    for candidate in ("gzip", "deflate"):
        quality = qualities.get(candidate, rest)
        if quality > best:
            best, encoding = quality, candidate
    return encoding


def _weighed(item: str) -> tuple[str, float]:
    coding, _, parameter = item.partition(";")
    name, _, value = parameter.partition("=")
    quality = 1.0
    if name.strip() == "q":
        value = value.strip()
        quality = float(value) if _QUALITY.fullmatch(value) else 0.0
    return coding.strip(), quality


def compress(body: bytes, encoding: str, level: int) -> bytes:
    """Compress a body. The same body gives the same bytes: there is no time in them."""
    bits = _WINDOW_BITS + (_GZIP_FORMAT if encoding == "gzip" else 0)
    compressor = zlib.compressobj(level, zlib.DEFLATED, bits)
    return compressor.compress(body) + compressor.flush()
