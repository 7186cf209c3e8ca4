"""Compression: of the answers to polls, and of WebSocket messages where a server accepts it."""

from __future__ import annotations

import zlib

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.eio4._shared import news, open_any
from sioproto_conformance.peers.eio import EnginePeer, decode_payload
from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.ws import DEFLATE

_CONTINUATION, _TEXT, _BINARY = 0x0, 0x1, 0x2
_COMPRESSED = 4
_FORMATS = {"gzip": 31, "deflate": 15}
_OFFER = ("Sec-WebSocket-Extensions", f"{DEFLATE}; client_max_window_bits")
_MEBI = 1 << 20
_MOST_BLOCKS = 200


@case(
    "eio4.compression.poll-answer.decodes",
    covers=["EIO-HC-01c", "EIO-HC-01b", "EIO-HC-01", "EIO-HC-04"],
    needs=["polling", "echo"],
    variants={
        "gzip": ("gzip", {"gzip"}),
        "deflate": ("deflate", {"deflate"}),
        "gzip-forbidden": ("gzip;q=0, deflate", {"deflate"}),
        "unknown": ("x-nothing", set()),
        "nothing-said": (None, set()),
    },
)
async def poll_answer_decodes(t: Bench, variant: tuple[str | None, set[str]]) -> None:
    """A large answer to a poll is compressed in a way that the client accepts, or not at all."""
    accept, accepted = variant
    packet = "4" + "hello, world. " * 400
    peer = await t.eio.open("polling", poll=False)
    await peer.send(packet)
    headers = [] if accept is None else [("Accept-Encoding", accept)]
    packets: list[object] = []
    while not packets:
        response = await peer.get(headers=headers)
        t.require(response.status == 200, "status 200", response)
        encoding = response.header("content-encoding") or "identity"
        t.require(encoding in {"identity", *_FORMATS}, "an encoding that is known", encoding)
        asked = encoding in accepted | {"identity"}
        t.check(asked, f"one of {sorted(accepted)}, or none", encoding, rule="EIO-HC-01b")
        chunked = response.header("transfer-encoding") == "chunked"
        sized = response.header("content-length") is not None
        t.check(chunked or sized, "a length, or chunks", response, rule="EIO-HC-04")
        with t.expecting("EIO-HC-01c"):
            packets += news(decode_payload(_decoded(t, response, encoding)))
    t.equal(packets, [packet], "packets")
    t.observe("encoding of polls", encoding)
    if accepted:
        t.check(encoding != "identity", "an encoding", encoding, rule="EIO-HC-01")


def _decoded(t: Bench, response: Response, encoding: str) -> bytes:
    if encoding == "identity":
        return response.body
    try:
        return zlib.decompress(response.body, _FORMATS[encoding])
    except zlib.error as error:
        t.require(False, f"a body in {encoding}", str(error))
        raise


async def _open_deflated(t: Bench, name: str = "peer") -> EnginePeer:
    """Open a session on WebSocket that may compress; skip the case if the server declines."""
    peer = await t.eio.open("websocket", name=name, headers=[_OFFER])
    assert peer.ws is not None
    if peer.ws.deflate is None:
        t.skip(f"{DEFLATE} is not accepted")
    return peer


@case(
    "eio4.compression.websocket-message.echoed",
    covers=["EIO-HC-05b"],
    needs=["websocket", "echo"],
    variants=across(
        {"small": "hello", "large": "hello, world. " * 400}, {"whole": 1, "in-fragments": 7}
    ),
)
async def websocket_message_echoed(t: Bench, variant: tuple[str, int]) -> None:
    """Compressed messages are read, in one frame or several, and so are those that are not."""
    text, fragments = variant
    peer = await _open_deflated(t)
    assert peer.ws is not None
    deflater = peer.ws.deflate
    assert deflater is not None
    for _ in range(3):
        payload = deflater.compress(f"4{text}".encode())
        step = -(-len(payload) // fragments)
        pieces = [payload[start : start + step] for start in range(0, len(payload), step)]
        for index, piece in enumerate(pieces):
            first, last = index == 0, index == len(pieces) - 1
            opcode, rsv = (_TEXT, _COMPRESSED) if first else (_CONTINUATION, 0)
            await peer.ws.send_frame(opcode, piece, fin=last, rsv=rsv, note="compressed")
        t.equal(await peer.next(), f"4{text}", "echo of the compressed message")
        await peer.send(f"4plain {text}")
        t.equal(await peer.next(), f"4plain {text}", "echo of the plain message")


@case(
    "eio4.compression.garbage.closes-session",
    covers=["EIO-HC-05c", "EIO-ROB-01"],
    tags=["crash"],
    needs=["websocket"],
)
async def compressed_garbage(t: Bench) -> None:
    """A message that is marked as compressed, and is not, ends its own connection."""
    control = await open_any(t, name="control")
    bad = await _open_deflated(t, "bad")
    assert bad.ws is not None
    await bad.ws.send_frame(_BINARY, b"\xff" * 20, rsv=_COMPRESSED, note="no DEFLATE data")
    closed = await t.expect_closed(bad, while_open=control)
    t.check("1007" in str(closed), "close code 1007", str(closed))
    await t.expect_open(control, rule="EIO-ROB-01")


@case(
    "eio4.compression.bomb.closes-session",
    covers=["EIO-SEC-12b", "EIO-ROB-01"],
    needs=["websocket"],
    tags=["security"],
)
async def compression_bomb(t: Bench) -> None:
    """A small message that would inflate to 200 MB ends its own connection, and harms nobody."""
    control = await open_any(t, name="control")
    bad = await _open_deflated(t, "bad")
    assert bad.ws is not None
    limit = bad.max_payload
    # On the wire it stays below the limit, so that it is the inflated size that counts.
    blocks = max(2, min(_MOST_BLOCKS, limit // 2000))
    if blocks * _MEBI <= limit:
        t.skip(f"the limit of {limit} bytes is too high to pass")
    compressor = zlib.compressobj(9, wbits=-15)
    block = compressor.compress(bytes(_MEBI)) + compressor.flush(zlib.Z_FULL_FLUSH)
    bomb = (block * blocks)[:-4]
    note = f"{len(bomb)} bytes that inflate to {blocks} MiB"
    await bad.ws.send_frame(_BINARY, bomb, rsv=_COMPRESSED, note=note)
    closed = await t.expect_closed(bad, while_open=control)
    t.observe("compressed bomb", closed)
    await t.expect_open(control, rule="EIO-ROB-01")
    fresh = await open_any(t, name="afterwards")
    await t.expect_open(fresh, rule="EIO-ROB-01")
