"""TLS without a stream in between gives what a stream would."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from itertools import pairwise

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sioproto.trio._tls import SecureWire
from sioproto.trio._wire import Lost, Wire
from tests.trio.test_fast_lanes import contexts

MakeWire = Callable[[trio.SocketStream], Wire]


def direct(stream: trio.SocketStream) -> Wire:
    return SecureWire(stream, contexts()[0])


def by_stream(stream: trio.SocketStream) -> Wire:
    secure = trio.SSLStream(stream, contexts()[0], server_side=True, https_compatible=True)
    return Wire(secure)


async def pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    """Two ends of one connection."""
    one, other = trio.socket.socketpair()
    return trio.SocketStream(one), trio.SocketStream(other)


class Client:
    """TLS in memory, so that its bytes can be cut and spoiled."""

    def __init__(self, stream: trio.SocketStream, version: ssl.TLSVersion) -> None:
        _, trusting = contexts()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(
            cadata="".join(map(ssl.DER_cert_to_PEM_cert, trusting.get_ca_certs(binary_form=True)))
        )
        context.maximum_version = version
        self.stream = stream
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")

    def taken(self) -> bytes:
        """What it wants to send."""
        return self._out.read()

    async def shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self.stream.send_all(self.taken())
                self._in.write(bytes(await self.stream.receive_some(65_536)))
        await self.stream.send_all(self.taken())

    async def hear(self, size: int) -> bytes:
        heard = b""
        while len(heard) < size:
            try:
                heard += self.tls.read(65_536)
            except ssl.SSLWantReadError:
                self._in.write(bytes(await self.stream.receive_some(65_536)))
        return heard


async def received(
    make: MakeWire,
    version: ssl.TLSVersion,
    messages: list[bytes],
    places: list[int],
    spoiled: int | None,
    says_end: bool,
) -> tuple[bytes, str]:
    """What comes out, and how it ends."""
    ours, theirs = await pair()
    wire = make(ours)
    client = Client(theirs, version)
    got, end = b"", ""

    async def talk() -> None:
        await client.shake_hands()
        for message in messages:
            client.tls.write(message)
        if says_end:
            with pytest.raises(ssl.SSLWantReadError):
                client.tls.unwrap()
        data = bytearray(client.taken())
        if spoiled is not None and data:
            data[spoiled % len(data)] ^= 0x55
        edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
        for begin, stop in pairwise(edges):
            await theirs.send_all(data[begin:stop])
            await trio.lowlevel.checkpoint()
        await theirs.send_eof()

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk)
            try:
                while data := await wire.receive():
                    got += data
                end = "end"
            except Lost:
                end = "lost"
            nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(theirs)
    await trio.aclose_forcefully(ours)
    return got, end


@settings(max_examples=40)
@given(
    st.sampled_from([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]),
    st.lists(st.one_of(st.binary(min_size=1, max_size=80), st.just(b"x" * 40_000)), max_size=4),
    st.lists(st.integers(0, 100_000), max_size=6),
    st.none() | st.integers(0, 1_000),
    st.booleans(),
)
@example(ssl.TLSVersion.TLSv1_3, [b"a", b"b"], [1, 2, 3], None, True)
@example(ssl.TLSVersion.TLSv1_3, [b"a", b"b" * 50_000], [], 30, False)
def test_any_bytes_in_any_pieces_are_the_same_by_either_way(
    version: ssl.TLSVersion,
    messages: list[bytes],
    places: list[int],
    spoiled: int | None,
    says_end: bool,
) -> None:
    plan = version, messages, places, spoiled, says_end
    assert trio.run(received, direct, *plan) == trio.run(received, by_stream, *plan)


@pytest.mark.parametrize("make", [direct, by_stream])
async def test_what_is_sent_waits_for_a_client_that_does_not_read(make: MakeWire) -> None:
    ours, theirs = await pair()
    wire = make(ours)
    client = Client(theirs, ssl.TLSVersion.TLSv1_3)
    text = bytes(range(256)) * 20_000

    async def serve() -> None:
        assert await wire.receive() == b"go"
        all_sent = wire.try_send(text)
        assert not all_sent
        with trio.move_on_after(0.05) as waiting:
            await wire.flush()
        assert waiting.cancelled_caught

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await client.shake_hands()
        client.tls.write(b"go")
        await theirs.send_all(client.taken())
    assert await client.hear(100_000)
    await trio.aclose_forcefully(theirs)
    await trio.aclose_forcefully(ours)


async def test_what_waits_is_sent_in_order() -> None:
    ours, theirs = await pair()
    wire = direct(ours)
    client = Client(theirs, ssl.TLSVersion.TLSv1_3)
    parts = [bytes([number]) * 300_000 for number in range(9)]

    async def serve() -> None:
        assert await wire.receive() == b"go"
        for part in parts:
            if not wire.try_send(part):
                await wire.flush()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await client.shake_hands()
        client.tls.write(b"go")
        await theirs.send_all(client.taken())
        assert await client.hear(9 * 300_000) == b"".join(parts)
    await trio.aclose_forcefully(theirs)
    await trio.aclose_forcefully(ours)
