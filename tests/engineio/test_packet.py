"""The packet codec."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import DecodeError, LocalProtocolError
from sioproto.engineio import Packet, PacketType, decode_packet, encode_packet

text = st.text(st.characters(codec="utf-8"))


@given(st.builds(Packet, st.sampled_from(PacketType), text))
def test_text_round_trip(packet: Packet) -> None:
    assert decode_packet(encode_packet(packet)) == packet


@given(st.binary())
def test_binary_round_trip(data: bytes) -> None:
    packet = Packet(PacketType.MESSAGE, data)
    assert encode_packet(packet) == data
    assert decode_packet(data) == packet


@given(st.text())
def test_any_text_decodes_or_is_refused_as_documented(frame: str) -> None:
    try:
        packet = decode_packet(frame)
    except DecodeError:
        return
    if isinstance(packet.data, str):
        assert encode_packet(packet) == frame
    else:
        assert frame[0] == "b"


def test_only_messages_carry_binary() -> None:
    with pytest.raises(LocalProtocolError):
        encode_packet(Packet(PacketType.PING, b"x"))


@pytest.mark.parametrize("frame", ["", "7", "9", "a", " 4", "-1", "٤a", "\ufeff4a", "²"])
def test_no_packet(frame: str) -> None:
    with pytest.raises(DecodeError, match="EIO-PKT-03"):
        decode_packet(frame)


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        ("b", b""),
        ("bAQID", b"\1\2\3"),
        ("bAQ==", b"\1"),
        ("bAQ", b"\1"),
        ("b+/8=", b"\xfb\xff"),
        ("b-_8", b"\xfb\xff"),
    ],
)
def test_base64(frame: str, data: bytes) -> None:
    assert decode_packet(frame) == Packet(PacketType.MESSAGE, data)


@pytest.mark.parametrize("frame", ["bA", "b!!!!", "bAQ=A", "bAQID\n", "b=", "bÄÖÜÄ", "bAQ==="])
def test_broken_base64(frame: str) -> None:
    with pytest.raises(DecodeError, match="EIO-PKT-06"):
        decode_packet(frame)
