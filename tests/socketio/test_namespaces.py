"""Namespaces that are granted on request, their removal, and their number."""

from __future__ import annotations

from typing import Any

import pytest

from sioproto import ClosedError, LimitError, LocalProtocolError
from sioproto.socketio import (
    ConnectAbandoned,
    Connected,
    ConnectRequested,
    Disconnected,
    EventReceived,
    NamespaceRemoved,
    NamespaceRequest,
    NamespaceRequested,
    SocketServer,
)
from tests.harness import Driver, socket_driver
from tests.socketio.support import joined, rule


def dynamic(**config: Any) -> tuple[SocketServer[str], Driver, list[NamespaceRequest]]:
    """A server that is asked for namespaces, and the questions so far."""
    core, driver = socket_driver(dynamic_namespaces=True, **config)
    accept = driver.on_event
    requests: list[NamespaceRequest] = []

    def on_event(event: Any) -> None:
        if isinstance(event, NamespaceRequested):
            requests.append(event.request)
        else:
            accept(event)

    driver.on_event = on_event
    return core, driver, requests


@pytest.mark.covers("SIO-NSP-05")
def test_namespace_is_granted() -> None:
    """SIO-NSP-05."""
    core, driver, requests = dynamic()
    w, _ = driver.open_websocket()
    assert driver.frame(w, '40/dyn-1,{"k":1}') == []
    (request,) = requests
    assert (request.name, request.auth) == ("/dyn-1", {"k": 1})
    core.grant(request)
    driver.drain()
    assert driver.frames[w][1:] == ['40/dyn-1,{"sid":"S1"}']
    assert driver.events_of(Connected)[0].socket.handshake.auth == {"k": 1}
    other, _ = driver.open_websocket()
    assert driver.frame(other, "40/dyn-1,") == ['40/dyn-1,{"sid":"S2"}']
    assert len(requests) == 1, "registered now"
    with pytest.raises(ClosedError):
        core.grant(request)


@pytest.mark.covers("SIO-NSP-05")
def test_namespace_is_denied() -> None:
    """SIO-NSP-05."""
    core, driver, requests = dynamic()
    w, _ = driver.open_websocket()
    driver.frame(w, "40/x,")
    core.deny(requests[0])
    driver.drain()
    assert driver.frames[w][1:] == ['44/x,{"message":"Invalid namespace"}']
    assert list(core.namespaces) == ["/"]
    driver.frame(w, "40/x,")
    assert len(requests) == 2, "it may be asked for again"


@pytest.mark.covers("SIO-NSP-13")
def test_two_first_joins_make_one_namespace() -> None:
    """SIO-NSP-13."""
    core, driver, requests = dynamic()
    people = [driver.open_websocket()[0] for _ in range(2)]
    for w in people:
        driver.frame(w, "40/x,")
    for request in requests:
        core.grant(request)
    driver.drain()
    core.of("/x").emit("hello")
    driver.drain()
    assert [driver.frames[w][-1] for w in people] == ['42/x,["hello"]'] * 2


@pytest.mark.parametrize("packet", ["40/x,", '42/x,["e"]', "41/x,"])
def test_undecided_namespace_is_not_joined(packet: str) -> None:
    core, driver, requests = dynamic()
    w, _ = driver.open_websocket()
    driver.frame(w, "40/x,")
    driver.frame(w, packet)
    assert w in driver.close_codes
    for answer in (core.grant, core.deny):
        with pytest.raises(ClosedError):
            answer(requests[0])
    assert driver.events_of(ConnectAbandoned) == []


@pytest.mark.covers("SIO-NSP-12")
@pytest.mark.parametrize("keep", [False, True])
def test_empty_namespace_goes_if_it_was_granted(keep: bool) -> None:
    """SIO-NSP-12."""
    core, driver, requests = dynamic(remove_empty_namespaces=not keep)
    core.of("/static")
    people = [driver.open_websocket()[0] for _ in range(2)]
    for w in people:
        driver.frame(w, "40/x,", "40/static,")
        if w == people[0]:
            core.grant(requests[0])
            driver.drain()
    driver.frame(people[0], "41/x,", "41/static,")
    assert "/x" in core.namespaces
    x = core.of("/x")
    driver.closed(people[1])
    assert ("/x" in core.namespaces) is keep
    assert driver.events_of(NamespaceRemoved) == ([] if keep else [NamespaceRemoved(x)])
    assert "/static" in core.namespaces
    driver.frame(people[0], "40/x,")
    assert len(requests) == (1 if keep else 2)


@pytest.mark.covers("SIO-NSP-12")
def test_refused_candidate_leaves_no_namespace() -> None:
    """SIO-NSP-12."""
    core, driver, requests = dynamic(remove_empty_namespaces=True)
    driver.on_event = lambda event: (
        requests.append(event.request) if isinstance(event, NamespaceRequested) else None
    )
    first, _ = driver.open_websocket()
    second, _ = driver.open_websocket()
    driver.frame(first, "40/x,")
    core.grant(requests[0])
    driver.drain()
    driver.frame(second, "40/x,")
    one, two = (event.socket for event in driver.events_of(ConnectRequested))
    core.reject(one, "no")
    assert "/x" in core.namespaces, "somebody waits"
    driver.closed(second)
    assert list(core.namespaces) == ["/"]
    with pytest.raises(ClosedError):
        core.accept(two)


def test_removal_by_hand() -> None:
    core, driver = socket_driver("/x")
    w, _ = driver.open_websocket()
    driver.frame(w, "40/x,")
    for name in ("/", "/x"):
        with pytest.raises(LocalProtocolError):
            core.remove(name)
    driver.frame(w, "41/x,")
    removed = core.of("/x")
    core.remove("x")
    core.remove("/x")
    driver.drain()
    assert driver.events_of(NamespaceRemoved) == [NamespaceRemoved(removed)]
    assert driver.frame(w, "40/x,") == ['44/x,{"message":"Invalid namespace"}']


def test_namespaces_of_one_client_are_limited() -> None:
    core, driver, _ = dynamic(max_namespaces=3)
    core.of("/a")
    w, _ = driver.open_websocket()
    driver.frame(w, "40", "40/a,", "40/b,")
    assert w not in driver.close_codes
    driver.frame(w, "40/c,")
    assert w in driver.close_codes
    details = driver.events_of(Disconnected)[0].details
    assert isinstance(details, LimitError)
    assert details.limit == "max_namespaces"


@pytest.mark.parametrize(
    "late",
    [
        ['43/x,7["answer"]'],
        ['42/x,["event"]', '42/x,3["question"]'],
        ['451-/x,["e",{"_placeholder":true,"num":0}]', b"\x01"],
        ["41/x,"],
    ],
    ids=["acknowledgement", "events", "binary", "disconnect"],
)
def test_what_crossed_with_our_disconnect_is_dropped(late: list[str | bytes]) -> None:
    """SIO-CONN-14b: the client had no way to know. The other namespace goes on."""
    core, driver = socket_driver("/x")
    w, sockets = joined(driver, "/", "/x")
    sockets[1].disconnect(now=driver.now)
    driver.drain()
    events = len(driver.events)
    assert driver.frames[w] == ["41/x,"]
    driver.frames[w].clear()
    assert driver.frame(w, *late) == []
    assert len(driver.events) == events
    assert driver.frame(w, '42["still",1]') == []
    assert driver.events_of(EventReceived)[-1].name == "still"
    assert driver.frame(w, "40/x,") == ['40/x,{"sid":"S3"}']
    assert driver.frame(w, '42/x,["heard"]') == []
    assert driver.events_of(EventReceived)[-1].name == "heard"
    assert core.statistics().sockets == 2


@pytest.mark.parametrize("again", ["41/x,", '42/x,["event"]'])
def test_who_knows_to_have_left_may_send_no_more(again: str) -> None:
    """SIO-CONN-14: its own DISCONNECT tells, and so does its wish to come back."""
    _, driver = socket_driver("/x")
    w, sockets = joined(driver, "/", "/x")
    sockets[1].disconnect(now=driver.now)
    driver.drain()
    driver.frame(w, "41/x,")
    assert w not in driver.close_codes
    driver.frame(w, again)
    assert w in driver.close_codes
    assert rule(driver) == "SIO-CONN-14"


def test_who_comes_back_has_to_wait_for_the_answer() -> None:
    """SIO-CONN-15."""
    _, driver = socket_driver("/x", accept=False)
    w, _ = driver.open_websocket()
    driver.frame(w, "40/x,")
    (asking,) = driver.events_of(ConnectRequested)
    asking.socket.connection.accept(asking.socket)
    driver.drain()
    asking.socket.disconnect(now=driver.now)
    driver.drain()
    driver.frame(w, '42/x,["late"]', "40/x,")
    assert w not in driver.close_codes
    driver.frame(w, '42/x,["early"]')
    assert w in driver.close_codes


def test_namespaces_that_clients_were_sent_out_of_are_bounded() -> None:
    _, driver = socket_driver(*(f"/{number}" for number in range(5)), max_namespaces=3)
    w, (main,) = joined(driver)
    for number in range(5):
        driver.frame(w, f"40/{number},")
        driver.events_of(Connected)[-1].socket.disconnect(now=driver.now)
        driver.drain()
    driver.frame(w, '42/2,["late"]', '42/3,["late"]', '42/4,["late"]')
    assert w not in driver.close_codes
    driver.frame(w, '42/1,["too late"]')
    assert w in driver.close_codes
    assert not main.connected
