"""The WebSocket transport: what its frames carry, and how it ends."""

from __future__ import annotations

import struct

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import news, open_any
from sioproto_conformance.peers.eio import EnginePeer, Packet
from sioproto_conformance.peers.wire import Gone, Unexpected
from sioproto_conformance.peers.ws import WsConnection, frame_bytes

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING = 0x0, 0x1, 0x2, 0x8, 0x9
_PROTOCOL_ERROR, _NOT_UTF8 = 1002, 1007


def _ws(peer: EnginePeer) -> WsConnection:
    assert peer.ws is not None
    return peer.ws


@case(
    "eio4.websocket.invalid-packet.closes-session",
    covers=["EIO-WS-04", "EIO-WS-05", "EIO-CL-09"],
    needs=["websocket"],
    tags=["close"],
    also="eio3",
)
async def invalid_packet_closes_session(t: Bench) -> None:
    """A text frame that is no packet ends the session with a close frame, and the id with it."""
    bad, control = await t.eio.pair("websocket")
    await bad.send("abc")
    closed = await t.expect_closed(bad, while_open=control)
    if closed is not None:
        t.check(closed.code is not None, "a close frame", closed, rule="EIO-WS-05")
        answer = await t.eio.get(t.eio.query(sid=bad.sid))
        t.check(answer.status == 400, "the id refused", answer, rule="EIO-CL-09")


@case(
    "eio4.websocket.empty-frame.closes-session",
    covers=["EIO-WS-04"],
    needs=["websocket"],
    tags=["close"],
    also="eio3",
)
async def empty_frame_closes_session(t: Bench) -> None:
    """A text frame without a single character is no packet."""
    bad, control = await t.eio.pair("websocket")
    await bad.send("")
    await t.expect_closed(bad, while_open=control)


_Frames = list[tuple[int, bytes, bool]]

_FRAGMENTS: dict[str, tuple[_Frames, Packet]] = {
    "two": ([(_TEXT, b"4he", False), (_CONTINUATION, b"llo", True)], "4hello"),
    "empty-ones": (
        [(_TEXT, b"", False), (_CONTINUATION, b"4hi", False), (_CONTINUATION, b"", True)],
        "4hi",
    ),
    "inside-a-character": (
        [(_TEXT, b"4\xf0\x9f", False), (_CONTINUATION, b"\x98\x80", True)],
        "4😀",
    ),
    "ping-between": (
        [(_TEXT, b"4he", False), (_PING, b"between", True), (_CONTINUATION, b"llo", True)],
        "4hello",
    ),
    "binary": ([(_BINARY, b"\x01", False), (_CONTINUATION, b"\x02", True)], b"\x01\x02"),
}


@case(
    "eio4.websocket.fragments.put-together",
    covers=["EIO-WS-01b", "EIO-WS-09"],
    needs=["websocket", "echo"],
    variants=_FRAGMENTS,
)
async def fragments_put_together(t: Bench, variant: tuple[_Frames, Packet]) -> None:
    """A message sent in fragments arrives as one."""
    frames, message = variant
    peer = await t.eio.open("websocket")
    for opcode, payload, fin in frames:
        await _ws(peer).send_frame(opcode, payload, fin=fin)
    t.equal(await peer.next(), message, "echo")
    pings = [payload for opcode, payload, _ in frames if opcode == _PING]
    t.equal(peer.pongs, pings, "pong frames", rule="EIO-WS-09")
    await t.nothing_more(peer)


@case(
    "eio4.websocket.ping-frame.answered",
    covers=["EIO-WS-09"],
    needs=["websocket"],
    variants={"empty": b"", "text": b"hello", "binary": b"\x00\xff", "longest": b"x" * 125},
    also="eio3",
)
async def ping_frame_answered(t: Bench, payload: bytes) -> None:
    """A ping frame is answered by a pong frame with the same data."""
    peer = await t.eio.open("websocket")
    await _ws(peer).send_frame(_PING, payload)
    await t.expect_open(peer)
    t.check(payload in peer.pongs, f"a pong frame with {payload[:20]!r}", peer.pongs)


@case(
    "eio4.websocket.close-frame.answered",
    covers=["EIO-WS-07b", "EIO-WS-07"],
    needs=["websocket"],
    tags=["close"],
    variants={
        "no-code": None,
        "normal": 1000,
        "going-away": 1001,
        "application": 4001,
    },
    also="eio3",
)
async def close_frame_answered(t: Bench, code: int | None) -> None:
    """A client that closes its WebSocket gets a close frame back, and its session has ended."""
    peer = await t.eio.open("websocket", name="peer")
    control = await t.eio.open("websocket", name="control")
    _ws(peer).answer_pings = False
    await _ws(peer).send_close(code)
    closed = await t.expect_closed(peer, while_open=control)
    if closed is None:
        return
    t.check(closed.code is not None, "a close frame", closed)
    t.observe("code of the answer", closed.code)
    answer = await t.eio.get(t.eio.query(sid=peer.sid))
    t.check(answer.status == 400, "the id refused", answer, rule="EIO-WS-07")


def _close(code: int) -> bytes:
    return frame_bytes(_CLOSE, struct.pack("!H", code))


@case(
    "eio4.websocket.illegal-frame.closes-session",
    covers=["EIO-WS-08", "EIO-WS-08b"],
    needs=["websocket"],
    tags=["close"],
    variants={
        "unmasked": frame_bytes(_TEXT, b"4hello", masked=False),
        "reserved-bit": frame_bytes(_TEXT, b"4hello", rsv=4),
        "unknown-opcode": frame_bytes(0x3, b"4hello"),
        "unknown-control": frame_bytes(0xB, b""),
        "fragmented-ping": frame_bytes(_PING, b"x", fin=False),
        "ping-too-long": frame_bytes(_PING, b"x" * 126),
        "continuation-of-nothing": frame_bytes(_CONTINUATION, b"4hello"),
        "message-inside-message": frame_bytes(_TEXT, b"4he", fin=False)
        + frame_bytes(_TEXT, b"4llo"),
        "close-code-1005": _close(1005),
        "close-code-999": _close(999),
        "close-of-one-byte": frame_bytes(_CLOSE, b"\x03"),
    },
    also="eio3",
)
async def illegal_frame_closes_session(t: Bench, frames: bytes) -> None:
    """A frame that WebSocket does not allow ends the session, and no other."""
    bad, control = await t.eio.pair("websocket")
    _ws(bad).answer_pings = False
    await _ws(bad).send_raw(frames)
    closed = await t.expect_closed(bad, while_open=control)
    t.equal(news(seen.packet for seen in bad.seen[1:]), [], "what was delivered")
    if closed is not None:
        t.equal(closed.code, _PROTOCOL_ERROR, "close code", rule="EIO-WS-08b")


@case(
    "eio4.websocket.text-not-utf8.closes-session",
    covers=["EIO-WS-08c", "EIO-WS-08b"],
    needs=["websocket"],
    tags=["close"],
    variants={
        "stray-byte": frame_bytes(_TEXT, b"4\xffa"),
        "cut-off": frame_bytes(_TEXT, b"4\xe2\x82"),
        "surrogate": frame_bytes(_TEXT, b"4\xed\xa0\x80"),
        "overlong": frame_bytes(_TEXT, b"4\xc0\x80"),
        "across-fragments": frame_bytes(_TEXT, b"4\xe2\x82", fin=False)
        + frame_bytes(_CONTINUATION, b"(a"),
    },
    also="eio3",
)
async def text_not_utf8_closes_session(t: Bench, frames: bytes) -> None:
    """A text message that is no UTF-8 ends the session, and no other."""
    bad, control = await t.eio.pair("websocket")
    await _ws(bad).send_raw(frames)
    closed = await t.expect_closed(bad, while_open=control)
    if closed is not None:
        t.equal(closed.code, _NOT_UTF8, "close code", rule="EIO-WS-08b")


@case(
    "eio4.websocket.many-frames-at-once.echoed",
    covers=["EIO-WS-01"],
    needs=["websocket", "echo"],
    also="eio3",
)
async def many_frames_at_once_echoed(t: Bench) -> None:
    """Frames that arrive in one segment are read one by one, in order."""
    peer = await t.eio.open("websocket")
    packets = [f"4{n}" for n in range(200)]
    await _ws(peer).send_raw(b"".join(frame_bytes(_TEXT, packet.encode()) for packet in packets))
    t.equal([await peer.next() for _ in packets], packets, "echoes")
    await t.nothing_more(peer)


@case(
    "eio4.websocket.frame-in-pieces.echoed",
    covers=["EIO-WS-01"],
    needs=["websocket", "echo"],
    also="eio3",
)
async def frame_in_pieces_echoed(t: Bench) -> None:
    """A frame that arrives byte by byte is the same frame."""
    peer = await t.eio.open("websocket")
    # A pong in the middle of the frame would be part of it.
    peer.answer_pings = False
    frame = frame_bytes(_TEXT, ("4ä€😀" * 20).encode())
    for byte in frame:
        await _ws(peer).send_raw(bytes([byte]))
    t.equal(await peer.next(), "4ä€😀" * 20, "echo")


@case(
    "eio4.websocket.frame-behind-request.decided",
    covers=["EIO-HS-12", "EIO-ROB-01"],
    needs=["websocket", "echo"],
    also="eio3",
)
async def frame_behind_request_decided(t: Bench) -> None:
    """A frame glued to the request that opens the session is delivered or lost, without harm."""
    glued = frame_bytes(_TEXT, b"4early")
    ws = await t.eio.websocket(glued=glued)
    if not isinstance(ws, WsConnection):
        t.check(False, "status 101", ws, rule="EIO-ROB-01")
        return
    first = await ws.receive()
    t.check(str(first.data).startswith("0{"), "an open packet", first.data, rule="EIO-ROB-01")
    await ws.send_text("4late")
    arrived: list[str | bytes] = []
    while "4late" not in arrived:
        incoming = await ws.receive()
        if incoming.kind in ("close", "end"):
            break
        arrived.append(incoming.data)
    delivered = "4early" in arrived
    t.check(delivered, "the frame delivered", arrived)
    t.observe("frame behind the request", "delivered" if delivered else "lost")
    t.check("4late" in arrived, "a later frame delivered", arrived, rule="EIO-ROB-01")
    await t.expect_open(await open_any(t, name="control"), rule="EIO-ROB-01")


@case(
    "eio4.websocket.subprotocol.first-accepted",
    covers=["EIO-HC-06", "EIO-ROB-01"],
    needs=["websocket"],
    also="eio3",
)
async def subprotocol_first_accepted(t: Bench) -> None:
    """Of the WebSocket subprotocols that a client offers, the first is accepted."""
    ws = await t.eio.websocket(headers=[("Sec-WebSocket-Protocol", "foo, bar")])
    if not isinstance(ws, WsConnection):
        t.check(False, "status 101", ws)
        return
    t.equal(ws.response.header("sec-websocket-protocol"), "foo", "subprotocol")
    first = await ws.receive()
    t.check(str(first.data).startswith("0{"), "an open packet", first.data, rule="EIO-ROB-01")


_LISTS = {
    "extensions": ("Sec-WebSocket-Extensions", ", ".join(f"x-{n}; a=b" for n in range(900))),
    "extension-parameters": ("Sec-WebSocket-Extensions", "x" + "; a" * 3000),
    "extension-quotes": ("Sec-WebSocket-Extensions", 'x; a="' + "\\\\" * 4000 + '"'),
    "subprotocols": ("Sec-WebSocket-Protocol", ",".join(f"p{n}" for n in range(1500))),
    "blanks": ("Sec-WebSocket-Protocol", "a" + " " * 9000 + "b"),
    "commas": ("Sec-WebSocket-Protocol", "," * 9000),
}


@case(
    "eio4.robustness.long-header.answered",
    covers=["EIO-ROB-01"],
    needs=["websocket"],
    tags=["security"],
    variants=_LISTS,
)
async def long_header_answered(t: Bench, header: tuple[str, str]) -> None:
    """A WebSocket request with a header as long as they come is answered, or hung up on."""
    control = await open_any(t, name="control")
    try:
        answer: object = await t.eio.websocket(headers=[header])
    except (Gone, Unexpected) as ended:
        answer = ended
    shown = "status 101" if isinstance(answer, WsConnection) else answer
    t.check(True, "an answer, or the end", shown)
    t.observe("long header", str(shown)[:40])
    await t.expect_open(control)


@case(
    "eio4.robustness.many-headers.answered",
    covers=["EIO-ROB-01"],
    needs=["websocket"],
    tags=["security"],
    variants={"two-hundred": 200, "two-thousand": 2000, "thirty-thousand": 30_000},
)
async def many_headers_answered(t: Bench, count: int) -> None:
    """A WebSocket request with very many headers is answered, or hung up on, at once."""
    control = await open_any(t, name="control")
    try:
        answer: object = await t.eio.websocket(headers=[(f"X-{n}", "a") for n in range(count)])
    except (Gone, Unexpected) as ended:
        answer = ended
    shown = "status 101" if isinstance(answer, WsConnection) else answer
    t.check(True, "an answer, or the end", shown)
    t.observe("many headers", str(shown)[:40])
    await t.expect_open(control)
