#!/usr/bin/env python3
"""A polling payload of revision 3, text counted in UTF-16 code units or binary counted in bytes,
yields every packet before the first broken one, as a plain reading of the rules does, and encoding
what was read yields it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzing import plain_engine
from fuzzing.bounds import Budget
from fuzzing.payloads import Taken, judge_payload, messages_of, take
from fuzzing.target import Target
from sioproto.engineio import PacketType
from sioproto.engineio._payload_v3 import (
    decode_binary_payload_v3,
    decode_payload_v3,
    encode_binary_payload_v3,
    encode_payload_v3,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def decode(data: bytes) -> Taken:
    """The first byte tells text from binary."""
    if data[:1] == b"\x01":
        return take(decode_binary_payload_v3(data[1:]))
    return take(decode_payload_v3(data[1:]))


def judge(data: bytes) -> None:
    taken = decode(data)
    if data[:1] == b"\x01":
        judge_payload(taken, plain_engine.binary_payload_v3(data[1:]))
    else:
        judge_payload(taken, plain_engine.payload_v3(data[1:]))
    packets = [
        packet
        for packet in taken.packets
        if packet.type is PacketType.MESSAGE or isinstance(packet.data, str)
    ]
    messages = messages_of(packets)
    assert take(decode_payload_v3(encode_payload_v3(messages))).packets == packets
    assert take(decode_binary_payload_v3(encode_binary_payload_v3(messages))).packets == packets


def seeds() -> list[bytes]:
    texts = (
        *("6:4hello6:4world", "2:4€", "3:4😀", "2:4😀", "4:4€", "5:4😀", "10:b4AQIDBA==", "0:"),
        *(
            "",
            "abc",
            ":4a",
            "5:4abc",
            "1:22",
            "1:2,1",
            "02:4a",
            "1e0:2",
            "-1:2",
            "2:b9",
            "6:b2AQID",
        ),
        *(
            "3:4€a6:b4AQID",
            "2:4a1:12:4b",
            "٣:4aa",
            "00000000002:4a",
            "1:🤖",
            "2:4🤖1:6",
            "9999999999:4",
        ),
    )
    binaries = (
        *("00 06 ff 34 68 65 6c 6c 6f 01 05 ff 04 01 02 03 04", "00 04 ff 34 e2 82 ac"),
        *(
            "00 05 ff 34 e2 82 ac 61 01 04 ff 04 01 02 03",
            "02 02 ff 04 01",
            "00 01 02 03 04 05",
            "",
        ),
        *("00 02 ff 34 ff", "00 03 ff 34 c0 80", "00 04 ff 34 ed a0 80", "00 09 ff 34 68"),
        *("01 02 ff 09 01", "00 03 ff 62 34 41", "01 00 ff", "00 00 ff", "00 05 ff 34 f0 9f 98 80"),
        "00 00 02 ff 34 61",
    )
    return [
        *(b"\x00" + text.encode() for text in texts),
        *(b"\x01" + bytes.fromhex(binary) for binary in binaries),
    ]


WORST = {
    "empty packets": lambda size: b"\x000:" * 1 + b"0:" * (size // 2),
    "small packets": lambda size: b"\x00" + b"1:6" * (size // 3),
    "ignored packets": lambda size: b"\x00" + b"1:b" * (size // 3),
    "one packet": lambda size: b"\x00%d:4" % (size + 1) + b"x" * size,
    "characters of two units": lambda size: b"\x00" + "3:4😀".encode() * (size // 7),
    "one packet of such": lambda size: b"\x00%d:4" % (1 + size // 2) + "😀".encode() * (size // 4),
    "split characters": lambda size: b"\x00" + "2:4😀".encode() * (size // 7),
    "a long length": lambda size: b"\x00" + b"9" * size,
    "zeros": lambda size: b"\x00" + b"0" * size + b":",
    "lengths that lie": lambda size: b"\x00" + b"2:4a" * (size // 4) + b"9:4",
    "no UTF-8": lambda size: b"\x00" + b"\xff" * size,
    "small binary packets": lambda size: b"\x01" + b"\x01\x01\xff\x04" * (size // 4),
    "empty binary packets": lambda size: b"\x01" + b"\x01\x00\xff" * (size // 3),
    "encoded surrogates": lambda size: (
        b"\x01\x00"
        + bytes(map(int, str(1 + 3 * (size // 3))))
        + b"\xff4"
        + b"\xed\xa0\x80" * (size // 3)
    ),
    "digits": lambda size: b"\x01\x00" + b"\x09" * size,
}


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    from sioproto.testing import strategies

    texts = strategies.engine_frames().filter(lambda frame: isinstance(frame, str))
    texts |= st.sampled_from(("b4AQID", "b4", "b9", "b2AQ==", "", "7", "4😀", "4€"))
    off_by = st.sampled_from((0, 0, 0, 0, 1, -1))

    def element(text: str, off: int) -> bytes:
        return f"{max(0, len(text.encode('utf-16-le')) // 2 + off)}:{text}".encode()

    def binary_element(kind: int, data: bytes, off: int) -> bytes:
        digits = bytes(map(int, str(max(0, len(data) + off))))
        return bytes([kind]) + digits + b"\xff" + data

    text = st.lists(st.builds(element, texts, off_by), max_size=4)
    contents = st.binary(max_size=6) | texts.map(lambda text: str(text).encode())
    binary = st.lists(
        st.builds(binary_element, st.sampled_from((0, 1, 1, 2)), contents, off_by), max_size=4
    )
    return (
        text.map(lambda parts: b"\x00" + b"".join(parts))
        | binary.map(lambda parts: b"\x01" + b"".join(parts))
        | st.binary(max_size=12)
    )


TARGET = Target(
    file=__file__,
    decode=decode,
    judge=judge,
    budget=Budget(operations=15, memory=80),
    seeds=seeds,
    worst=WORST,
    examples=examples,
)

if __name__ == "__main__":
    TARGET.main()
