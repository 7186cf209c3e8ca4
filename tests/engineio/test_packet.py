"""The packet codec."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import DecodeError, LocalProtocolError
from sioproto.engineio import Packet, PacketType, decode_packet, encode_packet
from sioproto.engineio._packet import decode_packet_v3

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


# Revision 3


@given(st.builds(Packet, st.sampled_from(PacketType), text))
def test_text_is_the_same_in_revision_3(packet: Packet) -> None:
    assert decode_packet_v3(encode_packet(packet)) == packet


@pytest.mark.covers("EIO-PKT-05", "EIO-PKT-07")
@given(st.sampled_from(PacketType), st.binary())
def test_binary_of_revision_3_has_a_type(kind: PacketType, data: bytes) -> None:
    packet = Packet(kind, data)
    assert decode_packet_v3(bytes((kind,)) + data) == packet  # EIO-PKT-05
    assert decode_packet_v3(f"b{int(kind)}{b64encode(data).decode()}") == packet  # EIO-PKT-07


@pytest.mark.covers("EIO-PKT-05b")
@pytest.mark.parametrize("frame", [b"", b"\x07", b"\x09\x01", b"4a", b"\xff", "b", "b9AQID", "b!!"])
def test_binary_of_revision_3_without_a_known_type_is_ignored(frame: str | bytes) -> None:
    assert decode_packet_v3(frame) is None  # EIO-PKT-05b


@pytest.mark.parametrize("frame", ["", "7", "abc", " 4", "٤a", "b4AQI!", "b4é"])
def test_no_packet_of_revision_3(frame: str) -> None:
    with pytest.raises(DecodeError):
        decode_packet_v3(frame)
