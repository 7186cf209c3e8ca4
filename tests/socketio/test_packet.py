"""The packet codec."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sioproto import DecodeError, LimitError, LocalProtocolError, RemoteProtocolError
from sioproto._json import StrictJson, scanner_of
from sioproto.socketio import MISSING, RESERVED_EVENTS, Decoder, Packet, PacketType, encode_packet
from sioproto.socketio._packet import decode_header, decode_usual

JSON = StrictJson()
NESTED = {"_placeholder": True, "num": 0}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text().filter(lambda key: key != "_placeholder"), inner, max_size=4)
    ),
    max_leaves=10,
)
namespaces = st.just("/") | st.text(st.characters(exclude_characters=",")).map("/{}".format)
names = st.text().filter(lambda name: name not in RESERVED_EVENTS) | st.integers()
ids = st.none() | st.integers(0, 2**53 - 1)


def encode(packet: Packet) -> list[str | bytes]:
    text, attachments = encode_packet(packet, JSON)
    return [text, *attachments]


def decode(*messages: str | bytes, limit: int = 10) -> Packet:
    decoder = Decoder(JSON, max_attachments=limit)
    *begun, last = messages
    for message in begun:
        assert decoder.feed(message) is None
    packet = decoder.feed(last)
    assert packet is not None
    return packet


@given(names, st.lists(values, max_size=4), namespaces, ids)
def test_event_round_trip(name: Any, args: list[Any], namespace: str, id: int | None) -> None:
    packet = Packet(PacketType.EVENT, namespace, [name, *args], id)
    messages = encode(packet)
    if len(messages) <= 10:
        assert decode(*messages) == packet
    assert packet.data == [name, *args], "the caller's value stays as it is"


def verdict(decode: Any, text: str) -> Any:
    try:
        return decode(text, JSON, 10)
    except RemoteProtocolError as error:
        return type(error), error.rule


@given(st.from_regex(r"[0-7]?(/a,)?[0-9٣]{0,18}\[?.{0,12}\]?", fullmatch=True) | st.text())
@example('2["a",1]')
@example('2007["a"]')
@example('29007199254740993["a"]')
@example("3[]")
@example('2["connect"]')
@example("2[true]")
@example('2 ["a"]')
@example("2[1e999]")
def test_the_short_way_decodes_like_the_long_one(text: str) -> None:
    usual = verdict(lambda text, json, most: decode_usual(text, scanner_of(json), most), text)
    assert usual is None or usual == verdict(decode_header, text)


@given(st.lists(values, max_size=4), namespaces, ids)
def test_ack_round_trip(args: list[Any], namespace: str, id: int | None) -> None:
    packet = Packet(PacketType.ACK, namespace, args, id)
    messages = encode(packet)
    if len(messages) <= 10:
        assert decode(*messages) == packet


@given(st.lists(st.text() | st.binary(), max_size=8))
def test_any_messages_decode_or_are_refused_as_documented(messages: list[str | bytes]) -> None:
    decoder = Decoder(JSON)
    for message in messages:
        try:
            decoder.feed(message)
        except RemoteProtocolError:
            assert decoder.missing == 0
        assert decoder.missing <= 10


@given(
    st.from_regex(r"[0-6][0-9]{0,3}-?(/[a-z]*,?)?[0-9 ]{0,20}[\[\]{}\",a-z0-9]*", fullmatch=True)
)
def test_near_packets_decode_or_are_refused_as_documented(text: str) -> None:
    decoder = Decoder(JSON)
    try:
        packet = decoder.feed(text)
    except RemoteProtocolError:
        return
    if packet is not None and decoder.missing == 0:
        again, attachments = encode_packet(packet, JSON)
        assert attachments == []
        assert decode(again) == packet


@pytest.mark.covers("SIO-PKT-01", "SIO-PKT-02", "SIO-BIN-01")
@pytest.mark.parametrize(
    ("packet", "messages"),
    [
        (Packet(PacketType.CONNECT), ["0"]),
        (Packet(PacketType.CONNECT, "/admin"), ["0/admin,"]),
        (Packet(PacketType.CONNECT, "/", {"sid": "x"}), ['0{"sid":"x"}']),
        (Packet(PacketType.CONNECT, "/", None), ["0null"]),
        (Packet(PacketType.DISCONNECT, "/admin"), ["1/admin,"]),
        (Packet(PacketType.EVENT, "/", ["x"], 0), ['20["x"]']),
        (Packet(PacketType.EVENT, "/a", ["x", "é\u2028"], 12), ['2/a,12["x","é\u2028"]']),
        (Packet(PacketType.ACK, "/", [], 7), ["37[]"]),
        (
            Packet(PacketType.EVENT, "/admin", ["x", b"\1", bytearray(b"\2")], 13),
            [
                '52-/admin,13["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
                b"\1",
                b"\2",
            ],
        ),
        (
            Packet(PacketType.ACK, "/", [{"a": memoryview(b"\1")}], 1),
            ['61-1[{"a":{"_placeholder":true,"num":0}}]', b"\1"],
        ),
    ],
)
def test_encoding(packet: Packet, messages: list[str | bytes]) -> None:
    """SIO-PKT-01, SIO-PKT-02, SIO-BIN-01."""
    assert encode(packet) == messages


@pytest.mark.covers("SIO-PKT-13")
def test_encoding_leaves_the_packet_as_it_was() -> None:
    """SIO-PKT-13."""
    data = ["x", b"\1", {"deep": [b"\2"]}]
    packet = Packet(PacketType.EVENT, "/", data, 1)
    encode(packet)
    encode(packet)
    assert packet == Packet(PacketType.EVENT, "/", ["x", b"\1", {"deep": [b"\2"]}], 1)
    assert packet.data is data


@pytest.mark.covers("SIO-PKT-09", "SIO-PKT-11", "SIO-BIN-03", "SIO-EVT-21")
@pytest.mark.parametrize(
    "packet",
    [
        Packet(PacketType.CONNECT, "/", {"token": b"x"}),
        Packet(PacketType.CONNECT_ERROR, "/", {"message": "", "data": b"x"}),
        Packet(PacketType.EVENT, "/", ["x", {1, 2}]),
        Packet(PacketType.EVENT, "/", ["x", float("nan")]),
        Packet(PacketType.EVENT, "/", ["x", {b"key": 1}]),
        Packet(PacketType.EVENT, "/", ["x", print, 1]),
        Packet(PacketType.EVENT, "/", ["x", object(), b"beside bytes"]),
    ],
)
def test_what_cannot_be_encoded(packet: Packet) -> None:
    """SIO-PKT-09, SIO-PKT-11, SIO-BIN-03, SIO-EVT-21: an error of the caller, never bad bytes."""
    with pytest.raises(LocalProtocolError):
        encode(packet)


@pytest.mark.covers("SIO-PKT-01", "SIO-PKT-02", "SIO-DEC-14")
@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", Packet(PacketType.CONNECT)),
        ("0/", Packet(PacketType.CONNECT)),
        ("0/,", Packet(PacketType.CONNECT)),
        ("0/a", Packet(PacketType.CONNECT, "/a")),
        ("0/a,{}", Packet(PacketType.CONNECT, "/a", {})),
        ("0/a?b=c,", Packet(PacketType.CONNECT, "/a?b=c")),
        ("012{}", Packet(PacketType.CONNECT, "/", {}, 12)),
        ("1/a", Packet(PacketType.DISCONNECT, "/a")),
        ('2/,["a"]', Packet(PacketType.EVENT, "/", ["a"])),
        ('2007["a"]', Packet(PacketType.EVENT, "/", ["a"], 7)),
        ('29007199254740991["a"]', Packet(PacketType.EVENT, "/", ["a"], 2**53 - 1)),
        ('2["a"] ', Packet(PacketType.EVENT, "/", ["a"])),
        ('2[7,"x"]', Packet(PacketType.EVENT, "/", [7, "x"])),
        ("2[1.5]", Packet(PacketType.EVENT, "/", [1.5])),
        ('2["Connect"]', Packet(PacketType.EVENT, "/", ["Connect"])),
        ('2["error","-5-"]', Packet(PacketType.EVENT, "/", ["error", "-5-"])),
        ('2["a",{"_placeholder":true,"num":0}]', Packet(PacketType.EVENT, "/", ["a", NESTED])),
        ('31["connect"]', Packet(PacketType.ACK, "/", ["connect"], 1)),
        ('4{"message":"x"}', Packet(PacketType.CONNECT_ERROR, "/", {"message": "x"})),
        ("4", Packet(PacketType.CONNECT_ERROR, "/", MISSING)),
    ],
)
def test_decoding(text: str, packet: Packet) -> None:
    """SIO-PKT-01, SIO-PKT-02; SIO-DEC-14: an id on any type."""
    assert decode(text) == packet


@pytest.mark.covers("SIO-DEC-02")
@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "SIO-DEC-01"),
        ("abc", "SIO-DEC-01"),
        ("7", "SIO-DEC-01"),
        ("999", "SIO-DEC-01"),
        (" ", "SIO-DEC-01"),
        ("٢[]", "SIO-DEC-01"),
        ("5", "SIO-DEC-05"),
        ("51", "SIO-DEC-05"),
        ("5a-", "SIO-DEC-05"),
        ("5-", "SIO-DEC-05"),
        ("51.0-[]", "SIO-DEC-05"),
        ("5+1-[]", "SIO-DEC-05"),
        ("5 1-[]", "SIO-DEC-05"),
        ("50x1-[]", "SIO-DEC-05"),
        ("5-1-[]", "SIO-DEC-05"),
        ('50-["a"]', "SIO-BIN-12"),
        ('500-["a"]', "SIO-BIN-12"),
        ("0foo", "SIO-DEC-16"),
        ("0,", "SIO-DEC-16"),
        ('2-1["a"]', "SIO-DEC-16"),
        ('21.5["a"]', "SIO-DEC-16"),
        ('20x1F["a"]', "SIO-DEC-16"),
        ('2abc["a"]', "SIO-DEC-16"),
        ('2 ["a"]', "SIO-DEC-16"),
        ('21 2["a"]', "SIO-DEC-16"),
        ('2²["a"]', "SIO-DEC-16"),
        ('2["a"]x', "SIO-DEC-16"),
        ('2["a"', "SIO-DEC-16"),
        ("2[NaN]", "SIO-DEC-17"),
        ('2["a",1e400]', "SIO-DEC-17"),
        ('2["a",' + "[" * 100_000, "SIO-DEC-19"),
        ('29007199254740992["a"]', "SIO-DEC-12"),
        ("2" + "9" * 100_000 + '["a"]', "SIO-DEC-12"),
        ("0[]", "SIO-VAL-01"),
        ('0"x"', "SIO-VAL-01"),
        ("0null", "SIO-VAL-01"),
        ("0true", "SIO-VAL-01"),
        ("1{}", "SIO-VAL-02"),
        ("1null", "SIO-VAL-02"),
        ("2", "SIO-VAL-03"),
        ("27", "SIO-VAL-03"),
        ("2{}", "SIO-VAL-03"),
        ("2[]", "SIO-VAL-03"),
        ('2"a"', "SIO-VAL-03"),
        ('2["connect"]', "SIO-VAL-06"),
        ('51-["disconnecting"]', "SIO-VAL-06"),
        ("3", "SIO-VAL-07"),
        ("30", "SIO-VAL-07"),
        ("3{}", "SIO-VAL-07"),
        ("4[]", "SIO-VAL-08"),
        ("4null", "SIO-VAL-08"),
        ("2[true]", "SIO-VAL-11"),
        ('2[null,"bar"]', "SIO-VAL-11"),
        ('2[{"toString":"foo"}]', "SIO-VAL-11"),
        ('2[["a"]]', "SIO-VAL-11"),
        ('51-[{"_placeholder":true,"num":0}]', "SIO-VAL-11"),
    ],
    ids=lambda value: value[:20],
)
def test_refused(text: str, rule: str) -> None:
    """Also SIO-DEC-02, one character is the type; SIO-DEC-15, a payload that should be there is."""
    with pytest.raises(DecodeError) as caught:
        Decoder(JSON).feed(text)
    assert caught.value.rule == rule


@pytest.mark.parametrize("text", ['511-["a"]', "5" + "9" * 100_000 + '-["a"]', '6011-["a"]'])
def test_too_many_attachments(text: str) -> None:
    with pytest.raises(LimitError) as caught:
        Decoder(JSON).feed(text)
    assert (caught.value.rule, caught.value.limit) == ("SIO-BIN-10", "max_attachments")
