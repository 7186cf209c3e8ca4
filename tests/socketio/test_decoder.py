"""Packets with attachments."""

from __future__ import annotations

from typing import Any

import pytest

from sioproto import DecodeError
from sioproto._json import StrictJson
from sioproto.socketio import Decoder

JSON = StrictJson()


def data(*messages: str | bytes) -> Any:
    """Feed all messages; the payload of the packet that the last one completes."""
    decoder = Decoder(JSON)
    *begun, last = messages
    for message in begun:
        assert decoder.feed(message) is None
    packet = decoder.feed(last)
    assert packet is not None
    return packet.data


def place(num: str) -> str:
    return f'{{"_placeholder":true,"num":{num}}}'


def test_placeholders_go_by_number() -> None:
    assert data(f'52-["m",{place("1")},{place("0")}]', b"a", b"b") == ["m", b"b", b"a"]
    assert data(f'52-["m",{place("1")},{place("1")}]', b"a", b"b") == ["m", b"b", b"b"]
    assert data('52-["m"]', b"a", b"b") == ["m"]
    assert data(f'51-["m",{{"deep":[{place("0")}]}}]', b"") == ["m", {"deep": [b""]}]
    extra = '{"num":0,"extra":1,"_placeholder":true}'
    assert data(f'51-["m",{extra}]', b"a") == ["m", b"a"]


@pytest.mark.parametrize("flag", ["1", '"true"', "false", "null"])
def test_what_only_looks_like_a_placeholder(flag: str) -> None:
    (_, value) = data(f'51-["m",{{"_placeholder":{flag},"num":0}}]', b"a")
    assert value["num"] == 0


@pytest.mark.parametrize("num", ["1", "-1", "true", "null", '"0"', "0.5", '"splice"', "1e3"])
def test_placeholder_for_what_is_not_there(num: str) -> None:
    decoder = Decoder(JSON)
    assert decoder.feed(f'52-["m",{place(num if num != "1" else "2")}]') is None
    assert decoder.feed(b"a") is None, "checked when the last attachment is in"
    with pytest.raises(DecodeError, match="SIO-BIN-13"):
        decoder.feed(b"b")
    assert decoder.feed('2["next"]') is not None


def test_placeholder_without_number() -> None:
    decoder = Decoder(JSON)
    decoder.feed('51-["m",{"_placeholder":true}]')
    with pytest.raises(DecodeError, match="SIO-BIN-13"):
        decoder.feed(b"a")


def test_text_between_attachments_loses_the_packet_begun() -> None:
    decoder = Decoder(JSON)
    decoder.feed('51-["m"]')
    assert decoder.missing == 1
    with pytest.raises(DecodeError, match="SIO-BIN-15"):
        decoder.feed("1")
    assert decoder.missing == 0
    assert decoder.feed('2["next"]') is not None


def test_unexpected_binary() -> None:
    decoder = Decoder(JSON)
    with pytest.raises(DecodeError, match="SIO-BIN-16"):
        decoder.feed(b"a")


@pytest.mark.covers("SIO-BIN-19")
def test_reset() -> None:
    """SIO-BIN-19."""
    decoder = Decoder(JSON)
    decoder.feed('52-["m"]')
    decoder.feed(b"a")
    decoder.reset()
    assert decoder.feed('2["next"]') is not None


@pytest.mark.parametrize("depth", [100, 400, 2_000, 100_000])
def test_depth_costs_no_other_exception(depth: int) -> None:
    decoder = Decoder(JSON)
    broken = None
    try:
        decoder.feed('51-["m",' + "[" * depth + place("0") + "]" * depth + "]")
        assert decoder.feed(b"a") is not None
    except DecodeError as error:
        broken = error.rule
    assert broken in ((None,) if depth == 100 else (None, "SIO-DEC-19"))
