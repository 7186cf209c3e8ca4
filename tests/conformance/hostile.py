"""A stream of a server that says what would harm a careless report."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from sioproto_conformance import _stream
from sioproto_conformance._model import Check, Observation, Verdict
from sioproto_conformance.peers.wire import Entry
from tests.conformance.support import RULES, make_result

HEADER = _stream.Header(
    format=_stream.FORMAT,
    suite="1",
    python="CPython",
    target="a server",
    target_version="2",
    url="http://127.0.0.1:1",
    slow_url=None,
    command=("sio-conformance", "run"),
    started="2026-01-01T00:00:00+00:00",
    cases=len(Verdict),
    seed="0",
    slack=1.0,
    jobs=4,
    repeat=1,
    round_trip=0.001,
    lacking={},
)

EVIL = (
    b"<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\""
    b"</pre></details></td>]]>&lt;--><!-- {{ 7*7 }}{% raw %} ${7*7} [red]x[/red] "
    b"[a](http://evil) | `` `"
    b"\x1b[31m\x1b]0;title\x07\x1e\x00\x7f\xff\xfe\r\n\xe2\x80\xa8\xe2\x80\xae"
    b"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xef\xbf\xbf\xef\xbf\xbe z"
    + b"\xcc\x81" * 40
    + b" \xf0\x9f\x98\x80"
)
TEXT = EVIL.decode("utf-8", "backslashreplace")


def entry(
    conn: str,
    dir: Literal["in", "out"],
    layer: Literal["tcp", "http", "ws", "note"],
    data: bytes = b"",
    note: str = "",
) -> Entry:
    return Entry(t=0.5, conn=conn, dir=dir, layer=layer, data=data, size=len(data), note=note)


TRANSCRIPT = [
    entry("bad.get#1", "out", "http", b"GET /engine.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n"),
    entry("bad.get#1", "in", "http", b"HTTP/1.1 200 OK\r\nevil: " + EVIL + b'\r\n\r\n0{"sid":1}'),
    entry("bad.get#1", "out", "note", note="hung up"),
    entry("control.ws#2", "out", "ws", b"42[1]", "text"),
    entry("control.ws#2", "in", "ws", EVIL, "text"),
    entry("<b>x#3", "in", "tcp", EVIL, TEXT),
]


def write_hostile(path: Path, *, footer: bool = True, exit_code: int = 1) -> None:
    """Write a case of each verdict."""
    header = msgspec.structs.replace(
        HEADER, target=TEXT, lacking={TEXT: TEXT}, command=("sio-conformance", "run", TEXT)
    )
    with _stream.Writer(path) as writer:
        writer.header(header)
        writer.rules(RULES.values())
        for verdict in Verdict:
            result = make_result(verdict, id=f"eio4.made.{verdict}[a,b]", reason=TEXT)
            result.checks = [
                Check("T-MUST", verdict is not Verdict.FAIL, TEXT, TEXT),
                Check("T-RULING", False, "a refusal", TEXT),
            ]
            result.observations = [Observation(TEXT, TEXT)]
            result.transcript = list(TRANSCRIPT)
            if verdict in (Verdict.XFAIL, Verdict.XPASS, Verdict.FLAKY):
                result.expectation = TEXT
            writer.case(result)
        if footer:
            writer.footer(duration=1.5, exit_code=exit_code, target_exit=-11, target_stderr=TEXT)
