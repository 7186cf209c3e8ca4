#!/usr/bin/env python3
"""A query is read as plain percent-decoding reads it, an open packet is taken exactly if every
field makes sense, and whatever the head of a request says, a server gives it one answer with a
status that is documented.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fuzzing import plain_engine
from fuzzing.bounds import Budget
from fuzzing.plain import bytes_of, text_of
from fuzzing.target import Target
from fuzzing.verdict import agree, outcome, plainly
from sioproto.engineio import Request
from sioproto.engineio._client_handshake import Handshake, parse_handshake
from sioproto.engineio._request import announced_length, parse_query
from tests.harness import Driver, engine_driver

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

QUERY, OPEN_PACKET, HTTP, WEBSOCKET = range(4)
STATUSES = (200, 400, 403, 404, 413)
METHODS = ("GET", "POST", "OPTIONS", "PUT", "DELETE", "HEAD", "PATCH", "X")
NAMES = (
    *("origin", "content-length", "content-type", "cookie", "host", "accept-encoding", "upgrade"),
    *("access-control-request-headers", "connection", "sec-websocket-protocol", "x-forwarded-for"),
)


def _answered(kind: int, content: bytes) -> Driver:
    """State a request: its method, its target, and headers, with line ends between them."""
    _, driver = engine_driver(
        allow_eio3=True, jsonp=True, transports=("polling", "websocket"), max_payload=1000
    )
    sid = driver.open_polling()  # E1, which the request may name
    assert sid == "E1"
    method, *lines = text_of(content[1:]).split("\n")
    del method
    head = Request(
        method=METHODS[content[0] % len(METHODS)] if content else "GET",
        target="/engine.io/?" + (lines[0] if lines else ""),
        headers=tuple((NAMES[ord(line[0]) % len(NAMES)], line[1:]) for line in lines[1:20] if line),
        address="192.0.2.1",
    )
    announced_length(head)
    if kind == HTTP:
        x = driver.http(head, b"4hello", name="asked")
        if x in driver.unanswered:
            driver.sleep(200.0)
    else:
        w = driver.connect(head, name="asked")
        assert (w in driver.accepted) != (w in driver.rejected), "one answer"
    return driver


def decode(data: bytes) -> Mapping[str, str] | Handshake | Driver | Exception:
    """The first byte tells a query, an open packet, and the heads of requests."""
    kind = data[0] % 4 if data else QUERY
    content = data[1:]
    if kind == QUERY:
        return outcome(lambda: parse_query(text_of(content)))
    if kind == OPEN_PACKET:
        return outcome(lambda: parse_handshake(text_of(content)))
    return _answered(kind, content)


def judge(data: bytes) -> None:
    kind = data[0] % 4 if data else QUERY
    text = text_of(data[1:])
    found = decode(data)
    if isinstance(found, Driver):
        if "asked" in found.answers:
            answer = found.answers["asked"]
            assert answer.status in STATUSES, f"status {answer.status}"
            assert all("\r" not in value and "\n" not in value for _, value in answer.headers), (
                "a header that splits the answer"
            )
        elif kind == HTTP:
            raise AssertionError("no answer at all")
        for rejected in found.rejected.values():
            assert rejected.status in STATUSES, f"status {rejected.status}"
    elif kind == QUERY:
        fields = dict(found) if isinstance(found, Mapping) else found
        agree(fields, plainly(lambda: plain_engine.query(text)))
    elif kind == OPEN_PACKET:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(found, Handshake):
            agree(
                {
                    "sid": found.sid,
                    "upgrades": list(found.upgrades),
                    "times": [found.ping_interval, found.ping_timeout],
                    "max_payload": found.max_payload,
                },
                plainly(lambda: plain_engine.handshake(value)),
            )
        else:
            agree(found, plainly(lambda: plain_engine.handshake(value)))


QUERIES = (
    *("EIO=4&transport=polling", "EIO=3&transport=polling&b64=1", "EIO=4&transport=websocket"),
    *(
        "EIO=4&transport=polling&sid=E1",
        "EIO=3&transport=polling&sid=E1",
        "transport=polling&sid=E1",
    ),
    *("EIO=4&transport=polling&sid=E1&sid=", "%45IO=4&transport=poll%69ng", "EIO=4&transport=%ff"),
    *("EIO=4&EIO=3&transport=polling", "eio=4&transport=polling", "EIO=4;transport=polling"),
    *("EIO=4&transport=__proto__", "EIO=4&transport=polling&sid=__proto__", "a=%zz&b=%4&c=%"),
    *(
        "EIO=4&transport=polling&j=0",
        "EIO=3&transport=polling&j=1x2",
        "EIO=5&transport=polling",
        "",
    ),
    *(
        "&&=&a&=b",
        "a=+%2B%20",
        "a=%e2%82%ac€",
        "EIO=4&transport=polling#x",
        "EIO=٤&transport=polling",
    ),
)


def seeds() -> list[bytes]:
    good = {
        "sid": "x",
        "upgrades": ["websocket"],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1000000,
    }
    changes: tuple[dict[str, Any], ...] = (
        *(
            {},
            {"sid": ""},
            {"sid": 7},
            {"sid": "a\r\nb"},
            {"upgrades": None},
            {"upgrades": [1, "a"]},
        ),
        *(
            {"pingInterval": True},
            {"pingTimeout": 1e300},
            {"pingTimeout": 0.5},
            {"pingInterval": 0},
        ),
        *({"maxPayload": 0}, {"maxPayload": True}, {"maxPayload": 1.5}),
    )
    return [
        *(bytes([QUERY]) + b"/?" + query.encode() for query in QUERIES),
        *(bytes([OPEN_PACKET]) + json.dumps({**good, **change}).encode() for change in changes),
        bytes([OPEN_PACKET]) + b"[]",
        bytes([OPEN_PACKET]) + b'{"sid":"x","upgrades":[],"pingInterval":NaN,"pingTimeout":1}',
        *(
            bytes([kind, method]) + b"\n" + query.encode() + b"\n" + headers
            for kind in (HTTP, WEBSOCKET)
            for query in QUERIES
            for method, headers in ((0, b""), (1, b"\x01\x31\x32\n\x02text/plain"))
        ),
        bytes([HTTP, 1]) + b"\nEIO=4&transport=polling&sid=E1\n\x01" + b"9" * 30,
        bytes([HTTP, 2]) + b"\nEIO=4&transport=polling\n\x00https://a.example\n\x07x-a",
    ]


WORST = {
    "fields": lambda size: b"\0/?" + b"a=b&" * (size // 4),
    "ninety-nine fields": lambda size: b"\0/?" + (b"a" * (size // 100) + b"&") * 99,
    "escapes": lambda size: b"\0/?a=" + b"%ff" * (size // 3),
    "broken escapes": lambda size: b"\0/?a=" + b"%" * size,
    "spaces": lambda size: b"\0/?a=" + b"+" * size,
    "beyond ASCII": lambda size: b"\0/?a=" + "é%".encode() * (size // 3),
    "question marks": lambda size: b"\0/" + b"?" * size,
    "a nested open packet": lambda size: b"\x01" + b"[" * size,
    "a huge interval": lambda size: b"\x01" + b'{"pingInterval":' + b"9" * size + b"}",
    "many upgrades": lambda size: (
        b"\x01" + b'{"sid":"x","upgrades":[' + b"1," * (size // 2) + b"1]}"
    ),
    "a long header": lambda size: b"\x02\x00\nEIO=4&transport=polling\n\x00" + b"x" * size,
    "a long list of encodings": lambda size: (
        b"\x02\x00\nEIO=4&transport=polling\n\x05" + b"gzip;q=0," * (size // 9)
    ),
    "a long list of tokens": lambda size: (
        b"\x03\x00\nEIO=4&transport=websocket\n\x06" + b"a," * (size // 2)
    ),
}


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    from sioproto.testing import strategies

    keys = st.sampled_from(("EIO", "transport", "sid", "j", "b64", "t", "%45IO", "x"))
    values = st.sampled_from(
        ("4", "3", "polling", "websocket", "E1", "E2", "0", "", "%ff", "+", "é")
    )
    field = st.builds("{}={}".format, keys, values) | st.text("a=&%41+;é", max_size=5)
    queries = st.lists(field, max_size=6).map("&".join) | st.sampled_from(QUERIES)
    opens = st.builds(
        lambda fields, key, value: json.dumps({**fields, key: value}),
        strategies.handshakes(),
        st.sampled_from(("sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload", "more")),
        strategies.json_values(),
    )
    headers = st.lists(
        st.builds(
            lambda name, value: bytes([name]) + value.encode(),
            st.integers(0, 9),
            st.sampled_from(("1", "gzip", "https://a.example", "x;q=0", "٣", "-1", "text/plain")),
        ),
        max_size=3,
    )
    heads = st.builds(
        lambda kind, method, query, lines: (
            bytes([kind, method]) + b"\n" + b"\n".join([query.encode(), *lines])
        ),
        st.sampled_from((HTTP, WEBSOCKET)),
        st.integers(0, 7),
        queries,
        headers,
    )
    return st.one_of(
        queries.map(lambda query: bytes([QUERY]) + b"/?" + query.encode()),
        (opens | strategies.open_packets()).map(lambda text: bytes([OPEN_PACKET]) + bytes_of(text)),
        heads,
    )


TARGET = Target(
    file=__file__,
    decode=decode,
    judge=judge,
    budget=Budget(operations=15, memory=200, first_operations=3000),
    seeds=seeds,
    worst=WORST,
    examples=examples,
)

if __name__ == "__main__":
    TARGET.main()
