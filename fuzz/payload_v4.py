#!/usr/bin/env python3
"""A polling payload of revision 4 yields every packet before the first broken one, as a plain
reading of the rules does, and encoding what was read yields it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzing import plain_engine
from fuzzing.bounds import Budget
from fuzzing.payloads import Taken, judge_payload, messages_of, take
from fuzzing.target import Target
from sioproto.engineio import decode_payload, encode_payload

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def decode(data: bytes) -> Taken:
    return take(decode_payload(data))


def judge(data: bytes) -> None:
    taken = decode(data)
    judge_payload(taken, plain_engine.payload_v4(data))
    packets = [packet for packet in taken.packets if "\x1e" not in str(packet.data)]
    if packets:
        assert take(decode_payload(encode_payload(messages_of(packets)))).packets == packets


def seeds() -> list[bytes]:
    return [
        *(b"4hello", b"4test1\x1e4test2\x1e4test3", b"4hello\x1ebAQIDBA=="),
        *(
            b"",
            b"\x1e4a",
            b"4a\x1e",
            b"4a\x1e\x1e4b",
            b"4a\x1eX\x1e4b",
            b"4a\x1e1\x1e4b",
            b"2\x1e1",
        ),
        *(
            b"4\xffa",
            "4€😀\x1e6".encode(),
            b"4\xed\xa0\x80",
            b"\xef\xbb\xbf4a",
            b"bAQ\x1eb-_8\x1eb!",
        ),
        b'40\x1e42["e"]\x1e451-["b",{"_placeholder":true,"num":0}]\x1ebAQID',
    ]


WORST = {
    "separators": lambda size: b"4" + b"\x1e4" * (size // 2),
    "separators alone": lambda size: b"\x1e" * size,
    "one packet": lambda size: b"4" + b"x" * size,
    "small binaries": lambda size: b"b" + b"\x1eb" * (size // 2),
    "no UTF-8": lambda size: b"4" + b"\xff" * size,
    "overlong": lambda size: b"4" + b"\xc0\x80" * (size // 2),
    "surrogates": lambda size: b"4" + b"\xed\xa0\x80" * (size // 3),
}


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    from sioproto.testing import strategies

    return strategies.payloads() | strategies.broken_payloads() | st.binary(max_size=20)


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
