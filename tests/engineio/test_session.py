"""One session: transports, heartbeat, upgrade, close, limits."""

from __future__ import annotations

import pytest

from sioproto import LimitError, RemoteProtocolError
from sioproto.engineio import (
    CloseReason,
    MessageReceived,
    SessionClosed,
)
from tests.harness import Driver, engine_driver, request


def received(driver: Driver) -> list[str | bytes]:
    return [event.data for event in driver.events_of(MessageReceived)]


def end(driver: Driver) -> SessionClosed:
    """The one closing event there must be."""
    (event,) = driver.events_of(SessionClosed)
    return event


def gone(driver: Driver, sid: str) -> bool:
    """Whether a poll is told that the session is unknown."""
    answer = driver.answers[driver.poll(sid)]
    return (answer.status, answer.body) == (400, b'{"code":1,"message":"Session ID unknown"}')


# Polling


def test_poll_waits_for_a_message() -> None:
    """EIO-POLL-02."""
    core, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    assert driver.unanswered == [poll]
    core.send(sid, "hello")
    driver.drain()
    assert driver.answers[poll].status == 200
    assert driver.answers[poll].body == b"4hello"


def test_everything_buffered_goes_into_one_answer() -> None:
    """EIO-POLL-02."""
    core, driver = engine_driver()
    sid = driver.open_polling()
    for data in ("a", b"\x01\x02\x03", "", b""):
        core.send(sid, data)
    assert driver.poll_now(sid) == "4a\x1ebAQID\x1e4\x1eb"


def test_commands_before_a_drain_share_one_answer() -> None:
    """EIO-POLL-02: the first does not go alone."""
    core, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    for number in range(10):
        core.send(sid, str(number))
    outputs = driver.drain()
    assert len(outputs) == 1
    assert driver.answers[poll].body == "\x1e".join(f"4{n}" for n in range(10)).encode()


def test_post_delivers_before_it_is_answered() -> None:
    """EIO-POLL-03."""
    core, driver = engine_driver()
    sid = driver.open_polling()
    core.http_request("x", request(f"EIO=4&transport=polling&sid={sid}", "POST"), now=0)
    driver._open["x"] = "asked"
    driver.drain()
    core.http_body("x", b"4a\x1ebAQ\x1e4b", now=0)
    kinds = [type(out).__name__ for out in driver.drain()]
    assert kinds == ["MessageReceived"] * 3 + ["HttpRespond"]
    assert received(driver) == ["a", b"\x01", "b"]
    assert driver.answers["x"].body == b"ok"


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b"", []),
        (b"abc", []),
        (b"\x1e4a", []),
        (b"4a\x1e", ["a"]),
        (b"4a\x1e\x1e4b", ["a"]),
        (b"4a\x1eX\x1e4b", ["a"]),
        (b"4a\x1eb!!!!", ["a"]),
        ("٤a".encode(), []),
        (b"\xef\xbb\xbf4a", []),
    ],
)
def test_undecodable_payload_ends_the_session_after_what_was_good(
    body: bytes, good: list[str]
) -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    assert driver.post(sid, body).status == 400
    assert received(driver) == good
    assert driver.answers[poll].body == b"1"
    assert end(driver).reason is CloseReason.PARSE_ERROR
    assert isinstance(end(driver).error, RemoteProtocolError)
    assert gone(driver, sid)


def test_close_packet_ends_the_payload() -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    assert driver.post(sid, "4a\x1e1\x1e4b").body == b"ok"
    assert received(driver) == ["a"]
    assert driver.answers[poll].body == b"6"
    assert end(driver).reason is CloseReason.TRANSPORT_CLOSE
    assert gone(driver, sid)


@pytest.mark.parametrize(("body", "answer"), [("1\x1e7", b"6"), ("2\x1e7", b"1")])
def test_nothing_counts_after_the_end(body: str, answer: bytes) -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    assert driver.post(sid, body).body == b"ok"
    assert driver.answers[poll].body == answer
    assert end(driver).reason is not CloseReason.PARSE_ERROR


def test_two_polls_end_the_session() -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    first, second = driver.poll(sid), driver.poll(sid)
    assert driver.answers[second].status == 400
    assert driver.answers[first].body == b"1"
    assert end(driver).reason is CloseReason.TRANSPORT_ERROR
    assert gone(driver, sid)


def test_two_posts_end_the_session_and_both_are_answered() -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    head = request(f"EIO=4&transport=polling&sid={sid}", "POST")
    first = driver.start(head)
    second = driver.start(head)
    assert driver.answers[second].status == 400
    assert driver.answers[first].status == 400
    assert driver.answers[poll].body == b"1"
    driver.body(first, b"4late")
    assert received(driver) == []
    assert driver.unanswered == []


def test_aborted_poll_ends_the_session() -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    driver.abort(driver.poll(sid))
    assert end(driver).reason is CloseReason.TRANSPORT_ERROR
    assert gone(driver, sid)


def test_aborted_post_ends_the_session_and_answers_the_poll() -> None:
    """EIO-POLL-08, EIO-POLL-16."""
    _, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    driver.abort(driver.start(request(f"EIO=4&transport=polling&sid={sid}", "POST")))
    assert driver.answers[poll].body == b"1"
    assert gone(driver, sid)


def test_too_large_a_body_is_refused_and_costs_only_itself() -> None:
    """EIO-POLL-09, EIO-POLL-10."""
    _, driver = engine_driver(max_payload=100)
    sid = driver.open_polling()
    assert driver.post(sid, "4" + "a" * 99).status == 200
    refused = driver.post(sid, "4" + "a" * 100)
    assert (refused.status, refused.body) == (413, b"")
    assert driver.post(sid, "4" + "€" * 33).status == 200
    assert received(driver) == ["a" * 99, "€" * 33]
    head = request(f"EIO=4&transport=polling&sid={sid}", "POST", content_length="101")
    announced = driver.start(head)
    assert driver.answers[announced].status == 413, "refused before the body is read"
    assert driver.events_of(SessionClosed) == []


# WebSocket


def test_websocket_carries_packets_as_they_are() -> None:
    core, driver = engine_driver()
    w, sid = driver.open_websocket()
    assert driver.frame(w, "4hello", b"\x01\x02", b"", "4", "bAQID") == []
    assert received(driver) == ["hello", b"\x01\x02", b"", "", b"\x01\x02\x03"]
    core.send(sid, "text")
    core.send(sid, b"bytes")
    driver.drain()
    assert driver.frames[w][1:] == ["4text", b"bytes"]


def test_one_batch_at_a_time() -> None:
    core, driver = engine_driver()
    driver.auto_sent = False
    w, sid = driver.open_websocket()
    core.send(sid, "a")
    core.send(sid, "b")
    assert driver.drain() == []
    assert core.buffered(sid) > 0
    driver.sent(w)
    assert driver.frames[w][1:] == ["4a", "4b"]
    assert core.buffered(sid) == 0
    core.send(sid, "c")
    assert driver.drain() == []
    driver.sent(w)
    assert driver.frames[w][3:] == ["4c"]


@pytest.mark.parametrize("frame", ["abc", "7", "", "b!", " 4"])
def test_undecodable_frame_closes(frame: str) -> None:
    _, driver = engine_driver()
    w, sid = driver.open_websocket()
    driver.frame(w, frame)
    assert driver.close_codes == {w: None}
    assert end(driver).reason is CloseReason.PARSE_ERROR
    driver.frame(w, "4late")
    assert received(driver) == []
    driver.closed(w)
    assert gone(driver, sid)


@pytest.mark.parametrize("frame", ["0", "0{}", "5", "6", "6abc", "3", "3xyz"])
def test_harmless_packets(frame: str) -> None:
    _, driver = engine_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, frame, "4still here")
    assert received(driver) == ["still here"]


@pytest.mark.covers("SIO-DISC-13")
def test_close_packet_on_websocket_closes() -> None:
    """SIO-DISC-13."""
    _, driver = engine_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, "1")
    assert driver.close_codes == {w: None}
    assert end(driver).reason is CloseReason.TRANSPORT_CLOSE


def test_lost_websocket() -> None:
    _, driver = engine_driver()
    w, _ = driver.open_websocket()
    driver.closed(w)
    assert (end(driver).reason, end(driver).error) == (CloseReason.TRANSPORT_CLOSE, None)


def test_websocket_violation() -> None:
    _, driver = engine_driver()
    w, _ = driver.open_websocket()
    error = RemoteProtocolError("unmasked frame", rule="EIO-WS-08")
    driver.closed(w, error)
    assert (end(driver).reason, end(driver).error) == (CloseReason.TRANSPORT_ERROR, error)


def test_peer_without_binary_gets_base64() -> None:
    core, driver = engine_driver()
    w = driver.connect(request("EIO=4&transport=websocket&b64=1"))
    core.send("E1", b"\x01\x02\x03")
    core.send("E1", "text")
    driver.drain()
    assert driver.frames[w][1:] == ["bAQID", "4text"]


# Heartbeat


def test_ping_is_counted_from_the_pong() -> None:
    _, driver = engine_driver()
    w, _ = driver.open_websocket()
    driver.sleep(24.9)
    assert len(driver.frames[w]) == 1
    driver.sleep(0.1)
    assert driver.frames[w][1:] == ["2"]
    driver.sleep(10)
    driver.frame(w, "3")
    driver.sleep(24.9)
    assert driver.frames[w][1:] == ["2"]
    driver.sleep(0.1)
    assert driver.frames[w][1:] == ["2", "2"]


def test_silent_websocket_times_out() -> None:
    _, driver = engine_driver()
    w, _ = driver.open_websocket()
    driver.sleep(44.9)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.1)
    assert end(driver).reason is CloseReason.PING_TIMEOUT
    assert driver.close_codes == {w: None}


def test_silent_poller_times_out_though_no_poll_could_carry_the_ping() -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    driver.sleep(30)
    assert driver.poll_now(sid) == "2"
    driver.sleep(15)
    assert end(driver).reason is CloseReason.PING_TIMEOUT
    assert gone(driver, sid)


def test_pending_poll_is_told_of_the_timeout() -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    driver.sleep(25)
    driver.poll(sid)
    poll = driver.poll(sid)
    driver.sleep(20)
    assert driver.answers[poll].body == b"1"


def test_who_sends_is_alive() -> None:
    _, driver = engine_driver()
    w, _ = driver.open_websocket()
    driver.sleep(25)
    for _ in range(10):
        driver.sleep(15)
        driver.frame(w, "4busy")
    assert driver.events_of(SessionClosed) == []
    driver.sleep(20)
    assert end(driver).reason is CloseReason.PING_TIMEOUT


def test_unsolicited_pongs_restart_the_interval_and_cost_nothing() -> None:
    core, driver = engine_driver()
    w, _ = driver.open_websocket()
    for _ in range(1000):
        driver.sleep(1)
        driver.frame(w, "3")
    assert driver.frames[w][1:] == []
    assert core.statistics().timers < 200


@pytest.mark.parametrize("frame", ["2", "2probe", "2abc"])
def test_ping_from_the_client_is_an_error(frame: str) -> None:
    _, driver = engine_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, frame)
    assert driver.close_codes == {w: None}
    assert end(driver).reason is CloseReason.TRANSPORT_ERROR


def test_late_driver_still_gives_the_peer_its_time() -> None:
    core, driver = engine_driver()
    w, _ = driver.open_websocket()
    driver.now = 100.0  # the process was suspended
    core.handle_timeout(now=100.0)
    driver.drain()
    assert driver.frames[w][1:] == ["2"]
    driver.sleep(19.9)
    assert driver.events_of(SessionClosed) == []


# Close


@pytest.mark.covers("EIO-CL-03", "EIO-CL-04", "EIO-CL-08")
def test_close_delivers_what_is_buffered_by_poll() -> None:
    """EIO-CL-03, EIO-CL-04, EIO-CL-08."""
    core, driver = engine_driver()
    sid = driver.open_polling()
    core.send(sid, "a")
    core.close(sid, now=0)
    driver.drain()
    assert driver.events_of(SessionClosed) == []
    assert driver.post(sid, "4dropped").body == b"ok"
    assert received(driver) == []
    assert driver.poll_now(sid) == "4a"
    assert driver.events_of(SessionClosed) == []
    assert driver.poll_now(sid) == "1"
    assert end(driver).reason is CloseReason.FORCED_CLOSE
    assert gone(driver, sid)


@pytest.mark.covers("EIO-CL-02")
def test_close_answers_a_pending_poll() -> None:
    """EIO-CL-02."""
    core, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    core.close(sid, now=0)
    driver.drain()
    assert driver.answers[poll].body == b"1"
    assert gone(driver, sid)


def test_close_packet_never_shares_an_answer_with_messages() -> None:
    core, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    core.send(sid, "last")
    core.close(sid, now=0)
    driver.drain()
    assert driver.answers[poll].body == b"4last"
    assert driver.poll_now(sid) == "1"
    assert gone(driver, sid)


def test_messages_are_told_before_an_error() -> None:
    core, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    core.send(sid, "last")
    second = driver.poll(sid)
    assert driver.answers[second].status == 400
    assert driver.answers[poll].body == b"4last"
    assert gone(driver, sid)


@pytest.mark.covers("EIO-CL-14", "EIO-CL-05")
def test_close_gives_up_on_a_client_that_does_not_poll() -> None:
    """EIO-CL-14, EIO-CL-05."""
    core, driver = engine_driver()
    sid = driver.open_polling()
    core.close(sid, now=0)
    driver.sleep(29.9)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.1)
    assert end(driver).reason is CloseReason.FORCED_CLOSE


@pytest.mark.covers("EIO-CL-06")
def test_close_with_discard_loses_the_buffer() -> None:
    """EIO-CL-06."""
    core, driver = engine_driver()
    sid = driver.open_polling()
    core.send(sid, "a")
    core.close(sid, now=0)
    core.close(sid, now=0, discard=True)
    driver.drain()
    assert gone(driver, sid)


@pytest.mark.covers("EIO-CL-07")
@pytest.mark.parametrize("in_flight", [False, True])
def test_close_delivers_what_is_buffered_by_websocket(in_flight: bool) -> None:
    """EIO-CL-07."""
    core, driver = engine_driver()
    w, sid = driver.open_websocket()
    if in_flight:
        driver.auto_sent = False
        core.send(sid, "a")
        driver.drain()
        core.send(sid, "b")
        core.close(sid, now=0)
        driver.drain()
        assert driver.close_codes == {}
        driver.sent(w)
    else:
        core.send(sid, "a")
        core.send(sid, "b")
        core.close(sid, now=0)
        driver.drain()
    assert driver.frames[w][1:] == ["4a", "4b"]
    assert driver.close_codes == {w: None}
    assert end(driver).reason is CloseReason.FORCED_CLOSE


def test_peer_that_fetches_nothing_is_dropped_with_the_limit_named() -> None:
    core, driver = engine_driver(max_buffer=1000)
    w, sid = driver.open_websocket()
    driver.auto_sent = False
    core.send(sid, "x")
    driver.drain()
    for _ in range(100):
        core.send_messages(sid, [])
        if core.buffered(sid) + 200 > 1000:
            break
        core.send(sid, "y" * 100)
    with pytest.raises(Exception, match="closed"):
        core.send(sid, "z" * 1000)
    driver.drain()
    error = end(driver).error
    assert isinstance(error, LimitError)
    assert error.limit == "max_buffer"
    assert driver.close_codes == {w: 1008}


# Stalls of the application


@pytest.mark.parametrize("held_at", [0.0, 26.0])
def test_unread_session_keeps_its_heartbeat(held_at: float) -> None:
    core, driver = engine_driver(stall_timeout=200)
    w, sid = driver.open_websocket()
    driver.sleep(held_at)
    core.hold(sid, now=driver.now)
    core.hold(sid, now=driver.now)
    driver.sleep(150)
    assert driver.frames[w][1:] == ["2"]
    assert driver.events_of(SessionClosed) == []
    core.resume(sid, now=driver.now)
    driver.sleep(19.9)
    assert driver.events_of(SessionClosed) == []
    driver.frame(w, "3")
    driver.sleep(44.9)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.1)
    assert end(driver).reason is CloseReason.PING_TIMEOUT


def test_session_that_is_never_read_again_is_closed_with_the_limit_named() -> None:
    core, driver = engine_driver(stall_timeout=60)
    w, sid = driver.open_websocket()
    core.hold(sid, now=0)
    driver.sleep(59.9)
    driver.frame(w, "4some things get through")
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.1)
    error = end(driver).error
    assert isinstance(error, LimitError)
    assert error.limit == "stall_timeout"
    core.hold(sid, now=60)
    core.resume(sid, now=60)
    assert driver.drain() == []


def test_hold_does_not_outlive_a_close() -> None:
    core, driver = engine_driver(stall_timeout=5)
    sid = driver.open_polling()
    core.hold(sid, now=0)
    core.close(sid, now=0)
    core.hold(sid, now=0)
    driver.sleep(29)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(1)
    assert (end(driver).reason, end(driver).error) == (CloseReason.FORCED_CLOSE, None)
