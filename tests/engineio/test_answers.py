"""The cookie, headers of the application's, the initial packet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from sioproto.engineio import (
    CookieConfig,
    EngineServer,
    HookFailed,
    Message,
    Request,
    ServerConfig,
    SessionClosed,
    SessionOpened,
)
from sioproto.engineio._cookie import cookie
from tests.harness import Driver, counter, engine_driver, request

POLLING = "EIO=4&transport=polling"


def headers_of(answer: Any, name: str) -> list[str]:
    return [value for key, value in answer.headers if key == name]


# The cookie


def test_the_cookie_is_set_by_the_handshake_on_polling_alone() -> None:
    """EIO-HDR-06"""
    core, d = engine_driver(cookie=CookieConfig())
    x = d.http(request(POLLING))
    expected = "io=E1; Path=/; HttpOnly; SameSite=Lax"
    assert headers_of(d.answers[x], "set-cookie") == [expected]
    assert headers_of(d.post("E1", "4a"), "set-cookie") == []
    core.send("E1", "hi")
    poll = d.answers[d.poll("E1")]
    assert poll.body == b"4hi"
    assert headers_of(poll, "set-cookie") == []
    refused = d.answers[d.http(request(POLLING, "POST"))]
    assert (refused.status, headers_of(refused, "set-cookie")) == (400, [])
    w, _ = d.open_websocket()
    assert headers_of(d.accepted[w], "set-cookie") == []


def test_there_is_no_cookie_unless_configured() -> None:
    """EIO-HDR-06"""
    _, d = engine_driver()
    assert headers_of(d.answers[d.http(request(POLLING))], "set-cookie") == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"name": "sess", "max_age": 60, "secure": True, "domain": "ex.com", "same_site": None},
            "sess=S; Max-Age=60; Domain=ex.com; Path=/; HttpOnly; Secure",
        ),
        ({"path": None, "http_only": False}, "io=S; SameSite=Lax"),
        ({"path": "/a", "same_site": "strict"}, "io=S; Path=/a; HttpOnly; SameSite=Strict"),
        (
            {"same_site": "none", "secure": True, "max_age": 0},
            "io=S; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=None",
        ),
    ],
)
def test_attributes_of_the_cookie(fields: dict[str, Any], expected: str) -> None:
    """EIO-HDR-07"""
    assert cookie(CookieConfig(**fields), "S") == expected


@pytest.mark.covers("EIO-SEC-13")
def test_a_session_id_cannot_add_to_the_cookie() -> None:
    """EIO-SEC-13"""
    assert cookie(CookieConfig(path=None, same_site=None), 'a;b=c "é') == (
        "io=a%3Bb%3Dc%20%22%C3%A9; HttpOnly"
    )


@pytest.mark.covers("EIO-SEC-13")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a b"),
        ("name", "io=x; Domain"),
        ("name", None),
        ("path", "/; Domain=x"),
        ("path", "x"),
        ("path", False),
        ("domain", "x; Secure"),
        ("domain", ""),
        ("domain", "x\r\ny: z"),
        ("http_only", 1),
        ("same_site", "Lax"),
        ("same_site", False),
        ("max_age", -1),
        ("max_age", True),
        ("secure", None),
    ],
)
def test_nonsense_for_a_cookie_is_refused_by_name(field: str, value: Any) -> None:
    """EIO-SEC-13"""
    with pytest.raises(ValueError, match=rf"^CookieConfig\.{field} must be "):
        CookieConfig(**{field: value})


def test_a_cookie_for_other_sites_has_to_be_secure() -> None:
    """A browser would drop it."""
    with pytest.raises(ValueError, match=r"^CookieConfig\.secure must be "):
        CookieConfig(same_site="none")


# Headers of the application's


class Hook:
    """Adds headers, and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []

    def __call__(self, request: Request, opens: bool) -> Iterable[tuple[str, str]]:
        self.calls.append((request.method, opens))
        yield "X-All", "1"
        if opens:
            yield "x-init", "2"


def hooked(hook: Any, **config: Any) -> Driver:
    core: EngineServer[str] = EngineServer(
        ServerConfig(**config), new_sid=counter("E"), response_headers=hook
    )
    return Driver(core)


def ours(answer: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.headers if name.startswith("x-")]


@pytest.mark.covers("EIO-HDR-04", "EIO-HDR-05")
def test_headers_are_added_to_every_answer_that_is_no_error() -> None:
    """EIO-HDR-04, EIO-HDR-05"""
    hook = Hook()
    d = hooked(hook, max_payload=10)
    both, common = [("x-all", "1"), ("x-init", "2")], [("x-all", "1")]
    assert ours(d.answers[d.http(request(POLLING))]) == both
    poll = d.poll("E1")
    assert ours(d.post("E1", "4a")) == common
    d.core.send("E1", "hi")  # type: ignore[attr-defined]  # it is an engine
    d.drain()
    assert ours(d.answers[poll]) == common
    for refused in (
        d.answers[d.http(request("transport=abc"))],
        d.answers[d.http(request(f"{POLLING}&sid=E1", "PUT"))],
        d.post("E1", "4" * 11),
    ):
        assert refused.status >= 400
        assert ours(refused) == []
    assert ours(d.accepted[d.upgrade("E1")]) == common
    assert ours(d.accepted[d.open_websocket()[0]]) == both
    assert hook.calls == [
        ("GET", True),
        ("POST", False),
        ("GET", False),
        ("GET", False),
        ("GET", True),
    ]


@pytest.mark.covers("EIO-HDR-08")
def test_a_cookie_that_is_added_stands_beside_the_cookie_of_the_session() -> None:
    """EIO-HDR-08"""
    d = hooked(lambda request, opens: [("Set-Cookie", "my=1")], cookie=CookieConfig())
    answer = d.answers[d.http(request(POLLING))]
    assert [value.partition(";")[0] for value in headers_of(answer, "set-cookie")] == [
        "io=E1",
        "my=1",
    ]
    assert headers_of(d.post("E1", "4a"), "set-cookie") == ["my=1"]


def _raising(request: Request, opens: bool) -> list[tuple[str, str]]:
    raise LookupError("nothing there")


@pytest.mark.covers("EIO-HDR-04")
@pytest.mark.parametrize(
    "hook",
    [
        _raising,
        lambda request, opens: None,
        lambda request, opens: ["no pair"],
        lambda request, opens: [("x-good", "1"), ("x bad", "1")],
        lambda request, opens: [("x-bad", "1\r\nx-worse: 2")],
        lambda request, opens: [("x-bad", "€")],
        lambda request, opens: [("x-bad", " 1")],
        lambda request, opens: [("x-bad", 1)],
        lambda request, opens: [("", "1")],
        lambda request, opens: [("Content-Length", "1")],
        lambda request, opens: [("sec-websocket-extensions", "x")],
    ],
)
def test_a_function_that_fails_costs_its_headers_and_nothing_else(hook: Any) -> None:
    """EIO-HDR-04"""
    d = hooked(hook)
    answer = d.answers[d.http(request(POLLING))]
    assert answer.status == 200
    assert [name for name, _ in answer.headers] == ["content-type", "cache-control"]
    assert d.post("E1", "4a").body == b"ok"
    w = d.upgrade("E1")
    assert d.frame(w, "2probe") == ["3probe"]
    assert len(d.events_of(HookFailed)) == 3
    assert len(d.events_of(SessionOpened)) == 1
    assert d.events_of(SessionClosed) == []


# The initial packet


@pytest.mark.covers("EIO-HS-10")
@pytest.mark.parametrize(
    ("packet", "text", "frame"),
    [("hi", "4hi", "4hi"), ("", "4", "4"), (b"\x01", "bAQ==", b"\x01")],
)
def test_the_initial_packet_comes_with_the_handshake(
    packet: str | bytes, text: str, frame: str | bytes
) -> None:
    """EIO-HS-10"""
    _, d = engine_driver(initial_packet=packet)
    body = d.answers[d.http(request(POLLING))].body.decode()
    opened, initial = body.split("\x1e")
    assert opened.startswith('0{"sid":"E1"')
    assert initial == text
    w, _ = d.open_websocket()
    assert d.frames[w][1:] == [frame]


@pytest.mark.parametrize("packet", ["\ud800", 1, True, bytearray(b"x"), Message("4")])
def test_what_cannot_be_sent_is_no_initial_packet(packet: Any) -> None:
    with pytest.raises(ValueError, match=r"^ServerConfig\.initial_packet must be "):
        ServerConfig(initial_packet=packet)
