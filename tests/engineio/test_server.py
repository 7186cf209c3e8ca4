"""Routing, the refusal table, the token contract, and the drain."""

from __future__ import annotations

import json

import pytest

from sioproto import ClosedError, ConnectionRefused, LimitError, LocalProtocolError
from sioproto.engineio import (
    CloseReason,
    EngineServer,
    HookFailed,
    HttpRespond,
    Request,
    ServerConfig,
    SessionClosed,
    SessionOpened,
    WsAccept,
    WsReject,
    WsSend,
)
from tests.harness import Driver, counter, engine_driver, request

REFUSED = [
    ("GET", "EIO=4", 0),
    ("GET", "EIO=4&transport=", 0),
    ("GET", "EIO=4&transport=abc", 0),
    ("GET", "EIO=4&transport=POLLING", 0),
    ("GET", "EIO=4&transport=__proto__", 0),
    ("GET", "EIO=4&transport=webtransport", 0),
    ("GET", "EIO=4&transport=abc&sid=x", 0),
    ("GET", "EIO=4&transport=polling&sid=x", 1),
    ("GET", "EIO=3&transport=polling&sid=x", 1),
    ("POST", "EIO=4&transport=polling&sid=__proto__", 1),
    ("POST", "EIO=4&transport=polling", 2),
    ("PUT", "EIO=4&transport=polling", 2),
    ("HEAD", "EIO=4&transport=polling", 2),
    ("OPTIONS", "EIO=4&transport=polling", 2),
    ("POST", "EIO=abc&transport=polling", 2),
    ("GET", "EIO=4&transport=websocket", 3),
    ("GET", "&".join(["EIO=4", "transport=polling", *["a=b"] * 200]), 3),
    ("GET", "transport=polling", 5),
    ("GET", "EIO=3&transport=polling", 5),
    ("GET", "EIO=5&transport=polling", 5),
    ("GET", "EIO=04&transport=polling", 5),
    ("GET", "eio=4&transport=polling", 5),
    ("GET", "EIO=4&EIO=3&transport=polling", 5),
]

MESSAGES = {
    0: "Transport unknown",
    1: "Session ID unknown",
    2: "Bad handshake method",
    3: "Bad request",
    5: "Unsupported protocol version",
}


@pytest.mark.parametrize(("method", "query", "code"), REFUSED)
def test_refusals_over_http(method: str, query: str, code: int) -> None:
    core, driver = engine_driver()
    answer = driver.answers[driver.http(request(query, method))]
    assert answer.status == 400
    assert dict(answer.headers)["content-type"] == "application/json"
    told = json.loads(answer.body)
    assert list(told) == ["code", "message"]
    assert told["code"] == code
    assert told["message"].partition(":")[0] == MESSAGES[code]
    assert core.statistics().sessions == 0


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("EIO=4", 0),
        ("EIO=4&transport=abc", 0),
        ("EIO=4&transport=constructor", 0),
        ("EIO=4&transport=websocket&sid=abc", 1),
        ("EIO=4&transport=polling", 3),
        ("transport=websocket", 5),
        ("EIO=3&transport=websocket", 5),
    ],
)
def test_upgrades_are_refused_before_the_101(query: str, code: int) -> None:
    _, driver = engine_driver()
    answer = driver.rejected[driver.connect(request(query))]
    assert answer.status == 400
    assert answer.body.decode().partition(":")[0] == MESSAGES[code]
    assert dict(answer.headers)["content-type"] == "text/html"


@pytest.mark.covers("EIO-ERR-07", "EIO-UPS-17")
@pytest.mark.parametrize("message", ["Forbidden", "come back tomorrow"])
def test_application_may_forbid_a_handshake(message: str) -> None:
    asked: list[str] = []

    def allow_request(head: Request) -> None:
        asked.append(head.target)
        if "key=1" not in head.target:
            raise ConnectionRefused(message)

    core: EngineServer[str] = EngineServer(new_sid=counter("E"), allow_request=allow_request)
    driver = Driver(core)
    answer = driver.answers[driver.http(request("EIO=4&transport=polling"))]
    assert answer.status == 403
    assert json.loads(answer.body) == {"code": 4, "message": message}
    rejected = driver.rejected[driver.connect(request("EIO=4&transport=websocket"))]
    assert (rejected.status, rejected.body) == (400, message.encode())
    wrong = driver.answers[driver.http(request("EIO=3&transport=polling"))]
    assert json.loads(wrong.body)["code"] == 4, "asked before the revision is judged"
    assert len(asked) == 3
    driver.http(request("EIO=4&transport=polling&key=1"))
    assert driver.post("E1", "4a").body == b"ok"
    driver.upgrade("E1")
    assert len(asked) == 4, "not asked for what belongs to a session"


@pytest.mark.covers("EIO-ERR-07")
def test_a_broken_function_lets_nobody_in_and_is_told_of() -> None:
    """EIO-ERR-07: no machine raises because of a peer, and what it asks cannot say so."""
    broken = RuntimeError("a bug")

    def allow_request(head: Request) -> None:
        if "key=1" not in head.target:
            raise broken

    core: EngineServer[str] = EngineServer(new_sid=counter("E"), allow_request=allow_request)
    driver = Driver(core)
    answer = driver.answers[driver.http(request("EIO=4&transport=polling"))]
    assert answer.status == 403
    assert json.loads(answer.body) == {"code": 4, "message": "internal error"}
    rejected = driver.rejected[driver.connect(request("EIO=4&transport=websocket"))]
    assert (rejected.status, rejected.body) == (400, b"internal error")
    assert [out.error for out in driver.events_of(HookFailed)] == [broken, broken]
    assert driver.events_of(SessionOpened) == []
    driver.http(request("EIO=4&transport=polling&key=1"))
    assert core.statistics().sessions == 1


@pytest.mark.parametrize(
    "query",
    [
        "EIO=4&transport=polling&sid=",
        "EIO=3&EIO=4&transport=polling",
        "EIO=4&transport=%70olling",
        "EIO=4&transport=polling&t=abc&foo=bar",
    ],
)
def test_accepted_handshakes(query: str) -> None:
    _, driver = engine_driver()
    answer = driver.answers[driver.http(request(query))]
    assert answer.status == 200
    assert answer.body == (
        b'0{"sid":"E1","upgrades":["websocket"],'
        b'"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'
    )
    assert dict(answer.headers) == {
        "content-type": "text/plain; charset=UTF-8",
        "cache-control": "no-store",
    }


@pytest.mark.parametrize(
    ("config", "upgrades"),
    [
        ({}, ["websocket"]),
        ({"allow_upgrades": False}, []),
        ({"transports": ("polling",)}, []),
    ],
)
def test_upgrades_offered(config: dict[str, object], upgrades: list[str]) -> None:
    _, driver = engine_driver(**config)
    answer = driver.answers[driver.http(request("EIO=4&transport=polling"))]
    assert json.loads(answer.body[1:])["upgrades"] == upgrades


def test_websocket_handshake() -> None:
    core: EngineServer[str] = EngineServer(new_sid=counter("E"))
    head = request("EIO=4&transport=websocket")
    core.ws_connected("w", head, now=0)
    outputs = list(core.outputs())
    assert outputs[:2] == [WsAccept("w", (), 1_000_000), SessionOpened("E1", head)]
    assert isinstance(outputs[2], WsSend)
    assert len(outputs) == 3
    (frame,) = outputs[2].frames
    assert isinstance(frame.payload, str)
    assert json.loads(frame.payload[1:])["upgrades"] == []


@pytest.mark.covers("EIO-ERR-23")
@pytest.mark.parametrize(
    ("transports", "polling", "websocket"),
    [(("polling",), True, False), (("websocket",), False, True)],
)
def test_transports_can_be_left_out(
    transports: tuple[str, ...], polling: bool, websocket: bool
) -> None:
    _, driver = engine_driver(transports=transports)
    answer = driver.answers[driver.http(request("EIO=4&transport=polling"))]
    assert (answer.status == 200) is polling
    assert (driver.connect(request("EIO=4&transport=websocket")) in driver.frames) is websocket


@pytest.mark.parametrize("revision", ["EIO=3&", "EIO=5&", ""])
def test_session_decides_its_revision(revision: str) -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.http(request(f"{revision}transport=polling&sid={sid}"))
    assert json.loads(driver.answers[poll].body)["code"] == 3
    upgrade = driver.connect(request(f"{revision}transport=websocket&sid={sid}"))
    told = driver.rejected[upgrade].body.decode()
    assert told.startswith("Bad request: this session speaks revision 4 of Engine.IO, ")
    assert driver.post(sid, "4a").body == b"ok"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods_leave_the_session_alone(method: str) -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    answer = driver.http(request(f"EIO=4&transport=polling&sid={sid}", method))
    assert driver.answers[answer].status == 400
    assert driver.post(sid, "4a").body == b"ok"


def test_websocket_session_answers_plain_requests() -> None:
    _, driver = engine_driver()
    _, sid = driver.open_websocket()
    for transport in ("websocket", "polling"):
        x = driver.http(request(f"EIO=4&transport={transport}&sid={sid}"))
        assert json.loads(driver.answers[x].body)["code"] == 3


def test_octet_stream_is_read_as_the_text_it_is() -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    head = request(
        f"EIO=4&transport=polling&sid={sid}", "POST", content_type="application/octet-stream"
    )
    assert driver.answers[driver.http(head, b"bAQID")].body == b"ok"


@pytest.mark.covers("EIO-PATH-02")
def test_serves_by_prefix() -> None:
    """EIO-PATH-02."""
    core: EngineServer[str] = EngineServer(ServerConfig(path="/a/"), new_sid=counter("E"))
    assert core.serves("/a/?EIO=4")
    assert core.serves("/a/b?EIO=4")
    assert not core.serves("/a?EIO=4")
    assert not core.serves("//a/")
    assert not core.serves("/A/")


# The token contract


def test_token_in_use_is_refused_and_changes_nothing() -> None:
    core, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    with pytest.raises(LocalProtocolError, match="not answered yet"):
        core.http_request(poll, request("EIO=4&transport=polling"), now=0)
    w, _ = driver.open_websocket()
    with pytest.raises(LocalProtocolError, match="in use"):
        core.ws_connected(w, request("EIO=4&transport=websocket"), now=0)
    assert core.statistics().sessions == 2
    assert driver.drain() == []


def test_token_can_be_used_again() -> None:
    _, driver = engine_driver()
    sid = driver.open_polling()
    for _ in range(3):
        head = request(f"EIO=4&transport=polling&sid={sid}", "POST")
        driver.http(head, b"4a", name="x")
        assert driver.answers["x"].body == b"ok"


@pytest.mark.parametrize("fact", ["ws_text", "ws_binary", "ws_sent", "ws_closed"])
def test_unknown_websocket_is_a_mistake_of_the_driver(fact: str) -> None:
    core, _ = engine_driver()
    args = {"ws_text": ("x",), "ws_binary": (b"x",)}.get(fact, ())
    with pytest.raises(LocalProtocolError, match=f"{fact}: websocket 'w'"):
        getattr(core, fact)("w", *args, now=0)


def test_late_facts_are_ignored() -> None:
    core, driver = engine_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, "1")
    driver.frame(w, "4late", b"late")
    core.ws_sent(w, now=0)
    driver.closed(w, OSError("reset"))
    core.http_body("never", b"4a", now=0)
    core.http_aborted("never", now=0)
    assert driver.drain() == []
    assert core.statistics().websockets == 0


def test_time_never_runs_backwards() -> None:
    core, driver = engine_driver()
    driver.now = 100.0
    driver.open_websocket()
    core.handle_timeout(now=50.0)
    assert core.next_deadline() == 125.0
    core.http_request("x", request("EIO=4&transport=polling"), now=0.0)
    list(core.outputs())
    assert core.next_deadline() == 125.0


# Commands and the drain


def test_send_to_a_session_that_has_gone() -> None:
    core, driver = engine_driver()
    w, sid = driver.open_websocket()
    driver.closed(w)
    with pytest.raises(ClosedError):
        core.send(sid, "late")
    core.close(sid, now=0)
    assert driver.drain() == []


@pytest.mark.covers("EIO-PKT-10")
@pytest.mark.parametrize("data", ["\ud800", 7, None, bytearray(b"x")])
def test_what_cannot_be_sent_changes_nothing(data: object) -> None:
    core, driver = engine_driver()
    _, sid = driver.open_websocket()
    with pytest.raises(LocalProtocolError):
        core.send(sid, data)  # type: ignore[arg-type]  # what callers without types may do
    assert driver.drain() == []


def test_sid_collision_is_avoided_or_reported() -> None:
    ids = iter(["a", "a", "b", *["b"] * 10])
    core: EngineServer[str] = EngineServer(new_sid=lambda: next(ids))
    for x in ("1", "2"):
        core.http_request(x, request("EIO=4&transport=polling"), now=0)
    assert core.statistics().sessions == 2
    with pytest.raises(LocalProtocolError, match="only ids in use"):
        core.http_request("3", request("EIO=4&transport=polling"), now=0)


def test_drain_includes_what_it_causes_and_may_be_resumed() -> None:
    core, driver = engine_driver()
    sid = driver.open_polling()
    poll = driver.poll(sid)
    core.http_request("x", request("EIO=4&transport=polling"), now=0)
    seen = []
    for out in core.outputs():
        seen.append(type(out))
        if isinstance(out, SessionOpened):
            core.send(sid, "caused")
            break
    assert seen == [HttpRespond, SessionOpened]
    (out,) = core.outputs()
    assert isinstance(out, HttpRespond)
    assert (out.exchange, out.body) == (poll, b"4caused")


def test_wake_is_called_once_for_commands_and_not_for_facts() -> None:
    woken: list[int] = []
    core: EngineServer[str] = EngineServer(new_sid=counter("E"), wake=lambda: woken.append(1))
    core.ws_connected("w", request("EIO=4&transport=websocket"), now=0)
    assert woken == []
    list(core.outputs())
    core.send("E1", "a")
    core.send("E1", "b")
    assert woken == [1]
    list(core.outputs())
    core.close("E1", now=0)  # nothing to drain, but a deadline: the batch before is in flight
    assert woken == [1, 1]
    assert core.next_deadline() == 25.0


def test_failing_a_session_names_the_error() -> None:
    core, driver = engine_driver()
    w, sid = driver.open_websocket()
    error = LimitError("too much", rule="EIO-WS-10", limit="max_input")
    core.fail(sid, error)
    core.fail(sid, error)
    driver.drain()
    assert driver.events_of(SessionClosed) == [SessionClosed(sid, CloseReason.FORCED_CLOSE, error)]
    assert driver.close_codes == {w: 1008}


def test_shutdown_closes_every_session_in_order() -> None:
    core, driver = engine_driver()
    first = driver.open_polling()
    w, second = driver.open_websocket()
    third = driver.open_polling()
    poll = driver.poll(third)
    core.send(second, "last words")
    core.shutdown(now=0)
    driver.drain()
    closed = driver.events_of(SessionClosed)
    assert [event.sid for event in closed] == [first, second, third]
    assert {event.reason for event in closed} == {CloseReason.FORCED_CLOSE}
    assert driver.frames[w][-1] == "4last words"
    assert driver.answers[poll].body == b"1"
    refused = driver.http(request("EIO=4&transport=polling"))
    assert driver.answers[refused].status == 400
    assert isinstance(
        driver.rejected[driver.connect(request("EIO=4&transport=websocket"))], WsReject
    )


def test_nothing_stays_behind() -> None:
    core, driver = engine_driver()
    for _ in range(300):
        sid = driver.open_polling()
        w = driver.upgrade(sid)
        driver.frame(w, "2probe")
        driver.abort(driver.poll(sid))
        driver.closed(w)
    statistics = core.statistics()
    assert (statistics.sessions, statistics.exchanges, statistics.websockets) == (0, 0, 0)
    assert statistics.timers < 100


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ping_interval", 0),
        ("ping_interval", True),
        ("ping_timeout", -1),
        ("ping_timeout", float("inf")),
        ("upgrade_timeout", float("nan")),
        ("close_timeout", "30"),
        ("noop_interval", None),
        ("max_payload", 0),
        ("max_payload", 1.5),
        ("max_buffer", True),
        ("path", "engine.io"),
        ("transports", ()),
        ("transports", ("polling", "polling")),
        ("transports", ("telepathy",)),
        ("transports", ["polling"]),
        ("allow_upgrades", 1),
    ],
)
def test_config_refuses_nonsense_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"ServerConfig.{field} must be"):
        ServerConfig(**{field: value})  # type: ignore[arg-type]  # nonsense has the wrong type
