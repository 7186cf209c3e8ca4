#!/usr/bin/env python3
"""An Engine.IO packet of either revision, text or binary, is taken or refused exactly as a plain
reading of the rules says, and what was taken is the same after encoding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzing import plain_engine
from fuzzing.bounds import Budget
from fuzzing.plain import bytes_of, text_of
from fuzzing.target import Target
from fuzzing.verdict import agree, outcome, plainly
from sioproto.engineio._message import Message
from sioproto.engineio._packet import (
    Packet,
    PacketType,
    decode_packet,
    decode_packet_v3,
    encode_packet,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def _frame(data: bytes) -> tuple[int, str | bytes]:
    kind = data[0] if data else 0
    content = data[1:]
    return (3 if kind & 2 else 4), (content if kind & 1 else text_of(content))


def decode(data: bytes) -> Packet | Exception | None:
    revision, frame = _frame(data)
    return outcome(lambda: (decode_packet if revision == 4 else decode_packet_v3)(frame))


def judge(data: bytes) -> None:
    revision, frame = _frame(data)
    packet = decode(data)
    plain = plain_engine.packet_v4 if revision == 4 else plain_engine.packet_v3
    found = (int(packet.type), packet.data) if isinstance(packet, Packet) else packet
    if not agree(found, plainly(lambda: plain(frame))) or not isinstance(packet, Packet):
        return
    if revision == 4:
        assert decode_packet(encode_packet(packet)) == packet
    if isinstance(packet.data, bytes):
        if packet.type is not PacketType.MESSAGE:
            return  # revision 3 has binary in other packets too, but nobody sends it
        message = Message(packet.data)
    else:
        message = Message(f"{int(packet.type)}{packet.data}")
    if revision == 4:
        assert decode_packet(message.text) == packet
        assert decode_packet(message.frame.payload) == packet
    else:
        assert decode_packet_v3(message.text_v3) == packet
        assert decode_packet_v3(message.frame_v3.payload) == packet


TEXTS = (
    *("0", "1", "2", "2probe", "3", "3probe", "4", "4hello", "5", "6", "4€😀", "4a\x1eb", "4\x00"),
    *("", "7", "abc", " 4", "٤a", "\ufeff4a", "-1", "4\ud800", "\ud834"),
    *(
        "b",
        "bAQIDBA==",
        "bAQ",
        "bAQ=",
        "bAQI",
        "bAQI=",
        "b-_8",
        "b+/8=",
        "bA",
        "b!!!",
        "b=",
        "b====",
    ),
    *("b4AQIDBA==", "b4", "b2AQID", "b9AQID", "b4AQ=A", "bAAAA=", "bAAé=", "b AAA", "bAAAA\n"),
)
BINARIES = (
    b"",
    b"\x01\x02\x03\x04",
    b"\x04\x01\x02",
    b"4a",
    b"\x09\x01",
    b"\x02",
    b"\x04",
    b"\x00",
)


def seeds() -> list[bytes]:
    return [
        *(bytes([kind]) + bytes_of(text) for text in TEXTS for kind in (0, 2)),
        *(bytes([kind]) + binary for binary in BINARIES for kind in (1, 3)),
    ]


WORST = {
    "long text": lambda size: b"\x004" + b"x" * size,
    "long base64": lambda size: b"\x00b" + b"A" * size,
    "padding": lambda size: b"\x00b" + b"=" * size,
    "url-safe": lambda size: b"\x02b4" + b"-_" * (size // 2),
    "surrogates": lambda size: b"\x00b" + b"\xed\xa0\x80" * (size // 3),
    "overlong": lambda size: b"\x004" + b"\xc0\x80" * (size // 2),
    "binary": lambda size: b"\x03\x04" + b"\xff" * size,
}


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    from sioproto.testing import strategies

    def encoded(frame: str | bytes, revision: int) -> bytes:
        if isinstance(frame, str):
            return bytes([2 * (revision == 3)]) + bytes_of(frame)
        return bytes([1 + 2 * (revision == 3)]) + frame

    base64 = st.text("AQIDb4-_+/=! é", max_size=9).map(lambda text: "b" + text)
    frames = strategies.engine_frames() | strategies.broken_engine_frames() | base64
    return st.builds(encoded, frames | st.text(max_size=8), st.sampled_from((3, 4)))


TARGET = Target(
    file=__file__,
    decode=decode,
    judge=judge,
    budget=Budget(operations=0.5, memory=12),
    seeds=seeds,
    worst=WORST,
    examples=examples,
)

if __name__ == "__main__":
    TARGET.main()
