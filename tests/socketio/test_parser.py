"""Servers with parsers of their own."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import msgpack
import pytest

from sioproto import DecodeError, LocalProtocolError
from sioproto.engineio import EngineServer, WsSend
from sioproto.socketio import (
    MISSING,
    Connected,
    Disconnected,
    DisconnectReason,
    EventReceived,
    MsgpackParser,
    NamespaceRequested,
    Packet,
    PacketType,
    Parser,
    RecoveryConfig,
    ServerConfig,
    SocketServer,
    TextParser,
    check_packet,
)
from tests.harness import Driver, accepting, counter
from tests.project import read


def server(parser: Parser, **config: Any) -> tuple[SocketServer[str], Driver]:
    core: SocketServer[str] = SocketServer(
        EngineServer(new_sid=counter("E")),
        ServerConfig(**config),
        new_id=counter("S"),
        wall_clock=lambda: 0.0,
        parser=parser,
    )
    return core, accepting(core)


def pack(kind: int, data: Any = MISSING, **more: Any) -> bytes:
    fields = {"type": kind, "nsp": "/"} | more
    packed: bytes = msgpack.packb(fields if data is MISSING else fields | {"data": data})
    return packed


def unpack(frames: list[str | bytes]) -> list[Any]:
    return [msgpack.unpackb(frame) for frame in frames]


@pytest.mark.covers("SIO-MSGP-01", "SIO-PKT-15")
def test_a_conversation_in_messagepack() -> None:
    """SIO-MSGP-01, SIO-PKT-15: every packet is one binary message, both ways."""
    core, driver = server(MsgpackParser())
    w, _ = driver.open_websocket()
    assert unpack(driver.frame(w, pack(0, {"token": b"\x01"}))) == [
        {"type": 0, "data": {"sid": "S1"}, "nsp": "/"}
    ]
    (connected,) = driver.events_of(Connected)
    assert connected.socket.handshake.auth == {"token": b"\x01"}
    driver.frame(w, pack(2, ["m", {"deep": [b"x"]}, b"y"], id=7))
    (event,) = driver.events_of(EventReceived)
    assert (event.name, event.args) == ("m", [{"deep": [b"x"]}, b"y"])
    assert event.reply is not None
    event.reply(b"done")
    core.of("/").emit("all", b"z")
    connected.socket.disconnect(now=0)
    driver.drain()
    assert unpack(driver.frames[w][2:]) == [
        {"type": 3, "data": [b"done"], "id": 7, "nsp": "/"},
        {"type": 2, "data": ["all", b"z"], "nsp": "/"},
        {"type": 1, "nsp": "/"},
    ]


def test_polling_carries_it_as_base64() -> None:
    _, driver = server(MsgpackParser())
    sid = driver.open_polling()
    assert driver.post(sid, "b" + b64encode(pack(0)).decode()).status == 200
    reply = driver.poll_now(sid)
    assert unpack([b64decode(reply[1:])]) == [{"type": 0, "data": {"sid": "S1"}, "nsp": "/"}]


@pytest.mark.parametrize("wire", ["40", '2["m"]', b"", b"\xc1", pack(2, ["disconnect"]), pack(9)])
def test_what_is_no_packet_closes_the_connection(wire: str | bytes) -> None:
    _, driver = server(MsgpackParser())
    w, _ = driver.open_websocket()
    driver.frame(w, pack(0))
    driver.frame(w, f"4{wire}" if isinstance(wire, str) else wire)
    assert w in driver.close_codes
    (gone,) = driver.events_of(Disconnected)
    assert gone.reason is DisconnectReason.FORCED_CLOSE
    assert isinstance(gone.details, DecodeError)


@pytest.mark.covers("SIO-CSR-03")
def test_recovery_by_messagepack() -> None:
    """The offset is the last argument, whatever the encoding (SIO-CSR-03)."""
    core, driver = server(MsgpackParser(), recovery=RecoveryConfig())
    w, _ = driver.open_websocket()
    (reply,) = unpack(driver.frame(w, pack(0)))
    assert set(reply["data"]) == {"sid", "pid"}
    core.of("/").emit("one", b"1")
    driver.drain()
    (one,) = unpack(driver.frames[w][2:])
    assert one["data"][:2] == ["one", b"1"]
    driver.closed(w)
    core.of("/").emit("two", b"2")
    again, _ = driver.open_websocket()
    back = {"pid": reply["data"]["pid"], "offset": one["data"][-1]}
    missed, connected = unpack(driver.frame(again, pack(0, back)))
    assert missed["data"][:2] == ["two", b"2"]
    assert connected["data"] == reply["data"]


@pytest.mark.covers("SIO-BC-09")
def test_a_broadcast_is_encoded_and_framed_once() -> None:
    """SIO-BC-09, with binary in it."""
    core, driver = server(MsgpackParser())
    for _ in range(20):
        w, _ = driver.open_websocket()
        driver.frame(w, pack(0))
    core.of("/").emit("all", b"attachment")
    sent = [out for out in driver.drain() if isinstance(out, WsSend)]
    assert len(sent) == 20
    assert len({id(frame) for out in sent for frame in out.frames}) == 1


@pytest.mark.covers("SIO-PKT-14")
def test_no_namespace_that_the_server_could_not_make() -> None:
    """SIO-PKT-14: whatever a peer asks for, granting it does not raise."""
    core, driver = server(MsgpackParser(), dynamic_namespaces=True)
    for name, closes in (("/fine", False), ("/a,b", True), ("", True), ("none", True)):
        w, _ = driver.open_websocket()
        driver.frame(w, pack(0, nsp=name))
        assert (w in driver.close_codes) is closes, name
    (asked,) = driver.events_of(NamespaceRequested)
    core.grant(asked.request)
    driver.drain()
    assert [event.socket.namespace.name for event in driver.events_of(Connected)] == ["/fine"]


def test_limits_reach_the_text_decoder() -> None:
    _, driver = server(TextParser(), max_attachments=1)
    w, _ = driver.open_websocket()
    driver.frame(w, "40", '452-["m"]')
    assert w in driver.close_codes


@pytest.mark.parametrize(
    ("packet", "rule"),
    [
        (Packet(PacketType.BINARY_EVENT, "/", ["m"]), "SIO-PKT-01"),
        (Packet(2, "/", ["m"]), "SIO-PKT-01"),  # type: ignore[arg-type] # what a bug may bring
        (Packet(PacketType.EVENT, "m", ["m"]), "SIO-PKT-14"),
        (Packet(PacketType.EVENT, "/a,b", ["m"]), "SIO-PKT-14"),
        (Packet(PacketType.EVENT, "/", ["m"], True), "SIO-DEC-12"),
        (Packet(PacketType.EVENT, "/", ["connect"]), "SIO-VAL-06"),
        (Packet(PacketType.DISCONNECT, "/", None), "SIO-VAL-02"),
    ],
)
def test_check_of_packets_from_elsewhere(packet: Packet, rule: str) -> None:
    with pytest.raises(DecodeError) as caught:
        check_packet(packet)
    assert caught.value.rule == rule


def test_what_may_pass() -> None:
    check_packet(Packet(PacketType.EVENT, "/a", ["m"], 2**53 - 1))
    check_packet(Packet(PacketType.CONNECT))


def test_the_parser_of_the_page_holds_a_conversation() -> None:
    """docs/parsers.md: the example serves, and refuses what is no packet."""
    (program,) = re.findall(
        r"```python\n(import json.*?)```", read(Path("docs/parsers.md")), re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(compile(program, "docs/parsers.md", "exec"), names)
    core, driver = server(names["LineParser"]())
    w, _ = driver.open_websocket()
    assert driver.frame(w, '4[0, "/", null]') == ['4[0, "/", null, {"sid": "S1"}]']
    driver.frame(w, '4[2, "/", 7, ["m", 1]]')
    (event,) = driver.events_of(EventReceived)
    assert event.reply is not None
    assert (event.name, event.args, event.reply("done")) == ("m", [1], True)
    core.of("/").emit("all")
    with pytest.raises(LocalProtocolError):
        core.of("/").emit("all", b"binary")
    driver.drain()
    assert driver.frames[w][2:] == ['4[3, "/", 7, ["done"]]', '4[2, "/", null, ["all"]]']
    for number, wire in enumerate(["", "[", "7", "[2]", '[9, "/", null]', "[" * 100_000]):
        w, _ = driver.open_websocket()
        driver.frame(w, "4" + wire)
        assert w in driver.close_codes, number
