"""Compression of the answers to polls: EIO-HC-01 to 03."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto.engineio import HttpCompressionConfig, Request, ServerConfig
from sioproto.engineio._compression import choose_encoding
from tests.harness import Driver, engine_driver, request

ACCEPTED = [
    ("gzip", "gzip"),
    ("deflate", "deflate"),
    ("gzip, deflate, br", "gzip"),
    ("deflate, gzip", "gzip"),
    ("*", "gzip"),
    ("gzip;q=0, deflate", "deflate"),
    ("gzip;q=0.5, deflate;q=0.8", "deflate"),
    ("GZIP; Q=1.0", "gzip"),
    ("gzip ; q = 0.001", "gzip"),
    ("gzip;q=0, *", "deflate"),
    ("identity, gzip;q=0.1", "gzip"),
    ("", None),
    ("identity", None),
    ("br", None),
    ("br;q=1.0, zstd", None),
    ("gzip;q=0", None),
    ("*;q=0", None),
    ("gzip;q=0, deflate;q=0", None),
    ("gzip;q=nan", None),
    ("gzip;q=2", None),
    ("gzip;q=-1", None),
    ("gzipped", None),
]


def accepting(*values: str) -> Request:
    headers = tuple(("accept-encoding", value) for value in values)
    return Request(method="GET", target="/", headers=headers)


@pytest.mark.parametrize(("value", "encoding"), ACCEPTED)
def test_the_encoding_is_one_that_the_client_accepts(value: str, encoding: str | None) -> None:
    """EIO-HC-01, EIO-HC-01b"""
    assert choose_encoding(accepting(value)) == encoding


def test_the_header_may_be_missing_or_come_in_parts() -> None:
    """EIO-HC-01"""
    assert choose_encoding(accepting()) is None
    assert choose_encoding(accepting("br", "deflate")) == "deflate"


@given(st.text(st.characters(max_codepoint=255)))
def test_any_header_is_read(value: str) -> None:
    """EIO-HC-01b"""
    assert choose_encoding(accepting(value)) in {None, "gzip", "deflate"}


def polled(driver: Driver, accept: str | None = "gzip", sid: str = "E1") -> Any:
    headers = {} if accept is None else {"accept_encoding": accept}
    return driver.answers[driver.http(request(f"EIO=4&transport=polling&sid={sid}", **headers))]


def encoding_of(answer: Any) -> str | None:
    return dict(answer.headers).get("content-encoding")


@pytest.mark.parametrize(("size", "encoding"), [(1023, None), (1024, "gzip")])
def test_compression_begins_at_the_threshold(size: int, encoding: str | None) -> None:
    """EIO-HC-01"""
    core, d = engine_driver()
    d.open_polling()
    core.send("E1", "x" * (size - 1))
    answer = polled(d)
    body = gzip.decompress(answer.body) if encoding else answer.body
    assert encoding_of(answer) == encoding
    assert body == b"4" + b"x" * (size - 1)


def test_it_is_the_encoded_body_that_counts() -> None:
    """EIO-HC-01"""
    core, d = engine_driver()
    d.open_polling()
    core.send("E1", "€" * 341)
    assert len(gzip.decompress(polled(d).body)) == 1024
    core.send("E1", bytes(766))  # 1024 in base64, 1025 with the b
    assert encoding_of(polled(d)) == "gzip"


def test_deflate_is_the_format_with_a_checksum() -> None:
    """EIO-HC-01"""
    core, d = engine_driver(http_compression=HttpCompressionConfig(level=9))
    d.open_polling()
    core.send("E1", "hello" * 1000)
    answer = polled(d, "deflate")
    assert encoding_of(answer) == "deflate"
    assert zlib.decompress(answer.body) == b"4" + b"hello" * 1000
    assert dict(answer.headers)["content-type"] == "text/plain; charset=UTF-8"


@pytest.mark.parametrize("accept", [None, "identity", "br"])
def test_a_client_that_accepts_nothing_gets_plain_text(accept: str | None) -> None:
    """EIO-HC-01b"""
    core, d = engine_driver()
    d.open_polling()
    core.send("E1", "x" * 5000)
    answer = polled(d, accept)
    assert (encoding_of(answer), len(answer.body)) == (None, 5001)


def test_a_poll_that_waits_remembers_what_its_client_accepts() -> None:
    """EIO-HC-01"""
    core, d = engine_driver()
    d.open_polling()
    x = d.http(request("EIO=4&transport=polling&sid=E1", accept_encoding="gzip"))
    core.send("E1", "x" * 5000)
    d.drain()
    assert gzip.decompress(d.answers[x].body) == b"4" + b"x" * 5000


@pytest.mark.covers("EIO-HC-02")
def test_compression_can_be_off_for_a_message() -> None:
    """EIO-HC-02"""
    core, d = engine_driver()
    d.open_polling()
    core.send("E1", "x" * 5000, compress=False)
    core.send("E1", bytes(5000), compress=False)
    assert encoding_of(polled(d)) is None
    core.send("E1", "x" * 5000, compress=False)
    core.send("E1", "y" * 5000)  # beside a secret, what anybody may choose would betray it
    assert encoding_of(polled(d)) is None
    core.send("E1", "y" * 5000)
    assert encoding_of(polled(d)) == "gzip"


@pytest.mark.covers("EIO-HC-02")
def test_compression_can_be_off_altogether() -> None:
    """EIO-HC-02"""
    core, d = engine_driver(http_compression=None)
    d.open_polling()
    core.send("E1", "x" * 5000)
    assert encoding_of(polled(d)) is None


@pytest.mark.covers("EIO-HC-02", "EIO-HC-03")
def test_without_a_threshold_all_is_compressed_that_asks_for_it() -> None:
    """EIO-HC-02, EIO-HC-03"""
    core, d = engine_driver(http_compression=HttpCompressionConfig(threshold=0))
    opened = d.answers[d.http(request("EIO=4&transport=polling", accept_encoding="gzip"))]
    assert gzip.decompress(opened.body).startswith(b'0{"sid"')
    x = d.http(request("EIO=4&transport=polling&sid=E1", accept_encoding="gzip"))
    core.close("E1", now=d.now)
    d.drain()
    assert (encoding_of(d.answers[x]), d.answers[x].body) == (None, b"1")
    d.open_polling()
    w = d.upgrade("E2")
    d.frame(w, "2probe")
    y = d.http(request("EIO=4&transport=polling&sid=E2", accept_encoding="gzip"))
    d.sleep(0.2)
    assert (encoding_of(d.answers[y]), d.answers[y].body) == (None, b"6")


def test_the_answer_to_a_post_and_an_error_are_not_compressed() -> None:
    """EIO-HC-01"""
    _, d = engine_driver(http_compression=HttpCompressionConfig(threshold=0))
    d.open_polling()
    post = request("EIO=4&transport=polling&sid=E1", "POST", accept_encoding="gzip")
    assert d.answers[d.http(post, b"4a")].body == b"ok"
    refused = d.answers[d.http(request("transport=abc", accept_encoding="gzip"))]
    assert refused.body.startswith(b'{"code":0')


@pytest.mark.parametrize(
    ("field", "value"),
    [("threshold", -1), ("threshold", True), ("level", 0), ("level", 10), ("level", None)],
)
def test_nonsense_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^HttpCompressionConfig\.{field} must be "):
        HttpCompressionConfig(**{field: value})


def test_the_engine_refuses_what_is_no_configuration() -> None:
    with pytest.raises(ValueError, match=r"^ServerConfig\.http_compression must be "):
        ServerConfig(http_compression=True)  # type: ignore[arg-type]  # what is being tested
