"""The Engine.IO client where the server speaks revision 3."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from sioproto import RemoteProtocolError
from sioproto._output import Event
from sioproto.engineio import (
    CloseReason,
    EngineClient,
    EngineServer,
    MessageReceived,
    Opened,
    OpenFailed,
    PingReceived,
    PongReceived,
    SessionClosed,
    SessionUpgraded,
)
from tests.joined import Joined, joined_engines, scripted

TRANSPORTS = [("polling",), ("websocket",), ("polling", "websocket")]
HANDSHAKE = {"sid": "S", "upgrades": ["websocket"], "pingInterval": 300, "pingTimeout": 200}
BINARY = "application/octet-stream"


def joined_v3(**config: Any) -> tuple[EngineClient, EngineServer[str], Joined]:
    return joined_engines(server={"allow_eio3": True}, revision=3, **config)


def data_of(events: list[Event]) -> list[str | bytes]:
    return [event.data for event in events if isinstance(event, MessageReceived)]


def payload(*packets: str) -> bytes:
    return "".join(f"{len(packet)}:{packet}" for packet in packets).encode()


def opened(*packets: str, **config: Any) -> tuple[EngineClient, Joined]:
    """A client on polling that has just opened a session, and whose first poll is open."""
    client, joined = scripted(revision=3, **config)
    client.open(now=0.0)
    joined.drain()
    body = payload("0" + json.dumps(HANDSHAKE), *packets)
    joined.respond(joined.requests[0].exchange, body=body)
    joined.drain()
    return client, joined


def on_websocket(**config: Any) -> tuple[EngineClient, Joined, int]:
    client, joined = scripted(revision=3, transports=("websocket",), **config)
    client.open(now=0.0)
    joined.drain()
    ws = joined.connects[0].ws
    joined.accept(ws)
    joined.frame(ws, "0" + json.dumps(HANDSHAKE))
    joined.drain()
    return client, joined, ws


def end_of(joined: Joined) -> tuple[CloseReason, Exception | None]:
    (closed,) = joined.events_of(SessionClosed)
    return closed.reason, closed.error


# With a server that speaks both


@pytest.mark.parametrize("force_base64", [False, True], ids=["bytes", "base64"])
@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_messages_arrive_in_order_on_every_transport(
    transports: tuple[str, ...], force_base64: bool
) -> None:
    """EIO-P3-02, EIO-P3-09, EIO-PKT-05, EIO-PKT-07, EIO-CLI-21."""
    client, server, joined = joined_v3(transports=transports, force_base64=force_base64)
    client.open(now=0.0)
    client.send("early")
    joined.run()
    values: list[str | bytes] = ["text", b"\x00\xff", "", b"", "żółć 🙂", b"\x1e" * 300]
    for _ in range(2):  # alone, and together
        for value in values:
            client.send(value)
            server.send("E1", value)
        joined.run()
        for value in values:
            client.send(value)
            server.send("E1", value)
            joined.run(0.3)
    assert data_of(joined.server_events) == ["early", *values * 4]
    assert data_of(joined.events) == values * 4
    assert client.transport == transports[-1]
    targets = [out.target for out in joined.requests] + [out.target for out in joined.connects]
    for target in targets:
        assert "EIO=3&" in target
        assert ("b64=1" in target) is force_base64
    frames = [frame for _, frame in joined.sent]
    assert any(isinstance(frame, bytes) for frame in frames) is (
        "websocket" in transports and not force_base64
    )


def test_upgrade_loses_nothing_and_keeps_order() -> None:
    """EIO-UPC-03: both sides send all the time."""
    client, server, joined = joined_v3()
    client.open(now=0.0)
    joined.run(0.025)
    for number in range(200):
        client.send(f"c{number}")
        server.send("E1", f"s{number}".encode())
        joined.run(0.003)
    joined.run(1.0)
    assert joined.events_of(SessionUpgraded)
    assert data_of(joined.server_events) == [f"c{number}" for number in range(200)]
    assert data_of(joined.events) == [f"s{number}".encode() for number in range(200)]


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_session_lives_by_heartbeats(transports: tuple[str, ...]) -> None:
    """EIO-HB-20, EIO-HB-21."""
    client, server, joined = joined_v3(transports=transports)
    client.open(now=0.0)
    joined.run(600.0)
    assert not joined.events_of(SessionClosed)
    assert len(joined.events_of(PongReceived)) == 23
    assert not joined.events_of(PingReceived)
    assert server.statistics().sessions == 1
    client.close(now=joined.now)
    joined.run()
    assert server.statistics().sessions == 0
    assert client.next_deadline() is None


def test_post_bodies_stay_below_the_limit_of_the_server() -> None:
    """EIO-CLI-06: whatever form they take."""
    client, _, joined = joined_engines(
        server={"allow_eio3": True, "max_payload": 100}, revision=3, transports=("polling",)
    )
    client.open(now=0.0)
    joined.run()
    sent: list[str | bytes] = ["a" * 96, "b" * 30, "c" * 30, "€" * 32, "🙂" * 5, b"e" * 70, b"f"]
    for data in sent * 3:
        client.send(data)
    joined.run(5.0)
    bodies = [out.body for out in joined.requests if out.method == "POST"]
    assert max(map(len, bodies)) <= 100
    assert len(bodies) < len(sent * 3)
    assert data_of(joined.server_events) == sent * 3


# On the wire


def test_requests() -> None:
    """EIO-CLI-21: to the byte."""
    client, joined = opened("40", upgrade=False)
    assert data_of(joined.events) == ["0"]
    assert joined.events_of(Opened)[0].handshake.max_payload is None
    assert joined.requests[0].target == "/engine.io/?EIO=3&transport=polling&t=n1"
    client.send("€")
    client.send("😀")
    joined.drain()
    post = joined.requests[2]
    assert post.body == "2:4€3:4😀".encode()
    assert dict(post.headers)["content-type"].startswith("text/plain")
    joined.respond(post.exchange)
    client.send("a")
    client.send(b"\x01")
    joined.drain()
    post = joined.requests[3]
    assert post.body == b"\x00\x02\xff4a\x01\x02\xff\x04\x01"
    assert dict(post.headers)["content-type"] == BINARY
    joined.respond(post.exchange)
    client.close(now=joined.now)
    joined.drain()
    assert joined.requests[4].body == b"1:1"


def test_the_label_tells_how_a_poll_is_read() -> None:
    """EIO-P3-11."""
    _, joined = opened(upgrade=False)
    answer = (("content-type", BINARY),)
    body = b"\x00\x05\xff4\xe2\x82\xaca\x01\x04\xff\x04\x01\x02\x03"
    joined.respond(joined.requests[-1].exchange, headers=answer, body=body)
    joined.drain()
    joined.respond(joined.requests[-1].exchange, body=b"10:b4AQIDBA==0:2:4a")
    joined.drain()
    assert data_of(joined.events) == ["€a", b"\x01\x02\x03", b"\x01\x02\x03\x04", "a"]
    joined.respond(joined.requests[-1].exchange, headers=answer, body=b"2:4a")
    joined.drain()
    assert end_of(joined)[0] is CloseReason.PARSE_ERROR


def test_frames() -> None:
    """EIO-PKT-05, EIO-PKT-05b: binary without a type is ignored."""
    client, joined, ws = on_websocket()
    client.send(b"\x01\x02")
    for frame in (b"\x04\x09", b"", b"\x77x", "b4AQ==", "4a"):
        joined.frame(ws, frame)
    joined.run(0.02)
    assert joined.sent == [(ws, b"\x04\x01\x02")]
    assert data_of(joined.events) == [b"\x09", b"\x01", "a"]
    joined.frame(ws, "7")
    joined.run(0.02)
    assert end_of(joined)[0] is CloseReason.PARSE_ERROR


def test_switch_waits_for_poll_and_post() -> None:
    """EIO-UPC-03: a ping that is due meanwhile follows `5`."""
    client, joined = opened()
    poll, ws = joined.requests[1].exchange, joined.connects[0].ws
    joined.accept(ws)
    joined.run(0.25)
    client.send("in the post")
    joined.drain()
    joined.frame(ws, "3probe")
    client.send("during")
    joined.run(0.1)
    joined.respond(poll, body=b"5:4late1:6")
    joined.drain()
    assert len(joined.requests) == 3
    joined.respond(joined.requests[2].exchange)
    joined.run(0.02)
    assert data_of(joined.events) == ["late"]
    assert [frame for _, frame in joined.sent] == ["2probe", "5", "2", "4during"]


# Heartbeat


def test_client_pings_after_open_and_after_each_pong() -> None:
    """EIO-HB-20: not on a fixed grid."""
    _, joined, ws = on_websocket()
    times = []
    for _ in range(3):
        before = len(joined.sent)
        while len(joined.sent) == before:
            joined.run(0.01)
        times.append(joined.now)
        joined.run(0.1)
        joined.frame(ws, "3")
        joined.run(0.0)
    assert times == pytest.approx([0.3, 0.7, 1.1], abs=0.011)
    assert [frame for _, frame in joined.sent] == ["2"] * 3
    assert len(joined.events_of(PongReceived)) == 3


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_silent_server(transport: str) -> None:
    """EIO-HB-20: a ping is not answered."""
    if transport == "polling":
        client, joined = opened(upgrade=False)
    else:
        client, joined, _ = on_websocket()
    joined.run(0.49)
    assert not joined.events_of(SessionClosed)
    joined.run(0.02)
    assert end_of(joined)[0] is CloseReason.PING_TIMEOUT
    assert client.sid is None


def test_pings_do_not_put_off_the_end() -> None:
    """EIO-HB-20: where several are due before the first is too late."""
    client, joined = scripted(revision=3, transports=("websocket",))
    client.open(now=0.0)
    joined.drain()
    ws = joined.connects[0].ws
    joined.accept(ws)
    joined.frame(ws, "0" + json.dumps({**HANDSHAKE, "pingTimeout": 1000}))
    joined.run(1.29)
    assert not joined.events_of(SessionClosed)
    assert [frame for _, frame in joined.sent] == ["2"] * 4
    joined.run(0.02)
    assert end_of(joined)[0] is CloseReason.PING_TIMEOUT


@pytest.mark.parametrize("frame", ["4m", "6", b"\x04x"])
def test_any_packet_is_a_sign_of_life(frame: str | bytes) -> None:
    """EIO-HB-20: and the client goes on to ping, where the reference of that time stops."""
    client, joined, ws = on_websocket()
    for _ in range(40):
        joined.run(0.05)
        joined.frame(ws, frame)
    assert client.sid == "S"
    assert [frame for _, frame in joined.sent] == ["2"] * 6
    joined.run(0.29)  # the next ping is due after 0.1, and nothing answers
    assert not joined.events_of(SessionClosed)
    joined.run(0.02)
    assert end_of(joined)[0] is CloseReason.PING_TIMEOUT


def test_ping_overtakes_what_waits() -> None:
    client, joined, _ = on_websocket()
    joined.run(0.295)
    for number in itertools.count():
        client.send(f"{number}")
        joined.run(0.001)
        if number == 8:
            break
    joined.run(0.02)
    frames = [frame for _, frame in joined.sent]
    assert frames == ["40", "2", *(f"4{number}" for number in range(1, 9))]


def test_heartbeat_of_a_server_that_is_not_read() -> None:
    """EIO-HB-20: the pong may be waiting unread, and the server goes on to hear pings."""
    client, joined, ws = on_websocket(stall_timeout=5.0)
    client.hold(now=joined.now)
    joined.run(4.9)
    assert not joined.events_of(SessionClosed)
    assert len(joined.sent) == 16
    client.resume(now=joined.now)
    joined.frame(ws, "3")
    joined.run(0.45)
    assert not joined.events_of(SessionClosed)
    joined.run(0.06)
    assert end_of(joined)[0] is CloseReason.PING_TIMEOUT


# The other revision

OPEN_4 = b'0{"sid":"S","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000}'


def test_answer_of_revision_4() -> None:
    """A server that does not look at what was asked for."""
    client, joined = scripted(revision=3)
    client.open(now=0.0)
    joined.drain()
    joined.respond(joined.requests[0].exchange, body=OPEN_4)
    joined.drain()
    (failed,) = joined.events_of(OpenFailed)
    assert "answers in revision 4" in str(failed.error)
    assert "this client speaks revision 3" in str(failed.error)
    assert client.next_deadline() is None


@pytest.mark.parametrize("revision", [3, 4])
def test_refusal_of_a_revision(revision: int) -> None:
    """EIO-QP-12: both revisions are named, whatever words the server has."""
    client, joined = scripted(revision=revision)
    client.open(now=0.0)
    joined.drain()
    body = b'{"code":5,"message":"Unsupported protocol version"}'
    joined.respond(joined.requests[0].exchange, 400, body=body)
    joined.drain()
    (failed,) = joined.events_of(OpenFailed)
    assert "Unsupported protocol version" in str(failed.error)
    assert f"this client speaks revision {revision}" in str(failed.error)
    assert f"seems to speak {7 - revision}" in str(failed.error)


def test_server_of_revision_4_on_websocket() -> None:
    """EIO-HB-24: nothing tells the two apart before the server pings."""
    client, joined, ws = on_websocket()
    joined.frame(ws, "2")
    joined.run(0.02)
    reason, error = end_of(joined)
    assert reason is CloseReason.TRANSPORT_ERROR
    assert isinstance(error, RemoteProtocolError)
    assert "revision 4" in str(error)
    assert "revision 3" in str(error)
    assert client.statistics().websockets == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"2:4a", b'4:0{"s', b"1:0", b"<html>", b"\x01\x02\xff0{", b"99999999999:0"],
)
def test_answers_that_open_no_session(body: bytes) -> None:
    client, joined = scripted(revision=3)
    client.open(now=0.0)
    joined.drain()
    joined.respond(joined.requests[0].exchange, body=body)
    joined.drain()
    assert len(joined.events_of(OpenFailed)) == 1
    assert client.next_deadline() is None
