"""Plain decoders: what they have in common, and JSON.

A plain decoder reads its input one character after another, straight from the rules, with no care
for speed and no line in common with the library. The two have to agree on every input: on what is
refused, by which rule, and on the value of the rest.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Final

DIGITS: Final = "0123456789"
MAX_DIGITS: Final = 4300
"""So many digits an integer may have at most: Python converts no more."""
DEEP: Final = 300
"""From this depth on, an implementation may give up (SIO-DEC-19)."""


class Refused(Exception):
    """The input breaks a rule.

    Args:
        rule: its id.
        limit: name of the limit that was passed, if it is a matter of limits.
    """

    def __init__(self, rule: str, limit: str | None = None) -> None:
        super().__init__(rule)
        self.rule = rule
        self.limit = limit


def text_of(data: bytes) -> str:
    """Any bytes as text, so that every text can be had, lone surrogates too."""
    try:
        return data.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return data.decode(errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    """The bytes that become this text."""
    return text.encode(errors="surrogatepass")


def has_surrogates(text: str) -> bool:
    """Whether there are surrogates in a text, so that UTF-8 cannot carry it."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same in type and value, to any depth."""
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, dict):
            if list(one) != list(other):
                return False
            pairs += zip(one.values(), other.values(), strict=True)
        elif isinstance(one, list | tuple):
            if len(one) != len(other):
                return False
            pairs += zip(one, other, strict=True)
        elif isinstance(one, float):
            if struct.pack(">d", one) != struct.pack(">d", other) and not (one != one != other):
                return False
        elif one != other:
            return False
    return True


def depth_of(text: str) -> int:
    """How many brackets are open at most, strings not told apart: no value is deeper."""
    depth = most = 0
    for character in text:
        if character in "[{":
            depth += 1
            most = max(most, depth)
        elif character in "]}":
            depth -= 1
    return most


# JSON

_BLANKS = " \t\r\n"
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NAMES = {"true": True, "false": False, "null": None}
_MALFORMED = "SIO-DEC-16"
_NOT_JSON = "SIO-DEC-17"


class _Open:
    """An array or object that is not complete yet."""

    __slots__ = ("key", "value")

    def __init__(self, value: list[Any] | dict[str, Any]) -> None:
        self.value = value
        self.key: str = ""


class Json:
    """Reads one JSON text. No recursion, so there is no depth that it cannot read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self) -> Any:
        """The value. Raises ``Refused``."""
        value = self._value()
        self._skip_blanks()
        if self._at != len(self._text):
            raise Refused(_MALFORMED)
        return value

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, expected: str) -> None:
        if not expected or self._peek() not in expected or not self._peek():
            raise Refused(_MALFORMED)
        self._at += 1

    def _skip_blanks(self) -> None:
        while self._peek() and self._peek() in _BLANKS:
            self._at += 1

    def _value(self) -> Any:
        stack: list[_Open] = []
        while True:
            self._skip_blanks()
            opened = self._begin(stack)
            if opened:
                continue
            value = self._scalar() if opened is None else stack.pop().value
            while True:
                if not stack:
                    return value
                if self._put(stack[-1], value):
                    break  # there is a next item
                value = stack.pop().value

    def _begin(self, stack: list[_Open]) -> bool | None:
        """Open what begins here. None: nothing; False: it is empty, and closed again."""
        if self._peek() == "[":
            self._at += 1
            stack.append(_Open([]))
            self._skip_blanks()
            if self._peek() == "]":
                self._at += 1
                return False
            return True
        if self._peek() == "{":
            self._at += 1
            stack.append(_Open({}))
            self._skip_blanks()
            if self._peek() == "}":
                self._at += 1
                return False
            self._key(stack[-1])
            return True
        return None

    def _put(self, to: _Open, value: Any) -> bool:
        self._skip_blanks()
        if isinstance(to.value, list):
            to.value.append(value)
            if self._peek() == "]":
                self._at += 1
                return False
            self._take(",")
            return True
        to.value[to.key] = value
        if self._peek() == "}":
            self._at += 1
            return False
        self._take(",")
        self._skip_blanks()
        self._key(to)
        return True

    def _key(self, of: _Open) -> None:
        self._take('"')
        of.key = self._string()
        self._skip_blanks()
        self._take(":")

    def _scalar(self) -> Any:
        if self._peek() == '"':
            self._at += 1
            return self._string()
        for name, value in _NAMES.items():
            if self._text.startswith(name, self._at):
                self._at += len(name)
                return value
        for name in ("NaN", "Infinity", "-Infinity"):
            if self._text.startswith(name, self._at):
                raise Refused(_NOT_JSON)
        return self._number()

    def _string(self) -> str:
        parts: list[str] = []
        while (character := self._peek()) != '"':
            if character < " ":  # a control character, or the end
                raise Refused(_MALFORMED)
            self._at += 1
            if character == "\\":
                escape = self._peek()
                self._at += 1
                if escape == "u":
                    character = chr(self._hex())
                    parts.append(character)
                    self._join_surrogates(parts)
                    continue
                if escape not in _ESCAPES:
                    raise Refused(_MALFORMED)
                character = _ESCAPES[escape]
            parts.append(character)
        self._at += 1
        return "".join(parts)

    def _hex(self) -> int:
        digits = self._text[self._at : self._at + 4]
        if len(digits) < 4 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            raise Refused(_MALFORMED)
        self._at += 4
        return int(digits, 16)

    def _join_surrogates(self, parts: list[str]) -> None:
        """Two escapes in a row may be one character."""
        if not "\ud800" <= parts[-1] <= "\udbff" or self._text[self._at : self._at + 2] != "\\u":
            return
        before = self._at
        self._at += 2
        try:
            low = self._hex()
        except Refused:
            self._at = before
            return
        if 0xDC00 <= low <= 0xDFFF:
            parts[-1] = chr(0x10000 + ((ord(parts[-1]) - 0xD800) << 10) + (low - 0xDC00))
        else:
            self._at = before

    def _digits(self) -> str:
        begin = self._at
        while self._peek() and self._peek() in DIGITS:
            self._at += 1
        return self._text[begin : self._at]

    def _number(self) -> Any:
        begin = self._at
        if self._peek() == "-":
            self._at += 1
        if self._peek() == "0":
            self._at += 1
            whole = "0"
        else:
            whole = self._digits()
            if not whole:
                raise Refused(_MALFORMED)
        fraction = exponent = ""
        here = self._at
        if self._peek() == ".":
            self._at += 1
            fraction = self._digits()
            if not fraction:
                self._at = here
        here = self._at
        if self._peek() and self._peek() in "eE":
            self._at += 1
            if self._peek() and self._peek() in "+-":
                self._at += 1
            exponent = self._digits()
            if not exponent:
                self._at = here
        number = self._text[begin : self._at]
        if fraction or exponent:
            if math.isinf(float(number)):
                raise Refused(_NOT_JSON)
            return float(number)
        if len(whole) > MAX_DIGITS:
            raise Refused(_MALFORMED)
        return int(number)
