"""What people type into ``sioproto connect``: events with JSON values, and a few commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from typing import Any

from sioproto.socketio import RESERVED_EVENTS

COMMANDS = ("ack", "help", "quit", "status")

_NAME = re.compile(r'[^\s"?]+')
_COMMAND = re.compile(r"/([a-z]+)(?=\s|\Z)")
_HEX = re.compile(r"0x([0-9A-Fa-f]*)(?=\s|\Z)")
_BLANK = re.compile(r"\s*")


class TypingError(Exception):
    """A line that cannot be understood.

    Args:
        message: what is wrong.
        column: where, from 1.
    """

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column


@dataclass(frozen=True, slots=True)
class Emission:
    """An event to emit."""

    name: str
    args: tuple[Any, ...]
    wants_ack: bool


@dataclass(frozen=True, slots=True)
class Command:
    """Something to do that is no event."""

    name: str
    args: tuple[Any, ...]


def parse_typed(line: str) -> Emission | Command | None:
    """Understand a line. None if it is blank or a comment.

    ``name value value`` is an event, ``name? value`` one that asks for an acknowledgement. A value
    is JSON or binary as ``0x0102``. A name that holds a blank, or begins with a slash, is in
    quotes.

    Raises:
        TypingError: the line is nothing of that.
    """
    start = _skip(line, 0)
    if start == len(line) or line[start] == "#":
        return None
    if line[start] == "/":
        return _command(line, start)
    if line[start] == '"':
        name, end = _value(line, start)
        if end < len(line) and line[end] not in "? \t\r\n":
            raise TypingError("a blank or ? must follow the name", end + 1)
    else:
        match = _NAME.match(line, start)
        if match is None:
            raise TypingError("an event begins with its name", start + 1)
        name, end = match[0], match.end()
        if line[end : end + 1] == '"':
            raise TypingError("a blank must follow the name", end + 1)
    if name in RESERVED_EVENTS:
        raise TypingError(f'"{name}" is a reserved event name', start + 1)
    wants_ack = line[end : end + 1] == "?"
    return Emission(name, _values(line, end + wants_ack), wants_ack)


def _command(line: str, start: int) -> Command:
    match = _COMMAND.match(line, start)
    if match is None or match[1] not in COMMANDS:
        known = ", ".join(f"/{name}" for name in COMMANDS)
        raise TypingError(f"the commands are {known}; other names go in quotes", start + 1)
    args = _values(line, match.end())
    if match[1] == "ack" and not (args and type(args[0]) is int):
        raise TypingError("/ack is followed by the number that was shown", match.end() + 1)
    if match[1] != "ack" and args:
        raise TypingError(f"nothing follows /{match[1]}", _skip(line, match.end()) + 1)
    return Command(match[1], args)


def _values(line: str, position: int) -> tuple[Any, ...]:
    values: list[Any] = []
    while (position := _skip(line, position)) < len(line):
        value, position = _value(line, position)
        values.append(value)
    return tuple(values)


def _value(line: str, start: int) -> tuple[Any, int]:
    """A value, and where it ends."""
    if line.startswith("0x", start):
        match = _HEX.match(line, start)
        if match is None or len(match[1]) % 2:
            raise TypingError("0x is followed by pairs of 0-9 and a-f", start + 1)
        return bytes.fromhex(match[1]), match.end()
    try:
        return _DECODER.raw_decode(line, start)
    except JSONDecodeError as error:
        if error.pos == start and error.msg == "Expecting value":
            raise TypingError(_hint(line, start), start + 1) from None
        raise TypingError(f"not JSON: {error.msg}", error.pos + 1) from None
    except _NotJson as error:
        raise TypingError(str(error), start + 1) from None
    except (ValueError, RecursionError):
        raise TypingError("a value that is too deep or too long", start + 1) from None


def _hint(line: str, start: int) -> str:
    word = line[start:].split(None, 1)[0][:30]
    if word.isalnum():
        return f'a value is JSON or 0x…: text goes in quotes, as in "{word}"'
    return "a value is JSON or 0x…"


class _NotJson(Exception):
    pass


def _refuse(name: str) -> Any:
    raise _NotJson(f"{name} is not JSON")


_DECODER = JSONDecoder(parse_constant=_refuse)


def _skip(line: str, position: int) -> int:
    match = _BLANK.match(line, position)
    assert match is not None
    return match.end()


def typed_pairs(headers: Sequence[str]) -> list[tuple[str, str]]:
    """Headers as they are given on a command line.

    Raises:
        ValueError: one of them is none.
    """
    pairs = []
    for header in headers:
        name, colon, value = header.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError(f"a header looks like 'Name: value', not like {header!r}")
        if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value):
            raise ValueError(f"the value of the header {name} has characters that none may have")
        pairs.append((name.lower(), value))
    return pairs
