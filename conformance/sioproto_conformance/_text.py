"""Words for people about what passed on the wire, so that it can do nothing to who reads it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from sioproto_conformance.peers.wire import HUNG_UP, Entry

_ENTRY_WIDTH = 100
_ENTRIES_SHOWN = 20


def visible(text: str) -> str:
    """Return text in which each character that has no shape of its own is spelled out."""
    return "".join(shown for shown, _ in _spelled(text))


def pieces(data: bytes) -> list[tuple[str, bool]]:
    """Return bytes as text in pieces: as they are, or spelled out, which is then ``True``.

    Bytes that are not UTF-8 are spelled out, as is what is not printable.
    """
    found: list[tuple[str, bool]] = []
    for shown, spelled_out in _spelled(data.decode("utf-8", "surrogateescape")):
        if found and found[-1][1] is spelled_out:
            found[-1] = (found[-1][0] + shown, spelled_out)
        else:
            found.append((shown, spelled_out))
    return found


def printable(data: bytes, *, width: int = _ENTRY_WIDTH) -> str:
    """Return bytes from the wire so that they cannot do anything to a terminal."""
    text = data.decode("utf-8", "backslashreplace")
    return visible(text[:width]) + ("…" if len(text) > width else "")


def _spelled(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each character as it is shown, and whether it is spelled out."""
    after_mark = False
    for char in text:
        is_mark = unicodedata.category(char) in ("Mn", "Me")
        # One mark belongs to a letter; a tower of them covers the lines above.
        if char.isprintable() and not (is_mark and after_mark):
            yield char, False
        else:
            yield _escaped(char), True
        after_mark = is_mark


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"  # a byte that was not UTF-8
    return char.encode("unicode_escape").decode("ascii")


def entry_text(entry: Entry) -> str:
    """Return one line about something that passed."""
    arrow = {"out": "→", "in": "←"}[entry.dir] if entry.layer != "note" else "·"
    data = entry.data
    if entry.layer == "http":
        # The headers are the same ones every time; the report has them.
        head, _, body = data.partition(b"\r\n\r\n")
        data = head.partition(b"\r\n")[0] + (b" | " + body if body else b"")
    size = f" ({entry.size} bytes)" if entry.size > len(entry.data) else ""
    note = f" ({entry.note})" if entry.note and entry.layer != "note" else ""
    what = entry.note if entry.layer == "note" else printable(data)
    return f"{entry.t:7.3f} {entry.conn:<14} {arrow} {what}{size}{printable(note.encode())}"


def wire_summary(transcript: Sequence[Entry]) -> str:
    """Return the last bytes that went either way, in one line."""
    last: dict[str, str] = {}
    for entry in transcript:
        if entry.layer != "note" and (entry.data or entry.note):
            data = entry.data
            if entry.layer == "http":
                data = data.partition(b"\r\n\r\n")[2] or data.partition(b"\r\n")[0]
            last[f"{entry.conn} {entry.dir}"] = printable(data, width=60) or f"({entry.note})"
    sent = [f"{key.split()[0]} → {data}" for key, data in last.items() if key.endswith("out")]
    got = [f"{key.split()[0]} ← {data}" for key, data in last.items() if key.endswith("in")]
    return "  ".join([*sent[-2:], *got[-2:]])


def transcript_lines(transcript: Sequence[Entry]) -> list[str]:
    """Return the beginning and the end of a transcript, a line for each entry."""
    lines = [entry_text(entry) for entry in transcript if entry.note != HUNG_UP]
    if len(lines) <= _ENTRIES_SHOWN:
        return lines
    half = _ENTRIES_SHOWN // 2
    left_out = f"        … {len(lines) - 2 * half} more in the report …"
    return [*lines[:half], left_out, *lines[-half:]]
