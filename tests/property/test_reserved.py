"""No reserved name crosses, in either direction, whatever anybody sends or emits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sioproto import LocalProtocolError
from sioproto.socketio import (
    RESERVED_EVENTS,
    Connected,
    Disconnected,
    Disconnecting,
    EventReceived,
    Socket,
)
from tests.harness import PROGRAMS, socket_driver

near = st.sampled_from(["Connect", "connect ", "disconnects", "error", "connection", "message", ""])
names = st.sampled_from(RESERVED_EVENTS) | near | st.text(max_size=5)


def escaped(text: str) -> str:
    """The same string in JSON, every character escaped."""
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = (units[i : i + 2].hex() for i in range(0, len(units), 2))
    return '"' + "".join(f"\\u{pair}" for pair in pairs) + '"'


@settings(max_examples=PROGRAMS)
@given(st.lists(st.tuples(names, st.booleans(), st.booleans()), max_size=6))
def test_nothing_reserved_comes_in(events: list[tuple[str, bool, bool]]) -> None:
    _, driver = socket_driver()
    for name, escape, binary in events:
        w, _ = driver.open_websocket()
        driver.frame(w, "40")
        before = len(driver.events)
        text = escaped(name) if escape else json.dumps(name)
        if binary:
            driver.frame(w, f'451-[{text},{{"_placeholder":true,"num":0}}]')
            if w not in driver.close_codes:
                driver.frame(w, b"x")
        else:
            driver.frame(w, f"42[{text}]")
        seen = [type(event) for event in driver.events[before:]]
        if name in RESERVED_EVENTS:
            assert seen == [Disconnecting, Disconnected]
            assert w in driver.close_codes
        else:
            assert seen == [EventReceived]
    received = [event.name for event in driver.events_of(EventReceived)]
    assert received == [name for name, _, _ in events if name not in RESERVED_EVENTS]


def emitters(socket: Socket) -> list[Any]:
    """All ways to emit one event to this socket."""
    namespace = socket.namespace
    return [
        socket.emit,
        socket.volatile.emit,
        namespace.emit,
        namespace.volatile.emit,
        namespace.to(socket.id).emit,
        lambda name: socket.emit_with_ack(name, timeout=1, now=0),
        lambda name: namespace.to().emit_with_ack(name, timeout=1, now=0),
    ]


@pytest.mark.covers("SIO-EVT-05", "SIO-EVT-06")
@settings(max_examples=PROGRAMS)
@given(st.lists(st.tuples(names, st.integers(0, 6)), max_size=8))
def test_nothing_reserved_goes_out(events: list[tuple[str, int]]) -> None:
    """SIO-EVT-05, SIO-EVT-06."""
    _, driver = socket_driver()
    w, _ = driver.open_websocket()
    driver.frame(w, "40")
    driver.frames[w].clear()
    (socket,) = (event.socket for event in driver.events_of(Connected))
    expected = []
    for name, way in events:
        try:
            emitters(socket)[way](name)
        except LocalProtocolError as error:
            refused = str(error)
        else:
            refused = ""
            expected.append(name)
        assert bool(refused) is (name in RESERVED_EVENTS)
        driver.drain()
    frames = [str(frame) for frame in driver.frames[w]]
    sent = [json.loads(frame[frame.index("[") :])[0] for frame in frames]
    assert sent == expected
    assert driver.close_codes == {}
