"""Frames of WebTransport."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import DecodeError, LimitError, LocalProtocolError, RemoteProtocolError
from sioproto.engineio import FrameDecoder, encode_frame

contents = st.text(min_size=1, max_size=300) | st.binary(min_size=1, max_size=300)


def frames_of(decoder: FrameDecoder, *pieces: bytes) -> list[str | bytes]:
    found = []
    for piece in pieces:
        decoder.receive(piece)
        while (frame := decoder.next_frame()) is not None:
            found.append(frame)
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


@pytest.mark.covers("EIO-WT-01")
@pytest.mark.parametrize(
    ("frame", "head"),
    [
        ("4hello", "06"),
        (b"\x01\x02\x03", "83"),
        ("x" * 125, "7d"),
        ("x" * 126, "7e007e"),
        (b"x" * 12345, "fe3039"),
        (b"x" * 65_535, "feffff"),
        (b"x" * 65_536, "ff0000000000010000"),
        (b"x" * 1_000_000, "ff00000000000f4240"),
        ("4żółć🙂", "0d"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_bytes_on_the_wire(frame: str | bytes, head: str) -> None:
    """EIO-WT-01: the examples of the reference."""
    payload = frame.encode() if isinstance(frame, str) else frame
    assert encode_frame(frame) == bytes.fromhex(head) + payload
    assert frames_of(FrameDecoder(1_000_000), bytes.fromhex(head) + payload) == [frame]


@pytest.mark.covers("EIO-WT-02")
@given(st.lists(contents, max_size=6), st.lists(st.integers(0, 5_000), max_size=12))
def test_where_the_stream_is_cut_does_not_matter(
    frames: list[str | bytes], places: list[int]
) -> None:
    """EIO-WT-02."""
    stream = b"".join(map(encode_frame, frames))
    pieces = cut(stream, places)
    assert b"".join(pieces) == stream
    assert frames_of(FrameDecoder(2_000), *pieces) == frames


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_any_stream_decodes_or_is_refused_wherever_it_is_cut(
    stream: bytes, places: list[int]
) -> None:
    def outcome(*pieces: bytes) -> tuple[list[str | bytes], str | None]:
        decoder = FrameDecoder(20)
        found = []
        for piece in pieces:
            decoder.receive(piece)
            try:
                while (frame := decoder.next_frame()) is not None:
                    found.append(frame)
            except RemoteProtocolError as error:
                return found, error.rule
        return found, None

    assert outcome(*cut(stream, places)) == outcome(stream)


@pytest.mark.covers("EIO-WT-02")
@pytest.mark.parametrize("wire", ["7e0006", "7f0000000000000006"])
def test_lengths_need_not_be_short(wire: str) -> None:
    """EIO-WT-02."""
    assert frames_of(FrameDecoder(10), bytes.fromhex(wire) + b"4hello") == ["4hello"]


@pytest.mark.covers("EIO-WT-03")
@pytest.mark.parametrize("wire", ["00", "80", "7e0000", "ff0000000000000000"])
def test_empty_frames(wire: str) -> None:
    """EIO-WT-03, in both directions."""
    with pytest.raises(DecodeError, match="EIO-WT-03"):
        frames_of(FrameDecoder(10), bytes.fromhex(wire))
    for frame in ("", b""):
        with pytest.raises(LocalProtocolError):
            encode_frame(frame)


@pytest.mark.covers("EIO-WT-03")
@pytest.mark.parametrize("wire", ["0b", "8b", "7e000b", "7f000000000000000b"])
def test_a_limit_is_seen_in_the_head(wire: str) -> None:
    """EIO-WT-03: before any of the content is there."""
    with pytest.raises(LimitError, match="max_payload"):
        frames_of(FrameDecoder(10), bytes.fromhex(wire))
    good = b"\x0a" + b"x" * 10
    with pytest.raises(LimitError, match="max_payload"):
        frames_of(FrameDecoder(9), good)
    assert frames_of(FrameDecoder(10), good) == ["x" * 10]


@pytest.mark.covers("EIO-WT-03")
@pytest.mark.parametrize("wire", ["7f0020000000000000", "ffffffffffffffffff"])
def test_impossible_lengths(wire: str) -> None:
    """EIO-WT-03, whatever the limit."""
    with pytest.raises(DecodeError, match="EIO-WT-03"):
        frames_of(FrameDecoder(2**60), bytes.fromhex(wire))


def test_frames_before_a_bad_one_are_not_lost() -> None:
    decoder = FrameDecoder(10)
    decoder.receive(encode_frame("4a") + encode_frame(b"b") + b"\x00")
    assert [decoder.next_frame(), decoder.next_frame()] == ["4a", b"b"]
    with pytest.raises(DecodeError):
        decoder.next_frame()


def test_text_that_is_not_utf8() -> None:
    """EIO-PKT-11, also where the stream is cut within a character."""
    assert frames_of(FrameDecoder(10), b"\x034\xff\xfe") == ["4\ufffd\ufffd"]
    euro = "4€".encode()
    assert frames_of(FrameDecoder(10), b"\x04" + euro[:2], euro[2:]) == ["4€"]


def test_a_frame_that_comes_byte_by_byte() -> None:
    """Costs no more than its size: nothing is copied or decoded anew."""
    stream = encode_frame("x" * 300_000)
    decoder = FrameDecoder(300_000)
    assert frames_of(decoder, *(stream[i : i + 1] for i in range(len(stream)))) == ["x" * 300_000]
