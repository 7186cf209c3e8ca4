#!/usr/bin/env python3
"""A connection's decoder, fed any sequence of text and binary, says after each message what a plain
reading of the rules says, holds no more than the attachments announced, and is empty after an
error.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from fuzzing import plain_socket
from fuzzing.bounds import Budget
from fuzzing.packets import EXAMPLES, WORST_TEXTS, parts, plain_form
from fuzzing.plain import bytes_of, depth_of, has_surrogates, text_of
from fuzzing.target import Target
from fuzzing.verdict import agree, outcome, plainly
from sioproto import LocalProtocolError
from sioproto.socketio import Decoder, Packet, StrictJson, TextParser

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

JSON = StrictJson()
PARSER = TextParser(JSON)
BINARY = b"\x01"


def _messages(data: bytes) -> tuple[int, list[str | bytes]]:
    """The first byte is the limit; messages stand between bytes 0xff, binary behind a byte 1."""
    limit = data[0] % 16 + 1 if data else 1
    return limit, [
        part[1:] if part[:1] == BINARY else text_of(part) for part in data[1:].split(b"\xff")
    ]


def script(limit: int, messages: list[str | bytes]) -> bytes:
    """The input that stands for these messages."""
    told = [bytes_of(m) if isinstance(m, str) else BINARY + m for m in messages]
    return bytes([limit - 1]) + b"\xff".join(told)


def decode(data: bytes) -> None:
    limit, messages = _messages(data)
    decoder = Decoder(JSON, max_attachments=limit)
    for message in messages:
        outcome(partial(decoder.feed, message))


def judge(data: bytes) -> None:
    limit, messages = _messages(data)
    decoder = PARSER.decoder(max_attachments=limit)
    plain = plain_socket.Stream(limit)
    deep = odd = False
    for message in messages:
        found = outcome(partial(decoder.feed, message))
        wanted = plainly(partial(plain.feed, message))
        if isinstance(message, str):
            depth = depth_of(message)
            deep = deep or depth >= 300
            odd = odd or has_surrogates(message)
        taken = agree(parts(plain_form(found)), parts(wanted), depth=300 * deep)
        if not taken and isinstance(found, Exception) and decoder.missing != plain.missing:
            assert deep, "the rest of a packet that was given up"
            return
        assert decoder.missing == plain.missing
        assert len(decoder._attachments) + decoder.missing <= limit
        if isinstance(found, Exception):
            assert (decoder.missing, decoder._attachments) == (0, []), "something is kept"
        if isinstance(found, Packet) and not deep and not odd:
            _round_trip(found)


def _round_trip(packet: Packet) -> None:
    try:
        messages = PARSER.encode(packet)
    except LocalProtocolError:
        raise AssertionError("what was taken cannot be sent") from None
    again = PARSER.decoder(max_attachments=len(messages))
    results = [again.feed(message) for message in messages]
    assert results[:-1] == [None] * (len(messages) - 1)
    if _has_placeholder(packet.data):
        return  # what looks like a placeholder is not escaped (SIO-BIN-08)
    agree(parts(plain_form(results[-1])), parts(plain_form(packet)))


def _has_placeholder(value: object) -> bool:
    return "_placeholder" in repr(value)


HOLE = '{"_placeholder":true,"num":%s}'


def seeds() -> list[bytes]:
    def hole(number: object) -> str:
        return HOLE % number

    sequences: list[list[str | bytes]] = [
        [f'51-["b",{hole(0)}]', b"\x01\x02\x03"],
        [f'52-["b",{hole(1)},{hole(1)}]', b"one", b"two"],
        [f'62-/n,3[{hole(0)},{{"a":{hole(1)}}}]', b"", b"x", '2["next"]'],
        [f'51-["b",{hole(0)}]', '2["a"]', b"x"],
        [b"x", '2["a"]'],
        [f'51-["b",{hole(5)}]', b"x"],
        [f'51-["b",{hole(-1)}]', b"x"],
        [f'51-["b",{hole("true")}]', b"x"],
        [f'52-["b",{hole("true")}]', b"x", b"y"],
        [f'51-["b",{hole("0.0")}]', b"x"],
        [f'51-["b",{hole("-0")}]', b"x"],
        [f'51-["b",{hole("null")}]', b"x"],
        ['51-["b",{"_placeholder":1,"num":0}]', b"x"],
        ['51-["b",{"_placeholder":true}]', b"x"],
        ['51-["b",{"num":0,"_placeholder":true,"more":[]}]', b"x"],
        [f'2["b",{hole(0)}]'],
        ['51-["b"]', b"x", "1", "0/n,"],
        ['53-["b"]', b"1", b"2"],
        ["50-[]", '2["a"]', "511-[]", "517-[]"],
    ]
    return [
        *(script(10, messages) for messages in sequences),
        *(script(3, [text]) for text in EXAMPLES),
    ]


def _alone(make: Callable[[int], bytes], size: int) -> bytes:
    return b"\x09" + make(size)


WORST: dict[str, Callable[[int], bytes]] = {
    **{what: partial(_alone, make) for what, make in WORST_TEXTS.items()},
    "placeholders": lambda size: script(
        10, ['51-["a"' + ("," + HOLE % 0) * (size // 31) + "]", b"x"]
    ),
    "placeholders deep inside": lambda size: script(
        10, ['51-["a",' + "[" * 400 + ",".join([HOLE % 0] * (size // 31)) + "]" * 401, b"x"]
    ),
    "too deep to be filled in": lambda size: script(
        10, ['51-["a",' + "[" * (size // 2) + "]" * (size // 2) + "]", b"x"]
    ),
    "objects to be copied": lambda size: script(10, ['51-["a"' + ",{}" * (size // 3) + "]", b"x"]),
    "one attachment over and over": lambda size: script(10, ['51-["a"]', b"x" * (size // 2)] * 2),
    "attachments nobody wants": lambda size: script(10, [b"x"] * (size // 3)),
    "packets begun and broken off": lambda size: script(10, ['51-["a"]', '2["a"]'] * (size // 16)),
    "small packets": lambda size: script(10, ["2[0]"] * (size // 5)),
    "connects": lambda size: script(10, ["0"] * (size // 2)),
    "binary packets": lambda size: script(16, ["516-[0]", *[b""] * 16] * (size // 40)),
}


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    from sioproto.testing import strategies

    numbers = st.sampled_from(("0", "1", "2", "-1", "true", "0.0", '"0"', "null", "1e0"))
    marks = st.sampled_from(("true", "true", "true", "1", "false"))
    holes = st.builds('{{"_placeholder":{},"num":{}}}'.format, marks, numbers)
    values = st.recursive(holes, lambda inner: st.builds('[{},{{"k":{}}}]'.format, inner, inner))
    announced = st.builds(
        '{}{}-{}["e",{}]'.format,
        st.sampled_from("56"),
        st.sampled_from(("1", "1", "2", "3", "0", "01", "11")),
        st.sampled_from(("", "", "/n,", "7")),
        values,
    )
    one: SearchStrategy[list[str | bytes]] = st.one_of(
        strategies.socket_packets(),
        strategies.broken_socket_packets().map(lambda text: [text]),
        st.builds(
            lambda text, more: [text, *more], announced, st.lists(st.binary(max_size=3), max_size=3)
        ),
        st.binary(max_size=3).map(lambda data: [data]),
    )
    binary = st.lists(one, min_size=1, max_size=4).map(
        lambda lists: [message for messages in lists for message in messages]
    )
    return st.builds(script, st.sampled_from((10, 1, 3, 16)), binary)


TARGET = Target(
    file=__file__,
    decode=decode,
    judge=judge,
    budget=Budget(operations=20, memory=250),
    seeds=seeds,
    worst=WORST,
    examples=examples,
)

if __name__ == "__main__":
    TARGET.main()
