"""Payloads of Engine.IO 3 against the official parser of that time, in both directions."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sioproto import DecodeError
from sioproto.engineio import Message, Packet, PacketType
from sioproto.engineio._dialect import BINARY_TYPE, REVISION_3, TEXT_TYPE

FOLDER = Path(__file__).parent / "node-v3"
PAYLOADS = 10_000
TIMEOUT = 120

ALPHABETS = [
    "abc 0123456789:b",
    "äöüßéñ\x00\x1e\x7f\u2028\ufeff\ufffd",
    "€漢字עברית",
    "😀𝒳𐍈\U0010ffff",
]
SIZES = [0, 1, 2, 8, 9, 10, 98, 99, 100, 300]


def generated_packets(random: random.Random) -> list[Packet]:
    """The packets of one payload, with text of all planes and binary."""
    packets = []
    for _ in range(random.choice([0, 1, 1, 2, 3, 8])):
        size = random.choice(SIZES)
        if random.random() < 0.4:
            packets.append(Packet(PacketType.MESSAGE, random.randbytes(size)))
        else:
            alphabet = "".join(random.sample(ALPHABETS, random.randint(1, len(ALPHABETS))))
            kind = random.choice([PacketType.MESSAGE] * 3 + list(PacketType))
            packets.append(Packet(kind, "".join(random.choices(alphabet, k=size))))
    return packets


def encoded(packets: list[Packet], *, base64: bool) -> tuple[str, bytes]:
    """What a session would answer a poll with."""
    messages = [
        Message(packet.data if isinstance(packet.data, bytes) else f"{packet.type:d}{packet.data}")
        for packet in packets
    ]
    return REVISION_3.encode_payload(messages, base64)


# The JSON of ``payloads.cjs``


def payload_to_json(content_type: str, body: bytes) -> dict[str, str]:
    if content_type == BINARY_TYPE:
        return {"binary": b64encode(body).decode()}
    return {"text": body.decode()}


def payload_from_json(value: dict[str, str]) -> tuple[str, bytes]:
    if "binary" in value:
        return BINARY_TYPE, b64decode(value["binary"])
    return TEXT_TYPE, value["text"].encode()


def packet_to_json(packet: Packet) -> list[Any]:
    data = packet.data
    if isinstance(data, bytes):
        return [int(packet.type), {"binary": b64encode(data).decode()}]
    return [int(packet.type), data]


def ask_official_parser(questions: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules").is_dir():
        pytest.fail(f"This needs Node.js and its packages: run `npm ci` in {FOLDER}.")
    result = subprocess.run(
        [node, str(FOLDER / "payloads.cjs")],
        input="".join(json.dumps(question) + "\n" for question in questions),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=TIMEOUT,
        check=True,
    )
    # Not splitlines: JSON leaves U+2028 as it is.
    return (json.loads(line) for line in result.stdout.split("\n")[:-1])


def test_both_parsers_agree() -> None:
    """EIO-P3-01, EIO-P3-02, EIO-P3-03, EIO-P3-07, EIO-P3-09, EIO-P3-10."""
    source = random.Random(3)
    payloads = [generated_packets(source) for _ in range(PAYLOADS)]
    ours = [[encoded(packets, base64=flag) for flag in (True, False)] for packets in payloads]
    answers = ask_official_parser(
        [
            {
                "packets": [packet_to_json(packet) for packet in packets],
                "bodies": [payload_to_json(*body) for body in bodies],
            }
            for packets, bodies in zip(payloads, ours, strict=True)
        ]
    )
    kinds = {TEXT_TYPE: 0, BINARY_TYPE: 0}
    for packets, bodies, answer in zip(payloads, ours, answers, strict=True):
        theirs = [payload_from_json(answer["text"]), payload_from_json(answer["any"])]
        assert bodies == theirs, "the same bytes, under the same label"
        expected = [packet_to_json(packet) for packet in packets]
        assert answer["decoded"] == [expected, expected], "they read what we write"
        for content_type, body in theirs:
            decoded = list(REVISION_3.decode_payload(body, content_type))
            assert decoded == packets, "we read what they write"
            kinds[content_type] += 1
    assert kinds[TEXT_TYPE] > PAYLOADS
    assert kinds[BINARY_TYPE] > PAYLOADS // 4


def test_nothing_is_read_that_the_official_parser_refuses() -> None:
    """EIO-P3-05: payloads cut short, or with something put in. It reads what we do, or more: for
    JavaScript, "04", " 4" and "4e0" are lengths too (EIO-P3-06)."""
    source = random.Random(4)
    bodies = []
    for _ in range(PAYLOADS // 10):
        text = encoded(generated_packets(source), base64=True)[1].decode()
        cut = source.randrange(len(text) + 1)
        bodies.append(text[:cut])
        bodies.append(text[:cut] + source.choice(["", "0:", "9:", "😀", "4:", "x"]) + text[cut:])
    question = {"packets": [], "bodies": [{"text": body} for body in bodies]}
    (answer,) = ask_official_parser([question])
    read = refused = 0
    for body, theirs in zip(bodies, answer["decoded"], strict=True):
        try:
            packets = list(REVISION_3.decode_payload(body.encode(), TEXT_TYPE))
        except DecodeError:
            refused += 1
            continue
        read += 1
        assert [packet_to_json(packet) for packet in packets] == theirs
    assert refused > len(bodies) // 2
    assert read > len(bodies) // 10
