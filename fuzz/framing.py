#!/usr/bin/env python3
"""A WebTransport stream yields the same frames whole, byte by byte and in any other pieces, those
that a plain reading of the rules finds, and never holds more than a frame and its head.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, pairwise
from typing import TYPE_CHECKING

from fuzzing import plain_engine
from fuzzing.bounds import Budget
from fuzzing.plain import same
from fuzzing.target import Target
from sioproto import DecodeError, LimitError, RemoteProtocolError
from sioproto.engineio import FrameDecoder, encode_frame

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

LIMITS = (10, 200, 70_000)
HEAD = 9
"""Most bytes in front of a frame's content."""

Outcome = tuple[list[str | bytes], RemoteProtocolError | None]


def _pieces(stream: bytes, sizes: Iterator[int]) -> Iterator[bytes]:
    ends = [0]
    while ends[-1] < len(stream):
        ends.append(ends[-1] + next(sizes))
    return (stream[begin:end] for begin, end in pairwise(ends))


def _decode(stream: bytes, limit: int, sizes: Iterator[int]) -> Outcome:
    decoder = FrameDecoder(limit)
    frames: list[str | bytes] = []
    for piece in _pieces(stream, sizes):
        decoder.receive(piece)
        try:
            while (frame := decoder.next_frame()) is not None:
                frames.append(frame)
        except (DecodeError, LimitError) as error:
            return frames, error
        assert len(decoder._data) <= limit + HEAD, "more is held than a frame"
    return frames, None


def decode(data: bytes) -> Outcome:
    """The first byte chooses the limit, the second the size of the pieces: 0 for the whole."""
    limit = LIMITS[(data[0] if data else 0) % len(LIMITS)]
    size = data[1] if len(data) > 1 else 0
    return _decode(data[2:], limit, cycle([size or max(1, len(data))]))


def judge(data: bytes) -> None:
    limit = LIMITS[(data[0] if data else 0) % len(LIMITS)]
    stream = data[2:]
    found = decode(data)
    frames, refused, waiting = plain_engine.frames(stream, limit)
    assert same(found[0], frames), f"{found[0]!r}, not {frames!r}"
    assert (found[1] is None) == (refused is None), f"{found[1]}, not {refused}"
    if refused is not None:
        error = found[1]
        assert isinstance(error, RemoteProtocolError)
        assert isinstance(error, LimitError) == (refused.limit is not None)
        assert error.rule == refused.rule
    uneven = cycle([1 + byte % 7 for byte in stream] or [1])
    for sizes in (cycle([1]), cycle([max(1, len(stream))]), uneven):
        again = _decode(stream, limit, sizes)
        assert same(again[0], frames), "pieces make a difference"
        assert (again[1] is None) == (refused is None), "pieces make a difference"
    if refused is None:
        decoder = FrameDecoder(limit)
        decoder.receive(stream)
        while decoder.next_frame() is not None:
            pass
        assert len(decoder._data) == waiting
        round_trip = b"".join(map(encode_frame, frames))
        longest = max((len(encode_frame(frame)) for frame in frames), default=1)
        decoded = _decode(round_trip, longest, cycle([max(1, len(round_trip))]))
        assert same(decoded, (frames, None)), "it is another after encoding"


def seeds() -> list[bytes]:
    streams = (
        *("06 34 68 65 6c 6c 6f", "83 01 02 03", "7e 00 06 34 68 65 6c 6c 6f", "80", "00", "0b"),
        *(
            "7f 00 20 00 00 00 00 00 00",
            "01 30",
            "06 32 70 72 6f 62 65",
            "01 35",
            "01 37",
            "02 34 ff",
        ),
        *(
            "7f 00 00 00 00 00 00 00 02 34 61",
            "ff 00 00 00 00 00 0f 42 40",
            "fe 30 39",
            "7e",
            "7f 00",
        ),
        *("01 34 82 04 05 01 36", "7f ff ff ff ff ff ff ff ff", "7e 00 00", "04 34 e2 82 ac"),
    )
    return [
        bytes([limit, size]) + bytes.fromhex(stream)
        for stream in streams
        for limit, size in ((0, 0), (1, 1))
    ]


WORST = {
    "small frames": lambda size: b"\x02\x00" + b"\x014" * (size // 2),
    "small frames, byte by byte": lambda size: b"\x02\x01" + b"\x014" * (size // 2),
    "one frame, byte by byte": lambda size: (
        b"\x02\x01\x7f" + min(size, 70_000).to_bytes(8, "big") + b"4" * size
    ),
    "long heads": lambda size: b"\x02\x00" + b"\x7f\0\0\0\0\0\0\0\x014" * (size // 10),
    "never whole": lambda size: (
        b"\x02\x01\x7f" + (69_999).to_bytes(8, "big") + b"4" * (size % 69_990)
    ),
    "no UTF-8": lambda size: b"\x02\x00" + b"\x03\xff\xff\xff" * (size // 4),
}


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    from sioproto.testing import strategies

    def framed(payload: bytes, flag: int, form: int, off: int) -> bytes:
        length = max(0, len(payload) + off)
        if form == 0 and length < 126:
            return bytes([flag | length]) + payload
        if form == 1:
            return bytes([flag | 126]) + length.to_bytes(2, "big") + payload
        return bytes([flag | 127]) + length.to_bytes(8, "big") + payload

    contents = strategies.engine_frames().map(
        lambda frame: frame.encode() if isinstance(frame, str) else frame
    )
    frames = st.builds(
        framed,
        contents | st.binary(max_size=3),
        st.sampled_from((0, 128)),
        st.sampled_from((0, 0, 0, 1, 2)),
        st.sampled_from((0, 0, 0, 0, 1, -1)),
    )
    return st.builds(
        lambda head, parts: head + b"".join(parts),
        st.binary(min_size=2, max_size=2),
        st.lists(frames, max_size=4) | st.lists(st.binary(max_size=12), max_size=1),
    )


TARGET = Target(
    file=__file__,
    decode=decode,
    judge=judge,
    budget=Budget(operations=35, memory=100),
    seeds=seeds,
    worst=WORST,
    examples=examples,
)

if __name__ == "__main__":
    TARGET.main()
