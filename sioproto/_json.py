"""The JSON codec:

a protocol that others may implement, and a strict one on the standard library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.encoder import JSONEncoder
from math import isinf
from typing import Any, NoReturn, Protocol

from sioproto._errors import DecodeError, LocalProtocolError

_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonCodec(Protocol):
    """Turns values into JSON text and back."""

    def dumps(self, value: Any, default: Callable[[Any], Any]) -> str:
        """Encode without blanks, in text that UTF-8 can carry.

        ``default`` is called for each value that JSON cannot express, in the order of the text;
        what it returns is encoded in its place.

        Raises:
            LocalProtocolError: the value cannot be expressed.
        """

    def loads(self, text: str) -> Any:
        """Decode.

        Raises:
            DecodeError: the text is not one complete JSON value, or is too deep or too large to
            hold.
        """


class StrictJson:
    """JSON by the standard library, without what it accepts or writes beyond JSON (SIO-PKT-08)."""

    def __init__(self) -> None:
        # Kept: to make a decoder or an encoder takes as long as a short text takes to decode.
        self._decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
        self._encoder = JSONEncoder(
            ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=self._call_default
        )
        self._default: Callable[[Any], Any] | None = None

    def dumps(self, value: Any, default: Callable[[Any], Any]) -> str:
        """Encode: no blanks, text beyond ASCII as it is, lone surrogates escaped.

        Raises:
            LocalProtocolError: infinite or not-a-number, a cycle, too deep, a key that is neither
                text nor a number, a boolean or None, which are turned into text.
        """
        self._default = default
        try:
            text = self._encoder.encode(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise LocalProtocolError(f"not expressible in JSON: {error}") from error
        if not text.isascii() and _SURROGATE.search(text):
            # Valid in a Python string and in JSON's escapes, but not in UTF-8.
            text = _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
        return text

    def _call_default(self, value: Any) -> Any:
        assert self._default is not None
        return self._default(value)

    def loads(self, text: str) -> Any:
        """Decode strictly: no NaN or Infinity, no number beyond a double's range.

        Raises:
            DecodeError: not one complete JSON value, or one too deep or too long to hold.
        """
        try:
            # ``decode`` would look for blanks at both ends first, which takes as long as the rest
            # of a short text. Here they are looked for where something is left.
            value, end = self._decoder.raw_decode(text)
            return value if end == len(text) else self._decoder.decode(text)
        except DecodeError:
            raise
        except RecursionError:
            raise DecodeError("JSON is nested too deeply", rule="SIO-DEC-19") from None
        except ValueError as error:
            raise DecodeError(f"invalid JSON: {error}", rule="SIO-DEC-16") from None


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise DecodeError("a number beyond the range of a double", rule="SIO-DEC-17")
    return number


def _refuse(name: str) -> NoReturn:
    raise DecodeError(f"{name} is not JSON", rule="SIO-DEC-17")
