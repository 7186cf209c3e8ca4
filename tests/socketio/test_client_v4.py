"""The Socket.IO client where the server speaks revision 4, as Socket.IO 2 did."""

from __future__ import annotations

from typing import Any

import pytest

from sioproto import ConnectionFailed, ConnectionRefused, LocalProtocolError
from sioproto._output import Event
from sioproto.socketio import (
    ClientAckFailed,
    ClientAckReceived,
    ClientConnected,
    ClientConnectFailed,
    ClientDisconnected,
    ClientDisconnectReason,
    ConnectRequested,
    ManagerOpenFailed,
    RecoveryConfig,
    SocketClient,
    SocketServer,
)
from tests.joined import Joined, joined_sockets, scripted_socket
from tests.socketio.client_support import answering, heard, server_heard

TRANSPORTS = [("polling",), ("websocket",), ("polling", "websocket")]
OPEN = '0{"sid":"E","upgrades":[],"pingInterval":25000,"pingTimeout":5000}'


def joined_v4(
    *namespaces: str, engine: dict[str, Any] | None = None, **options: Any
) -> tuple[SocketClient, SocketServer[str], Joined]:
    return joined_sockets(
        *namespaces,
        engine={"revision": 3, **(engine or {})},
        server_engine={"allow_eio3": True},
        **options,
    )


class Scripted:
    """A client, and the server that the test plays."""

    def __init__(self, *namespaces: str, **config: Any) -> None:
        self.client: SocketClient
        self.joined: Joined
        self.client, self.joined, self._say = scripted_socket(engine={"revision": 3}, **config)
        for name in namespaces:
            self.client.of(name).connect(now=0.0)
        self.joined.drain()
        self.joined.accept(self.joined.connects[-1].ws)

    def say(self, *frames: str | bytes) -> list[str | bytes]:
        """The server says something. Returns what the client answers."""
        before = len(self.joined.sent)
        self._say(*frames)
        return [payload for _, payload in self.joined.sent[before:]]


# With a server that speaks both


@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
def test_events_and_acknowledgements(transports: tuple[str, ...]) -> None:
    """SIO-V4-02, SIO-V4-03, SIO-V4-06."""
    client, server, joined = joined_v4("/chat", engine={"transports": transports})
    answering(server, joined)
    main, chat = client.of("/"), client.of("/chat")
    main.emit("early", b"\x01")
    main.connect(now=0.0)
    chat.connect(now=0.0)
    joined.run()
    assert (main.id, chat.id) == ("E1", "/chat#E1")
    assert {socket.id for socket in server.of("/").sockets.values()} == {"E1"}
    assert {socket.id for socket in server.of("/chat").sockets.values()} == {"/chat#E1"}
    chat.emit("żółć", {"deep": [b"\x00\xff", b""]}, "🙂")
    request = main.emit_with_ack("echo", b"\x02", 1, now=joined.now)
    joined.run()
    assert server_heard(joined) == [
        ["early", b"\x01"],
        ["żółć", {"deep": [b"\x00\xff", b""]}, "🙂"],
        ["echo", b"\x02", 1],
    ]
    (answer,) = joined.events_of(ClientAckReceived)
    assert (answer.id, answer.args) == (request, [b"\x02", 1])
    server.of("/chat").emit("news", b"\x03", "é")
    server.of("/").emit("news", 1)
    joined.run()
    assert heard(joined) == [["news", b"\x03", "é"], ["news", 1]]
    joined.run(300.0)
    assert main.connected
    assert chat.connected


def test_what_is_sent_along_is_the_query_of_the_namespace() -> None:
    """SIO-V4-04: whatever is in it."""
    auth = {"token": "a,b/ż&=?#", "user": "", "": "+ %"}
    client, server, joined = joined_v4("/chat")
    client.of("chat").set_auth(auth)
    client.of("chat").connect(now=0.0)
    joined.run()
    (socket,) = server.of("/chat").sockets.values()
    assert socket.handshake.auth == auth


def test_what_cannot_be_sent_along() -> None:
    client, _, _ = joined_v4("/chat")
    main, chat = client.of("/"), client.of("/chat")
    for wrong in ({"a": 1}, {"a": None}, {"a": "\ud800"}, {"a": b"x"}):
        with pytest.raises(LocalProtocolError):
            chat.set_auth(wrong)
    for arguments in (({"a": "b"}, False), (None, True)):
        with pytest.raises(LocalProtocolError, match="query of the URL"):
            main.set_auth(arguments[0], ask=arguments[1])
    assert main.auth is chat.auth is None
    chat.set_auth(None, ask=True)
    for name in ("/a?b", "a,b"):
        with pytest.raises(LocalProtocolError):
            client.of(name)


def refusing(server: SocketServer[str], joined: Joined, data: Any) -> None:
    accept = joined.on_server_event

    def on_server_event(event: Event) -> None:
        if isinstance(event, ConnectRequested) and event.socket.namespace.name == "/mw":
            server.reject(event.socket, "no", data)
        else:
            accept(event)

    joined.on_server_event = on_server_event


@pytest.mark.parametrize(
    ("data", "told"),
    [(None, ("no", None)), ({"retry": False}, ("", {"retry": False})), ("why", ("why", None))],
    ids=str,
)
def test_refusals(data: Any, told: tuple[str, Any]) -> None:
    """SIO-V4-05: there is room for one value."""
    client, server, joined = joined_v4("/mw")
    refusing(server, joined, data)
    for name in ("/", "/mw", "/nowhere"):
        client.of(name).connect(now=0.0)
    joined.run()
    errors = {
        event.socket.namespace: event.error for event in joined.events_of(ClientConnectFailed)
    }
    assert errors.keys() == {"/mw", "/nowhere"}
    for name, wanted in (("/mw", told), ("/nowhere", ("Invalid namespace", None))):
        error = errors[name]
        assert isinstance(error, ConnectionRefused)
        assert (error.message, error.data) == wanted
    assert client.of("/").connected


def test_there_is_no_recovery() -> None:
    client, server, joined = joined_v4(server={"recovery": RecoveryConfig()})
    socket = client.of("/")
    socket.connect(now=0.0)
    joined.run()
    server.of("/").emit("offset")
    joined.run()
    joined.cut()
    joined.run(5.0)
    assert [event.recovered for event in joined.events_of(ClientConnected)] == [False, False]
    assert socket.id == "E2"


def test_leaving_the_main_namespace_and_joining_again() -> None:
    """SIO-V4-02: the second time it has to be asked for."""
    client, server, joined = joined_v4("/chat")
    main, chat = client.of("/"), client.of("/chat")
    main.connect(now=0.0)
    chat.connect(now=0.0)
    joined.run()
    main.disconnect(now=joined.now)
    main.connect(now=joined.now)
    joined.run()
    assert main.connected
    assert len(joined.events_of(ClientConnected)) == 3
    server.of("/").emit("here")
    joined.run()
    assert heard(joined) == [["here"]]
    (socket,) = server.of("/").sockets.values()
    socket.disconnect(now=joined.now)
    joined.run()
    assert not main.active
    main.connect(now=joined.now)
    joined.run()
    assert main.connected
    assert chat.connected
    assert server.statistics().connections == 1


def test_main_namespace_that_is_wanted_later() -> None:
    """SIO-V4-02: the server let the client in when the connection was opened."""
    client, server, joined = joined_v4("/chat")
    chat, main = client.of("/chat"), client.of("/")
    chat.connect(now=0.0)
    joined.run()
    server.of("/").emit("unheard")
    joined.run()
    assert not main.connected
    main.connect(now=joined.now)
    joined.run()
    assert main.id == "E1"
    main.emit("hello")
    server.of("/").emit("heard")
    joined.run()
    assert server_heard(joined) == [["hello"]]
    assert heard(joined) == [["heard"]]


def test_leaving_while_the_admission_is_under_way() -> None:
    client, server, joined = joined_v4("/chat", engine={"transports": ("polling",)})
    main = client.of("/")
    main.connect(now=0.0)
    client.of("/chat").connect(now=0.0)
    while not client.open:
        joined.run(0.001)
    main.disconnect(now=joined.now)
    joined.run()
    assert not server.of("/").sockets
    assert [event.socket.namespace for event in joined.events_of(ClientConnected)] == ["/chat"]
    main.connect(now=joined.now)
    joined.run()
    assert main.connected


def test_reconnection() -> None:
    client, _, joined = joined_v4("/chat")
    for name in ("/", "/chat"):
        client.of(name).connect(now=0.0)
    joined.run()
    request = client.of("/").emit_with_ack("lost", now=joined.now)
    joined.cut()
    client.of("/").emit("kept")
    joined.run(5.0)
    assert client.of("/").id == "E2"
    assert client.of("/chat").id == "/chat#E2"
    (lost,) = joined.events_of(ClientAckFailed)
    assert (lost.id, lost.why) == (request, "disconnect")
    assert server_heard(joined) == [["kept"]]


# With a server of that time


def test_on_the_wire() -> None:
    """SIO-V4-02 to SIO-V4-06: nothing is sent for the main namespace."""
    server = Scripted("/", "/chat")
    server.client.of("/chat").set_auth({"token": "a b,c", "x": "1"})
    assert server.say(OPEN) == ["40/chat?token=a%20b%2Cc&x=1,"]
    assert server.say("40", "40/chat,") == []
    assert [socket.id for socket in server.client.sockets.values()] == ["E", "/chat#E"]
    server.client.of("/").emit("a", b"\x01\x02")
    assert server.say() == ['451-["a",{"_placeholder":true,"num":0}]', b"\x04\x01\x02"]
    server.say('42/chat,["b"]', '451-["c",{"_placeholder":true,"num":0}]', b"\x04\x09")
    assert heard(server.joined) == [["b"], ["c", b"\x09"]]
    server.client.of("/chat").disconnect(now=server.joined.now)
    assert server.say() == ["41/chat,"]


def test_admission_in_one_burst_with_the_handshake() -> None:
    server = Scripted("/")
    server.client.of("/").emit("kept")
    server.say(OPEN, "40")
    assert server.client.of("/").connected
    assert [payload for _, payload in server.joined.sent] == ['42["kept"]']


@pytest.mark.parametrize("frame", ['44"no"', '44{"a":1}', "44"])
def test_refusal_of_the_main_namespace(frame: str) -> None:
    """SIO-V4-05: whoever wants it later has to ask."""
    server = Scripted("/", "/chat")
    server.say(OPEN, frame, "40/chat,")
    main = server.client.of("/")
    (failed,) = server.joined.events_of(ClientConnectFailed)
    assert failed.socket is main
    assert isinstance(failed.error, ConnectionRefused)
    main.connect(now=server.joined.now)
    assert server.say() == ["40"]
    server.say("40")
    assert main.connected


@pytest.mark.parametrize("frames", [['44"no"'], ["40", "41"]])
def test_main_namespace_that_nobody_wanted_and_is_gone(frames: list[str]) -> None:
    server = Scripted("/chat")
    server.say(OPEN, *frames, "40/chat,")
    server.client.of("/").connect(now=server.joined.now)
    assert server.say() == ["40"]


def test_errors_of_a_socket_that_has_joined() -> None:
    """SIO-V4-05: what refuses one socket is an event of another."""
    server = Scripted("/")
    server.say(OPEN, "40", '44"careful"', '44{"code":7}', "44")
    assert heard(server.joined) == [["error", "careful"], ["error", {"code": 7}], ["error"]]
    assert server.client.of("/").connected


def test_server_that_lets_nobody_in() -> None:
    """As a server of revision 5 does, or one whose middleware never ends."""
    server = Scripted("/", connect_timeout=3.0)
    server.say(OPEN)
    server.joined.run(3.1)
    (failed,) = server.joined.events_of(ClientConnectFailed)
    assert isinstance(failed.error, ConnectionFailed)
    assert "not joined in time" in str(failed.error)


def test_server_makes_it_leave() -> None:
    server = Scripted("/")
    server.say(OPEN, "40", "41")
    (left,) = server.joined.events_of(ClientDisconnected)
    assert left.reason is ClientDisconnectReason.IO_SERVER_DISCONNECT
    assert not server.client.open


def test_server_that_speaks_revision_4_of_engine_io_alone() -> None:
    """EIO-QP-12."""
    client, _, joined = joined_sockets(engine={"revision": 3}, reconnection=False)
    client.of("/").connect(now=0.0)
    joined.run()
    (failed,) = joined.events_of(ManagerOpenFailed)
    assert "this server speaks revision 4" in str(failed.error)
    assert "this client speaks revision 3" in str(failed.error)
