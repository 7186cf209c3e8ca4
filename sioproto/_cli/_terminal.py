"""What goes to the terminal, or into a pipe: values of peers, and rows of text.

What a peer sends may hold anything, also sequences that command a terminal, so nothing of it is
shown as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

SHOWN_BYTES = 32
"""So many bytes of a binary value are shown before it is cut short."""

# Controls of both blocks, and what reorders or hides the text around it.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_LONE = re.compile("[\ud800-\udfff]")
_MARKED = re.compile(r'"\\u0000([^"\\]*)\\u0000"')


def printable(text: str) -> str:
    """The text with escapes for all that could command a terminal or cannot be written."""
    return _LONE.sub(_escape, _UNSAFE.sub(_escape, text))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def hexadecimal(data: bytes, limit: int | None = SHOWN_BYTES) -> str:
    """Bytes as ``0x0102``, cut short if there are many."""
    if limit is None or len(data) <= limit:
        return f"0x{data.hex()}"
    return f"0x{data[:limit].hex()}… ({len(data):,} bytes)"


def value_text(value: Any, limit: int | None = SHOWN_BYTES) -> str:
    """A value as JSON on one line, with binary in hexadecimal."""

    def default(item: Any) -> str:
        if isinstance(item, bytes | bytearray):
            return f"\0{hexadecimal(bytes(item), limit)}\0"
        return item.isoformat() if isinstance(item, datetime) else str(item)

    try:
        text = json.dumps(value, ensure_ascii=False, default=default)
    except (ValueError, RecursionError):
        return "(nested too deeply to show)"
    return printable(_MARKED.sub(r"\1", text))


def values_text(values: Iterable[Any], limit: int | None = SHOWN_BYTES) -> str:
    """Values in a row, as they are typed."""
    return " ".join(value_text(value, limit) for value in values)


def plain_value(value: Any) -> Any:
    """A value for JSON output: binary becomes ``{"hex": "0102"}``."""
    if isinstance(value, bytes | bytearray):
        return {"hex": value.hex()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {key: plain_value(item) for key, item in value.items()}
    return value


def json_line(value: Any) -> str:
    """A value on one line of JSON, in ASCII, so that any terminal and pipe takes it."""
    try:
        return json.dumps(plain_value(value))
    except (ValueError, RecursionError):
        return json.dumps({"problem": "nested too deeply to show"})


class Row(NamedTuple):
    """One line of a report."""

    label: str
    text: str
    style: str = ""


def console(*, stderr: bool = False) -> Console:
    """The terminal, or what stands in its place."""
    return Console(stderr=stderr, highlight=False, emoji=False, markup=False)


def say(out: Console, text: str, style: str = "") -> None:
    """Print one line. It is for the terminal to fold it, which keeps it whole for copying."""
    out.print(Text(printable(text), style), soft_wrap=True)


def print_rows(out: Console, rows: Iterable[Row], *, indent: int = 2, width: int = 14) -> None:
    """Print labels with what they say beside them."""
    if not out.is_terminal:
        for row in rows:
            line = f"{' ' * indent}{row.label:<{width}}{printable(row.text)}"
            out.print(Text(line.rstrip()), soft_wrap=True)
        return
    table = Table.grid(padding=(0, 0))
    table.add_column(min_width=indent + width, max_width=indent + width, no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        label = Text(" " * indent + row.label, "dim" if row.style == "" else row.style)
        table.add_row(label, Text(printable(row.text), row.style))
    out.print(table)
