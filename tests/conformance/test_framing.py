"""How the peers write and read packets in each revision, and in scripts."""

from __future__ import annotations

import pytest

from sioproto_conformance.peers.framing import (
    BINARY,
    REVISION_3,
    REVISION_4,
    Framing,
    Packet,
    Scripts,
    decode_binary_payload_3,
    decode_text_payload_3,
    encode_binary_payload_3,
    form,
    utf16_units,
)
from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.wire import Unexpected

PACKETS: list[Packet] = ["4hello", b"\x01\x02\x03\x04", "4", "4€😀", b"", "42"]


def answer(body: bytes, kind: str = "text/plain; charset=UTF-8") -> Response:
    return Response(200, (("content-type", kind),), body)


@pytest.mark.parametrize("framing", [REVISION_3, REVISION_4])
def test_what_is_written_is_read(framing: Framing) -> None:
    assert framing.decode(answer(framing.encode(PACKETS))) == PACKETS


def test_lengths_of_text_are_in_utf_16_units() -> None:
    """EIO-P3-02, EIO-P3-03."""
    assert utf16_units("a€😀") == 4
    assert (
        REVISION_3.encode(["4€", "4😀", b"\x01\x02\x03\x04"]) == "2:4€3:4😀10:b4AQIDBA==".encode()
    )


def test_lengths_of_bytes_are_digits_as_numbers() -> None:
    """EIO-P3-07, EIO-P3-08, EIO-P3-09."""
    body = encode_binary_payload_3(["4€a", b"\x01\x02\x03", b"*" * 9])
    assert body.hex(" ") == (
        "00 05 ff 34 e2 82 ac 61 01 04 ff 04 01 02 03 01 01 00 ff 04" + " 2a" * 9
    )
    assert REVISION_3.decode(answer(body, BINARY[1])) == ["4€a", b"\x01\x02\x03", b"*" * 9]


@pytest.mark.parametrize("text", ["abc", ":4a", "5:4abc", "-1:4a", "2:4😀", "4:b4!!", "1:2x"])
def test_a_malformed_payload_of_text_is_unexpected(text: str) -> None:
    with pytest.raises(Unexpected):
        decode_text_payload_3(text)


@pytest.mark.parametrize(
    "body",
    ["00 01 02", "02 01 ff 04", "00 0a ff 34", "00 09 ff 34", "00 01 ff ff", "01 01 ff 34"],
)
def test_a_malformed_payload_of_bytes_is_unexpected(body: str) -> None:
    with pytest.raises(Unexpected):
        decode_binary_payload_3(bytes.fromhex(body))


def test_binary_frames_of_revision_3_have_a_type() -> None:
    """EIO-PKT-05."""
    assert REVISION_3.to_frame(b"\x01") == b"\x04\x01"
    assert REVISION_3.from_frame(b"\x04\x01") == b"\x01"
    assert REVISION_4.from_frame(b"\x04\x01") == b"\x04\x01"
    for frame in (b"", b"\x01", b"4a"):
        with pytest.raises(Unexpected):
            REVISION_3.from_frame(frame)


@pytest.mark.parametrize("inner", [REVISION_3, REVISION_4])
def test_scripts_hold_a_payload(inner: Framing) -> None:
    """EIO-JP-01, EIO-JP-02."""
    framing = Scripts(inner, "7", "7x")
    assert framing.parameters == (("j", "7x"),)
    payload = inner.encode(["4a"]).decode()
    assert framing.decode(answer(f'___eio[7]("{payload}");'.encode())) == ["4a"]
    for wrong in (f'___eio[8]("{payload}");', payload, "___eio[7]({});", '___eio[7]("4a;'):
        with pytest.raises(Unexpected):
            framing.decode(answer(wrong.encode()))


def test_forms_keep_newlines_apart_from_what_looks_like_one() -> None:
    """EIO-JP-03."""
    assert form("a\nb\\nc+ ") == b"d=a%5Cnb%5C%5Cnc%2B+"
