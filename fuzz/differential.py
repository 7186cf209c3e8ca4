#!/usr/bin/env python3
"""Give the same bytes to our codecs and to those of others, and sort where they differ.

``python fuzz/differential.py --inputs 100000`` needs Node and ``npm ci`` in ``fuzz/node``, and
python-socketio. Every class of difference has to be in ``differences.toml``, with the rule or
ruling that explains it; one that is not is either a bug of ours or is added there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import engineio.packet
import engineio.payload
import socketio.packet

from fuzzing import FOLDER
from fuzzing.cases import FORMATS, Case, Format, packet_json, refused
from sioproto import DecodeError
from sioproto.engineio import decode_packet
from vectors import candidates

NODE = FOLDER / "node"
BATCH = 500
COMPARED = [kind for kind in FORMATS if kind.name != "socketio-msgpack"]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """A class of difference: all inputs in it differ in the same way."""

    parser: str
    format: str
    how: str

    def __str__(self) -> str:
        return f"{self.parser}, {self.format}: {self.how}"


class Node:
    """The official parsers, in one process for all inputs."""

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None or not (NODE / "node_modules").is_dir():
            sys.exit(f"This needs Node.js and its packages: run `npm ci` in {NODE}.")
        self._process = subprocess.Popen(
            [node, str(NODE / "parsers.cjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, kind: Format, inputs: Sequence[bytes]) -> list[dict[str, Answer]]:
        """What each parser of the format says of each input."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        for data in inputs:
            line = json.dumps({"format": kind.name, "input": kind.told(data)})
            process.stdin.write(line + "\n")
        process.stdin.flush()
        return [json.loads(process.stdout.readline()) for _ in inputs]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


# The parsers in Python


def _engine_packet(packet: Any) -> Any:
    data = packet.data
    if isinstance(data, (dict, list, int, float)):
        return {"type": packet.packet_type, "data": {"json": True}}
    told = {"hex": bytes(data).hex()} if packet.binary else {"text": data or ""}
    return {"type": packet.packet_type, "data": told}


def _engineio_packet(frame: str | bytes) -> Answer:
    try:
        return {"value": _engine_packet(engineio.packet.Packet(encoded_packet=frame))}
    except Exception as error:
        return {"error": type(error).__name__}


def _engineio_payload(body: bytes) -> Answer:
    try:
        packets = engineio.payload.Payload(encoded_payload=body.decode()).packets
        return {"value": [_engine_packet(packet) for packet in packets]}
    except Exception as error:
        return {"error": type(error).__name__}


def _socketio_messages(messages: Sequence[str | bytes]) -> Answer:
    value: list[Any] = []
    packet: Any = None
    for message in messages:
        try:
            if isinstance(message, bytes):
                if packet is None:
                    return {"error": "unexpected binary", "value": value}
                whole = packet.add_attachment(message)
            else:
                if packet is not None:
                    return {"error": "unexpected text", "value": value}
                packet = socketio.packet.Packet(encoded_packet=message)
                whole = not packet.attachment_count
        except Exception as error:
            return {"error": type(error).__name__, "value": value}
        if not whole:
            value.append(None)
            continue
        kind = packet.packet_type
        told = {"type": kind - 3 if kind > 4 else kind, "namespace": packet.namespace or "/"}
        if packet.id is not None:
            told["id"] = packet.id
        if packet.data is not None:
            told["data"] = _ordered(packet.data)
        value.append(told)
        packet = None
    return {"value": value}


def _ordered(value: Any) -> Any:
    """A decoded value as the program for Node tells it."""
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if isinstance(value, dict):
        return {"$object": [[key, _ordered(item)] for key, item in value.items()]}
    if isinstance(value, bytes):
        return {"$hex": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": {"inf": "Infinity", "-inf": "-Infinity"}.get(repr(value), "NaN")}
    return value


def ask_python(kind: Format, data: bytes) -> dict[str, Answer]:
    """What the parsers in Python say of an input."""
    told = kind.told(data)
    if kind.name == "engineio-packet-4":
        return {"python-engineio": _engineio_packet(_message(told))}
    if kind.name == "engineio-payload-4":
        return {"python-engineio": _engineio_payload(data)}
    if kind.name == "socketio-messages":
        return {"python-socketio": _socketio_messages([_message(one) for one in told])}
    return {}


def _message(told: dict[str, str]) -> str | bytes:
    return told["text"] if "text" in told else bytes.fromhex(told["hex"])


# Comparing


def _ours(case: Case, kind: Format) -> Any:
    """Our value as the others tell theirs."""
    value = case.value
    if kind.name != "socketio-messages":
        if isinstance(value, list):
            return [packet for packet in value if packet is not None]
        return value
    packets = []
    for packet in value or ():
        if packet is not None and "data" in packet:
            packet = {**packet, "data": _ordered(_revived(packet["data"]))}
        packets.append(packet)
    return packets


def _with_packets(case: Case) -> Case:
    """Decode the frames of a stream, too, as its official parser does at once."""
    packets = []
    for frame in case.value["frames"]:
        try:
            packets.append(packet_json(decode_packet(_message(frame))))
        except DecodeError as error:
            return refused(error, packets)
    return replace(case, value=packets)


def _revived(value: Any) -> Any:
    if isinstance(value, list):
        return [_revived(item) for item in value]
    if isinstance(value, dict):
        if list(value) == ["$hex"]:
            return bytes.fromhex(value["$hex"])
        return {key: _revived(item) for key, item in value.items()}
    return value


def normal(value: Any) -> Any:
    """A value without what has no meaning: the order of keys, and what kind of number it is."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        try:
            return float(value) + 0.0
        except OverflowError:
            return {"$number": "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, list):
        return [normal(item) for item in value]
    if list(value) == ["$object"]:
        return {
            "$object": sorted(([key, normal(item)] for key, item in value["$object"]), key=repr)
        }
    return {key: normal(item) for key, item in value.items()}


def compare(case: Case, answer: Answer, kind: Format) -> str | None:
    """How an answer differs from ours; None if it does not."""
    theirs = answer.get("error")
    if not case.accepted:
        if theirs is not None:
            return None
        return f"only they take it: {case.rules[0]} {_class_of_refusal(case)}".rstrip()
    if theirs is not None:
        return f"only we take it: {', '.join(case.rules)}: {_words(theirs)}"
    ours, value = normal(_ours(case, kind)), normal(answer["value"])
    if ours == value:
        return None
    return f"values differ: {_where(ours, value)}"


def _class_of_refusal(case: Case) -> str:
    return {"a number beyond the range of a double": "(range)"}.get(case.reason.split(":")[0], "")


def _words(error: str) -> str:
    return re.sub(r"[^a-zA-Z ]+", " ", error).strip()[:40]


def _where(ours: Any, theirs: Any) -> str:
    """The first place where two values differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            if key not in ours or key not in theirs:
                return f"{key} is there {'for us' if key in ours else 'for them'} only"
            if ours[key] != theirs[key]:
                deeper = _where(ours[key], theirs[key])
                return key if deeper == "here" or key == "data" else f"{key}.{deeper}"
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return "how many"
        for one, other in zip(ours, theirs, strict=True):
            if one != other:
                return _where(one, other)
    return "here"


def explained() -> dict[Difference, str]:
    """The classes that have an explanation, by pattern."""
    table = tomllib.loads((FOLDER / "differences.toml").read_text("utf-8"))
    return {
        Difference(parser, entry["format"], entry["how"]): entry["reason"]
        for entry in table["difference"]
        for parser in entry["parsers"]
    }


def is_explained(found: Difference, table: dict[Difference, str]) -> bool:
    """Whether a class is one of the table, where ``*`` stands for anything."""
    return any(
        known.parser == found.parser
        and known.format in (found.format, "*")
        and re.fullmatch(re.escape(known.how).replace(r"\*", ".*"), found.how)
        for known in table
    )


def differences(count: int) -> Iterator[tuple[Difference, bytes] | None]:
    """Try inputs; yield how parsers differ, and None for each input."""
    node = Node()
    for kind in COMPARED:
        inputs = (data for data in candidates(kind, changes=3 * count) if kind.readable(data))
        share = count // len(COMPARED) + 1
        while share > 0 and (batch := list(itertools.islice(inputs, min(BATCH, share)))):
            share -= len(batch)
            for data, answers in zip(batch, node.ask(kind, batch), strict=True):
                case = kind.judge(data)
                if kind.name == "engineio-webtransport":
                    case = _with_packets(case)
                for parser, answer in {**answers, **ask_python(kind, data)}.items():
                    if (how := compare(case, answer, kind)) is not None:
                        yield Difference(parser, kind.name, how), data
                yield None
    node.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2_000)
    parser.add_argument("--all", action="store_true", help="show explained classes, too")
    options = parser.parse_args()
    table = explained()
    counts: dict[Difference, int] = {}
    examples: dict[Difference, bytes] = {}
    tried = 0
    for found in differences(options.inputs):
        if found is None:
            tried += 1
            continue
        difference, data = found
        counts[difference] = counts.get(difference, 0) + 1
        if len(data) < len(examples.get(difference, bytes(1000))):
            examples[difference] = data
    unexplained = [each for each in counts if not is_explained(each, table)]
    for each in counts if options.all else unexplained:
        print(f"{counts[each]:6} {each}  e.g. {examples[each]!r}")
    print(f"{tried} inputs, {len(counts)} classes of difference, {len(unexplained)} unexplained")
    sys.exit(bool(unexplained))


if __name__ == "__main__":
    main()
