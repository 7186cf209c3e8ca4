"""Sessions over WebTransport, and upgrades to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto import ConnectionRefused, DecodeError, LimitError, LocalProtocolError
from sioproto.engineio import (
    CloseReason,
    CorsConfig,
    EngineServer,
    MessageReceived,
    Request,
    ServerConfig,
    SessionClosed,
    SessionOpened,
    SessionUpgraded,
    encode_frame,
)
from sioproto.socketio import EventReceived, SocketServer
from tests.harness import Driver, accepting, counter, request
from tests.streams import CONNECT, StreamDriver

ALL = ("polling", "websocket", "webtransport")


def driver(**config: Any) -> tuple[EngineServer[str], StreamDriver]:
    config = {"transports": ALL, **config}
    core: EngineServer[str] = EngineServer(ServerConfig(**config), new_sid=counter("E"))
    return core, StreamDriver(core)


def closed(d: Driver) -> SessionClosed:
    (event,) = d.events_of(SessionClosed)
    return event


@pytest.mark.covers("EIO-WT-04")
def test_a_session_from_the_start() -> None:
    """EIO-WT-04: the client opens, the server answers without upgrades."""
    core, d = driver()
    s = d.stream("0")
    (opened,) = d.streams[s]
    assert isinstance(opened, str)
    assert json.loads(opened[1:]) | {"sid": "E1", "upgrades": []} == json.loads(opened[1:])
    assert d.events_of(SessionOpened) == [SessionOpened("E1", CONNECT, 4)]
    d.say(s, "4hello", b"\x01\x02")
    assert [event.data for event in d.events_of(MessageReceived)] == ["hello", b"\x01\x02"]
    core.send("E1", "there")
    core.send("E1", b"\x03")
    core.send("E1", b"")
    d.drain()
    assert d.streams[s][1:] == ["4there", b"\x03", "b"], "empty binary has a text form (EIO-WT-03)"
    statistics = core.statistics()
    assert (statistics.webtransport, statistics.polling, statistics.websocket) == (1, 0, 0)
    d.sleep(25)
    assert d.streams[s][4:] == ["2"]
    d.say(s, "3")
    d.gone(s)
    assert closed(d).reason is CloseReason.TRANSPORT_CLOSE
    assert core.statistics().websockets == 0


def test_a_silent_peer_times_out() -> None:
    _, d = driver()
    s = d.stream("0")
    d.sleep(45)
    assert closed(d).reason is CloseReason.PING_TIMEOUT
    assert s in d.ended
    assert d.say(s, "4late") == []


@pytest.mark.covers("EIO-WT-05")
@pytest.mark.parametrize(
    "frame",
    [
        *("0{}", "0null", "0abc", '0{"sid":1}', '0{"sid":"__proto__"}', '0{"sid":"E9"}', "0[", "2"),
        *("2probe", "5", "4hello", "1", '0{"sid":""}', b"0", "0" + "[" * 100_000, '0["sid"]'),
    ],
    ids=lambda frame: str(frame)[:12],
)
def test_a_stream_that_begins_otherwise(frame: str | bytes) -> None:
    """EIO-WT-05."""
    core, d = driver()
    sid = d.open_polling()
    s = d.stream(frame)
    assert s in d.ended
    assert d.streams[s] == []
    d.say(s, "0", f'0{{"sid":"{sid}"}}')
    assert d.streams[s] == []
    assert len(d.events_of(SessionOpened)) == 1
    assert core.next_deadline() == 25.0, "nothing waits for the stream"
    d.gone(s)
    assert core.statistics().websockets == 0


@pytest.mark.covers("EIO-WT-06")
def test_a_stream_that_says_nothing() -> None:
    """EIO-WT-06."""
    core, d = driver(upgrade_timeout=3)
    s = d.stream()
    d.raw(s, b"\x05")
    d.sleep(2.9)
    assert s not in d.ended
    d.sleep(0.2)
    assert s in d.ended
    assert core.next_deadline() is None
    d.gone(s)


@pytest.mark.covers("EIO-WT-09")
def test_off_unless_configured() -> None:
    """EIO-WT-09: unlike the reference, the option counts."""
    _, d = driver(transports=("polling", "websocket"))
    assert d.stream() == "s"
    assert d.refused == {"s": 400}
    x = d.http(request("EIO=4&transport=polling"))
    assert json.loads(d.answers[x].body[1:])["upgrades"] == ["websocket"]


def test_offered_as_an_upgrade_and_not_by_http() -> None:
    core, d = driver(allow_eio3=True)
    x = d.http(request("EIO=4&transport=polling"))
    assert json.loads(d.answers[x].body[1:])["upgrades"] == ["websocket", "webtransport"]
    old = d.http(request("EIO=3&transport=polling"))
    assert b"webtransport" not in d.answers[old].body
    for query in ("EIO=4&transport=webtransport", "EIO=4&transport=webtransport&sid=E1"):
        assert d.answers[d.http(request(query))].body == b'{"code":0,"message":"Transport unknown"}'
    s = d.stream('0{"sid":"E2"}')
    assert s in d.ended, "revision 3 has no WebTransport"
    assert core.statistics().sessions == 2


@pytest.mark.covers("EIO-WT-08")
def test_upgrade() -> None:
    """EIO-WT-08, EIO-UPS-04: as to a WebSocket."""
    core, d = driver()
    sid = d.open_polling()
    x = d.poll(sid)
    s = d.stream(f'0{{"sid":"{sid}"}}')
    assert d.streams[s] == []
    assert d.say(s, "2probe") == ["3probe"]
    d.sleep(0.1)
    assert d.answers[x].body == b"6"
    core.send(sid, "a")
    core.send(sid, b"b")
    d.drain()
    assert d.say(s, "5", "4c") == ["4a", b"b"]
    assert d.events_of(SessionUpgraded) == [SessionUpgraded(sid, "webtransport")]
    assert [event.data for event in d.events_of(MessageReceived)] == ["c"]
    assert d.post(sid, "4x").status == 400
    second = d.stream(f'0{{"sid":"{sid}"}}', name="second")
    assert second in d.ended, "EIO-WT-07"
    assert s not in d.ended
    assert core.statistics().webtransport == 1


@pytest.mark.covers("EIO-WT-05")
@pytest.mark.parametrize("how", ["stream", "websocket"])
def test_one_upgrade_at_a_time(how: str) -> None:
    """EIO-WT-05: the session of an upgrade that is under way is not to be had."""
    _, d = driver()
    sid = d.open_polling()
    hello = f'0{{"sid":"{sid}"}}'
    first = d.stream(hello, name="first") if how == "stream" else d.upgrade(sid)
    second = d.stream(hello, name="second")
    assert second in d.ended
    assert d.streams[second] == []
    speak = d.say if how == "stream" else d.frame
    assert speak(first, "2probe", "5") == ["3probe"]
    assert d.events_of(SessionUpgraded)[0].sid == sid


@pytest.mark.parametrize("wire", [b"\x00", b"\x80", b"\x7f" + b"\xff" * 8, encode_frame("4x")])
def test_a_candidate_that_misbehaves_costs_the_session_nothing(wire: bytes) -> None:
    """EIO-UPS-09."""
    core, d = driver()
    sid = d.open_polling()
    s = d.stream(f'0{{"sid":"{sid}"}}', "2probe")
    d.raw(s, wire)
    assert s in d.ended
    core.send(sid, "still here")
    assert d.poll_now(sid) == "4still here"
    again = d.stream(f'0{{"sid":"{sid}"}}', "2probe", "5", name="again")
    assert d.streams[again] == ["3probe"]
    assert d.events_of(SessionUpgraded) == [SessionUpgraded(sid, "webtransport")]


@pytest.mark.covers("EIO-UPS-10")
def test_a_candidate_that_stays_silent() -> None:
    """EIO-UPS-10."""
    _, d = driver()
    s = d.stream(f'0{{"sid":"{d.open_polling()}"}}')
    d.sleep(10)
    assert s in d.ended
    assert d.events_of(SessionClosed) == []


@pytest.mark.covers("EIO-WT-11")
@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"\x00", CloseReason.PARSE_ERROR),
        (encode_frame("7"), CloseReason.PARSE_ERROR),
        (encode_frame("x" * 1_001), CloseReason.PARSE_ERROR),
        (encode_frame("2"), CloseReason.TRANSPORT_ERROR),
        (encode_frame("1"), CloseReason.TRANSPORT_CLOSE),
    ],
)
def test_what_closes_a_session(wire: bytes, reason: CloseReason) -> None:
    """EIO-WT-11, with what came before it delivered, and nothing that comes after."""
    _, d = driver(max_payload=1_000)
    s = d.stream("0")
    d.raw(s, encode_frame("4a") + wire + encode_frame("4b"))
    assert [event.data for event in d.events_of(MessageReceived)] == ["a"]
    assert closed(d).reason is reason
    if reason is CloseReason.PARSE_ERROR:
        kind = LimitError if len(wire) > 1_000 else DecodeError
        assert isinstance(closed(d).error, kind)
    assert s in d.ended


def test_one_batch_at_a_time() -> None:
    core, d = driver()
    d.auto_sent = False
    s = d.stream("0")
    core.send("E1", "a")
    core.close("E1", now=0)
    d.drain()
    assert len(d.streams[s]) == 1
    assert s not in d.ended
    d.unsent.clear()
    core.wt_sent(s, now=0)
    d.drain()
    assert d.streams[s][1:] == ["4a"]
    assert s in d.ended
    assert closed(d).reason is CloseReason.FORCED_CLOSE


@pytest.mark.covers("EIO-WT-10")
def test_the_application_may_forbid_it() -> None:
    """EIO-WT-10."""

    def refuse(head: Request) -> None:
        assert head is CONNECT
        raise ConnectionRefused("no")

    core: EngineServer[str] = EngineServer(
        ServerConfig(transports=ALL), new_sid=counter("E"), allow_request=refuse
    )
    d = StreamDriver(core)
    assert d.stream("0") in d.ended
    assert d.events == []


@pytest.mark.covers("EIO-WT-10")
def test_served_beside_what_is_about_http() -> None:
    """EIO-WT-10: CORS and functions for headers have nothing to say here."""
    asked: list[Request] = []
    core: EngineServer[str] = EngineServer(
        ServerConfig(transports=ALL, cors=CorsConfig(origin="https://a.example")),
        new_sid=counter("E"),
        allow_request=asked.append,
        response_headers=lambda head, opens: [("x-all", "1")],
    )
    d = StreamDriver(core)
    s = d.stream("0")
    assert asked == [CONNECT]
    assert len(d.streams[s]) == len(d.events_of(SessionOpened)) == 1


def test_a_query_without_limit_is_refused() -> None:
    """EIO-QP-03: what a session is opened with has a query that can be read."""
    core: SocketServer[str] = SocketServer(
        EngineServer(ServerConfig(transports=ALL), new_sid=counter("E")),
        new_id=counter("S"),
        wall_clock=lambda: 0.0,
    )
    d = StreamDriver(core)
    d.on_event = accepting(core).on_event
    head = Request(method="CONNECT", target="/engine.io/?" + "a=1&" * 100)
    d.stream(name="bad", head=head)
    assert d.refused == {"bad": 400}
    s = d.stream(
        "0", head=Request(method="CONNECT", target="/engine.io/?" + "&".join(["a=1"] * 100))
    )
    assert d.say(s, "40") == ['40{"sid":"S1"}']


def test_shutdown() -> None:
    core, d = driver()
    s, waiting = d.stream("0"), d.stream(name="waiting")
    core.shutdown(now=0)
    d.drain()
    assert s in d.ended
    d.say(waiting, "0")
    assert waiting in d.ended
    d.stream(name="late")
    assert d.refused == {"late": 400}
    assert len(d.events_of(SessionOpened)) == 1


def test_tokens() -> None:
    core, d = driver()
    s = d.stream("0")
    w, _ = d.open_websocket()
    misuses: list[Callable[[], None]] = [
        lambda: core.wt_connected(s, CONNECT, now=0),
        lambda: core.wt_data("unknown", b"", now=0),
        lambda: core.wt_data(w, b"", now=0),
        lambda: core.wt_closed(w, now=0),
        lambda: core.ws_text(s, "4", now=0),
        lambda: core.ws_closed(s, now=0),
    ]
    for misuse in misuses:
        with pytest.raises(LocalProtocolError):
            misuse()
    assert core.statistics().sessions == 2


@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans())
def test_any_stream_is_survived(pieces: list[bytes], opened: bool) -> None:
    """Whatever arrives, the books balance, and a polling session beside it is unharmed."""
    core, d = driver(max_payload=1_000)
    sid = d.open_polling()
    s = d.stream(*["0"] if opened else [])
    d.raw(s, *pieces)
    d.sleep(12)
    d.gone(s)
    assert core.statistics().sessions == 1
    assert core.statistics().websockets == 0
    assert d.post(sid, "4x").status == 200


@pytest.mark.covers("EIO-WT-02")
@given(st.lists(st.integers(0, 200), max_size=10))
def test_where_the_stream_is_cut_does_not_matter(places: list[int]) -> None:
    """EIO-WT-02, for the whole conversation."""
    core, d = driver()
    sid = d.open_polling()
    said: list[str | bytes] = [f'0{{"sid":"{sid}"}}', "2probe", "5", "4a", b"b", "4" + "c" * 150]
    wire = b"".join(map(encode_frame, said))
    ends = sorted(place % len(wire) for place in places)
    d.stream()
    d.raw("s", *(wire[a:b] for a, b in zip([0, *ends], [*ends, len(wire)], strict=True)))
    received = [event.data for event in d.events_of(MessageReceived)]
    assert received == ["a", b"b", "c" * 150]
    assert core.statistics().webtransport == 1


def test_socketio_over_it() -> None:
    core: SocketServer[str] = SocketServer(
        EngineServer(ServerConfig(transports=ALL), new_sid=counter("E")),
        new_id=counter("S"),
        wall_clock=lambda: 0.0,
    )
    d = StreamDriver(core)
    d.on_event = accepting(core).on_event
    s = d.stream("0")
    assert d.say(s, "40") == ['40{"sid":"S1"}']
    d.say(s, '451-["m",{"_placeholder":true,"num":0}]', b"x")
    (event,) = d.events_of(EventReceived)
    assert (event.name, event.args) == ("m", [b"x"])
    core.of("/").emit("all", b"y")
    d.drain()
    assert d.streams[s][2:] == ['451-["all",{"_placeholder":true,"num":0}]', b"y"]
    d.gone(s)
