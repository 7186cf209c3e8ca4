"""What may stand in a header."""

from __future__ import annotations

import re

Headers = tuple[tuple[str, str], ...]

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A name of a header, of a method, of a cookie (RFC 9110)."""

_VALUE = re.compile(r"([\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")


def is_token(value: object) -> bool:
    """Whether this is text that can be a name."""
    return isinstance(value, str) and TOKEN.fullmatch(value) is not None


def is_value(value: object) -> bool:
    """Whether this is text that can be sent as the value of a header: nothing that could end it."""
    return isinstance(value, str) and _VALUE.fullmatch(value) is not None
