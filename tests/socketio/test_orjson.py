"""JSON by orjson: the same as the standard library's, but for what docs/parsers.md lists."""

from __future__ import annotations

import builtins
import enum
import json
import math
import re
import uuid
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sioproto import DecodeError, LocalProtocolError, RemoteProtocolError
from sioproto.socketio import Decoder, OrjsonCodec, Packet, PacketType, StrictJson, TextParser
from sioproto.testing import strategies

FAST, STRICT = OrjsonCodec(), StrictJson()
BIG = 2**64

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text(st.characters(categories=["Cs", "Lu"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(st.text() | st.integers() | st.booleans() | st.none(), inner, max_size=4)
    ),
    max_leaves=12,
)


def refuse(value: object) -> object:
    raise TypeError(f"no form for {value!r}")


def outcome(decode: Callable[[], Any]) -> Any:
    """What comes of it: a value with the type of each part, or the rule that is broken."""
    try:
        return repr(decode())
    except RemoteProtocolError as error:
        return type(error), error.rule


@given(values)
@example({1: "a", None: [True], 1.5: "\ud800"})
@example([BIG, -BIG, 1e16, 1e-7, -0.0, 5e-324])
@example("\x00\x1e\x7f\u2028\U0001f600")
def test_what_one_encodes_both_decode_to_the_same(value: Any) -> None:
    fast, strict = FAST.dumps(value, refuse), STRICT.dumps(value, refuse)
    fast.encode()
    assert repr(STRICT.loads(fast)) == repr(STRICT.loads(strict))
    if not re.search(r"[0-9]{19}", strict):  # an integer beyond 64 bits, perhaps
        assert repr(FAST.loads(fast)) == repr(FAST.loads(strict)) == repr(STRICT.loads(strict))


texts = (
    st.text()
    | st.text('0123456789-/,[]{}":.eE+ \\utrnfalsNI\t\x00', max_size=12)
    | values.map(lambda value: json.dumps(value, ensure_ascii=False))
    | st.builds(
        lambda value, at, put: (text := json.dumps(value))[: at % len(text)] + put,
        values,
        st.integers(0, 50),
        st.text('0123456789[]{}":.eE+ \\u', max_size=3),
    )
)


@given(texts)
@example("NaN")
@example("[-Infinity]")
@example("[1e400]")
@example('["\\ud800","\\ude00"]')
@example('{"a":1,"a":2}')
@example(" [1]\n")
@example("\ufeff[]")
@example("[1] 2")
@example("[01]")
@example('["\ud800"]')
@example("[18446744073709551615,-9223372036854775808]")
@example("[" * 100_000)
@example("9" * 5_000)
def test_any_text_is_decoded_or_refused_alike(text: str) -> None:
    if re.search(r"[0-9]{19}", text) and not text.isdecimal():
        return  # an integer beyond 64 bits, perhaps
    assert outcome(lambda: FAST.loads(text)) == outcome(lambda: STRICT.loads(text))


@given(
    strategies.socket_packets().map(lambda frames: str(frames[0]))
    | strategies.broken_socket_packets()
)
@example('512-["a"]')
@example('52-["a",{"_placeholder":true,"num":0}]')
@example('2007["a"] ')
@example("2[NaN]")
def test_any_packet_is_decoded_or_refused_alike(text: str) -> None:
    assert outcome(lambda: Decoder(FAST).feed(text)) == outcome(lambda: Decoder(STRICT).feed(text))


# What is no JSON has no form, even if the library knows one.


@dataclass
class Point:
    x: int = 1


@pytest.mark.parametrize(
    "value",
    [
        Point(),
        datetime(2024, 5, 6, tzinfo=UTC),
        date(2024, 5, 6),
        time(1),
        {1, 2},
        object(),
        {(1, 2): 3},
        {b"key": 1},
        {Point: 1},
        [1, print],
    ],
)
def test_what_json_cannot_express(value: object) -> None:
    with pytest.raises(LocalProtocolError, match="not expressible in JSON"):
        FAST.dumps(value, refuse)


def test_cycles_and_depth() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (cycle, deep):
        with pytest.raises(LocalProtocolError):
            FAST.dumps(value, refuse)
    assert FAST.dumps(json.loads("[" * 300 + "]" * 300), refuse) == "[" * 300 + "]" * 300


class Number(float):
    pass


class Name(str):
    __slots__ = ()


class Level(enum.IntEnum):
    LOW = 1


class Color(enum.StrEnum):
    RED = "red"


Pair = namedtuple("Pair", "left right")


def test_subclasses_are_what_they_are_to_the_standard_library() -> None:
    value = [
        Number(1.5),
        Name("x"),
        Level.LOW,
        Color.RED,
        Pair(1, [2]),
        OrderedDict(a=1),
        {Name("key"): True},
    ]
    assert FAST.dumps(value, refuse) == STRICT.dumps(value, refuse)


PARSER = TextParser(FAST)


@pytest.mark.parametrize("odd", [None, BIG, "\ud800", {1: 2}, Pair(b"3", 4), Number(1)])
def test_attachments_are_taken_out_once(odd: Any) -> None:
    """Also where the standard library has to do it again."""
    data = ["x", b"1", {"a": [b"1", bytearray(b"2")]}, odd, b"4", b"1"]
    packet = Packet(PacketType.EVENT, "/", data)
    assert PARSER.encode(packet) == TextParser().encode(packet)


def test_attachments_come_back() -> None:
    decoder = PARSER.decoder(max_attachments=2)
    first, *attachments = PARSER.encode(Packet(PacketType.ACK, "/", [b"1", {"a": b"2"}], 7))
    assert decoder.feed(first) is None
    (_, packet) = map(decoder.feed, attachments)
    assert packet == Packet(PacketType.ACK, "/", [b"1", {"a": b"2"}], 7)


# What is different, line by line as docs/parsers.md has it


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (str(BIG), float(BIG)),
        (str(-(2**63) - 1), -(2.0**63)),
        ("1" + "0" * 300, 1e300),
    ],
)
def test_large_integers_arrive_as_floats(text: str, value: float) -> None:
    assert (FAST.loads(text), type(FAST.loads(text))) == (value, float)
    assert type(STRICT.loads(text)) is int
    assert FAST.dumps([int(text)], refuse) == f"[{text}]", "and are sent in full"


def test_integers_too_large_for_floats_are_still_refused_or_kept_by_the_standard_library() -> None:
    text = "1" + "0" * 400
    assert FAST.loads(text) == 10**400
    with pytest.raises(DecodeError, match="SIO-DEC-16"):
        FAST.loads("1" * 5_000)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_sent_as_null(value: float) -> None:
    assert FAST.dumps([value], refuse) == "[null]"
    with pytest.raises(LocalProtocolError):
        STRICT.dumps([value], refuse)


class Suit(enum.Enum):
    HEARTS = "hearts"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Suit.HEARTS, '"hearts"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (orjson.Fragment(b"[1]"), "[1]"),
    ],
)
def test_what_the_library_has_a_form_for(value: object, text: str) -> None:
    assert FAST.dumps(value, refuse) == text
    with pytest.raises(LocalProtocolError):
        STRICT.dumps(value, refuse)


class Upper(dict[str, Any]):
    def items(self) -> Any:
        return [(key.upper(), value) for key, value in super().items()]


def test_dicts_are_taken_for_what_they_hold() -> None:
    assert FAST.dumps(Upper(a=1), refuse) == '{"a":1}'
    assert STRICT.dumps(Upper(a=1), refuse) == '{"A":1}'


def test_numbers_are_written_otherwise_and_mean_the_same() -> None:
    assert (FAST.dumps(1e-7, refuse), STRICT.dumps(1e-7, refuse)) == ("1e-7", "1e-07")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = builtins.__import__

    def refuse_import(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "orjson":
            raise ModuleNotFoundError(name=name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse_import)
    with pytest.raises(ImportError, match=r"pip install 'sioproto\[speed\]'"):
        OrjsonCodec()


@pytest.mark.parametrize("version", ["3.9.10", "3.11.5", "3.11.5rc1"])
def test_with_a_library_too_old(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(orjson, "__version__", version)
    with pytest.raises(ImportError, match=rf"3\.11\.6 or newer: {version}"):
        OrjsonCodec()
