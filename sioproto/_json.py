"""The JSON codec:

a protocol that others may implement, and a strict one on the standard library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from json import encoder
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


Scanner = Callable[[str, int], tuple[Any, int]]
"""Decodes the value at an index of a text, and tells at which index it ends.

Where there is none, it may raise ``StopIteration``, ``ValueError`` and ``RecursionError`` besides
what a codec raises: what is wrong is for ``loads`` to say.
"""


class StrictJson:
    """JSON by the standard library, without what it accepts or writes beyond JSON (SIO-PKT-08).

    Its scanner and its encoder, both of C, are made once and called directly. The layers around
    them take as long as a text of 100 bytes does: looking for blanks twice, and a new encoder for
    each value.
    """

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
        self._scan: Scanner = self._decoder.scan_once  # type: ignore[attr-defined] # not typed
        self._write = _writer(self._call_default)
        self._default: Callable[[Any], Any]  # of the value that is being encoded

    def dumps(self, value: Any, default: Callable[[Any], Any]) -> str:
        """Encode: no blanks, text beyond ASCII as it is, lone surrogates escaped.

        Raises:
            LocalProtocolError: infinite or not-a-number, a cycle, too deep, a key that is neither
                text nor a number, a boolean or None, which are turned into text.
        """
        self._default = default
        try:
            text = "".join(self._write(value, 0))
        except (TypeError, ValueError, RecursionError) as error:
            raise LocalProtocolError(f"not expressible in JSON: {error}") from error
        if not text.isascii():
            try:
                text.encode()  # takes a fifth of a search for surrogates
            except UnicodeEncodeError:
                # Valid in a Python string and in JSON's escapes, but not in UTF-8.
                text = _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
        return text

    def _call_default(self, value: Any) -> Any:
        return self._default(value)

    def loads(self, text: str) -> Any:
        """Decode strictly: no NaN or Infinity, no number beyond a double's range.

        Raises:
            DecodeError: not one complete JSON value, or one too deep or too long to hold.
        """
        try:
            try:
                value, end = self._scan(text, 0)
            except StopIteration:  # nothing, or a blank
                end = -1
            # Where something is left, there may be blanks at both ends.
            return value if end == len(text) else self._decoder.decode(text)
        except DecodeError:
            raise
        except RecursionError:
            raise DecodeError("JSON is nested too deeply", rule="SIO-DEC-19") from None
        except ValueError as error:
            raise DecodeError(f"invalid JSON: {error}", rule="SIO-DEC-16") from None


def scanner_of(codec: JsonCodec) -> Scanner:
    """What decodes a value in the midst of a text, so that no text has to be cut off for it."""
    if isinstance(codec, StrictJson) and type(codec).loads is StrictJson.loads:
        return codec._scan
    return lambda text, start: (codec.loads(text[start:]), len(text))


def _writer(default: Callable[[Any], Any]) -> Callable[[Any, int], Iterable[str]]:
    """Make the standard library's encoder: a function of a value and 0 that makes pieces of text.

    Cycles are noticed by their depth: to remember what is being encoded takes a fifth longer.
    """
    make: Callable[..., Any] | None = getattr(encoder, "c_make_encoder", None)
    if make is not None:
        quote = encoder.encode_basestring
        write: Callable[[Any, int], Iterable[str]] = make(
            None, default, quote, None, ":", ",", False, False, False
        )
        return write
    in_python = json.JSONEncoder(
        ensure_ascii=False,
        check_circular=False,
        allow_nan=False,
        separators=(",", ":"),
        default=default,
    )
    return lambda value, level: in_python.iterencode(value)


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise DecodeError("a number beyond the range of a double", rule="SIO-DEC-17")
    return number


def _refuse(name: str) -> NoReturn:
    raise DecodeError(f"{name} is not JSON", rule="SIO-DEC-17")
