"""WebSocket frames as such: any fragmentation gives the same messages, any bytes a verdict."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import Opcode

from sioproto.engineio import WsFrame
from sioproto.trio._frames import FrameReader, Received, Violation, frame_bytes
from tests.trio.support import frame

LIMIT = 300

messages = st.one_of(
    st.text(max_size=100).map(lambda text: (0x01, text.encode())),
    st.binary(max_size=300).map(lambda data: (0x02, data)),
)


def read(pieces: list[bytes], *, fast: bool = True) -> tuple[list[Received], int | None]:
    """What comes out, and the close code of a violation."""
    reader = FrameReader(LIMIT, max_fragments=20, fast=fast)
    received: list[Received] = []
    try:
        for piece in pieces:
            received.extend(reader.feed(piece))
    except Violation as violation:
        return received, violation.code
    return received, None


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes into pieces."""
    cuts = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(cuts)]


places = st.lists(st.integers(0, 10_000), max_size=10)


@given(st.lists(st.tuples(messages, places), max_size=5), places)
def test_messages_survive_any_fragmentation(
    program: list[tuple[tuple[int, bytes], list[int]]], reads: list[int]
) -> None:
    stream = b""
    expected: list[Received] = []
    for (opcode, payload), fragments in program:
        pieces = cut(payload, fragments) or [b""]
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1
            stream += frame((opcode if not index else 0) | 0x80 * last, piece)
            stream += b"" if last else frame(0x89, b"between")
            if not last:
                expected.append((Opcode.PING, b"between"))
        expected.append((Opcode(opcode), payload.decode() if opcode == 1 else payload))
    assert read(cut(stream, reads)) == (expected, None)
    assert read(cut(stream, reads), fast=False) == (expected, None)


# Below the limit in total: which rule a message breaks first depends on how much of it is seen.
garbage = st.lists(
    st.one_of(
        st.binary(max_size=10),
        st.builds(frame, st.integers(0, 255), st.binary(max_size=60), masked=st.booleans()),
        st.builds(frame, st.sampled_from([0x00, 0x01, 0x80, 0x81, 0x88]), st.binary(max_size=60)),
        st.builds(frame, st.sampled_from([0x81, 0x88]), st.just(b"")),
        st.builds(
            frame,
            st.just(0x88),
            st.sampled_from([b"\x03\xe8", b"\x03\xe9", b"\x03\xed", b"\x03\xe8bye"]),
        ),
    ),
    max_size=4,
).map(b"".join)


@given(garbage, places)
def test_any_bytes_get_the_same_verdict_however_they_arrive(data: bytes, reads: list[int]) -> None:
    whole = read([data])
    assert read(cut(data, reads)) == whole
    assert read([data[index : index + 1] for index in range(len(data))]) == whole
    assert read([data], fast=False) == whole
    assert read(cut(data, reads), fast=False) == whole
    assert whole[1] in {None, 1002, 1007, 1008, 1009}


@given(st.binary(min_size=1, max_size=600), places)
def test_whatever_is_read_keeps_to_the_limit(data: bytes, fragments: list[int]) -> None:
    pieces = cut(data, fragments)
    stream = b"".join(
        frame((0x02 if not index else 0) | 0x80 * (index == len(pieces) - 1), piece)
        for index, piece in enumerate(pieces)
    )
    received, code = read([stream])
    assert (code == 1009) == (len(data) > LIMIT)
    assert received == ([] if code else [(Opcode.BINARY, data)])


def test_a_frame_is_built_once() -> None:
    message = WsFrame("€")
    assert frame_bytes(message) == b"\x81\x03" + "€".encode()
    assert frame_bytes(message) is frame_bytes(message)
    assert frame_bytes(WsFrame(b"x" * 126))[:4] == b"\x82\x7e\x00\x7e"
    assert frame_bytes(WsFrame(b"x" * 65_536))[:10] == b"\x82\x7f\0\0\0\0\0\x01\0\0"
