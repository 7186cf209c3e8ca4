"""The polling payload codec."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import DecodeError
from sioproto.engineio import Message, Packet, PacketType, decode_payload, encode_payload

# A message with the separator in it is two packets to the receiver: that is the protocol's flaw.
text = st.text(st.characters(codec="utf-8", exclude_characters="\x1e"))
data = st.lists(st.one_of(text, st.binary()), min_size=1)


@given(data)
def test_round_trip(items: list[str | bytes]) -> None:
    messages = [Message("4" + item if isinstance(item, str) else item) for item in items]
    packets = list(decode_payload(encode_payload(messages)))
    assert packets == [Packet(PacketType.MESSAGE, item) for item in items]


@given(st.binary())
def test_any_bytes_decode_or_are_refused_as_documented(body: bytes) -> None:
    packets = decode_payload(body)
    count = 0
    with suppress(DecodeError):
        while next(packets, None) is not None:
            count += 1
    assert count <= len(body)


def test_what_comes_before_a_bad_packet_is_kept() -> None:
    packets = decode_payload(b"4a\x1eX\x1e4b")
    assert next(packets).data == "a"
    with pytest.raises(DecodeError):
        next(packets)


def test_invalid_utf8_is_replaced() -> None:
    (packet,) = decode_payload(b"4\xffa")
    assert packet.data == "\ufffda"


def test_many_packets_in_one_payload() -> None:
    assert sum(1 for _ in decode_payload(b"\x1e".join([b"4"] * 10_000))) == 10_000
