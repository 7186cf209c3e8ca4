"""CORS: EIO-CORS-01 to 03, EIO-SEC-11, EIO-ERR-11."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from sioproto import ConnectionRefused
from sioproto.engineio import (
    CorsConfig,
    EngineServer,
    HookFailed,
    HttpRespond,
    Request,
    ServerConfig,
    SessionOpened,
)
from tests.harness import Driver, counter, engine_driver, request

HERE, THERE = "https://here.example", "https://there.example"
POLLING = "EIO=4&transport=polling"
WEBSOCKET = "EIO=4&transport=websocket"


def driver(**cors: Any) -> Driver:
    return engine_driver(cors=CorsConfig(**cors))[1]


def ask(driver: Driver, query: str = POLLING, method: str = "GET", **headers: str) -> Any:
    return driver.answers[driver.http(request(query, method, **headers))]


def cors(answer: Any) -> dict[str, str]:
    """What of an answer is about CORS."""
    return {
        name.removeprefix("access-control-"): value
        for name, value in answer.headers
        if name.startswith("access-control-") or name == "vary"
    }


def test_without_configuration_there_is_no_cors() -> None:
    """EIO-CORS-01"""
    _, plain = engine_driver()
    assert cors(ask(plain, origin=HERE)) == {}
    sid = plain.open_polling()
    for query, code in [(POLLING, 2), (f"{POLLING}&sid=unknown", 1), (f"{POLLING}&sid={sid}", 3)]:
        refused = ask(plain, query, "OPTIONS", origin=HERE)
        assert refused.status == 400
        assert json.loads(refused.body)["code"] == code
        assert cors(refused) == {}
    assert plain.post(sid, "4a").body == b"ok", "the session goes on"


@pytest.mark.parametrize("query", [POLLING, f"{POLLING}&sid=unknown", "", "transport=abc"])
def test_preflight_is_answered_whatever_it_is_about(query: str) -> None:
    """EIO-CORS-02"""
    d = driver()
    answer = ask(
        d, query, "OPTIONS", origin=HERE, access_control_request_headers="content-type, x-a"
    )
    assert (answer.status, answer.body) == (204, b"")
    assert cors(answer) == {
        "allow-origin": "*",
        "allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
        "allow-headers": "content-type, x-a",
        "vary": "Access-Control-Request-Headers",
    }
    assert d.events == []


def test_preflight_can_be_configured() -> None:
    """EIO-CORS-02"""
    d = driver(
        origin=HERE,
        methods=("GET", "POST"),
        allowed_headers=("x-b", "x-c"),
        exposed_headers=("x-e", "x-f"),
        credentials=True,
        max_age=600,
        preflight_status=200,
    )
    answer = ask(d, method="OPTIONS", origin=HERE, access_control_request_headers="x-a")
    assert answer.status == 200
    assert cors(answer) == {
        "allow-origin": HERE,
        "allow-credentials": "true",
        "allow-methods": "GET,POST",
        "allow-headers": "x-b,x-c",
        "max-age": "600",
        "vary": "Origin",
    }
    assert cors(ask(d, origin=HERE)) == {
        "allow-origin": HERE,
        "allow-credentials": "true",
        "expose-headers": "x-e,x-f",
        "vary": "Origin",
    }


def test_preflight_mirrors_nothing_but_names() -> None:
    """EIO-CORS-02"""
    for wanted in ("", "a b", "x\x00y", "x\x7fy", "a,", "a;b", "é"):
        answer = ask(driver(), method="OPTIONS", access_control_request_headers=wanted)
        assert "allow-headers" not in cors(answer), wanted


@pytest.mark.covers("EIO-CORS-03b")
@pytest.mark.parametrize(
    "rule",
    [
        (HERE, "null"),
        re.compile(r"https://h[a-z]+\.example"),
        lambda origin: origin == HERE,
    ],
    ids=["tuple", "pattern", "function"],
)
def test_an_origin_that_is_allowed_is_mirrored(rule: Any) -> None:
    """EIO-CORS-03, EIO-CORS-03b"""
    d = driver(origin=rule, credentials=True)
    allowed = {"allow-origin": HERE, "allow-credentials": "true", "vary": "Origin"}
    assert cors(ask(d, origin=HERE)) == allowed
    for other in (THERE, f"{HERE}.evil.example", f"x{HERE}", HERE.upper(), ""):
        answer = ask(d, origin=other)
        assert answer.status == 200  # served all the same: it is the browser that keeps it
        assert cors(answer) == {"vary": "Origin"}, other
    assert cors(ask(d)) == {"vary": "Origin"}


def test_one_origin_is_said_to_everybody() -> None:
    """EIO-CORS-03"""
    expected = {"allow-origin": HERE, "vary": "Origin"}
    for headers in ({}, {"origin": HERE}, {"origin": THERE}):
        assert cors(ask(driver(origin=HERE), **headers)) == expected


def test_every_answer_of_a_session_and_every_error_says_the_same() -> None:
    """EIO-CORS-03, EIO-SEC-11"""

    def refuse(request: Request) -> None:
        if request.header("x-bad"):
            raise ConnectionRefused("no")

    config = ServerConfig(
        cors=CorsConfig(origin=(HERE,), credentials=True, exposed_headers=("x-e",)), max_payload=10
    )
    core: EngineServer[str] = EngineServer(config, new_sid=counter("E"), allow_request=refuse)
    d = Driver(core)
    d.http(request(POLLING, origin=HERE))
    here = f"{POLLING}&sid=E1"
    poll = d.http(request(here, origin=HERE))
    d.http(request(here, "POST", origin=HERE), b"4a")
    d.http(request(here, "POST", origin=HERE), b"4" * 11)
    d.http(request(here, "POST", origin=HERE, content_length="11"))
    d.http(request(here, "PUT", origin=HERE))
    d.http(request(here, origin=HERE))  # overlaps: the poll is answered with the end
    d.http(request(here, "POST", origin=HERE))
    d.http(request(POLLING, origin=HERE, x_bad="1"))
    d.http(request("transport=abc", origin=HERE))
    expected = {
        "allow-origin": HERE,
        "allow-credentials": "true",
        "expose-headers": "x-e",
        "vary": "Origin",
    }
    assert [cors(answer) for answer in d.answers.values()] == [expected] * 10
    assert d.answers[poll].body == b"1"
    statuses = sorted(answer.status for answer in d.answers.values())
    assert statuses == [200, 200, 200, 400, 400, 400, 400, 403, 413, 413]


def test_101_says_the_same() -> None:
    """EIO-CORS-03"""
    d = driver(origin=(HERE,))
    sid = d.open_polling()
    for query in (WEBSOCKET, f"{WEBSOCKET}&sid={sid}"):
        w = d.connect(request(query, origin=HERE))
        assert cors(d.accepted[w]) == {"allow-origin": HERE, "vary": "Origin"}


def test_a_refused_upgrade_says_the_same() -> None:
    """EIO-CORS-03"""
    d = driver(origin=(HERE,))
    w = d.connect(request(f"{WEBSOCKET}&sid=unknown", origin=HERE))
    assert cors(d.rejected[w]) == {"allow-origin": HERE, "vary": "Origin"}


def test_a_function_that_raises_allows_nobody_and_is_told_of() -> None:
    """EIO-CORS-03"""
    error = RuntimeError("broken")

    def raising(origin: str) -> bool:
        raise error

    d = driver(origin=raising)
    opened = ask(d, origin=HERE)
    preflight = ask(d, method="OPTIONS", origin=HERE)
    assert (opened.status, cors(opened)) == (200, {})
    assert (preflight.status, cors(preflight)) == (204, {})
    assert [out.error for out in d.events_of(HookFailed)] == [error, error]
    assert d.events_of(HookFailed)[0].request.header("origin") == HERE
    assert len(d.events_of(SessionOpened)) == 1


def test_blanks_in_what_a_preflight_asks_for_cost_no_more_than_other_bytes() -> None:
    """EIO-CORS-02: a run of them took time in proportion to its square."""
    began = time.process_time()
    asked = ask(
        driver(), method="OPTIONS", access_control_request_headers="x" + " " * 100_000 + "y"
    )
    assert "allow-headers" not in cors(asked)
    assert time.process_time() - began < 2


@pytest.mark.covers("EIO-ERR-11")
@pytest.mark.parametrize("origin", ["http://a\x7fb", "http://a\nb", " x", "x ", "http://€"])
def test_an_origin_that_could_not_be_mirrored_is_a_bad_request(origin: str) -> None:
    """EIO-ERR-11"""
    answer = ask(driver(origin=lambda origin: True), origin=origin)
    assert (answer.status, answer.body) == (400, b'{"code":3,"message":"Bad request"}')
    assert all(value != origin for _, value in answer.headers)


@pytest.mark.covers("EIO-ERR-11")
def test_bytes_beyond_ascii_in_an_origin_are_served() -> None:
    """EIO-ERR-11"""
    answer = ask(driver(origin=lambda origin: True), origin="http://\xe9")
    assert isinstance(answer, HttpRespond)
    assert (answer.status, cors(answer)["allow-origin"]) == (200, "http://\xe9")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("origin", True),
        ("origin", None),
        ("origin", ""),
        ("origin", "example.org"),
        ("origin", "https://example.org/"),
        ("origin", "HTTPS://example.org"),
        ("origin", "https://a.example, https://b.example"),
        ("origin", "https://*\r\nx: y"),
        ("origin", ()),
        ("origin", ("*",)),
        ("origin", [HERE]),
        ("origin", re.compile(b"x")),
        ("credentials", True),  # with the default origin, which is everybody's
        ("credentials", 1),
        ("methods", "GET"),
        ("methods", ("GET POST",)),
        ("allowed_headers", "x"),
        ("allowed_headers", ("x\r\n",)),
        ("exposed_headers", None),
        ("exposed_headers", ("x y",)),
        ("max_age", -1),
        ("max_age", True),
        ("max_age", 1.5),
        ("preflight_status", 500),
    ],
)
def test_nonsense_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^CorsConfig\.{field} must be "):
        CorsConfig(**{field: value})


def test_the_engine_refuses_what_is_no_configuration() -> None:
    with pytest.raises(ValueError, match=r"ServerConfig\.cors"):
        ServerConfig(cors="*")  # type: ignore[arg-type]  # what is being tested
