"""``sioproto decode``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from sioproto._cli._explain import (
    Explainer,
    Item,
    Layer,
    Problem,
    engine_words,
    handshake_words,
    socket_words,
)
from sioproto._cli._terminal import (
    Row,
    console,
    hexadecimal,
    json_line,
    plain_value,
    print_rows,
    say,
    value_text,
    values_text,
)
from sioproto._cli._trace import Pasted
from sioproto.engineio import PacketType
from sioproto.socketio import MISSING, MsgpackParser
from sioproto.socketio import PacketType as SocketType

SHOWN_TEXT = 2_000
"""So many characters of a packet or a value are shown before it is cut short."""

_ARROWS = {"sent": "-> ", "received": "<- ", None: ""}


@click.command()
@click.argument("packets", nargs=-1)
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Read the lines of this file; - for standard input.",
)
@click.option(
    "--revision",
    type=click.Choice(["3", "4"]),
    help="Of Engine.IO. Payloads of revision 3 are recognized; its binary frames are not.",
)
@click.option(
    "--layer",
    type=click.Choice(["auto", "engine", "socket"]),
    default="auto",
    show_default=True,
    help="engine: explain Engine.IO alone. socket: there is no Engine.IO around the packets.",
)
@click.option(
    "--parser",
    type=click.Choice(["text", "msgpack"]),
    default="text",
    show_default=True,
    help="How Socket.IO packets are encoded.",
)
@click.option("--full", is_flag=True, help="Cut nothing short.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each packet.")
def decode(
    packets: tuple[str, ...],
    file: Path | None,
    revision: str | None,
    layer: Layer,
    parser: str,
    full: bool,
    as_json: bool,
) -> None:
    """Explain packets, payloads and pasted traces, line by line.

    Each PACKET is a line; without any, lines are read from standard input. A line is a packet as
    text, a polling payload of revision 4 or 3 (U+001E may be written as \\x1e), or binary: 0x0102,
    hex:01 02, 01 02 03, base64:AQID, <Buffer 01 02>, b'...'. Arrows, times, quotes, and the words
    of the usual logs around a packet are passed over. Each direction is a stream of its own:
    attachments follow the packet that announces them.

    \b
    Exit status:
      0  all is well
      1  something is no packet, or not what must come there
      2  wrong usage
    """
    if packets and file is not None:
        raise click.UsageError("packets or --file, not both")
    try:
        explainer = Explainer(
            revision=None if revision is None else int(revision),
            layer=layer,
            parser=MsgpackParser() if parser == "msgpack" else None,
        )
    except ImportError as error:
        raise click.UsageError(str(error)) from None
    out = console()
    writer = _JsonWriter(out) if as_json else _TextWriter(out, full)
    bad = False
    for item in _items(explainer, packets, file):
        writer.item(item)
        bad |= item.problem is not None
    if writer.count == 0:
        raise click.UsageError("there is nothing to decode")
    for problem in explainer.end():
        writer.problem(problem)
        bad = True
    sys.exit(1 if bad else 0)


def _items(explainer: Explainer, packets: tuple[str, ...], file: Path | None) -> Iterator[Item]:
    if packets:
        yield from _explained(explainer, packets)
        return
    stdin = sys.stdin.buffer
    if file is None or str(file) == "-":
        if stdin.isatty():
            say(console(stderr=True), "Paste lines, then press Ctrl-D.", "dim")
        yield from _explained(explainer, (_text(line) for line in stdin))
        return
    data = file.read_bytes()
    if data[:1] in (b"\0", b"\1"):  # a polling payload of revision 3 in its binary form
        yield from explainer.pasted(1, Pasted(data, exact=False))
        return
    yield from _explained(explainer, map(_text, data.split(b"\n")))


def _explained(explainer: Explainer, lines: Iterable[str]) -> Iterator[Item]:
    for number, line in enumerate(lines, 1):
        yield from explainer.line(number, line)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


class _TextWriter:
    """Explanations for people."""

    def __init__(self, out: Console, full: bool) -> None:
        self._out = out
        self._limit = None if full else 32
        self._shown = None if full else SHOWN_TEXT
        self.count = 0

    def item(self, item: Item) -> None:
        self.count += 1
        head = f"{item.line}: {_ARROWS[item.direction]}{self._raw(item.text)}"
        say(self._out, head, "bold")
        print_rows(self._out, self._rows(item))

    def problem(self, problem: Problem) -> None:
        print_rows(self._out, [_problem_row(problem)], indent=0)

    def _raw(self, data: str | bytes) -> str:
        return hexadecimal(data, self._limit) if isinstance(data, bytes) else self._cut(data)

    def _cut(self, text: str) -> str:
        if self._shown is None or len(text) <= self._shown:
            return text
        return f"{text[: self._shown]}… ({len(text):,} characters)"

    def _rows(self, item: Item) -> Iterator[Row]:
        if item.engine is not None:
            yield Row("Engine.IO", engine_words(item))
            for words in handshake_words(item):
                yield Row("", words)
            data = item.engine.data
            told = item.socket is not None or item.attachment_of is not None
            if item.engine.type is PacketType.MESSAGE and data and not told:
                yield Row("data", self._raw(data))
        if item.attachment_of is not None:
            done = "" if item.missing else ", which is whole now"
            yield Row("Socket.IO", f"attachment of line {item.attachment_of}{done}")
            if item.missing:
                yield Row("", _to_come(item.missing))
        if item.socket is not None:
            if item.attachment_of is None:
                yield Row("Socket.IO", socket_words(item))
            yield from self._payload(item)
            if item.attachment_of is None and item.missing:
                yield Row("", _to_come(item.missing))
        for note in item.notes:
            yield Row("", note)
        if item.problem is not None:
            yield _problem_row(item.problem)

    def _payload(self, item: Item) -> Iterator[Row]:
        packet = item.socket
        assert packet is not None
        data = packet.data
        if data is MISSING:
            return
        if packet.type is SocketType.EVENT:
            yield Row("event", self._cut(value_text(data[0], self._limit)))
            data = data[1:]
        if packet.type in (SocketType.EVENT, SocketType.ACK):
            yield Row("arguments", self._cut(values_text(data, self._limit)) or "none")
            return
        label = {SocketType.CONNECT: "payload", SocketType.CONNECT_ERROR: "error"}
        yield Row(label.get(packet.type, "payload"), self._cut(value_text(data, self._limit)))


def _to_come(missing: int) -> str:
    return f"{missing} attachment{'' if missing == 1 else 's'} to come"


def _problem_row(problem: Problem) -> Row:
    rule = "" if problem.rule is None else f" [{problem.rule}]"
    where = "" if problem.column is None else f"column {problem.column}: "
    return Row("wrong", f"{where}{problem.message}{rule}", "red")


class _JsonWriter:
    """Explanations for programs."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self.count = 0

    def item(self, item: Item) -> None:
        self.count += 1
        fields: dict[str, Any] = {
            "line": item.line,
            "direction": item.direction,
            "text": item.text,
            "engine": None,
            "socket": None,
            "notes": item.notes,
            "problem": None,
        }
        if item.engine is not None:
            packet = item.engine
            fields["engine"] = {
                "revision": item.revision,
                "type": packet.type.name.lower(),
                "data": packet.data,
            }
        if item.socket is not None:
            fields["socket"] = {
                "type": item.socket.type.name,
                "namespace": item.socket.namespace,
                "id": item.socket.id,
                "missing": item.missing,
            }
            if item.socket.data is not MISSING:
                fields["socket"]["data"] = item.socket.data
        if item.attachment_of is not None:
            fields["attachment_of"] = item.attachment_of
        if item.problem is not None:
            fields["problem"] = _plain_problem(item.problem)
        click.echo(json_line(plain_value(fields)))

    def problem(self, problem: Problem) -> None:
        click.echo(json_line({"line": None, "problem": _plain_problem(problem)}))


def _plain_problem(problem: Problem) -> dict[str, Any]:
    return {"message": problem.message, "rule": problem.rule, "column": problem.column}
