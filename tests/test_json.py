"""The strict JSON codec."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import DecodeError, LocalProtocolError
from sioproto._json import StrictJson

codec = StrictJson()
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def refuse(value: object) -> object:
    raise TypeError(f"no form for {value!r}")


@given(values)
def test_round_trip(value: Any) -> None:
    text = codec.dumps(value, refuse)
    text.encode()
    assert codec.loads(text) == value


@given(st.text())
def test_any_text_decodes_as_the_standard_library_does_or_is_refused(text: str) -> None:
    try:
        value = codec.loads(text)
    except DecodeError:
        return
    assert json.loads(text) == value


def test_form() -> None:
    assert codec.dumps(["é", {"a": [1, None, True]}], refuse) == '["é",{"a":[1,null,true]}]'
    assert codec.dumps("\x1e\n", refuse) == '"\\u001e\\n"'
    assert codec.dumps("😀\ud800x", refuse) == '"😀\\ud800x"'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, {(1, 2): 3}, object()])
def test_what_json_cannot_express(value: object) -> None:
    with pytest.raises(LocalProtocolError, match="not expressible in JSON"):
        codec.dumps(value, refuse)


def test_cycles_and_depth() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(LocalProtocolError):
        codec.dumps(cycle, refuse)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(LocalProtocolError):
        codec.dumps(deep, refuse)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nul",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "[-1e999]",
        "'a'",
        "[1,]",
        "[1] x",
        "01",
        "+1",
        "1_0",
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5000,
        '"\x1e"',
    ],
    ids=lambda text: text[:12],
)
def test_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        codec.loads(text)
