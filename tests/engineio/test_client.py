"""The Engine.IO client against our own server, in virtual time."""

from __future__ import annotations

import itertools

import pytest

from sioproto import ClosedError, LocalProtocolError
from sioproto._output import Event
from sioproto.engineio import (
    ClientConfig,
    CloseReason,
    EngineClient,
    HttpRequest,
    MessageReceived,
    Opened,
    OpenFailed,
    PingReceived,
    SessionClosed,
    SessionUpgraded,
    UpgradeFailed,
    WsConnect,
)
from tests.joined import joined_engines

TRANSPORTS = [("polling",), ("websocket",), ("polling", "websocket")]


def data_of(events: list[Event]) -> list[str | bytes]:
    return [event.data for event in events if isinstance(event, MessageReceived)]


@pytest.mark.covers("EIO-CLI-01", "EIO-CLI-07")
@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_messages_arrive_in_order_on_every_transport(transports: tuple[str, ...]) -> None:
    """EIO-CLI-01, EIO-CLI-07: what is sent before the session is open follows the handshake."""
    client, server, joined = joined_engines(transports=transports)
    client.open(now=0.0)
    client.send("early")
    joined.run()
    client.send("text")
    client.send(b"\x00\xff")
    client.send("")
    joined.run()
    assert data_of(joined.server_events) == ["early", "text", b"\x00\xff", ""]
    (opened,) = joined.events_of(Opened)
    assert opened.sid == client.sid == "E1"
    assert client.transport == transports[-1]
    server.send("E1", "hello")
    server.send("E1", b"\x01")
    joined.run()
    assert data_of(joined.events) == ["hello", b"\x01"]


@pytest.mark.covers("EIO-UPC-01", "EIO-UPC-04")
def test_upgrade_loses_nothing_and_keeps_order() -> None:
    """EIO-UPC-01 to EIO-UPC-04: both sides send all the time."""
    client, server, joined = joined_engines()
    client.open(now=0.0)
    joined.run(0.025)
    numbers = itertools.count()
    for _ in range(200):
        number = next(numbers)
        client.send(f"c{number}")
        server.send("E1", f"s{number}")
        joined.run(0.003)
    joined.run(1.0)
    assert joined.events_of(SessionUpgraded)
    assert data_of(joined.server_events) == [f"c{number}" for number in range(200)]
    assert data_of(joined.events) == [f"s{number}" for number in range(200)]
    assert client.statistics().exchanges == 0
    assert client.statistics().websockets == 1


@pytest.mark.covers("EIO-HB-02", "EIO-HB-04")
def test_session_lives_by_heartbeats() -> None:
    """EIO-HB-02, EIO-HB-04."""
    for transports in TRANSPORTS:
        client, server, joined = joined_engines(transports=transports)
        client.open(now=0.0)
        joined.run(600.0)
        assert not joined.events_of(SessionClosed)
        assert len(joined.events_of(PingReceived)) == 23
        assert server.statistics().sessions == 1


@pytest.mark.covers("EIO-CL-10")
@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_close_delivers_first_and_tells_the_server(transports: tuple[str, ...]) -> None:
    """EIO-CL-10."""
    client, server, joined = joined_engines(transports=transports)
    client.open(now=0.0)
    joined.run()
    before = len(joined.requests)
    client.send("last")
    client.close(now=joined.now)
    with pytest.raises(ClosedError):
        client.send("too late")
    joined.run()
    if transports == ("polling",):  # one after the other, for the sake of the reference
        assert [out.body for out in joined.requests[before:] if out.body] == [b"4last", b"1"]
    assert data_of(joined.server_events) == ["last"]
    (closed,) = joined.events_of(SessionClosed)
    assert closed.reason is CloseReason.FORCED_CLOSE
    ends = [event for event in joined.server_events if isinstance(event, SessionClosed)]
    assert [end.reason for end in ends] == [CloseReason.TRANSPORT_CLOSE]
    assert server.statistics().sessions == 0
    statistics = client.statistics()
    assert (statistics.exchanges, statistics.websockets, statistics.leaving) == (0, 0, 0)
    assert client.next_deadline() is None


@pytest.mark.covers("EIO-CL-11")
def test_close_while_opening_leaves_no_session_behind() -> None:
    """EIO-CL-11: the handshake that is in flight opens a session, which is told good-bye."""
    client, server, joined = joined_engines()
    client.open(now=0.0)
    joined.run(0.015)  # the server has opened the session, and its answer is under way
    assert server.statistics().sessions == 1
    client.send("said before")
    client.close(now=joined.now)
    joined.run()
    assert server.statistics().sessions == 0
    assert data_of(joined.server_events) == ["said before"]
    assert not joined.events_of(Opened)
    assert [closed.sid for closed in joined.events_of(SessionClosed)] == [""]


def test_a_new_session_may_open_while_the_old_one_says_good_bye() -> None:
    client, server, joined = joined_engines(transports=("polling",))
    client.open(now=0.0)
    joined.run()
    client.send("last")
    client.close(now=joined.now)
    client.open(now=joined.now)
    with pytest.raises(LocalProtocolError):
        client.open(now=joined.now)
    joined.run()
    assert client.sid == "E2"
    assert data_of(joined.server_events) == ["last"]
    assert server.statistics().sessions == 1


@pytest.mark.covers("EIO-CL-13")
@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_server_closes(transports: tuple[str, ...]) -> None:
    """EIO-CL-13: no further request, and no POST."""
    client, server, joined = joined_engines(transports=transports)
    client.open(now=0.0)
    joined.run()
    server.send("E1", "last")
    server.close("E1", now=joined.now)
    before = len(joined.requests)
    joined.run()
    assert data_of(joined.events) == ["last"]
    (closed,) = joined.events_of(SessionClosed)
    assert closed.reason is CloseReason.TRANSPORT_CLOSE
    assert len(joined.requests) - before <= 1  # the poll that fetches the end
    assert client.next_deadline() is None


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_lost_connection(transports: tuple[str, ...]) -> None:
    client, _, joined = joined_engines(transports=transports)
    client.open(now=0.0)
    joined.run()
    joined.offline = True
    joined.cut()
    joined.run(20.0)
    (closed,) = joined.events_of(SessionClosed)
    assert closed.reason is CloseReason.TRANSPORT_ERROR
    assert closed.error is not None
    assert client.next_deadline() is None
    assert client.statistics().leaving == 0


@pytest.mark.covers("EIO-CLI-13")
def test_nobody_there() -> None:
    client, _, joined = joined_engines(try_all_transports=True)
    joined.offline = True
    client.open(now=0.0)
    joined.run()
    (failed,) = joined.events_of(OpenFailed)
    assert isinstance(failed.error.__cause__, OSError)
    assert len(joined.connects) == 1  # EIO-CLI-13
    client.open(now=joined.now)  # and once more
    joined.run()
    assert len(joined.events_of(OpenFailed)) == 2


@pytest.mark.covers("EIO-CLI-13")
@pytest.mark.parametrize("rest", [b'0{"sid":"S"', b"4hello", b"?"])
def test_what_is_behind_a_bad_open_packet_is_not_for_the_next_transport(rest: bytes) -> None:
    """Found by fuzzing: a good open packet behind a bad one opened the session that a WebSocket
    was to open meanwhile."""
    if rest.startswith(b"0"):
        rest += b',"upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":99}'
    client = EngineClient(ClientConfig(try_all_transports=True), nonce=lambda: "n")
    client.open(now=0.0)
    (request,) = client.outputs()
    assert isinstance(request, HttpRequest)
    client.http_response(request.exchange, 200, (), b"0{}\x1e" + rest, now=0.0)
    (connect,) = client.outputs()
    assert isinstance(connect, WsConnect)
    client.ws_opened(connect.ws, now=0.0)
    assert list(client.outputs()) == []


@pytest.mark.covers("EIO-UPC-07")
def test_websocket_that_is_blocked_leaves_the_session_on_polling() -> None:
    """EIO-UPC-07."""
    client, server, joined = joined_engines()
    joined.websockets_work = False
    client.open(now=0.0)
    joined.run()
    assert len(joined.events_of(UpgradeFailed)) == 1
    assert client.transport == "polling"
    server.send("E1", "still there")
    client.send("me too")
    joined.run()
    assert data_of(joined.events) == ["still there"]
    assert data_of(joined.server_events) == ["me too"]


@pytest.mark.covers("EIO-UPC-09", "EIO-UPC-03")
def test_candidate_that_dies_after_the_answer_to_its_probe() -> None:
    """EIO-UPC-09: the reference never polls again."""
    client, server, joined = joined_engines(server={"noop_interval": 5.0})
    client.open(now=0.0)
    joined.run(1.0)  # the probe is answered, and the poll still open
    assert not joined.events_of(SessionUpgraded)
    client.send("held")
    joined.run(0.1)
    assert not data_of(joined.server_events)  # EIO-UPC-03: no new POST meanwhile
    joined.break_websocket(joined.connects[0].ws)
    joined.run(1.0)
    assert data_of(joined.server_events) == ["held"]
    server.send("E1", "fetched")
    joined.run(1.0)
    server.send("E1", "fetched again")
    joined.run(1.0)
    assert data_of(joined.events) == ["fetched", "fetched again"]


@pytest.mark.covers("EIO-CLI-14")
def test_remembered_upgrade() -> None:
    """EIO-CLI-14: the next session begins on WebSocket, and falls back if that fails."""
    client, _, joined = joined_engines(remember_upgrade=True)
    client.open(now=0.0)
    joined.run()
    client.close(now=joined.now)
    joined.run()
    client.open(now=joined.now)
    joined.run()
    assert [opened.transport for opened in joined.events_of(Opened)] == ["polling", "websocket"]
    client.close(now=joined.now)
    joined.run()
    joined.websockets_work = False
    client.open(now=joined.now)
    joined.run()
    assert [opened.transport for opened in joined.events_of(Opened)][2:] == ["polling"]


@pytest.mark.covers("EIO-CLI-06")
def test_post_bodies_stay_below_the_limit_of_the_server() -> None:
    """EIO-CLI-06: separators, base64 and UTF-8 are counted; a packet that is too large goes."""
    client, _, joined = joined_engines(server={"max_payload": 100}, transports=("polling",))
    client.open(now=0.0)
    joined.run()
    sent: list[str | bytes] = ["a" * 98, "b" * 29, "c" * 29, "d" * 34, "€" * 32, b"e" * 72, "f" * 9]
    for data in sent:
        client.send(data)
    before = len(joined.requests)
    joined.run()
    bodies = [out.body for out in joined.requests[before:] if out.method == "POST"]
    assert max(map(len, bodies)) <= 100
    assert [body.count(b"\x1e") for body in bodies] == [0, 2, 0, 0, 0]
    assert data_of(joined.server_events) == sent


@pytest.mark.covers("EIO-CLI-03")
def test_one_post_at_a_time() -> None:
    """EIO-CLI-03: what is sent meanwhile is merged into the next one."""
    client, _, joined = joined_engines(transports=("polling",))
    client.open(now=0.0)
    joined.run()
    before = len(joined.requests)
    for number in range(5):
        client.send(str(number))
        joined.run(0.001)
    joined.run()
    posts = [out.body for out in joined.requests[before:] if out.method == "POST"]
    assert posts == [b"40", b"41\x1e42\x1e43\x1e44"]


@pytest.mark.covers("EIO-CLI-02", "EIO-CLI-05")
def test_requests() -> None:
    """EIO-CLI-02, EIO-CLI-05: what the user adds cannot replace what the protocol says."""
    client, _, joined = joined_engines(
        path="/x/",
        server={"path": "/x/"},
        query=(("a", "b c"), ("EIO", "9"), ("sid", "evil")),
        headers=(("authorization", "secret"),),
    )
    client.open(now=0.0)
    joined.run(0.5)
    client.send("a")
    joined.run(0.5)
    first, *_ = joined.requests
    assert first.target == "/x/?a=b%20c&EIO=4&transport=polling&t=n1"
    assert first.headers == (("authorization", "secret"),)
    stamps = [out.target.partition("&t=")[2][:3] for out in joined.requests]
    assert len(set(stamps)) == len(stamps)
    assert joined.connects[0].target == "/x/?a=b%20c&EIO=4&transport=websocket&sid=E1"
    assert joined.connects[0].headers == (("authorization", "secret"),)


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_binary_as_text(transports: tuple[str, ...]) -> None:
    """EIO-CLI-08: on every transport, in both directions."""
    client, server, joined = joined_engines(transports=transports, force_base64=True)
    client.open(now=0.0)
    joined.run()
    client.send(b"\x00\xff")
    server.send("E1", b"\xfe")
    joined.run()
    assert data_of(joined.server_events) == [b"\x00\xff"]
    assert data_of(joined.events) == [b"\xfe"]
    targets = [out.target for out in joined.requests] + [out.target for out in joined.connects]
    assert all("b64=1" in target for target in targets)
    carried = [frame for _, frame in joined.sent] + [out.body.decode() for out in joined.requests]
    assert "bAP8=" in carried


def test_volatile_knows_what_is_writable() -> None:
    client, _, joined = joined_engines()
    assert not client.writable
    client.open(now=0.0)
    assert client.opening
    assert not client.writable
    joined.run()
    assert client.writable
    client.send("a")
    joined.drain()
    assert not client.writable
    joined.run()
    assert client.writable


def test_wake_is_called_once_for_commands() -> None:
    calls: list[None] = []
    client = EngineClient(nonce=lambda: "n", wake=lambda: calls.append(None))
    client.open(now=0.0)
    client.send("a")
    assert len(calls) == 1
    (request,) = client.outputs()
    assert isinstance(request, HttpRequest)
    client.close(now=0.0)
    assert len(calls) == 2


def test_message_of_a_wrong_type_changes_nothing() -> None:
    client, _, joined = joined_engines()
    client.open(now=0.0)
    joined.run()
    for wrong in (1, bytearray(b"x"), "\ud800"):
        with pytest.raises(LocalProtocolError):
            client.send(wrong)  # type: ignore[arg-type] # that is the point
    assert client.buffered == 0


@pytest.mark.parametrize(
    "field",
    [
        {"revision": 5},
        {"revision": "3"},
        {"revision": True},
        {"path": "x"},
        {"force_base64": 1},
        {"transports": ()},
        {"transports": ("polling", "polling")},
        {"open_timeout": 0},
        {"headers": (("X-Upper", "1"),)},
        {"headers": (("x", "1\r\ny: 2"),)},
        {"query": {"a": "b"}},
        {"max_buffer": True},
        {"upgrade": 1},
    ],
    ids=str,
)
def test_config_refuses_nonsense_by_name(field: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=rf"ClientConfig\.{next(iter(field))}"):
        ClientConfig(**field)  # type: ignore[arg-type] # that is the point
