"""The Socket.IO client against servers that do what ours does not."""

from __future__ import annotations

from typing import Any

import pytest

from sioproto import ConnectionFailed, ConnectionRefused, LimitError, RemoteProtocolError
from sioproto.socketio import (
    ClientAckReceived,
    ClientConnected,
    ClientConnectFailed,
    ClientDisconnected,
    ClientDisconnectReason,
    ClientEventReceived,
    ManagerClosed,
    SocketClient,
)
from tests.joined import Joined, scripted_socket

OPEN = '0{"sid":"E","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}'


class Scripted:
    """A client, and the server that the test plays."""

    def __init__(self, **config: Any) -> None:
        self.client: SocketClient
        self.joined: Joined
        self.client, self.joined, self._say = scripted_socket(**config)
        self.socket = self.client.of("/")
        self.socket.connect(now=0.0)
        self.joined.drain()
        self.open()

    def open(self) -> None:
        """The server opens the session."""
        self.joined.accept(self.joined.connects[-1].ws)
        self.say(OPEN)

    def say(self, *frames: str | bytes) -> list[str | bytes]:
        """The server says something. Returns what the client answers."""
        before = len(self.joined.sent)
        self._say(*frames)
        return [payload for _, payload in self.joined.sent[before:]]

    def come_back(self) -> list[str | bytes]:
        """The connection is lost, and the next one opened. Returns what the client says."""
        before = len(self.joined.sent)
        self.joined.break_websocket(self.joined.connects[-1].ws)
        self.joined.run(6.0)
        self.open()
        return [payload for _, payload in self.joined.sent[before:]]

    @property
    def heard(self) -> list[list[Any]]:
        """The events that reached the application."""
        return [[e.name, *e.args] for e in self.joined.events_of(ClientEventReceived)]


@pytest.mark.covers("SIO-CLI-07")
def test_events_before_the_answer_to_connect() -> None:
    """SIO-CLI-07: delivered in order, and before the connection is announced; their
    acknowledgements work."""
    server = Scripted()
    assert not server.say('42["early",1]', '427["q"]')
    assert not server.joined.events_of(ClientEventReceived)
    assert server.say('40{"sid":"A"}') == []
    assert server.heard == [["early", 1], ["q"]]
    events = server.joined.events
    early, question = server.joined.events_of(ClientEventReceived)
    (connected,) = server.joined.events_of(ClientConnected)
    assert events.index(early) < events.index(question) < events.index(connected)
    assert question.reply is not None
    question.reply("ok")
    assert server.say() == ['437["ok"]']


@pytest.mark.covers("SIO-CBUF-07")
def test_early_events_of_a_connection_that_is_lost() -> None:
    """SIO-CBUF-07: recovery brings them again, so they are not kept."""
    server = Scripted()
    server.say('42["early"]')
    server.come_back()
    server.say('40{"sid":"A"}')
    assert server.heard == []


def test_too_many_early_events() -> None:
    server = Scripted(max_buffer=1000)
    server.say(*['42["early","' + "x" * 100 + '"]'] * 10)
    (failed,) = server.joined.events_of(ClientConnectFailed)
    assert isinstance(failed.error.__cause__, LimitError)
    assert failed.will_retry


@pytest.mark.covers("SIO-CBUF-01", "SIO-CBUF-11")
def test_flush_comes_before_what_is_emitted_later() -> None:
    """SIO-CBUF-01, SIO-CBUF-11."""
    server = Scripted()
    server.socket.emit("one")
    server.socket.emit("two", b"\x01")
    answered = server.say('40{"sid":"A"}')
    assert answered == ['42["one"]', '451-["two",{"_placeholder":true,"num":0}]', b"\x01"]


@pytest.mark.covers("SIO-CLI-04")
@pytest.mark.parametrize("answer", ["40", "40{}", '40{"sid":""}', '40{"sid":7}'])
def test_server_of_socket_io_2(answer: str) -> None:
    """SIO-CLI-04."""
    server = Scripted()
    server.say(answer)
    (failed,) = server.joined.events_of(ClientConnectFailed)
    assert isinstance(failed.error, ConnectionFailed)
    assert "Socket.IO 2" in str(failed.error)
    assert not failed.will_retry
    assert not server.socket.active


@pytest.mark.covers("SIO-VAL-08")
@pytest.mark.parametrize(
    ("payload", "message", "data"),
    [
        ("", "", None),
        ('"nope"', "nope", None),
        ("{}", "", None),
        ('{"message":7,"data":null}', "", None),
        ('{"message":"nope","data":[1]}', "nope", [1]),
    ],
)
def test_refusals_of_every_form(payload: str, message: str, data: Any) -> None:
    """SIO-VAL-08: the reference crashes on the first, and loses the words of the second."""
    server = Scripted()
    server.say("44" + payload)
    (failed,) = server.joined.events_of(ClientConnectFailed)
    assert isinstance(failed.error, ConnectionRefused)
    assert (failed.error.message, failed.error.data) == (message, data)


@pytest.mark.covers("SIO-CLI-12", "SIO-CLI-13")
@pytest.mark.parametrize(
    "frame",
    ["49", "4", '42["disconnect"]', "42{}", "42", '42["a"', "4abc", '450-["a"]', b"\x00", "41{}"],
)
def test_what_cannot_be_decoded(frame: str | bytes) -> None:
    """SIO-CLI-12, SIO-CLI-13: what came with it and behind it is not handled."""
    server = Scripted()
    server.say('40{"sid":"A"}')
    server.joined.frame(server.joined.connects[-1].ws, frame)
    server.say('42["behind"]')
    assert server.heard == []
    (gone,) = server.joined.events_of(ClientDisconnected)
    assert gone.reason is ClientDisconnectReason.PARSE_ERROR
    assert isinstance(gone.details, RemoteProtocolError)
    assert gone.will_retry
    server.joined.run(6.0)
    server.open()
    server.say('40{"sid":"B"}')
    assert server.socket.id == "B"


@pytest.mark.covers("SIO-DISC-15")
def test_engine_garbage_is_a_transport_error() -> None:
    """SIO-DISC-15."""
    server = Scripted()
    server.say('40{"sid":"A"}', "7")
    (gone,) = server.joined.events_of(ClientDisconnected)
    assert gone.reason is ClientDisconnectReason.TRANSPORT_ERROR


@pytest.mark.covers("SIO-BIN-17")
def test_attachments_that_do_not_come() -> None:
    """SIO-BIN-17, SIO-BIN-10."""
    server = Scripted(attachment_timeout=1.0)
    server.say('40{"sid":"A"}', '451-["a",{"_placeholder":true,"num":0}]')
    server.joined.run(2.0)
    (gone,) = server.joined.events_of(ClientDisconnected)
    assert gone.reason is ClientDisconnectReason.PARSE_ERROR
    server = Scripted()
    server.say('40{"sid":"A"}', '4511-["a"]')
    (gone,) = server.joined.events_of(ClientDisconnected)
    assert isinstance(gone.details, LimitError)


@pytest.mark.covers("SIO-EVT-22")
def test_what_is_not_for_anybody_here_is_ignored() -> None:
    """SIO-EVT-22, SIO-ACK-05."""
    server = Scripted()
    other = server.client.of("/left")
    server.say('40{"sid":"A"}')
    server.say(
        '42/other,["x"]', '40/other,{"sid":"Z"}', '42/left,["x"]', '40/left,{"sid":"Z"}',
        "43999[]", '43["x"]', "44", '41/left,', '44/left,"no"',
    )  # fmt: skip
    assert server.heard == []
    assert server.socket.connected
    assert not other.connected
    assert [type(e).__name__ for e in server.joined.events_of(ClientConnectFailed)] == []


def test_acknowledgement_without_payload() -> None:
    """SIO-VAL-07: a protocol error, as the text says."""
    server = Scripted()
    server.say('40{"sid":"A"}')
    server.socket.emit_with_ack("x", now=server.joined.now)
    server.say("430")
    assert not server.joined.events_of(ClientAckReceived)
    assert server.joined.events_of(ManagerClosed)


@pytest.mark.covers("SIO-CLI-08")
def test_second_answer_to_connect() -> None:
    """SIO-CLI-08."""
    server = Scripted()
    server.say('40{"sid":"A"}', '40{"sid":"B"}')
    assert server.socket.id == "B"
    assert len(server.joined.events_of(ClientConnected)) == 2


def test_second_answer_without_an_id_changes_nothing() -> None:
    """SIO-CLI-04, SIO-CLI-08: a socket that is connected does not fail to connect."""
    server = Scripted()
    server.say('40{"sid":"A"}', "40", '40{"sid":""}')
    assert server.socket.id == "A"
    assert server.joined.events_of(ClientConnectFailed) == []
    assert len(server.joined.events_of(ClientConnected)) == 1


@pytest.mark.covers("SIO-CLI-15")
def test_answer_that_never_comes() -> None:
    """SIO-CLI-15: the reference waits for ever. What comes too late is sent away."""
    server = Scripted(connect_timeout=5.0)
    other = server.client.of("/b")
    other.connect(now=server.joined.now)
    server.say('40/b,{"sid":"B"}')
    server.joined.run(6.0)
    (failed,) = server.joined.events_of(ClientConnectFailed)
    assert failed.socket is server.socket
    assert isinstance(failed.error.__cause__, LimitError)
    assert other.connected
    assert server.say('40{"sid":"A"}') == ["41"]
    assert not server.socket.connected


def test_disconnect_instead_of_an_answer() -> None:
    server = Scripted()
    server.say("41")
    (failed,) = server.joined.events_of(ClientConnectFailed)
    assert isinstance(failed.error, ConnectionRefused)


@pytest.mark.covers("SIO-CSR-08", "SIO-CSR-14", "SIO-CSR-15")
def test_recovery_on_the_wire() -> None:
    """SIO-CSR-08, SIO-CSR-14, SIO-CSR-15: what asks for an acknowledgement has no offset."""
    server = Scripted()
    server.say('40{"sid":"A","pid":"P"}', '42["ev","off1"]', '425["q","text"]', '42["ev",7]')
    assert server.come_back() == ['40{"pid":"P","offset":"off1"}']
    server.say('42["missed","off2"]', '40{"sid":"A","pid":"P"}')
    assert server.socket.recovered
    assert server.come_back() == ['40{"pid":"P","offset":"off2"}']
    server.say('40{"sid":"B","pid":"Q"}')
    assert not server.socket.recovered
    server.socket.set_auth({"pid": "mine", "x": 1})
    assert server.come_back() == ['40{"pid":"mine","x":1}']
    server.say('40{"sid":"C"}')  # no recovery here
    assert not server.socket.recovered
    assert server.come_back() == ['40{"pid":"mine","x":1}']


def test_local_end_while_what_came_is_handled() -> None:
    """Nothing that follows in the same read reaches a socket that has left."""
    server = Scripted()
    server.say('40{"sid":"A"}')
    ws = server.joined.connects[-1].ws
    server.client.ws_text(ws, '42["one"]', now=1.0)
    server.socket.disconnect(now=1.0)
    server.client.ws_text(ws, '42["two"]', now=1.0)
    server.joined.run(1.0)
    assert server.heard == [["one"]]


@pytest.mark.covers("SIO-CLI-16")
def test_events_for_the_socket_that_left_are_not_for_the_one_that_joins() -> None:
    """SIO-CLI-16: on the connection that another namespace keeps, they are still under way."""
    scripted = Scripted()
    other = scripted.client.of("/other")
    other.connect(now=scripted.joined.now)
    scripted.say('40{"sid":"A"}', '40/other,{"sid":"B"}')
    scripted.socket.disconnect(now=scripted.joined.now)
    scripted.socket.connect(now=scripted.joined.now)
    scripted.joined.run(1.0)  # CONNECT is sent again
    scripted.say('42["for A"]', '421["for A as well"]', '40{"sid":"C"}', '42["for C"]')
    assert scripted.heard == [["for C"]]


@pytest.mark.covers("SIO-CLI-07")
def test_events_before_the_answer_are_taken_on_the_next_connection() -> None:
    """SIO-CLI-07: whoever has left before it is nobody there."""
    scripted = Scripted()
    other = scripted.client.of("/other")
    other.connect(now=scripted.joined.now)
    scripted.say('40{"sid":"A"}', '40/other,{"sid":"B"}')
    scripted.socket.disconnect(now=scripted.joined.now)
    scripted.socket.connect(now=scripted.joined.now)
    scripted.come_back()
    scripted.say('42["early"]', '40{"sid":"C"}')
    assert scripted.heard == [["early"]]
