"""Revision 4 of Socket.IO, which travels by revision 3 of Engine.IO."""

from __future__ import annotations

from typing import Any

import pytest

from sioproto import LimitError
from sioproto._output import Event
from sioproto.socketio import (
    AckReceived,
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    EventReceived,
    NamespaceRequested,
    RecoveryConfig,
    SocketServer,
)
from tests.harness import Driver, request, socket_driver


def v4_driver(
    *namespaces: str, accept: bool = True, **config: Any
) -> tuple[SocketServer[str], Driver]:
    core, driver = socket_driver(*namespaces, accept=accept, engine={"allow_eio3": True}, **config)
    driver.revision = 3
    return core, driver


def open_websocket(driver: Driver) -> tuple[str, str]:
    """Open a session. Returns its token and its id."""
    w, sid = driver.open_websocket()
    assert driver.frames[w][1:] == ["40"]
    return w, sid


def reasons(driver: Driver) -> list[str]:
    return [str(event.reason) for event in driver.events_of(Disconnected)]


# Joining


@pytest.mark.covers("SIO-V4-01", "SIO-V4-02", "SIO-V4-03")
def test_client_is_in_the_main_namespace_at_once() -> None:
    """SIO-V4-01, SIO-V4-02, SIO-V4-03."""
    core, driver = v4_driver()
    _, sid = open_websocket(driver)
    (connected,) = driver.events_of(Connected)
    socket = connected.socket
    assert (socket.id, socket.sid, list(socket.rooms)) == (sid, sid, [sid])
    assert socket.handshake.auth == {}
    assert core.of("/").sockets[sid] is socket


@pytest.mark.covers("SIO-V4-02", "SIO-V4-06")
def test_by_polling_the_reply_comes_with_the_first_poll() -> None:
    """SIO-V4-02, SIO-V4-06."""
    _, driver = v4_driver()
    sid = driver.open_polling()
    assert driver.answers["x1"].body.decode().endswith("}")
    assert driver.poll_now(sid) == "2:40"
    assert driver.post(sid, '11:42["a",1,2]').body == b"ok"
    (event,) = driver.events_of(EventReceived)
    assert (event.name, event.args) == ("a", [1, 2])


@pytest.mark.covers("SIO-V4-06", "SIO-V4-03b")
def test_events_and_acknowledgements_of_both_sides() -> None:
    """SIO-V4-06."""
    _, driver = v4_driver("/custom")
    w, sid = open_websocket(driver)
    assert driver.frame(w, "2") == ["3"], "the heartbeat is the client's"
    driver.frames[w].remove("3")
    assert driver.frame(w, "40/custom,") == ["40/custom,"]
    main, custom = (event.socket for event in driver.events_of(Connected))
    assert custom.id == f"/custom#{sid}"  # SIO-V4-03b
    main.emit("a", "é", b"\1")
    custom.emit("b")
    ack = custom.emit_with_ack("q", timeout=5, now=driver.now)
    driver.drain()
    assert driver.frames[w][3:] == [
        '451-["a","é",{"_placeholder":true,"num":0}]',
        b"\4\1",
        '42/custom,["b"]',
        '42/custom,0["q"]',
    ]
    frames: list[str | bytes] = [
        '451-/custom,7["x",{"_placeholder":true,"num":0}]',
        b"\4\2",
        "43/custom,0[1]",
    ]
    driver.frame(w, *frames)
    (event,) = driver.events_of(EventReceived)
    assert (event.socket, event.name, event.args) == (custom, "x", [b"\2"])
    assert event.reply is not None
    event.reply(b"\3")
    driver.drain()
    assert driver.frames[w][-2:] == ['461-/custom,7[{"_placeholder":true,"num":0}]', b"\4\3"]
    (answered,) = driver.events_of(AckReceived)
    assert (answered.id, answered.args) == (ack, [1])


@pytest.mark.covers("SIO-V4-04")
@pytest.mark.parametrize("packet", ["42/foo?z=1,", "42/foo,"])
def test_namespace_may_carry_a_query(packet: str) -> None:
    """SIO-V4-04: the name is what stands before it, in every packet."""
    _, driver = v4_driver("/foo")
    w, _ = open_websocket(driver)
    assert driver.frame(w, "40/foo?token=a%20b&x=1&x=2&e=,") == ["40/foo,"]
    socket = driver.events_of(Connected)[-1].socket
    assert socket.handshake.auth == {"token": "a b", "x": "2", "e": ""}
    assert socket.handshake.query == {"EIO": "3", "transport": "websocket"}
    driver.frame(w, f'{packet}["a"]')
    (event,) = driver.events_of(EventReceived)
    assert event.socket is socket
    assert driver.frame(w, "41/foo?z=1,") == []
    assert reasons(driver) == ["client namespace disconnect"]


def test_query_of_many_fields_ends_the_connection() -> None:
    _, driver = v4_driver("/foo")
    w, _ = open_websocket(driver)
    driver.frame(w, "40/foo?" + "&".join(["a=b"] * 200))
    assert reasons(driver) == ["forced close"]


def test_payload_of_a_connect_packet_does_not_count() -> None:
    _, driver = v4_driver("/foo")
    w, _ = open_websocket(driver)
    driver.frame(w, '40/foo,{"pid":"x"}')
    assert driver.events_of(Connected)[-1].socket.handshake.auth == {}


def test_query_belongs_to_the_name_in_revision_5() -> None:
    _, driver = v4_driver("/foo")
    driver.revision = 4
    w, _ = driver.open_websocket()
    assert driver.frame(w, "40/foo?a=b,") == ['44/foo?a=b,{"message":"Invalid namespace"}']


@pytest.mark.covers("SIO-V4-02")
def test_second_connect_is_illegal() -> None:
    """SIO-V4-02: the first was not sent, but it counts."""
    _, driver = v4_driver()
    w, _ = open_websocket(driver)
    driver.frame(w, "40")
    assert reasons(driver) == ["forced server close"]


def test_client_may_come_back_to_a_namespace_that_it_left() -> None:
    core, driver = v4_driver("/foo")
    w, sid = open_websocket(driver)
    driver.frame(w, "40/foo,")
    assert driver.frame(w, "41/foo,", "40/foo,", "41", "40") == ["40/foo,", "40"]
    assert list(core.of("/foo").sockets) == [f"/foo#{sid}"]
    assert list(core.of("/").sockets) == [sid]
    first, again = (event.socket for event in driver.events_of(Connected)[1:3])
    assert first is not again
    assert list(again.rooms) == [again.id]


@pytest.mark.covers("SIO-V4-07")
def test_name_at_the_end_needs_no_comma() -> None:
    """SIO-V4-07."""
    core, driver = v4_driver("/foo")
    w, sid = open_websocket(driver)
    assert driver.frame(w, "40/foo") == ["40/foo,"]
    assert list(core.of("/foo").sockets) == [f"/foo#{sid}"]
    driver.frame(w, "41/foo")
    assert reasons(driver) == ["client namespace disconnect"]
    assert len(core.of("/").sockets) == 1


# Refusing


@pytest.mark.covers("SIO-V4-05")
@pytest.mark.parametrize(
    ("message", "data", "payload"),
    [("no", None, '"no"'), ("no", {"a": 1}, '{"a":1}'), ("no", "why", '"why"')],
)
def test_refusal_is_text_or_the_data(message: str, data: Any, payload: str) -> None:
    """SIO-V4-05."""
    core, driver = v4_driver("/foo", accept=False)
    w, _ = driver.open_websocket()
    driver.frame(w, "40/foo,")
    main, other = (event.socket for event in driver.events_of(ConnectRequested))
    core.reject(other, message, data)
    core.reject(main, message, data)
    driver.drain()
    assert driver.frames[w][1:] == [f"44/foo,{payload}", f"44{payload}"]
    assert driver.events_of(Connected) == []
    driver.sleep(30)
    driver.frame(w, "2")
    driver.sleep(14)
    assert driver.close_codes == {}
    driver.sleep(2)
    assert driver.close_codes == {w: None}, "the connection joined nothing in time"


@pytest.mark.covers("SIO-V4-05b")
def test_unknown_namespace() -> None:
    """SIO-V4-05b."""
    core, driver = v4_driver()
    w, _ = open_websocket(driver)
    assert driver.frame(w, "40/nope?a=1,") == ['44/nope,"Invalid namespace"']
    assert len(core.of("/").sockets) == 1


def test_dynamic_namespace_is_asked_for_by_its_name() -> None:
    core, driver = v4_driver(dynamic_namespaces=True)
    w, _ = open_websocket(driver)
    driver.frame(w, "40/dyn?k=1,")
    (asked,) = driver.events_of(NamespaceRequested)
    assert (asked.request.name, asked.request.auth) == ("/dyn", {"k": "1"})
    core.grant(asked.request)
    driver.drain()
    assert driver.frames[w][2:] == ["40/dyn,"]


def test_main_namespace_counts_against_the_limit() -> None:
    _, driver = v4_driver("/foo", max_namespaces=1)
    w, _ = open_websocket(driver)
    driver.frame(w, "40/foo,")
    details = driver.events_of(Disconnected)[0].details
    assert isinstance(details, LimitError)
    assert details.limit == "max_namespaces"


def test_client_that_goes_while_it_is_judged() -> None:
    core, driver = v4_driver(accept=False)
    w, _ = driver.open_websocket()
    driver.closed(w)
    assert len(driver.events_of(ConnectAbandoned)) == 1
    assert core.statistics().connections == 0


# Leaving


def test_server_makes_a_client_leave() -> None:
    _, driver = v4_driver("/foo")
    w, _ = open_websocket(driver)
    driver.frame(w, "40/foo,")
    main, other = (event.socket for event in driver.events_of(Connected))
    other.disconnect(now=driver.now)
    driver.drain()
    assert driver.frames[w][-1] == "41/foo,"
    main.disconnect(close=True, now=driver.now)
    driver.drain()
    assert driver.frames[w][-1] == "41"
    assert driver.close_codes == {w: None}


def test_silent_client_is_disconnected() -> None:
    _, driver = v4_driver()
    open_websocket(driver)
    driver.sleep(46)
    assert reasons(driver) == ["ping timeout"]


# Both revisions


@pytest.mark.covers("SIO-V4-08")
def test_each_revision_is_spoken_to_in_its_own_way() -> None:
    """SIO-V4-08: on one server, in one namespace."""
    core, driver = v4_driver("/foo", "/no", accept=False)

    def judge(event: Event) -> None:
        if isinstance(event, ConnectRequested):
            if event.socket.namespace.name == "/no":
                core.reject(event.socket, "no")
            else:
                core.accept(event.socket)

    driver.on_event = judge
    told = {}
    for revision in (3, 4):
        driver.revision = revision
        w, sid = driver.open_websocket()
        unasked = driver.frames[w][1:]
        told[revision] = (unasked, driver.frame(w, '40/foo,{"token":"t"}', "40/no,"), sid)
    old, new = driver.events_of(Connected)[-2:]
    assert told[3][:2] == (["40"], ["40/foo,", '44/no,"no"'])
    assert told[4][:2] == ([], [f'40/foo,{{"sid":"{new.socket.id}"}}', '44/no,{"message":"no"}'])
    assert old.socket.id == f"/foo#{told[3][2]}"
    assert told[4][2] not in new.socket.id
    assert (old.socket.handshake.auth, new.socket.handshake.auth) == ({}, {"token": "t"})
    assert list(core.of("/foo").sockets) == [old.socket.id, new.socket.id]


def test_broadcast_reaches_both_revisions() -> None:
    core, driver = v4_driver()
    old, _ = open_websocket(driver)
    driver.revision = 4
    new, _ = driver.open_websocket()
    driver.frame(new, "40")
    core.of("/").emit("news", "é", b"\1")
    driver.drain()
    text = '451-["news","é",{"_placeholder":true,"num":0}]'
    assert driver.frames[old][2:] == [text, b"\4\1"]
    assert driver.frames[new][2:] == [text, b"\1"]


def test_ids_of_revision_5_are_not_those_of_the_engine() -> None:
    """SIO-CONN-10."""
    _, driver = v4_driver()
    driver.revision = 4
    w, sid = driver.open_websocket()
    assert driver.frame(w, "40") == ['40{"sid":"S1"}']
    assert driver.events_of(Connected)[0].socket.id != sid


def test_revision_4_is_never_recovered() -> None:
    """Its client knows only ids that come of the session."""
    _, driver = v4_driver("/foo", recovery=RecoveryConfig())
    w, sid = open_websocket(driver)
    (connected,) = driver.events_of(Connected)
    assert connected.socket.pid is None
    driver.closed(w)
    other, other_sid = open_websocket(driver)
    assert driver.frame(other, f"40/foo?pid={sid}&offset=1,") == ["40/foo,"]
    assert [event.socket.id for event in driver.events_of(Connected)[1:]] == [
        other_sid,
        f"/foo#{other_sid}",
    ]
    assert not any(event.socket.recovered for event in driver.events_of(Connected))


def test_without_the_switch_there_is_no_revision_4() -> None:
    core, driver = socket_driver()
    x = driver.http(request("EIO=3&transport=polling"))
    assert driver.answers[x].status == 400
    assert core.statistics().connections == 0
