"""The cookies of one server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from math import inf

MAX_COOKIES = 50
MAX_COOKIE = 4_096
"""Most cookies, and most characters of one, that a server may leave here."""

# By hand, since ``strptime`` reads the names of months in the language of the machine.
_DATE = re.compile(
    r"\w{3,9}, ([0-9]{2})[ -](\w{3})[ -]([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


class Cookies:
    """What the server asked to be sent back to it.

    There is one server and one path, so names and ages are all that counts. Dates are compared with
    the date of the response that brought them: no clock of ours is asked.
    """

    def __init__(self) -> None:
        self._cookies: dict[str, tuple[str, float]] = {}

    def take(self, headers: Iterable[tuple[str, str]], now: float) -> None:
        """Note what a response sets. Names of headers are in lower case."""
        headers = list(headers)
        date = next((_date(value) for name, value in headers if name == "date"), None) or 0.0
        for name, value in headers:
            if name == "set-cookie" and len(value) <= MAX_COOKIE:
                self._set(value, date, now)

    def _set(self, text: str, date: float, now: float) -> None:
        pair, *attributes = text.split(";")
        name, equals, value = pair.partition("=")
        name, value = name.strip(), value.strip().strip('"')
        if not equals or not name:
            return
        age = _age(attributes, date)
        if age <= 0:
            self._cookies.pop(name, None)
        elif name in self._cookies or len(self._cookies) < MAX_COOKIES:
            self._cookies[name] = value, now + age

    def header(self, now: float) -> str:
        """The value of a ``cookie`` header; empty if there is none."""
        self._cookies = {key: each for key, each in self._cookies.items() if each[1] > now}
        return "; ".join(f"{name}={value}" for name, (value, _) in self._cookies.items())


def _age(attributes: list[str], date: float) -> float:
    """Seconds that a cookie lives. ``Max-Age`` comes before ``Expires``."""
    age = inf
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        key, value = key.strip().lower(), value.strip()
        digits = value.removeprefix("-")
        if key == "max-age" and digits.isascii() and digits.isdigit():
            return float(value[:20])
        if key == "expires" and (expires := _date(value)) is not None:
            age = expires - date
    return age


def _date(text: str) -> float | None:
    """Seconds from 1970 to a date in the form of HTTP; None if it is none."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    time = int(hour), int(minute), int(second)
    try:
        when = datetime(int(year), _MONTHS.index(month) // 3 + 1, int(day), *time)
    except ValueError:
        return None
    return (when - datetime(1970, 1, 1)).total_seconds()
