"""The strategies make what they say: what is valid is taken, what is broken is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sioproto import DecodeError, LimitError, RemoteProtocolError
from sioproto.engineio import decode_packet, decode_payload
from sioproto.socketio import Decoder, PacketType, StrictJson
from sioproto.testing import strategies
from tests.harness import PROGRAMS

KINDS = {
    PacketType.CONNECT: strategies.socket_connects(),
    PacketType.DISCONNECT: strategies.socket_disconnects(),
    PacketType.EVENT: strategies.socket_events(),
    PacketType.ACK: strategies.socket_acks(),
    PacketType.CONNECT_ERROR: strategies.socket_connect_errors(),
}


def decode(frames: list[str | bytes]) -> Any:
    decoder = Decoder(StrictJson(), max_attachments=10)
    packet = None
    for frame in frames:
        assert packet is None, "there is more than one packet"
        packet = decoder.feed(frame)
    return packet


@settings(max_examples=PROGRAMS)
@given(strategies.engine_frames())
def test_frames_are_packets(frame: str | bytes) -> None:
    decode_packet(frame)


@settings(max_examples=PROGRAMS)
@given(strategies.broken_engine_frames())
def test_broken_frames_are_none(frame: str) -> None:
    with pytest.raises(DecodeError):
        decode_packet(frame)


@settings(max_examples=PROGRAMS)
@given(strategies.payloads())
def test_payloads_are_packets(body: bytes) -> None:
    assert list(decode_payload(body))


@settings(max_examples=PROGRAMS)
@given(strategies.broken_payloads())
def test_broken_payloads_are_none(body: bytes) -> None:
    with pytest.raises(DecodeError):
        list(decode_payload(body))


@pytest.mark.parametrize("kind", KINDS)
def test_socket_packets_are_of_their_type(kind: PacketType) -> None:
    @settings(max_examples=PROGRAMS)
    @given(KINDS[kind])
    def check(frames: list[str | bytes]) -> None:
        assert decode(frames).type is kind

    check()


@settings(max_examples=PROGRAMS)
@given(strategies.socket_packets())
def test_socket_packets_are_packets(frames: list[str | bytes]) -> None:
    assert decode(frames) is not None


@settings(max_examples=PROGRAMS)
@given(strategies.broken_socket_packets())
def test_broken_socket_packets_are_none(text: str) -> None:
    try:
        packet = decode([text, b"attachment"] if text.startswith("51-[") else [text])
    except (DecodeError, LimitError, RemoteProtocolError):
        return
    raise AssertionError(f"{text!r} is {packet!r}")


def test_everything_public_makes_strategies() -> None:
    assert all(
        isinstance(getattr(strategies, name)(), st.SearchStrategy) for name in strategies.__all__
    )
