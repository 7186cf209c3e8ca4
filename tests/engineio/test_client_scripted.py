"""The Engine.IO client against servers that do what ours does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sioproto import ClosedError, ConnectionFailed, DecodeError, LimitError, LocalProtocolError
from sioproto._output import Event
from sioproto.engineio import (
    CloseReason,
    EngineClient,
    MessageReceived,
    Opened,
    OpenFailed,
    SessionClosed,
    SessionUpgraded,
    UpgradeFailed,
)
from sioproto.engineio._cookie_jar import MAX_COOKIES, Cookies
from tests.joined import Joined, scripted

HANDSHAKE = {
    "sid": "S",
    "upgrades": ["foo", "websocket"],
    "pingInterval": 300,
    "pingTimeout": 200,
    "maxPayload": 1000,
}


def open_packet(**fields: Any) -> bytes:
    return b"0" + json.dumps({**HANDSHAKE, **fields}).encode()


def opened(**config: Any) -> tuple[EngineClient, Joined]:
    """A client on polling that has just opened a session, and whose first poll is open."""
    client, joined = scripted(**config)
    client.open(now=0.0)
    joined.drain()
    joined.respond(joined.requests[0].exchange, body=open_packet())
    joined.drain()
    return client, joined


def upgrading() -> tuple[EngineClient, Joined, int, int]:
    """A client whose probe has been answered. With its poll and its candidate."""
    client, joined = opened()
    ws = joined.connects[0].ws
    joined.accept(ws)
    joined.run(0.02)
    assert joined.sent == [(ws, "2probe")]
    joined.frame(ws, "3probe")
    joined.drain()
    return client, joined, joined.requests[1].exchange, ws


def on_websocket() -> tuple[EngineClient, Joined, int]:
    """A client that opened its session on WebSocket."""
    client, joined = scripted(transports=("websocket",))
    client.open(now=0.0)
    joined.drain()
    ws = joined.connects[0].ws
    joined.accept(ws)
    joined.frame(ws, open_packet().decode())
    joined.drain()
    return client, joined, ws


def data_of(events: list[Event]) -> list[str | bytes]:
    return [event.data for event in events if isinstance(event, MessageReceived)]


def end_of(joined: Joined) -> tuple[CloseReason, Exception | None]:
    (closed,) = joined.events_of(SessionClosed)
    return closed.reason, closed.error


# Opening


@pytest.mark.covers("EIO-CLI-04", "EIO-CLI-09")
@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b'85:0{"sid":"x","upgrades":[],"pingInterval":1,"pingTimeout":1}2:40', "revision 3"),
        (200, b"\x00\x08\x05\xff0{", "revision 3"),
        (200, b"<html>hello</html>", "not from an Engine.IO server"),
        (200, b"", "not from an Engine.IO server"),
        (404, b"<html>no</html>", "no Engine.IO server answers at this path"),
        (301, b"", "redirects elsewhere"),
        (400, b'{"code":5,"message":"Unsupported protocol version"}', "Unsupported protocol"),
        (403, b'{"code":4,"message":"not you"}', "not you"),
        (500, b"oops", "refused: oops"),
        (502, b"<html>Bad Gateway</html>", "HTTP status 502"),
        (201, open_packet(), "HTTP status 201"),
        (200, b"0", "no JSON object"),
        (200, b"0{bad", "no JSON object"),
        (200, b"0[]", "no JSON object"),
        (200, b"0" + b"[" * 100_000, "no JSON object"),
        (200, open_packet(sid=""), "no usable sid"),
        (200, open_packet(sid=7), "no usable sid"),
        (200, open_packet(sid="x" * 1001), "no usable sid"),
        (200, open_packet(sid="a\r\nb"), "no usable sid"),
        (200, open_packet(upgrades=None), "no list of upgrades"),
        (200, open_packet(pingInterval=True), "no usable pingInterval"),
        (200, open_packet(pingTimeout=1e300), "no usable pingTimeout"),
        (200, b"x" * 1001, "too large"),
    ],
)
def test_answers_that_open_no_session(status: int, body: bytes, words: str) -> None:
    """EIO-CLI-04, EIO-CLI-09: each becomes an error that says what is wrong."""
    client, joined = scripted(max_payload=100 if body[:1] == b"x" else 1_000_000)
    client.open(now=0.0)
    joined.drain()
    joined.respond(joined.requests[0].exchange, status, body=body)
    joined.run(10.0)
    (failed,) = joined.events_of(OpenFailed)
    assert isinstance(failed.error, ConnectionFailed)
    assert words in str(failed.error)
    assert len(joined.requests) == 1
    assert client.next_deadline() is None


@pytest.mark.covers("EIO-CLI-10")
def test_message_before_the_open_packet() -> None:
    """EIO-CLI-10."""
    client, joined = scripted()
    client.open(now=0.0)
    joined.drain()
    joined.respond(joined.requests[0].exchange, body=b"4early")
    joined.drain()
    assert not data_of(joined.events)
    assert "no open packet" in str(joined.events_of(OpenFailed)[0].error)


def test_server_that_says_nothing() -> None:
    client, joined = scripted(open_timeout=3.0)
    client.open(now=0.0)
    joined.run(2.9)
    assert not joined.events
    joined.run(0.2)
    (failed,) = joined.events_of(OpenFailed)
    assert "did not answer in time" in str(failed.error)
    assert client.statistics().exchanges == 0


def test_refused_websocket_names_the_words_of_the_server() -> None:
    client, joined = scripted(transports=("websocket",))
    client.open(now=0.0)
    joined.drain()
    joined.refuse(joined.connects[0].ws, 400, body=b"Unsupported protocol version")
    joined.drain()
    (failed,) = joined.events_of(OpenFailed)
    assert "HTTP status 400: Unsupported protocol version" in str(failed.error)


@pytest.mark.covers("EIO-CLI-09")
def test_handshake_without_limit_is_fine() -> None:
    """EIO-CLI-09."""
    client, joined = scripted()
    client.open(now=0.0)
    joined.drain()
    fields = {key: value for key, value in HANDSHAKE.items() if key != "maxPayload"}
    joined.respond(joined.requests[0].exchange, body=b"0" + json.dumps(fields).encode())
    joined.drain()
    (event,) = joined.events_of(Opened)
    assert event.handshake.max_payload is None
    assert event.handshake.ping_interval == 0.3


# Upgrade


@pytest.mark.covers("EIO-UPC-03", "EIO-UPC-04", "EIO-HB-02")
def test_switch_waits_for_poll_and_post() -> None:
    """EIO-UPC-03, EIO-UPC-04, EIO-HB-02: what the last poll brings is handled; order holds."""
    client, joined = opened()
    poll, ws = joined.requests[1].exchange, joined.connects[0].ws
    joined.accept(ws)
    joined.run(0.02)
    client.send("in the post")
    joined.drain()
    post = joined.requests[2]
    assert post.body == b"4in the post"
    joined.frame(ws, "3probe")
    client.send("during1")
    client.send("during2")
    joined.drain()
    joined.respond(poll, body=b"4late\x1e2")
    joined.drain()
    assert len(joined.requests) == 3  # neither a poll nor a POST any more
    assert not joined.events_of(SessionUpgraded)
    joined.respond(post.exchange)
    joined.run(0.02)
    assert data_of(joined.events) == ["late"]
    assert [payload for _, payload in joined.sent] == ["2probe", "5", "3", "4during1", "4during2"]
    assert joined.events_of(SessionUpgraded)


@pytest.mark.covers("EIO-UPC-09")
def test_candidate_that_dies_while_only_the_post_is_awaited() -> None:
    """EIO-UPC-09: nothing else would ever start the next poll."""
    client, joined = opened()
    poll, ws = joined.requests[1].exchange, joined.connects[0].ws
    joined.accept(ws)
    joined.run(0.02)
    client.send("in the post")
    joined.drain()
    joined.frame(ws, "3probe")
    joined.respond(poll, body=b"6")
    joined.drain()
    assert [out.method for out in joined.requests[1:]] == ["GET", "POST"]
    joined.break_websocket(ws)
    joined.drain()
    assert [out.method for out in joined.requests[1:]] == ["GET", "POST", "GET"]
    joined.respond(joined.requests[-1].exchange, body=b"4a")
    joined.drain()
    assert data_of(joined.events) == ["a"]


@pytest.mark.covers("EIO-UPC-10")
def test_what_comes_before_the_switch_is_kept() -> None:
    """EIO-UPC-10: the reference loses it."""
    _, joined, poll, ws = upgrading()
    joined.frame(ws, "4early")
    joined.drain()
    assert not data_of(joined.events)
    joined.respond(poll, body=b"4first\x1e6")
    joined.run(0.02)
    joined.frame(ws, "4after")
    joined.drain()
    assert data_of(joined.events) == ["first", "early", "after"]


def test_too_much_before_the_switch() -> None:
    client, joined = opened(max_payload=1000)
    ws = joined.connects[0].ws
    joined.accept(ws)
    joined.run(0.02)
    joined.frame(ws, "3probe")
    for _ in range(20):
        joined.frame(ws, "4" + "x" * 50)
    joined.drain()
    reason, error = end_of(joined)
    assert reason is CloseReason.TRANSPORT_ERROR
    assert isinstance(error, LimitError)
    assert error.limit == "max_payload"
    assert client.sid is None


@pytest.mark.covers("EIO-UPC-08")
@pytest.mark.parametrize("frame", ["3", "6", "4x", "", "x", b"3probe"])
def test_wrong_answer_to_the_probe(frame: str | bytes) -> None:
    """EIO-UPC-08: the candidate is closed, where the reference leaves it open."""
    _, joined = opened()
    ws = joined.connects[0].ws
    joined.accept(ws)
    joined.run(0.02)
    joined.frame(ws, frame)
    joined.run(0.02)
    assert len(joined.events_of(UpgradeFailed)) == 1
    assert [out.ws for out in joined.closes] == [ws]
    joined.respond(joined.requests[1].exchange, body=b"4a")
    joined.drain()
    assert data_of(joined.events) == ["a"]
    assert len(joined.requests) == 3  # polling goes on


@pytest.mark.covers("EIO-UPC-13")
def test_poll_that_never_ends_ends_the_upgrade() -> None:
    """EIO-UPC-13: and not the session."""
    client, joined = scripted(upgrade_timeout=0.1)
    client.open(now=0.0)
    joined.drain()
    joined.respond(joined.requests[0].exchange, body=open_packet())
    joined.drain()
    ws = joined.connects[0].ws
    joined.accept(ws)
    joined.run(0.02)
    joined.frame(ws, "3probe")
    joined.run(0.2)
    (failed,) = joined.events_of(UpgradeFailed)
    assert isinstance(failed.error, LimitError)
    assert not joined.events_of(SessionClosed)
    client.send("a")
    joined.drain()
    assert joined.requests[-1].body == b"4a"


@pytest.mark.covers("EIO-UPC-11")
def test_poll_that_fails_during_the_upgrade() -> None:
    """EIO-UPC-11."""
    client, joined, poll, ws = upgrading()
    joined.respond(poll, body=b"1")
    joined.run(0.02)
    assert end_of(joined)[0] is CloseReason.TRANSPORT_CLOSE
    assert [out.ws for out in joined.closes] == [ws]
    assert "5" not in [payload for _, payload in joined.sent]
    assert client.next_deadline() is None


@pytest.mark.covers("EIO-UPC-05")
def test_only_what_both_sides_want_is_probed() -> None:
    """EIO-UPC-05."""
    for config in ({"upgrade": False}, {"transports": ("polling",)}):
        _, joined = opened(**config)
        assert not joined.connects


# Heartbeat


@pytest.mark.covers("EIO-HB-04", "EIO-HB-06")
@pytest.mark.parametrize("noise", [b"4m", b"6"])
def test_only_pings_are_signs_of_life(noise: bytes) -> None:
    """EIO-HB-04, EIO-HB-06: the server is told, as far as possible."""
    _, joined = opened(upgrade=False)
    for _ in range(12):
        joined.respond(joined.requests[-1].exchange, body=noise)
        joined.run(0.05)
    assert end_of(joined)[0] is CloseReason.PING_TIMEOUT
    assert joined.requests[-1].body == b"1"


@pytest.mark.covers("EIO-HB-02")
def test_pong_overtakes_what_waits_and_repeats_nothing() -> None:
    """EIO-HB-02: one for each ping, without its data."""
    client, joined, ws = on_websocket()
    client.send("large")
    joined.drain()
    client.send("waits")
    joined.frame(ws, "2abc")
    joined.frame(ws, "2")
    joined.run(0.02)
    assert [payload for _, payload in joined.sent] == ["4large", "3", "3", "4waits"]


@pytest.mark.covers("EIO-HB-04")
def test_heartbeat_of_a_server_that_is_not_read() -> None:
    """EIO-HB-04: a ping may be waiting unread, for a while."""
    client, joined = opened(upgrade=False, stall_timeout=5.0)
    client.hold(now=joined.now)
    joined.run(4.9)
    assert not joined.events_of(SessionClosed)
    client.resume(now=joined.now)
    joined.run(0.4)
    assert not joined.events_of(SessionClosed)
    client.hold(now=joined.now)
    joined.run(5.1)
    reason, error = end_of(joined)
    assert reason is CloseReason.FORCED_CLOSE
    assert isinstance(error, LimitError)
    assert error.limit == "stall_timeout"
    client.resume(now=joined.now)


# What servers should not do


@pytest.mark.covers("EIO-CLI-12", "EIO-CL-12")
@pytest.mark.parametrize("body", [b"7", b"", b"4a\x1e", b"bA==="])
def test_packets_before_a_bad_one_are_delivered(body: bytes) -> None:
    """EIO-CLI-12, EIO-CL-12."""
    _, joined = opened(upgrade=False)
    joined.respond(joined.requests[1].exchange, body=b"4good\x1e" + body if body else body)
    joined.drain()
    assert data_of(joined.events)[:1] == (["good"] if body else [])
    reason, error = end_of(joined)
    assert reason is CloseReason.PARSE_ERROR
    assert isinstance(error, DecodeError)
    assert [out.body for out in joined.requests[2:]] == [b"1"]


@pytest.mark.covers("EIO-CLI-12")
def test_packets_without_meaning_are_ignored() -> None:
    """EIO-CLI-12: but not a close packet, which the reference ignores on WebSocket."""
    client, joined, ws = on_websocket()
    for frame in ("6", "5", "3", "3probe"):
        joined.frame(ws, frame)
    joined.drain()
    assert client.sid == "S"
    joined.frame(ws, "1")
    joined.run(0.02)
    assert end_of(joined)[0] is CloseReason.TRANSPORT_CLOSE
    assert client.statistics().websockets == 0


@pytest.mark.covers("EIO-CLI-11")
def test_second_open_packet() -> None:
    """EIO-CLI-11."""
    client, joined, ws = on_websocket()
    joined.frame(ws, open_packet(sid="T").decode())
    joined.drain()
    assert end_of(joined)[0] is CloseReason.TRANSPORT_ERROR
    assert client.sid is None


@pytest.mark.covers("EIO-CLI-04")
@pytest.mark.parametrize("status", [201, 204, 301, 400, 500])
def test_status_that_is_not_200(status: int) -> None:
    """EIO-CLI-04."""
    for kind in ("GET", "POST"):
        client, joined = opened(upgrade=False)
        client.send("a")
        joined.drain()
        exchange = next(out.exchange for out in joined.requests[1:] if out.method == kind)
        joined.respond(exchange, status, body=b"4lost")
        joined.drain()
        assert end_of(joined)[0] is CloseReason.TRANSPORT_ERROR
        assert not data_of(joined.events)


def test_post_that_is_never_answered() -> None:
    client, joined = scripted(upgrade=False, post_timeout=2.0)
    client.open(now=0.0)
    joined.drain()
    handshake = open_packet(pingInterval=10_000)
    joined.respond(joined.requests[0].exchange, body=handshake)
    client.send("a")
    joined.run(2.5)
    reason, error = end_of(joined)
    assert reason is CloseReason.TRANSPORT_ERROR
    assert isinstance(error, LimitError)
    assert error.limit == "post_timeout"
    assert client.statistics().exchanges == 0


def test_server_that_takes_nothing() -> None:
    client, joined = opened(upgrade=False, max_buffer=1000)
    client.send("first")
    joined.drain()
    for _ in range(6):
        client.send("x" * 100)
    with pytest.raises(ClosedError):
        client.send("x" * 100)
    joined.drain()
    reason, error = end_of(joined)
    assert reason is CloseReason.FORCED_CLOSE
    assert isinstance(error, LimitError)
    assert error.limit == "max_buffer"


def test_facts_about_what_was_given_up_are_ignored() -> None:
    client, joined = opened()
    poll, ws = joined.requests[1].exchange, joined.connects[0].ws
    client.close(now=0.1)
    joined.drain()
    client.http_response(poll, 200, (), b"4late", now=0.2)
    client.http_response(poll, 200, (), b"4again", now=0.2)
    client.ws_opened(ws, now=0.2)
    client.ws_text(ws, "3probe", now=0.2)
    client.ws_closed(ws, now=0.2)
    joined.drain()
    assert not data_of(joined.events)
    with pytest.raises(LocalProtocolError):
        client.http_failed(999, OSError(), now=0.3)
    with pytest.raises(LocalProtocolError):
        client.ws_text(ws, "2", now=0.3)


# Cookies


@pytest.mark.covers("EIO-CLI-15")
def test_cookies_are_sent_back() -> None:
    """EIO-CLI-15: in polls, POSTs and the request for the WebSocket, beside the user's own."""
    client, joined = scripted(headers=(("cookie", "mine=1"),))
    client.open(now=0.0)
    joined.drain()
    assert joined.requests[0].headers == (("cookie", "mine=1"),)
    headers = (
        ("set-cookie", "a=1; Path=/; HttpOnly"),
        ("set-cookie", 'b="2"; Max-Age=100'),
        ("set-cookie", "c=3; Max-Age=0"),
    )
    joined.respond(joined.requests[0].exchange, headers=headers, body=open_packet())
    client.send("x")
    joined.drain()
    for out in (joined.requests[1], joined.requests[2], joined.connects[0]):
        assert out.headers[-1] == ("cookie", "mine=1; a=1; b=2") or out.headers[0][0] == "cookie"
    joined.respond(
        joined.requests[1].exchange, headers=(("set-cookie", "a=; Max-Age=-1"),), body=b"6"
    )
    joined.drain()
    assert joined.requests[-1].headers == (("cookie", "mine=1; b=2"),)


def test_ages_of_cookies() -> None:
    cookies = Cookies()
    date = ("date", "Tue, 24 Nov 2026 20:00:00 GMT")
    cookies.take((date, ("set-cookie", "a=1; Expires=Tue, 24 Nov 2026 20:01:00 GMT")), 10.0)
    cookies.take((date, ("set-cookie", "b=1; Expires=Tue, 24 Nov 2026 19:59:00 GMT")), 10.0)
    cookies.take((date, ("set-cookie", "c=1; Expires=whenever")), 10.0)
    cookies.take((("set-cookie", "d=1; expires=Tue, 24-Nov-2026 20:01:00 GMT"),), 10.0)
    cookies.take((("set-cookie", "nonsense"), ("set-cookie", "=1")), 10.0)
    assert cookies.header(69.0) == "a=1; c=1; d=1"
    assert cookies.header(70.0) == "c=1; d=1"
    cookies.take((("set-cookie", "c=x; expires=Thu, 01 Jan 1970 00:00:00 GMT"),), 70.0)
    assert cookies.header(70.0) == "d=1"
    for number in range(1000):
        cookies.take((("set-cookie", f"n{number}=1"),), 70.0)
    assert cookies.header(70.0).count("=") == MAX_COOKIES
