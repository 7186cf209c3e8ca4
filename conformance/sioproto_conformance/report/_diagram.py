"""A transcript as a sequence diagram: who sent what, when, on which of the connections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sioproto_conformance._text import pieces, visible
from sioproto_conformance.peers.wire import Entry

Pieces = list[tuple[str, bool]]

# More peers than this do not fit side by side; those that differ by a number share a place then.
_MOST_LANES = 6
_HTTP = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r\n|HTTP/1\.[01] ")


@dataclass(frozen=True, slots=True)
class Message:
    """One arrow, or one remark."""

    time: float
    lane: int
    kind: Literal["out", "in", "note"]
    conn: str
    """Which of the connections of the peer, ``get#4``."""
    first_line: Pieces
    """Of HTTP; empty of everything else."""
    headers: Pieces
    body: Pieces
    note: str
    left_out: int
    """How many bytes were not recorded."""


@dataclass(frozen=True, slots=True)
class Diagram:
    """All connections of a case side by side."""

    lanes: tuple[str, ...]
    """The peers, in the order in which they were first heard of."""
    messages: tuple[Message, ...]


def diagram(transcript: Sequence[Entry]) -> Diagram:
    """Return the diagram of what passed."""
    names = list(dict.fromkeys(_peer(entry.conn) for entry in transcript))
    places = {name: name for name in names}
    if len(names) > _MOST_LANES:
        places = {name: re.sub(r"[0-9]+$", "…", name) for name in names}
    lanes = list(dict.fromkeys(places.values()))
    if len(lanes) > _MOST_LANES:
        places = dict.fromkeys(names, "all peers")
        lanes = ["all peers"]
    messages = []
    for entry in transcript:
        peer = _peer(entry.conn)
        place = places[peer]
        conn = entry.conn if place != peer else entry.conn[len(peer) :].lstrip(".")
        messages.append(_message(entry, lanes.index(place), conn))
    return Diagram(tuple(visible(lane) for lane in lanes), tuple(messages))


def _peer(conn: str) -> str:
    return re.split(r"[.#]", conn)[0]


def _message(entry: Entry, lane: int, conn: str) -> Message:
    first_line: Pieces = []
    headers: Pieces = []
    body = entry.data
    if entry.layer == "http" and _HTTP.match(entry.data):
        head, _, body = entry.data.partition(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        first_line = pieces(line)
        for number, header in enumerate(rest.split(b"\r\n") if rest else []):
            headers += [("\n", False)] if number else []
            headers += pieces(header)
    return Message(
        time=entry.t,
        lane=lane,
        kind="note" if entry.layer == "note" else entry.dir,
        conn=visible(conn),
        first_line=first_line,
        headers=headers,
        body=pieces(body),
        note=visible(entry.note),
        left_out=max(0, entry.size - len(entry.data)),
    )
