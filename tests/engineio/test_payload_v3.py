"""The polling payload codecs of revision 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import DecodeError
from sioproto.engineio import Message, Packet, PacketType
from sioproto.engineio._payload_v3 import (
    decode_binary_payload_v3,
    decode_payload_v3,
    encode_binary_payload_v3,
    encode_payload_v3,
)

Decode = Callable[[bytes], Iterator[Packet]]

text = st.text(st.one_of(st.characters(codec="utf-8"), st.characters(min_codepoint=0x10000)))
contents = st.lists(st.one_of(text, st.binary()), min_size=1)


def messages(items: list[str | bytes]) -> list[Message]:
    return [Message("4" + item if isinstance(item, str) else item) for item in items]


def data_of(packets: Iterator[Packet]) -> tuple[list[str | bytes], DecodeError | None]:
    """What can be read, and what ends it."""
    good: list[str | bytes] = []
    try:
        for packet in packets:
            assert packet.type is PacketType.MESSAGE
            good.append(packet.data)
    except DecodeError as error:
        return good, error
    return good, None


@given(contents)
def test_round_trip_of_text(items: list[str | bytes]) -> None:
    body = encode_payload_v3(messages(items))
    body.decode()
    assert data_of(decode_payload_v3(body)) == (items, None)


@given(contents)
def test_round_trip_of_bytes(items: list[str | bytes]) -> None:
    body = encode_binary_payload_v3(messages(items))
    assert data_of(decode_binary_payload_v3(body)) == (items, None)


@pytest.mark.parametrize(
    ("items", "body"),
    [
        (["hello", "world"], "6:4hello6:4world"),  # EIO-P3-01
        (["€"], "2:4€"),  # EIO-P3-02: not bytes
        (["😀"], "3:4😀"),  # and not code points
        ([b"\1\2\3\4"], "10:b4AQIDBA=="),  # EIO-P3-03
        (["a", b"", ""], "2:4a2:b41:4"),
        ([], "0:"),  # EIO-P3-04
    ],
)
def test_bytes_of_a_payload_of_text(items: list[str | bytes], body: str) -> None:
    assert encode_payload_v3(messages(items)) == body.encode()
    assert data_of(decode_payload_v3(body.encode())) == (items, None)


@pytest.mark.parametrize(
    ("items", "body"),
    [
        (["hello", b"\1\2\3\4"], "0006ff3468656c6c6f 0105ff0401020304"),  # EIO-P3-07, EIO-P3-08
        (["€a", b"\1\2\3"], "0005ff34e282ac61 0104ff04010203"),  # EIO-P3-09
        (["😀"], "0005ff34f09f9880"),
        ([b"x" * 99], "01010000ff04" + "78" * 99),
        ([], ""),
    ],
)
def test_bytes_of_a_payload_of_bytes(items: list[str | bytes], body: str) -> None:
    assert encode_binary_payload_v3(messages(items)) == bytes.fromhex(body)
    assert data_of(decode_binary_payload_v3(bytes.fromhex(body))) == (items, None)


@pytest.mark.covers("EIO-P3-05", "EIO-P3-06")
@pytest.mark.parametrize(
    ("body", "good"),
    [
        ("", []),
        ("abc", []),
        (":4a", []),
        ("5:4abc", []),
        ("-2:4a", []),
        ("2.0:4a", []),
        (" 2:4a", []),
        ("+2:4a", []),
        ("2e0:4a", []),
        ("0x2:4a", []),
        ("1_0:4aaaaaaaaa", []),
        ("٢:4a", []),
        ("2", []),
        ("2:4a1:4,1", ["a", ""]),
        ("2:4a1:42", ["a", ""]),
        ("2:4a3", ["a"]),
        ("2:4a9:4b", ["a"]),
        ("2:4a1:7", ["a"]),
        ("2:4a4:b4!!", ["a"]),
        ("2:4😀", []),  # ends inside the character
        ("4:4€", []),
        ("5:4😀", []),
        ("3:4😀2:4😀", ["😀"]),
        ("9" * 11 + ":4a", []),
    ],
)
def test_payload_of_text_that_is_none(body: str, good: list[str]) -> None:
    """EIO-P3-05, EIO-P3-06: what stands before the error is not lost."""
    found, error = data_of(decode_payload_v3(body.encode()))
    assert found == good
    assert error is not None


@pytest.mark.covers("EIO-P3-12")
@pytest.mark.parametrize(
    ("body", "good"),
    [
        ("0002ff34", []),  # a length beyond the end
        ("0002ff3461 0009ff3468", ["a"]),
        ("000102030405", []),
        ("00ff3461", []),
        ("00020aff3461", []),
        ("0202ff0401", []),  # neither text nor binary
        ("36 3a 34 61", []),
        ("00" + "09" * 11 + "ff3461", []),
        ("0002ff34ff", []),  # EIO-P3-13: no UTF-8
        ("0003ff34c080", []),
        ("0002ff3461 0001ff37", ["a"]),
        ("0000ff", []),
        ("00", []),
    ],
)
def test_payload_of_bytes_that_is_none(body: str, good: list[str]) -> None:
    """EIO-P3-12."""
    found, error = data_of(decode_binary_payload_v3(bytes.fromhex(body)))
    assert found == good
    assert error is not None


@pytest.mark.covers("EIO-P3-04", "EIO-P3-06", "EIO-P3-12", "EIO-P3-13")
@pytest.mark.parametrize(
    ("decode", "body", "items"),
    [
        (decode_payload_v3, b"0:", []),
        (decode_payload_v3, b"0:2:4a0:", ["a"]),
        (decode_payload_v3, b"02:4a", ["a"]),
        (decode_payload_v3, b"2:b92:4a1:b", ["a"]),
        (decode_payload_v3, b"3:4\xffa", ["\ufffda"]),
        (decode_binary_payload_v3, bytes.fromhex("0101ff09 0100ff 0002ff3461"), ["a"]),
        (decode_binary_payload_v3, bytes.fromhex("0004ff34eda080"), ["\ufffd"]),
        (decode_binary_payload_v3, b"\x00\x06\xffb4AQID", [b"\1\2\3"]),
    ],
)
def test_what_is_skipped_or_replaced(decode: Decode, body: bytes, items: list[str]) -> None:
    """EIO-P3-04, EIO-P3-06, EIO-P3-12, EIO-P3-13."""
    assert data_of(decode(body)) == (items, None)


@given(st.binary(), st.sampled_from([decode_payload_v3, decode_binary_payload_v3]))
def test_any_bytes_decode_or_are_refused_as_documented(body: bytes, decode: Decode) -> None:
    count = 0
    try:
        for _ in decode(body):
            count += 1
    except DecodeError:
        pass
    assert count <= len(body)


pieces = st.sampled_from(
    ["0:", "1:4", "2:4€", "3:4😀", "4:b4AA", "1:2", "9:", "99999999:", "é", "5"]
)


@given(st.lists(pieces).map("".join))
def test_almost_payloads_decode_or_are_refused_as_documented(body: str) -> None:
    data = body.encode()
    count = 0
    try:
        for _ in decode_payload_v3(data):
            count += 1
    except DecodeError:
        pass
    assert count <= len(body)


class Counted(bytes):
    """Bytes that count how much of them is copied by slicing."""

    copied = 0

    def __getitem__(self, key):  # type: ignore[no-untyped-def]  # both overloads of bytes
        part = super().__getitem__(key)
        if isinstance(part, bytes):
            Counted.copied += len(part)
        return part


def test_binary_decoder_copies_each_byte_once() -> None:
    """A payload of many tiny packets costs what a large packet does."""
    Counted.copied = 0
    body = Counted(b"\x01\x02\xff\x04a" * 10_000)
    assert sum(1 for _ in decode_binary_payload_v3(body)) == 10_000
    assert Counted.copied <= len(body)


@pytest.mark.parametrize(
    ("decode", "body", "count"),
    [
        (decode_payload_v3, "2:4😀"[:2].encode() + b"4a" + b"0:" * 300_000, 1),
        (decode_payload_v3, ("3:4😀" * 100_000).encode(), 100_000),
        (decode_binary_payload_v3, b"\x00\x01\xff4" * 200_000, 200_000),
    ],
)
def test_many_packets_in_one_payload(decode: Decode, body: bytes, count: int) -> None:
    assert sum(1 for _ in decode(body)) == count


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (decode_payload_v3, b"1" * 1_000_000),
        (decode_payload_v3, b"1" * 1_000_000 + b":4"),
        (decode_binary_payload_v3, b"\x00" + b"\x01" * 1_000_000),
    ],
)
def test_huge_lengths_are_refused_before_they_are_numbers(decode: Decode, body: bytes) -> None:
    """``int`` itself would refuse so many digits, with an error of another kind."""
    assert data_of(decode(body))[1] is not None
