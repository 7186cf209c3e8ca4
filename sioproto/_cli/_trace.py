"""What people paste: which way a line went, and where in it the packet is."""

from __future__ import annotations

import ast
import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Literal

from sioproto.engineio import PacketType

Direction = Literal["sent", "received"]


@dataclass(slots=True)
class Pasted:
    """A line without what was around the packet."""

    data: str | bytes
    direction: Direction | None = None
    column: int = 1
    """Where the packet begins in the line, from 1."""
    exact: bool = True
    """Whether a character of ``data`` is one of the line: not if it was in quotes or encoded."""
    trouble: str | None = None
    """Why this cannot be read at all."""
    is_text: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_text = isinstance(self.data, str)


# What stands in front of a packet in logs and browsers, in any order.
_BEFORE = re.compile(
    r"""\s*(?:
      \[?(?:\d{4}-\d\d-\d\d[T\ ])?\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\]?(?=\s)   # when
    | (?P<sent> (?:-{1,2}>|>{1,3}|→|↑|⬆|»|=>) | (?:sent|send|client|C)(?::|\s(?=\s*\S)) )
    | (?P<received> (?:<-{1,2}|<{1,3}(?!Buffer)|←|↓|⬇|«|<=)
                    | (?:received|recv|server|S)(?::|\s(?=\s*\S)) )
    )""",
    re.VERBOSE,
)
# What stands behind it: length and time in a browser's list, the time in logs of Node.
_BEHIND = re.compile(r"(?:\t\d+)?\t\d\d:\d\d:\d\d(?:[.,]\d+)?\s*\Z|\s+\+\d+m?s\s*\Z")
# Logs that name the type of the packet and write its data behind it.
_NAMED = (
    re.compile(r"(?P<way>Received|Sending) packet (?P<type>[A-Z]+) data (?P<data>.*)"),
    re.compile(r'(?P<way>receive): type "(?P<type>[a-z]+)", data "(?P<data>.*)"'),
    re.compile(r'(?P<way>sending) packet "(?P<type>[a-z]+)" \((?P<data>.*)\)'),
)
_QUOTED = re.compile(r'\b(?P<way>received|writing|sending) "(?P<data>.*)"')
_HEX_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?:[ :][0-9A-Fa-f]{2})+")
_BUFFER = re.compile(r"<Buffer((?: [0-9A-Fa-f]{2})*)( \.\.\. \d+ more bytes)?>")


def read_line(line: str) -> Pasted:
    """Find the packet in a line."""
    line = line.rstrip("\r\n")
    for pattern in _NAMED:
        if (match := pattern.search(line)) and match["type"].upper() in PacketType.__members__:
            data = "" if match["data"] in ("None", "undefined") else match["data"]
            text = f"{int(PacketType[match['type'].upper()])}{data}"
            return Pasted(text, _way(match["way"]), match.start("data"))
    if match := _QUOTED.search(line):
        return Pasted(match["data"], _way(match["way"]), match.start("data") + 1)
    start = 0
    direction: Direction | None = None
    while match := _BEFORE.match(line, start):
        start = match.end()
        if match["sent"] or match["received"]:
            direction = "sent" if match["sent"] else "received"
    start += len(line[start:]) - len(line[start:].lstrip(" \t"))
    behind = _BEHIND.search(line, start)
    text = line[start : behind.start() if behind else None]
    pasted = _read_literal(text)
    pasted.direction, pasted.column = direction, pasted.column + start
    return pasted


def _way(word: str) -> Direction:
    return "received" if word.lower().startswith("receive") else "sent"


def _read_literal(text: str) -> Pasted:
    """Undo what a language or a tool did to show a value."""
    if text[:1] == '"' and text.rstrip().endswith('"') and len(text) > 1:
        try:
            return Pasted(json.loads(text), exact=False, column=2)
        except (ValueError, RecursionError):
            pass
    if text[:1] == "'" or text[:2] in ("b'", 'b"'):
        try:
            value = ast.literal_eval(text.rstrip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return Pasted(text, trouble="the quotes do not match")
        if isinstance(value, str | bytes):
            return Pasted(value, exact=False, column=2)
    return _read_encoded(text)


def _read_encoded(text: str) -> Pasted:
    """Bytes in hexadecimal or base64, or else text."""
    bare = text.strip()
    lower = bare.lower()
    if match := _BUFFER.fullmatch(bare):
        if match[2]:
            return Pasted(text, trouble="a buffer that was cut short when it was printed")
        return Pasted(bytes.fromhex(match[1]), exact=False)
    if lower.startswith(("0x", "hex:")):
        digits = re.sub(r"[\s:,]", "", bare.partition("x" if lower[1] == "x" else ":")[2])
        try:
            return Pasted(bytes.fromhex(digits), exact=False)
        except ValueError:
            return Pasted(text, trouble="not hexadecimal: pairs of 0-9 and a-f must follow")
    if lower.startswith("base64:"):
        try:
            return Pasted(base64.b64decode(bare[7:].strip(), validate=True), exact=False)
        except (ValueError, binascii.Error):
            return Pasted(text, trouble="not base64")
    if _HEX_PAIRS.fullmatch(bare):
        return Pasted(bytes.fromhex(re.sub("[ :]", "", bare)), exact=False)
    return Pasted(text)
