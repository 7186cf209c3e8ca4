"""What the server machine does that is easily overlooked: one behaviour, one test."""

from __future__ import annotations

import pytest

from sioproto import engineio
from sioproto.socketio import (
    AckFailed,
    AckReceived,
    Adapter,
    Connected,
    ConnectRequested,
    EventReceived,
    LocalAdapter,
    Namespace,
    RoomCreated,
    RoomJoined,
    SocketServer,
)
from tests.harness import counter, request, socket_driver
from tests.socketio.support import joined, rule


@pytest.mark.covers("SIO-CONN-22")
def test_revision_is_checked_below() -> None:
    """SIO-CONN-22."""
    _, driver = socket_driver()
    for query in ("transport=polling", "EIO=3&transport=polling", "EIO=5&transport=polling"):
        answer = driver.answers[driver.http(request(query))]
        assert answer.status == 400
        assert answer.body.startswith(b'{"code":5,"message":"Unsupported protocol version')


@pytest.mark.covers("SIO-CONN-11")
def test_client_and_server_know_a_socket_by_one_id() -> None:
    """SIO-CONN-11."""
    _, driver = socket_driver("/custom")
    w, _ = driver.open_websocket()
    answers = [*driver.frame(w, "40"), *driver.frame(w, "40/custom,")]
    told = [str(answer).split('"')[3] for answer in answers]
    assert told == [event.socket.id for event in driver.events_of(Connected)]


@pytest.mark.covers("SIO-HS-02")
def test_handshake_of_the_session_and_of_the_namespace() -> None:
    """SIO-HS-02."""
    core, driver = socket_driver("/custom")
    times = iter([1.0, 2.0])
    core.wall_clock = lambda: next(times)
    head = request("EIO=4&transport=polling&x=1", x_name="ann")
    sid = driver.answers[driver.http(head)].body.decode().split('"')[3]
    driver.post(sid, '40{"first":1}')
    w = driver.upgrade(sid)
    driver.frame(w, "2probe", "5", '40/custom,{"second":2}')
    first, second = (event.socket.handshake for event in driver.events_of(Connected))
    for field in ("headers", "query", "url", "address"):
        assert getattr(first, field) == getattr(second, field)
    assert first.headers == {"x-name": "ann"}
    assert (first.auth, first.issued) == ({"first": 1}, 1_000)
    assert (second.auth, second.issued) == ({"second": 2}, 2_000)


@pytest.mark.covers("SIO-MW-10")
def test_what_happens_in_which_order_when_a_socket_is_let_in() -> None:
    """SIO-MW-10."""
    core, driver = socket_driver(room_events=True, accept=False)
    w, _ = driver.open_websocket()
    driver.frame(w, "40")
    (asked,) = driver.events_of(ConnectRequested)
    asked.socket.join("early")
    core.accept(asked.socket)
    driver.events.clear()
    driver.frames[w].clear()
    io, id = core.of("/"), asked.socket.id
    driver.on_event = lambda event: (
        asked.socket.emit("greeting") if isinstance(event, Connected) else None
    )
    driver.drain()
    assert driver.events == [
        RoomCreated(io, "early"),
        RoomJoined(io, "early", id),
        RoomCreated(io, id),
        RoomJoined(io, id, id),
        Connected(asked.socket),
    ]
    assert driver.frames[w] == ['40{"sid":"S1"}', '42["greeting"]']


@pytest.mark.covers("SIO-BIN-14")
@pytest.mark.parametrize("num", ["9", "-1", "0.5"])
def test_placeholders_are_checked_when_all_attachments_are_there(num: str) -> None:
    """SIO-BIN-14."""
    _, driver = socket_driver()
    w, _ = joined(driver)
    placeholders = f'{{"_placeholder":true,"num":{num}}},{{"_placeholder":true,"num":0}}'
    driver.frame(w, f'452-["a",{placeholders}]')
    driver.frame(w, b"1")
    assert driver.close_codes == {}
    driver.frame(w, b"2")
    assert driver.close_codes == {w: None}
    assert rule(driver) == "SIO-BIN-13"


@pytest.mark.covers("SIO-ACK-12")
def test_acknowledging_after_the_client_has_left_the_namespace() -> None:
    """SIO-ACK-12."""
    _, driver = socket_driver("/custom")
    w, _ = joined(driver, "/", "/custom")
    driver.frame(w, '42/custom,1["late"]', "41/custom,")
    (event,) = driver.events_of(EventReceived)
    assert event.reply is not None
    assert event.reply("still")
    driver.drain()
    assert driver.frames[w] == ['43/custom,1["still"]']


@pytest.mark.covers("SIO-CONN-21")
def test_leaving_is_not_answered() -> None:
    """SIO-CONN-21."""
    _, driver = socket_driver()
    w, _ = joined(driver)
    assert driver.frame(w, "41") == []
    driver.sleep(25)
    assert driver.frames[w] == ["2"], "the next that it hears is a ping"


@pytest.mark.covers("SIO-ACK-14")
@pytest.mark.parametrize("packet", ["430", "43"])
def test_acknowledgement_without_payload_acknowledges_nothing(packet: str) -> None:
    """SIO-ACK-14: the connection closes (SIO-VAL-07)."""
    _, driver = socket_driver()
    w, (socket,) = joined(driver)
    id = socket.emit_with_ack("q", timeout=5, now=0)
    driver.drain()
    driver.frame(w, packet)
    assert w in driver.close_codes
    assert driver.events_of(AckReceived) == []
    assert driver.events_of(AckFailed) == [AckFailed(socket, id, "disconnect")]


@pytest.mark.covers("SIO-EVT-20")
def test_volatile_holds_for_one_call() -> None:
    """SIO-EVT-20."""
    _, driver = socket_driver()
    w, (socket,) = joined(driver)
    driver.auto_sent = False
    socket.emit("in flight")
    driver.drain()
    socket.volatile.emit("dropped")
    socket.emit("waits")
    driver.sent(w)
    assert driver.frames[w] == ['42["in flight"]', '42["waits"]']


@pytest.mark.covers("SIO-MW-03")
@pytest.mark.parametrize(
    ("refusal", "payload"),
    [
        (("no",), '{"message":"no"}'),
        (("no", None), '{"message":"no"}'),
        (("", 0), '{"message":"","data":0}'),
    ],
)
def test_payload_of_a_refusal(refusal: tuple[str, int | None], payload: str) -> None:
    """SIO-MW-03."""
    core, driver = socket_driver(accept=False)
    w, _ = driver.open_websocket()
    driver.frame(w, "40")
    (asked,) = driver.events_of(ConnectRequested)
    core.reject(asked.socket, *refusal)
    driver.drain()
    assert driver.frames[w][-1] == f"44{payload}"


@pytest.mark.covers("SIO-OPT-06")
def test_adapter_may_be_ones_own() -> None:
    """SIO-OPT-06."""
    made: list[str] = []

    class Own(LocalAdapter):
        pass

    def factory(namespace: Namespace) -> Adapter:
        made.append(namespace.name)
        return Own(namespace)

    core: SocketServer[str] = SocketServer(
        engineio.EngineServer(new_sid=counter("E")),
        new_id=counter("S"),
        wall_clock=lambda: 0.0,
        adapter=factory,
    )
    core.of("/custom")
    assert made == ["/", "/custom"]
    assert type(core.of("/custom").adapter) is Own
    plain, _ = socket_driver()
    assert type(plain.of("/").adapter) is LocalAdapter
