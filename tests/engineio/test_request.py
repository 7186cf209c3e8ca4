"""Request heads and queries."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import DecodeError
from sioproto.engineio import Request
from sioproto.engineio._request import MAX_QUERY_FIELDS, parse_query


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {}),
        ("a=b&c=d", {"a": "b", "c": "d"}),
        ("a=1&a=2", {"a": "2"}),
        ("a=%C3%A9+x", {"a": "é x"}),
        ("a=b;c=d", {"a": "b;c=d"}),
        ("a=&b", {"a": "", "b": ""}),
        ("a=%ff", {"a": "\ufffd"}),
        ("%61=b", {"a": "b"}),
        ("__proto__=x", {"__proto__": "x"}),
    ],
)
def test_query(query: str, fields: dict[str, str]) -> None:
    assert parse_query(f"/engine.io/?{query}") == fields


def test_no_query() -> None:
    assert parse_query("/engine.io/") == {}


def test_too_many_fields() -> None:
    query = "&".join(f"f{n}=x" for n in range(MAX_QUERY_FIELDS))
    assert len(parse_query("/?" + query)) == MAX_QUERY_FIELDS
    with pytest.raises(DecodeError):
        parse_query("/?" + query + "&more=x")


def test_head() -> None:
    head = Request(method="GET", target="/a?b=c", headers=(("host", "x"), ("a", "1"), ("a", "2")))
    assert head.path == "/a"
    assert head.header("a") == "1"
    assert head.header("b") is None


@pytest.mark.parametrize(
    ("field", "value"), [("method", "get"), ("method", ""), ("headers", (("Host", "x"),))]
)
def test_nonsense_is_refused_by_name(field: str, value: object) -> None:
    good: dict[str, object] = {"method": "GET", "target": "/"}
    with pytest.raises(ValueError, match=f"Request.{field}"):
        Request(**{**good, field: value})  # type: ignore[arg-type]  # nonsense on purpose


@pytest.mark.parametrize(
    ("headers", "wants"),
    [
        ((("upgrade", "websocket"), ("connection", "Upgrade")), True),
        ((("connection", "keep-alive, UPGRADE"), ("upgrade", "h2c, WebSocket")), True),
        ((("connection", "close"), ("connection", "upgrade"), ("upgrade", "websocket")), True),
        ((("upgrade", "websocket"),), False),
        ((("connection", "upgrade"),), False),
        ((("upgrade", "websockets"), ("connection", "upgrade")), False),
        ((("upgrade", "websocket"), ("connection", "no-upgrade")), False),
        ((), False),
    ],
    ids=str,
)
def test_request_for_a_websocket(headers: tuple[tuple[str, str], ...], wants: bool) -> None:
    assert Request(method="GET", target="/", headers=headers).wants_websocket is wants


@given(st.text(st.sampled_from("ab=&;%+ 2é\x1e"), max_size=30))
def test_the_short_way_reads_a_query_as_the_library_does(query: str) -> None:
    assert parse_query(f"/?{query}") == dict(parse_qsl(query, keep_blank_values=True))
