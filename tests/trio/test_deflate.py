"""permessage-deflate: what is agreed on, what is sent, and what a client can do with it."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from itertools import pairwise
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import Opcode

from sioproto.engineio import ServerConfig, WsFrame
from sioproto.trio import (
    AppConfig,
    ConnectionConfig,
    DeflateConfig,
    EngineServer,
    Server,
    Session,
    Socket,
)
from sioproto.trio._deflate import Agreement, Deflater, Inflater, agree
from sioproto.trio._frames import FrameReader, Received, Violation, frame_bytes
from tests.trio.support import (
    WEBSOCKET,
    Client,
    SocketClient,
    frame,
    open_websocket,
    serving,
)

TAIL = b"\x00\x00\xff\xff"
OFFER = "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n"
ON = DeflateConfig()
ALONE = DeflateConfig(server_no_context_takeover=True, client_no_context_takeover=True)


def deflate(data: bytes, compressor: Any = None) -> bytes:
    """What a client sends for a message."""
    compressor = compressor or zlib.compressobj(wbits=-15)
    compressed: bytes = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return compressed[:-4]


def inflate(data: bytes, decompressor: Any = None) -> bytes:
    """What a client makes of a message."""
    decompressor = decompressor or zlib.decompressobj(wbits=-15)
    inflated: bytes = decompressor.decompress(data + TAIL)
    return inflated


# What is agreed on


def agreed(offer: str, config: DeflateConfig = ON) -> Agreement | None:
    return agree(config, [("host", "x"), ("sec-websocket-extensions", offer)])


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate", ""),
        ("permessage-deflate; client_max_window_bits", ""),
        ("permessage-deflate;client_max_window_bits=10", ""),
        ("permessage-deflate; server_max_window_bits=10", "; server_max_window_bits=10"),
        ('permessage-deflate; server_max_window_bits="15"', "; server_max_window_bits=15"),
        ("permessage-deflate; server_no_context_takeover", "; server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", "; client_no_context_takeover"),
        ("x-other; a=b, permessage-deflate", ""),
        ("permessage-deflate; x=y, permessage-deflate", ""),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", ""),
    ],
)
def test_offers_that_are_accepted(offer: str, answer: str) -> None:
    """EIO-HC-05b"""
    agreement = agreed(offer)
    assert agreement is not None
    assert agreement.answer == "permessage-deflate" + answer


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "permessage-deflated",
        "x-webkit-deflate-frame",
        "permessage-deflate; unknown",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=8",  # zlib cannot
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits=\u0669",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=x",
        "permessage-deflate;",
        "; permessage-deflate",
    ],
)
def test_offers_that_are_passed_over(offer: str) -> None:
    """EIO-HC-05b"""
    assert agreed(offer) is None


def test_a_client_that_offers_nothing_gets_nothing() -> None:
    """EIO-HC-05b"""
    assert agree(ON, [("host", "x")]) is None


@given(st.text(st.sampled_from("permessage-deflate client_max_window_bits=15;,\"'\t")))
def test_any_offer_is_read(offer: str) -> None:
    """EIO-HC-05b"""
    for config in (ON, ALONE):
        agreement = agreed(offer, config)
        assert agreement is None or agreement.answer.isascii()


def test_the_configuration_narrows_what_is_agreed_on() -> None:
    """EIO-HC-05b"""
    both = agreed("permessage-deflate", ALONE)
    assert both is not None
    assert both.answer == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    )
    assert not both.server_takeover
    assert not both.client_takeover
    small = DeflateConfig(server_max_window_bits=10, client_max_window_bits=11)
    assert agreed("permessage-deflate", small) is None  # this client cannot be told
    for offer, server, client, answered in [
        ("client_max_window_bits", 10, 11, True),
        ("client_max_window_bits=12; server_max_window_bits=12", 10, 11, True),
        ("client_max_window_bits=9; server_max_window_bits=9", 9, 9, False),
        ("client_max_window_bits=8", 10, 8, False),
    ]:
        agreement = agreed(f"permessage-deflate; {offer}", small)
        assert agreement is not None
        assert (agreement.server_bits, agreement.client_bits) == (server, client)
        assert f"server_max_window_bits={server}" in agreement.answer
        assert ("client_max_window_bits" in agreement.answer) == answered


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threshold", -1),
        ("threshold", True),
        ("level", 0),
        ("level", 10),
        ("memory_level", 0),
        ("memory_level", 10),
        ("server_max_window_bits", 8),
        ("server_max_window_bits", 16),
        ("client_max_window_bits", 8),
        ("client_max_window_bits", "15"),
        ("server_no_context_takeover", 1),
        ("client_no_context_takeover", None),
    ],
)
def test_nonsense_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^DeflateConfig\.{field} must be "):
        DeflateConfig(**{field: value})
    with pytest.raises(ValueError, match=r"^ConnectionConfig\.per_message_deflate must be "):
        ConnectionConfig(per_message_deflate=field)  # type: ignore[arg-type]  # being tested


# What is received

LIMIT = 300


def reader(
    config: DeflateConfig = ON, limit: int = LIMIT, offer: str = "permessage-deflate"
) -> FrameReader:
    agreement = agreed(offer, config)
    assert agreement is not None
    return FrameReader(limit, 20, [Inflater(agreement, limit)])


def read(pieces: list[bytes], frames: FrameReader | None = None) -> tuple[list[Received], Any]:
    """What comes out, and the close code of a violation."""
    frames = frames or reader()
    received: list[Received] = []
    try:
        for piece in pieces:
            received.extend(frames.feed(piece))
    except Violation as violation:
        return received, violation.code
    return received, None


def cut(data: bytes, places: list[int]) -> list[bytes]:
    cuts = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(cuts)]


places = st.lists(st.integers(0, 10_000), max_size=10)
messages = st.one_of(
    st.text(max_size=100).map(lambda text: (0x01, text.encode())),
    st.binary(max_size=LIMIT).map(lambda data: (0x02, data)),
    st.integers(0, LIMIT).map(lambda size: (0x02, bytes(size))),
)


@given(
    st.lists(st.tuples(messages, st.booleans(), places), max_size=6),
    places,
    st.booleans(),
    st.integers(8, 15),
)
def test_messages_survive_compression_and_any_fragmentation(
    program: list[tuple[tuple[int, bytes], bool, list[int]]],
    reads: list[int],
    takeover: bool,
    bits: int,
) -> None:
    """EIO-HC-05b: compressed or not, in fragments with control frames between them."""
    compressor = zlib.compressobj(wbits=-max(9, bits))
    stream = b""
    expected: list[Received] = []
    for (opcode, payload), compressed, fragments in program:
        if compressed and not takeover:
            compressor = zlib.compressobj(wbits=-max(9, bits))
        wire = deflate(payload, compressor) if compressed else payload
        pieces = cut(wire, fragments) or [b""]
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1
            first_byte = (opcode | 0x40 * compressed if not index else 0) | 0x80 * last
            stream += frame(first_byte, piece)
            if not last:
                stream += frame(0x89, b"between")
                expected.append((Opcode.PING, b"between"))
        expected.append((Opcode(opcode), payload.decode() if opcode == 1 else payload))
    frames = reader(
        ON if takeover else ALONE, offer=f"permessage-deflate; client_max_window_bits={bits}"
    )
    assert read(cut(stream, reads), frames) == (expected, None)


garbage = st.lists(
    st.one_of(
        st.binary(max_size=10),
        st.builds(frame, st.integers(0, 255), st.binary(max_size=60), masked=st.booleans()),
        st.builds(
            frame,
            st.sampled_from([0xC1, 0xC2, 0x41, 0x42, 0x00, 0x80]),
            st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(deflate)),
        ),
    ),
    max_size=4,
).map(b"".join)


@given(garbage, places)
def test_any_bytes_lead_to_a_verdict(data: bytes, reads: list[int]) -> None:
    """EIO-HC-05c. Which rule a message breaks first may depend on how much of it is seen."""
    received, code = read(cut(data, reads))
    assert code in {None, 1002, 1007, 1008, 1009}
    assert (code is None) == (read([data])[1] is None)
    assert all(len(payload) <= LIMIT for _, payload in received)


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (frame(0xC2, b"\xff\xff\xff"), 1007),
        (frame(0xC2, b""), 1007),  # even an empty message has one byte
        (frame(0xC2, deflate(b"hello world")[:-3]), 1007),
        (frame(0x42, deflate(b"hello world")[:-3]) + frame(0x80, b""), 1007),
        (frame(0xC2, deflate(b"hello") + b"\x07"), 1007),
        (frame(0xC1, deflate(b"\xff")), 1007),  # inflates, but is no UTF-8
        (frame(0xC2, b"\x03\x00" * 20 + b"\x00"), 1007),
        (frame(0x42, deflate(b"x")) + frame(0xC0, b""), 1002),  # no first frame
        (frame(0x02, b"x") + frame(0xC0, b""), 1002),
        (frame(0x02, b"x") + frame(0xC2, deflate(b"x")), 1002),  # a message within another
        (frame(0xC9, deflate(b"x")), 1002),
        (frame(0xC8, b""), 1002),
        (frame(0xC0, b""), 1002),
        (frame(0xA2, b""), 1002),
        (frame(0xD2, b""), 1002),
    ],
)
def test_what_is_wrong_with_a_compressed_message(stream: bytes, code: int) -> None:
    """EIO-HC-05c, EIO-WS-08b"""
    for config in (ON, ALONE):
        assert read([stream], reader(config)) == ([], code)
        pieces = [stream[index : index + 1] for index in range(len(stream))]
        assert read(pieces, reader(config)) == ([], code)


@pytest.mark.parametrize("config", [ON, ALONE])
def test_a_message_that_is_cut_off_anywhere_is_not_delivered(config: DeflateConfig) -> None:
    """EIO-HC-05c"""
    for data in (b"hello", b"hello world " * 20, random.Random(1).randbytes(200)):
        wire = deflate(data)
        for size in range(len(wire)):
            if wire[:size] != b"\x00":  # which is what an empty message looks like
                assert read([frame(0xC2, wire[:size])], reader(config)) == ([], 1007), size


def test_blocks_that_say_that_they_are_the_last_are_read() -> None:
    """The example in RFC 7692, section 7.2.3.4, and what may come behind it."""
    final = bytes.fromhex("f348cdc9c90700") + b"\x00"
    plain = frame(0xC1, bytes.fromhex("f248cdc9c90700"))  # section 7.2.3.1
    for config in (ON, ALONE):
        received, code = read([frame(0xC1, final) + plain], reader(config))
        assert (received, code) == ([(Opcode.TEXT, "Hello")] * 2, None)


def test_without_takeover_a_message_cannot_refer_to_the_one_before() -> None:
    """EIO-HC-05b"""
    compressor = zlib.compressobj(wbits=-15)
    text = random.Random(1).randbytes(200)
    stream = b"".join(frame(0xC2, deflate(text, compressor)) for _ in range(2))
    assert read([stream], reader(ON)) == ([(Opcode.BINARY, text)] * 2, None)
    assert read([stream], reader(ALONE)) == ([(Opcode.BINARY, text)], 1007)


@pytest.mark.parametrize("config", [ON, ALONE])
def test_the_limit_is_that_of_the_message_inflated(config: DeflateConfig) -> None:
    """EIO-SEC-12b: one byte more than the limit is too much, in whichever fragments it comes."""
    for size, code in [(LIMIT, None), (LIMIT + 1, 1009)]:
        wire = deflate(bytes(size))
        assert len(wire) < 20
        whole = frame(0xC2, wire)
        parts = [wire[index : index + 1] for index in range(len(wire))]
        fragments = b"".join(
            frame((0x42 if not index else 0) | 0x80 * (index == len(parts) - 1), part)
            for index, part in enumerate(parts)
        )
        for stream in (whole, fragments):
            received, seen = read([stream], reader(config))
            assert seen == code
            assert received == ([] if code else [(Opcode.BINARY, bytes(size))])
    twice = frame(0xC2, deflate(bytes(LIMIT), zlib.compressobj(wbits=-15)))
    assert read([twice + twice], reader(ALONE))[1] is None  # each message counts for itself


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    """EIO-SEC-12b: 200 kB that would inflate to 200 MB."""
    compressor = zlib.compressobj(9, wbits=-15)
    wire = b"".join(compressor.compress(bytes(1_000_000)) for _ in range(200))
    wire += compressor.flush(zlib.Z_SYNC_FLUSH)[:-4]
    assert 150_000 < len(wire) < 250_000
    stream = frame(0xC2, wire)
    pieces = [stream[start : start + 16_384] for start in range(0, len(stream), 16_384)]
    for packets in (pieces, [stream]):
        frames = reader(limit=1_000_000)
        tracemalloc.start()
        try:
            received, code = read(packets, frames)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (received, code) == ([], 1009)
        assert peak < 5_000_000


# What is sent


def deflater(config: DeflateConfig = ON, offer: str = "") -> Deflater:
    agreement = agreed(f"permessage-deflate{offer}", config)
    assert agreement is not None
    return Deflater(agreement)


def payload_of(data: bytes) -> tuple[int, bytes]:
    """The first byte of a frame, and its payload."""
    return data[0], data[{126: 4, 127: 10}.get(data[1], 2) :]


@pytest.mark.covers("EIO-HC-05", "EIO-HC-02")
def test_messages_are_compressed_from_the_threshold_on() -> None:
    """EIO-HC-05, EIO-HC-02"""
    for payload in ("x" * 1023, "x", "", WsFrame("x" * 5000, compress=False)):
        message = payload if isinstance(payload, WsFrame) else WsFrame(payload)
        assert deflater().frame_bytes(message) is frame_bytes(message)
    for content, first in (("x" * 1024, 0xC1), ("€" * 400, 0xC1), (bytes(70_000), 0xC2)):
        data = deflater().frame_bytes(WsFrame(content))
        byte, compressed = payload_of(data)
        expected = content.encode() if isinstance(content, str) else content
        assert (byte, inflate(compressed)) == (first, expected)
        assert len(data) < 200
    everything = deflater(DeflateConfig(threshold=0)).frame_bytes(WsFrame(""))
    assert everything == b"\xc1\x01\x00"


def test_with_takeover_a_message_refers_to_those_before() -> None:
    """EIO-HC-05b: also past messages that are not compressed."""
    text = random.Random(1).randbytes(3000)
    outbound, inbound = deflater(), zlib.decompressobj(wbits=-15)
    sizes = []
    for compress in (True, False, True, True):
        byte, payload = payload_of(outbound.frame_bytes(WsFrame(text, compress)))
        assert byte == 0x82 | 0x40 * compress
        assert (inflate(payload, inbound) if compress else payload) == text
        sizes.append(len(payload))
    assert sizes[0] > 3000 == sizes[1]
    assert sizes[2] < 100


@pytest.mark.covers("SIO-BC-09")
def test_without_takeover_a_message_is_compressed_once_for_all() -> None:
    """EIO-HC-05b, SIO-BC-09"""
    message = WsFrame("hello " * 1000)
    first, second = deflater(ALONE), deflater(offer="; server_no_context_takeover")
    data = first.frame_bytes(message)
    assert second.frame_bytes(message) is data
    assert first.frame_bytes(message) is data
    assert inflate(payload_of(data)[1]) == b"hello " * 1000
    smaller = deflater(ALONE, "; server_max_window_bits=9").frame_bytes(message)
    assert inflate(payload_of(smaller)[1], zlib.decompressobj(wbits=-9)) == b"hello " * 1000
    assert smaller is not data
    assert frame_bytes(message)[0] == 0x81  # and others get it as it is


def test_what_would_become_larger_is_sent_as_it_is() -> None:
    noise = WsFrame(random.Random(1).randbytes(3000))
    outbound = deflater(ALONE)
    assert outbound.frame_bytes(noise) is outbound.frame_bytes(noise) is frame_bytes(noise)


# All of it together


def serve_with(config: DeflateConfig | None) -> ConnectionConfig:
    return ConnectionConfig(per_message_deflate=config)


async def echo(session: Session) -> None:
    async for data in session:
        session.send(data)


QUIET = ServerConfig(ping_interval=1000, ping_timeout=1000)


async def upgrade(client: Client) -> str | None:
    """Open a session, offering compression; returns what was agreed on."""
    answer = await client.upgrade(WEBSOCKET, headers=OFFER)
    assert answer.status == 101
    assert (await client.frame())[1].startswith(b'0{"sid"')
    return answer.headers.get("sec-websocket-extensions")


@pytest.mark.covers("EIO-HC-05")
async def test_it_is_off_unless_configured(autojump_clock: trio.testing.MockClock) -> None:
    """EIO-HC-05"""
    async with serving(EngineServer(echo, config=QUIET)) as listener:
        client = Client(listener.connect())
        assert await upgrade(client) is None
        await client.text("4" + "x" * 5000)
        assert await client.frame() == (0x81, b"4" + b"x" * 5000)
        await client.send(frame(0xC1, deflate(b"4hello")))
        assert await client.frame() == (0x88, b"\x03\xea")


@pytest.mark.covers("EIO-HC-05")
async def test_both_directions_are_compressed(autojump_clock: trio.testing.MockClock) -> None:
    """EIO-HC-05, EIO-HC-05b"""
    async with serving(EngineServer(echo, config=QUIET), config=serve_with(ON)) as listener:
        client = Client(listener.connect())
        assert await upgrade(client) == "permessage-deflate"
        compressor, decompressor = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        for _ in range(3):
            await client.send(frame(0xC1, deflate(b"4" + b"hello" * 1000, compressor)))
            first, payload = await client.frame()
            assert (first, inflate(payload, decompressor)) == (0xC1, b"4" + b"hello" * 1000)
            await client.text("4hi")
            assert await client.frame() == (0x81, b"4hi")
        other = Client(listener.connect())
        await open_websocket(other)  # a client that offers nothing
        await other.text("4" + "x" * 5000)
        assert await other.frame() == (0x81, b"4" + b"x" * 5000)


async def test_a_bomb_ends_its_own_session(autojump_clock: trio.testing.MockClock) -> None:
    """EIO-SEC-12b, EIO-HC-05c"""
    sessions: list[Session] = []

    async def handle(session: Session) -> None:
        sessions.append(session)
        await echo(session)

    server = EngineServer(handle, config=QUIET)
    async with serving(server, config=serve_with(ON)) as listener:
        control = Client(listener.connect())
        await open_websocket(control)
        client = Client(listener.connect())
        await upgrade(client)
        await client.send(frame(0xC2, deflate(bytes(50_000_000))))
        assert await client.frame() == (0x88, b"\x03\xf1")
        assert await client.rest() == b""
        assert str(sessions[1].close_reason) == "transport error"
        assert getattr(sessions[1].close_error, "limit", None) == "max_payload"
        await control.text("4still")
        assert await control.frame() == (0x81, b"4still")


@pytest.mark.covers("EIO-HC-02", "SIO-EVT-16")
async def test_the_compress_flag_reaches_the_wire(autojump_clock: trio.testing.MockClock) -> None:
    """EIO-HC-02, SIO-EVT-16"""
    io = Server()

    @io.on("connection")
    def connection(socket: Socket) -> None:
        socket.emit("on", "x" * 2000)
        socket.compress(False).emit("off", "x" * 2000)
        io.compress(False).emit("off", "x" * 2000)
        io.emit("on", "x" * 2000)

    async with serving(io, config=serve_with(ON)) as listener:
        client = Client(listener.connect())
        answer = await client.upgrade(WEBSOCKET.replace("engine", "socket"), headers=OFFER)
        assert answer.headers["sec-websocket-extensions"] == "permessage-deflate"
        await client.frame()
        await SocketClient(client).join()
        firsts = [(await client.frame())[0] for _ in range(4)]
        assert firsts == [0xC1, 0x81, 0x81, 0xC1]


async def test_what_a_read_inflates_to_is_handled_bit_by_bit(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """EIO-SEC-12b: a client is held up before its messages are too many, inflated as they are."""
    sizes: list[int] = []

    async def slow(session: Session) -> None:
        async for data in session:
            await trio.sleep(1)
            sizes.append(len(data))

    server = EngineServer(
        slow,
        config=ServerConfig(ping_interval=1000, ping_timeout=1000, max_payload=100_000),
        app=AppConfig(pause_input=150_000),
    )
    async with serving(server, config=serve_with(ALONE)) as listener:
        client = Client(listener.connect())
        await upgrade(client)
        burst = frame(0xC2, deflate(bytes(90_000))) * 20
        assert len(burst) < 3000
        await client.send(burst + frame(0x89, b"read"))
        assert await client.frame() == (0x8A, b"read")
        assert 15 <= len(sizes) < 20  # the last were inflated when those before had been taken
        await trio.sleep(100)
        assert sizes == [90_000] * 20
