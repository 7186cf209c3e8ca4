"""Revision 3 beside revision 4: what sessions of either do, on one endpoint."""

from __future__ import annotations

import json

import pytest

from sioproto import LimitError, RemoteProtocolError
from sioproto.engineio import CloseReason, EngineServer, SessionClosed, SessionOpened
from tests.engineio.test_session import end, gone, received
from tests.harness import Driver, engine_driver, request

OCTETS = {"content_type": "application/octet-stream"}


def v3_driver(**config: float) -> tuple[EngineServer[str], Driver]:
    core, driver = engine_driver(allow_eio3=True, **config)
    driver.revision = 3
    return core, driver


def post_octets(driver: Driver, sid: str, body: bytes, label: str = "") -> int:
    head = request(driver.query(sid), "POST", content_type=label or "application/octet-stream")
    return driver.answers[driver.http(head, body)].status


# Which revision


@pytest.mark.covers("EIO-HS-03")
def test_handshake_by_polling() -> None:
    """EIO-HS-03."""
    _, driver = v3_driver()
    answer = driver.answers[driver.http(request("EIO=3&transport=polling"))]
    length, _, packet = answer.body.decode().partition(":")
    assert int(length) == len(packet)
    assert json.loads(packet[1:]) == {
        "sid": "E1",
        "upgrades": ["websocket"],
        "pingInterval": 25_000,
        "pingTimeout": 20_000,
        "maxPayload": 1_000_000,
    }
    (opened,) = driver.events_of(SessionOpened)
    assert (opened.sid, opened.revision) == ("E1", 3)


def test_handshake_by_websocket() -> None:
    """EIO-HS-04: no length there."""
    _, driver = v3_driver()
    w, _ = driver.open_websocket()
    assert str(driver.frames[w][0]).startswith('0{"sid":"E1","upgrades":[],')
    assert driver.events_of(SessionOpened)[0].revision == 3


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("EIO=3&", "speaks revision 4 of Engine.IO, the request asks for revision 3"),
        ("", "speaks revision 4 of Engine.IO, the request asks for none, for it has no EIO"),
        ("EIO=5&", "speaks revision 4 of Engine.IO, the request asks for revision 5"),
        ("EIO=<b>&", "revision 4 of Engine.IO, the request asks for a revision that there is not"),
        ("EIO=٣&", "the request asks for a revision that there is not"),
        ("EIO=1234&", "the request asks for a revision that there is not"),
    ],
)
@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_wrong_revision_is_told_both(query: str, words: str, transport: str) -> None:
    """EIO-ERR-08b, and the ruling words-for-a-wrong-revision."""
    core, driver = engine_driver()
    head = request(f"{query}transport={transport}")
    if transport == "polling":
        answer = driver.answers[driver.http(head)]
        assert answer.status == 400
        told = json.loads(answer.body)
        assert told["code"] == 5
        message = told["message"]
    else:
        message = driver.rejected[driver.connect(head)].body.decode()
    assert message.startswith("Unsupported protocol version: this server ")
    assert words in message
    assert "<" not in message
    assert core.statistics().sessions == 0


@pytest.mark.parametrize(
    ("query", "asked"), [("EIO=2&", "revision 2"), ("", "none, for it has no EIO")]
)
def test_server_of_both_says_so(query: str, asked: str) -> None:
    """EIO-QP-01: no EIO is not revision 3."""
    core, driver = v3_driver()
    answer = driver.answers[driver.http(request(f"{query}transport=polling"))]
    assert json.loads(answer.body)["message"] == (
        "Unsupported protocol version: this server speaks revisions 3 and 4 of Engine.IO, "
        f"the request asks for {asked}"
    )
    refused = driver.rejected[driver.connect(request(f"{query}transport=websocket"))]
    assert refused.status == 400
    assert core.statistics().sessions == 0


@pytest.mark.parametrize("revision", [3, 4])
def test_session_decides_its_revision(revision: int) -> None:
    """EIO-QP-12b: a request of the other revision is refused, in words, and harms nothing."""
    _, driver = v3_driver()
    driver.revision = revision
    sid = driver.open_polling()
    other = f"EIO={7 - revision}&transport=polling&sid={sid}"
    expected = (
        f"Bad request: this session speaks revision {revision} of Engine.IO, "
        f"the request asks for revision {7 - revision}"
    )
    for method in ("GET", "POST"):
        answer = driver.answers[driver.http(request(other, method))]
        assert answer.status == 400
        assert json.loads(answer.body) == {"code": 3, "message": expected}
    refused = driver.connect(request(other.replace("polling", "websocket")))
    assert driver.rejected[refused].body == expected.encode()
    assert driver.post(sid, "2:4a" if revision == 3 else "4a").body == b"ok"
    assert received(driver) == ["a"]


def test_both_revisions_at_once() -> None:
    core, driver = v3_driver()
    sids = {}
    for revision in (3, 4):
        driver.revision = revision
        sids[revision] = (driver.open_polling(), *driver.open_websocket())
    for polling, _, by_websocket in sids.values():
        for sid in (polling, by_websocket):
            core.send(sid, "€")
            core.send(sid, b"\1\2")
    assert driver.answers[driver.poll(sids[3][0])].body == bytes.fromhex(
        "0004ff34e282ac 0103ff040102"
    )
    assert driver.poll_now(sids[4][0]) == "4€\x1ebAQI="
    assert driver.frames[sids[3][1]][1:] == ["4€", b"\4\1\2"]
    assert driver.frames[sids[4][1]][1:] == ["4€", b"\1\2"]


@pytest.mark.covers("EIO-HS-10", "EIO-P3-10")
@pytest.mark.parametrize(
    ("initial", "tail"), [("hi", b"3:4hi"), (b"\1", b"\x01\x02\xff\x04\1")], ids=["text", "binary"]
)
def test_initial_packet(initial: str | bytes, tail: bytes) -> None:
    """EIO-HS-10, EIO-P3-10."""
    core, driver = engine_driver(allow_eio3=True, initial_packet=initial)
    answer = driver.answers[driver.http(request("EIO=3&transport=polling"))]
    assert answer.body.endswith(b"}" + tail)
    w = driver.connect(request("EIO=3&transport=websocket"))
    assert driver.frames[w][1:] == ["4hi" if initial == "hi" else b"\4\1"]
    assert core.statistics().sessions == 2


# Payloads and frames


@pytest.mark.covers("EIO-P3-10")
def test_answer_is_bytes_only_where_it_has_to_be() -> None:
    """EIO-P3-10, EIO-HDR-01: and says which it is."""
    core, driver = v3_driver()
    plain = driver.open_polling()
    limited = json.loads(
        driver.answers[driver.http(request("EIO=3&transport=polling&b64=1"))]
        .body.decode()
        .partition(":")[2][1:]
    )["sid"]
    for sid in (plain, limited):
        core.send(sid, "hello")
        text = driver.answers[driver.poll(sid)]
        assert text.body == b"6:4hello"
        assert dict(text.headers)["content-type"] == "text/plain; charset=UTF-8"
    for sid in (plain, limited):
        core.send(sid, b"\1\2\3")
    octets = driver.answers[driver.poll(plain)]
    assert octets.body == b"\x01\x04\xff\x04\1\2\3"
    assert dict(octets.headers)["content-type"] == "application/octet-stream"
    assert driver.answers[driver.poll(limited)].body == b"6:b4AQID"


@pytest.mark.covers("EIO-P3-11")
@pytest.mark.parametrize(
    "label", ["application/octet-stream", "Application/Octet-Stream; charset=x"]
)
def test_label_decides_how_a_post_is_read(label: str) -> None:
    """EIO-P3-11."""
    _, driver = v3_driver()
    sid = driver.open_polling()
    body = bytes.fromhex("0005ff34e282ac61 0104ff04010203")
    assert post_octets(driver, sid, body, label) == 200
    assert driver.post(sid, "2:4b6:b4AQID").body == b"ok"
    assert received(driver) == ["€a", b"\1\2\3", "b", b"\1\2\3"]
    assert post_octets(driver, sid, b"6:4hello", label) == 400
    assert end(driver).reason is CloseReason.PARSE_ERROR


@pytest.mark.covers("EIO-P3-05")
@pytest.mark.parametrize("body", ["", "abc", "5:4abc", "2:4a1:62", "1:7"])
def test_undecodable_payload_ends_the_session(body: str) -> None:
    """EIO-P3-05."""
    _, driver = v3_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    assert driver.post(sid, body).status == 400
    assert driver.answers[poll].body == b"1:1"
    assert end(driver).reason is CloseReason.PARSE_ERROR
    assert gone(driver, sid)


@pytest.mark.covers("EIO-P3-14")
def test_close_packet_ends_the_payload() -> None:
    """EIO-P3-14."""
    _, driver = v3_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    assert driver.post(sid, "2:4a1:12:4b").body == b"ok"
    assert received(driver) == ["a"]
    assert driver.answers[poll].body == b"1:6"
    assert end(driver).reason is CloseReason.TRANSPORT_CLOSE


@pytest.mark.covers("EIO-PKT-05", "EIO-PKT-05b")
def test_frames() -> None:
    """EIO-PKT-05, EIO-PKT-05b, EIO-PKT-08."""
    _, driver = v3_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, "4a", b"\4\1\2", b"\4", "b4AQID", b"4a", b"", b"\x09\1", "b9", "6", "5", "0")
    assert received(driver) == ["a", b"\1\2", b"", b"\1\2\3"]
    assert driver.frame(w, "abc") == []
    assert end(driver).reason is CloseReason.PARSE_ERROR


def test_websocket_without_binary() -> None:
    """EIO-QP-10."""
    core, driver = v3_driver()
    w = driver.connect(request("EIO=3&transport=websocket&b64=1"))
    core.send("E1", b"\1\2\3")
    driver.drain()
    assert driver.frames[w][1:] == ["b4AQID"]


def test_each_transport_tells_for_itself_whether_it_takes_binary() -> None:
    """EIO-QP-10: the request that opens it does. A candidate changes nothing for polling."""
    core, driver = v3_driver()
    sid = driver.open_polling()
    w = driver.connect(request(driver.query(sid, "websocket") + "&b64=1"))
    driver.frame(w, "2probe")
    core.send(sid, b"\1")
    assert driver.answers[driver.poll(sid)].body == b"\x01\x02\xff\x04\1"
    driver.frame(w, "5")
    core.send(sid, b"\1")
    driver.drain()
    assert driver.frames[w][-1] == "b4AQ=="


# Heartbeat: the client pings


@pytest.mark.covers("EIO-HB-21", "EIO-HB-22", "EIO-UPS-08c")
@pytest.mark.parametrize("ping", ["2", "2abc", "2probe", b"\2", "b2AQID"])
def test_ping_is_answered_without_its_data(ping: str | bytes) -> None:
    """EIO-HB-21, EIO-HB-22, EIO-UPS-08c."""
    _, driver = v3_driver()
    w, _ = driver.open_websocket()
    assert driver.frame(w, ping) == ["3"]


@pytest.mark.covers("EIO-HB-21")
def test_ping_by_polling() -> None:
    """EIO-HB-21."""
    _, driver = v3_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    assert driver.post(sid, "1:2").body == b"ok"
    assert driver.answers[poll].body == b"1:3"


@pytest.mark.covers("EIO-HB-24")
def test_server_never_pings() -> None:
    """EIO-HB-24."""
    _, driver = v3_driver()
    w, _ = driver.open_websocket()
    for _ in range(5):
        driver.sleep(40)
        assert driver.frame(w, "2") == ["3"]
    assert driver.events_of(SessionClosed) == []


@pytest.mark.covers("EIO-HB-23")
@pytest.mark.parametrize("sign", ["2", "4m", "6", "5"])
def test_whoever_sends_is_alive(sign: str) -> None:
    """EIO-HB-23, and the ruling life-in-revision-3."""
    _, driver = v3_driver()
    w, _ = driver.open_websocket()
    for _ in range(5):
        driver.sleep(44.9)
        driver.frame(w, sign)
    driver.sleep(44.9)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.2)
    assert end(driver).reason is CloseReason.PING_TIMEOUT


@pytest.mark.covers("EIO-HB-23")
@pytest.mark.parametrize("how", ["polling", "websocket"])
def test_silent_client_is_closed(how: str) -> None:
    """EIO-HB-23."""
    _, driver = v3_driver(ping_interval=0.3, ping_timeout=0.2)
    if how == "polling":
        sid = driver.open_polling()
        poll = driver.poll(sid)
    else:
        w, sid = driver.open_websocket()
    driver.sleep(0.49)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.02)
    assert end(driver).reason is CloseReason.PING_TIMEOUT
    if how == "polling":
        assert driver.answers[poll].body == b"1:1"
    else:
        assert driver.close_codes == {w: None}


def test_what_is_ignored_is_no_sign_of_life() -> None:
    _, driver = v3_driver()
    w, _ = driver.open_websocket()
    driver.sleep(40)
    driver.frame(w, b"", b"\xff", "b9")
    driver.sleep(6)
    assert end(driver).reason is CloseReason.PING_TIMEOUT


@pytest.mark.covers("EIO-PKT-15")
def test_pong_from_the_client_is_the_wrong_way_round() -> None:
    """EIO-PKT-15."""
    _, driver = v3_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, "3")
    closed = end(driver)
    assert closed.reason is CloseReason.TRANSPORT_ERROR
    assert isinstance(closed.error, RemoteProtocolError)
    assert closed.error.rule == "EIO-PKT-15"


def test_client_that_is_not_read_is_not_closed_for_its_silence() -> None:
    core, driver = v3_driver()
    w, sid = driver.open_websocket()
    driver.sleep(40)
    core.hold(sid, now=driver.now)
    driver.sleep(30)
    driver.frame(w, "2")  # what the driver had read already changes nothing
    driver.sleep(29)
    assert driver.events_of(SessionClosed) == []
    core.resume(sid, now=driver.now)
    driver.sleep(44.9)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.2)
    assert end(driver).reason is CloseReason.PING_TIMEOUT


def test_client_that_is_never_read_again_is_closed() -> None:
    core, driver = v3_driver()
    _, sid = driver.open_websocket()
    core.hold(sid, now=driver.now)
    driver.sleep(61)
    error = end(driver).error
    assert isinstance(error, LimitError)
    assert error.limit == "stall_timeout"


def test_flood_of_pings_is_bounded() -> None:
    """Each ping leaves a pong to be fetched."""
    core, driver = v3_driver(max_buffer=10_000)
    sid = driver.open_polling()
    driver.post(sid, "1:2" * 1000)
    error = end(driver).error
    assert isinstance(error, LimitError)
    assert error.limit == "max_buffer"
    assert core.statistics().buffered == 0


# Upgrade


def upgrading(**config: float) -> tuple[EngineServer[str], Driver, str, str]:
    core, driver = v3_driver(**config)
    sid = driver.open_polling()
    return core, driver, sid, driver.upgrade(sid)


def test_upgrade() -> None:
    core, driver, sid, w = upgrading()
    poll = driver.poll(sid)
    assert driver.frame(w, "2probe") == ["3probe"]
    driver.sleep(0.1)
    assert driver.answers[poll].body == b"1:6"
    core.send(sid, "a")
    assert driver.answers[driver.poll(sid)].body == b"2:4a"
    core.send(sid, b"b")
    last = driver.poll(sid)
    assert driver.answers[last].body == b"\x01\x02\xff\x04b"
    pending = driver.poll(sid)
    core.send(sid, "moves along")
    driver.frame(w, "5", "4x", b"\4y", "2")
    assert driver.answers[pending].body == b"1:1"
    assert driver.frames[w] == ["3probe", "4moves along", "3"]
    assert received(driver) == ["x", b"y"]


def test_poll_pending_at_the_switch_is_ended() -> None:
    """EIO-UPS-14."""
    _, driver, sid, w = upgrading()
    driver.frame(w, "2probe")
    poll = driver.poll(sid)
    driver.frame(w, "5")
    assert driver.answers[poll].body == b"1:1"
    assert driver.events_of(SessionClosed) == []


@pytest.mark.covers("EIO-UPS-19")
@pytest.mark.parametrize("ping_first", [False, True])
def test_silence_over_an_upgrade_is_still_noticed(ping_first: bool) -> None:
    """EIO-UPS-19."""
    _, driver, _, w = upgrading()
    driver.sleep(5)
    driver.frame(w, "2probe", "5")
    if ping_first:
        assert driver.frame(w, "2") == ["3"]
    driver.sleep(44.9)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.2)
    assert end(driver).reason is CloseReason.PING_TIMEOUT
    assert driver.close_codes == {w: None}


@pytest.mark.covers("EIO-UPS-19")
def test_deadline_of_polling_goes_on_over_a_switch_without_a_word() -> None:
    """EIO-UPS-19: the upgrade packet alone is no sign of life, nor the end of the deadline."""
    _, driver = v3_driver()
    sid = driver.open_polling()
    driver.sleep(40)
    w = driver.upgrade(sid)
    driver.frame(w, "5")
    driver.sleep(4.9)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.2)
    assert end(driver).reason is CloseReason.PING_TIMEOUT


def test_probe_is_a_ping_too() -> None:
    """The client that is busy with the upgrade has no other."""
    _, driver = v3_driver()
    sid = driver.open_polling()
    driver.sleep(44)
    w = driver.upgrade(sid)
    assert driver.frame(w, "2probe") == ["3probe"]
    driver.sleep(2)
    driver.frame(w, "5")
    driver.sleep(42)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(2)
    assert end(driver).reason is CloseReason.PING_TIMEOUT


def test_failed_upgrade_changes_nothing() -> None:
    _, driver, sid, w = upgrading()
    driver.frame(w, "2probe", b"\4x")
    assert driver.close_codes == {w: None}
    assert driver.post(sid, "2:4a").body == b"ok"
    assert received(driver) == ["a"]


# The end


def test_close_delivers_what_is_buffered() -> None:
    core, driver = v3_driver()
    sid = driver.open_polling()
    core.send(sid, "a")
    core.close(sid, now=driver.now)
    assert driver.answers[driver.poll(sid)].body == b"2:4a"
    assert driver.answers[driver.poll(sid)].body == b"1:1"
    assert end(driver).reason is CloseReason.FORCED_CLOSE


@pytest.mark.parametrize("close_timeout", [3, 100])
def test_session_that_closes_has_one_deadline(close_timeout: float) -> None:
    core, driver = v3_driver(close_timeout=close_timeout)
    sid = driver.open_polling()
    w = driver.upgrade(sid)
    core.send(sid, "a")
    core.close(sid, now=driver.now)
    driver.frame(w, "2probe")
    driver.sleep(close_timeout - 0.1)
    assert driver.events_of(SessionClosed) == []
    driver.sleep(0.2)
    assert end(driver).reason is CloseReason.FORCED_CLOSE
