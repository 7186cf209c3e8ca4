"""The MessagePack parser."""

from __future__ import annotations

import builtins
import math
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import DecodeError, LocalProtocolError
from sioproto.socketio import MISSING, RESERVED_EVENTS, MsgpackParser, Packet, PacketType

PARSER = MsgpackParser()

dates = st.datetimes(timezones=st.just(UTC)).map(
    lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=20)
    | dates,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
namespaces = st.just("/") | st.text(st.characters(exclude_characters=",")).map("/{}".format)
names = st.text().filter(lambda name: name not in RESERVED_EVENTS) | st.integers(0, 9)
ids = st.none() | st.integers(0, 2**53 - 1)
packets = st.builds(
    lambda name, args, namespace, id: Packet(PacketType.EVENT, namespace, [name, *args], id),
    names,
    st.lists(values, max_size=4),
    namespaces,
    ids,
) | st.builds(
    lambda args, namespace, id: Packet(PacketType.ACK, namespace, args, id),
    st.lists(values, max_size=4),
    namespaces,
    ids,
)


def encode(packet: Packet) -> bytes:
    (message,) = PARSER.encode(packet)
    assert isinstance(message, bytes)
    return message


def decode(message: str | bytes) -> Packet:
    decoder = PARSER.decoder(max_attachments=1)
    packet = decoder.feed(message)
    assert decoder.missing == 0
    return packet


def event(*args: bytes) -> bytes:
    """An event with these arguments, encoded already."""
    head = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"
    return head + b"\xdc" + (1 + len(args)).to_bytes(2, "big") + b"\xa1m" + b"".join(args)


def args(*encoded: bytes) -> Any:
    name, *rest = decode(event(*encoded)).data
    assert name == "m"
    return rest


@pytest.mark.covers("SIO-MSGP-01", "SIO-MSGP-06")
@given(packets)
def test_round_trip_in_one_message(packet: Packet) -> None:
    """SIO-MSGP-01, SIO-MSGP-06."""
    assert decode(encode(packet)) == packet


def test_fields_on_the_wire() -> None:
    """As the official parser has them, in the order in which its server makes them."""
    assert encode(Packet(PacketType.EVENT, "/a", ["m", b"\x01"], 7)) == (
        b"\x84\xa4type\x02\xa4data\x92\xa1m\xc4\x01\x01\xa2id\x07\xa3nsp\xa2/a"
    )
    assert encode(Packet(PacketType.DISCONNECT)) == b"\x82\xa4type\x01\xa3nsp\xa1/"


def test_what_the_official_client_sends() -> None:
    """A CONNECT without payload has an undefined one; each event has options."""
    connect = b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/"
    assert decode(connect) == Packet(PacketType.CONNECT, "/", MISSING)
    sent = {"type": 2, "data": ["m", b"x"], "options": {"compress": True}, "id": 0, "nsp": "/"}
    assert decode(msgpack.packb(sent)) == Packet(PacketType.EVENT, "/", ["m", b"x"], 0)


def test_nil_is_as_good_as_nothing() -> None:
    message = msgpack.packb({"type": 1, "data": None, "id": None, "nsp": "/"})
    assert decode(message) == Packet(PacketType.DISCONNECT)


@pytest.mark.covers("SIO-MSGP-06")
def test_numbers_that_json_lacks() -> None:
    """SIO-MSGP-06."""
    packet = decode(encode(Packet(PacketType.ACK, "/", [math.inf, -math.inf, math.nan], 1)))
    assert packet.data[:2] == [math.inf, -math.inf]
    assert math.isnan(packet.data[2])


@pytest.mark.covers("SIO-MSGP-05")
def test_three_things_share_an_extension() -> None:
    """SIO-MSGP-05: only the form of the length tells them apart."""
    eight = (5).to_bytes(8, "big")
    date = datetime(1970, 1, 1, 0, 0, 0, 5000, UTC)
    decoys = [b"\xc4\x03\xd4\x00\x00", b"\xd9\x01a", b"\xcb" + b"\xd4" * 8]
    sent = [
        *decoys,
        b"\xd4\x00\x00",
        b"\xc7\x01\x00\x09",
        b"\xd7\x00" + eight,
        b"\x81\xa1k\xc8\x00\x08\x00" + eight,
        b"\xc9\x00\x00\x00\x01\x00\x07",
        b"\xc7\x00\x00",
        b"\xd5\x00ab",
        b"\xc7\x03\x00abc",
        b"\xd7\x00" + (-1000).to_bytes(8, "big", signed=True),
    ]
    assert args(*sent)[len(decoys) :] == [
        None,
        b"\x09",
        date,
        {"k": eight},
        b"\x07",
        b"",
        b"ab",
        b"abc",
        datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    ]


@pytest.mark.covers("SIO-MSGP-05")
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    (b"\xd4\x00\x00", None),
                    (b"\xc7\x01\x00\x00", b"\x00"),
                    (b"\xd7\x00" + b"\0" * 8, datetime(1970, 1, 1, tzinfo=UTC)),
                    (b"\xc7\x08\x00" + b"\0" * 8, b"\0" * 8),
                ]
            ),
            values,
        )
    )
)
def test_extensions_are_told_apart_among_anything(
    pairs: list[tuple[tuple[bytes, Any], Any]],
) -> None:
    """Whatever stands between them is passed over in its full length (SIO-MSGP-05)."""
    between = [encode(Packet(PacketType.ACK, "/", [value])) for _, value in pairs]
    sent = []
    for ((wire, _), _), other in zip(pairs, between, strict=True):
        sent += [other, wire]
    assert args(*sent)[1::2] == [expected for (_, expected), _ in pairs]


def test_timestamps() -> None:
    """Those of the specification are read, ours are written as the official client reads them."""
    noon = datetime(2024, 5, 6, 12, 0, 0, 250_000, UTC)
    stamp = msgpack.packb(msgpack.Timestamp.from_datetime(noon))
    assert args(stamp) == [noon]
    there = noon.astimezone(timezone(timedelta(hours=5)))
    milliseconds = int(noon.timestamp() * 1000).to_bytes(8, "big")
    assert encode(Packet(PacketType.ACK, "/", [there])).endswith(
        b"\x91\xd7\x00" + milliseconds + b"\xa3nsp\xa1/"
    )


@pytest.mark.parametrize(
    ("wire", "rule"),
    [
        (b"", "SIO-MSGP-02"),
        (b"\xc1", "SIO-MSGP-02"),
        (event(b"\xa2a"), "SIO-MSGP-02"),
        (event(b"\xa1\xff"), "SIO-MSGP-02"),
        (event() + b"\x00", "SIO-MSGP-02"),
        (event(b"\x91" * 5_000 + b"\x00"), "SIO-MSGP-02"),
        (event(b"\xdd\xff\xff\xff\xff"), "SIO-MSGP-02"),
        (event(b"\xdf\xff\xff\xff\xff"), "SIO-MSGP-02"),
        (event(b"\xc6\xff\xff\xff\xff"), "SIO-MSGP-02"),
        (event(b"\xdb\xff\xff\xff\xff"), "SIO-MSGP-02"),
        (event(b"\xc9\xff\xff\xff\xff\x00"), "SIO-MSGP-02"),
        (event(b"\xd7\xff" + b"\xff" * 8), "SIO-MSGP-02"),
        (event(b"\xc7\x0c\xff" + b"\x00" * 4 + b"\x7f" * 8), "SIO-MSGP-02"),
        (event(b"\xc7\x05\xff12345"), "SIO-MSGP-02"),
        (event(b"\xd7\x00\x7f" + b"\xff" * 7), "SIO-MSGP-02"),
        (event(b"\x81\x01\x02"), "SIO-MSGP-02"),
        (event(b"\x81\x90\x02"), "SIO-MSGP-02"),
        (event(b"\x81\xc0\x02"), "SIO-MSGP-02"),
        (event(b"\x81\xc4\x01a\x02"), "SIO-MSGP-04"),
        (event(b"\xd4\x01\x00"), "SIO-MSGP-05"),
        (event(b"\xc7\x03\x7fabc"), "SIO-MSGP-05"),
        ("text", "SIO-MSGP-01"),
        ("", "SIO-MSGP-01"),
    ],
)
def test_no_messagepack(wire: str | bytes, rule: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(wire)
    assert caught.value.rule == rule


GOOD = {"type": 2, "data": ["m"], "nsp": "/", "id": 1}
BAD: list[tuple[Any, str]] = [
    ([], "SIO-MSGP-03"),
    (7, "SIO-MSGP-03"),
    ({}, "SIO-MSGP-03"),
    (GOOD | {"type": 5}, "SIO-MSGP-03"),
    (GOOD | {"type": -1}, "SIO-MSGP-03"),
    (GOOD | {"type": True}, "SIO-MSGP-03"),
    (GOOD | {"type": 2.0}, "SIO-MSGP-03"),
    (GOOD | {"type": "2"}, "SIO-MSGP-03"),
    (GOOD | {"nsp": None}, "SIO-PKT-14"),
    (GOOD | {"nsp": b"/"}, "SIO-PKT-14"),
    (GOOD | {"nsp": ""}, "SIO-PKT-14"),
    (GOOD | {"nsp": "a"}, "SIO-PKT-14"),
    (GOOD | {"nsp": "/a,b"}, "SIO-PKT-14"),
    (GOOD | {"id": -1}, "SIO-DEC-12"),
    (GOOD | {"id": 2**53}, "SIO-DEC-12"),
    (GOOD | {"id": True}, "SIO-DEC-12"),
    (GOOD | {"id": 1.0}, "SIO-DEC-12"),
    (GOOD | {"id": "1"}, "SIO-DEC-12"),
    (GOOD | {"data": None}, "SIO-VAL-03"),
    (GOOD | {"data": []}, "SIO-VAL-03"),
    (GOOD | {"data": {"0": "m"}}, "SIO-VAL-03"),
    (GOOD | {"data": [None]}, "SIO-VAL-11"),
    (GOOD | {"data": [True]}, "SIO-VAL-11"),
    (GOOD | {"data": [b"m"]}, "SIO-VAL-11"),
    *((GOOD | {"data": [name]}, "SIO-VAL-06") for name in RESERVED_EVENTS),
    (GOOD | {"type": 3, "data": None}, "SIO-VAL-07"),
    (GOOD | {"type": 0}, "SIO-VAL-01"),
    (GOOD | {"type": 1}, "SIO-VAL-02"),
    (GOOD | {"type": 4}, "SIO-VAL-08"),
]


@pytest.mark.parametrize(("value", "rule"), BAD)
def test_no_packet(value: Any, rule: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(msgpack.packb(value))
    assert caught.value.rule == rule
    assert decode(msgpack.packb(GOOD)).id == 1


@given(st.binary(max_size=60))
def test_any_bytes_decode_or_are_refused_as_documented(message: bytes) -> None:
    for wire in (message, event(message)):
        with suppress(DecodeError):
            assert isinstance(decode(wire), Packet)


@given(packets.map(encode), st.data())
def test_changed_packets_decode_or_are_refused_as_documented(message: bytes, data: Any) -> None:
    """What decodes can be sent on, and is then the same."""
    changed = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(changed) - 1))
        cut = data.draw(st.integers(0, 2))
        changed[position : position + cut] = data.draw(st.binary(max_size=3))
        changed = changed or bytearray(1)
    try:
        packet = decode(bytes(changed))
    except DecodeError:
        return
    again = decode(encode(packet))
    assert encode(again) == encode(packet)


def loop() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        [{"a": ({b"k": 1},)}],
        {None: 1},
        2**64,
        -(2**63) - 1,
        "\ud800",
        {"\ud800": 1},
        {1, 2},
        object(),
        datetime(2024, 1, 1),  # without zone is the point
        loop(),
        deep(50_000),
        memoryview(b"abcd")[::2],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_expressed(value: Any) -> None:
    with pytest.raises(LocalProtocolError):
        PARSER.encode(Packet(PacketType.ACK, "/", [value], 1))
    assert decode(encode(Packet(PacketType.ACK, "/", [1], 1))).data == [1]


def test_binary_of_every_kind() -> None:
    packet = Packet(PacketType.ACK, "/", [bytearray(b"a"), memoryview(b"b"), (b"c",)], 1)
    assert decode(encode(packet)).data == [b"a", b"b", [b"c"]]


@pytest.mark.parametrize("size", [3_000, 100_000, 1_000_000])
@pytest.mark.parametrize("heads", [3, 4, 500])
def test_claims_of_size_cost_little(size: int, heads: int) -> None:
    """A message that announces nested arrays of its own size, and holds none of them.

    If they were all made in full, that would be up to 4,000 times its size (SIO-MSGP-02).
    """
    message = event((b"\xdd" + (size // 2).to_bytes(4, "big")) * heads)
    tracemalloc.start()
    with pytest.raises(DecodeError, match="SIO-MSGP-02"):
        decode(message + b"\0" * size)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000 + 20 * size


@pytest.mark.parametrize("count", [15, 16, 70_000])
def test_long_arrays_and_maps_side_by_side_are_no_lies(count: int) -> None:
    """The counts of what is nested are held against what is left, no more (SIO-MSGP-02)."""
    items = [list(range(count)), {str(n): [n] * 20 for n in range(count // 20)}, [[0] * 16] * 5]
    packet = Packet(PacketType.EVENT, "/", ["a", *items, "\u0700" * 20])
    assert decode(encode(packet)) == packet


@pytest.mark.parametrize("depth", [10, 500, 1_100, 5_000])
def test_what_is_not_too_deep_can_be_sent_on(depth: int) -> None:
    for kind in (b"\x91", b"\x81\xa1k"):
        message = event(kind * depth + b"\x00")
        if depth > 500:
            with pytest.raises(DecodeError, match="SIO-MSGP-02"):
                decode(message)
        else:
            packet = decode(message)
            assert decode(encode(packet)) == packet


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "msgpack":
            raise ModuleNotFoundError(name=name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install 'sioproto\[msgpack\]'"):
        MsgpackParser()


def test_with_a_library_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msgpack, "version", (1, 1, 2))
    with pytest.raises(ImportError, match=r"1\.2\.4 or newer, not 1\.1\.2"):
        MsgpackParser()
