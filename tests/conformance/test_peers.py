"""The peers read what servers send, and write what no well-behaved client would."""

from __future__ import annotations

import struct
from typing import cast

import pytest
import trio
import trio.testing

from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import EnginePeer, Packet, decode_payload, encode_payload
from sioproto_conformance.peers.http1 import HttpConnection, Response, request_bytes
from sioproto_conformance.peers.wire import (
    Address,
    Gone,
    NoAnswer,
    Transcript,
    Unexpected,
    Wire,
    parse_url,
)
from sioproto_conformance.peers.ws import Incoming, WsConnection, frame_bytes, open_websocket

HERE = Address("127.0.0.1", 8000, tls=False)


def _connection() -> tuple[HttpConnection, trio.abc.Stream]:
    ours, theirs = trio.testing.memory_stream_pair()
    wire = Wire(ours, "peer#1", Transcript())
    return HttpConnection(wire, HERE, timeout=2.0), theirs


# URLs


@pytest.mark.parametrize(
    ("url", "address", "authority"),
    [
        ("http://127.0.0.1:3000", Address("127.0.0.1", 3000, tls=False), "127.0.0.1:3000"),
        ("http://example.org/", Address("example.org", 80, tls=False), "example.org"),
        ("https://example.org", Address("example.org", 443, tls=True), "example.org"),
        ("http://[::1]:8080", Address("::1", 8080, tls=False), "[::1]:8080"),
    ],
)
def test_a_url_names_a_server(url: str, address: Address, authority: str) -> None:
    assert parse_url(url) == address
    assert address.authority == authority


# HTTP


def test_a_request_has_what_it_needs_unless_told_otherwise() -> None:
    assert request_bytes("GET", "/", HERE) == b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"
    assert request_bytes("POST", "/", HERE, headers=[("host", "x")], body=b"ab") == (
        b"POST / HTTP/1.1\r\nhost: x\r\nContent-Length: 2\r\n\r\nab"
    )
    wrong = request_bytes("POST", "/", HERE, headers=[("Content-Length", "9")], body=b"ab")
    assert wrong.endswith(b"\r\nContent-Length: 9\r\n\r\nab")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
    ],
)
async def test_a_response_is_read_byte_by_byte(
    answer: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    connection, server = _connection()

    async def answer_slowly() -> None:
        for byte in answer:
            await server.send_all(bytes([byte]))
            await trio.sleep(0.001)
        await server.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_slowly)
        response = await connection.request("GET", "/")
    assert (response.status, response.body) == (200, b"hello")


async def test_pipelined_responses_come_one_by_one() -> None:
    connection, server = _connection()
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    await server.send_all(one + b"a" + one + b"b")
    assert (await connection.response()).body == b"a"
    assert (await connection.response()).body == b"b"


async def test_a_response_to_head_has_no_body() -> None:
    connection, server = _connection()
    await server.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert (await connection.response("HEAD")).body == b""


async def test_silence_an_end_and_nonsense_are_told_apart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    connection, server = _connection()
    with pytest.raises(NoAnswer, match=r"nothing came within 2\.0 s"):
        await connection.response()
    connection, server = _connection()
    await server.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel")
    await server.aclose()
    with pytest.raises(Gone, match="end of stream"):
        await connection.response()
    connection, server = _connection()
    await server.send_all(b"SSH-2.0-OpenSSH\r\n\r\n")
    with pytest.raises(Unexpected, match="SSH"):
        await connection.response()


# WebSocket


def _server_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    return frame_bytes(opcode, payload, fin=fin, masked=False)


async def _websocket(behind: bytes = b"") -> tuple[WsConnection, trio.abc.Stream]:
    connection, server = _connection()
    switching = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    await server.send_all(switching + behind)
    ws = await open_websocket(connection, "/")
    assert isinstance(ws, WsConnection)
    return ws, server


async def test_a_refusal_is_returned() -> None:
    connection, server = _connection()
    await server.send_all(b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno")
    refusal = await open_websocket(connection, "/")
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.text) == (400, "no")


async def test_frames_glued_to_the_response_and_split_are_read() -> None:
    ws, server = await _websocket(_server_frame(1, b"0{}") + _server_frame(2, b"\x01")[:2])
    await server.send_all(_server_frame(2, b"\x01")[2:])
    await server.send_all(_server_frame(1, "ä".encode()[:1], fin=False))
    await server.send_all(_server_frame(9, b"p") + _server_frame(0, "ä".encode()[1:]))
    await server.send_all(_server_frame(8, struct.pack("!H", 1009) + b"big"))
    await server.aclose()
    assert [await ws.receive() for _ in range(6)] == [
        Incoming("text", "0{}"),
        Incoming("binary", b"\x01"),
        Incoming("ping", b"p"),
        Incoming("text", "ä"),
        Incoming("close", "big", 1009),
        Incoming("end", "reset"),
    ]


async def test_what_is_no_websocket_is_the_end() -> None:
    ws, server = await _websocket()
    await server.send_all(frame_bytes(1, b"masked"))
    end = await ws.receive()
    assert end.kind == "end"
    assert "not WebSocket" in str(end.data)


def test_a_frame_is_written_as_told() -> None:
    assert frame_bytes(1, b"hi", masked=False) == b"\x81\x02hi"
    assert frame_bytes(9, b"", fin=False, masked=False, rsv=4) == b"\x49\x00"
    assert frame_bytes(2, b"x" * 126, masked=False)[:4] == b"\x82\x7e\x00\x7e"
    assert frame_bytes(2, b"x" * 65536, masked=False)[:10] == b"\x82\x7f" + struct.pack("!Q", 65536)
    head, key, mixed = (frame := frame_bytes(1, b"hello"))[:2], frame[2:6], frame[6:]
    assert head == b"\x81\x85"
    assert bytes(byte ^ key[index % 4] for index, byte in enumerate(mixed)) == b"hello"


# Engine.IO


def test_a_payload_goes_both_ways() -> None:
    packets: list[Packet] = ["4a", b"\x01\x02", "2"]
    assert encode_payload(packets) == b"4a\x1ebAQI=\x1e2"
    assert decode_payload(b"4a\x1ebAQI=\x1e2") == packets


@pytest.mark.parametrize("body", [b"bA", b"b*", b"4\xff"])
def test_a_payload_that_is_wrong_is_unexpected(body: bytes) -> None:
    with pytest.raises(Unexpected):
        decode_payload(body)


# Socket.IO


@pytest.mark.parametrize(
    ("text", "type", "nsp", "id", "data"),
    [
        ('0{"sid":"x"}', sio.CONNECT, "/", None, {"sid": "x"}),
        ("0", sio.CONNECT, "/", None, None),
        ("1/a,", sio.DISCONNECT, "/a", None, None),
        ("1/a", sio.DISCONNECT, "/a", None, None),
        ('2["a","/b,1"]', sio.EVENT, "/", None, ["a", "/b,1"]),
        ('2/a,12["b"]', sio.EVENT, "/a", 12, ["b"]),
        ("30[]", sio.ACK, "/", 0, []),
        ('2["a\u2028\n"]'.replace("\n", "\\n"), sio.EVENT, "/", None, ["a\u2028\n"]),
    ],
)
def test_a_packet_is_read(text: str, type: int, nsp: str, id: int | None, data: object) -> None:
    packet, attachments = sio.decode_header(text)
    assert (packet.type, packet.nsp, packet.id, packet.data) == (type, nsp, id, data)
    assert (packet.raw, attachments) == (text, 0)


@pytest.mark.parametrize("text", ["", "7", "abc", "2[", '21-["a"]', '5["a"]', "2{'a'}"])
def test_a_packet_that_is_wrong_is_unexpected(text: str) -> None:
    with pytest.raises(Unexpected):
        sio.decode_header(text)


def test_attachments_take_their_places() -> None:
    text = '52-/a,1["b",{"c":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]'
    packet, count = sio.decode_header(text)
    assert count == 2
    whole = sio.with_attachments(packet, [b"x", b"y"])
    assert whole.data == ["b", {"c": b"y"}, b"x"]
    assert whole.attachments == (b"x", b"y")
    with pytest.raises(Unexpected, match="placeholder"):
        sio.with_attachments(packet, [b"x"])


def test_a_packet_is_written() -> None:
    assert sio.encode_packet(sio.CONNECT) == ("0", [])
    assert sio.encode_packet(sio.EVENT, ["ä", 1], nsp="/a", id=0) == ('2/a,0["ä",1]', [])
    assert sio.encode_packet(sio.EVENT, ["a", b"x", [b"y"]]) == (
        '52-["a",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]',
        [b"x", b"y"],
    )
    assert sio.encode_packet(sio.ACK, [b"x"], id=3)[0].startswith("61-3[")


# Transcripts


async def test_a_transcript_keeps_the_beginning_of_everything_and_the_size() -> None:
    transcript = Transcript()
    for _ in range(20):
        transcript.add("a#1", "out", "ws", b"x" * 5000)
    assert [entry.size for entry in transcript.entries] == [5000] * 20
    kept = [len(entry.data) for entry in transcript.entries]
    assert kept == [4096] * 16 + [0] * 4


async def test_a_namespace_joined_without_a_session_id_has_an_empty_one() -> None:
    """SIO-CONN-02: it is for the cases to say so, so they have to find something."""

    class Engine:
        name = "peer"

        async def send(self, *packets: Packet) -> None: ...

        async def next(self, *, timeout: float | None = None) -> Packet:
            return "40"

    peer = sio.SocketPeer(cast(EnginePeer, Engine()), expects_auth=False)
    assert (await peer.connect()).type == sio.CONNECT
    assert peer.sids == {"/": ""}
