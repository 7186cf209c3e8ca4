#!/usr/bin/env python3
"""A packet in MessagePack is taken or refused exactly as a plain reading of the format and the
rules says, dates and undefined values included, and what was taken is the same after encoding.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgpack

from fuzzing import plain_socket
from fuzzing.bounds import Budget
from fuzzing.packets import parts, plain_form
from fuzzing.plain import Refused, same
from fuzzing.target import Target
from fuzzing.verdict import outcome, plainly
from sioproto import LocalProtocolError
from sioproto.socketio import MsgpackParser, Packet

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PARSER = MsgpackParser()


def decode(data: bytes) -> Packet | Exception | None:
    decoder = PARSER.decoder(max_attachments=10)
    return outcome(lambda: decoder.feed(data))


def judge(data: bytes) -> None:
    found = decode(data)
    try:
        wanted = plainly(lambda: plain_socket.msgpack_packet(data))
    except plain_socket.TooDeep:
        return
    # Which rule a message breaks first is up to the library that reads it.
    if isinstance(wanted, Refused) or not isinstance(found, Packet):
        assert isinstance(wanted, Refused), f"refused: {found}, but it is {wanted}"
        assert not isinstance(found, Packet), f"taken: {found}, against {wanted}"
        return
    assert same(parts(plain_form(found)), parts(wanted)), f"{found!r}, not {wanted!r}"
    try:
        (message,) = PARSER.encode(found)
    except LocalProtocolError as error:
        # A timestamp is finer than what is written here, and a key may be no text that UTF-8 has.
        raise AssertionError(f"what was taken cannot be sent: {error}") from None
    assert isinstance(message, bytes)
    again = decode(message)
    assert isinstance(again, Packet)
    (message_again,) = PARSER.encode(again)
    assert message_again == message


def _pack(**fields: object) -> bytes:
    packed: bytes = msgpack.packb(fields)
    return packed


def seeds() -> list[bytes]:
    ext = msgpack.ExtType
    event = _pack(type=2, data=["a", 1, None, True, b"\x00\x01", 1.5, {"k": []}], nsp="/", id=0)
    return [
        event,
        event + b"\xc0",
        event[:-1],
        _pack(type=0, nsp="/"),
        _pack(type=0, data={"token": "x"}, nsp="/admin"),
        _pack(type=1, nsp="/"),
        _pack(type=2, data=["d", ext(0, (1_700_000_000_123).to_bytes(8, "big"))], nsp="/"),
        _pack(type=2, data=["u", ext(0, b"\x00")], nsp="/"),
        _pack(type=2, data=["b", ext(0, b"\x00\x01")], nsp="/"),
        _pack(type=2, data=["x", ext(1, b"\x00")], nsp="/"),
        _pack(type=2, nsp="/", data=[])[:-1]
        + b"\x93\xa1b\xc4\x03\xd4\x00\x00\xc7\x08\x00\0\0\0\0\0\0\0\1",
        _pack(type=2, data=["t", msgpack.Timestamp(1, 2)], nsp="/"),
        _pack(type=2, data=["f", struct.unpack(">f", b"\x7f\xc0\0\0")[0]], nsp="/"),
        b"\x83\xa4type\x02\xa4data\x93\xa1u\xc7\x01\x00\x07\xc7\x08\x00\0\0\0\0\0\0\0\1\xa3nsp\xa1/",
        b"\x83\xa4type\x02\xa4data\x92\xa1a\xca\x3f\x80\x00\x00\xa3nsp\xa1/",
        b"\x83\xa4type\x02\xa4data\x92\xa1a\xd9\x02\xd4\x00\xa3nsp\xa1/",
        b"\x83\xa4type\x02\xa4data\xdd\x00\x00\x00\x01\xa1a\xa3nsp\xa1/",
        b"\x83\xa4type\x02\xa4data\x92\xa1a\x81\x01\x02\xa3nsp\xa1/",
        _pack(type=3, data=[], nsp="/", id=2**53 - 1, options={"compress": True}),
        _pack(type=3, data=[], nsp="/", id=2**53),
        _pack(type=4, data={"message": "no"}, nsp="/x"),
        _pack(type=5, data=["a"], nsp="/"),
        _pack(type=True, data={}, nsp="/"),
        _pack(type=2, data=["a"], nsp="/", id=True),
        _pack(type=2, data=["a"], nsp="a"),
        _pack(type=2, data=["connect"], nsp="/"),
        _pack(type=2, data=[True], nsp="/"),
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xffx",
        b"\xdf\x00\xff\xff\xff" + b"\xa1a\xc0" * 3,
    ]


HEAD = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"


def _array(count: int) -> bytes:
    return HEAD + b"\xdd" + (count + 1).to_bytes(4, "big") + b"\xa1a"


WORST = {
    "nested arrays": lambda size: HEAD + b"\x91" * size + b"\xc0",
    "nested maps": lambda size: HEAD + b"\x81\xa0" * (size // 2) + b"\xc0",
    "nested arrays that lie": lambda size: HEAD + (b"\xdd" + size.to_bytes(4, "big")) * (size // 5),
    "undefined values": lambda size: _array(size // 3) + b"\xd4\0\0" * (size // 3),
    "dates": lambda size: _array(size // 10) + b"\xd7\0\0\0\0\0\0\0\0\1" * (size // 10),
    "long extensions": lambda size: (
        _array(size // 11) + b"\xc7\x08\0\0\0\0\0\0\0\0\1" * (size // 11)
    ),
    "undefined behind text": lambda size: (
        _array(size // 2) + b"\xa1\xd4" * (size // 2 - 1) + b"\xd4\0\0"
    ),
    "one text": lambda size: HEAD + b"\x92\xa1a\xdb" + size.to_bytes(4, "big") + b"x" * size,
    "overlong": lambda size: (
        HEAD + b"\x92\xa1a\xdb" + (2 * size).to_bytes(4, "big") + b"\xc0\x80" * size
    ),
    "one binary": lambda size: HEAD + b"\x92\xa1a\xc6" + size.to_bytes(4, "big") + b"x" * size,
    "empty maps": lambda size: _array(size) + b"\x80" * size,
    "one key": lambda size: (
        HEAD + b"\x92\xa1a\xdf" + (size // 3).to_bytes(4, "big") + b"\xa1k\xc0" * (size // 3)
    ),
    "a size that lies": lambda size: HEAD + b"\xdd\x7f\xff\xff\xff" + b"\xc0" * size,
}


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    from sioproto.testing import strategies

    leaves = st.one_of(
        strategies.json_values(),
        st.binary(max_size=4),
        st.builds(
            msgpack.ExtType,
            st.sampled_from((0, 0, 0, 1, 127)),
            st.sampled_from((b"\0", b"\0" * 8, b"", b"ab", b"x" * 16)),
        ),
        st.integers(-(2**63), 2**64 - 1),
    )
    values = st.lists(leaves, max_size=4) | st.dictionaries(st.text(max_size=3), leaves, max_size=2)
    fields = st.fixed_dictionaries(
        {"type": st.integers(0, 5) | st.booleans(), "nsp": strategies.namespaces()},
        optional={
            "data": values
            | st.lists(leaves, max_size=3).map(lambda rest: ["a", *rest])
            | st.sampled_from((["connect"], [True], "x", None)),
            "id": st.none() | st.integers(-1, 2**53) | st.booleans(),
            "options": leaves,
        },
    )

    def changed(data: bytes, at: int, cut: int, put: bytes) -> bytes:
        at %= len(data) + 1
        return data[:at] + put + data[at + cut :]

    packed = fields.map(lambda fields: _pack(**fields)) | st.sampled_from(seeds())
    near = st.builds(changed, packed, st.integers(0, 80), st.integers(0, 2), st.binary(max_size=2))
    return packed | near


TARGET = Target(
    file=__file__,
    decode=decode,
    judge=judge,
    budget=Budget(operations=20, memory=100, first_memory=12_000_000),
    seeds=seeds,
    worst=WORST,
    examples=examples,
)

if __name__ == "__main__":
    TARGET.main()
