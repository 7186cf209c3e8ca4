"""JSONP: its codec, and sessions that poll by it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import DecodeError
from sioproto.engineio import CloseReason, EngineServer
from sioproto.engineio._jsonp import callback_of, decode_post, encode_script
from tests.engineio.test_session import end, received
from tests.harness import Driver, engine_driver, request

PREFIX, SUFFIX = "___eio[7](", ");"

text = st.text(st.characters(codec="utf-8"))


@pytest.mark.covers("EIO-JP-02")
@given(text)
def test_script_calls_with_the_payload(payload: str) -> None:
    """EIO-JP-02."""
    script = encode_script("7", payload.encode()).decode()
    assert script.startswith(PREFIX)
    assert script.endswith(SUFFIX)
    assert json.loads(script[len(PREFIX) : -len(SUFFIX)]) == payload
    assert "\u2028" not in script
    assert "\u2029" not in script
    assert "\n" not in script


@pytest.mark.parametrize(
    ("parameter", "callback"),
    [
        ("0", "0"),
        ("7x3", "73"),
        ("12", "12"),
        ("", None),
        ("x", None),
        ("٣", None),
        ("1" * 11, None),
        ("](alert(1));//5", "15"),
    ],
)
def test_callback_is_digits(parameter: str, callback: str | None) -> None:
    assert callback_of(parameter) == callback


@pytest.mark.covers("EIO-JP-03", "EIO-JP-04")
@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b"d=4a%5Cnb", b"4a\nb"),
        (b"d=4a%5C%5Cnb", b"4a\\nb"),
        (b"d=4a%5C%5C%5Cnb", b"4a\\\\nb"),
        (b"d=4a%0Ab", b"4a\nb"),
        (b"d=4a+b", b"4a b"),
        (b"d=4%E2%82%AC%F0%9F%98%80", "4€😀".encode()),
        (b"d=4%FFa", "4\ufffda".encode()),
        (b"x=1&d=2:4a", b"2:4a"),
        (b"d=", b""),
        (b"", None),
        (b"4hello", None),
        (b"d=4a&d=4b", None),
    ],
)
def test_payload_of_a_form(body: bytes, payload: bytes | None) -> None:
    """EIO-JP-03, EIO-JP-04."""
    assert decode_post(body) == payload


def test_form_of_many_fields_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_post(b"&" * 1000)


# Sessions


def polling(revision: int, **config: bool) -> tuple[EngineServer[str], Driver, str]:
    core, driver = engine_driver(allow_eio3=True, jsonp=True, **config)
    driver.revision = revision
    handshake = answer_to(driver, f"EIO={revision}&transport=polling&j=7x3&b64=1")
    sid = json.loads(unwrapped(handshake, revision)[0][1:])["sid"]
    driver._revisions[sid] = revision
    return core, driver, sid


def answer_to(driver: Driver, query: str) -> str:
    answer = driver.answers[driver.http(request(query))]
    assert answer.status == 200
    assert dict(answer.headers)["content-type"] == "text/plain; charset=UTF-8"
    return answer.body.decode()


def unwrapped(script: str, revision: int) -> list[str]:
    """The packets that a script hands over."""
    assert script.startswith("___eio[73](")
    payload = json.loads(script.removeprefix("___eio[73](").removesuffix(");"))
    if revision == 4:
        return str(payload).split("\x1e")
    packets = []
    while payload:
        length, _, rest = payload.partition(":")
        packets.append(rest[: int(length)])
        payload = rest[int(length) :]
    return packets


@pytest.mark.covers("EIO-JP-01", "EIO-JP-05", "EIO-QP-09")
@pytest.mark.parametrize("revision", [3, 4])
def test_session_by_jsonp(revision: int) -> None:
    """EIO-JP-01, EIO-JP-05, EIO-QP-09."""
    core, driver, sid = polling(revision)
    core.send(sid, 'a\u2028"\n')
    core.send(sid, b"\1\2\3")
    answer = answer_to(driver, driver.query(sid) + "&j=99")  # the handshake's counts
    assert unwrapped(answer, revision) == [
        '4a\u2028"\n',
        "b4AQID" if revision == 3 else "bAQID",
    ]
    payload = b"d=3:4a%2b2:4b" if revision == 3 else b"d=4a%2b%1e4b"
    assert driver.post(sid, payload).body == b"ok"
    assert received(driver) == ["a+", "b"]
    assert driver.post(sid, b"4c").body == b"ok"
    assert received(driver) == ["a+", "b"]
    assert driver.post(sid, b"d=").status == 400
    assert end(driver).reason is CloseReason.PARSE_ERROR


@pytest.mark.covers("EIO-JP-05")
def test_binary_is_base64_even_if_the_client_did_not_ask() -> None:
    """EIO-JP-05."""
    core, driver = engine_driver(allow_eio3=True, jsonp=True)
    handshake = answer_to(driver, "EIO=3&transport=polling&j=73")
    sid = json.loads(unwrapped(handshake, 3)[0][1:])["sid"]
    core.send(sid, b"\1\2\3")
    answer = answer_to(driver, f"EIO=3&transport=polling&sid={sid}")
    assert unwrapped(answer, 3) == ["b4AQID"]


def test_session_goes_on_by_websocket() -> None:
    core, driver, sid = polling(3)
    w = driver.upgrade(sid)
    assert driver.frame(w, "2probe", "5", "4a") == ["3probe"]
    core.send(sid, b"\1")
    driver.drain()
    assert driver.frames[w][-1] == b"\4\1"
    assert received(driver) == ["a"]


@pytest.mark.parametrize("parameter", ["", "x", "1" * 11])
def test_callback_without_a_number_is_refused(parameter: str) -> None:
    core, driver = engine_driver(jsonp=True)
    x = driver.http(request(f"EIO=4&transport=polling&j={parameter}"))
    assert json.loads(driver.answers[x].body) == {"code": 3, "message": "Bad request"}
    assert core.statistics().sessions == 0


def test_switched_off_it_is_refused_in_revision_3_and_means_nothing_in_revision_4() -> None:
    _, driver = engine_driver(allow_eio3=True)
    x = driver.http(request("EIO=3&transport=polling&j=1"))
    assert json.loads(driver.answers[x].body)["message"] == "Bad request: JSONP is off"
    assert answer_to(driver, "EIO=4&transport=polling&j=1").startswith('0{"sid"')


@pytest.mark.covers("EIO-HS-14")
@pytest.mark.parametrize("query", ["transport=polling", "transport=polling&j=0"])
def test_older_clients_may_poll_in_two_ways(query: str) -> None:
    """EIO-HS-14: and on a WebSocket."""
    _, driver = engine_driver(allow_eio3=True, jsonp=True)
    driver.revision = 3
    answer = driver.answers[driver.http(request(f"EIO=3&{query}"))]
    assert answer.status == 200
    assert "sid" in answer.body.decode()
    w, _ = driver.open_websocket()
    assert driver.frame(w, "2") == ["3"]
