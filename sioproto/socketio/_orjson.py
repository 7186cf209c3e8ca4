"""JSON by the library ``orjson``, which is imported when a codec is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sioproto._json import StrictJson

OLDEST = (3, 11, 6)
"""Older releases can be made to overflow the stack by deep nesting."""


class OrjsonCodec:
    """JSON by ``orjson``, several times as fast as the standard library: for ``TextParser``.

    What the library refuses is for :class:`StrictJson` to say: then it decodes what JSON allows
    and the library does not, or tells what is wrong. What remains different is in
    ``docs/parsers.md``.

    Raises:
        ImportError: the library ``orjson`` is missing or too old.
    """

    def __init__(self) -> None:
        try:
            import orjson
        except ModuleNotFoundError as error:
            raise ImportError("OrjsonCodec needs: pip install 'sioproto[speed]'") from error
        if _version(orjson.__version__) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise ImportError(f"OrjsonCodec needs orjson {oldest} or newer: {orjson.__version__}")
        self._strict = StrictJson()
        self._loads: Callable[[str], Any] = orjson.loads
        self._dumps: Callable[..., bytes] = orjson.dumps
        # What it has a form for and JSON has none is to be refused, as by the standard library.
        self._options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

    def dumps(self, value: Any, default: Callable[[Any], Any]) -> str:
        """Encode: no blanks, text beyond ASCII as it is, lone surrogates escaped.

        Infinite and not-a-number become ``null``.

        Raises:
            LocalProtocolError: a cycle, too deep, a key that is neither text nor a number, a
                boolean or None, which are turned into text.
        """
        asked: list[tuple[Any, Any]] = []

        def express(item: Any) -> Any:
            made = default(item)
            asked.append((item, made))
            return made

        try:
            return self._dumps(value, express, self._options).decode()
        except TypeError:
            pass
        # Once more, in the same order. Nobody is asked twice: an answer may have had consequences.
        asked.reverse()

        def express_again(item: Any) -> Any:
            return asked.pop()[1] if asked and asked[-1][0] is item else default(item)

        return self._strict.dumps(value, express_again)

    def loads(self, text: str) -> Any:
        """Decode strictly. An integer beyond 64 bits becomes a float.

        Raises:
            DecodeError: not one complete JSON value, or one too deep or too long to hold.
        """
        try:
            return self._loads(text)
        except ValueError:
            return self._strict.loads(text)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdecimal())
