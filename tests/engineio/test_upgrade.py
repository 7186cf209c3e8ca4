"""The upgrade of a session from polling to WebSocket."""

from __future__ import annotations

import pytest

from sioproto.engineio import (
    CloseReason,
    EngineServer,
    SessionClosed,
    SessionUpgraded,
)
from tests.engineio.test_session import end, received
from tests.harness import Driver, engine_driver, request


def upgrading() -> tuple[EngineServer[str], Driver, str, str]:
    core, driver = engine_driver()
    sid = driver.open_polling()
    return core, driver, sid, driver.upgrade(sid)


@pytest.mark.covers("EIO-UPC-02")
def test_upgrade_moves_the_buffer_in_order() -> None:
    """EIO-UPC-02: of a client that stopped polling before."""
    core, driver, sid, w = upgrading()
    assert driver.frame(w, "2probe") == ["3probe"]
    core.send(sid, "a")
    core.send(sid, b"b")
    driver.drain()
    assert driver.frames[w] == ["3probe"], "nothing else before the switch"
    assert driver.frame(w, "5", "4x") == ["4a", b"b"]
    assert received(driver) == ["x"]
    core.send(sid, "c")
    driver.drain()
    assert driver.frames[w] == ["3probe", "4a", b"b", "4c"]
    assert driver.events_of(SessionUpgraded) == [SessionUpgraded(sid)]


@pytest.mark.covers("EIO-UPC-02")
def test_polling_goes_on_during_the_probe() -> None:
    """EIO-UPC-02: for a client that stops polling late."""
    core, driver, sid, w = upgrading()
    driver.frame(w, "2probe")
    poll = driver.poll(sid)
    core.send(sid, "by poll")
    driver.drain()
    assert driver.answers[poll].body == b"4by poll"
    assert driver.post(sid, "4by post").body == b"ok"
    driver.frame(w, "5", "4by websocket")
    assert received(driver) == ["by post", "by websocket"]


def test_every_poll_during_an_upgrade_gets_a_noop_but_not_at_once() -> None:
    _, driver, sid, w = upgrading()
    first = driver.poll(sid)
    driver.frame(w, "2probe")
    assert first in driver.unanswered
    for poll in (first, driver.poll, driver.poll):
        x = poll if isinstance(poll, str) else poll(sid)
        assert x in driver.unanswered
        driver.sleep(0.1)
        assert driver.answers[x].body == b"6"


def test_no_noop_without_a_probe() -> None:
    _, driver, sid, _ = upgrading()
    poll = driver.poll(sid)
    driver.sleep(5)
    assert poll in driver.unanswered


def test_poll_pending_at_the_switch_is_ended() -> None:
    _, driver, sid, w = upgrading()
    driver.frame(w, "2probe")
    poll = driver.poll(sid)
    driver.frame(w, "5")
    assert driver.answers[poll].body == b"1"
    assert driver.events_of(SessionClosed) == []


def test_post_being_read_at_the_switch_is_refused() -> None:
    _, driver, sid, w = upgrading()
    post = driver.start(request(f"EIO=4&transport=polling&sid={sid}", "POST"))
    driver.frame(w, "2probe", "5")
    assert driver.answers[post].status == 400
    driver.body(post, b"4late")
    assert received(driver) == []
    assert driver.events_of(SessionClosed) == []


def test_probe_may_be_repeated_and_may_be_missing() -> None:
    _, driver, _, w = upgrading()
    assert driver.frame(w, "2probe", "2probe") == ["3probe", "3probe"]
    _, driver, sid, w = upgrading()
    driver.frame(w, "5")
    assert driver.events_of(SessionUpgraded) == [SessionUpgraded(sid)]


def test_probes_whose_answers_are_not_taken_end_the_candidate() -> None:
    _, driver, sid, w = upgrading()
    driver.auto_sent = False
    driver.frame(w, *["2probe"] * 16)
    assert driver.close_codes == {}
    driver.frame(w, *["2probe"] * 2)
    assert driver.close_codes == {w: None}
    assert driver.post(sid, "4a").body == b"ok"


@pytest.mark.parametrize("data", ["5", "52", "5abc"])
def test_upgrade_packet_may_have_data(data: str) -> None:
    _, driver, sid, w = upgrading()
    driver.frame(w, "2probe", data)
    assert driver.events_of(SessionUpgraded) == [SessionUpgraded(sid)]


@pytest.mark.parametrize(
    "frame", ["4x", "2", "2other", "3probe", "6", "1", "0", "abc", "", b"\x01", b""]
)
@pytest.mark.parametrize("probed", [False, True])
def test_anything_else_drops_the_candidate_alone(frame: str | bytes, probed: bool) -> None:
    _, driver, sid, w = upgrading()
    if probed:
        driver.frame(w, "2probe")
    driver.frame(w, frame)
    assert driver.close_codes == {w: None}
    assert received(driver) == []
    assert driver.post(sid, "4a").body == b"ok"
    second = driver.upgrade(sid)
    assert driver.frame(second, "2probe") == ["3probe"]
    driver.closed(w)
    driver.frame(second, "5", "4b")
    assert received(driver) == ["a", "b"]


@pytest.mark.covers("EIO-UPS-10")
def test_abandoned_upgrade_is_freed() -> None:
    """EIO-UPS-10."""
    core, driver, sid, w = upgrading()
    driver.frame(w, "2probe")
    driver.sleep(10)
    assert driver.close_codes == {w: None}
    poll = driver.poll(sid)
    driver.sleep(5)
    assert poll in driver.unanswered, "no more noops"
    driver.closed(w)
    assert core.statistics().upgrading == 0


def test_lost_candidate_leaves_the_session() -> None:
    _, driver, sid, w = upgrading()
    driver.frame(w, "2probe")
    driver.closed(w)
    assert driver.post(sid, "4a").body == b"ok"


def test_second_candidate_is_refused() -> None:
    _, driver, sid, w = upgrading()
    second = driver.upgrade(sid)
    assert driver.rejected[second].status == 400
    assert driver.frame(w, "2probe") == ["3probe"]


def test_upgraded_session_refuses_polling_and_websockets() -> None:
    _, driver, sid, w = upgrading()
    driver.frame(w, "2probe", "5")
    bad = b'{"code":3,"message":"Bad request"}'
    assert driver.answers[driver.poll(sid)].body == bad
    assert driver.post(sid, "4a").body == bad
    assert driver.upgrade(sid) in driver.rejected
    driver.frame(w, "4a")
    assert received(driver) == ["a"]


def test_session_cannot_be_taken_over() -> None:
    _, driver = engine_driver()
    w, sid = driver.open_websocket()
    assert driver.upgrade(sid) in driver.rejected
    driver.frame(w, "4a")
    assert received(driver) == ["a"]


def test_upgrades_can_be_forbidden() -> None:
    _, driver = engine_driver(allow_upgrades=False)
    sid = driver.open_polling()
    assert driver.upgrade(sid) in driver.rejected


def test_heartbeat_survives_the_upgrade() -> None:
    _, driver, _, w = upgrading()
    driver.frame(w, "2probe")
    driver.sleep(9)
    driver.frame(w, "5")
    driver.sleep(16)
    assert driver.frames[w] == ["3probe", "2"]
    driver.sleep(20)
    assert end(driver).reason is CloseReason.PING_TIMEOUT


def test_ping_sent_by_polling_may_be_answered_by_websocket_or_else() -> None:
    for answer in (True, False):
        _, driver = engine_driver()
        sid = driver.open_polling()
        driver.sleep(25)
        assert driver.poll_now(sid) == "2"
        w = driver.upgrade(sid)
        driver.frame(w, "2probe", "5")
        if answer:
            driver.frame(w, "3")
        driver.sleep(24)
        assert bool(driver.events_of(SessionClosed)) is not answer


def test_close_by_polling_takes_the_candidate_along() -> None:
    _, driver, sid, w = upgrading()
    driver.frame(w, "2probe")
    driver.post(sid, "1")
    assert driver.close_codes == {w: None}


@pytest.mark.covers("EIO-UPS-20")
def test_close_during_an_upgrade_waits_for_the_switch() -> None:
    core, driver, sid, w = upgrading()
    driver.frame(w, "2probe")
    core.send(sid, "x")
    core.close(sid, now=0)
    driver.drain()
    assert driver.frame(w, "5") == ["4x"]
    assert driver.close_codes == {w: None}
