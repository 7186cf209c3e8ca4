"""What the server machine does that is easily overlooked: one behaviour, one test."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sioproto._output import Event
from sioproto.engineio import (
    CloseReason,
    CookieConfig,
    EngineServer,
    Message,
    MessageReceived,
    SessionClosed,
    SessionOpened,
)
from tests.engineio.test_session import end, gone, received
from tests.harness import Driver, engine_driver, request

INTERNET_EXPLORER = "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko"


def driver_of(revision: int, **config: float) -> tuple[EngineServer[str], Driver]:
    core, driver = engine_driver(allow_eio3=revision == 3, **config)
    driver.revision = revision
    return core, driver


def packed(revision: int, *packets: str) -> str:
    """A payload of packets in ASCII."""
    if revision == 4:
        return "\x1e".join(packets)
    return "".join(f"{len(packet)}:{packet}" for packet in packets)


# Headers


@pytest.mark.covers("EIO-HDR-02")
@pytest.mark.parametrize("revision", [3, 4])
def test_headers_of_the_answer_to_a_post(revision: int) -> None:
    """EIO-HDR-02: what follows from the body is the driver's to add."""
    _, driver = driver_of(revision)
    answer = driver.post(driver.open_polling(), packed(revision, "4a"))
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers == (("content-type", "text/html"), ("cache-control", "no-store"))


@pytest.mark.covers("EIO-HDR-03")
@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (INTERNET_EXPLORER, ["0"]),
        ("Mozilla/4.0 (compatible;MSIE 7.0;Windows NT 6.0)", ["0"]),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", []),
        ("", []),
        (None, []),
    ],
)
def test_old_browsers_are_told_not_to_filter(agent: str | None, told: list[str]) -> None:
    """EIO-HDR-03: whatever is no error, and no error."""
    core, driver = engine_driver(cookie=CookieConfig())
    headers = {} if agent is None else {"user_agent": agent}

    def ask(query: str, method: str = "GET", body: bytes = b"") -> list[str]:
        answer = driver.answers[driver.http(request(query, method, **headers), body)]
        return [value for name, value in answer.headers if name == "x-xss-protection"]

    assert ask("EIO=4&transport=polling") == told
    here = driver.query("E1")
    assert ask(here, "POST", b"4a") == told
    core.send("E1", "hi")
    assert ask(here) == told
    assert ask("EIO=4&transport=polling&sid=unknown") == []


# Polls


@pytest.mark.covers("EIO-POLL-01")
def test_a_poll_stays_open_until_the_next_ping() -> None:
    """EIO-POLL-01"""
    _, driver = engine_driver(ping_interval=100_000)
    poll = driver.poll(driver.open_polling())
    driver.sleep(99_999)
    assert driver.unanswered == [poll]
    driver.sleep(2)
    assert driver.answers[poll].body == b"2"


@pytest.mark.covers("EIO-POLL-01")
def test_a_poll_of_a_client_that_pings_itself_stays_open() -> None:
    """EIO-POLL-01: there, nothing but a message ends it."""
    core, driver = driver_of(3)
    sid = driver.open_polling()
    poll = driver.poll(sid)
    for _ in range(100):
        driver.sleep(40)
        assert driver.post(sid, "1:6").body == b"ok"
    assert driver.unanswered == [poll]
    core.send(sid, "at last")
    driver.drain()
    assert driver.answers[poll].body == b"8:4at last"


@pytest.mark.covers("EIO-POLL-10b")
def test_the_limit_of_a_post_counts_the_bytes_that_were_sent() -> None:
    """EIO-POLL-10, EIO-POLL-10b: also those that are no UTF-8."""
    _, driver = engine_driver(max_payload=100)
    sid = driver.open_polling()
    assert driver.post(sid, b"4" + b"\xff" * 99).body == b"ok"
    assert received(driver) == ["\ufffd" * 99]
    assert driver.post(sid, b"4" + b"\xff" * 100).status == 413
    assert driver.post(sid, "4" + "€" * 34).status == 413
    assert received(driver) == ["\ufffd" * 99]


@pytest.mark.covers("EIO-POLL-17")
@pytest.mark.parametrize("revision", [3, 4])
def test_a_session_that_is_closing_takes_posts_and_drops_them(revision: int) -> None:
    """EIO-POLL-17"""
    core, driver = driver_of(revision)
    sid = driver.open_polling()
    core.close(sid, now=driver.now)
    for _ in range(2):
        assert driver.post(sid, packed(revision, "4a", "4b")).body == b"ok"
    assert received(driver) == []
    assert driver.events_of(SessionClosed) == []
    assert driver.poll_now(sid) == packed(revision, "1")
    assert driver.post(sid, packed(revision, "4a")).status == 400
    assert end(driver).reason is CloseReason.FORCED_CLOSE


def closed_by_the_server(core: EngineServer[str], driver: Driver, sid: str) -> None:
    core.close(sid, now=driver.now)
    driver.drain()


def discarded_by_the_server(core: EngineServer[str], driver: Driver, sid: str) -> None:
    core.close(sid, now=driver.now, discard=True)
    driver.drain()


def shut_down(core: EngineServer[str], driver: Driver, sid: str) -> None:
    core.shutdown(now=driver.now)
    driver.drain()


def silent(core: EngineServer[str], driver: Driver, sid: str) -> None:
    driver.sleep(46)


def unreadable(core: EngineServer[str], driver: Driver, sid: str) -> None:
    assert driver.post(sid, "abc").status == 400


def polled_twice(core: EngineServer[str], driver: Driver, sid: str) -> None:
    assert driver.answers[driver.poll(sid)].status == 400


def posted_twice(core: EngineServer[str], driver: Driver, sid: str) -> None:
    driver.start(request(driver.query(sid), "POST"))
    assert driver.post(sid, "").status == 400


def post_dropped(core: EngineServer[str], driver: Driver, sid: str) -> None:
    driver.abort(driver.start(request(driver.query(sid), "POST")))


def wrong_heartbeat(core: EngineServer[str], driver: Driver, sid: str) -> None:
    revision = driver.revision
    driver.post(sid, packed(revision, "2" if revision == 4 else "3"))


def wrongly_labelled(core: EngineServer[str], driver: Driver, sid: str) -> None:
    head = request(driver.query(sid), "POST", content_type="application/octet-stream")
    assert driver.answers[driver.http(head, b"abc")].status == 400


def client_closed(core: EngineServer[str], driver: Driver, sid: str) -> None:
    assert driver.post(sid, packed(driver.revision, "1")).body == b"ok"


@pytest.mark.parametrize("revision", [3, 4])
@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (closed_by_the_server, CloseReason.FORCED_CLOSE),
        (discarded_by_the_server, CloseReason.FORCED_CLOSE),
        (shut_down, CloseReason.FORCED_CLOSE),
        (silent, CloseReason.PING_TIMEOUT),
        (unreadable, CloseReason.PARSE_ERROR),
        (wrongly_labelled, CloseReason.PARSE_ERROR),
        (polled_twice, CloseReason.TRANSPORT_ERROR),
        (posted_twice, CloseReason.TRANSPORT_ERROR),
        (post_dropped, CloseReason.TRANSPORT_ERROR),
        (wrong_heartbeat, CloseReason.TRANSPORT_ERROR),
        (client_closed, CloseReason.TRANSPORT_CLOSE),
    ],
)
def test_what_a_pending_poll_gets_at_the_end(
    cause: Callable[[EngineServer[str], Driver, str], None],
    reason: CloseReason,
    revision: int,
) -> None:
    """EIO-POLL-16, EIO-POLL-16b: a noop if the client asked for the end, else a close packet."""
    core, driver = driver_of(revision)
    sid = driver.open_polling()
    if cause is silent and revision == 4:
        driver.sleep(25)
        assert driver.poll_now(sid) == "2"
    poll = driver.poll(sid)
    assert driver.unanswered == [poll]
    cause(core, driver, sid)
    last = "6" if reason is CloseReason.TRANSPORT_CLOSE else "1"
    assert driver.answers[poll].status == 200
    assert driver.answers[poll].body == packed(revision, last).encode()
    assert end(driver).reason is reason
    assert driver.unanswered == []
    assert gone(driver, sid)


@pytest.mark.parametrize(("last", "body"), [("1", b"6"), ("?", b"1")])
def test_an_answer_to_what_stands_before_the_end_comes_too_late(last: str, body: bytes) -> None:
    """EIO-POLL-14, EIO-POLL-16: the packet itself is delivered."""
    core, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    answered: list[bool] = []

    def echo(event: Event) -> None:
        if isinstance(event, MessageReceived):
            answered.append(core.send_messages(sid, [Message("4echo")]))

    driver.on_event = echo
    driver.post(sid, f"4a\x1e{last}")
    assert answered == [False]
    assert driver.answers[poll].body == body


# The heartbeat of revision 3


@pytest.mark.covers("EIO-HB-21", "EIO-HB-24")
@pytest.mark.parametrize("transport", ["polling", "websocket", "upgraded"])
def test_a_client_that_pings_is_not_pinged(transport: str) -> None:
    """EIO-HB-21, EIO-HB-24: on no transport, and not after an upgrade."""
    _, driver = driver_of(3)
    if transport == "websocket":
        w, _ = driver.open_websocket()
        driver.frames[w].clear()
    else:
        sid = driver.open_polling()
    if transport == "upgraded":
        w = driver.upgrade(sid)
        driver.frame(w, "2probe", "5")
        driver.frames[w].clear()
    for number in range(1, 10):
        driver.sleep(40)
        if transport == "polling":
            poll = driver.poll(sid)
            assert driver.unanswered == [poll], "nothing was waiting"
            assert driver.post(sid, "1:2").body == b"ok"
            assert driver.answers[poll].body == b"1:3"
        else:
            driver.frame(w, "2")
            assert driver.frames[w] == ["3"] * number
    assert driver.events_of(SessionClosed) == []


# Payloads of revision 3


def without_binary(driver: Driver) -> str:
    """Open a session of a client that takes no binary. Returns its id."""
    answer = driver.answers[driver.http(request("EIO=3&transport=polling&b64=1"))]
    sid: str = json.loads(answer.body.decode().partition(":")[2][1:])["sid"]
    return sid


def labelled(driver: Driver, sid: str, body: bytes) -> int:
    """POST bytes. Returns the status."""
    head = request(driver.query(sid), "POST", content_type="application/octet-stream")
    return driver.answers[driver.http(head, body)].status


@pytest.mark.covers("EIO-P3-15")
def test_a_client_that_takes_no_binary_may_send_some() -> None:
    """EIO-P3-15: only what it gets is base64."""
    core, driver = driver_of(3)
    sid = without_binary(driver)
    assert labelled(driver, sid, bytes.fromhex("0104ff04010203")) == 200
    assert received(driver) == [b"\1\2\3"]
    core.send(sid, b"\1\2\3")
    assert driver.poll_now(sid) == "6:b4AQID"


@pytest.mark.covers("EIO-P3-04", "EIO-P3-12")
def test_a_payload_without_packets_is_taken() -> None:
    """EIO-P3-04, EIO-P3-12: in both forms."""
    _, driver = driver_of(3)
    sid = driver.open_polling()
    poll = driver.poll(sid)
    assert driver.post(sid, "0:").body == b"ok"
    assert labelled(driver, sid, b"") == 200
    assert driver.unanswered == [poll]
    assert received(driver) == []


@pytest.mark.covers("EIO-P3-11")
@pytest.mark.parametrize(
    ("label", "body"),
    [("application/octet-stream", b"6:4hello"), ("text/plain", b"\x00\x06\xff4hello")],
)
def test_the_wrong_label_ends_the_session(label: str, body: bytes) -> None:
    """EIO-P3-11"""
    _, driver = driver_of(3)
    sid = driver.open_polling()
    head = request(driver.query(sid), "POST", content_type=label)
    assert driver.answers[driver.http(head, body)].status == 400
    assert received(driver) == []
    assert end(driver).reason is CloseReason.PARSE_ERROR


@pytest.mark.covers("EIO-P3-14")
def test_a_close_packet_ends_a_payload_of_bytes() -> None:
    """EIO-P3-14"""
    _, driver = driver_of(3)
    sid = driver.open_polling()
    assert labelled(driver, sid, bytes.fromhex("0002ff3461 0001ff31 0002ff3462")) == 200
    assert received(driver) == ["a"]
    assert end(driver).reason is CloseReason.TRANSPORT_CLOSE


# JSONP


@pytest.mark.covers("EIO-JP-04")
@pytest.mark.parametrize("body", [b"4hello", b"", b"d=4a&d=4b", b"D=4a"])
def test_a_form_without_a_payload_is_taken(body: bytes) -> None:
    """EIO-JP-04"""
    _, driver = engine_driver(jsonp=True)
    driver.http(request("EIO=4&transport=polling&j=0"))
    poll = driver.poll("E1")
    assert driver.post("E1", body).body == b"ok"
    assert driver.unanswered == [poll]
    assert received(driver) == []


@pytest.mark.covers("EIO-HS-11")
@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_what_is_sent_at_once_follows_the_open_packet(transport: str) -> None:
    """EIO-HS-11: an application that greets each session."""
    core, driver = engine_driver()

    def greet(event: Event) -> None:
        if isinstance(event, SessionOpened):
            core.send(event.sid, "one")
            core.send(event.sid, b"\x01")

    driver.on_event = greet
    if transport == "polling":
        sid = driver.open_polling()
        assert driver.poll_now(sid) == "4one\x1ebAQ=="
    else:
        w, _ = driver.open_websocket()
        driver.drain()
        assert driver.frames[w][1:] == ["4one", b"\x01"]


@pytest.mark.covers("EIO-WS-11")
def test_the_heartbeat_goes_on_while_much_is_sent() -> None:
    """EIO-WS-11: a hundred large messages, which take longer than the interval to write."""
    core, driver = engine_driver()
    w, sid = driver.open_websocket()
    driver.auto_sent = False
    pings = 0
    for _ in range(100):
        core.send(sid, "x" * 65536)
        driver.drain()
        driver.sleep(1)
        driver.sent(w)
        while driver.frames[w].count("2") > pings:
            pings += 1
            driver.frame(w, "3")
    assert pings == 4
    assert driver.events_of(SessionClosed) == []
    assert driver.frames[w].count("4" + "x" * 65536) == 100
